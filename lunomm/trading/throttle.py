"""What comes too often: repeats that halt, a side that is rested, and the pace of new orders.

A program that goes wrong rarely breaks one limit at once; it does something harmless far too often (RTS 6 of MiFID II,
article 15(3), asks for a repeated automated execution throttle). Counted here, each in a sliding window:

==================  =========  =====  ==================================================================================
what                at most    in     beyond it
==================  =========  =====  ==================================================================================
REJECTS             10         10 min halt: the exchange refuses what we send
POST_ONLY           30         1 h    halt: orders miss the book again and again
BAD_QUOTES          4          10 min halt: what the quoter wants cannot be meant (the fifth trips)
UNREADABLE          5          10 s   halt: somebody else speaks on our channels
ALIEN               10         1 h    halt: that many orders on this account are not ours, and fill
one-sided fills     10 orders  10 min the side rests; a second time within an hour halts
orders              60         1 min  the next one waits
==================  =========  =====  ==================================================================================

Repeats are counted by the exchange's clock, so that a simulation at ten times the speed is judged like life; the pace
of orders and unreadable messages by our own monotonic one. A resumed halt starts every count anew; a restart does not:
what is counted by the exchange's clock is a note in the journal, and the last minute's orders are in it anyway. Else a
gateway that dies every few minutes would never be stopped for what it does in between.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable

import msgspec

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.trading.chores import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

ORDERS_A_MINUTE = 60
"""New orders of an account: with its cancel and its reads each costs four calls of the 280 at worst."""

ONE_SIDED, ONE_SIDED_NS = 10, 10 * MINUTE
OFF_AGAIN_NS = HOUR


NOTE = "throttle"
"""Name of the account's note that holds the counts."""


class Repeat(enum.StrEnum):
    """Kinds of repeats; see the module for how many are too many."""

    REJECTS = "REJECTS"
    POST_ONLY = "POST_ONLY"
    BAD_QUOTES = "BAD_QUOTES"
    UNREADABLE = "UNREADABLE"
    ALIEN = "ALIEN"


ALLOWED: dict[Repeat, tuple[int, int]] = {
    Repeat.REJECTS: (10, 10 * MINUTE),
    Repeat.POST_ONLY: (30, HOUR),
    Repeat.BAD_QUOTES: (4, 10 * MINUTE),
    Repeat.UNREADABLE: (5, 10 * SECOND),
    Repeat.ALIEN: (10, HOUR),
}
"""How many of each in how long; one more trips."""

_WORDS = {
    Repeat.REJECTS: "orders refused by the exchange",
    Repeat.POST_ONLY: "orders that would have traded at once",
    Repeat.BAD_QUOTES: "wanted quotes that cannot be meant",
    Repeat.UNREADABLE: "messages on our channels that cannot be read",
    Repeat.ALIEN: "orders of other hands that filled",
}


class Window:
    """Times of the last ``span_ns``, bounded; later ones than now (a clock set back) still count."""

    __slots__ = ("_span_ns", "_times")

    def __init__(self, span_ns: int, most: int) -> None:
        self._span_ns = span_ns
        self._times: deque[int] = deque(maxlen=most)

    def add(self, at_ns: int) -> None:
        self._times.append(at_ns)

    def times(self) -> list[int]:
        return list(self._times)

    def count(self, now_ns: int) -> int:
        while self._times and self._times[0] <= now_ns - self._span_ns:
            self._times.popleft()
        return len(self._times)


class Counts(msgspec.Struct, omit_defaults=True):
    """What a restart must know, exchange Unix ns.

    sides: pair -> the side that traded last, and its orders since the other did. rested: pair, side, when.
    """

    repeats: dict[Repeat, list[int]] = {}
    aliens: list[str] = []
    sides: dict[str, tuple[Side, list[tuple[int, str]]]] = {}
    rest_until: dict[str, int] = {}
    rested: list[tuple[str, Side, int]] = []


class Throttle:
    """The counts of one account."""

    def __init__(self) -> None:
        self._orders = Window(MINUTE, ORDERS_A_MINUTE)
        self._aliens: set[str] = set()
        self._changed = False
        self._start()

    # --- over a restart ---

    def news(self) -> str | None:
        """The counts as a note, None when they are as they were when last asked."""
        if not self._changed:
            return None
        self._changed = False
        counts = Counts(
            repeats={kind: times for kind, window in self._repeats.items()
                     if kind is not Repeat.UNREADABLE and (times := window.times())},
            aliens=sorted(self._aliens)[-ALLOWED[Repeat.ALIEN][0] - 1 :],
            sides={pair: (side, list(orders)) for pair, (side, orders) in self._sides.items()},
            rest_until=self._rest_until,
            rested=[(pair, side, at) for (pair, side), at in self._rested.items()],
        )  # fmt: skip
        return msgspec.json.encode(counts).decode()

    def restore(self, note: str, placed_ns: Iterable[int]) -> None:
        """Go on counting where the last gateway stopped.

        Args:
            note: what `news` gave it, empty for none. placed_ns: own monotonic times of its orders, oldest first.

        Raises:
            ValueError: the note is none of ours.
        """
        counts = msgspec.json.decode(note, type=Counts) if note else Counts()
        for kind, times in counts.repeats.items():
            for at in times:
                self._repeats[kind].add(at)
        self._aliens.update(counts.aliens)
        for pair, (side, orders) in counts.sides.items():
            self._sides[pair] = (side, deque(orders, maxlen=ONE_SIDED + 1))
        self._rest_until.update(counts.rest_until)
        self._rested.update({(pair, side): at for pair, side, at in counts.rested})
        for at in placed_ns:
            self._orders.add(at)

    def _start(self) -> None:
        self._repeats = {kind: Window(span, most + 1) for kind, (most, span) in ALLOWED.items()}
        self._sides: dict[str, tuple[Side, deque[tuple[int, str]]]] = {}
        self._rest_until: dict[str, int] = {}
        self._rested: dict[tuple[str, Side], int] = {}

    def reset(self) -> None:
        """Someone looked and resumed: repeats count anew (the pace of orders does not)."""
        self._start()
        self._changed = True

    # --- repeats ---

    def note(self, kind: Repeat, now: Now, detail: str = "") -> str | None:
        """Count one; the reason to halt when it is one too many."""
        most, span = ALLOWED[kind]
        at = now.mono_ns if kind is Repeat.UNREADABLE else now.exchange_ns
        window = self._repeats[kind]
        window.add(at)
        self._changed |= kind is not Repeat.UNREADABLE
        if window.count(at) <= most:
            return None
        told = f", the last: {detail[:80]}" if detail else ""
        return f"{kind.value}: {most + 1} {_WORDS[kind]} within {_span(span)}{told}"

    def alien(self, order_id: str, now: Now) -> str | None:
        """A fill of an order that is not ours; each order counts once."""
        if order_id in self._aliens:
            return None
        if len(self._aliens) > 10_000:
            self._aliens.clear()
        self._aliens.add(order_id)
        return self.note(Repeat.ALIEN, now, order_id)

    def filled(self, pair: str, side: Side, order: str, now: Now) -> str | None:
        """An order of ours traded: too many of one side and none of the other rest that side, then halt."""
        at = now.exchange_ns
        if pair not in self._sides or self._sides[pair][0] is not side:
            self._sides[pair] = (side, deque(maxlen=ONE_SIDED + 1))
            self._rest_until.pop(pair, None)
        orders = self._sides[pair][1]
        while orders and orders[0][0] <= at - ONE_SIDED_NS:
            orders.popleft()
        if any(name == order for _, name in orders):
            return None
        orders.append((at, order))
        self._changed = True
        if len(orders) <= ONE_SIDED or self.off(pair, side, now):
            return None
        before = self._rested.get((pair, side))
        self._rested[(pair, side)] = at
        self._rest_until[pair] = at + ONE_SIDED_NS
        if before is not None and at - before < OFF_AGAIN_NS:
            return f"ONE_SIDED: {pair}: more than {ONE_SIDED} {side.value} orders filled within 10 min, again"
        return None

    def off(self, pair: str, side: Side, now: Now) -> bool:
        """Whether this side of the pair rests: until ten minutes have passed or the other side fills."""
        last = self._sides.get(pair)
        if last is None or last[0] is not side or pair not in self._rest_until:
            return False
        # Longer than any rest: it was begun by a clock that was ahead, and has been set back since.
        return 0 < self._rest_until[pair] - now.exchange_ns <= ONE_SIDED_NS

    # --- pace ---

    def crowded(self, now: Now) -> bool:
        """Whether a new order must wait for the minute to pass."""
        return self._orders.count(now.mono_ns) >= ORDERS_A_MINUTE

    def placed(self, now: Now) -> None:
        self._orders.add(now.mono_ns)


def _span(ns: int) -> str:
    return f"{ns // HOUR} h" if ns >= HOUR else f"{ns // MINUTE} min" if ns >= MINUTE else f"{ns // SECOND} s"
