from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from lunomm.errors import LunommError, MarketDataError
from lunomm.luno import wire
from lunomm.luno.wire import decode
from lunomm.market.rules import Side

ROW: dict[str, Any] = {
    "market_id": "XBTUSDT",
    "trading_status": "ACTIVE",
    "base_currency": "XBT",
    "counter_currency": "USDT",
    "min_volume": "0.0005",
    "max_volume": "100.00",
    "volume_scale": 4,
    "min_price": "100.00",
    "max_price": "1000000.00",
    "price_scale": 4,
    "fee_scale": 8,
}
ORDER: dict[str, Any] = {
    "order_id": "BXH4T9QW2MZ7KRE",
    "client_order_id": "mm-7f3-000041",
    "pair": "ETHMYR",
    "side": "BUY",
    "type": "LIMIT",
    "status": "COMPLETE",
    "time_in_force": "GTC",
    "limit_price": "9350.00",
    "limit_volume": "0.01",
    "stop_price": "0.00",
    "stop_direction": "",
    "base": "0.004",
    "counter": "37.40",
    "fee_base": "0.000014",
    "fee_counter": "0.00",
    "base_account_id": 4203463422864003002,
    "counter_account_id": 4203463422864003001,
    "creation_timestamp": 1776470400200,
    "completed_timestamp": 1776470403950,
    "expiration_timestamp": 1776470403948,
}
TRADE: dict[str, Any] = {
    "pair": "ETHMYR",
    "sequence": 3256813,
    "order_id": "BXH4T9QW2MZ7KRE",
    "client_order_id": "mm-7f3-000041",
    "type": "BID",
    "timestamp": 1776470401500,
    "price": "9350.00",
    "volume": "0.004",
    "base": "0.004",
    "counter": "37.40",
    "fee_base": "-0.000014",
    "fee_counter": "0.00",
    "is_buy": False,
}
ACCOUNT: dict[str, Any] = {
    "account_id": "4203463422864003001",
    "asset": "MYR",
    "balance": "500.00",
    "reserved": "93.50",
    "unconfirmed": "0.00",
    "name": "MYR wallet",
}


def read(shape: type[Any], value: object) -> Any:
    return decode(json.dumps(value), shape, "reply", limit=wire.MAX_REPLY)


# --- markets -------------------------------------------------------------------------------------------------------


def test_market_row_as_rules() -> None:
    rules = read(wire.Markets, {"markets": [ROW]}).markets[0].rules()
    assert (rules.pair, rules.base, rules.counter, rules.status) == ("XBTUSDT", "XBT", "USDT", "ACTIVE")
    assert (rules.tick_size, rules.lot_size) == (Decimal("0.0001"), Decimal("0.0001"))
    assert (rules.min_volume, rules.max_price) == (Decimal("0.0005"), Decimal(1000000))


@pytest.mark.parametrize("word", ["POST_ONLY", "SUSPENDED"])
def test_market_status_words(word: str) -> None:
    assert read(wire.Markets, {"markets": [{**ROW, "trading_status": word}]}).markets[0].rules().status == "POSTONLY"


def test_thousands_as_tick() -> None:
    """XBTIDR moves in thousands."""
    rules = read(wire.Markets, {"markets": [{**ROW, "price_scale": -3}]}).markets[0].rules()
    assert rules.tick_size == 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"market_id": "XBT:MYR"},
        {"market_id": "\x1b[31m"},
        {"market_id": ""},
        {"base_currency": "XBT\x1b]0;owned\x07"},
        {"counter_currency": ""},
        {"min_volume": "NaN"},
        {"max_volume": "1e9"},
        {"min_price": "-1"},
        {"max_price": ""},
        {"min_price": "2000000"},
        {"price_scale": 99},
        {"volume_scale": -1},
    ],
)
def test_one_odd_market_row_hides_no_other(changes: dict[str, Any]) -> None:
    rows = read(wire.Markets, {"markets": [{**ROW, **changes}, ROW]}).markets
    with pytest.raises(LunommError):
        rows[0].rules()
    assert rows[1].rules().pair == "XBTUSDT"


# --- account -------------------------------------------------------------------------------------------------------


def test_orders_trades_balances_as_documented() -> None:
    order = read(wire.OrderV2, ORDER)
    assert not order.live and order.base_account_id == 4203463422864003002
    assert read(wire.UserTrades, {"trades": [TRADE]}).trades[0].fee_base == "-0.000014"
    assert read(wire.Balances, {"balance": [ACCOUNT]}).balance[0].reserved == "93.50"


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        (wire.OrdersV1, "orders"),
        (wire.OrdersV2, "orders"),
        (wire.UserTrades, "trades"),
        (wire.PublicTrades, "trades"),
        (wire.Candles, "candles"),
        (wire.Balances, "balance"),
        (wire.Markets, "markets"),
        (wire.Tickers, "tickers"),
    ],
)
def test_null_lists_are_empty_ones(shape: type[Any], key: str) -> None:
    assert getattr(read(shape, {key: None, "duration": 60, "pair": "XBTMYR"}), key) is None
    with pytest.raises(MarketDataError):
        read(shape, {})


def test_a_market_order_of_another_program_has_no_limits() -> None:
    order = {k: v for k, v in ORDER.items() if not k.startswith("limit_")}
    assert read(wire.OrderV2, {**order, "type": "MARKET", "time_in_force": ""}).limit_price == "0.00"


@pytest.mark.parametrize("word", ["AWAITING", "PENDING", "SOMETHING_NEW"])
def test_only_complete_is_not_live(word: str) -> None:
    assert read(wire.OrderV2, {**ORDER, "status": word}).live


@pytest.mark.parametrize(
    ("shape", "row", "changes"),
    [
        (wire.OrderV2, ORDER, changes)
        for changes in (
            {"base": "-0.004"},
            {"base": None},
            {"base": 0.004},
            {"counter": "1e3"},
            {"limit_price": "NaN"},
            {"fee_base": "+1"},
            {"order_id": ""},
            {"order_id": "BX 1"},
            {"client_order_id": "a" * 256},
            {"status": "P" * 41},
            {"pair": "ethmyr"},
            {"completed_timestamp": -1},
            {"completed_timestamp": "0"},
            {"base_account_id": "4203463422864003002"},
            {"base_account_id": 2**63},
        )
    ]
    + [
        (wire.UserTrade, TRADE, changes)
        for changes in ({"sequence": "5"}, {"sequence": -1}, {"is_buy": 0}, {"volume": ""}, {"price": "Infinity"})
    ]
    + [
        (wire.AccountBalance, ACCOUNT, changes)
        for changes in ({"account_id": 5}, {"account_id": "x"}, {"account_id": "1" * 20}, {"balance": "1,000"})
    ],
)
def test_refused(shape: type[Any], row: dict[str, Any], changes: dict[str, Any]) -> None:
    read(shape, row)
    with pytest.raises(MarketDataError):
        read(shape, {**row, **changes})


# --- fees and sides ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fees", "maker", "taker"),
    [
        ({"maker_fee": "0.0035", "taker_fee": "0.006"}, "0.0035", "0.006"),
        ({"maker_fee": "0.00250000", "taker_fee": "0"}, "0.0025", "0"),
        ({"maker_fee": "9", "taker_fee": "9", "maker_fee_buy": "0.001", "maker_fee_sell": "0.002"}, "0.002", None),
        ({"maker_fee": "-0.0001", "taker_fee": "0.002"}, "-0.0001", "0.002"),
        ({"maker_fee": "0.1", "taker_fee": "0.2", "taker_fee_buy": "0.5"}, "0.1", "0.5"),
    ],
)
def test_fees_are_the_dearer_side_s(fees: dict[str, str], maker: str, taker: str | None) -> None:
    info = read(wire.FeeInfo, fees)
    if taker is None:
        with pytest.raises(MarketDataError, match="implausible"):
            info.rates()
    else:
        assert info.rates() == (Decimal(maker), Decimal(taker))


@pytest.mark.parametrize(("word", "side"), [("BID", "BID"), ("BUY", "BID"), ("ASK", "ASK"), ("SELL", "ASK")])
def test_side_words(word: str, side: str) -> None:
    assert wire.side_of(word) is Side(side)


@pytest.mark.parametrize("word", ["", "bid", "Buy", "LONG", "\x1b[0m"])
def test_unknown_side(word: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        wire.side_of(word)
    assert str(caught.value).isprintable()
