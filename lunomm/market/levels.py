"""One side of the order book: price levels with FIFO queues and running sums over the best few.

Fast in plain Python for three reasons. Prices are signed keys (asks negated), so that both sides run the same code with
the best key at the END of one sorted list: nearly every change is near the best price, and moves a few machine words at
the tail. Volumes are whole lots, so sums are exact and "this level is empty" is ``== 0``. The sums over the ``depth``
best levels are kept by differences, so VAMP and imbalance are two divisions, not ten levels.
Rejected: a heap with lazy deletion (best price 40 times slower once the top churns), a tree (slower at 1,700 levels),
Decimal keys (twice the time).
"""

from __future__ import annotations

from bisect import bisect_left

from lunomm.market.rules import Side

_LOWEST = -(1 << 62)
"""Below any key: the edge of the window while there are fewer than ``depth`` levels."""


class SideLevels:
    """The orders of one side by price.

    keys: sorted signed prices, best last (price = sign x key). lots: key -> volume resting there, lots.
    queues: key -> order id -> lots left, oldest first. top_lots, top_notional: sums of lots and of key x lots over the
    ``depth`` best levels. revision: grows by one whenever one of those levels changes. changed: key of
    the level that did last (after `fill` it says nothing, and revision has grown by two). touches: grows whenever the
    best price or the volume there changes.
    """

    __slots__ = (
        "_edge",
        "changed",
        "depth",
        "keys",
        "lots",
        "queues",
        "revision",
        "side",
        "sign",
        "top_lots",
        "top_notional",
        "touches",
    )

    def __init__(self, side: Side, depth: int) -> None:
        self.side = side
        self.sign = side.sign
        self.depth = depth
        self.keys: list[int] = []
        self.lots: dict[int, int] = {}
        self.queues: dict[int, dict[str, int]] = {}
        self.top_lots = 0
        self.top_notional = 0
        self.revision = 0
        self.changed = 0
        self.touches = 0
        self._edge = _LOWEST

    def fill(self, orders: list[tuple[str, int, int]]) -> None:
        """Load a whole side at once: (order id, key, lots), FIFO inside a price. Replaces what was there."""
        queues: dict[int, dict[str, int]] = {}
        lots: dict[int, int] = {}
        for order_id, key, volume in orders:
            queue = queues.get(key)
            if queue is None:
                queues[key] = {order_id: volume}
                lots[key] = volume
            else:
                queue[order_id] = volume
                lots[key] += volume
        self.queues = queues
        self.lots = lots
        self.keys = sorted(queues)
        top = self.keys[-self.depth :]
        self.top_lots = sum(lots[key] for key in top)
        self.top_notional = sum(key * lots[key] for key in top)
        self._edge = top[0] if len(top) == self.depth else _LOWEST
        self.revision += 2
        self.touches += 1

    def add(self, order_id: str, key: int, volume: int) -> None:
        """A new order at the end of its price's queue."""
        have = self.lots.get(key)
        if have is not None:
            self.lots[key] = have + volume
            self.queues[key][order_id] = volume
            if key >= self._edge:
                self.top_lots += volume
                self.top_notional += key * volume
                self.revision += 1
                self.changed = key
                if key == self.keys[-1]:
                    self.touches += 1
            return
        self.lots[key] = volume
        self.queues[key] = {order_id: volume}
        keys = self.keys
        keys.insert(bisect_left(keys, key), key)
        if key > self._edge:
            self.top_lots += volume
            self.top_notional += key * volume
            self.revision += 1
            self.changed = key
            if key == keys[-1]:
                self.touches += 1
            if len(keys) > self.depth:
                evicted = keys[-self.depth - 1]
                gone = self.lots[evicted]
                self.top_lots -= gone
                self.top_notional -= evicted * gone
            if len(keys) >= self.depth:
                self._edge = keys[-self.depth]

    def take(self, order_id: str, key: int, volume: int) -> int:
        """Take ``volume`` lots off an order, keeping its place; the order leaves at zero. Returns what it has left."""
        queue = self.queues[key]
        left = queue[order_id] - volume
        if left:
            queue[order_id] = left
        else:
            del queue[order_id]
        rest = self.lots[key] - volume
        keys = self.keys
        inside = key >= self._edge
        if inside:
            self.top_lots -= volume
            self.top_notional -= key * volume
            self.revision += 1
            self.changed = key
            if key == keys[-1]:
                self.touches += 1
        if rest:
            self.lots[key] = rest
            return left
        del self.lots[key]
        del self.queues[key]
        del keys[bisect_left(keys, key)]
        if inside:
            if len(keys) >= self.depth:
                entering = keys[-self.depth]
                volume_in = self.lots[entering]
                self.top_lots += volume_in
                self.top_notional += entering * volume_in
                self._edge = entering
            else:
                self._edge = _LOWEST
        return left

    def best(self) -> int | None:
        """Best price, ticks; ``None`` when the side is empty."""
        return self.sign * self.keys[-1] if self.keys else None

    def top(self, count: int) -> list[tuple[int, int]]:
        """Up to ``count`` levels as (price ticks, lots), best first."""
        sign, lots = self.sign, self.lots
        return [(sign * key, lots[key]) for key in reversed(self.keys[-count:] if count > 0 else [])]
