"""nautilus_trader's L3 order book. It has no adapter for Luno: this is the shortest its user would write in Python.

``python of_nautilus.py FRAMES [--once]``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import BookOrder, OrderBookDelta
from nautilus_trader.model.enums import BookAction, BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price, Quantity
from serve import Tops, Work, serve, timed

PRICE_SCALE, VOLUME_SCALE = 0, 6
NAME = InstrumentId.from_str("XBTZAR.LUNO")
ADD, UPDATE, DELETE = BookAction.ADD, BookAction.UPDATE, BookAction.DELETE
SIDES = {"BID": OrderSide.BUY, "ASK": OrderSide.SELL}


class Trade(msgspec.Struct):
    base: float
    maker_order_id: str


class Create(msgspec.Struct):
    order_id: str
    type: str
    price: float
    volume: float


class Delete(msgspec.Struct):
    order_id: str


class Update(msgspec.Struct):
    sequence: int
    timestamp: int
    trade_updates: list[Trade] | None
    create_update: Create | None
    delete_update: Delete | None


class Adapter:
    """Luno's frames as the library's deltas; its order ids are numbers, Luno's are text."""

    def __init__(self, snapshot: str) -> None:
        self.book = OrderBook(NAME, BookType.L3_MBO)
        self._orders: dict[str, BookOrder] = {}
        self._numbers = 0
        self._decode = msgspec.json.Decoder(Update, strict=False).decode
        first = msgspec.json.decode(snapshot)
        sequence, ts = int(first["sequence"]), int(first["timestamp"]) * 1_000_000
        for side, rows in (("BID", first["bids"]), ("ASK", first["asks"])):
            for row in rows:
                self._add(row["id"], side, float(row["price"]), float(row["volume"]), sequence, ts)

    def take(self, raw: str) -> None:
        update = self._decode(raw)
        sequence, ts = update.sequence, update.timestamp * 1_000_000
        for trade in update.trade_updates or ():
            order = self._orders[trade.maker_order_id]
            left = order.size.as_double() - trade.base
            if left < 10**-VOLUME_SCALE / 2:
                self._gone(trade.maker_order_id, sequence, ts)
            else:
                order = BookOrder(order.side, order.price, Quantity(left, VOLUME_SCALE), order.order_id)
                self._orders[trade.maker_order_id] = order
                self.book.apply_delta(OrderBookDelta(NAME, UPDATE, order, 0, sequence, ts, ts))
        create = update.create_update
        if create is not None:
            self._add(create.order_id, create.type, create.price, create.volume, sequence, ts)
        if update.delete_update is not None:
            self._gone(update.delete_update.order_id, sequence, ts)

    def top(self) -> tuple[Any, Any]:
        return self.book.best_bid_price(), self.book.best_ask_price()

    def _add(self, name: str, side: str, price: float, volume: float, sequence: int, ts: int) -> None:
        self._numbers += 1
        order = BookOrder(SIDES[side], Price(price, PRICE_SCALE), Quantity(volume, VOLUME_SCALE), self._numbers)
        self._orders[name] = order
        self.book.apply_delta(OrderBookDelta(NAME, ADD, order, 0, sequence, ts, ts))

    def _gone(self, name: str, sequence: int, ts: int) -> None:
        order = self._orders.pop(name)
        self.book.apply_delta(OrderBookDelta(NAME, DELETE, order, 0, sequence, ts, ts))


def main(path: str, *once: str) -> None:
    with Path(path).open() as file:
        frames = [next(file)] if once else file.read().splitlines()
    if once:
        print(*Adapter(frames[0]).top())  # noqa: T201 - the answer
        return

    def prepare() -> Work:
        adapter = Adapter(frames[0])

        def work() -> int:
            for raw in frames[1:]:
                adapter.take(raw)
                adapter.top()
            return len(frames) - 1

        return work

    def tops() -> Tops:
        adapter, seen = Adapter(frames[0]), []
        for raw in frames[1:]:
            adapter.take(raw)
            bid, ask = adapter.top()
            seen.append((bid.as_double(), ask.as_double()))
        return seen

    serve(lambda: timed(prepare), tops)


main(*sys.argv[1:])
