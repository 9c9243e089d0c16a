"""How an admitted order gets into a book, at once or when its stop price is reached, and out again (pure)."""

from __future__ import annotations

from lunomm.luno import wire
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.desk import Desk
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.order_ids import OrderIds
from lunomm.simulator.refusals import refuse
from lunomm.simulator.stops import Stops
from lunomm.simulator.visitor_orders import OrderRequest, VisitorOrder


class Intake:
    """The orders of all visitors on their way in and out."""

    def __init__(self, desk: Desk, ids: OrderIds, engines: dict[str, Matcher], behaviour: Behaviour) -> None:
        self._desk = desk
        self._ids = ids
        self._engines = engines
        self._behaviour = behaviour
        self.stops = Stops()

    def submit(self, now_ms: int, owner: str, request: OrderRequest, *, held: bool = False) -> wire.PostOrderReply:
        """Funds, then the book: a refused order leaves no trace but, if post-only, an empty frame.

        held: the order is taken and then left alone, AWAITING, for ever.

        Raises:
            VenueError: as :meth:`Desk.admit`; ErrOrderCanceled.
        """
        engine = self._engines[request.pair]
        waits = held or bool(request.stop_direction)
        self._desk.admit(owner, request, engine.rules, engine)
        if request.post_only and not waits and self._would_trade(request):
            engine.skip(now_ms)
            raise refuse("ErrOrderCanceled")
        order_id = self._ids.next()
        while order_id in engine.orders or self._desk.knows(order_id):
            order_id = self._ids.next()
        order = self._desk.accept(order_id, owner, request, engine.text, now_ms, waits=waits)
        if held:
            return wire.PostOrderReply(order_id)
        if waits:
            self.stops.wait(order, engine.last_trade)
        else:
            self._enter(now_ms, order)
        self.trigger(now_ms)
        return wire.PostOrderReply(order_id)

    def trigger(self, now_ms: int) -> list[str]:
        """Let the stop orders that are due into their books, and those their trades set off. The markets touched."""
        touched: dict[str, None] = {}
        while (order := self.stops.take()) is not None:
            touched[order.request.pair] = None
            self._desk.working(order, now_ms)
            self._enter(now_ms, order)
        return list(touched)

    def cancel(self, now_ms: int, order: VisitorOrder) -> None:
        """Take a live order of a visitor out; one that waits leaves without a frame."""
        order.expired_ms = now_ms
        if order.status == "AWAITING":
            self.stops.drop(order)
            self._desk.finish(order, now_ms)
        else:
            self._engines[order.request.pair].cancel(now_ms, order.order_id)

    def _enter(self, now_ms: int, order: VisitorOrder) -> None:
        request = order.request
        engine = self._engines[request.pair]
        if request.stop_direction and not self._desk.may_trade(order.owner, request, engine):
            # Nobody is there to be told: the order is cancelled as a post-only one that would trade.
            engine.skip(now_ms)
            self._desk.finish(order, engine.timestamp_ms)
            return
        placed = engine.place(
            now_ms,
            order.owner,
            request.side,
            request.price,
            request.lots,
            tif=request.tif,
            post_only=request.post_only,
            order_id=order.order_id,
        )
        if not placed.resting_lots and order.live:
            self._desk.finish(order, engine.timestamp_ms)

    def _would_trade(self, request: OrderRequest) -> bool:
        return request.price is not None and self._engines[request.pair].would_trade(request.side, request.price)
