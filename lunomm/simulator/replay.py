"""A recorded market re-enacted in the matching engine, so that visitors' orders rest and fill among real ones (pure).

What the recording shows is done again by id: creates, deletes, and each taker order as an immediate-or-cancel order of
its recorded size down to its deepest price. Assumptions, where they bind:

- A visitor who stood before a recorded maker is filled first, and that maker is *still* reduced as recorded: the
  taker is taken to be as much larger as the visitor's order. So the book stays in step with the recording, and a
  visitor's fill is an upper bound: the real taker might not have been larger.
- A maker that a visitor used up stays used up; what the recording later does to it finds nothing, or less.
- A recorded order that meets a visitor's trades with it and rests what is left.
- Nobody of the recording reacts to the visitor.

Until the first visitor changed the market, the recorded frames themselves go out, byte for byte; from then on the
engine's own, the sequence going on from the last one. At the end the market is DISABLED, a second later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from lunomm.errors import UsageError
from lunomm.market.events import BookCreate, BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, Side
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.venue import Venue

END_AFTER_NS = 1_000_000_000
"""From the last recorded frame to the end of trading."""


class Recorded(NamedTuple):
    """One recorded frame: as received, and what it means."""

    raw: str
    event: BookSnapshot | BookUpdate


class Replay:
    """One recording in one market of a venue.

    Args:
        frames: A snapshot first; exchange times never going back.

    Raises:
        UsageError: the recording does not begin with a snapshot.
        BookError: that snapshot contradicts itself.
    """

    def __init__(self, venue: Venue, pair: str, frames: Iterable[Recorded]) -> None:
        self.engine = venue.engine(pair)
        self.ended = False
        self._venue = venue
        self._pair = pair
        self._frames = iter(frames)
        first = next(self._frames, None)
        if first is None or not isinstance(first.event, BookSnapshot):
            raise UsageError("the tape does not begin with a snapshot of the book", code="BAD_TAPE")
        self.engine.load(first.event)
        self.start_ns = first.event.exchange_ns
        self._opening: str | None = first.raw
        self._sequence: int | None = first.event.sequence
        self._recorded = _orders(first.event)
        self._now_ns = first.event.exchange_ns
        self._next = next(self._frames, None)

    @property
    def visited(self) -> bool:
        """Somebody but the recording has changed the market: the engine's own frames are the true ones now."""
        if self._sequence is not None and self.engine.sequence != self._sequence:
            self._sequence = None
        return self._sequence is None

    @property
    def opening_raw(self) -> str | None:
        """The recorded snapshot as received, while it still is the state of the market."""
        return None if self.visited else self._opening

    @property
    def next_ns(self) -> int | None:
        """Exchange time of the next action; None after the end."""
        if self.ended:
            return None
        if self._next is None:
            return self._now_ns + END_AFTER_NS
        return max(self._now_ns, self._next.event.exchange_ns)

    def act(self, now_ns: int) -> None:
        """Perform the action due at ``next_ns``; its frames are queued at the venue.

        Raises:
            ValueError: called before the action is due, or after the end.
        """
        due = self.next_ns
        if due is None or now_ns < due:
            raise ValueError(f"next action is due at {due}, not at {now_ns}")
        self._now_ns = due
        self._opening = None
        frame, now_ms = self._next, due // 1_000_000
        if frame is None:
            self.ended = True
            self.engine.set_status(now_ms, MarketStatus.DISABLED)
            return
        self._next = next(self._frames, None)
        if isinstance(frame.event, BookSnapshot):
            # The recorder had lost its stream here: no frame of its own tells what changed.
            self._sequence = None
            self._reconcile(frame.event, now_ms)
        elif self.visited or frame.event.sequence != self.engine.sequence + 1:
            self._sequence = None
            self._apply(frame.event, now_ms)
        else:
            self._venue.mute(self._pair, True)
            self._apply(frame.event, now_ms)
            self._venue.mute(self._pair, False)
            self._sequence = frame.event.sequence
            self._venue.forward(self._pair, frame.raw, frame.event.sequence, now_ms)

    def repair(self, now_ms: int) -> None:
        """Nobody of the recording puts back what a visitor took."""

    def _apply(self, event: BookUpdate, now_ms: int) -> None:
        engine = self.engine
        if event.trades:
            self._take(event, now_ms)
        if event.create is not None:
            create = event.create
            self._recorded[create.order_id] = create
            if create.order_id not in engine.orders:
                engine.place(now_ms, None, create.side, create.price, create.lots, order_id=create.order_id)
        if event.delete_id is not None:
            self._recorded.pop(event.delete_id, None)
            engine.cancel(now_ms, event.delete_id)
        if event.status is not None:
            engine.set_status(now_ms, event.status)
        if not (event.trades or event.create or event.delete_id or event.status):
            engine.skip(now_ms)

    def _take(self, event: BookUpdate, now_ms: int) -> None:
        """The recorded taker order, then what the recording says its makers have left."""
        engine = self.engine
        taker = event.trades[0].taker_id
        makers = [self._recorded[trade.maker_id] for trade in event.trades if trade.maker_id in self._recorded]
        if makers:
            side = makers[0].side.other
            prices = [maker.price for maker in makers]
            deepest = max(prices) if side is Side.BID else min(prices)
            numbers = [trade.trade_sequence for trade in event.trades if trade.trade_sequence is not None]
            if numbers and self._sequence is not None:
                engine.next_trade = max(engine.next_trade, numbers[0])
            size = sum(trade.lots for trade in event.trades)
            engine.place(now_ms, None, side, deepest, size, tif=TimeInForce.IOC, order_id=self._taker_id(taker))
        for trade in event.trades:
            left = 0
            recorded = self._recorded.pop(trade.maker_id, None)
            if recorded is not None and recorded.lots > trade.lots:
                left = recorded.lots - trade.lots
                self._recorded[trade.maker_id] = replace(recorded, lots=left)
            maker = engine.orders.get(trade.maker_id)
            if maker is not None and maker.lots > left:
                engine.reduce(now_ms, trade.maker_id, maker.lots - left, taker)

    def _taker_id(self, taker: str) -> str:
        return self.engine.new_id() if taker in self.engine.orders else taker

    def _reconcile(self, book: BookSnapshot, now_ms: int) -> None:
        """Make the house's part of the book equal to a later snapshot, as deletes and creates."""
        engine = self.engine
        self._recorded = _orders(book)
        for order in [order for order in engine.orders.values() if order.owner is None]:
            recorded = self._recorded.get(order.order_id)
            if recorded is None or recorded.lots != order.lots:
                engine.cancel(now_ms, order.order_id)
        for side, rows in ((Side.BID, book.bids), (Side.ASK, book.asks)):
            for order_id, price, lots in rows:
                if order_id not in engine.orders:
                    engine.place(now_ms, None, side, price, lots, order_id=order_id)
        engine.set_status(now_ms, book.status)


def _orders(book: BookSnapshot) -> dict[str, BookCreate]:
    """The recording's own view of what rests, by id."""
    return {
        order_id: BookCreate(order_id, side, price, lots)
        for side, rows in ((Side.BID, book.bids), (Side.ASK, book.asks))
        for order_id, price, lots in rows
    }
