"""Is the book right? Compared, now and then, with the venue's own list of its best prices.

The list is asked for by REST and may be up to a second old (Luno caches it), and the stream may be behind or ahead of
it. So the book is watched from before the request until after the reply, and a listed level agrees when the book had
that very volume there at any moment in between; a level the book had all along must be listed. What is left is no
question of time: three misses in a row, five seconds apart, prove the book wrong. It is then dropped for a fresh
snapshot; twice within an hour nobody should trade on it, until the hour is over and the list agrees again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from lunomm.market.book import Book
from lunomm.market.levels import SideLevels
from lunomm.market.records import BookAudit
from lunomm.market.rules import Side

SECOND_NS: Final = 1_000_000_000
EVERY_S: Final = 60.0
AGAIN_NS: Final = 5 * SECOND_NS
CACHE_NS: Final = 1_250_000_000
"""How old a reply may be (one second), and a quarter for the way."""

SETTLE_NS: Final = SECOND_NS
"""How long after the reply the stream may still bring what was in it."""

MISSES: Final = 3
HOUR_NS: Final = 3600 * SECOND_NS
DRIFTS_IN_DOUBT: Final = 2
LEVELS: Final = 50
"""Best levels of the list that are compared: beyond them the list's own end could be in question."""

WATCHED: Final = 100
"""Levels a side of ours that are noted at every moment."""


class Outcome(enum.Enum):
    """AGREED, MISSED: the comparison's. DRIFT: MISSED, and now it is proven. UNKNOWN: there was nothing to compare."""

    AGREED = "AGREED"
    MISSED = "MISSED"
    DRIFT = "DRIFT"
    UNKNOWN = "UNKNOWN"


class Listed(NamedTuple):
    """The venue's best levels as (price ticks, lots), best first."""

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class _SideWatch:
    """What one side showed while it was watched."""

    def __init__(self, side: Side) -> None:
        self._sign = side.sign
        self._seen: dict[int, set[int]] = {}
        self._times: dict[int, int] = {}
        self._states = 0
        self._edge: int | None = None

    def see(self, levels: SideLevels) -> None:
        keys = levels.keys[-WATCHED:]
        lots = levels.lots
        self._states += 1
        for key in keys:
            have = self._seen.get(key)
            if have is None:
                self._seen[key] = {lots[key]}
                self._times[key] = 1
            else:
                have.add(lots[key])
                self._times[key] += 1
        if len(keys) == WATCHED and (self._edge is None or keys[0] > self._edge):
            self._edge = keys[0]

    def compare(self, rows: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """(levels that differ, levels compared)."""
        listed = {self._sign * price: lots for price, lots in rows[:LEVELS]}
        wrong = judged = 0
        for key, lots in listed.items():
            if self._edge is not None and key < self._edge:
                continue  # at some moment beyond what was noted
            judged += 1
            wrong += lots not in self._seen.get(key, ())
        # The list goes on below its last row only if it was cut there.
        last = min(listed) if len(rows) >= LEVELS else None
        for key, times in self._times.items():
            if key in listed or (last is not None and key < last) or (self._edge is not None and key < self._edge):
                continue
            if times == self._states:
                judged += 1
                wrong += 1
        return wrong, judged


class Auditor:
    """Says when to ask, watches the book meanwhile, and judges. All times: the reader's monotonic clock.

    Args:
        every_s: between two audits; 0 never audits.

    The caller waits until ``next_ns``, calls `open`, calls `see` after every frame while ``watching``, asks for the
    list ``CACHE_NS`` later, waits ``SETTLE_NS`` more and calls `judge`.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_ns = round(every_s * SECOND_NS)
        self._opened_ns: int | None = None
        self._last_ns: int | None = None
        self._row = 0
        self._drifts: list[int] = []
        self._agreed = True
        self._sides: tuple[_SideWatch, _SideWatch] | None = None
        self.watching = False
        self.result = BookAudit()

    def next_ns(self, now_ns: int) -> int | None:
        """When to open the next audit; ``None`` never. The first comes soon after the start."""
        if not self._every_ns:
            return None
        if self._last_ns is None:
            return now_ns + min(self._every_ns, AGAIN_NS)
        return self._last_ns + (min(self._every_ns, AGAIN_NS) if self._row else self._every_ns)

    def open(self, book: Book, now_ns: int) -> None:
        """Start watching. The book must be whole."""
        self._last_ns = now_ns
        self._sides = (_SideWatch(Side.BID), _SideWatch(Side.ASK))
        self.watching = True
        self.see(book)

    def see(self, book: Book) -> None:
        """The book after a frame."""
        if self._sides is not None:
            self._sides[0].see(book.bids)
            self._sides[1].see(book.asks)

    def lose(self) -> None:
        """The book was dropped: what is being compared means nothing, and a new book starts with a clean record."""
        self._sides = None
        self.watching = False
        self._row = 0

    def judge(self, listed: Listed | None, now_ns: int, wall_ms: int) -> Outcome:
        """The list against everything the book showed since `open`; ``None`` when the venue gave none."""
        sides, self._sides = self._sides, None
        self.watching = False
        if sides is None or listed is None:
            return Outcome.UNKNOWN
        found = [side.compare(rows) for side, rows in zip(sides, listed, strict=True)]
        wrong, judged = sum(row[0] for row in found), sum(row[1] for row in found)
        before = self.result
        self._agreed = not wrong
        self._row = self._row + 1 if wrong else 0
        proven = self._row >= MISSES
        if proven:
            self._row = 0
            self._drifts.append(now_ns)
        self.result = BookAudit(
            at_ms=wall_ms,
            drift=wrong / judged if judged else 0.0,
            checks=before.checks + 1,
            misses=before.misses + bool(wrong),
            resyncs=before.resyncs + proven,
        )
        return Outcome.DRIFT if proven else Outcome.MISSED if wrong else Outcome.AGREED

    def doubt(self, now_ns: int) -> str:
        """Why the book may not be traded on, or nothing."""
        self._drifts = [at for at in self._drifts if now_ns - at < HOUR_NS or not self._agreed]
        if len(self._drifts) < DRIFTS_IN_DOUBT:
            return ""
        minutes = max(1, round((now_ns - self._drifts[0]) / 60 / SECOND_NS))
        return (
            f"the book differed from the exchange's own list {len(self._drifts)} times in {minutes} min: "
            "not traded on until an hour has passed and the two agree"
        )
