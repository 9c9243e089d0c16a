"""One side of a book: a first-in-first-out queue at each price, best price at hand (pure)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from lunomm.market.rules import Side


class Resting:
    """An order in the book. price: ticks; lots: left (> 0)."""

    __slots__ = ("lots", "order_id", "owner", "price", "side")

    def __init__(self, order_id: str, side: Side, price: int, lots: int, owner: str | None) -> None:
        self.order_id = order_id
        self.side = side
        self.price = price
        self.lots = lots
        self.owner = owner

    def __repr__(self) -> str:
        return f"Resting({self.order_id}, {self.side.value}, {self.price} x {self.lots}, {self.owner})"


class Half:
    """One side of the book: queues by price key, keys ascending with the best at the end (asks negated)."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, dict[str, Resting]] = {}

    def add(self, order: Resting) -> None:
        key = order.price * self.sign
        level = self.levels.get(key)
        if level is None:
            self.levels[key] = {order.order_id: order}
            insort(self.keys, key)
        else:
            level[order.order_id] = order

    def remove(self, order: Resting) -> None:
        key = order.price * self.sign
        level = self.levels[key]
        del level[order.order_id]
        if not level:
            del self.levels[key]
            if self.keys[-1] == key:
                self.keys.pop()
            else:
                del self.keys[bisect_left(self.keys, key)]

    def best(self) -> int | None:
        return self.keys[-1] * self.sign if self.keys else None

    def orders(self) -> Iterator[Resting]:
        """Best first, FIFO inside a price."""
        for key in reversed(self.keys):
            yield from self.levels[key].values()
