"""Cuts the fair market into ten-second records: a mid each second, and how long the half-spread was what.

These records are all that the estimators ever see, live or years later, so both give the same numbers.
Time is the exchange's and only moves on: with every frame, and with the clock while nothing happens.
"""

from __future__ import annotations

from typing import Final

from lunomm.market.intensity import half_spread_bin
from lunomm.market.records import GridRow

SECOND_NS: Final = 1_000_000_000
ROW_POINTS: Final = 10
STEP_S: Final = 1.0
ROW_NS: Final = ROW_POINTS * SECOND_NS

MAX_HOLE_NS: Final = 30 * SECOND_NS
"""Longest time without a book that does not count as a gap."""

MAX_BACK_NS: Final = 10 * SECOND_NS
"""Exchange time stepping back by less than this is lag or skew and is ignored; by more, the grid starts again."""

MAX_QUIET_NS: Final = 3600 * SECOND_NS
"""Longest silence that is filled with grid points; after it the grid starts again."""


class GridRecorder:
    """Rows of one pair. The caller says what the market is; `advance` says until when it was so."""

    def __init__(self, pair: str) -> None:
        self._pair = pair
        self._rows: list[GridRow] = []
        self.time_ns: int | None = None
        """Exchange time reached; ``None`` before the first."""
        self._row_ns = 0
        self.due_ns = 0
        """The next grid point: a market standing past it has to be recorded there."""
        self._mids: list[float | None] = []
        self._bins: dict[int, list[float]] = {}
        self._first_sequence = 0
        self.sequence = 0
        """Of the book as it stands; the caller sets it with every frame."""
        self._gap = True
        self._half_spread: float | None = None
        self._lost_ns: int | None = None

    def drain(self) -> list[GridRow]:
        """Rows finished since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def advance(self, to_ns: int, price: float | None) -> None:
        """The market stood unchanged, with this fair price, until ``to_ns``: fill every grid point before it.

        A point exactly at ``to_ns`` belongs to what comes then.
        """
        if self.time_ns is None:
            self._start(to_ns)
            return
        if to_ns <= self.time_ns:
            if self.time_ns - to_ns > MAX_BACK_NS:
                self._restart(to_ns)
            return
        if to_ns - self.time_ns > MAX_QUIET_NS:
            self._restart(to_ns)
            return
        while self._row_ns + ROW_NS <= to_ns:
            self._points(self._row_ns + ROW_NS, price)
            self._expose(self._row_ns + ROW_NS)
            self._finish_row()
            self._row_ns += ROW_NS
        self._points(to_ns, price)
        self._expose(to_ns)

    def stand(self, half_spread: float | None) -> None:
        """From now on the relative half-spread is this (``None``: no two-sided market)."""
        self._half_spread = half_spread

    def lose(self) -> None:
        """The book is lost as of the time reached: nothing is known until `recover`."""
        if self._lost_ns is None:
            self._lost_ns = self.time_ns
        self._half_spread = None

    def recover(self, at_ns: int, sequence: int) -> None:
        """A new book stands from ``at_ns``. After a hole longer than ``MAX_HOLE_NS`` its row is marked as a gap.

        A snapshot is dated by its last change: older than the time reached, it says that nothing has happened since.
        """
        if self.time_ns is not None and 0 < self.time_ns - at_ns < MAX_QUIET_NS:
            at_ns = self.time_ns
        lost_ns, self._lost_ns = self._lost_ns, None
        if lost_ns is not None and at_ns - lost_ns > MAX_HOLE_NS:
            self._restart(at_ns)
        else:
            self.advance(at_ns, None)
        self.sequence = sequence
        if not self._bins and all(mid is None for mid in self._mids):
            self._first_sequence = sequence

    def close(self, price: float | None) -> None:
        """Finish the row under way where time stands; its missing mids are unknown."""
        if self.time_ns is not None:
            self._points(self.time_ns + 1, price)
            self._restart(self.time_ns + 1)

    def _start(self, at_ns: int) -> None:
        self._row_ns = at_ns - at_ns % ROW_NS
        before = -(-(at_ns - self._row_ns) // SECOND_NS)
        self._mids = [None] * before
        self.due_ns = self._row_ns + before * SECOND_NS
        self.time_ns = at_ns
        self._gap = True
        if before == ROW_POINTS:
            # Less than a second before the row's end: nothing of it will be seen.
            self._mids = []
            self._row_ns += ROW_NS

    def _restart(self, at_ns: int) -> None:
        self._mids += [None] * (ROW_POINTS - len(self._mids))
        self._finish_row()
        self._start(at_ns)

    def _points(self, before_ns: int, price: float | None) -> None:
        while self.due_ns < before_ns:
            self._mids.append(price)
            self.due_ns += SECOND_NS

    def _expose(self, until_ns: int) -> None:
        assert self.time_ns is not None
        if self._half_spread is not None and until_ns > self.time_ns:
            seconds = (until_ns - self.time_ns) / SECOND_NS
            cell = self._bins.setdefault(half_spread_bin(self._half_spread), [0.0, 0.0])
            cell[0] += self._half_spread * seconds
            cell[1] += seconds
        self.time_ns = until_ns

    def _finish_row(self) -> None:
        if self._bins or any(mid is not None for mid in self._mids):
            self._rows.append(
                GridRow(
                    pair=self._pair,
                    start_ms=self._row_ns // 1_000_000,
                    step_s=STEP_S,
                    mids=self._mids,
                    exposure=[(weighted / seconds, seconds) for _, (weighted, seconds) in sorted(self._bins.items())],
                    first_sequence=self._first_sequence,
                    last_sequence=self.sequence,
                    gap=self._gap,
                )
            )
            self._gap = False
        self._mids = []
        self._bins = {}
        self._first_sequence = self.sequence
