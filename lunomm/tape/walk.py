"""A tape walked through the book, strictly: what applies, what does not and why, what is known when.

The book is void from a loss, a gap or a contradiction to the next snapshot, as it was for the process that recorded;
nothing is ever applied to a void book. Each trouble is named once, at the frame where it shows.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from lunomm.errors import BookError, SequenceGap, UsageError
from lunomm.market.book import Applied, Book
from lunomm.market.events import BookSnapshot
from lunomm.market.own import OwnOrders
from lunomm.market.rules import PairRules
from lunomm.tape.market_path import MarketPath
from lunomm.tape.reader import Tape, TapeFrame, TapeLost, TapeOwn

MAX_TROUBLES: Final = 1000
"""Kept with their words; all are counted."""


class Kind(enum.StrEnum):
    """What can be wrong with a tape whose lines are all readable."""

    LOST = "LOST"  # said by the recorder: the stream was away
    GAP = "GAP"  # frames are missing, and nothing says so
    CROSSED = "CROSSED"  # a bid at or above an ask
    CONTRADICTION = "CONTRADICTION"  # a frame that this book cannot have had
    CLOCK = "CLOCK"  # a time before the one before


class Trouble(NamedTuple):
    """at_ns: time of receipt, Unix ns. sequence: the book's at that moment, None while there was none."""

    kind: Kind
    at_ns: int
    sequence: int | None
    text: str


class Step(NamedTuple):
    """One item of the tape and what it did.

    applied: of an update that was applied. fresh: a snapshot was loaded. repeated: a snapshot that says what the book
    says already (files of one recording joined). Neither, for a frame: it was not applied, because the book is void.
    """

    item: TapeFrame | TapeOwn | TapeLost
    applied: Applied | None
    fresh: bool
    troubles: tuple[Trouble, ...]
    repeated: bool = False


class Walk:
    """Iterate once, from the first item to the last; or hand over the items one by one (`take`).

    Attributes:
        book: as of the last step. void: nothing is known of the market. skipped: frames that met a void book.
        missing: frames that were never recorded, as far as sequences tell. counts, troubles: of all so far.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.book = Book(tape.rules)
        self.void = True
        self.skipped = 0
        self.missing = 0
        self.counts: Counter[Kind] = Counter()
        self.troubles: list[Trouble] = []
        self._recv_ns = 0
        self._exchange_ns = 0

    def __iter__(self) -> Iterator[Step]:
        return map(self.take, self.tape)

    def take(self, item: TapeFrame | TapeOwn | TapeLost) -> Step:
        """The next item of the tape."""
        found: list[Trouble] = []
        self._clock(item, found)
        applied, fresh, repeated = None, False, False
        if isinstance(item, TapeLost):
            if not self.void:
                found.append(self._trouble(Kind.LOST, item.recv_ns, item.why))
            self.void = True
        elif isinstance(item, TapeFrame):
            applied, fresh, repeated = self._frame(item, found)
        for trouble in found:
            self.counts[trouble.kind] += 1
        self.troubles += found[: MAX_TROUBLES - len(self.troubles)]
        return Step(item, applied, fresh, tuple(found), repeated)

    def _clock(self, item: TapeFrame | TapeOwn | TapeLost, found: list[Trouble]) -> None:
        if item.recv_ns < self._recv_ns:
            back = (self._recv_ns - item.recv_ns) / 1e9
            found.append(self._trouble(Kind.CLOCK, item.recv_ns, f"received {back:.3f} s before the line before it"))
        self._recv_ns = item.recv_ns
        if isinstance(item, TapeFrame) and isinstance(item.event, BookSnapshot):
            self._exchange_ns = item.event.exchange_ns
        elif isinstance(item, TapeFrame):
            if item.event.exchange_ns < self._exchange_ns:
                back = (self._exchange_ns - item.event.exchange_ns) / 1e9
                text = f"the exchange's own time goes back by {back:.3f} s"
                found.append(self._trouble(Kind.CLOCK, item.recv_ns, text))
            self._exchange_ns = item.event.exchange_ns

    def _frame(self, item: TapeFrame, found: list[Trouble]) -> tuple[Applied | None, bool, bool]:
        event, book = item.event, self.book
        if isinstance(event, BookSnapshot):
            return None, *self._snapshot(item, event, found)
        if self.void:
            self.skipped += 1
            return None, False, False
        try:
            return book.apply(event), False, False
        except SequenceGap as gap:
            self.missing += max(gap.got - gap.have - 1, 0)
            found.append(self._trouble(Kind.GAP, item.recv_ns, f"after {gap.have} comes {gap.got}"))
        except BookError as error:
            found.append(self._contradiction(item, error))
        self.void = True
        self.skipped += 1
        return None, False, False

    def _snapshot(self, item: TapeFrame, event: BookSnapshot, found: list[Trouble]) -> tuple[bool, bool]:
        last = self.book.sequence
        if last and not self.void and event.sequence == last and same_book(event, self.book):
            return False, True
        if last and not self.void:
            found.append(self._trouble(Kind.GAP, item.recv_ns, f"after {last} comes a snapshot at {event.sequence}"))
        if last:
            self.missing += max(event.sequence - last, 0)
        try:
            self.book.load(event)
        except BookError as error:
            found.append(self._contradiction(item, error))
            self.void = True
            self.skipped += 1
            return False, False
        self.void = False
        return True, False

    def _contradiction(self, item: TapeFrame, error: BookError) -> Trouble:
        kind = Kind.CROSSED if error.code == "CROSSED" else Kind.CONTRADICTION
        return self._trouble(kind, item.recv_ns, f"frame {item.event.sequence}: {error}"[:200])

    def _trouble(self, kind: Kind, at_ns: int, text: str) -> Trouble:
        return Trouble(kind, at_ns, self.book.sequence or None, text)


def same_book(snapshot: BookSnapshot, book: Book) -> bool:
    """Whether a snapshot has the very orders of a book, in their order."""
    mine = book.snapshot()
    return (snapshot.bids, snapshot.asks, snapshot.status) == (mine.bids, mine.asks, mine.status)


@dataclass(slots=True)
class Facts:
    """What is on a tape. Times in Unix ns: received, or (exchange_...) the frames' own. lots, ticks: the rules'."""

    snapshots: int = 0
    updates: int = 0
    own_changes: int = 0
    fills: int = 0
    takers: int = 0
    traded_lots: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None
    exchange_started_ns: int | None = None
    exchange_ended_ns: int | None = None
    longest_silence_ns: int = 0
    known_ns: int = 0
    first_mid: float | None = None
    last_mid: float | None = None
    orders: int = 0
    levels: int = 0
    _taker: str = field(default="", repr=False)
    _known_since: int | None = field(default=None, repr=False)
    _last_frame: int | None = field(default=None, repr=False)

    def see(self, step: Step, walk: Walk) -> None:
        """Count one step of the walk."""
        item = step.item
        if isinstance(item, TapeFrame):
            self._see_frame(item, step)
        elif isinstance(item, TapeOwn):
            self.own_changes += 1
        if walk.void:
            self.known_ns += 0 if self._known_since is None else max(item.recv_ns - self._known_since, 0)
            self._known_since = None
        elif self._known_since is None:
            self._known_since = item.recv_ns
        if not walk.void:
            bid, ask = walk.book.best_bid(), walk.book.best_ask()
            if bid is not None and ask is not None:
                self.last_mid = walk.book.rules.price_float((bid + ask) / 2)
                self.first_mid = self.last_mid if self.first_mid is None else self.first_mid

    def _see_frame(self, item: TapeFrame, step: Step) -> None:
        event = item.event
        if self._last_frame is not None:
            self.longest_silence_ns = max(self.longest_silence_ns, item.recv_ns - self._last_frame)
        self._last_frame = item.recv_ns
        if isinstance(event, BookSnapshot):
            self.snapshots += 1
        else:
            self.updates += 1
        self.first_sequence = event.sequence if self.first_sequence is None else self.first_sequence
        self.last_sequence = event.sequence
        self.exchange_started_ns = event.exchange_ns if self.exchange_started_ns is None else self.exchange_started_ns
        self.exchange_ended_ns = event.exchange_ns
        for trade in step.applied.trades if step.applied is not None else ():
            self.fills += 1
            self.takers += trade.taker_id != self._taker
            self._taker = trade.taker_id
            self.traded_lots += trade.lots

    def end(self, walk: Walk) -> None:
        """After the last step."""
        if self._known_since is not None and self._last_frame is not None:
            self.known_ns += max(self._last_frame - self._known_since, 0)
            self._known_since = None
        self.orders, self.levels = walk.book.order_count, walk.book.level_count


def survey(tape: Tape) -> tuple[Facts, Walk]:
    """Walk a whole tape."""
    walk, facts = Walk(tape), Facts()
    for step in walk:
        facts.see(step, walk)
    facts.end(walk)
    return facts, walk


def market_path(tapes: Sequence[Tape], rules: PairRules) -> MarketPath:
    """The best prices of the others over tapes of one market, by the exchange's own time.

    Args:
        tapes: in any order.

    Raises:
        UsageError: code TAPE_PAIR, TAPE_OVERLAP.
    """
    path = MarketPath(rules)
    for tape in in_order(tapes):
        if tape.rules.grid[:2] != rules.grid[:2]:
            raise UsageError(f"{tape.path} has other price or volume steps than {rules.pair} now", code="TAPE_PAIR")
        _extend(path, tape)
    return path


def in_order(tapes: Sequence[Tape]) -> list[Tape]:
    """Tapes of one pair by time.

    Raises:
        UsageError: code TAPE_PAIR (several pairs), TAPE_OVERLAP (two of them at the same time).
    """
    ordered = sorted(tapes, key=lambda tape: (tape.started_ns, tape.ended_ns, tape.path))
    for before, after in pairwise(ordered):
        if before.pair != after.pair:
            raise UsageError(
                f"{before.path} is a tape of {before.pair}, {after.path} of {after.pair}: give one market's",
                code="TAPE_PAIR",
            )
        if after.started_ns < before.ended_ns:
            both = (min(before.ended_ns, after.ended_ns) - after.started_ns) / 1e9
            raise UsageError(
                f"{before.path} and {after.path} overlap by {both:.3f} s. Give one of them, or cut it first",
                code="TAPE_OVERLAP",
            )
    return ordered


def _extend(path: MarketPath, tape: Tape) -> None:
    walk = Walk(tape)
    own = OwnOrders(walk.book)
    latest = path.end_ns or 0
    for step in walk:
        item = step.item
        if isinstance(item, TapeFrame):
            latest = max(latest, item.event.exchange_ns)
        if walk.void:
            if path.start_ns is not None:
                path.lose(max(latest, item.recv_ns) if isinstance(item, TapeLost) else latest)
                latest = path.end_ns or latest
            continue
        if isinstance(item, TapeOwn):
            own.set(item.own)
        elif step.fresh:
            own.refresh()
        elif isinstance(item, TapeFrame) and not isinstance(item.event, BookSnapshot):
            own.after(item.event)
        touch = own.touch()
        path.add(latest, touch.bid, touch.ask)
    path.end(max(latest, tape.ended_ns))
    # Between two files nothing is known, unless the next one goes on where this one ended: then it is an instant.
    path.lose((path.end_ns or latest) + 1)
