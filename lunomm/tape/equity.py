"""Profit over time, and what it says of risk: drawdown, Sharpe, how much was held (pure).

Statistics in floats; the profit's exact parts are the attribution's. Between two known mids nothing is invented: the
curve has a point wherever the mid changed, and one at each fill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lunomm.quoting.inputs import Fill
from lunomm.tape.market_path import MarketPath
from lunomm.trading.events import Flow
from lunomm.trading.inventory import mark_of
from lunomm.trading.orders import Amounts

INTERVALS_S: Final = (86_400, 3_600, 900, 300, 60)
"""Tried in this order: the longest of which there are enough."""

LEAST_INTERVALS: Final = 30
YEAR_S: Final = 365 * 86_400
LEAST_KNOWN: Final = 0.9
"""Share of the window with a mid below which the spread of its returns says nothing."""

CURVE_POINTS: Final = 4000

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpe:
    """Mean over standard deviation of the profit of equal intervals, a year's; t_stat: against no profit at all."""

    value: float
    interval_s: int
    intervals: int
    t_stat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points in order of time (exchange, Unix ns). equity: profit since the start, counter. position: base.

    mid: None at points of fills and the ends, where the mark was another.
    """

    ts_ns: tuple[int, ...]
    equity: tuple[float, ...]
    position: tuple[float, ...]
    mid: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """The whole curve, not thinned. mids: 0 where there was none."""

    ts_ns: Times
    equity: Floats
    position: Floats
    mids: Floats


@dataclass(frozen=True, slots=True)
class Steps:
    """What the account had after each fill and flow; one more row than moments: the first is the start."""

    moments: Times
    position: Floats
    cash: Floats
    flows: Floats
    marks: Floats
    """The fair price at each moment, or the last one before."""


def steps(opening: Decimal, opening_mark: Decimal, entries: Sequence[Fill | Flow]) -> Steps:
    """Running sums over the entries; times that go back by a little (two channels report) count as the latest."""
    moments, marks = [], []
    position, cash, flows = [opening], [Decimal(0)], [Decimal(0)]
    latest, mark = 0, opening_mark
    for entry in entries:
        latest = max(latest, entry.ts_ms * 1_000_000)
        moments.append(latest)
        if isinstance(entry, Fill):
            amounts = Amounts(entry.volume, entry.counter, entry.fee_base, entry.fee_counter)
            mark = entry.price if entry.fair is None else mark_of(entry.fair)
            position.append(position[-1] + amounts.net_base(entry.side))
            cash.append(cash[-1] + amounts.net_counter(entry.side))
            flows.append(flows[-1])
        else:
            mark = mark if entry.mark is None else entry.mark
            position.append(position[-1] + entry.base)
            cash.append(cash[-1] + entry.counter)
            flows.append(flows[-1] + entry.counter + entry.base * mark)
        marks.append(mark)
    return Steps(np.array(moments, dtype=np.int64), _floats(position), _floats(cash), _floats(flows), _floats(marks))


def _floats(values: Sequence[Decimal]) -> Floats:
    return np.array([float(value) for value in values], dtype=np.float64)


def course(
    held: Steps, path: MarketPath | None, window: tuple[int, int], opening_mark: float, closing: tuple[float, float]
) -> Course:
    """Profit at the start, at every change of the mid, at every fill, and at the end.

    Args:
        window: from, to, ns. closing: profit and mark at its end.
    """
    start_ns, end_ns = window
    worth = held.position[0] * opening_mark
    times, mids = _mids(path, start_ns, end_ns)
    at = np.searchsorted(held.moments, times, side="right")
    drifting = held.cash[at] + held.position[at] * mids - worth - held.flows[at]
    booked = held.cash[1:] + held.position[1:] * held.marks - worth - held.flows[1:]
    none = np.zeros(1)
    # A fill is marked at the price before it: at one instant it comes before the mid that its frame made.
    every = Course(
        np.concatenate(([start_ns], np.clip(held.moments, start_ns, end_ns), times, [end_ns])),
        np.concatenate((none, booked, drifting, [closing[0]])),
        np.concatenate(([held.position[0]], held.position[1:], held.position[at], [held.position[-1]])),
        np.concatenate((none, np.zeros(len(held.moments)), mids, none)),
    )
    order = np.argsort(every.ts_ns, kind="stable")
    order = np.concatenate(([0], order[order != 0]))  # the start stays first whatever else happened in its instant
    return Course(every.ts_ns[order], every.equity[order], every.position[order], every.mids[order])


def _mids(path: MarketPath | None, start_ns: int, end_ns: int) -> tuple[Times, Floats]:
    if path is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    times, bids, asks = path.arrays()
    use = (times >= start_ns) & (times <= end_ns) & (bids > 0) & (asks > 0)
    return times[use], (bids[use] + asks[use]) / 2 * path.rules.price_float(1)


def drawdown(found: Course) -> float:
    """The deepest fall of the profit below its highest so far, counter."""
    return float((np.maximum.accumulate(found.equity) - found.equity).max())


def inventory(held: Steps, target: float, window: tuple[int, int]) -> tuple[float, float]:
    """Largest and time-average distance of the position from ``target``, base."""
    start_ns, end_ns = window
    away = np.abs(held.position - target)
    edges = np.clip(np.concatenate(([start_ns], held.moments, [end_ns])), start_ns, end_ns)
    lengths = np.diff(edges)
    total = int(lengths.sum())
    return float(away.max()), float((away * lengths).sum() / total) if total else float(away[-1])


def sharpe(found: Course, path: MarketPath | None, window: tuple[int, int]) -> Sharpe | None:
    """None with fewer than 30 equal intervals, without mids for nearly the whole window, or without any variation."""
    start_ns, end_ns = window
    length = end_ns - start_ns
    if path is None or length <= 0 or path.known_ns(start_ns, end_ns) < LEAST_KNOWN * length:
        return None
    for interval_s in INTERVALS_S:
        count = length // (interval_s * 1_000_000_000)
        if count >= LEAST_INTERVALS:
            break
    else:
        return None
    ends = start_ns + np.arange(count + 1, dtype=np.int64) * interval_s * 1_000_000_000
    profits = np.diff(found.equity[np.searchsorted(found.ts_ns, ends, side="right") - 1])
    spread = float(profits.std(ddof=1))
    if spread <= 0:
        return None
    value = float(profits.mean()) / spread * math.sqrt(YEAR_S / interval_s)
    years = count * interval_s / YEAR_S
    return Sharpe(value=value, interval_s=interval_s, intervals=int(count), t_stat=value * math.sqrt(years))


def thinned(found: Course, points: int = CURVE_POINTS) -> Curve:
    """At most so many points, the first, lowest, highest and last of each stretch of time among them."""
    keep: NDArray[np.int64] = np.arange(len(found.ts_ns))
    if len(keep) > points:
        span = max(int(found.ts_ns[-1] - found.ts_ns[0]), 1)
        column = (found.ts_ns - found.ts_ns[0]) * (points // 4 - 1) // span
        begins = np.flatnonzero(np.diff(column, prepend=-1))
        chosen = {0, len(keep) - 1}
        for begin, end in zip(begins, [*begins[1:], len(keep)], strict=True):
            part = found.equity[begin:end]
            chosen |= {int(begin), int(end) - 1, int(begin + part.argmin()), int(begin + part.argmax())}
        keep = np.array(sorted(chosen))
    return Curve(
        ts_ns=tuple(int(ns) for ns in found.ts_ns[keep]),
        equity=tuple(float(value) for value in found.equity[keep]),
        position=tuple(float(value) for value in found.position[keep]),
        mid=tuple(float(value) if value > 0 else None for value in found.mids[keep]),
    )
