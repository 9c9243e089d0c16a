"""Which orders in the book are ours, so that we never price from ourselves.

Orders are told apart by the venue's id. Between sending an order and learning its id, the newest order of that side,
price and volume is taken for ours, and corrected when the id arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lunomm.market.book import Book, Resting
from lunomm.market.events import BookUpdate
from lunomm.market.levels import SideLevels
from lunomm.market.rules import Side
from lunomm.market.trades import FairTouch


class OwnIntent(NamedTuple):
    """One order we have, or may have, in the market. order_id: ``None`` until the venue's is known."""

    intent_id: str
    order_id: str | None
    side: Side
    price_ticks: int
    lots: int


class OwnPlace(NamedTuple):
    """One of our orders as it rests: what is left of it, and the others' lots and orders before it at its price."""

    intent_id: str
    order: Resting
    lots_ahead: int
    orders_ahead: int


class OwnOrders:
    """Our orders in one book.

    ids: order id -> intent id of those resting now. Call `refresh` when the book was replaced, `after` after every
    frame.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._intents: tuple[OwnIntent, ...] = ()
        self._watched: frozenset[str] = frozenset()
        self._unknown: frozenset[tuple[Side, int, int]] = frozenset()
        self._lots: dict[int, int] = {}
        """Key of a level -> lots of ours there; a bid's key is above 0, an ask's below."""
        self.ids: dict[str, str] = {}
        self.version = 0
        """Grows whenever our orders were found afresh."""
        self.stirred = 0
        """Grows whenever one of `places` may be another."""

    @property
    def expected(self) -> bool:
        """Whether any order of the market may be ours."""
        return bool(self._intents)

    def set(self, intents: Sequence[OwnIntent]) -> None:
        """Replace what is known of our orders."""
        self._intents = tuple(intents)
        self._watched = frozenset(intent.order_id for intent in intents if intent.order_id is not None)
        self._unknown = frozenset((i.side, i.price_ticks, i.lots) for i in intents if i.order_id is None)
        self.refresh()

    def after(self, update: BookUpdate) -> bool:
        """Account for one applied frame; ``True`` when it touched an order of ours."""
        if not self._intents:
            return False
        create, ids, left = update.create, self.ids, self._book.left
        # Who comes later stands behind us: only an order that leaves moves ours on.
        if left is None or left in self._lots:
            self.stirred += 1
        touched = (
            update.delete_id in ids
            or (bool(update.trades) and any(trade.maker_id in ids for trade in update.trades))
            or (
                create is not None
                and (
                    create.order_id in self._watched
                    or (bool(self._unknown) and (create.side, create.price, create.lots) in self._unknown)
                )
            )
        )
        if touched:
            self.refresh()
        return touched

    def refresh(self) -> None:
        """Find our orders in the book afresh."""
        book = self._book
        ids: dict[str, str] = {}
        for intent in self._intents:
            if intent.order_id is not None and intent.order_id in book:
                ids[intent.order_id] = intent.intent_id
        for intent in self._intents:
            if intent.order_id is None:
                guess = self._newest(intent, ids)
                if guess is not None:
                    ids[guess] = intent.intent_id
        lots: dict[int, int] = {}
        for order_id in ids:
            order = book.order(order_id)
            assert order is not None
            key = order.side.sign * order.price
            lots[key] = lots.get(key, 0) + order.lots
        self._lots = lots
        self.ids = ids
        self.version += 1
        self.stirred += 1

    def known(self) -> tuple[OwnIntent, ...]:
        """Our orders whose id is known or was guessed, each under its id: what a tape keeps of them."""
        rows = {i.order_id: i for i in self._intents if i.order_id is not None}
        for order_id, intent_id in self.ids.items():
            order = self._book.order(order_id)
            if order is not None:
                rows[order_id] = OwnIntent(intent_id, order_id, order.side, order.price, order.lots)
        return tuple(sorted(rows.values()))

    def _newest(self, intent: OwnIntent, claimed: dict[str, str]) -> str | None:
        queue = self._book.side(intent.side).queues.get(intent.side.sign * intent.price_ticks)
        if queue is None:
            return None
        for order_id in reversed(queue):
            if queue[order_id] == intent.lots and order_id not in claimed:
                return order_id
        return None

    def touch(self) -> FairTouch:
        """Best prices of the others."""
        book = self._book
        if not self.ids:
            return FairTouch(book.bids.best(), book.asks.best())
        return FairTouch(self._best(book.bids), self._best(book.asks))

    def _best(self, levels: SideLevels) -> int | None:
        own, lots = self._lots, levels.lots
        for key in reversed(levels.keys):
            if lots[key] > own.get(key, 0):
                return levels.sign * key
        return None

    def levels(self, side: Side, count: int) -> list[tuple[int, int]]:
        """Up to ``count`` levels of the others as (price ticks, lots), best first."""
        levels = self._book.side(side)
        own = self._lots
        if not own:
            return levels.top(count)
        rows: list[tuple[int, int]] = []
        for key in reversed(levels.keys):
            if len(rows) == count:
                break
            lots = levels.lots[key] - own.get(key, 0)
            if lots:
                rows.append((levels.sign * key, lots))
        return rows

    def fair_lots(self, bid: int, ask: int) -> tuple[int, int]:
        """The others' volume at a bid and an ask level of the book, prices in ticks."""
        book, own = self._book, self._lots
        return book.bids.lots[bid] - own.get(bid, 0), book.asks.lots[-ask] - own.get(-ask, 0)

    def places(self) -> list[OwnPlace]:
        """Every order of ours in the book with its place in the queue."""
        places = []
        for order_id, intent_id in self.ids.items():
            order = self._book.order(order_id)
            ahead = self._book.queue_ahead(order_id, without=self.ids)
            if order is not None and ahead is not None:
                places.append(OwnPlace(intent_id, order, *ahead))
        return places
