"""Luno's words end here: sides, ends, makers, balances."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import msgspec
import pytest

from lunomm.errors import MarketDataError
from lunomm.luno import as_events
from lunomm.luno.wire import decode_user_frame
from lunomm.luno.wire_rest import AccountBalance, OrderV2, Ticker, UserTrade
from lunomm.market.rules import Side
from lunomm.trading.events import BalanceSeen, FillSeen, StatusSeen
from lunomm.trading.orders import Amounts

ORDER = {
    "order_id": "BXH4T9QW2MZ7KRE", "client_order_id": "lm1-ETHMYR-k-1-B0", "pair": "ETHMYR", "side": "BUY",
    "type": "LIMIT", "status": "COMPLETE", "limit_price": "9350.00", "limit_volume": "0.01", "base": "0.004",
    "counter": "37.40", "fee_base": "0.000014", "fee_counter": "0.00", "creation_timestamp": 1776470400200,
    "completed_timestamp": 1776470403950, "expiration_timestamp": 1776470403948,
}  # fmt: skip
TRADE = {
    "pair": "ETHMYR", "sequence": 3256813, "order_id": "BXH4T9QW2MZ7KRE", "client_order_id": "lm1-ETHMYR-k-1-B0",
    "type": "BID", "timestamp": 1776470401500, "price": "9350.00", "volume": "0.004", "base": "0.004",
    "counter": "37.40", "fee_base": "0.000014", "fee_counter": "0.00", "is_buy": False,
}  # fmt: skip


def order(**changes: Any) -> OrderV2:
    return msgspec.convert({**ORDER, **changes}, OrderV2)


@pytest.mark.parametrize(
    ("status", "is_open"), [("COMPLETE", False), ("PENDING", True), ("AWAITING", True), ("NEW", True)]
)
def test_only_complete_is_not_open(status: str, is_open: bool) -> None:
    assert as_events.venue_order(order(status=status)).open is is_open


def test_an_order_whole() -> None:
    seen = as_events.venue_order(order())
    assert (seen.side, seen.price, seen.volume) == (Side.BID, D(9350), D("0.01"))
    assert seen.filled == Amounts(D("0.004"), D("37.40"), D("0.000014"), D(0))
    assert seen.completed_ms == 1776470403950
    assert as_events.venue_order(order(side="SELL")).side is Side.ASK
    with pytest.raises(MarketDataError):
        as_events.venue_order(order(side="HODL"))


@pytest.mark.parametrize(
    ("side", "is_buy", "maker"),
    [("BID", False, True), ("BID", True, False), ("ASK", True, True), ("ASK", False, False)],
)
def test_who_made(side: str, is_buy: bool, maker: bool) -> None:
    row = msgspec.convert({**TRADE, "type": side, "is_buy": is_buy}, UserTrade)
    assert as_events.venue_trade(row).maker is maker


def test_a_rebate_is_a_negative_fee() -> None:
    row = msgspec.convert({**TRADE, "fee_counter": "-0.05"}, UserTrade)
    assert as_events.venue_trade(row).amounts.fee_counter == D("-0.05")


def test_balances_by_account() -> None:
    (row,) = as_events.venue_balances([AccountBalance("4203463422864003001", "MYR", "500.00", "93.50")])
    assert (row.account_id, row.total, row.reserved) == (4203463422864003001, D(500), D("93.50"))


def frame(kind: str, payload: str) -> Any:
    names = {
        "order_status": "order_status_update",
        "order_fill": "order_fill_update",
        "balance_update": "balance_update",
    }
    parts = ",".join(f'"{name}":{payload if key == kind else "null"}' for key, name in names.items())
    return as_events.user_event(decode_user_frame(f'{{"type":"{kind}","timestamp":1,{parts}}}'))  # type: ignore[arg-type]


def test_the_three_user_messages() -> None:
    status = frame("order_status", '{"order_id":"BX1","client_order_id":"c","market_id":"ETHMYR","status":"COMPLETE"}')
    assert status == StatusSeen("ETHMYR", "BX1", "c", open=False)
    fill = frame(
        "order_fill",
        '{"order_id":"BX1","client_order_id":"c","market_id":"ETHMYR","base_fill":"0.00400000",'
        '"counter_fill":"37.4000000000000000","base_delta":"0.001","counter_delta":"9.35","base_fee":"0.00001400",'
        '"counter_fee":"0","base_fee_delta":"0","counter_fee_delta":"0"}',
    )
    assert isinstance(fill, FillSeen)
    assert fill.total == Amounts(D("0.004"), D("37.4"), D("0.000014"), D(0))
    assert fill.delta.base == D("0.001")
    balance = frame(
        "balance_update",
        '{"account_id":4203463422864003001,"row_index":812,"balance":"500.0","balance_delta":"0","available":"406.5",'
        '"available_delta":"-93.5"}',
    )
    assert balance == BalanceSeen(4203463422864003001, 812, D(500), D("406.5"))


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [("100", "102", D(101)), ("0.00", "102", None), ("100", "0.00", None), ("102", "100", None), ("1", "1", None)],
)
def test_the_middle_of_a_touch(bid: str, ask: str, mid: D | None) -> None:
    ticker = Ticker("ETHMYR", 1, bid, ask, "0.00", "0.00", "ACTIVE")
    assert as_events.mid(ticker) == mid
