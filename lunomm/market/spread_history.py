"""The half-spread's history, row by row, added up over the window of an estimate.

The window of a quiet market goes back a day, and all that is new in it is the row just finished: while it begins where
it did, only what came is added. What comes out has the very bits of a sum made afresh, as both add in the same order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lunomm.market.intensity import Exposure, half_spread_bin


class _Row(NamedTuple):
    """start_ms: exchange time. cells: (logarithmic bin, seconds, relative half-spread x seconds)."""

    start_ms: int
    cells: list[tuple[int, float, float]]


class SpreadHistory:
    """Histograms of the half-spread, oldest first."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._ordered = True
        self._first = self._last = 0
        """Rows that are in the sums: the first, and the one after the last."""
        self._seconds: dict[int, float] = {}
        self._weighted: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, start_ms: int, exposure: Sequence[tuple[float, float]]) -> None:
        """One row's (relative half-spread, seconds), at least one."""
        cells = [
            (half_spread_bin(half_spread), seconds, half_spread * seconds)
            for half_spread, seconds in exposure
            if half_spread > 0.0 and seconds > 0.0
        ]
        self._ordered = self._ordered and not (self._rows and start_ms < self._rows[-1].start_ms)
        self._rows.append(_Row(start_ms, cells))

    def forget(self, before_ms: int) -> None:
        """Rows that began before."""
        if not self._rows or self._rows[0].start_ms >= before_ms:
            return
        if not self._ordered:
            self._rows = [row for row in self._rows if row.start_ms >= before_ms]
            self._ordered = all(row.start_ms <= later.start_ms for row, later in pairwise(self._rows))
            self._restart(0)
            return
        gone = bisect_left(self._rows, before_ms, key=_start)
        del self._rows[:gone]
        if gone <= self._first:
            self._first, self._last = self._first - gone, self._last - gone
        else:
            self._restart(0)

    def between(self, start_ms: int, end_ms: int) -> tuple[Exposure, int] | None:
        """The sum of the rows that begin in a window, and when the earliest of them did.

        Returns: ``None`` when there is no time in them.
        """
        if self._ordered:
            first = bisect_left(self._rows, start_ms, key=_start)
            last = max(bisect_left(self._rows, end_ms, key=_start), first)
            if first != self._first or last < self._last:
                self._restart(first)
            self._add(self._rows[self._last : last])
            self._last = last
            earliest = self._rows[first].start_ms if first < last else 0
        else:
            # The exchange's clock was set back: no order to rely on.
            rows = [row for row in self._rows if start_ms <= row.start_ms < end_ms]
            self._restart(0)
            self._add(rows)
            earliest = min((row.start_ms for row in rows), default=0)
        if not self._seconds:
            return None
        bins = sorted(self._seconds)
        seconds = [self._seconds[cell] for cell in bins]
        means = [self._weighted[cell] / self._seconds[cell] for cell in bins]
        return Exposure(np.array(means), np.array(seconds)), earliest

    def _restart(self, first: int) -> None:
        self._first = self._last = first
        self._seconds, self._weighted = {}, {}

    def _add(self, rows: Sequence[_Row]) -> None:
        seconds, weighted = self._seconds, self._weighted
        for row in rows:
            for cell, time, product in row.cells:
                seconds[cell] = seconds.get(cell, 0.0) + time
                weighted[cell] = weighted.get(cell, 0.0) + product


def _start(row: _Row) -> int:
    return row.start_ms
