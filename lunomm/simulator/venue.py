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

from lunomm.luno import wire
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator import order_checks, private_replies, public_replies
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.desk import Desk
from lunomm.simulator.intake import Intake
from lunomm.simulator.ledger import SCALE, Ledger
from lunomm.simulator.listing import Listing
from lunomm.simulator.matching import Engine
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.order_ids import OrderIds, RandomBits
from lunomm.simulator.public_tape import Bar, Print
from lunomm.simulator.refusals import VenueError, refuse
from lunomm.simulator.user_messages import UserFrame, shuffled
from lunomm.simulator.venue_specs import AccountSpec, MarketSpec, RawFrame
from lunomm.simulator.visitor_orders import VisitorOrder, order_v1, order_v2

__all__ = ["AccountSpec", "MarketSpec", "RawFrame", "Venue", "VenueError"]

_FIRST_ACCOUNT_ID = 5_107_320_945_106_870_001
"""Luno's account ids are numbers of up to 19 digits, too large for a float: so are ours."""


class Venue:
    """Args: source: seeded source of the order ids, e.g. ``random.Random(seed)``.

    Raises:
        ValueError: two markets or accounts of one name, or amounts finer than the ledger's 18 decimals.
    """

    def __init__(
        self,
        markets: Sequence[MarketSpec],
        accounts: Sequence[AccountSpec],
        source: RandomBits,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.ledger = Ledger()
        self._queue: deque[MarketFrame | RawFrame | UserFrame] = deque()
        self._markets: dict[str, Listing] = {}
        self._source = source
        self._ids = OrderIds(source)
        self._engines: dict[str, Engine] = {}
        self._desk = Desk(self.ledger, self.behaviour, self._queue.append)
        self._intake = Intake(self._desk, self._ids, self._engines, self.behaviour)
        self._next_account_id = _FIRST_ACCOUNT_ID
        for market in markets:
            rules = market.rules
            if rules.pair in self._markets or rules.price_scale + rules.volume_scale > SCALE:
                raise ValueError(f"{rules.pair}: listed twice, or finer than {SCALE} decimals")
            engine = Engine(
                rules, market.first_sequence, self._ids, first_trade=market.first_trade, behaviour=self.behaviour
            )
            self._engines[rules.pair] = engine
            self._markets[rules.pair] = listed = Listing(engine)
            engine.listener = lambda frame, listed=listed: self._on_frame(listed, frame)
        for account in accounts:
            self.open_account(account)

    # --- for those who run it --------------------------------------------------------------------------------------

    @property
    def pairs(self) -> list[str]:
        return list(self._markets)

    @property
    def owners(self) -> list[str]:
        return self._desk.owners

    def engine(self, pair: str) -> Engine:
        """Raises KeyError."""
        return self._markets[pair].engine

    def drain(self) -> list[MarketFrame | RawFrame | UserFrame]:
        """Everything to be sent since the last call, in order; all but UserFrame have ``pair`` and ``raw``."""
        frames = list(self._queue)
        self._queue.clear()
        return shuffled(frames, self._source) if self.behaviour.shuffle_messages else frames

    def open_account(self, account: AccountSpec) -> None:
        """Every asset of a listed market gets an account, with nothing in it where the spec says nothing."""
        assets: dict[str, None] = dict.fromkeys(account.balances)
        for market in self._markets.values():
            assets[market.rules.base] = assets[market.rules.counter] = None
        self._desk.register(account.owner, account.fees, account.other_fees)
        for asset in assets:
            self.ledger.open(account.owner, asset, self._next_account_id, account.balances.get(asset, Decimal(0)))
            self._next_account_id += 1

    def seed_history(self, pair: str, prints: Iterable[Print] = (), minutes: Iterable[Bar] = ()) -> None:
        """Give a market a past: its last trades and one-minute candles, oldest first. Trade numbers go on from it."""
        market = self._markets[pair]
        market.tape.seed(prints, minutes)
        last = market.tape.last
        if last is not None:
            market.engine.next_trade = last.sequence + 1
            market.engine.last_trade = last.price

    def set_status(self, now_ms: int, pair: str, status: MarketStatus, *, suspended: bool = False) -> None:
        """suspended: POSTONLY as a short stop for volatility, which only the list of markets tells apart."""
        market = self._markets[pair]
        market.suspended = suspended
        market.engine.set_status(now_ms, status)

    def change_rules(self, now_ms: int, pair: str, rules: PairRules) -> None:
        """New scales or limits while the exchange is open: every order, waiting ones too, is cancelled first.

        Orders and fills of before keep the digits they were made with. The house has to open its book anew.

        Raises:
            ValueError: rules of another market, or finer than the ledger's 18 decimals.
        """
        market = self._markets[pair]
        named = (rules.pair, rules.base, rules.counter)
        if named != (pair, market.rules.base, market.rules.counter) or rules.price_scale + rules.volume_scale > SCALE:
            raise ValueError(f"{pair}: these are not rules for this market")
        for order in self._desk.orders(None, pair, live=True):
            if order.status == "AWAITING":
                self._intake.cancel(now_ms, order)
        for order_id in list(market.engine.orders):
            market.engine.cancel(now_ms, order_id)
        market.regrid(rules)

    def trigger_stops(self, now_ms: int) -> list[str]:
        """To be called after each action of the house: stop orders its trades set off enter. The markets touched."""
        return self._intake.trigger(now_ms)

    def visited(self, pair: str) -> bool:
        """Whether any visitor has ever had an order in this market."""
        return self._desk.visited(pair)

    def orders(self, owner: str | None = None, pair: str = "", *, live: bool | None = None) -> list[VisitorOrder]:
        """Visitors' orders, oldest first, for screens and tests."""
        return self._desk.orders(owner, pair, live=live)

    def mute(self, pair: str, quiet: bool) -> None:
        """While quiet, this market's own frames are not queued (its trades and fills still count): for tapes."""
        self._markets[pair].quiet = quiet

    def forward(self, pair: str, raw: str, sequence: int, timestamp_ms: int) -> None:
        """Queue a recorded frame as it is; the engine's sequence goes on from it."""
        engine = self._markets[pair].engine
        engine.sequence = sequence
        engine.timestamp_ms = max(engine.timestamp_ms, timestamp_ms)
        self._queue.append(RawFrame(pair, raw, timestamp_ms))

    # --- public ----------------------------------------------------------------------------------------------------

    def markets(self, pairs: Sequence[str] = ()) -> wire.Markets:
        return wire.Markets(
            [public_replies.market_info(market.engine, suspended=market.suspended) for market in self._chosen(pairs)]
        )

    def ticker(self, now_ms: int, pair: str) -> wire.Ticker:
        market = self._public(pair)
        return public_replies.ticker(market.engine, market.tape, now_ms)

    def tickers(self, now_ms: int, pairs: Sequence[str] = ()) -> wire.Tickers:
        return wire.Tickers(
            [public_replies.ticker(market.engine, market.tape, now_ms) for market in self._chosen(pairs)]
        )

    def orderbook_top(self, pair: str, now_ms: int = 0) -> wire.OrderBookReply:
        return self._cached(pair, now_ms, public_replies.orderbook_top)

    def orderbook(self, pair: str, now_ms: int = 0) -> wire.OrderBookReply:
        return self._cached(pair, now_ms, public_replies.orderbook)

    def trades(self, now_ms: int, pair: str, since_ms: int | None = None) -> wire.PublicTrades:
        market = self._public(pair)
        return public_replies.trades(market.engine, market.tape, now_ms, since_ms)

    def candles(self, pair: str, since_ms: int, duration_s: int) -> wire.Candles:
        market = self._public(pair)
        return public_replies.candles(market.engine, market.tape, since_ms, duration_s)

    # --- private: reading ------------------------------------------------------------------------------------------

    def balance(self, owner: str, assets: Sequence[str] = ()) -> wire.Balances:
        return private_replies.balances(self.ledger, owner, assets)

    def fee_info(self, owner: str, pair: str, now_ms: int = 0) -> wire.FeeInfo:
        """With the volume of the last thirty days in the market's counter asset, as of midnight UTC."""
        volume = self._desk.month_volume(owner, self._private(pair).rules.counter, now_ms)
        return private_replies.fee_info(self._desk.rates(owner, pair), volume)

    def listorders_v1(
        self,
        owner: str,
        *,
        pair: str = "",
        state: str = "",
        created_before_ms: int | None = None,
        limit: int | None = None,
    ) -> wire.OrdersV1:
        """Newest first. state: PENDING, COMPLETE or all."""
        if state not in ("", "PENDING", "COMPLETE"):
            raise refuse("ErrInvalidArguments", detail="state must be PENDING or COMPLETE")
        live = None if not state else state == "PENDING"
        rows = [order_v1(order) for order in self._list(owner, pair, live, created_before_ms, limit)]
        return wire.OrdersV1(rows or ([] if self.behaviour.null_lists == "none" else None))

    def listorders_v2(
        self,
        owner: str,
        *,
        pair: str = "",
        closed: bool = False,
        created_before_ms: int | None = None,
        limit: int | None = None,
    ) -> wire.OrdersV2:
        """Newest first."""
        found = self._list(owner, pair, not closed, created_before_ms, limit)
        return wire.OrdersV2([order_v2(order) for order in found])

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

    def listtrades(
        self,
        owner: str,
        pair: str,
        *,
        since_ms: int | None = None,
        before_ms: int | None = None,
        after_seq: int | None = None,
        before_seq: int | None = None,
        sort_desc: bool = False,
        limit: int | None = None,
    ) -> wire.UserTrades:
        """Fills of an account in one market. since_ms and after_seq include their value, the others do not.

        Ascending from the lower bound, or the newest ``limit`` where there is none; newest first with ``before_ms``
        or ``sort_desc``.
        """
        self._private(pair)
        return private_replies.trades(
            self._desk.fills(owner, pair),
            since_ms=since_ms,
            before_ms=before_ms,
            after_seq=after_seq,
            before_seq=before_seq,
            sort_desc=sort_desc,
            limit=limit,
        )

    # --- private: acting -------------------------------------------------------------------------------------------

    def postorder(
        self,
        now_ms: int,
        owner: str,
        *,
        pair: str,
        type: str,
        volume: str,
        price: str,
        post_only: bool = False,
        time_in_force: str = "",
        stop_price: str = "",
        stop_direction: str = "",
        base_account_id: int | None = None,
        counter_account_id: int | None = None,
        timestamp_ms: int | None = None,
        ttl_ms: int | None = None,
        client_order_id: str = "",
    ) -> wire.PostOrderReply:
        market = self._private(pair)
        order_checks.deadline(now_ms, timestamp_ms, ttl_ms)
        self._desk.check_accounts(owner, market.rules, base_account_id, counter_account_id)
        request = order_checks.limit_order(
            market.rules,
            type=type,
            volume=volume,
            price=price,
            time_in_force=time_in_force,
            post_only=post_only,
            client_order_id=client_order_id,
        )
        request = order_checks.stop(request, market.engine, stop_price, stop_direction)
        order_checks.trading(market.engine.status, post_only=post_only)
        return self._intake.submit(now_ms, owner, request)

    def marketorder(
        self,
        now_ms: int,
        owner: str,
        *,
        pair: str,
        type: str,
        base_volume: str = "",
        counter_volume: str = "",
        base_account_id: int | None = None,
        counter_account_id: int | None = None,
        timestamp_ms: int | None = None,
        ttl_ms: int | None = None,
        client_order_id: str = "",
    ) -> wire.PostOrderReply:
        market = self._private(pair)
        order_checks.deadline(now_ms, timestamp_ms, ttl_ms)
        self._desk.check_accounts(owner, market.rules, base_account_id, counter_account_id)
        order_checks.trading(market.engine.status, post_only=False)
        request = order_checks.market_order(
            market.engine,
            type=type,
            base_volume=base_volume,
            counter_volume=counter_volume,
            client_order_id=client_order_id,
        )
        return self._intake.submit(now_ms, owner, request)

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

    def _list(
        self, owner: str, pair: str, live: bool | None, before_ms: int | None, limit: int | None
    ) -> list[VisitorOrder]:
        if pair:
            self._private(pair)
        return private_replies.newest(self._desk.orders(owner, pair, live=live), before_ms, limit)

    def _find(self, owner: str, order_id: str) -> VisitorOrder:
        order = self._desk.order(owner, order_id)
        if order is None:
            raise refuse("ErrOrderNotFound")
        return order

    def _cached(self, pair: str, now_ms: int, make: Callable[[Engine], wire.OrderBookReply]) -> wire.OrderBookReply:
        """A book made now, or within the last second where that is the behaviour."""
        market = self._public(pair)
        return market.cached(now_ms, make) if self.behaviour.cached_book else make(market.engine)

    def _chosen(self, pairs: Sequence[str]) -> list[Listing]:
        return [market for pair, market in self._markets.items() if not pairs or pair in pairs]

    def _public(self, pair: str) -> Listing:
        market = self._markets.get(pair)
        if market is None:
            raise refuse("ErrMarketUnavailable")
        return market

    def _private(self, pair: str) -> Listing:
        market = self._markets.get(pair)
        if market is None:
            raise refuse("ErrInvalidMarketPair")
        return market
