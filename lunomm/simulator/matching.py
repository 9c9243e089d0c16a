"""The matching engine of one market: price-time priority on whole ticks and lots, exact (pure).

Rules of the game:

- A taker trades at the maker's price, best price first, first in first out inside a price. What is left of a GTC
  order rests under the taker's own id in the same frame; what is left of an IOC order is dropped; a FOK order that
  cannot fill whole trades nothing; a post-only order that would trade is refused.
- Each action that reaches the engine makes exactly one frame and takes one sequence number: trades and the create
  of the rest, or a delete, or a status, or nothing at all (refused post-only, IOC or FOK without a match).
- A maker that is used up leaves without a delete. There is no other way to lose volume but a trade or a delete.
- Matching happens only while the market is ACTIVE. In POSTONLY an order that would trade is refused; DISABLED
  refuses all. Cancelling is always possible.
- Orders belong to an account name, or to the house (``None``). An account may trade with itself; who forbids
  that does so before calling.

Money is not known here: the listener gets each frame with the owners of both sides and settles it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lunomm.errors import BookError
from lunomm.market.events import BookOrder, BookSnapshot
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.messages import Created, MarketFrame, MarketText, Trade, regridded
from lunomm.simulator.order_ids import OrderIds
from lunomm.simulator.queues import Half, Resting

_ANY_PRICE = -(2**62)
"""Below every price key: the limit of an order without one."""


class TimeInForce(enum.StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Refusal(enum.StrEnum):
    """Why an order neither traded nor rests."""

    WOULD_TRADE = "WOULD_TRADE"
    """post_only, or any crossing order while the market is POSTONLY."""
    CANNOT_FILL = "CANNOT_FILL"
    """FOK without enough volume up to its price."""
    DISABLED = "DISABLED"


class Placed(NamedTuple):
    """What became of an order. resting_lots: what rests now (0 for IOC, FOK, filled and refused orders)."""

    order_id: str
    trades: tuple[Trade, ...]
    resting_lots: int
    frame: MarketFrame
    refusal: Refusal | None = None


def check_order(price: int | None, lots: int, tif: TimeInForce) -> None:
    """What no market can match.

    Raises:
        ValueError: price or lots not positive, or a resting order without a price.
    """
    if lots <= 0 or (price is not None and price <= 0):
        raise ValueError(f"price {price} and lots {lots} must be positive")
    if price is None and tif is TimeInForce.GTC:
        raise ValueError("an order without a price cannot rest")


class Engine:
    """One market's book and its matching.

    Args:
        rules: The market's scales; limits (minimum volume and the like) are checked by who takes orders from outside.
        first_sequence: Sequence of the empty book, >= 1; each action adds one.
        ids: Source of order ids where none is given.
        first_trade: Number of the first trade.

    Times are the exchange's, Unix ms, handed in with each action; a frame's never goes back.
    ``listener`` is called once for each frame, after the book has changed.
    """

    def __init__(
        self,
        rules: PairRules,
        first_sequence: int,
        ids: OrderIds,
        *,
        first_trade: int = 1,
        behaviour: Behaviour | None = None,
        listener: Callable[[MarketFrame], None] | None = None,
    ) -> None:
        self.rules = rules
        self.text = MarketText(rules, behaviour or Behaviour())
        self.listener = listener
        self.sequence = first_sequence
        self.timestamp_ms = 0
        self.status = MarketStatus.parse(rules.status)
        self.orders: dict[str, Resting] = {}
        self.next_trade = first_trade
        self.last_trade: int | None = None
        """Ticks of the last trade."""
        self._ids = ids
        self._bids = Half(1)
        self._asks = Half(-1)

    # --- reading ---------------------------------------------------------------------------------------------------

    def best_bid(self) -> int | None:
        """Ticks."""
        return self._bids.best()

    def best_ask(self) -> int | None:
        """Ticks."""
        return self._asks.best()

    def resting(self, side: Side) -> Iterator[Resting]:
        """Orders of a side, best first, FIFO inside a price. Not to be held over an action."""
        return self._half(side).orders()

    def levels(self, side: Side, limit: int) -> list[tuple[int, int]]:
        """The best ``limit`` prices of a side: (ticks, lots)."""
        half = self._half(side)
        best = half.keys[: -limit - 1 : -1]
        return [(key * half.sign, sum(order.lots for order in half.levels[key].values())) for key in best]

    def queue_ahead(self, order_id: str) -> tuple[int, int]:
        """(lots, orders) standing before this order at its price. Raises KeyError for an order that does not rest."""
        order = self.orders[order_id]
        half = self._half(order.side)
        lots = count = 0
        for other in half.levels[order.price * half.sign].values():
            if other is order:
                break
            lots += other.lots
            count += 1
        return lots, count

    def would_trade(self, side: Side, price: int) -> bool:
        """Whether an order at ``price`` meets anything; an equal price does."""
        half, limit = self._against(side, price)
        return bool(half.keys) and half.keys[-1] >= limit

    def fillable(self, side: Side, price: int | None, lots: int) -> int:
        """How many of ``lots`` would trade at once at ``price`` or better (any price: None)."""
        half, limit = self._against(side, price)
        found = 0
        for key in reversed(half.keys):
            if key < limit or found >= lots:
                break
            found += sum(order.lots for order in half.levels[key].values())
        return min(found, lots)

    def affordable(self, units: int) -> tuple[int, int]:
        """What ``units`` (ticks x lots) of counter money buy from the asks: (lots, units spent).

        Less than one lot of change is left over unless the asks run out.
        """
        lots = spent = 0
        for order in self._asks.orders():
            take = min(order.lots, (units - spent) // order.price)
            lots += take
            spent += take * order.price
            if take < order.lots:
                break
        return lots, spent

    def snapshot(self) -> BookSnapshot:
        def rows(half: Half) -> tuple[BookOrder, ...]:
            return tuple(BookOrder(order.order_id, order.price, order.lots) for order in half.orders())

        return BookSnapshot(
            self.sequence, rows(self._bids), rows(self._asks), self.status, self.timestamp_ms * 1_000_000
        )

    def snapshot_raw(self) -> str:
        """The snapshot as Luno's first frame."""
        return self.text.snapshot(self.snapshot())

    # --- acting ----------------------------------------------------------------------------------------------------

    def place(
        self,
        now_ms: int,
        owner: str | None,
        side: Side,
        price: int | None,
        lots: int,
        *,
        tif: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        order_id: str | None = None,
    ) -> Placed:
        """Match an order and rest what is left of it.

        Args:
            price: Ticks; None takes any price (only with IOC or FOK).
            lots: > 0.
            order_id: Given where a tape or the caller has named the order.

        Raises:
            BookError: DUPLICATE_ID, an order of that id rests.
            ValueError: price or lots not positive, or a resting order without a price.
        """
        check_order(price, lots, tif)
        gtc = tif is TimeInForce.GTC
        if order_id is None:
            order_id = self.new_id()
        elif order_id in self.orders:
            raise BookError(f"{self.rules.pair}: order {order_id} rests already", code="DUPLICATE_ID")
        refusal: Refusal | None = None
        trades: tuple[Trade, ...] = ()
        if self.status is MarketStatus.DISABLED:
            refusal = Refusal.DISABLED
        else:
            half, limit = self._against(side, price)
            if half.keys and half.keys[-1] >= limit:
                if post_only or self.status is not MarketStatus.ACTIVE:
                    refusal = Refusal.WOULD_TRADE
                elif tif is TimeInForce.FOK and self.fillable(side, price, lots) < lots:
                    refusal = Refusal.CANNOT_FILL
                else:
                    trades = self._match(half, limit, lots, order_id, owner)
            elif tif is TimeInForce.FOK:
                refusal = Refusal.CANNOT_FILL
        created: Created | None = None
        rest = 0
        if gtc and refusal is None and price is not None:
            rest = lots - sum([trade.lots for trade in trades]) if trades else lots
            if rest:
                order = Resting(order_id, side, price, rest, owner)
                self.orders[order_id] = order
                (self._bids if side is Side.BID else self._asks).add(order)
                created = Created(order_id, side, price, rest)
        return Placed(order_id, trades, rest, self._emit(now_ms, trades, created), refusal)

    def cancel(self, now_ms: int, order_id: str) -> MarketFrame | None:
        """Take an order out of the book; None, and no frame, when no such order rests."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return None
        self._half(order.side).remove(order)
        return self._emit(now_ms, (), None, order_id)

    def reduce(self, now_ms: int, order_id: str, lots: int, taker_id: str) -> MarketFrame | None:
        """Fill a maker as a tape recorded it, whatever stands before it in the queue.

        At most what is left is taken. None, and no frame, when no such order rests.
        """
        if lots <= 0:
            raise ValueError("lots must be positive")
        order = self.orders.get(order_id)
        if order is None:
            return None
        take = min(lots, order.lots)
        trade = self._trade(order, take, taker_id, None)
        if not order.lots:
            del self.orders[order_id]
            self._half(order.side).remove(order)
        return self._emit(now_ms, (trade,))

    def skip(self, now_ms: int) -> MarketFrame:
        """An empty frame: a sequence number without a visible change."""
        return self._emit(now_ms)

    def set_status(self, now_ms: int, status: MarketStatus) -> MarketFrame | None:
        """Change what the market accepts; None, and no frame, when it is so already."""
        if status is self.status:
            return None
        self.status = status
        return self._emit(now_ms, (), None, None, status)

    def load(self, book: BookSnapshot) -> None:
        """Replace everything by a recorded book, all of it the house's; no frame.

        Raises:
            BookError: DUPLICATE_ID or CROSSED; the engine is then as it was.
        """
        orders: dict[str, Resting] = {}
        halves = (Half(1), Half(-1))
        for side, half, rows in ((Side.BID, halves[0], book.bids), (Side.ASK, halves[1], book.asks)):
            for order_id, price, lots in rows:
                if order_id in orders:
                    raise BookError(f"{self.rules.pair}: order {order_id} twice", code="DUPLICATE_ID")
                orders[order_id] = order = Resting(order_id, side, price, lots, None)
                half.add(order)
        if halves[0].keys and halves[1].keys and halves[0].keys[-1] >= -halves[1].keys[-1]:
            raise BookError(f"{self.rules.pair}: the recorded book is crossed", code="CROSSED")
        self.orders = orders
        self._bids, self._asks = halves
        self.sequence = book.sequence
        self.status = book.status
        self.timestamp_ms = book.exchange_ns // 1_000_000

    def regrid(self, rules: PairRules) -> None:
        """Go on under other scales; the last trade is rounded where the new grid is coarser.

        Raises:
            ValueError: orders rest in the book.
        """
        if self.orders:
            raise ValueError(f"{rules.pair}: the grid of a book with orders cannot change")
        if self.last_trade is not None:
            self.last_trade = max(1, regridded(self.last_trade, rules.price_scale - self.rules.price_scale))
        self.rules = rules
        self.text = self.text.under(rules)

    def new_id(self) -> str:
        """An order id that no resting order has."""
        order_id = self._ids.next()
        while order_id in self.orders:
            order_id = self._ids.next()
        return order_id

    # --- inside ----------------------------------------------------------------------------------------------------

    def _half(self, side: Side) -> Half:
        return self._bids if side is Side.BID else self._asks

    def _against(self, side: Side, price: int | None) -> tuple[Half, int]:
        """The half a taker of ``side`` meets, and the lowest key there that it accepts."""
        if side is Side.BID:
            return self._asks, _ANY_PRICE if price is None else -price
        return self._bids, _ANY_PRICE if price is None else price

    def _match(self, half: Half, limit: int, lots: int, taker_id: str, taker: str | None) -> tuple[Trade, ...]:
        trades: list[Trade] = []
        while lots and half.keys and half.keys[-1] >= limit:
            key = half.keys[-1]
            level = half.levels[key]
            gone: list[str] = []
            for maker in level.values():
                take = min(lots, maker.lots)
                trades.append(self._trade(maker, take, taker_id, taker))
                lots -= take
                if not maker.lots:
                    gone.append(maker.order_id)
                if not lots:
                    break
            for order_id in gone:
                del level[order_id], self.orders[order_id]
            if not level:
                del half.levels[key]
                half.keys.pop()
        return tuple(trades)

    def _trade(self, maker: Resting, take: int, taker_id: str, taker: str | None) -> Trade:
        maker.lots -= take
        number = self.next_trade
        self.next_trade = number + 1
        self.last_trade = maker.price
        return Trade(number, maker.price, take, maker.order_id, taker_id, maker.side, maker.owner, taker, maker.lots)

    def _emit(
        self,
        now_ms: int,
        trades: tuple[Trade, ...] = (),
        created: Created | None = None,
        delete_id: str | None = None,
        status: MarketStatus | None = None,
    ) -> MarketFrame:
        if now_ms > self.timestamp_ms:
            self.timestamp_ms = now_ms
        self.sequence += 1
        frame = MarketFrame(self.text, self.sequence, self.timestamp_ms, trades, created, delete_id, status)
        if self.listener is not None:
            self.listener(frame)
        return frame
