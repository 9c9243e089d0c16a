"""Our orders in the queues of a book that does not hold them: who stands before each, by id (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from lunomm.market.book import Book
from lunomm.market.rules import Side
from lunomm.simulator.queues import Resting
from lunomm.tape.bracket import Bracket


class Place:
    """One of our orders where it rests. ahead: ids of the others' orders before it at its price."""

    __slots__ = ("ahead", "bracket", "key", "order")

    def __init__(self, order: Resting, ahead: set[str], bracket: Bracket) -> None:
        self.order = order
        self.ahead = ahead
        self.bracket = bracket
        self.key = order.price * order.side.sign
        """As the book sorts prices: the best is the largest."""


class Places:
    """All of them in one market.

    orders: ours by id. sides: best price first, first in first out inside a price.
    """

    def __init__(self) -> None:
        self.orders: dict[str, Resting] = {}
        self.sides: dict[Side, list[Place]] = {Side.BID: [], Side.ASK: []}
        self._by_id: dict[str, Place] = {}
        self._behind: dict[str, list[Place]] = {}
        """An order of the others -> ours that stand behind it."""

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._by_id.values())

    def get(self, order_id: str) -> Place | None:
        return self._by_id.get(order_id)

    def add(self, order: Resting, ahead: Collection[str], bracket: Bracket) -> None:
        """An order of ours comes to rest behind those ``ahead``, and behind ours at its price."""
        place = Place(order, set(ahead), bracket)
        self.orders[order.order_id] = order
        self._by_id[order.order_id] = place
        self._watch(place)
        own = self.sides[order.side]
        index = len(own)
        while index and own[index - 1].key < place.key:
            index -= 1
        own.insert(index, place)

    def remove(self, place: Place) -> None:
        """An order of ours leaves."""
        order = place.order
        del self.orders[order.order_id], self._by_id[order.order_id]
        self.sides[order.side].remove(place)
        for order_id in place.ahead:
            behind = self._behind[order_id]
            behind.remove(place)
            if not behind:
                del self._behind[order_id]

    def left(self, order_id: str) -> None:
        """An order of the others has left: who stood behind it moves up."""
        for place in self._behind.pop(order_id, ()):
            place.ahead.discard(order_id)

    def find_again(self, book: Book) -> None:
        """After a book was replaced: who is not in it has left, and who is new in it stands behind us."""
        self._behind = {}
        for place in self._by_id.values():
            place.ahead.intersection_update(queue_of(book, place.order))
            self._watch(place)

    def _watch(self, place: Place) -> None:
        for order_id in place.ahead:
            self._behind.setdefault(order_id, []).append(place)


def queue_of(book: Book, order: Resting) -> dict[str, int]:
    """The others at an order's price, first in first out: id -> lots."""
    return book.side(order.side).queues.get(order.price * order.side.sign, {})


class Maker(NamedTuple):
    """Somebody a taker of ours meets. lots: what it can take of him; place: None for the others'."""

    order_id: str
    price: int
    lots: int
    place: Place | None


def makers(book: Book, places: Places, took: Mapping[str, int], side: Side, limit: int | None) -> Iterator[Maker]:
    """Whom a taker meets on ``side`` down to its limit (ticks; None: any price), in turn.

    Read it before anything trades. took: lots of an order of the others that have traded with us before.
    """
    levels, own = book.side(side), places.sides[side]
    least = None if limit is None else limit * side.sign
    for key, _ in groupby(merge(reversed(levels.keys), (place.key for place in own), reverse=True)):
        if least is not None and key < least:
            return
        mine = [place for place in own if place.key == key]
        for order_id, lots, place in _in_turn(levels.queues.get(key, {}), mine):
            left = lots if place is not None else lots - took.get(order_id, 0)
            if left > 0:
                yield Maker(order_id, key * side.sign, left, place)


def _in_turn(queue: dict[str, int], own: Iterable[Place]) -> Iterator[tuple[str, int, Place | None]]:
    """Everybody at one price in the order a taker meets them: (id, lots, place of ours or None).

    An order of ours comes after as many of the others as stand before it: they are the oldest there.
    """
    mine = list(own)
    for position, (order_id, lots) in enumerate(queue.items()):
        while mine and len(mine[0].ahead) <= position:
            place = mine.pop(0)
            yield place.order.order_id, place.order.lots, place
        yield order_id, lots, None
    for place in mine:
        yield place.order.order_id, place.order.lots, place
