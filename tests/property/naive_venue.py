"""The exchange as slowly and obviously as it can be written: every order ever in one list, all money in Decimal.

Nothing is kept that can be worked out: what is locked is summed over the orders, a queue is sorted when it is looked
at. It shares no code with the exchange but the words (Side, TimeInForce, MarketStatus) and the rules of a market.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.matching import TimeInForce

ZERO = Decimal(0)


@dataclass(eq=False)
class NaiveOrder:
    """price None: a market order; money: what a market buy may spend. state: waiting, entering, resting or done."""

    pair: str
    owner: str | None
    side: Side
    price: Decimal | None
    size: Decimal
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    client_id: str = ""
    money: Decimal = ZERO
    stop: Decimal | None = None
    direction: str = ""
    order_id: str = ""
    state: str = "entering"
    arrival: int = 0
    filled: Decimal = ZERO
    counter: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_counter: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        return self.size - self.filled

    @property
    def held(self) -> Decimal:
        """Locked for this order: counter money for a bid, base for an ask."""
        if self.state == "done":
            return ZERO
        if self.side is Side.ASK:
            return self.left
        return self.money - self.counter if self.price is None else self.price * self.left


@dataclass
class NaiveFrame:
    """What the market stream must say of one action."""

    pair: str
    trades: list[tuple[NaiveOrder, Decimal, Decimal]] = field(default_factory=list)
    created: tuple[NaiveOrder, Decimal] | None = None
    deleted: NaiveOrder | None = None
    status: MarketStatus | None = None


class NaiveVenue:
    """rates: by owner and pair. start: what every owner has at first, by asset."""

    def __init__(
        self,
        rules: Mapping[str, PairRules],
        rates: Mapping[str, Mapping[str, FeeRates]],
        start: Mapping[str, Decimal],
        *,
        self_trade: bool = True,
        sell_fee_base: bool = False,
        truncate_fees: bool = False,
    ) -> None:
        self.rules = dict(rules)
        self.rates = rates
        self.self_trade, self.sell_fee_base, self.truncate_fees = self_trade, sell_fee_base, truncate_fees
        self.orders: list[NaiveOrder] = []
        self.wallets = {owner: dict(start) for owner in rates}
        self.house: Counter[str] = Counter()
        self.fees: Counter[str] = Counter()
        self.status = dict.fromkeys(rules, MarketStatus.ACTIVE)
        self.last: dict[str, Decimal | None] = dict.fromkeys(rules)
        self.due: list[NaiveOrder] = []
        self.frames: list[NaiveFrame] = []
        self.arrivals = 0

    # --- looking ---------------------------------------------------------------------------------------------------

    def queue(self, pair: str, side: Side) -> list[NaiveOrder]:
        """Best price first, then the oldest."""
        found = [o for o in self.orders if o.state == "resting" and (o.pair, o.side) == (pair, side)]
        return sorted(found, key=lambda o: (-(o.price or ZERO) * side.sign, o.arrival))

    def met(self, pair: str, side: Side, price: Decimal | None) -> list[NaiveOrder]:
        """What an order would meet, in that order."""
        makers = self.queue(pair, side.other)
        return [o for o in makers if price is None or (price - (o.price or ZERO)) * side.sign >= 0]

    def reserved(self, owner: str, asset: str) -> Decimal:
        return sum((o.held for o in self.orders if o.owner == owner and self.pays(o.pair, o.side) == asset), ZERO)

    def free(self, owner: str, asset: str) -> Decimal:
        return self.wallets[owner][asset] - self.reserved(owner, asset)

    def pays(self, pair: str, side: Side) -> str:
        return self.rules[pair].counter if side is Side.BID else self.rules[pair].base

    def live(self) -> list[NaiveOrder]:
        return [order for order in self.orders if order.state in ("waiting", "resting")]

    def meets_own(self, order: NaiveOrder) -> bool:
        left = order.left
        for maker in self.met(order.pair, order.side, order.price):
            if left <= 0:
                return False
            if maker.owner == order.owner:
                return True
            left -= maker.left
        return False

    def affordable(self, pair: str, money: Decimal) -> tuple[Decimal, Decimal]:
        """(volume, spent) of a market buy: whole lots, best price first, until the next lot costs too much."""
        lot = self.rules[pair].lot_size
        volume = spent = ZERO
        for maker in self.queue(pair, Side.ASK):
            assert maker.price is not None
            lots = min(maker.left // lot, (money - spent) // (maker.price * lot))
            volume += lots * lot
            spent += lots * lot * maker.price
            if lots * lot < maker.left:
                break
        return volume, spent

    def refusal(self, order: NaiveOrder) -> str | None:
        """The code an account's limit order is refused with, None where it is taken."""
        status = self.status[order.pair]
        if order.post_only and order.tif is not TimeInForce.GTC:
            return "ErrPostOnlyNotAllowed"
        if order.direction == "RELATIVE_LAST_TRADE" and self.last[order.pair] is None:
            return "ErrNoTradesToInferStopDirection"
        if status is MarketStatus.DISABLED:
            return "ErrMarketUnavailable"
        if status is MarketStatus.POSTONLY and not order.post_only:
            return "ErrPostOnlyMode"
        refused = self.refusal_by_account(order)
        if refused is None and order.post_only and not order.direction:
            return "ErrOrderCanceled" if self.met(order.pair, order.side, order.price) else None
        return refused

    def refusal_of_market(self, order: NaiveOrder) -> str | None:
        """The same for a market order; a buy's size is worked out here."""
        if self.status[order.pair] is not MarketStatus.ACTIVE:
            disabled = self.status[order.pair] is MarketStatus.DISABLED
            return "ErrMarketUnavailable" if disabled else "ErrPostOnlyMode"
        there = sum((maker.left for maker in self.queue(order.pair, order.side.other)), ZERO)
        if order.side is Side.BID:
            order.size, spent = self.affordable(order.pair, order.money)
            if spent < order.money and order.size == there:
                return "ErrNotEnoughLiquidity"
            if not order.size:
                return "ErrVolumeTooLow"
        elif there < order.size:
            return "ErrNotEnoughLiquidity"
        return self.refusal_by_account(order)

    def refusal_by_account(self, order: NaiveOrder) -> str | None:
        assert order.owner is not None
        mine = [o for o in self.orders if o.owner == order.owner]
        if order.client_id and any(o.client_id == order.client_id for o in mine):
            return "ErrDuplicateClientOrderID"
        if order.held > self.free(order.owner, self.pays(order.pair, order.side)):
            return "ErrInsufficientFunds"
        if not order.direction and not self.self_trade and self.meets_own(order):
            return "ErrInvalidArguments"
        return None

    # --- acting ----------------------------------------------------------------------------------------------------

    def submit(self, order: NaiveOrder) -> None:
        """An order that is taken: it waits for its stop price, or enters; then everything it sets off."""
        self.orders.append(order)
        if order.direction:
            last = self.last[order.pair]
            if order.direction == "RELATIVE_LAST_TRADE":
                assert last is not None and order.stop is not None
                order.direction = "ABOVE" if last < order.stop else "BELOW"
            order.state = "waiting"
            if last is not None:
                self.seen(order.pair, [last])
        else:
            self.enter(order)
        self.trigger()

    def trigger(self) -> None:
        """What trades have set off enters, in turn."""
        while self.due:
            order = self.due.pop(0)
            if not self.self_trade and self.meets_own(order):
                self.frames.append(NaiveFrame(order.pair))
                order.state = "done"
            else:
                self.enter(order)

    def enter(self, order: NaiveOrder) -> None:
        """One frame: trades and what rests, or nothing."""
        if order not in self.orders:
            self.orders.append(order)
        frame = NaiveFrame(order.pair)
        self.frames.append(frame)
        status = self.status[order.pair]
        met = self.met(order.pair, order.side, order.price)
        refused = status is MarketStatus.DISABLED
        refused |= bool(met) and (order.post_only or status is not MarketStatus.ACTIVE)
        refused |= order.tif is TimeInForce.FOK and sum((maker.left for maker in met), ZERO) < order.left
        if not refused:
            for maker in met:
                if order.left:
                    frame.trades.append(self.trade(maker, order))
        order.state = "done"
        if not refused and order.tif is TimeInForce.GTC and order.left:
            order.state = "resting"
            self.arrivals += 1
            order.arrival = self.arrivals
            frame.created = order, order.left
        self.seen(order.pair, [price for _, price, _ in frame.trades])

    def trade(self, maker: NaiveOrder, taker: NaiveOrder) -> tuple[NaiveOrder, Decimal, Decimal]:
        size, price = min(maker.left, taker.left), maker.price
        assert price is not None
        rates = self.rates
        self.settle(maker, price, size, ZERO if maker.owner is None else rates[maker.owner][maker.pair].maker)
        self.settle(taker, price, size, ZERO if taker.owner is None else rates[taker.owner][taker.pair].taker)
        if not maker.left:
            maker.state = "done"
        return maker, price, size

    def settle(self, order: NaiveOrder, price: Decimal, size: Decimal, rate: Decimal) -> None:
        rules = self.rules[order.pair]
        base, counter = rules.base, rules.counter
        cash = price * size
        wallet: dict[str, Decimal] | Counter[str]
        in_base, fee = order.side is Side.BID, ZERO
        if order.owner is None:
            wallet = self.house
        else:
            wallet = self.wallets[order.owner]
            if not in_base and self.sell_fee_base:
                in_base = self.fee(size, rate, rules) <= self.free(order.owner, base)
            fee = self.fee(size if in_base else cash, rate, rules)
        wallet[base] += size * order.side.sign
        wallet[counter] -= cash * order.side.sign
        order.filled += size
        order.counter += cash
        if order.owner is not None:
            wallet[base if in_base else counter] -= fee
            self.fees[base if in_base else counter] += fee  # type: ignore[assignment]
            if in_base:
                order.fee_base += fee
            else:
                order.fee_counter += fee

    def fee(self, amount: Decimal, rate: Decimal, rules: PairRules) -> Decimal:
        step = Decimal(1).scaleb(-rules.fee_scale)
        return (amount * rate).quantize(step, rounding=ROUND_DOWN if self.truncate_fees else ROUND_HALF_UP)

    def seen(self, pair: str, prices: Sequence[Decimal]) -> None:
        """Trades at these prices: waiting orders fall due, oldest first."""
        if not prices:
            return
        self.last[pair] = prices[-1]
        for order in self.orders:
            if order.state == "waiting" and order.pair == pair and order not in self.due:
                assert order.stop is not None
                above = order.direction == "ABOVE"
                if max(prices) >= order.stop if above else min(prices) <= order.stop:
                    self.due.append(order)

    def cancel(self, order: NaiveOrder) -> None:
        if order.state == "resting":
            self.frames.append(NaiveFrame(order.pair, deleted=order))
        order.state = "done"

    def reduce(self, maker: NaiveOrder, size: Decimal) -> None:
        """The house takes from this maker, whoever stands before it."""
        taker = NaiveOrder(maker.pair, None, maker.side.other, maker.price, min(size, maker.left), state="done")
        frame = NaiveFrame(maker.pair, [self.trade(maker, taker)])
        self.frames.append(frame)
        self.seen(maker.pair, [frame.trades[0][1]])

    def set_status(self, pair: str, status: MarketStatus) -> None:
        if status is not self.status[pair]:
            self.status[pair] = status
            self.frames.append(NaiveFrame(pair, status=status))

    def change_rules(self, rules: PairRules) -> None:
        """Everything of the market goes: what waits first, then what rests, oldest arrival first."""
        pair = rules.pair
        for state in ("waiting", "resting"):
            found = [order for order in self.orders if (order.pair, order.state) == (pair, state)]
            for order in sorted(found, key=lambda o: o.arrival):
                self.cancel(order)
        self.rules[pair] = rules
        last = self.last[pair]
        if last is not None:
            self.last[pair] = max(rules.tick_size, last.quantize(rules.tick_size, rounding=ROUND_HALF_UP))

    # --- the sums --------------------------------------------------------------------------------------------------

    def total(self, asset: str) -> Decimal:
        """All there is of an asset: it never changes."""
        held: Iterable[Decimal] = (wallet[asset] for wallet in self.wallets.values())
        return sum(held, ZERO) + self.house[asset] + self.fees[asset]
