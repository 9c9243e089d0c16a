"""The REST interface as a table: path, method, who may call, and what is done (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lunomm.luno.wire import StopOrderReply
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.faults import CLEAN, CallDecision
from lunomm.simulator.keys import ANY_KEY, R_BALANCE, R_ORDERS, R_TRANSACTIONS, R_WITHDRAWALS, W_ORDERS, W_SEND
from lunomm.simulator.parameters import Parameters
from lunomm.simulator.refusals import refuse


@dataclass(frozen=True)
class Request:
    """One call. now_ms: the exchange's time. owner: "" where no key is needed. path_id: the order id in the path.

    fault: what goes wrong with it.
    """

    now_ms: int
    owner: str
    given: Parameters
    path_id: str = ""
    fault: CallDecision = CLEAN


Reply = msgspec.Struct | dict[str, object]


@dataclass(frozen=True)
class Call:
    """One endpoint. needs: permission bits (0: any valid key), None where no key is asked for.

    acts: it may change a market, so the streams have something to send.
    """

    method: str
    path: str
    needs: int | None
    answer: Callable[[Exchange, Request], Reply]
    acts: bool = False

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path.removesuffix("/{id}").rpartition("/")[2]


def _candles(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.candles(given.text("pair"), given.number("since") or 0, given.number("duration") or 0)


def _listorders_v1(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.listorders_v1(
        request.owner,
        pair=given.text("pair"),
        state=given.text("state"),
        created_before_ms=given.number("created_before"),
        limit=given.number("limit"),
    )


def _listorders_v2(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.listorders_v2(
        request.owner,
        pair=given.text("pair"),
        closed=given.flag("closed"),
        created_before_ms=given.number("created_before"),
        limit=given.number("limit"),
    )


def _order_v3(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.order_v3(
        request.owner, order_id=given.text("id"), client_order_id=given.text("client_order_id")
    )


def _listtrades(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.listtrades(
        request.owner,
        given.text("pair"),
        since_ms=given.number("since"),
        before_ms=given.number("before"),
        after_seq=given.number("after_seq"),
        before_seq=given.number("before_seq"),
        sort_desc=given.flag("sort_desc"),
        limit=given.number("limit"),
    )


def _postorder(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.postorder(
        request.now_ms,
        request.owner,
        pair=given.text("pair"),
        type=given.text("type"),
        volume=given.text("volume"),
        price=given.text("price"),
        post_only=given.flag("post_only"),
        time_in_force=given.text("time_in_force"),
        stop_price=given.unset_zero("stop_price"),
        stop_direction=given.text("stop_direction"),
        base_account_id=given.number("base_account_id"),
        counter_account_id=given.number("counter_account_id"),
        timestamp_ms=_timestamp(request),
        ttl_ms=given.number("ttl"),
        client_order_id=given.text("client_order_id"),
        held=request.fault.awaiting,
    )


def _timestamp(request: Request) -> int | None:
    """As the exchange's clock sees it, which may be off; None where nobody looks."""
    timestamp = request.given.number("timestamp")
    if timestamp is None or request.fault.no_ttl:
        return None
    return timestamp - round(request.fault.skew_s * 1000)


def _marketorder(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    return exchange.venue.marketorder(
        request.now_ms,
        request.owner,
        pair=given.text("pair"),
        type=given.text("type"),
        base_volume=given.unset_zero("base_volume"),
        counter_volume=given.unset_zero("counter_volume"),
        base_account_id=given.number("base_account_id"),
        counter_account_id=given.number("counter_account_id"),
        timestamp_ms=_timestamp(request),
        ttl_ms=given.number("ttl"),
        client_order_id=given.text("client_order_id"),
    )


def _stoporder(exchange: Exchange, request: Request) -> Reply:
    order_id = request.given.text("order_id")
    if not order_id:
        raise refuse("ErrInvalidArguments", detail="order_id is missing")
    fault, venue = request.fault, exchange.venue
    if fault.cancel == "false":
        return StopOrderReply(False)
    if fault.cancel == "unknown":
        raise refuse("ErrCannotStopUnknownOrNonPendingOrder")
    if fault.cancel == "late" and venue.order_v2(request.owner, order_id).status != "COMPLETE":
        due_ns = request.now_ms * 1_000_000 + round(fault.after_s * 1e9)
        exchange.cancel_late(due_ns, request.owner, order_id, fault.share)
        return StopOrderReply(True)
    if fault.cancel == "fill":
        venue.fill_order(request.now_ms, request.owner, order_id, fault.share)
    return venue.stoporder(request.now_ms, request.owner, order_id)


def _transactions(exchange: Exchange, request: Request) -> Reply:
    given = request.given
    # A row number may be zero here, unlike elsewhere: it counts back from the newest.
    low, high = (given.number(name) or 0 if given.text(name) else None for name in ("min_row", "max_row"))
    return exchange.venue.transactions(request.owner, request.path_id, low, high)


def _networks(exchange: Exchange, request: Request) -> Reply:
    return {"networks": [{"id": 1, "name": "Ethereum", "native_currency": "ETH"}]}


def _validate_address(exchange: Exchange, request: Request) -> Reply:
    currency = request.given.text("currency")
    if not currency or currency not in exchange.venue.ledger.assets():
        raise refuse("ErrInvalidArguments", detail="currency is not one of this account")
    return {"success": bool(request.given.text("address"))}


CALLS: tuple[Call, ...] = (
    Call("GET", "/api/exchange/1/markets", None, lambda e, r: e.venue.markets(r.given.all("pair"))),
    Call("GET", "/api/1/ticker", None, lambda e, r: e.venue.ticker(r.now_ms, r.given.text("pair"))),
    Call("GET", "/api/1/tickers", None, lambda e, r: e.venue.tickers(r.now_ms, r.given.all("pair"))),
    Call("GET", "/api/1/orderbook_top", None, lambda e, r: e.venue.orderbook_top(r.given.text("pair"), r.now_ms)),
    Call("GET", "/api/1/orderbook", None, lambda e, r: e.venue.orderbook(r.given.text("pair"), r.now_ms)),
    Call(
        "GET",
        "/api/1/trades",
        None,
        lambda e, r: e.venue.trades(r.now_ms, r.given.text("pair"), r.given.number("since")),
    ),
    Call("GET", "/api/exchange/1/candles", ANY_KEY, _candles),
    Call("GET", "/api/1/balance", R_BALANCE, lambda e, r: e.venue.balance(r.owner, r.given.all("assets"))),
    Call("GET", "/api/1/accounts/{id}/transactions", R_TRANSACTIONS, _transactions),
    Call("GET", "/api/1/fee_info", R_ORDERS, lambda e, r: e.venue.fee_info(r.owner, r.given.text("pair"), r.now_ms)),
    Call("POST", "/api/1/postorder", W_ORDERS, _postorder, acts=True),
    Call("POST", "/api/1/marketorder", W_ORDERS, _marketorder, acts=True),
    Call("POST", "/api/1/stoporder", W_ORDERS, _stoporder, acts=True),
    Call("GET", "/api/1/listorders", R_ORDERS, _listorders_v1),
    Call("GET", "/api/1/orders/{id}", R_ORDERS, lambda e, r: e.venue.order_v1(r.owner, r.path_id)),
    Call("GET", "/api/exchange/2/listorders", R_ORDERS, _listorders_v2),
    Call("GET", "/api/exchange/2/orders/{id}", R_ORDERS, lambda e, r: e.venue.order_v2(r.owner, r.path_id)),
    Call("GET", "/api/exchange/3/order", R_ORDERS, _order_v3),
    Call("GET", "/api/1/listtrades", R_ORDERS, _listtrades),
    Call("GET", "/api/1/send/networks", ANY_KEY, _networks),
    Call("POST", "/api/1/address/validate", W_SEND, _validate_address),
    Call("GET", "/api/1/withdrawals", R_WITHDRAWALS, lambda e, r: {"withdrawals": []}),
)
"""Everything a market maker calls."""


def touched(exchange: Exchange, call: Call, request: Request) -> list[str]:
    """The markets a call that acts may have changed."""
    pair = request.given.text("pair")
    return [pair] if pair in exchange.houses else exchange.pairs
