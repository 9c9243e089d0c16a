"""When our orders stood on the venue, and what of the time that was: uptime, time at the touch, share filled (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lunomm.market.rules import Side
from lunomm.tape.market_path import MarketPath


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLife:
    """One order of ours that reached the venue.

    price: counter per base. volume, filled: base. working_ns to ended_ns: while it stood there (exchange time, Unix
    ns); ended_ns None: until the end of what is looked at.
    """

    side: Side
    price: Decimal
    volume: Decimal
    filled: Decimal
    working_ns: int
    ended_ns: int | None


@dataclass(frozen=True, slots=True)
class Filled:
    """orders: that reached the venue. filled: with any fill. by_volume: share of what was placed."""

    orders: int
    filled: int
    by_volume: float | None

    @property
    def ratio(self) -> float | None:
        return self.filled / self.orders if self.orders else None


Span = tuple[int, int]


def filled(lives: Iterable[OrderLife]) -> Filled:
    """How much of what was placed traded."""
    every = list(lives)
    placed = sum((life.volume for life in every), Decimal(0))
    traded = sum((life.filled for life in every), Decimal(0))
    return Filled(len(every), sum(life.filled > 0 for life in every), float(traded / placed) if placed else None)


def presence(lives: Sequence[OrderLife], start_ns: int, end_ns: int) -> tuple[float, float] | None:
    """Shares of a window with both sides working, and with exactly one; None for an empty window."""
    length = end_ns - start_ns
    if length <= 0:
        return None
    bids, asks = (_spans(lives, side, start_ns, end_ns) for side in (Side.BID, Side.ASK))
    both = _overlap(bids, asks)
    either = _length(bids) + _length(asks) - both
    return both / length, (either - both) / length


def at_touch(lives: Sequence[OrderLife], side: Side, path: MarketPath, start_ns: int, end_ns: int) -> float | None:
    """Share of the time the others' best price of ``side`` was known during which our best was as good, or better.

    Returns: None when the others' best was never known in the window.
    """
    times, bids, asks = path.arrays()
    if path.end_ns is None or not len(times):
        return None
    theirs = bids if side is Side.BID else asks
    moments, ours = _best_over_time(lives, side, path, start_ns, end_ns)
    last = min(end_ns, path.end_ns)
    edges = np.unique(np.concatenate((times, moments, [start_ns, last])))
    edges = edges[(edges >= start_ns) & (edges <= last)]
    if len(edges) < 2:
        return None
    begins, lengths = edges[:-1], np.diff(edges)
    at = np.searchsorted(times, begins, side="right") - 1
    market = np.where(at >= 0, theirs[np.maximum(at, 0)], 0)
    mine = ours[np.searchsorted(moments, begins, side="right")]
    known = market > 0
    total = int(lengths[known].sum())
    if not total:
        return None
    good = known & (mine > 0) & (side.sign * mine >= side.sign * market)
    return float(lengths[good].sum() / total)


def _best_over_time(
    lives: Sequence[OrderLife], side: Side, path: MarketPath, start_ns: int, end_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Moments at which our best price of a side changes, and the price (ticks, 0: none) before the first and after
    each."""
    changes: list[tuple[int, int, int]] = []
    for life in lives:
        if life.side is side:
            ticks = path.rules.bid_ticks(life.price) if side is Side.BID else path.rules.ask_ticks(life.price)
            ended = end_ns if life.ended_ns is None else life.ended_ns
            if ended > life.working_ns:
                changes += [(life.working_ns, 1, ticks), (ended, -1, ticks)]
    standing: dict[int, int] = {}
    moments: list[int] = []
    best: list[int] = [0]
    for ns, way, ticks in sorted(changes):
        standing[ticks] = standing.get(ticks, 0) + way
        if not standing[ticks]:
            del standing[ticks]
        now = (max(standing) if side is Side.BID else min(standing)) if standing else 0
        if moments and moments[-1] == ns:
            best[-1] = now
        else:
            moments.append(ns)
            best.append(now)
    return np.array(moments, dtype=np.int64), np.array(best, dtype=np.int64)


def _spans(lives: Sequence[OrderLife], side: Side, start_ns: int, end_ns: int) -> list[Span]:
    """When at least one order of a side stood, inside a window; in order, without overlap."""
    found: list[Span] = []
    for life in sorted((one for one in lives if one.side is side), key=lambda one: one.working_ns):
        begin = max(life.working_ns, start_ns)
        end = min(end_ns if life.ended_ns is None else life.ended_ns, end_ns)
        if end <= begin:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _length(spans: Iterable[Span]) -> int:
    return sum(end - begin for begin, end in spans)


def _overlap(one: Sequence[Span], other: Sequence[Span]) -> int:
    total = i = j = 0
    while i < len(one) and j < len(other):
        total += max(0, min(one[i][1], other[j][1]) - max(one[i][0], other[j][0]))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return total
