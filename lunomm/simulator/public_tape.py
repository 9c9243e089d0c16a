"""What the public may know of past trading: the last trades and one-minute candles (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from lunomm.simulator.messages import regridded

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MAX_TRADES = 100
MAX_CANDLES = 1000
DURATIONS_S = (60, 300, 900, 1800, 3600, 10800, 14400, 28800, 86400, 259200, 604800)
_KEPT_MINUTES = 14 * 1440
"""Two weeks: longer than any simulated session needs, and bounded."""


class Print(NamedTuple):
    """One public trade. price: ticks; lots; is_buy: the taker bought."""

    sequence: int
    timestamp_ms: int
    price: int
    lots: int
    is_buy: bool


class Bar(NamedTuple):
    """One candle: prices in ticks, volume in lots; start_ms: multiple of its duration since 1970."""

    start_ms: int
    open: int
    close: int
    high: int
    low: int
    lots: int


def _joined(first: Bar, then: Bar) -> Bar:
    return Bar(
        first.start_ms,
        first.open,
        then.close,
        max(first.high, then.high),
        min(first.low, then.low),
        first.lots + then.lots,
    )


class PublicTape:
    """The last hundred trades and two weeks of one-minute candles of one market. Times come in order."""

    def __init__(self) -> None:
        self._prints: deque[Print] = deque(maxlen=MAX_TRADES)
        self._minutes: deque[Bar] = deque(maxlen=_KEPT_MINUTES)
        self._day: deque[tuple[int, int]] = deque()
        self._day_lots = 0

    def seed(self, prints: Iterable[Print], minutes: Iterable[Bar]) -> None:
        """Replace all by a past made elsewhere; both oldest first.

        Raises:
            ValueError: not oldest first, or a candle that does not start on a minute.
        """
        trades, bars = list(prints), list(minutes)
        if any(then.start_ms <= first.start_ms for first, then in pairwise(bars)):
            raise ValueError("candles must come oldest first")
        if any(bar.start_ms % MINUTE_MS for bar in bars):
            raise ValueError("a candle must start on a minute")
        if any(
            then.sequence <= first.sequence or then.timestamp_ms < first.timestamp_ms
            for first, then in pairwise(trades)
        ):
            raise ValueError("trades must come oldest first")
        self._prints = deque(trades, maxlen=MAX_TRADES)
        self._minutes = deque(bars, maxlen=_KEPT_MINUTES)
        self._day = deque((bar.start_ms, bar.lots) for bar in bars)
        self._day_lots = sum(bar.lots for bar in bars)

    @property
    def last(self) -> Print | None:
        return self._prints[-1] if self._prints else None

    def add(self, trade: Print) -> None:
        self._prints.append(trade)
        bar = Bar(
            trade.timestamp_ms - trade.timestamp_ms % MINUTE_MS,
            trade.price,
            trade.price,
            trade.price,
            trade.price,
            trade.lots,
        )
        # A trade in an older minute (a clock set back) counts with the newest, as in the candles.
        start_ms = max(bar.start_ms, self._minutes[-1].start_ms) if self._minutes else bar.start_ms
        day = self._day
        if day and day[-1][0] == start_ms:
            day[-1] = (start_ms, day[-1][1] + trade.lots)
        else:
            day.append((start_ms, trade.lots))
        self._day_lots += trade.lots
        self._forget(trade.timestamp_ms)
        if self._minutes and self._minutes[-1].start_ms >= bar.start_ms:
            self._minutes[-1] = _joined(self._minutes[-1], bar)
        else:
            self._minutes.append(bar)

    def regrid(self, price: int, volume: int) -> None:
        """Rewrite all on a grid of so many more decimals (fewer: negative, then rounded, never to nothing)."""

        def ticks(units: int) -> int:
            return max(1, regridded(units, price))

        def lots(units: int) -> int:
            return max(1, regridded(units, volume))

        trades = [trade._replace(price=ticks(trade.price), lots=lots(trade.lots)) for trade in self._prints]
        bars = [
            Bar(bar.start_ms, ticks(bar.open), ticks(bar.close), ticks(bar.high), ticks(bar.low), lots(bar.lots))
            for bar in self._minutes
        ]
        self.seed(trades, bars)

    def trades(self, now_ms: int, since_ms: int | None) -> list[Print]:
        """Newest first, at most a hundred, none older than a day; later than ``since_ms``."""
        floor = max(now_ms - DAY_MS, -1 if since_ms is None else since_ms)
        return [trade for trade in reversed(self._prints) if trade.timestamp_ms > floor]

    def candles(self, since_ms: int, duration_s: int) -> list[Bar]:
        """The earliest thousand candles starting at or after ``since_ms``, oldest first; none where nothing traded."""
        length = duration_s * 1000
        bars: list[Bar] = []
        for minute in self._minutes:
            start = minute.start_ms - minute.start_ms % length
            if start < since_ms:
                continue
            if bars and bars[-1].start_ms == start:
                bars[-1] = _joined(bars[-1], minute)
            elif len(bars) == MAX_CANDLES:
                break
            else:
                bars.append(minute._replace(start_ms=start))
        return bars

    def volume_24h(self, now_ms: int) -> int:
        """Lots traded in the last day, to the minute; asked for in the order of time."""
        self._forget(now_ms)
        return self._day_lots

    def _forget(self, now_ms: int) -> None:
        day = self._day
        while day and day[0][0] <= now_ms - DAY_MS:
            self._day_lots -= day.popleft()[1]
