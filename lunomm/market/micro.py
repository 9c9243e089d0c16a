"""The micro-price: where the mid is expected to end up, given the imbalance at the touch and the spread now.

Not a formula of one picture but a martingale estimated from the market's own past. State x = (imbalance I = Qb/(Qb+Qa)
in tenths, spread in powers of two of a tick). For every change of state, or of the mid, the move of the mid and the
state it led to are counted; the expected sum of all future moves, G, then solves G(x) = E[move + G(next)], and

    micro-price = mid + G(x)

Bid and ask are treated alike: a state and its mirror image (1 - I) share their counts, with the sign turned, so a trend
in the sample puts no drift into G, and the equation has one solution. One more observation that the mid stays (the
ridge) is added to every state: what was seldom seen is close to the mid. Time spent in a state cancels out of the
equation, so nothing is counted while nothing changes.

Source: Stoikov (2018), The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18(12); his
G* = sum of B^i G1 is this G. Different here: spreads in powers of two, since Luno's reach hundreds of ticks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from lunomm.market.rules import PairRules
from lunomm.market.signals import EXTRA_DIGITS, UNIT, exact

TENTHS: Final = 10
HALF: Final = TENTHS // 2
SPREADS: Final = 12
"""Spread classes: 1 tick, 2-3, 4-7 ... 2,048 and more."""

MEMORY: Final = 50_000.0
"""Counted changes after which all counts are halved: the last hours of a busy market, days of a quiet one."""

SOLVE_EVERY: Final = 256
"""Changes between two solutions."""

MIN_MOVES: Final = 200
"""Moves of the mid before anything is said: the error of a mean move is then below a tenth of its size."""

MIN_SEEN: Final = 20
"""Changes counted out of a state before anything is said about it."""


class Touch(NamedTuple):
    """Best prices in ticks and the lots there, our own orders removed."""

    bid: int
    ask: int
    bid_lots: int
    ask_lots: int


class MicroPrice:
    """Counts and, now and then, solves; O(1) a change (the solution is at most a 60 x 60 system).

    moves: moves of the mid counted so far. version: grows whenever what it says may have changed.
    """

    def __init__(self) -> None:
        self.moves = 0
        self.version = 0
        self._last: Touch | None = None
        self._state = 0
        self._sign = 1
        self._seen: dict[int, float] = {}
        self._drift: dict[int, float] = {}
        self._next: dict[tuple[int, int], float] = {}
        self._total = 0.0
        self._since = 0
        self._offsets: dict[int, float] = {}

    def push(self, touch: Touch) -> None:
        """The touch after a frame."""
        self.version += 1
        state, sign = _state(touch)
        last, was, was_sign = self._last, self._state, self._sign
        self._last, self._state, self._sign = touch, state, sign
        if last is None:
            return
        move = touch.bid + touch.ask - last.bid - last.ask
        if not move and state == was and sign == was_sign:
            return
        self._seen[was] = self._seen.get(was, 0.0) + 1.0
        key = (was, state)
        self._next[key] = self._next.get(key, 0.0) + was_sign * sign
        if move:
            self._drift[was] = self._drift.get(was, 0.0) + was_sign * move / 2
            self.moves += 1
        self._total += 1.0
        self._since += 1
        if self._total >= 2 * MEMORY:
            self._halve()

    def lose(self) -> None:
        """The market was not watched, or not open: what comes next is no move."""
        self.version += 1
        self._last = None

    @property
    def ready(self) -> bool:
        return self.moves >= MIN_MOVES

    def offset(self) -> float | None:
        """Micro-price minus mid, ticks, as of the last touch; ``None`` until enough was seen, or after a loss."""
        if self._last is None or not self.ready or self._seen.get(self._state, 0.0) < MIN_SEEN:
            return None
        if self._since >= SOLVE_EVERY or not self._offsets:
            self._solve()
        touch = self._last
        half_spread = (touch.ask - touch.bid) / 2
        # Beyond the touch it would be an order nobody has placed, not a price between those that are there.
        return max(-half_spread, min(half_spread, self._sign * self._offsets.get(self._state, 0.0)))

    def price(self, rules: PairRules) -> Decimal | None:
        """The micro-price, counter per base, to a millionth of a tick."""
        units = self.units()
        return None if units is None else exact(units, rules.price_scale + EXTRA_DIGITS)

    def units(self) -> int | None:
        """The same in millionths of a tick."""
        offset = self.offset()
        if offset is None or self._last is None:
            return None
        return (self._last.bid + self._last.ask) * UNIT // 2 + round(offset * UNIT)

    def _solve(self) -> None:
        self._since = 0
        states = sorted(self._seen)
        place = {state: row for row, state in enumerate(states)}
        system = np.diag([self._seen[state] + 1.0 for state in states])
        for (state, then), weight in self._next.items():
            column = place.get(then)
            if column is not None:  # a state never left yet leads nowhere known: G = 0
                system[place[state], column] -= weight
        drifts = [self._drift.get(state, 0.0) for state in states]
        solved = np.linalg.solve(system, np.array(drifts))
        self._offsets = dict(zip(states, solved.tolist(), strict=True))

    def _halve(self) -> None:
        for counts in (self._seen, self._drift):
            for state in counts:
                counts[state] /= 2
        for key in self._next:
            self._next[key] /= 2
        self._total /= 2


def _state(touch: Touch) -> tuple[int, int]:
    """(state folded onto the bid-heavy half, +1 or -1 when it was mirrored).

    Equal volumes are the limit of neither half: they count with the bid-heavy one, where G of the innermost tenth is
    smallest.
    """
    bid_lots, ask_lots = touch.bid_lots, touch.ask_lots
    sign = 1 if bid_lots >= ask_lots else -1
    heavy = bid_lots if sign > 0 else ask_lots
    tenth = min(TENTHS * heavy // (bid_lots + ask_lots), TENTHS - 1) - HALF
    spread = min((touch.ask - touch.bid).bit_length() - 1, SPREADS - 1)
    return spread * HALF + tenth, sign
