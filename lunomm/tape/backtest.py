"""A tape through the whole of what trades: the book's observer, and lanes of quoter, gateway and paper venue (pure).

One time-line, ours: a frame is here when its recorder received it, or no sooner than one way after the exchange's own
time. Within it the venue's clock decides which frames an order stands behind (`tape.counterparty`). No wall clock, no
threads, no dictionary order: the same tape and options give the same actions to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from lunomm.errors import MarketDataError
from lunomm.market.book import Applied, Book
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.frame_lag import FrameLag
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.records import BookState, GridRow, Level, OwnOrder, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.market.trades import FairTouch
from lunomm.tape.attribution import MarketPath
from lunomm.tape.decoded import Frame, Item
from lunomm.tape.lane import Lane
from lunomm.tape.reader import TapeOwn
from lunomm.tape.script import Script
from lunomm.tape.without_own import WithoutOwn

MS: Final = 1_000_000

Feed = Callable[[BookSnapshot | BookUpdate, Applied | None], object]


class Void(NamedTuple):
    """What was without a book: from a loss, a gap or a contradiction to the next snapshot.

    times: how often. frames: that could not be applied. ns: of our time, to the tape's end where no snapshot came.
    """

    times: int
    frames: int
    ns: int


class Market(Protocol):
    """Who watches the market: the observer, or what it made of the tape in a pass before."""

    @property
    def book(self) -> Book: ...
    @property
    def touch(self) -> FairTouch: ...
    @property
    def state(self) -> BookState: ...
    def on_snapshot(self, snapshot: BookSnapshot, now: Now) -> None: ...
    def on_update(self, update: BookUpdate, now: Now) -> Applied: ...
    def on_lost(self, now: Now, why: str = ...) -> None: ...
    def set_own(self, own: Sequence[OwnIntent]) -> None: ...
    def finish(self) -> None: ...
    def drain(self) -> list[TakerOrder | GridRow]: ...
    def tick(
        self, now: Now, *, beat: int, wall_ms: float, stream_age_ms: float | None, lag_ms: float | None
    ) -> Tick: ...


class Backtest:
    """One pair.

    Args:
        back_ns: the way of the market's messages to us, where the tape does not say when they arrived.
        own: ids of our own orders in the recording; the lanes' venue must not know them.
    """

    def __init__(self, rules: PairRules, observer: Market, back_ns: int, own: frozenset[str] = frozenset()) -> None:
        self.rules, self.observer = rules, observer
        self._without = WithoutOwn(rules, own) if own else None
        self.book = observer.book if self._without is None else self._without.book
        """The market that the lanes' venue reads."""
        self.path = MarketPath(rules)
        """The others' best prices by the exchange's clock."""
        self.frames = self.gaps = 0
        self.takers: list[TakerOrder] = []
        self.rows: list[GridRow] = []
        self.now_ns = 0
        self.exchange_ns = 0
        self._back_ns = back_ns
        self._lanes: list[tuple[Lane, Feed, Callable[[], None]]] = []
        self._beat = self._count = 0
        self._noting: tuple[Script, Observer] | None = None
        self._learned = 0
        self._lag = FrameLag()
        self._left_out = self._void_ns = 0
        self._void_since_ns: int | None = None
        self._state = observer.state
        self._touch = observer.touch
        self.fair_before: dict[int, float] = {}
        """Fair mid just before the first frame, of each of the exchange's milliseconds, that had trades or an order
        that came to rest across one of a lane."""
        self.first_mid: float | None = None
        self.last_mid: float | None = None
        self.begin: Callable[[int], None] | None = None
        """Is called with our time of the first frame that the book has, not before ``begin_ns``."""
        self.begin_ns = 0

    def add(self, lane: Lane, feed: Feed, lost: Callable[[], None]) -> None:
        """Let a lane take part. feed: its venue's ear for the market's frames; lost: for the loss of the stream."""
        self._lanes.append((lane, feed, lost))

    @property
    def void(self) -> Void:
        """What there was no book for, so far."""
        since = self._void_since_ns
        return Void(self.gaps, self._left_out, self._void_ns + (0 if since is None else self.now_ns - since))

    @property
    def lanes(self) -> list[Lane]:
        return [lane for lane, _, _ in self._lanes]

    # --- the tape -----------------------------------------------------------------------------------------------------

    def take(self, item: Item) -> None:
        """Whatever comes next on the tape."""
        if isinstance(item, Frame):
            self.frame(item.recv_ns, item.event)
        elif isinstance(item, TapeOwn):
            self.own(item.recv_ns, item.own)
        else:
            self.lost(item.recv_ns, item.why)

    def frame(self, recv_ns: int, event: BookSnapshot | BookUpdate) -> None:
        """One frame of the market."""
        at_ns, snapshot = event.exchange_ns, isinstance(event, BookSnapshot)
        now_ns = max(recv_ns, at_ns + self._back_ns, self.now_ns)
        for lane, _, _ in self._lanes:
            if lane.next_ns < now_ns:
                lane.run_before(now_ns)
            arrival = lane.venue.next_arrival_ns
            if arrival is not None and arrival // MS < at_ns // MS:
                lane.arrive_before(at_ns, now_ns)
            if not snapshot:
                lane.venue.behind_ns = now_ns - at_ns
        self.now_ns = now_ns
        self._lag.seen((now_ns - at_ns) / MS, now_ns, snapshot=snapshot)
        observer, before = self.observer, self._touch
        self._count += 1
        try:
            applied = None
            if isinstance(event, BookSnapshot):
                observer.on_snapshot(event, Now(now_ns, now_ns))
            else:
                applied = observer.on_update(event, Now(now_ns, now_ns))
        except MarketDataError as error:
            self._left_out += 1
            if error.code != "NO_SNAPSHOT":
                self._lose(now_ns)
            return
        if self.begin is not None and now_ns >= self.begin_ns:
            begin, self.begin = self.begin, None
            begin(now_ns)
            if not snapshot:
                # Who comes in the middle is shown the book as it stands.
                for _, feed, _ in self._lanes:
                    feed(self.book.snapshot(), None)
        self.frames += 1
        self.exchange_ns = max(self.exchange_ns, at_ns)
        traded = applied is not None and bool(applied.trades)
        if self._without is None:
            for lane, feed, _ in self._lanes:
                feed(event, applied)
                if lane.venue.waiting:
                    traded = True
                    lane.hear(now_ns)
        else:
            told = self._feed_without(event, applied, now_ns)
            if told is None:
                return
            traded = traded or told
        if traded:
            mid = before.mid(self.rules)
            if mid is not None:
                # The first of a millisecond is the one before all of it.
                self.fair_before.setdefault(at_ns // MS, mid)
            self._collect()
        if observer.touch != before or observer.state is not self._state:
            self._moved(now_ns)
        if self._noting is not None and self._noting[1].rows_seen != self._learned:
            self._learn(now_ns)

    def own(self, recv_ns: int, own: Sequence[OwnIntent]) -> None:
        """From here on these are our own recorded orders."""
        self._pass(recv_ns)
        self.observer.set_own(own)
        if self.observer.touch != self._touch:
            self._moved(self.now_ns)

    def lost(self, recv_ns: int, why: str) -> None:
        """The recorder lost the stream."""
        self._pass(recv_ns)
        self._count += 1
        self.observer.on_lost(Now(self.now_ns, self.now_ns), why)
        self._lose(self.now_ns)

    def finish(self) -> None:
        """The tape is over: every lane is taken down as at the end of a session."""
        self.path.end(self.exchange_ns)
        for lane, _, _ in self._lanes:
            lane.run_before(self.now_ns + 1)
            lane.stop(self.now_ns + 1)
        self.observer.finish()
        self._collect()
        if self._noting is not None:
            script = self._noting[0]
            script.takers, script.rows = self.takers, self.rows

    def note(self, observer: Observer) -> Script:
        """Keep what the observer makes of the tape, for other passes over it. To be called before the first frame."""
        script = Script()
        self._noting = (script, observer)
        return script

    def look(self, now: Now) -> Tick:
        """The market's picture for a lane."""
        self._beat += 1
        # As of the last frame: what is estimated must not depend on when somebody looks.
        seen = Now(self.now_ns, self.now_ns)
        return self.observer.tick(
            seen,
            beat=self._beat,
            wall_ms=now.exchange_ns / MS,
            stream_age_ms=None,
            lag_ms=self._lag.ms(now.exchange_ns),
        )

    # --- inside -------------------------------------------------------------------------------------------------------

    def _feed_without(self, event: BookSnapshot | BookUpdate, applied: Applied | None, now_ns: int) -> bool | None:
        """The lanes' venue sees the market without our orders of then; whether it has anything to say to a lane.

        None where that is no book.
        """
        assert self._without is not None
        told = False
        try:
            for taken in self._without.take(event, applied, self.observer.book):
                for lane, feed, _ in self._lanes:
                    feed(taken.event, taken.applied)
                    told |= lane.venue.waiting
                    lane.hear(now_ns)
        except MarketDataError as error:
            self.observer.on_lost(Now(now_ns, now_ns), str(error))
            self._lose(now_ns)
            return None
        return told

    def _learn(self, now_ns: int) -> None:
        assert self._noting is not None
        script, observer = self._noting
        self._learned = observer.rows_seen
        script.learn(self._count, observer.estimates(Now(now_ns, now_ns)))

    def _pass(self, recv_ns: int) -> None:
        now_ns = max(recv_ns, self.now_ns)
        for lane, _, _ in self._lanes:
            lane.run_before(now_ns)
        self.now_ns = now_ns

    def _moved(self, now_ns: int) -> None:
        """The touch or the state is another: lanes that care look."""
        touch, state = self.observer.touch, self.observer.state
        if self._noting is not None:
            self._noting[0].note(self._count, touch, state)
        changed, self._state, self._touch = state is not self._state, state, touch
        if state is BookState.RESYNC or state is BookState.CROSSED:
            self.path.lose(max(self.exchange_ns, self.path.end_ns or 0))
        else:
            if self._void_since_ns is not None:
                self._void_ns += now_ns - self._void_since_ns
                self._void_since_ns = None
            self.path.add(self.exchange_ns, touch.bid, touch.ask)
        mid = touch.mid(self.rules)
        if mid is not None:
            self.last_mid = mid
            self.first_mid = mid if self.first_mid is None else self.first_mid
        for lane, _, _ in self._lanes:
            if changed or mid is None:
                lane.stir(now_ns)
            else:
                lane.heed(mid, now_ns)
        self._collect()

    def _lose(self, now_ns: int) -> None:
        self.gaps += 1
        if self._void_since_ns is None:
            self._void_since_ns = now_ns
        for _, _, lost in self._lanes:
            lost()
        self._moved(now_ns)

    def _collect(self) -> None:
        for record in self.observer.drain():
            if isinstance(record, TakerOrder):
                self.takers.append(record)
            else:
                self.rows.append(record)


def with_own(tick: Tick, own: list[OwnOrder]) -> None:
    """Show a lane's orders in the picture as a venue that holds them would: in their list, and in the ladder."""
    tick.own = own
    for side in {order.side for order in own}:
        ladder = tick.bids if side is Side.BID else tick.asks
        ours: dict[Decimal, Decimal] = {}
        for order in own:
            if order.side is side:
                ours[order.price] = ours.get(order.price, Decimal(0)) + order.volume
        rows = {level.price: level.volume for level in ladder}
        for price, volume in ours.items():
            rows[price] = rows.get(price, Decimal(0)) + volume
        best = sorted(rows, reverse=side is Side.BID)[: max(len(ladder), 1)]
        levels = [Level(price, rows[price]) for price in best]
        if side is Side.BID:
            tick.bids = levels
        else:
            tick.asks = levels
