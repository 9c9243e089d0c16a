"""The order book, order by order, from Luno's frames.

A frame is first checked whole, then committed: whatever raises has changed nothing. Its parts apply in the venue's
order: trades, create, delete, status. Prices are ticks and volumes lots (exact ints); see ``levels.py`` for the
structure and why. After an error the book is of no further use: the caller drops it and takes a new snapshot.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from lunomm.errors import BookError, SequenceGap
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.levels import SideLevels
from lunomm.market.rules import MarketStatus, PairRules, Side, to_units


class AppliedTrade(NamedTuple):
    """One fill as the book saw it. maker_side: BID when the taker sold. price: the maker's, ticks. lots: traded."""

    maker_side: Side
    price: int
    lots: int
    maker_id: str
    taker_id: str
    trade_sequence: int | None


class Applied(NamedTuple):
    """What a frame did that the levels do not show: its fills, in the frame's order."""

    sequence: int
    trades: tuple[AppliedTrade, ...]


class Resting(NamedTuple):
    """One order in the book. price: ticks. lots: left."""

    order_id: str
    side: Side
    price: int
    lots: int


class Book:
    """The market of one pair at one sequence. Empty, at sequence 0, until a snapshot is loaded.

    Args:
        rules: scales of the pair, to check that a trade's counter is base x price.
        depth: levels a side in the running sums (``bids.top_lots`` and so on).
    """

    __slots__ = (
        "_counter_scale",
        "_last_trade",
        "_orders",
        "asks",
        "bids",
        "exchange_ns",
        "rules",
        "sequence",
        "status",
    )

    def __init__(self, rules: PairRules, *, depth: int = 10) -> None:
        if depth < 1:
            raise BookError(f"depth must be at least 1, not {depth}", code="BAD_DEPTH")
        self.rules = rules
        self.bids = SideLevels(Side.BID, depth)
        self.asks = SideLevels(Side.ASK, depth)
        self.sequence = 0
        self.status = MarketStatus.DISABLED
        self.exchange_ns = 0
        self._orders: dict[str, tuple[SideLevels, int]] = {}
        self._counter_scale = rules.price_scale + rules.volume_scale
        self._last_trade = 0

    # --- frames ----------------------------------------------------------------------------------------------------

    def load(self, snapshot: BookSnapshot) -> None:
        """Become the snapshot's book.

        Raises:
            BookError: DUPLICATE_ID, BAD_NUMBER, CROSSED. The book is then what it was.
        """
        orders: dict[str, tuple[SideLevels, int]] = {}
        sides: list[list[tuple[str, int, int]]] = []
        for levels, rows in ((self.bids, snapshot.bids), (self.asks, snapshot.asks)):
            sign = levels.sign
            side: list[tuple[str, int, int]] = []
            for order_id, price, lots in rows:
                if lots <= 0 or price <= 0:
                    raise self._error("BAD_NUMBER", f"order {order_id} has price {price}, volume {lots}")
                if order_id in orders:
                    raise self._error("DUPLICATE_ID", f"order {order_id} is in the snapshot twice")
                orders[order_id] = (levels, sign * price)
                side.append((order_id, sign * price, lots))
            sides.append(side)
        if snapshot.bids and snapshot.asks:
            best_bid = max(order.price for order in snapshot.bids)
            best_ask = min(order.price for order in snapshot.asks)
            if best_bid >= best_ask:
                raise self._error("CROSSED", f"the snapshot bids {best_bid} ticks and asks {best_ask}")
        self.bids.fill(sides[0])
        self.asks.fill(sides[1])
        self._orders = orders
        self.sequence = snapshot.sequence
        self.status = snapshot.status
        self.exchange_ns = snapshot.exchange_ns
        self._last_trade = 0

    def apply(self, update: BookUpdate) -> Applied:
        """Apply one frame whole, or raise and change nothing.

        Raises:
            SequenceGap: the frame does not follow this book's sequence.
            BookError: UNKNOWN_MAKER, OVERFILL, DUPLICATE_TRADE, BAD_TRADE_PRICE, DUPLICATE_ID, UNKNOWN_DELETE,
                BAD_NUMBER, CROSSED (bid at or above ask after the frame).
        """
        sequence, trades, create, delete_id, status, exchange_ns = update
        if sequence != self.sequence + 1:
            raise SequenceGap(self.sequence, sequence)
        applied: tuple[AppliedTrade, ...] = ()
        # Half of all frames are one create, half one delete: those two are spelled out, the rest takes the general way.
        if trades or (create is not None and delete_id is not None):
            applied = self._apply_mixed(trades, create, delete_id)
        elif create is not None:
            order_id, side, price, lots = create
            if order_id in self._orders or lots <= 0 or price <= 0:
                self._check_create(create, known=order_id in self._orders)
            levels, other = (self.bids, self.asks) if side is Side.BID else (self.asks, self.bids)
            key = levels.sign * price
            if other.keys and other.keys[-1] >= -key:
                self._check_crossing(create, {})
            levels.add(order_id, key, lots)
            self._orders[order_id] = (levels, key)
        elif delete_id is not None:
            place = self._orders.pop(delete_id, None)
            if place is None:
                raise self._error("UNKNOWN_DELETE", f"order {delete_id} is not in the book")
            levels, key = place
            levels.take(delete_id, key, levels.queues[key][delete_id])
        self.sequence = sequence
        self.exchange_ns = exchange_ns
        if status is not None:
            self.status = status
        return tuple.__new__(Applied, (sequence, applied))

    def _apply_mixed(
        self, trades: tuple[BookTrade, ...], create: BookCreate | None, delete_id: str | None
    ) -> tuple[AppliedTrade, ...]:
        taken, applied = self._check_trades(trades)
        gone = dict(taken)
        if create is not None:
            known = create.order_id in self._orders and not self._used_up(create.order_id, taken)
            self._check_create(create, known=known)
        if delete_id is not None:
            if create is not None and create.order_id == delete_id:
                create, delete_id = None, None
            elif delete_id not in self._orders or self._used_up(delete_id, taken):
                raise self._error("UNKNOWN_DELETE", f"order {delete_id} is not in the book")
            else:
                gone[delete_id] = self._lots(delete_id)
        if create is not None:
            self._check_crossing(create, gone)
        # Every check has passed: from here on nothing may raise.
        orders = self._orders
        for order_id, lots in gone.items():
            levels, key = orders[order_id]
            if levels.take(order_id, key, lots) == 0:
                del orders[order_id]
        if create is not None:
            self._add(create)
        self._last_trade = max(
            (t.trade_sequence for t in applied if t.trade_sequence is not None), default=self._last_trade
        )
        return applied

    def _check_trades(self, trades: tuple[BookTrade, ...]) -> tuple[dict[str, int], tuple[AppliedTrade, ...]]:
        taken: dict[str, int] = {}
        seen: set[int] = set()
        applied: list[AppliedTrade] = []
        for maker_id, taker_id, lots, counter, number in trades:
            place = self._orders.get(maker_id)
            if place is None:
                raise self._error("UNKNOWN_MAKER", f"order {maker_id} is not in the book")
            # One taker meets one maker once: a second row is the same trade repeated.
            if maker_id in taken or (number is not None and (number in seen or number <= self._last_trade)):
                raise self._error("DUPLICATE_TRADE", f"trade {number} of maker {maker_id} was seen before")
            levels, key = place
            if lots <= 0:
                raise self._error("BAD_NUMBER", f"a trade of {lots} lots")
            if lots > levels.queues[key][maker_id]:
                raise self._error("OVERFILL", f"order {maker_id} has less than the {lots} lots traded")
            price = levels.sign * key
            self._check_counter(counter, lots * price)
            taken[maker_id] = lots
            if number is not None:
                seen.add(number)
            applied.append(AppliedTrade(levels.side, price, lots, maker_id, taker_id, number))
        return taken, tuple(applied)

    def _check_counter(self, counter: str, expected: int) -> None:
        try:
            value = to_units(counter, self._counter_scale)
        except BookError as error:
            raise self._error("BAD_TRADE_PRICE", str(error)) from None
        if value != expected:
            raise self._error("BAD_TRADE_PRICE", f"counter {counter} is not base times the maker's price")

    def _check_create(self, create: BookCreate, *, known: bool) -> None:
        if known:
            raise self._error("DUPLICATE_ID", f"order {create.order_id} is already in the book")
        if create.lots <= 0 or create.price <= 0:
            raise self._error("BAD_NUMBER", f"order {create.order_id} has price {create.price}, volume {create.lots}")

    def _check_crossing(self, create: BookCreate, gone: dict[str, int]) -> None:
        """Raise CROSSED when the new order meets what is left of the other side once ``gone`` has left it."""
        other = self.asks if create.side is Side.BID else self.bids
        # In the other side's keys the order crosses every key at or above its own price, negated for bids.
        limit = other.sign * create.price
        for key in reversed(other.keys):
            if key < limit:
                return
            leaving = sum(lots for order_id, lots in gone.items() if self._orders[order_id] == (other, key))
            if leaving < other.lots[key]:
                raise self._error("CROSSED", f"order {create.order_id} at {create.price} crosses {other.sign * key}")

    def _add(self, create: BookCreate) -> None:
        levels = self.bids if create.side is Side.BID else self.asks
        key = levels.sign * create.price
        levels.add(create.order_id, key, create.lots)
        self._orders[create.order_id] = (levels, key)

    def _used_up(self, order_id: str, taken: dict[str, int]) -> bool:
        return order_id in taken and taken[order_id] == self._lots(order_id)

    def _lots(self, order_id: str) -> int:
        levels, key = self._orders[order_id]
        return levels.queues[key][order_id]

    def _error(self, code: str, message: str) -> BookError:
        return BookError(f"{self.rules.pair} at sequence {self.sequence}: {message}", code=code)

    # --- reading ---------------------------------------------------------------------------------------------------

    def best_bid(self) -> int | None:
        """Ticks; ``None`` when no one bids."""
        return self.bids.best()

    def best_ask(self) -> int | None:
        return self.asks.best()

    def side(self, side: Side) -> SideLevels:
        return self.bids if side is Side.BID else self.asks

    def levels(self, side: Side, count: int) -> list[tuple[int, int]]:
        """Up to ``count`` levels as (price ticks, lots), best first."""
        return self.side(side).top(count)

    def orders(self, side: Side) -> list[BookOrder]:
        """Every order of one side, best price first, FIFO inside a price (as a snapshot lists them)."""
        levels = self.side(side)
        sign, queues = levels.sign, levels.queues
        return [BookOrder(i, sign * k, lots) for k in reversed(levels.keys) for i, lots in queues[k].items()]

    def snapshot(self) -> BookSnapshot:
        """The whole book as the venue would send it now."""
        bids, asks = tuple(self.orders(Side.BID)), tuple(self.orders(Side.ASK))
        return BookSnapshot(self.sequence, bids, asks, self.status, self.exchange_ns)

    def order(self, order_id: str) -> Resting | None:
        place = self._orders.get(order_id)
        if place is None:
            return None
        levels, key = place
        return Resting(order_id, levels.side, levels.sign * key, levels.queues[key][order_id])

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    @property
    def order_count(self) -> int:
        return len(self._orders)

    @property
    def level_count(self) -> int:
        return len(self.bids.keys) + len(self.asks.keys)

    def queue_ahead(self, order_id: str, *, without: Collection[str] = ()) -> tuple[int, int] | None:
        """(lots, orders) before this order at its price, not counting ``without``; ``None`` when it is not there."""
        place = self._orders.get(order_id)
        if place is None:
            return None
        levels, key = place
        ahead = count = 0
        for other, lots in levels.queues[key].items():
            if other == order_id:
                break
            if other not in without:
                ahead += lots
                count += 1
        return ahead, count
