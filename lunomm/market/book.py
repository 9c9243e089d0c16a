"""The order book, order by order, from Luno's frames.

A frame is first checked whole, then committed: whatever raises has changed nothing. Its parts apply in the venue's
order: trades, create, delete, status. Prices are ticks and volumes lots (exact ints); see ``levels.py`` for the
structure and why. After an error the book is of no further use: the caller drops it and takes a new snapshot.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

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

    trades: tuple[AppliedTrade, ...]


_NOTHING: Final = Applied(())
_BID: Final = Side.BID


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

    places: order id -> key of its level, of every order: a bid's is above 0, an ask's below. To be looked at only.
    left: key of the level that an order left with the last frame; 0 when none did, ``None`` when several may have.
    """

    __slots__ = (
        "_counter_scale",
        "_last_trade",
        "asks",
        "bids",
        "exchange_ns",
        "left",
        "places",
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
        self.places: dict[str, int] = {}
        self._counter_scale = rules.price_scale + rules.volume_scale
        self._last_trade = 0
        self.left: int | None = None

    # --- frames ----------------------------------------------------------------------------------------------------

    def load(self, snapshot: BookSnapshot) -> None:
        """Become the snapshot's book.

        Raises:
            BookError: DUPLICATE_ID, BAD_NUMBER, CROSSED. The book is then what it was.
        """
        orders: dict[str, int] = {}
        sides: list[list[tuple[str, int, int]]] = []
        for levels, rows in ((self.bids, snapshot.bids), (self.asks, snapshot.asks)):
            sign = levels.sign
            side: list[tuple[str, int, int]] = []
            for order_id, price, lots in rows:
                if lots <= 0 or price <= 0:
                    raise self._error("BAD_NUMBER", f"order {order_id} has price {price}, volume {lots}")
                if order_id in orders:
                    raise self._error("DUPLICATE_ID", f"order {order_id} is in the snapshot twice")
                orders[order_id] = sign * price
                side.append((order_id, sign * price, lots))
            sides.append(side)
        if snapshot.bids and snapshot.asks:
            best_bid = max(order.price for order in snapshot.bids)
            best_ask = min(order.price for order in snapshot.asks)
            if best_bid >= best_ask:
                raise self._error("CROSSED", f"the snapshot bids {best_bid} ticks and asks {best_ask}")
        self.bids.fill(sides[0])
        self.asks.fill(sides[1])
        self.places = orders
        self.sequence = snapshot.sequence
        self.status = snapshot.status
        self.exchange_ns = snapshot.exchange_ns
        self.left = None
        self._last_trade = 0

    def apply(self, update: BookUpdate) -> Applied:
        """Apply one frame whole, or raise and change nothing.

        Raises:
            SequenceGap: the frame does not follow this book's sequence.
            BookError: UNKNOWN_MAKER, OVERFILL, DUPLICATE_TRADE, BAD_TRADE_PRICE, DUPLICATE_ID, UNKNOWN_DELETE,
                BAD_NUMBER, CROSSED (bid at or above ask after the frame).
        """
        sequence, create, delete_id = update.sequence, update.create, update.delete_id
        if sequence != self.sequence + 1:
            raise SequenceGap(self.sequence, sequence)
        applied = _NOTHING
        left: int | None = 0
        # Half of all frames are one create, half one delete: those two are spelled out, the rest takes the general way.
        if update.trades or (create is not None and delete_id is not None):
            applied = Applied(self._apply_mixed(update.trades, create, delete_id))
            left = None
        elif create is not None:
            order_id, price, lots = create.order_id, create.price, create.lots
            if order_id in self.places or lots <= 0 or price <= 0:
                self._check_create(create, known=order_id in self.places)
            if create.side is _BID:
                levels, meets, key = self.bids, self.asks.keys, price
            else:
                levels, meets, key = self.asks, self.bids.keys, -price
            if meets and meets[-1] >= -key:
                self._check_crossing(create, {})
            levels.add(order_id, key, lots)
            self.places[order_id] = key
        elif delete_id is not None:
            left = self.places.pop(delete_id, None)
            if left is None:
                raise self._error("UNKNOWN_DELETE", f"order {delete_id} is not in the book")
            levels = self.bids if left > 0 else self.asks
            levels.take(delete_id, left, levels.queues[left][delete_id])
        self.left = left
        self.sequence = sequence
        self.exchange_ns = update.exchange_ns
        if update.status is not None:
            self.status = update.status
        return applied

    def _apply_mixed(
        self, trades: tuple[BookTrade, ...], create: BookCreate | None, delete_id: str | None
    ) -> tuple[AppliedTrade, ...]:
        taken, applied = self._check_trades(trades)
        gone = dict(taken)
        if create is not None:
            known = create.order_id in self.places and not self._used_up(create.order_id, taken)
            self._check_create(create, known=known)
        if delete_id is not None:
            if create is not None and create.order_id == delete_id:
                create, delete_id = None, None
            elif delete_id not in self.places or self._used_up(delete_id, taken):
                raise self._error("UNKNOWN_DELETE", f"order {delete_id} is not in the book")
            else:
                gone[delete_id] = self._lots(delete_id)
        if create is not None:
            self._check_crossing(create, gone)
        # Every check has passed: from here on nothing may raise.
        orders = self.places
        for order_id, lots in gone.items():
            key = orders[order_id]
            if self._of(key).take(order_id, key, lots) == 0:
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
            key = self.places.get(maker_id)
            if key is None:
                raise self._error("UNKNOWN_MAKER", f"order {maker_id} is not in the book")
            # One taker meets one maker once: a second row is the same trade repeated.
            if maker_id in taken or (number is not None and (number in seen or number <= self._last_trade)):
                raise self._error("DUPLICATE_TRADE", f"trade {number} of maker {maker_id} was seen before")
            levels = self._of(key)
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
            leaving = sum(lots for order_id, lots in gone.items() if self.places[order_id] == key)
            if leaving < other.lots[key]:
                raise self._error("CROSSED", f"order {create.order_id} at {create.price} crosses {other.sign * key}")

    def _add(self, create: BookCreate) -> None:
        levels = self.bids if create.side is Side.BID else self.asks
        key = levels.sign * create.price
        levels.add(create.order_id, key, create.lots)
        self.places[create.order_id] = key

    def _of(self, key: int) -> SideLevels:
        return self.bids if key > 0 else self.asks

    def _used_up(self, order_id: str, taken: dict[str, int]) -> bool:
        return order_id in taken and taken[order_id] == self._lots(order_id)

    def _lots(self, order_id: str) -> int:
        key = self.places[order_id]
        return self._of(key).queues[key][order_id]

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
        key = self.places.get(order_id)
        if key is None:
            return None
        levels = self._of(key)
        return Resting(order_id, levels.side, levels.sign * key, levels.queues[key][order_id])

    def __contains__(self, order_id: str) -> bool:
        return order_id in self.places

    @property
    def order_count(self) -> int:
        return len(self.places)

    @property
    def level_count(self) -> int:
        return len(self.bids.keys) + len(self.asks.keys)

    def queue_ahead(self, order_id: str, *, without: Collection[str] = ()) -> tuple[int, int] | None:
        """(lots, orders) before this order at its price, not counting ``without``; ``None`` when it is not there."""
        key = self.places.get(order_id)
        if key is None:
            return None
        ahead = count = 0
        for other, lots in self._of(key).queues[key].items():
            if other == order_id:
                break
            if other not in without:
                ahead += lots
                count += 1
        return ahead, count
