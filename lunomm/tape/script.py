"""What the observer made of a tape, kept for the next pass: the others' touch, the state, the estimates (pure).

None of it depends on what a lane of ours does, as our orders are not in the market. A second pass over the same tape
applies every update to the book, for the queues, and reads the rest off here. The frame is the clock: a change is noted
with the number of the frame that brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lunomm.errors import BookError, MarketDataError
from lunomm.market.book import Applied, Book
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.own import OwnIntent, OwnOrders
from lunomm.market.picture import Picture
from lunomm.market.records import BookState, Estimates, GridRow, TakerOrder, Tick, Verdict
from lunomm.market.rules import PairRules
from lunomm.market.trades import FairTouch
from lunomm.market.volatility import daily_percent


class Moved(NamedTuple):
    """From frame ``frame`` on."""

    frame: int
    touch: FairTouch
    state: BookState


class Learned(NamedTuple):
    frame: int
    estimates: Estimates


@dataclass
class Script:
    """moves: touch and state. learned: estimates. Both by frame, counted from 1 over everything the tape holds."""

    moves: list[Moved] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    takers: list[TakerOrder] = field(default_factory=list)
    rows: list[GridRow] = field(default_factory=list)

    def note(self, frame: int, touch: FairTouch, state: BookState) -> None:
        if not self.moves or self.moves[-1][1:] != (touch, state):
            self.moves.append(Moved(frame, touch, state))

    def learn(self, frame: int, estimates: Estimates) -> None:
        if not self.learned or self.learned[-1].estimates != estimates:
            self.learned.append(Learned(frame, estimates))


class Replayed:
    """Stands where the observer stood, over the same frames.

    Args:
        script: of a whole first pass.
    """

    def __init__(self, rules: PairRules, script: Script, depth: int) -> None:
        self.rules = rules
        self.book = Book(rules, depth=depth)
        self.touch = FairTouch(None, None)
        self.state = BookState.RESYNC
        self._script = script
        self._frame = self._move = self._learn = 0
        self._next_move = self._next_learn = 0
        self._estimates = Estimates()
        self._void = True
        self._picture = Picture(self.book, OwnOrders(self.book))
        self._told = False
        self._advance()

    def on_snapshot(self, snapshot: BookSnapshot, now: Now) -> None:
        """As the observer's."""
        self._frame += 1
        try:
            self.book.load(snapshot)
        except MarketDataError:
            self._void = True
            self._advance()
            raise
        self._void = False
        self._advance()

    def on_update(self, update: BookUpdate, now: Now) -> Applied:
        """As the observer's."""
        frame = self._frame = self._frame + 1
        if self._void:
            self._advance()
            raise BookError(f"{self.rules.pair}: frame {update.sequence} without a snapshot", code="NO_SNAPSHOT")
        try:
            applied = self.book.apply(update)
        except MarketDataError:
            self._void = True
            self._advance()
            raise
        if frame >= self._next_move or frame >= self._next_learn:
            self._advance()
        return applied

    def on_lost(self, now: Now, why: str = "") -> None:
        """As the observer's."""
        self._void = True
        self._frame += 1
        self._advance()

    def set_own(self, own: Sequence[OwnIntent]) -> None:
        """Raises ValueError: a script knows no tape with orders of ours in it."""
        raise ValueError("a market with orders of ours in it has no script")

    def finish(self) -> None:
        return

    def drain(self) -> list[TakerOrder | GridRow]:
        """All records of the tape, once."""
        if self._told:
            return []
        self._told = True
        return [*self._script.takers, *self._script.rows]

    def tick(self, now: Now, *, beat: int, wall_ms: float, stream_age_ms: float | None, lag_ms: float | None) -> Tick:
        """As the observer's, without what no quoter prices with around the mid: micro-price, the document's sigma."""
        known = self._estimates
        usable = known.verdict is not Verdict.NO
        tick = Tick(
            pair=self.rules.pair,
            ts=wall_ms,
            exchange_ts=None,
            sequence=None,
            state=self.state,
            beat=beat,
            stream_age_ms=stream_age_ms,
            lag_ms=lag_ms,
            volatility=known.sigma,
            volatility_daily_pct=daily_percent(known.sigma) if known.sigma is not None else None,
            volatility_ready=known.sigma_source == "live",
            alpha=known.intensity if usable else None,
            kappa=known.kappa if usable else None,
            estimates=known,
        )
        if not self._void:
            self._picture.draw(tick, self.touch)
        return tick

    def _advance(self) -> None:
        moves, learned, frame = self._script.moves, self._script.learned, self._frame
        while self._move < len(moves) and moves[self._move].frame <= frame:
            _, self.touch, self.state = moves[self._move]
            self._move += 1
        while self._learn < len(learned) and learned[self._learn].frame <= frame:
            self._estimates = learned[self._learn].estimates
            self._learn += 1
        never = 1 << 62
        self._next_move = moves[self._move].frame if self._move < len(moves) else never
        self._next_learn = learned[self._learn].frame if self._learn < len(learned) else never
