"""Visitors' orders and their money: admits, settles and finishes orders, and writes the user messages (pure).

Messages of one event come in this order: reserve, then PENDING; for a fill the fill itself, the counter leg, the base
leg, the fee (only one that is not zero makes a row), COMPLETE last; for an order that leaves the book unfilled
COMPLETE, then the rest of the reserve. The real order is unknown, clients may rely on none.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Protocol

from lunomm.market.rules import PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.ledger import FeeRates, Ledger, Row, fee_units
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.messages import MarketText, Trade
from lunomm.simulator.order_checks import base_units, counter_units
from lunomm.simulator.refusals import refuse
from lunomm.simulator.user_messages import UserFrame, balance_message, fill_message, status_message
from lunomm.simulator.visitor_orders import Fill, OrderRequest, VisitorOrder

DAY_MS = 86_400_000
MONTH_DAYS = 30
STATEMENT_ROWS = 50_000
"""Ledger rows kept an account."""
UNFILLED_KEPT = 20_000
"""Ended orders without a fill that an exchange keeps which serves for weeks."""


class Witness(Protocol):
    """Is told each change of an order, in turn, before its user messages are seen: who keeps orders writes it down."""

    def accepted(self, order: VisitorOrder) -> None: ...
    def working(self, order: VisitorOrder, now_ms: int) -> None: ...
    def settled(self, trade: Trade, rules: PairRules, now_ms: int) -> None: ...
    def finished(self, order: VisitorOrder) -> None: ...


class Desk:
    """All visitors' orders and their fills.

    unfilled_kept: of orders that ended without a fill, how many are kept, and with them what is known of their
    client_order_id; None: all, as whoever looks at every order afterwards needs them.
    """

    def __init__(self, ledger: Ledger, behaviour: Behaviour, emit: Callable[[UserFrame], None]) -> None:
        self._ledger = ledger
        self.witness: Witness | None = None
        self._behaviour = behaviour
        self._emit = emit
        self._rates: dict[str, tuple[Mapping[str, FeeRates], FeeRates]] = {}
        self._orders: dict[str, VisitorOrder] = {}
        self._live: dict[str, VisitorOrder] = {}
        self._by_client_id: dict[tuple[str, str], VisitorOrder] = {}
        self.unfilled_kept: int | None = UNFILLED_KEPT
        self._unfilled: deque[VisitorOrder] = deque()
        self._visited: set[str] = set()
        self._fills: dict[tuple[str, str], list[Fill]] = {}
        self._statements: dict[int, deque[tuple[int, Row]]] = {}
        self._traded: dict[tuple[str, str], Counter[int]] = {}
        """Counter money traded by (owner, asset) and day, 10**-18."""

    # --- accounts --------------------------------------------------------------------------------------------------

    def register(self, owner: str, fees: Mapping[str, FeeRates], other: FeeRates) -> None:
        """Raises ValueError: there is an account of that name."""
        if owner in self._rates:
            raise ValueError(f"account {owner} exists")
        self._rates[owner] = (fees, other)

    def charge_all(self, rates: FeeRates) -> None:
        """From now on every account pays these, in every market."""
        self._rates = {owner: ({}, rates) for owner in self._rates}

    def charge(self, owner: str, pair: str, rates: FeeRates) -> None:
        """From now on this account pays these in that market. Raises KeyError."""
        fees, other = self._rates[owner]
        if fees.get(pair, other) != rates:
            self._rates[owner] = ({**fees, pair: rates}, other)

    @property
    def owners(self) -> list[str]:
        return list(self._rates)

    def rates(self, owner: str, pair: str) -> FeeRates:
        fees, other = self._rates[owner]
        return fees.get(pair, other)

    # --- reading ---------------------------------------------------------------------------------------------------

    def order(self, owner: str, order_id: str) -> VisitorOrder | None:
        """An owner's order, live or done."""
        order = self._orders.get(order_id)
        return order if order is not None and order.owner == owner else None

    def by_client_id(self, owner: str, client_order_id: str) -> VisitorOrder | None:
        return self._by_client_id.get((owner, client_order_id))

    def knows(self, order_id: str) -> bool:
        return order_id in self._orders

    def visited(self, pair: str) -> bool:
        return pair in self._visited

    def orders(self, owner: str | None, pair: str, *, live: bool | None) -> list[VisitorOrder]:
        """Oldest first; owner None and pair "": all."""
        source = self._live if live else self._orders
        return [
            order
            for order in source.values()
            if (owner is None or order.owner == owner)
            and (not pair or order.request.pair == pair)
            and (live is None or order.live == live)
        ]

    def fills(self, owner: str, pair: str) -> list[Fill]:
        """Oldest first."""
        return self._fills.get((owner, pair), [])

    def month_volume(self, owner: str, asset: str, now_ms: int) -> int:
        """Traded for ``asset`` in the thirty days before today (UTC), over all markets, 10**-18."""
        today = now_ms // DAY_MS
        days: Mapping[int, int] = self._traded.get((owner, asset), {})
        return sum(amount for day, amount in days.items() if today - MONTH_DAYS <= day < today)

    def statement(self, account_id: int) -> list[tuple[int, Row]]:
        """The newest ledger rows of an account with their times, oldest first."""
        return list(self._statements.get(account_id, ()))

    # --- acting ----------------------------------------------------------------------------------------------------

    def check_accounts(self, owner: str, rules: PairRules, base_id: int | None, counter_id: int | None) -> None:
        """Raises VenueError: ErrInvalidAccountID, an account that is not the owner's in that asset."""
        for asset, given in ((rules.base, base_id), (rules.counter, counter_id)):
            if given is not None and given != self._ledger.wallet(owner, asset).account_id:
                raise refuse("ErrInvalidAccountID")

    def admit(self, owner: str, request: OrderRequest, rules: PairRules, engine: Matcher) -> None:
        """Checks that need the account; nothing changes.

        Raises:
            VenueError: ErrDuplicateClientOrderID, ErrInsufficientFunds, ErrInvalidArguments (a trade with oneself where
                that is refused).
        """
        if request.client_order_id and (owner, request.client_order_id) in self._by_client_id:
            raise refuse("ErrDuplicateClientOrderID")
        if request.reserve > self._ledger.wallet(owner, _pays(request, rules)).available:
            raise refuse("ErrInsufficientFunds")
        if not request.stop_direction and not self.may_trade(owner, request, engine):
            raise refuse("ErrInvalidArguments", detail="the order would trade with your own")

    def may_trade(self, owner: str, request: OrderRequest, engine: Matcher) -> bool:
        """Whether the order, entering the book now, keeps to the rule on trades with oneself."""
        return self._behaviour.self_trade or not _meets_own(owner, request, engine)

    def accept(
        self, order_id: str, owner: str, request: OrderRequest, text: MarketText, now_ms: int, *, waits: bool
    ) -> VisitorOrder:
        """Create an admitted order: money locked, order PENDING, or AWAITING what it waits for."""
        rules = text.rules
        wallets = (self._ledger.wallet(owner, rules.base), self._ledger.wallet(owner, rules.counter))
        order = VisitorOrder(order_id, owner, request, now_ms, text, wallets)
        self._orders[order_id] = self._live[order_id] = order
        self._visited.add(request.pair)
        if request.client_order_id:
            self._by_client_id[owner, request.client_order_id] = order
        if self.witness is not None:
            self.witness.accepted(order)
        self._row(self._ledger.reserve(owner, _pays(request, rules), request.reserve), now_ms)
        if self._behaviour.send_awaiting or waits:
            self._emit(status_message(order, now_ms))
        if not waits:
            self.working(order, now_ms)
        return order

    def working(self, order: VisitorOrder, now_ms: int) -> None:
        """The order goes to its book: PENDING."""
        order.status = "PENDING"
        if self.witness is not None:
            self.witness.working(order, now_ms)
        self._emit(status_message(order, now_ms))

    def settle(self, trade: Trade, rules: PairRules, now_ms: int) -> None:
        """Move the money of one trade and finish an order it has used up; the rest of a taker is its caller's."""
        if self.witness is not None:
            self.witness.settled(trade, rules, now_ms)
        for order_id, owner, side, maker in (
            (trade.maker_id, trade.maker_owner, trade.maker_side, True),
            (trade.taker_id, trade.taker_owner, trade.maker_side.other, False),
        ):
            if owner is None:
                self._settle_house(trade, side, rules)
            else:
                order = self._live[order_id]
                self._settle_order(order, trade, now_ms, maker=maker)
                if order.filled_lots == order.request.lots and not order.reserved:
                    self.finish(order, now_ms)

    def removed(self, order_id: str, now_ms: int) -> None:
        """An order was taken out of the book, by its owner or by the exchange; not a visitor's: nothing."""
        order = self._live.get(order_id)
        if order is not None:
            self.finish(order, now_ms)

    def finish(self, order: VisitorOrder, now_ms: int) -> None:
        """COMPLETE, and what is still reserved for it returns."""
        order.status = "COMPLETE"
        order.completed_ms = now_ms
        if self.witness is not None:
            self.witness.finished(order)
        del self._live[order.order_id]
        self._emit(status_message(order, now_ms))
        if order.reserved:
            asset = _pays(order.request, order.text.rules)
            self._row(self._ledger.reserve(order.owner, asset, -order.reserved), now_ms)
            order.reserved = 0
        if self.unfilled_kept is not None and not order.filled_lots:
            self._unfilled.append(order)
            if len(self._unfilled) > self.unfilled_kept:
                self._forget(self._unfilled.popleft())

    # --- inside ----------------------------------------------------------------------------------------------------

    def _forget(self, order: VisitorOrder) -> None:
        """It moved no money and is long over: a market maker makes thousands of such a day."""
        del self._orders[order.order_id]
        self._by_client_id.pop((order.owner, order.request.client_order_id), None)

    def _settle_house(self, trade: Trade, side: Side, rules: PairRules) -> None:
        sign = side.sign
        self._ledger.pay(None, rules.base, sign * base_units(rules, trade.lots))
        self._ledger.pay(None, rules.counter, -sign * counter_units(rules, trade.price * trade.lots))

    def _settle_order(self, order: VisitorOrder, trade: Trade, now_ms: int, *, maker: bool) -> None:
        rules = order.text.rules
        request = order.request
        bid = request.side is Side.BID
        base = base_units(rules, trade.lots)
        counter = counter_units(rules, trade.price * trade.lots)
        rates = self.rates(order.owner, request.pair)
        rate = rates.maker if maker else rates.taker
        truncate = self._behaviour.truncate_fees
        in_base = bid or self._behaviour.sell_fee_base
        fee = fee_units(base if in_base else counter, rate, rules.fee_scale, truncate=truncate)
        if in_base and not bid and fee > order.wallets[0].available:
            # Nothing was put aside for it, and what is sold is gone: the rest of his base must be enough.
            in_base, fee = False, fee_units(counter, rate, rules.fee_scale, truncate=truncate)
        if not bid:
            released = base
        elif request.price is None:
            released = counter
        else:
            released = counter_units(rules, request.price * trade.lots)
        self._traded.setdefault((order.owner, rules.counter), Counter())[now_ms // DAY_MS] += counter
        order.filled_lots += trade.lots
        order.counter += trade.price * trade.lots
        order.reserved -= released
        if in_base:
            order.fee_base += fee
        else:
            order.fee_counter += fee
        # The taker bought exactly when the maker sold.
        fill = Fill(
            trade.sequence,
            now_ms,
            trade.price,
            trade.lots,
            fee if in_base else 0,
            0 if in_base else fee,
            trade.maker_side is Side.ASK,
            order,
        )
        self._fills.setdefault((order.owner, request.pair), []).append(fill)
        self._emit(fill_message(fill))
        if bid:
            self._row(self._ledger.pay(order.owner, rules.counter, -counter, released), now_ms)
            self._row(self._ledger.pay(order.owner, rules.base, base), now_ms)
        else:
            self._row(self._ledger.pay(order.owner, rules.counter, counter), now_ms)
            self._row(self._ledger.pay(order.owner, rules.base, -base, released), now_ms)
        if fee:
            self._row(self._ledger.charge(order.owner, rules.base if in_base else rules.counter, fee), now_ms)

    def _row(self, row: Row | None, now_ms: int) -> None:
        if row is not None:
            self._statements.setdefault(row.account_id, deque(maxlen=STATEMENT_ROWS)).append((now_ms, row))
            self._emit(balance_message(row, now_ms))


def _pays(request: OrderRequest, rules: PairRules) -> str:
    return rules.counter if request.side is Side.BID else rules.base


def _meets_own(owner: str, request: OrderRequest, engine: Matcher) -> bool:
    lots = request.lots
    for maker in engine.resting(request.side.other):
        beyond = request.price is not None and (maker.price - request.price) * request.side.sign > 0
        if beyond or lots <= 0:
            return False
        if maker.owner == owner:
            return True
        lots -= maker.lots
    return False
