"""The exchange as a whole: markets, accounts, and one method for each call of the REST interface (pure).

Amounts come in as the text of the request and are checked here; whole numbers and booleans come in parsed. An empty
text, or None for a number, is an absent parameter. Each method returns the reply as a wire struct or raises
VenueError with Luno's code and status. Times are the exchange's clock, Unix ms.

What the streams must send is queued, in the order it happened, and taken with `drain`: market frames (their text is
made on first use) and user messages. Whoever runs a venue drains it, or the queue grows.

The house trades on the engines directly (``venue.engine(pair).place(now_ms, None, ...)``): it has no account. Whatever
is done to an engine, by whom ever, reaches the accounts concerned through the engine's listener.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Unpack

from lunomm.luno import wire, wire_rest
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator import order_checks, private_replies, public_replies
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.call_arguments import FillsAsked, LimitOrder, MarketOrder, OrdersAsked
from lunomm.simulator.desk import Desk
from lunomm.simulator.intake import Intake
from lunomm.simulator.ledger import FeeRates, Ledger
from lunomm.simulator.listing import Listing
from lunomm.simulator.markets import Markets
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.matching import Engine
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.order_ids import OrderIds, RandomBits
from lunomm.simulator.public_tape import Bar, Print
from lunomm.simulator.refusals import VenueError, refuse
from lunomm.simulator.stops import Stops
from lunomm.simulator.user_messages import UserFrame, shuffled
from lunomm.simulator.venue_specs import AccountSpec, MarketSpec, RawFrame
from lunomm.simulator.visitor_orders import VisitorOrder, order_v1, order_v2

__all__ = ["AccountSpec", "MarketSpec", "RawFrame", "Venue", "VenueError"]

_FIRST_ACCOUNT_ID = 5_107_320_945_106_870_001
"""Luno's account ids are numbers of up to 19 digits, too large for a float: so are ours."""


class Venue:
    """Args:
        source: seeded source of the order ids, e.g. ``random.Random(seed)``.
        make: what matches a market's orders; the simulator's engine where it is not given.

    Raises:
        ValueError: two markets or accounts of one name, or amounts finer than the ledger's 18 decimals.
    """

    def __init__(
        self,
        markets: Sequence[MarketSpec],
        accounts: Sequence[AccountSpec],
        source: RandomBits,
        behaviour: Behaviour | None = None,
        make: Callable[[MarketSpec, OrderIds, Behaviour], Matcher] | None = None,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.ledger = Ledger()
        self._queue: deque[MarketFrame | RawFrame | UserFrame] = deque()
        self._source = source
        ids = OrderIds(source)
        self._markets = Markets(markets, ids, self.behaviour, self._on_frame, make)
        self._desk = Desk(self.ledger, self.behaviour, self._queue.append)
        self._intake = Intake(self._desk, ids, self._markets.engines, self.behaviour)
        self._next_account_id = _FIRST_ACCOUNT_ID
        for account in accounts:
            self.open_account(account)

    # --- for those who run it --------------------------------------------------------------------------------------

    @property
    def pairs(self) -> list[str]:
        return self._markets.pairs

    @property
    def owners(self) -> list[str]:
        return self._desk.owners

    @property
    def desk(self) -> Desk:
        """The orders and fills of all accounts, for who keeps them over a restart."""
        return self._desk

    @property
    def stops(self) -> Stops:
        """The orders that wait for their trigger."""
        return self._intake.stops

    def engine(self, pair: str) -> Engine:
        """The market's engine. Raises KeyError; TypeError, it is matched by something else."""
        engine = self._markets[pair].engine
        if not isinstance(engine, Engine):
            raise TypeError(f"{pair} has no house")
        return engine

    def matcher(self, pair: str) -> Matcher:
        """What matches the market's orders, engine or not. Raises KeyError."""
        return self._markets[pair].engine

    @property
    def waiting(self) -> bool:
        """Whether `drain` would return anything."""
        return bool(self._queue)

    def drain(self) -> list[MarketFrame | RawFrame | UserFrame]:
        """Everything to be sent since the last call, in order; all but UserFrame have ``pair`` and ``raw``."""
        frames = list(self._queue)
        self._queue.clear()
        return shuffled(frames, self._source) if self.behaviour.shuffle_messages else frames

    def open_account(self, account: AccountSpec) -> None:
        """Every asset of a listed market gets an account, with nothing in it where the spec says nothing."""
        assets: dict[str, None] = dict.fromkeys(account.balances)
        for market in self._markets:
            assets[market.rules.base] = assets[market.rules.counter] = None
        self._desk.register(account.owner, account.fees, account.other_fees)
        for asset in assets:
            self.ledger.open(account.owner, asset, self._next_account_id, account.balances.get(asset, Decimal(0)))
            self._next_account_id += 1

    def seed_history(self, pair: str, prints: Iterable[Print] = (), minutes: Iterable[Bar] = ()) -> None:
        """Give a market a past: its last trades and one-minute candles, oldest first. Trade numbers go on from it."""
        self._markets.seed_history(pair, prints, minutes)

    def set_status(self, now_ms: int, pair: str, status: MarketStatus, *, suspended: bool = False) -> None:
        """suspended: POSTONLY as a short stop for volatility, which only the list of markets tells apart."""
        market = self._markets[pair]
        market.suspended = suspended
        self.engine(pair).set_status(now_ms, status)

    @property
    def others(self) -> str:
        """What to say besides of a market that is not here."""
        return self._markets.others

    def say_of_others(self, text: str) -> None:
        self._markets.others = text

    def change_rules(self, now_ms: int, pair: str, rules: PairRules) -> None:
        """New scales or limits while the exchange is open: every order, waiting ones too, is cancelled first.

        Orders and fills of before keep the digits they were made with. The house has to open its book anew.

        Raises:
            ValueError: rules of another market, or finer than the ledger's 18 decimals.
        """
        market = self._markets.changeable(pair, rules)
        for order in self._desk.orders(None, pair, live=True):
            if order.status == "AWAITING":
                self._intake.cancel(now_ms, order)
        for order_id in list(market.engine.orders):
            market.engine.cancel(now_ms, order_id)
        market.regrid(rules)

    def trigger_stops(self, now_ms: int) -> list[str]:
        """To be called after each action of the house: stop orders its trades set off enter. The markets touched."""
        return self._intake.trigger(now_ms)

    def change_fees(self, rates: FeeRates) -> None:
        """From now on every account pays these, in every market."""
        self._desk.charge_all(rates)

    def fill_order(self, now_ms: int, owner: str, order_id: str, share: float) -> None:
        """The house takes this share of what is left of a resting order, whoever stands before it; at least one lot."""
        order = self._desk.order(owner, order_id)
        engine = None if order is None else self.engine(order.request.pair)
        resting = None if engine is None else engine.orders.get(order_id)
        if engine is not None and resting is not None and share > 0:
            engine.reduce(now_ms, order_id, max(1, round(resting.lots * share)), engine.new_id())

    def visited(self, pair: str) -> bool:
        """Whether any visitor has ever had an order in this market."""
        return self._desk.visited(pair)

    def orders(self, owner: str | None = None, pair: str = "", *, live: bool | None = None) -> list[VisitorOrder]:
        """Visitors' orders, oldest first, for screens and tests."""
        return self._desk.orders(owner, pair, live=live)

    def mute(self, pair: str, quiet: bool) -> None:
        """While quiet, this market's own frames are not queued (its trades and fills still count): for tapes."""
        self._markets[pair].quiet = quiet

    def pass_on(self, pair: str, raw: str, timestamp_ms: int) -> None:
        """Queue a frame of somebody else's market, which this venue only serves."""
        self._queue.append(RawFrame(pair, raw, timestamp_ms))

    def forward(self, pair: str, raw: str, sequence: int, timestamp_ms: int) -> None:
        """Queue a recorded frame as it is; the engine's sequence goes on from it."""
        engine = self.engine(pair)
        engine.sequence = sequence
        engine.timestamp_ms = max(engine.timestamp_ms, timestamp_ms)
        self._queue.append(RawFrame(pair, raw, timestamp_ms))

    # --- public ----------------------------------------------------------------------------------------------------

    def markets(self, pairs: Sequence[str] = ()) -> wire.Markets:
        return wire.Markets(
            [
                public_replies.market_info(market.engine, suspended=market.suspended)
                for market in self._markets.chosen(pairs)
            ]
        )

    def ticker(self, now_ms: int, pair: str) -> wire.Ticker:
        market = self._markets.public(pair)
        return public_replies.ticker(market.engine, market.tape, now_ms)

    def tickers(self, now_ms: int, pairs: Sequence[str] = ()) -> wire.Tickers:
        return wire.Tickers(
            [public_replies.ticker(market.engine, market.tape, now_ms) for market in self._markets.chosen(pairs)]
        )

    def orderbook_top(self, pair: str, now_ms: int = 0) -> wire.OrderBookReply:
        return self._markets.book(pair, now_ms, public_replies.orderbook_top)

    def orderbook(self, pair: str, now_ms: int = 0) -> wire.OrderBookReply:
        return self._markets.book(pair, now_ms, public_replies.orderbook)

    def trades(self, now_ms: int, pair: str, since_ms: int | None = None) -> wire.PublicTrades:
        market = self._markets.public(pair)
        return public_replies.trades(market.engine, market.tape, now_ms, since_ms)

    def candles(self, pair: str, since_ms: int, duration_s: int) -> wire.Candles:
        market = self._markets.public(pair)
        return public_replies.candles(market.engine, market.tape, since_ms, duration_s)

    # --- private: reading ------------------------------------------------------------------------------------------

    def balance(self, owner: str, assets: Sequence[str] = ()) -> wire.Balances:
        return private_replies.balances(self.ledger, owner, assets)

    def transactions(
        self, owner: str, account: str, min_row: int | None, max_row: int | None
    ) -> wire_rest.AccountTransactions:
        """Rows of the account's ledger.

        Raises:
            VenueError: ErrInvalidAccountID: not an account of the owner's.
        """
        for wallet in self.ledger.wallets(owner):
            if str(wallet.account_id) == account:
                rows = self._desk.statement(wallet.account_id)
                return private_replies.transactions(
                    wallet.account_id, wallet.asset, wallet.rows, rows, min_row, max_row
                )
        raise refuse("ErrInvalidAccountID")

    def fee_info(self, owner: str, pair: str, now_ms: int = 0) -> wire.FeeInfo:
        """With the volume of the last thirty days in the market's counter asset, as of midnight UTC."""
        volume = self._desk.month_volume(owner, self._markets.private(pair).rules.counter, now_ms)
        return private_replies.fee_info(self._desk.rates(owner, pair), volume)

    def listorders_v1(self, owner: str, *, state: str = "", **asked: Unpack[OrdersAsked]) -> wire.OrdersV1:
        """Newest first. state: PENDING, COMPLETE or all."""
        if state not in ("", "PENDING", "COMPLETE"):
            raise refuse("ErrInvalidArguments", detail="state must be PENDING or COMPLETE")
        rows = [order_v1(order) for order in self._list(owner, None if not state else state == "PENDING", asked)]
        return wire.OrdersV1(rows or ([] if self.behaviour.null_lists == "none" else None))

    def listorders_v2(self, owner: str, *, closed: bool = False, **asked: Unpack[OrdersAsked]) -> wire.OrdersV2:
        """Newest first."""
        return wire.OrdersV2([order_v2(order) for order in self._list(owner, not closed, asked)])

    def order_v1(self, owner: str, order_id: str) -> wire.OrderV1:
        return order_v1(self._find(owner, order_id))

    def order_v2(self, owner: str, order_id: str) -> wire.OrderV2:
        return order_v2(self._find(owner, order_id))

    def order_v3(self, owner: str, *, order_id: str = "", client_order_id: str = "") -> wire.OrderV2:
        if bool(order_id) == bool(client_order_id):
            raise refuse("ErrInvalidArguments", detail="give exactly one of id and client_order_id")
        if order_id:
            return self.order_v2(owner, order_id)
        order = self._desk.by_client_id(owner, client_order_id)
        if order is None:
            raise refuse("ErrOrderNotFound")
        return order_v2(order)

    def listtrades(self, owner: str, pair: str, **asked: Unpack[FillsAsked]) -> wire.UserTrades:
        """Fills of an account in one market."""
        self._markets.private(pair)
        return private_replies.trades(self._desk.fills(owner, pair), asked)

    # --- private: acting -------------------------------------------------------------------------------------------

    def postorder(self, now_ms: int, owner: str, **asked: Unpack[LimitOrder]) -> wire.PostOrderReply:
        engine = self._addressed(now_ms, owner, asked)
        request = order_checks.stop(order_checks.limit_order(engine.rules, asked), engine, asked)
        order_checks.trading(engine.status, post_only=request.post_only)
        return self._intake.submit(now_ms, owner, request, held=asked.get("held", False))

    def marketorder(self, now_ms: int, owner: str, **asked: Unpack[MarketOrder]) -> wire.PostOrderReply:
        engine = self._addressed(now_ms, owner, asked)
        order_checks.trading(engine.status, post_only=False)
        return self._intake.submit(now_ms, owner, order_checks.market_order(engine, asked))

    def stoporder(self, now_ms: int, owner: str, order_id: str) -> wire.StopOrderReply:
        order = self._desk.order(owner, order_id)
        if order is None or not order.live:
            if self.behaviour.cancel_gone == "false":
                return wire.StopOrderReply(False)
            gone = 404 if self.behaviour.cancel_gone == "404" else 400
            raise refuse("ErrCannotStopUnknownOrNonPendingOrder", status=gone)
        self._intake.cancel(now_ms, order)
        return wire.StopOrderReply(True)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _on_frame(self, market: Listing, frame: MarketFrame) -> None:
        if not market.quiet:
            self._queue.append(frame)
        now_ms = frame.timestamp_ms
        for trade in frame.trades:
            is_buy = trade.maker_side is Side.ASK
            market.tape.add(Print(trade.sequence, now_ms, trade.price, trade.lots, is_buy))
            if trade.maker_owner is not None or trade.taker_owner is not None:
                self._desk.settle(trade, market.rules, now_ms)
        if frame.trades:
            self._intake.stops.traded(market.rules.pair, (trade.price for trade in frame.trades))
        if frame.delete_id is not None:
            self._desk.removed(frame.delete_id, now_ms)

    def _addressed(self, now_ms: int, owner: str, asked: LimitOrder | MarketOrder) -> Matcher:
        """The market an order is for, once it is in time and names accounts of its owner. Raises VenueError."""
        market = self._markets.private(asked["pair"])
        order_checks.deadline(now_ms, asked.get("timestamp_ms"), asked.get("ttl_ms"))
        self._desk.check_accounts(owner, market.rules, asked.get("base_account_id"), asked.get("counter_account_id"))
        return market.engine

    def _list(self, owner: str, live: bool | None, asked: OrdersAsked) -> list[VisitorOrder]:
        pair = asked.get("pair", "")
        if pair:
            self._markets.private(pair)
        return private_replies.newest(self._desk.orders(owner, pair, live=live), asked)

    def _find(self, owner: str, order_id: str) -> VisitorOrder:
        order = self._desk.order(owner, order_id)
        if order is None:
            raise refuse("ErrOrderNotFound")
        return order
