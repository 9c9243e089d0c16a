"""Luno's REST calls, typed.

After a write three things can be known: it was done (the method returns), it did nothing (`OrderRejected`,
`RateLimited`, `CredentialsError`, or `ConnectivityError`: the request never left), or nothing is known
(`OutcomeUnknown`). A write that is *cancelled* while it runs is unknown too, though no error can say so: whoever
cancels the task must look the order up.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from decimal import Decimal
from types import TracebackType
from typing import Self

from lunomm.errors import CredentialsError, ExchangeError, OrderRejected, OrderStateError
from lunomm.luno import wire
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.replies import ABSENT, CANCEL, GONE, PLACE
from lunomm.luno.transport import Params, Skew, Transport
from lunomm.market.rules import Side

READ_S = 10.0
WRITE_S = 5.0
PLACE_PATIENCE_S = 1.0
"""Longest wait for the call budget before an order is placed: its time to live is 3 s and is already running."""

MAX_TTL_MS = 10_000
PAGE = 1000
NO_PERMISSION = "ErrInsufficientPerms"
NO_SUCH_ORDER = "BXNOSUCHORDER"
"""Like an order's id in form only."""

PASSES = 4

_CLIENT_ID = re.compile(r"[0-9A-Za-z_;,.\-]{1,255}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


class LunoRest:
    """One account's calls over one connection pool. Use as ``async with LunoRest(...) as rest``.

    Args:
        endpoint: where to. key: sent with private calls only; ``None`` allows the public ones.
        budget: shared by everything that uses this key.
        timeout_s: whole time of one read, its answer included. write_timeout_s: the same for a write.

    Raises: every read raises ConnectivityError (after one more try), RateLimited, CredentialsError, or ExchangeError
        with Luno's ``code``; see the module for writes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        key: ApiKey | None,
        budget: CallBudget,
        *,
        timeout_s: float = READ_S,
        write_timeout_s: float = WRITE_S,
    ) -> None:
        self._http = Transport(endpoint, key, budget, timeout_s, write_timeout_s)
        self._write_timeout_s = write_timeout_s

    async def __aenter__(self) -> Self:
        await self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    # --- public ----------------------------------------------------------------------------------------------------

    async def markets(self, pair: str | None = None) -> list[wire.MarketInfo]:
        """All markets, or the one; empty when there is no such pair."""
        reply = await self._http.get("/api/exchange/1/markets", wire.Markets, {"pair": pair})
        return [row for row in reply.markets or () if pair in (None, row.market_id)]

    async def ticker(self, pair: str) -> wire.Ticker:
        return await self._http.get("/api/1/ticker", wire.Ticker, {"pair": pair})

    async def tickers(self) -> list[wire.Ticker]:
        return (await self._http.get("/api/1/tickers", wire.Tickers, {})).tickers or []

    async def orderbook_top(self, pair: str) -> wire.OrderBookReply:
        """The best 100 price levels a side, volumes summed; may be a second old."""
        return await self._http.get("/api/1/orderbook_top", wire.OrderBookReply, {"pair": pair})

    async def orderbook(self, pair: str) -> wire.OrderBookReply:
        """One entry an order, without ids; may be a second old."""
        return await self._http.get("/api/1/orderbook", wire.OrderBookReply, {"pair": pair})

    async def trades(self, pair: str, since_ms: int | None = None) -> list[wire.PublicTrade]:
        """At most the last 100 trades of 24 h, newest first. since_ms: exclusive, not older than 24 h."""
        reply = await self._http.get("/api/1/trades", wire.PublicTrades, {"pair": pair, "since": since_ms})
        return reply.trades or []

    # --- any key ---------------------------------------------------------------------------------------------------

    async def candles(self, pair: str, since_ms: int, duration_s: int) -> list[wire.Candle]:
        """At most the first 1000 candles from ``since_ms``, oldest first. Needs a key, any."""
        params: Params = {"pair": pair, "since": since_ms, "duration": duration_s}
        return (await self._http.get("/api/exchange/1/candles", wire.Candles, params, private=True)).candles or []

    # --- account ---------------------------------------------------------------------------------------------------

    async def balances(self) -> list[wire.AccountBalance]:
        """Every account of the user; several may hold one asset."""
        return (await self._http.get("/api/1/balance", wire.Balances, {}, private=True)).balance or []

    async def transactions(self, account_id: int, min_row: int, max_row: int) -> list[wire.AccountTransaction]:
        """Rows of one account's ledger from ``min_row`` on, before ``max_row``; at most 1000 apart."""
        path = f"/api/1/accounts/{account_id}/transactions"
        params: Params = {"min_row": min_row, "max_row": max_row}
        return (await self._http.get(path, wire.AccountTransactions, params, private=True)).transactions or []

    async def fee_info(self, pair: str) -> wire.FeeInfo:
        return await self._http.get("/api/1/fee_info", wire.FeeInfo, {"pair": pair}, private=True)

    async def list_orders(
        self, pair: str | None, *, closed: bool = False, created_before_ms: int | None = None, limit: int = PAGE
    ) -> list[wire.OrderV2]:
        """One page, newest first. pair: None = all markets. closed: finished orders instead of live ones. limit: 1 to
        1000. Urgent."""
        params: Params = {"pair": pair, "closed": closed, "created_before": created_before_ms, "limit": limit}
        path = "/api/exchange/2/listorders"
        return (await self._http.get(path, wire.OrdersV2, params, private=True, urgent=True)).orders or []

    async def open_orders(self, pair: str | None) -> list[wire.OrderV2]:
        """Every live order of the pair (None: of all markets), page after page, newest first. Urgent.

        Orders come and go while pages are turned: more than one page is listed until two passes show the same orders.

        Raises:
            ExchangeError: PAGES: more than a page of orders was created in one millisecond, so the rest cannot be asked
                for, or no two passes agreed; the list would be incomplete.
        """
        where = pair or "all markets"
        before = await self._pages(pair)
        if len(before) < PAGE:
            return before
        for _ in range(PASSES):
            after = await self._pages(pair)
            if {order.order_id for order in after} == {order.order_id for order in before}:
                return after
            before = after
        raise ExchangeError(f"open orders of {where}: change faster than they can be listed", code="PAGES")

    async def _pages(self, pair: str | None) -> list[wire.OrderV2]:
        """One pass over all pages."""
        found: dict[str, wire.OrderV2] = {}
        before: int | None = None
        while True:
            page = await self.list_orders(pair, created_before_ms=before)
            new = {order.order_id: order for order in page if order.order_id not in found}
            found.update(new)
            if len(page) < PAGE:
                return list(found.values())
            if not new:
                raise ExchangeError(f"open orders of {pair or 'all markets'}: cannot be listed whole", code="PAGES")
            # Orders of that very millisecond may be on the next page: ask for them again, known ones are skipped.
            before = min(order.creation_timestamp for order in page) + 1

    async def find_order(
        self, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> wire.OrderV2 | None:
        """The order of that id (exactly one must be given); ``None`` only when Luno says there is none. Urgent."""
        if (order_id is None) == (client_order_id is None):
            raise OrderStateError("an order is found by exactly one of its ids")
        params: Params = {"id": order_id, "client_order_id": client_order_id}
        try:
            found = await self._http.get("/api/exchange/3/order", wire.OrderV2, params, private=True, urgent=True)
        except ExchangeError as error:
            if error.code in ABSENT:
                return None
            raise
        if order_id not in (None, found.order_id) or client_order_id not in (None, found.client_order_id):
            raise ExchangeError("order: Luno answered with another order than asked for", code="BAD_REPLY")
        return found

    async def list_trades(
        self, pair: str, *, after_seq: int | None = None, since_ms: int | None = None, limit: int = 100
    ) -> list[wire.UserTrade]:
        """Own fills, oldest first, perhaps behind the latest. after_seq and since_ms are inclusive; limit: 1 to 100."""
        params: Params = {"pair": pair, "after_seq": after_seq, "since": since_ms, "limit": limit}
        return (await self._http.get("/api/1/listtrades", wire.UserTrades, params, private=True)).trades or []

    async def may_send(self) -> bool | None:
        """Whether the key may send money; None when that cannot be told. Asks for the check of an address in a currency
        that does not exist: it moves nothing, and only a key without the permission is refused for it."""
        form: Params = {"currency": "NONE", "address": "none"}
        return await _permitted(
            self._http.post("/api/1/address/validate", wire.StopOrderReply, form, PLACE, patience_s=1.0)
        )

    async def may_see_withdrawals(self) -> bool | None:
        """Whether the key may list withdrawals, as presets that can withdraw may; None when that cannot be told."""
        try:
            await self._http.get("/api/1/withdrawals", wire.Withdrawals, {}, private=True)
        except CredentialsError as error:
            return False if NO_PERMISSION in str(error) else None
        except ExchangeError:
            return None
        return True

    async def may_trade(self) -> bool | None:
        """Whether the key may create and cancel orders; None when that cannot be told. Asks to cancel an order that
        does not exist: it changes nothing, and only a key without the permission is refused for it."""
        return await _permitted(self.stop_order(NO_SUCH_ORDER))

    # --- writes ----------------------------------------------------------------------------------------------------

    async def post_order(
        self,
        *,
        pair: str,
        side: Side,
        volume: Decimal,
        price: Decimal,
        client_order_id: str,
        timestamp_ms: int,
        ttl_ms: int,
        post_only: bool = True,
        base_account_id: int | None = None,
        counter_account_id: int | None = None,
    ) -> str:
        """Place a limit order and return Luno's id for it; it exists, and may already have traded or gone.

        Args:
            volume, price: base, and counter per base; sent as written, so on the market's grid.
            timestamp_ms, ttl_ms: Luno refuses the order once timestamp + ttl has passed on its clock; ttl 1 to 10000.
            base_account_id, counter_account_id: where a currency has several accounts; None = Luno's default.

        Raises:
            OrderRejected: no order was created by this call; ``code`` is Luno's, or BAD_ORDER when it was never sent.
                For ErrDuplicateClientOrderID an order of that id exists nevertheless.
            RateLimited, CredentialsError, ConnectivityError: not delivered or not looked at; no order.
            OutcomeUnknown: there may be an order.
        """
        amounts = {"volume": format(volume, "f"), "price": format(price, "f")}
        if not (_CLIENT_ID.fullmatch(client_order_id) and 1 <= ttl_ms <= MAX_TTL_MS and timestamp_ms > 0):
            raise OrderRejected("order: client id, timestamp or time to live cannot be sent", code="BAD_ORDER")
        if not all(_AMOUNT.fullmatch(text) and Decimal(text) > 0 for text in amounts.values()):
            raise OrderRejected("order: price or volume is no positive plain number", code="BAD_ORDER")
        form: Params = {
            "pair": pair,
            "type": side.value,
            **amounts,
            "post_only": post_only,
            "client_order_id": client_order_id,
            "timestamp": timestamp_ms,
            "ttl": ttl_ms,
            "base_account_id": base_account_id,
            "counter_account_id": counter_account_id,
        }
        reply = await self._http.post("/api/1/postorder", wire.PostOrderReply, form, PLACE, patience_s=PLACE_PATIENCE_S)
        return reply.order_id

    async def stop_order(self, order_id: str) -> bool:
        """Cancel. True: Luno took it out of the book. False: it was not live any more, or was not cancelled.

        Either way only a read of the order says what was filled. Urgent.

        Raises:
            OutcomeUnknown, RateLimited, CredentialsError, ConnectivityError, OrderRejected: as for an order.
        """
        try:
            reply = await self._http.post(
                "/api/1/stoporder",
                wire.StopOrderReply,
                {"order_id": order_id},
                CANCEL,
                urgent=True,
                patience_s=self._write_timeout_s,
            )
        except OrderRejected as error:
            if error.code in GONE:
                return False
            raise
        return reply.success

    # --- clock -----------------------------------------------------------------------------------------------------

    def last_date_ms(self) -> int | None:
        """Luno's clock by the last answer's Date header, Unix ms, cut to a second; ``None`` before the first."""
        return self._http.date_ms

    def skew(self) -> Skew | None:
        """Luno's clock against this machine's, from the last answer that no cache had a part in."""
        return self._http.skew


async def _permitted(call: Awaitable[object]) -> bool | None:
    """Whether the key may make a call that can do nothing: it is refused for the permission, or for what it says."""
    try:
        await call
    except CredentialsError as error:
        return False if NO_PERMISSION in str(error) else None
    except OrderRejected:
        return True
    except ExchangeError:
        return None
    return True
