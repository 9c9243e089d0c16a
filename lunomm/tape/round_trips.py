"""Buys and sells matched first in, first out: what a round trip earned, and how long it was open (pure).

Coins held before the session take no part: the first sale opens a position against them. Fees are inside the prices,
each in its own currency: a buy's base fee makes the rest dearer. Volumes are exact, so that what is used up is; the
rest are floats: figures to look at, the exact money is the attribution's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips:
    """count: matched pairs. volume: base matched. profit: counter, net of fees. held_s: mean, weighted by volume."""

    count: int
    volume: float
    profit: float
    held_s: float

    @property
    def profit_per_base(self) -> float:
        """Counter per base."""
        return self.profit / self.volume


@dataclass(slots=True)
class _Open:
    sign: int
    volume: Decimal
    price: float
    ts_ms: int


def round_trips(fills: Iterable[Fill]) -> RoundTrips | None:
    """None when nothing was both bought and sold."""
    waiting: deque[_Open] = deque()
    count, volume = 0, Decimal(0)
    profit = held = 0.0
    for fill in fills:
        new = _net(fill)
        while new.volume > 0 and waiting and waiting[0].sign != new.sign:
            old = waiting[0]
            matched = min(old.volume, new.volume)
            count += 1
            volume += matched
            profit += float(matched) * new.sign * (old.price - new.price)
            held += float(matched) * (new.ts_ms - old.ts_ms) / 1000
            new.volume -= matched
            old.volume -= matched
            if old.volume <= 0:
                waiting.popleft()
        if new.volume > 0:
            waiting.append(new)
    matched_base = float(volume)
    return RoundTrips(count=count, volume=matched_base, profit=profit, held_s=held / matched_base) if volume else None


def _net(fill: Fill) -> _Open:
    """What really changed hands, and at what price."""
    sign = fill.side.sign
    base = fill.volume - fill.fee_base if fill.side is Side.BID else fill.volume + fill.fee_base
    counter = float(fill.counter + fill.fee_counter if fill.side is Side.BID else fill.counter - fill.fee_counter)
    return _Open(sign, base, counter / float(base) if base > 0 else 0.0, fill.ts_ms)
