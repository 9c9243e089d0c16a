from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lunomm.luno import wire
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.ledger import FeeRates, from_units
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.public_tape import Bar, Print
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, RawFrame, Venue, VenueError

PAIR = "XBTMYR"
RULES = PairRules(
    pair=PAIR,
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=6,
    min_price=Decimal(100),
    max_price=Decimal(10**6),
    min_volume=Decimal("0.0001"),
    max_volume=Decimal(10),
)
OTHER = PairRules(
    pair="LINKMYR",
    base="LINK",
    counter="MYR",
    price_scale=2,
    volume_scale=2,
    min_price=Decimal("0.01"),
    max_price=Decimal(1000),
    min_volume=Decimal("0.1"),
    max_volume=Decimal(1000),
)
TIER_1 = FeeRates(Decimal("0.0035"), Decimal("0.006"))
NOW = 1_790_000_000_000


def new_venue(behaviour: Behaviour | None = None) -> Venue:
    """A book of 0.001 at each of 300000..299998 and 300002..300004, all the house's; nothing queued."""
    venue = Venue(
        [MarketSpec(RULES, 1000, 50), MarketSpec(OTHER)],
        [
            AccountSpec("ann", {"XBT": Decimal("0.1"), "MYR": Decimal(30000)}, {PAIR: TIER_1}),
            AccountSpec("bob", {"XBT": Decimal(1), "MYR": Decimal(300000)}),
        ],
        random.Random(5),
        behaviour,
    )
    engine = venue.engine(PAIR)
    for step in range(3):
        engine.place(NOW, None, Side.BID, 300000 - step, 1000, order_id=f"b{step}")
        engine.place(NOW, None, Side.ASK, 300002 + step, 1000, order_id=f"a{step}")
    venue.drain()
    return venue


@pytest.fixture
def venue() -> Venue:
    return new_venue()


def post(venue: Venue, owner: str = "ann", now: int = NOW, **over: Any) -> str:
    order: dict[str, Any] = {"pair": PAIR, "type": "BID", "volume": "0.001", "price": "300001"}
    return venue.postorder(now, owner, **(order | over)).order_id


@pytest.mark.parametrize("bound", [3, None])
def test_of_orders_that_ended_without_a_fill_the_last_are_kept(venue: Venue, bound: int | None) -> None:
    venue.desk.unfilled_kept = bound
    filled = post(venue, price="300002", client_order_id="filled")
    resting = post(venue, price="299000", client_order_id="resting")
    gone = []
    for n in range(5):
        gone.append(post(venue, price="299001", client_order_id=f"gone-{n}"))
        venue.stoporder(NOW, "ann", order_id=gone[-1])
    kept = [order.order_id for order in venue.orders("ann", PAIR)]
    assert kept == [filled, resting, *gone[-(bound or 5) :]]
    assert refused(venue, price="299001", client_order_id="gone-4") == ("ErrDuplicateClientOrderID", 409)
    if bound is not None:
        post(venue, price="299001", client_order_id="gone-0")


def refused(venue: Venue, **over: Any) -> tuple[str, int]:
    with pytest.raises(VenueError) as caught:
        post(venue, **over)
    return caught.value.code, caught.value.status


def money(venue: Venue, owner: str, asset: str) -> tuple[str, str]:
    (row,) = venue.balance(owner, [asset]).balance
    return row.balance, row.reserved


def told(venue: Venue, owner: str = "ann") -> list[wire.WireUserMessage]:
    return [
        msgspec.json.decode(frame.raw, type=wire.WireUserMessage)
        for frame in venue.drain()
        if isinstance(frame, UserFrame) and frame.owner == owner
    ]


def sound(venue: Venue) -> None:
    """Money is conserved and reserved is the sum of what live orders hold."""
    for asset in venue.ledger.assets():
        assert venue.ledger.drift(asset) == 0
    for wallet in venue.ledger.wallets():
        held = sum(
            order.reserved
            for order in venue.orders(wallet.owner, live=True)
            if wallet.asset == (order.text.rules.counter if order.request.side is Side.BID else order.text.rules.base)
        )
        assert wallet.reserved == held


# --- placing ----------------------------------------------------------------------------------------------------------


def test_a_resting_bid_reserves_price_times_volume_and_is_pending(venue: Venue) -> None:
    order_id = post(venue, client_order_id="mine-1", post_only=True)
    assert money(venue, "ann", "MYR") == ("30000.00", "300.001")
    frames = venue.drain()
    assert [type(frame) for frame in frames] == [UserFrame, UserFrame, MarketFrame]
    assert json.loads(frames[0].raw) == {
        "type": "balance_update",
        "timestamp": NOW,
        "order_status_update": None,
        "order_fill_update": None,
        "balance_update": {
            "account_id": int(venue.balance("ann", ["MYR"]).balance[0].account_id),
            "row_index": 2,
            "balance": "30000.00",
            "balance_delta": "0.00",
            "available": "29699.999",
            "available_delta": "-300.001",
        },
    }
    assert frames[1].raw == (
        f'{{"type":"order_status","timestamp":{NOW},"order_status_update":{{"order_id":"{order_id}",'
        f'"client_order_id":"mine-1","market_id":"XBTMYR","status":"PENDING"}},"order_fill_update":null,'
        f'"balance_update":null}}'
    )
    order = venue.order_v3("ann", client_order_id="mine-1")
    assert (order.order_id, order.status, order.side, order.type) == (order_id, "PENDING", "BUY", "LIMIT")
    assert (order.limit_price, order.limit_volume, order.base, order.completed_timestamp) == (
        "300001.00",
        "0.001",
        "0.00",
        0,
    )
    sound(venue)


def test_a_maker_bid_filled_in_two_parts_tells_the_whole_story_in_order(venue: Venue) -> None:
    order_id = post(venue, volume="0.002", client_order_id="x")
    venue.drain()
    engine = venue.engine(PAIR)
    engine.place(NOW + 1, None, Side.ASK, 300001, 500)
    engine.place(NOW + 2, None, Side.ASK, 299000, 1500, tif=TimeInForce.IOC)
    messages = told(venue)
    assert [message.type for message in messages] == [
        "order_fill",
        "balance_update",
        "balance_update",
        "balance_update",
    ] * 2 + ["order_status"]
    first, second = (message.order_fill_update for message in messages if message.type == "order_fill")
    assert first is not None and second is not None
    assert (first.base_fill, first.base_delta, first.base_fee, first.counter_fee) == (
        "0.0005",
        "0.0005",
        "0.00000175",
        "0.00",
    )
    assert (second.base_fill, second.base_delta, second.counter_fill, second.counter_delta) == (
        "0.002",
        "0.0015",
        "600.002",
        "450.0015",
    )
    assert (second.base_fee, second.base_fee_delta) == ("0.000007", "0.00000525")
    last = messages[-1].order_status_update
    assert last is not None and (last.status, last.order_id) == ("COMPLETE", order_id)
    assert money(venue, "ann", "MYR") == ("29399.998", "0.00")
    assert money(venue, "ann", "XBT") == ("0.101993", "0.00")
    rows = venue.listtrades("ann", PAIR).trades
    assert rows is not None
    assert [(row.sequence, row.volume, row.is_buy, row.type, row.client_order_id) for row in rows] == [
        (50, "0.0005", False, "BID", "x"),
        (51, "0.0015", False, "BID", "x"),
    ]
    sound(venue)


def test_a_seller_pays_the_fee_in_counter_money(venue: Venue) -> None:
    order_id = post(venue, type="ASK", price="300001")
    assert money(venue, "ann", "XBT") == ("0.10", "0.001")
    venue.engine(PAIR).place(NOW, None, Side.BID, 300001, 1000, tif=TimeInForce.IOC)
    assert money(venue, "ann", "XBT") == ("0.099", "0.00")
    assert money(venue, "ann", "MYR") == ("30298.9509965", "0.00")
    order = venue.order_v2("ann", order_id)
    assert (order.fee_base, order.fee_counter, order.status, order.side) == ("0.00", "1.0500035", "COMPLETE", "SELL")
    assert from_units(venue.ledger.fees["MYR"]) == Decimal("1.0500035")
    sound(venue)


def test_a_taker_pays_the_makers_prices_and_gets_the_better_price_back(venue: Venue) -> None:
    order_id = post(venue, volume="0.0025", price="300003")
    # 0.001 at 300002, 0.001 at 300003, 0.0005 rests at 300003.
    assert money(venue, "ann", "MYR") == ("29399.995", "150.0015")
    assert money(venue, "ann", "XBT") == ("0.101988", "0.00")
    assert venue.order_v2("ann", order_id).counter == "600.005"
    rows = venue.listtrades("ann", PAIR).trades
    assert rows is not None and [row.is_buy for row in rows] == [True, True]
    sound(venue)


def test_a_rebate_is_paid_out() -> None:
    venue = Venue(
        [MarketSpec(RULES)],
        [AccountSpec("ann", {"XBT": Decimal(1)}, other_fees=FeeRates(Decimal("-0.0001"), Decimal("0.002")))],
        random.Random(1),
    )
    post(venue, type="ASK", price="300000", volume="0.01")
    venue.engine(PAIR).place(NOW, None, Side.BID, 300000, 10_000)
    assert money(venue, "ann", "MYR") == ("3000.30", "0.00")
    assert venue.order_v2("ann", venue.orders()[0].order_id).fee_counter == "-0.30"
    sound(venue)


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_an_immediate_order_does_not_trade_returns(venue: Venue, tif: str) -> None:
    order_id = post(venue, volume="0.0015", price="300002", time_in_force=tif)
    order = venue.order_v2("ann", order_id)
    traded = "0.001" if tif == "IOC" else "0.00"
    assert (order.status, order.base, order.time_in_force, order.expiration_timestamp) == ("COMPLETE", traded, tif, 0)
    assert money(venue, "ann", "MYR")[1] == "0.00"
    messages = told(venue)
    assert [message.type for message in messages[-2:]] == ["order_status", "balance_update"]
    assert order_id not in venue.engine(PAIR).orders
    sound(venue)


def test_an_immediate_order_without_a_match_is_an_empty_frame(venue: Venue) -> None:
    post(venue, price="300000", time_in_force="IOC")
    (frame,) = (frame for frame in venue.drain() if isinstance(frame, MarketFrame))
    assert not frame.trades and frame.create is None and frame.delete_id is None
    sound(venue)


def test_a_post_only_order_that_would_trade_leaves_nothing_but_an_empty_frame(venue: Venue) -> None:
    sequence = venue.engine(PAIR).sequence
    assert refused(venue, price="300002", post_only=True, client_order_id="again") == ("ErrOrderCanceled", 400)
    (frame,) = venue.drain()
    assert isinstance(frame, MarketFrame) and frame.sequence == sequence + 1 and frame.create is None
    assert money(venue, "ann", "MYR") == ("30000.00", "0.00")
    assert venue.listorders_v1("ann").orders is None and not venue.visited(PAIR)
    post(venue, post_only=True, client_order_id="again")


@pytest.mark.parametrize(
    ("over", "code", "status"),
    [
        ({"pair": ""}, "ErrInvalidMarketPair", 400),
        ({"pair": "NOPE"}, "ErrInvalidMarketPair", 400),
        ({"type": "BUY"}, "ErrInvalidOrderSide", 400),
        ({"type": ""}, "ErrInvalidOrderSide", 400),
        ({"volume": ""}, "ErrInvalidVolume", 400),
        ({"volume": "-1"}, "ErrInvalidVolume", 400),
        ({"volume": "1e-05"}, "ErrInvalidVolume", 400),
        ({"volume": "NaN"}, "ErrInvalidVolume", 400),
        ({"volume": "٠.٠٠١"}, "ErrInvalidVolume", 400),
        ({"price": ""}, "ErrInvalidPrice", 400),
        ({"price": "3e5"}, "ErrInvalidPrice", 400),
        ({"price": " 300000"}, "ErrInvalidPrice", 400),
        ({"price": "300000.5"}, "ErrPriceDenominationNotAllowed", 400),
        ({"volume": "0.0010001"}, "ErrVolumeDenominationNotAllowed", 400),
        ({"volume": "0"}, "ErrVolumeTooLow", 400),
        ({"volume": "0.000099"}, "ErrVolumeTooLow", 400),
        ({"volume": "10.000001"}, "ErrVolumeTooHigh", 400),
        ({"price": "0"}, "ErrPriceTooLow", 400),
        ({"price": "99"}, "ErrPriceTooLow", 400),
        ({"price": "1000001"}, "ErrPriceTooHigh", 400),
        ({"time_in_force": "GTD"}, "ErrInvalidArguments", 400),
        ({"time_in_force": "IOC", "post_only": True}, "ErrPostOnlyNotAllowed", 400),
        ({"time_in_force": "FOK", "post_only": True}, "ErrPostOnlyNotAllowed", 400),
        ({"stop_price": "300010"}, "ErrInvalidStopDirection", 400),
        ({"stop_price": "300010", "stop_direction": "UP"}, "ErrInvalidStopDirection", 400),
        ({"stop_direction": "ABOVE"}, "ErrInvalidStopPrice", 400),
        ({"stop_direction": "ABOVE", "stop_price": "1e5"}, "ErrInvalidStopPrice", 400),
        ({"stop_direction": "ABOVE", "stop_price": "300010.5"}, "ErrInvalidStopPrice", 400),
        ({"stop_direction": "BELOW", "stop_price": "99"}, "ErrStopPriceTooLow", 400),
        ({"stop_direction": "ABOVE", "stop_price": "1000001"}, "ErrStopPriceTooHigh", 400),
        ({"stop_direction": "RELATIVE_LAST_TRADE", "stop_price": "300010"}, "ErrNoTradesToInferStopDirection", 400),
        ({"client_order_id": "has space"}, "ErrInvalidClientOrderId", 400),
        ({"client_order_id": "x" * 256}, "ErrInvalidClientOrderId", 400),
        ({"volume": "0.2"}, "ErrInsufficientFunds", 400),
        ({"type": "ASK", "volume": "0.100001", "price": "300005"}, "ErrInsufficientFunds", 400),
        ({"base_account_id": 7}, "ErrInvalidAccountID", 400),
        ({"ttl_ms": 0}, "ErrInvalidArguments", 400),
        ({"ttl_ms": 10001}, "ErrInvalidArguments", 400),
        ({"timestamp_ms": NOW - 10_001}, "ErrDeadlineExceeded", 400),
        ({"timestamp_ms": NOW - 501, "ttl_ms": 500}, "ErrDeadlineExceeded", 400),
    ],
)
def test_a_bad_order_is_refused_with_its_own_code_and_changes_nothing(
    venue: Venue, over: dict[str, Any], code: str, status: int
) -> None:
    before = venue.engine(PAIR).snapshot()
    assert refused(venue, **over) == (code, status)
    assert venue.engine(PAIR).snapshot() == before
    assert venue.drain() == [] and venue.orders() == []
    assert money(venue, "ann", "MYR") == ("30000.00", "0.00")


@pytest.mark.parametrize(
    "over",
    [
        {"timestamp_ms": NOW - 10_000},
        {"timestamp_ms": NOW - 500, "ttl_ms": 500},
        {"timestamp_ms": NOW + 99_999, "ttl_ms": 1},
        {"ttl_ms": 1},
        {"client_order_id": "0aZ_;,.-" + "x" * 247},
        {"volume": "0.10", "price": "299999"},
        {"volume": "0.0010000", "price": "300001.00"},
        {"time_in_force": "GTC", "post_only": True},
    ],
)
def test_an_order_at_the_edge_is_taken(venue: Venue, over: dict[str, Any]) -> None:
    post(venue, **over)
    sound(venue)


def test_an_order_may_spend_everything_and_no_more(venue: Venue) -> None:
    post(venue, volume="0.1", price="299999")
    assert money(venue, "ann", "MYR") == ("30000.00", "29999.90")
    assert refused(venue, volume="0.0001", price="1001") == ("ErrInsufficientFunds", 400)
    sound(venue)


def test_a_client_order_id_is_used_once_for_ever_by_each_account(venue: Venue) -> None:
    order_id = post(venue, client_order_id="once")
    assert refused(venue, client_order_id="once") == ("ErrDuplicateClientOrderID", 409)
    venue.stoporder(NOW, "ann", order_id)
    assert refused(venue, client_order_id="once") == ("ErrDuplicateClientOrderID", 409)
    assert refused(venue, pair="LINKMYR", price="1", volume="1", client_order_id="once")[1] == 409
    post(venue, "bob", client_order_id="once")
    assert post(venue) != post(venue)


def test_a_refused_order_does_not_use_its_id(venue: Venue) -> None:
    assert refused(venue, volume="0.2", client_order_id="late")[0] == "ErrInsufficientFunds"
    post(venue, client_order_id="late")


# --- market orders ----------------------------------------------------------------------------------------------------


def market(venue: Venue, **over: Any) -> str:
    return venue.marketorder(NOW, "ann", **({"pair": PAIR} | over)).order_id


def test_a_market_buy_spends_its_money_to_less_than_a_lot(venue: Venue) -> None:
    order_id = market(venue, type="BUY", counter_volume="450")
    order = venue.order_v2("ann", order_id)
    assert (order.type, order.status, order.base, order.counter) == ("MARKET", "COMPLETE", "0.001499", "449.703497")
    assert venue.order_v1("ann", order_id).type == "BUY"
    assert money(venue, "ann", "MYR") == ("29550.296503", "0.00")
    sound(venue)


def test_a_market_sell(venue: Venue) -> None:
    order = venue.order_v2("ann", market(venue, type="SELL", base_volume="0.002"))
    assert (order.base, order.counter, order.fee_counter) == ("0.002", "599.999", "3.599994")
    sound(venue)


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"type": "BID", "counter_volume": "1"}, "ErrInvalidOrderSide"),
        ({"type": "BUY", "base_volume": "1"}, "ErrInvalidCounterVolume"),
        ({"type": "SELL", "counter_volume": "1"}, "ErrInvalidBaseVolume"),
        ({"type": "BUY", "counter_volume": "1.0000001"}, "ErrCounterDenominationNotAllowed"),
        ({"type": "SELL", "base_volume": "0.0010001"}, "ErrVolumeDenominationNotAllowed"),
        ({"type": "BUY", "counter_volume": "1"}, "ErrVolumeTooLow"),
        ({"type": "BUY", "counter_volume": "0.000001"}, "ErrVolumeTooLow"),
        ({"type": "BUY", "counter_volume": "0"}, "ErrVolumeTooLow"),
        ({"type": "SELL", "base_volume": "0.003001"}, "ErrNotEnoughLiquidity"),
        ({"type": "BUY", "counter_volume": "900.010"}, "ErrNotEnoughLiquidity"),
        ({"type": "BUY", "counter_volume": "1", "client_order_id": "#"}, "ErrInvalidClientOrderId"),
        ({"type": "BUY", "counter_volume": "1", "timestamp_ms": 1}, "ErrDeadlineExceeded"),
    ],
)
def test_a_bad_market_order_is_refused(venue: Venue, over: dict[str, Any], code: str) -> None:
    with pytest.raises(VenueError) as caught:
        market(venue, **over)
    assert caught.value.code == code
    assert venue.drain() == []


def test_a_market_buy_may_empty_the_book(venue: Venue) -> None:
    order = venue.order_v2("ann", market(venue, type="BUY", counter_volume="900.009"))
    assert order.base == "0.003" and venue.engine(PAIR).best_ask() is None
    sound(venue)


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_a_cancel_completes_the_order_and_returns_the_rest(venue: Venue) -> None:
    order_id = post(venue, volume="0.002")
    venue.engine(PAIR).place(NOW + 5, None, Side.ASK, 300001, 500)
    venue.drain()
    assert venue.stoporder(NOW + 9, "ann", order_id).success
    frames = venue.drain()
    assert isinstance(frames[0], MarketFrame) and frames[0].delete_id == order_id
    messages = [msgspec.json.decode(frame.raw, type=wire.WireUserMessage) for frame in frames[1:]]
    assert [message.type for message in messages] == ["order_status", "balance_update"]
    back = messages[1].balance_update
    assert back is not None and (back.balance_delta, back.available_delta) == ("0.00", "450.0015")
    order = venue.order_v2("ann", order_id)
    assert (order.status, order.base, order.completed_timestamp, order.expiration_timestamp) == (
        "COMPLETE",
        "0.0005",
        NOW + 9,
        NOW + 9,
    )
    sound(venue)


@pytest.mark.parametrize(("how", "status"), [("400", 400), ("404", 404)])
def test_an_order_that_is_gone_cannot_be_cancelled(how: str, status: int) -> None:
    venue = new_venue(Behaviour(cancel_gone=how))
    order_id = post(venue)
    venue.stoporder(NOW, "ann", order_id)
    for gone in (order_id, "BXNOBODY", "b0", post(venue, "bob")):
        with pytest.raises(VenueError) as caught:
            venue.stoporder(NOW, "ann", gone)
        assert (caught.value.code, caught.value.status) == ("ErrCannotStopUnknownOrNonPendingOrder", status)
    assert caught.value.body() == wire.ErrorBody(
        "Cannot stop unknown or non-pending order.", "ErrCannotStopUnknownOrNonPendingOrder"
    )


def test_a_cancel_may_also_say_false() -> None:
    assert new_venue(Behaviour(cancel_gone="false")).stoporder(NOW, "ann", "BXNOBODY").success is False


def test_an_order_the_exchange_removes_is_not_a_users_cancel(venue: Venue) -> None:
    order_id = post(venue)
    venue.engine(PAIR).cancel(NOW + 3, order_id)
    order = venue.order_v2("ann", order_id)
    assert (order.status, order.completed_timestamp, order.expiration_timestamp) == ("COMPLETE", NOW + 3, 0)
    sound(venue)


# --- several accounts, statuses, switches -----------------------------------------------------------------------------


def test_two_accounts_trade_and_each_hears_only_its_own(venue: Venue) -> None:
    maker = post(venue, type="ASK", price="300001")
    taker = post(venue, "bob", price="300001")
    frames = [frame for frame in venue.drain() if isinstance(frame, UserFrame)]
    assert all(taker not in frame.raw for frame in frames if frame.owner == "ann")
    assert all(maker not in frame.raw for frame in frames if frame.owner == "bob")
    assert venue.order_v2("ann", maker).status == venue.order_v2("bob", taker).status == "COMPLETE"
    assert money(venue, "bob", "XBT") == ("1.001", "0.00")
    with pytest.raises(VenueError) as caught:
        venue.order_v2("ann", taker)
    assert (caught.value.code, caught.value.status) == ("ErrOrderNotFound", 404)
    assert venue.listtrades("bob", PAIR).trades != venue.listtrades("ann", PAIR).trades
    assert venue.ledger.house["XBT"] == 0
    sound(venue)


def test_trading_with_oneself_gives_two_rows_and_costs_both_fees(venue: Venue) -> None:
    post(venue, type="ASK", price="300001")
    post(venue, price="300001")
    rows = venue.listtrades("ann", PAIR).trades
    assert rows is not None and [(row.sequence, row.type) for row in rows] == [(50, "ASK"), (50, "BID")]
    assert money(venue, "ann", "XBT")[0] == "0.099994"
    sound(venue)


def test_trading_with_oneself_may_be_refused() -> None:
    venue = new_venue(Behaviour(self_trade=False))
    post(venue, type="ASK", price="300003")
    post(venue, price="300002")
    assert refused(venue, price="300003", volume="0.0021")[0] == "ErrInvalidArguments"
    post(venue, price="300003", volume="0.001")
    post(venue, "bob", price="300003", volume="0.003")
    sound(venue)


@pytest.mark.parametrize(
    ("status", "post_only", "code"),
    [
        (MarketStatus.POSTONLY, False, "ErrPostOnlyMode"),
        (MarketStatus.DISABLED, True, "ErrMarketUnavailable"),
        (MarketStatus.DISABLED, False, "ErrMarketUnavailable"),
    ],
)
def test_a_market_that_is_not_active_refuses(venue: Venue, status: MarketStatus, post_only: bool, code: str) -> None:
    order_id = post(venue)
    venue.set_status(NOW, PAIR, status)
    assert refused(venue, post_only=post_only, price="299000")[0] == code
    with pytest.raises(VenueError) as caught:
        market(venue, type="SELL", base_volume="0.001")
    assert caught.value.code == code
    assert venue.stoporder(NOW, "ann", order_id).success


def test_post_only_mode_still_takes_post_only_orders(venue: Venue) -> None:
    venue.set_status(NOW, PAIR, MarketStatus.POSTONLY)
    post(venue, post_only=True)
    assert refused(venue, post_only=True, price="300002")[0] == "ErrOrderCanceled"


@pytest.mark.parametrize(
    ("status", "listed", "ticked"),
    [
        (MarketStatus.ACTIVE, "ACTIVE", "ACTIVE"),
        (MarketStatus.POSTONLY, "POST_ONLY", "POSTONLY"),
        (MarketStatus.DISABLED, "UNKNOWN", "DISABLED"),
    ],
)
def test_the_status_vocabularies(venue: Venue, status: MarketStatus, listed: str, ticked: str) -> None:
    venue.set_status(NOW, PAIR, status)
    (info,) = venue.markets([PAIR]).markets
    assert info.trading_status == listed and info.rules().status == status.value
    assert venue.ticker(NOW, PAIR).status == ticked


def test_a_short_stop_is_told_apart_in_the_list_of_markets_only(venue: Venue) -> None:
    venue.set_status(NOW, PAIR, MarketStatus.POSTONLY, suspended=True)
    (info,) = venue.markets([PAIR]).markets
    assert info.trading_status == "SUSPENDED" and info.rules().status == "POSTONLY"
    assert venue.ticker(NOW, PAIR).status == "POSTONLY"
    post(venue, post_only=True)
    assert refused(venue)[0] == "ErrPostOnlyMode"
    for status, word in ((MarketStatus.ACTIVE, "ACTIVE"), (MarketStatus.POSTONLY, "POST_ONLY")):
        venue.set_status(NOW, PAIR, status)
        assert venue.markets([PAIR]).markets[0].trading_status == word


def test_awaiting_may_be_told_first() -> None:
    venue = new_venue(Behaviour(send_awaiting=True))
    post(venue)
    words = [message.order_status_update for message in told(venue)]
    assert [word.status for word in words if word is not None] == ["AWAITING", "PENDING"]


# --- public reads -----------------------------------------------------------------------------------------------------


def test_markets_and_tickers_may_be_chosen(venue: Venue) -> None:
    assert [row.market_id for row in venue.markets().markets] == [PAIR, "LINKMYR"]
    assert venue.markets().markets[0].rules() == RULES
    assert [row.pair for row in venue.tickers(NOW).tickers] == [PAIR, "LINKMYR"]
    assert venue.tickers(NOW, ["NOPE"]).tickers == [] and venue.markets(["NOPE"]).markets == []


def test_an_empty_market_shows_zeros(venue: Venue) -> None:
    ticker = venue.ticker(NOW, "LINKMYR")
    assert (ticker.bid, ticker.ask, ticker.last_trade, ticker.rolling_24_hour_volume) == ("0.00",) * 4
    assert venue.orderbook("LINKMYR") == wire.OrderBookReply(0, [], [])


def test_the_books_by_price_and_by_order(venue: Venue) -> None:
    post(venue, price="300000", volume="0.0005")
    top = venue.orderbook_top(PAIR)
    assert [(row.price, row.volume) for row in top.bids] == [
        ("300000.00", "0.0015"),
        ("299999.00", "0.001"),
        ("299998.00", "0.001"),
    ]
    assert [row.volume for row in venue.orderbook(PAIR).bids] == ["0.001", "0.0005", "0.001", "0.001"]
    assert [row.price for row in top.asks] == ["300002.00", "300003.00", "300004.00"]
    engine = venue.engine("LINKMYR")
    for price in range(1, 151):
        engine.place(NOW, None, Side.BID, price, 10)
    assert len(venue.orderbook_top("LINKMYR").bids) == 100 and len(venue.orderbook("LINKMYR").bids) == 150


@pytest.mark.parametrize("call", ["ticker", "orderbook", "orderbook_top", "trades", "candles"])
@pytest.mark.parametrize("pair", ["", "NOPE"])
def test_unknown_markets_are_unavailable(venue: Venue, call: str, pair: str) -> None:
    calls = {
        "ticker": lambda: venue.ticker(NOW, pair),
        "orderbook": lambda: venue.orderbook(pair),
        "orderbook_top": lambda: venue.orderbook_top(pair),
        "trades": lambda: venue.trades(NOW, pair),
        "candles": lambda: venue.candles(pair, 0, 60),
    }
    with pytest.raises(VenueError) as caught:
        calls[call]()
    assert (caught.value.code, caught.value.status) == ("ErrMarketUnavailable", 400)


def test_trades_and_candles_go_on_from_a_given_past(venue: Venue) -> None:
    minute = NOW - NOW % 60_000
    venue.seed_history(
        PAIR, [Print(77, minute - 5, 300001, 2000, False)], [Bar(minute - 60_000, 300000, 300001, 300003, 299999, 5000)]
    )
    assert venue.ticker(NOW, PAIR).last_trade == "300001.00"
    post(venue, "bob", price="300002")
    rows = venue.trades(NOW, PAIR).trades
    assert [(row.sequence, row.price, row.is_buy) for row in rows] == [
        (78, "300002.00", True),
        (77, "300001.00", False),
    ]
    assert [row.sequence for row in venue.trades(NOW, PAIR, minute - 5).trades] == [78]
    candles = venue.candles(PAIR, minute - 60_000, 60)
    assert [(row.timestamp, row.close, row.volume) for row in candles.candles] == [
        (minute - 60_000, "300001.00", "0.005"),
        (minute, "300002.00", "0.001"),
    ]
    assert (candles.duration, candles.pair) == (60, PAIR)
    with pytest.raises(VenueError):
        venue.candles(PAIR, 0, 61)
    with pytest.raises(VenueError):
        venue.trades(NOW, PAIR, NOW - 86_400_001)


# --- private reads ----------------------------------------------------------------------------------------------------


def test_every_listed_asset_has_an_account_with_a_whole_number_as_id(venue: Venue) -> None:
    rows = venue.balance("ann").balance
    assert sorted(row.asset for row in rows) == ["LINK", "MYR", "XBT"]
    assert all(0 < int(row.account_id) < 2**63 for row in rows)
    everyone = rows + venue.balance("bob").balance
    assert len({row.account_id for row in everyone}) == 6
    assert [row.asset for row in venue.balance("ann", ["MYR", "DOGE"]).balance] == ["MYR"]
    post(venue, base_account_id=int(venue.balance("ann", ["XBT"]).balance[0].account_id))


def test_fees_by_account_and_pair(venue: Venue) -> None:
    info = venue.fee_info("ann", PAIR)
    assert (info.maker_fee, info.taker_fee, info.maker_fee_sell) == ("0.0035", "0.006", "0.0035")
    assert venue.fee_info("ann", "LINKMYR").maker_fee == "0.00"
    with pytest.raises(VenueError):
        venue.fee_info("ann", "NOPE")


def test_order_lists_newest_first_by_state_pair_and_age(venue: Venue) -> None:
    ids = [post(venue, now=NOW + step, price=str(299000 + step)) for step in range(4)]
    link = post(venue, now=NOW + 4, pair="LINKMYR", price="1.5", volume="1")
    venue.stoporder(NOW + 9, "ann", ids[1])

    def v2(**over: Any) -> list[str]:
        return [order.order_id for order in venue.listorders_v2("ann", **over).orders or []]

    assert v2() == [link, ids[3], ids[2], ids[0]]
    assert v2(pair=PAIR, limit=2) == [ids[3], ids[2]]
    assert v2(closed=True) == [ids[1]]
    assert v2(created_before_ms=NOW + 2) == [ids[0]]
    assert v2(pair="LINKMYR", closed=True) == []
    v1 = venue.listorders_v1("ann", pair=PAIR).orders
    assert v1 is not None and [(order.order_id, order.state, order.type) for order in v1] == [
        (ids[3], "PENDING", "BID"),
        (ids[2], "PENDING", "BID"),
        (ids[1], "COMPLETE", "BID"),
        (ids[0], "PENDING", "BID"),
    ]
    complete = venue.listorders_v1("ann", state="COMPLETE").orders
    assert complete is not None and len(complete) == 1
    for bad in ({"limit": 0}, {"limit": 1001}):
        with pytest.raises(VenueError) as caught:
            v2(**bad)
        assert caught.value.code == "ErrLimitOutOfRange"
    with pytest.raises(VenueError):
        venue.listorders_v1("ann", state="OPEN")
    assert venue.listorders_v1("bob").orders is None
    assert new_venue(Behaviour(null_lists="none")).listorders_v1("bob").orders == []


def test_an_order_is_read_by_exactly_one_name(venue: Venue) -> None:
    order_id = post(venue, client_order_id="c")
    assert venue.order_v3("ann", order_id=order_id) == venue.order_v3("ann", client_order_id="c")
    for names in ({}, {"order_id": order_id, "client_order_id": "c"}):
        with pytest.raises(VenueError) as caught:
            venue.order_v3("ann", **names)
        assert caught.value.status == 400
    for unknown in ({"order_id": "BXNO"}, {"client_order_id": "no"}):
        with pytest.raises(VenueError) as caught:
            venue.order_v3("ann", **unknown)
        assert (caught.value.code, caught.value.status) == ("ErrOrderNotFound", 404)
    with pytest.raises(VenueError):
        venue.order_v3("bob", client_order_id="c")


def test_own_trades_by_sequence_and_time(venue: Venue) -> None:
    post(venue, volume="0.01")
    engine = venue.engine(PAIR)
    for step in range(5):
        engine.place(NOW + step, None, Side.ASK, 300001, 1000)

    def numbers(**over: Any) -> list[int]:
        return [row.sequence - 50 for row in venue.listtrades("ann", PAIR, **over).trades or []]

    assert numbers() == [0, 1, 2, 3, 4]
    assert numbers(after_seq=52) == [2, 3, 4]
    assert numbers(after_seq=51, limit=2) == [1, 2]
    assert numbers(limit=2) == [3, 4]
    assert numbers(before_seq=52) == [0, 1]
    assert numbers(since_ms=NOW + 3) == [3, 4]
    assert numbers(before_ms=NOW + 3) == [2, 1, 0]
    assert numbers(before_ms=NOW + 3, limit=1) == [2]
    assert numbers(sort_desc=True, limit=2) == [4, 3]
    assert numbers(after_seq=99) == []
    with pytest.raises(VenueError):
        venue.listtrades("ann", "")


# --- tapes ------------------------------------------------------------------------------------------------------------


def test_recorded_frames_go_out_as_they_are_and_the_sequence_goes_on(venue: Venue) -> None:
    engine = venue.engine(PAIR)
    venue.mute(PAIR, True)
    engine.place(NOW, None, Side.BID, 299000, 10, order_id="BXTAPE")
    venue.forward(PAIR, "recorded", 5000, NOW)
    assert venue.drain() == [RawFrame(PAIR, "recorded", NOW)]
    venue.mute(PAIR, False)
    post(venue)
    frames = [frame for frame in venue.drain() if isinstance(frame, MarketFrame)]
    assert [frame.sequence for frame in frames] == [5001]
    assert venue.visited(PAIR) and not venue.visited("LINKMYR")


def test_a_visitors_order_reduced_by_a_tape_is_a_fill_like_any_other(venue: Venue) -> None:
    order_id = post(venue)
    venue.engine(PAIR).reduce(NOW + 1, order_id, 400, "BXTAKER")
    assert venue.order_v2("ann", order_id).base == "0.0004"
    venue.engine(PAIR).reduce(NOW + 2, order_id, 600, "BXTAKER")
    assert venue.order_v2("ann", order_id).status == "COMPLETE"
    sound(venue)


# --- set-up -----------------------------------------------------------------------------------------------------------


def test_names_are_unique_and_amounts_fit_the_ledger() -> None:
    fine = msgspec.structs.replace(RULES, price_scale=12, volume_scale=8)
    for markets, accounts in (
        ([MarketSpec(RULES), MarketSpec(RULES)], []),
        ([MarketSpec(fine)], []),
        ([MarketSpec(RULES)], [AccountSpec("ann", {}), AccountSpec("ann", {})]),
    ):
        with pytest.raises(ValueError):
            Venue(markets, accounts, random.Random(1))


def test_the_same_seed_gives_the_same_ids() -> None:
    assert post(new_venue()) == post(new_venue())


# --- switches ---------------------------------------------------------------------------------------------------------


def test_a_seller_can_pay_his_fee_in_base_while_he_has_any() -> None:
    venue = new_venue(Behaviour(sell_fee_base=True))
    order_id = post(venue, type="ASK", price="300000", volume="0.001")
    order = venue.order_v2("ann", order_id)
    assert (order.fee_base, order.fee_counter) == ("0.000006", "0.00")
    assert money(venue, "ann", "XBT") == ("0.098994", "0.00")
    sound(venue)
    poor = new_venue(Behaviour(sell_fee_base=True))
    poor.open_account(AccountSpec("eve", {"XBT": Decimal("0.001")}, {PAIR: TIER_1}))
    order = poor.order_v2("eve", post(poor, "eve", type="ASK", price="300000", volume="0.001"))
    assert (order.fee_base, order.fee_counter) == ("0.00", "1.80")
    sound(poor)


def test_user_messages_of_one_instant_can_come_in_any_order_and_none_is_lost() -> None:
    plain, mixed = new_venue(), new_venue(Behaviour(shuffle_messages=True))
    for venue in (plain, mixed):
        for step in range(4):
            post(venue, now=NOW + step, price="300004", volume="0.0005")
    expected, found = plain.drain(), mixed.drain()
    assert [frame.raw for frame in found] != [frame.raw for frame in expected]
    assert sorted(frame.raw for frame in found) == sorted(frame.raw for frame in expected)
    assert [frame.timestamp_ms for frame in found] == [frame.timestamp_ms for frame in expected]


def test_a_cached_book_is_at_most_a_second_old() -> None:
    venue, fresh = new_venue(Behaviour(cached_book=True)), new_venue()
    before = venue.orderbook(PAIR, NOW)
    for each in (venue, fresh):
        post(each)
    assert venue.orderbook(PAIR, NOW + 999) == before
    assert fresh.orderbook(PAIR, NOW + 999) != before
    assert venue.orderbook_top(PAIR, NOW + 999).bids[0].price == "300001.00"
    assert venue.orderbook(PAIR, NOW + 1000).bids[0].price == "300001.00"


# --- stop-limit orders ------------------------------------------------------------------------------------------------


def trade_at(venue: Venue, price: int, now: int = NOW) -> None:
    """The house trades with itself at this price."""
    engine = venue.engine(PAIR)
    side = Side.ASK if price > 300001 else Side.BID
    engine.place(now, None, side, price, 10, order_id=f"h{engine.sequence}")
    while engine.last_trade != price:
        engine.place(now, None, side.other, price, 10, tif=TimeInForce.IOC)
    venue.trigger_stops(now)


def test_a_stop_order_waits_unseen_with_its_money_locked(venue: Venue) -> None:
    sequence = venue.engine(PAIR).sequence
    order_id = post(venue, price="300006", stop_price="300004", stop_direction="ABOVE", client_order_id="stop-1")
    assert [message.type for message in told(venue)] == ["balance_update", "order_status"]
    assert venue.engine(PAIR).sequence == sequence and order_id not in venue.engine(PAIR).orders
    order = venue.order_v2("ann", order_id)
    assert (order.type, order.status, order.stop_price, order.stop_direction) == (
        ("STOP_LIMIT", "AWAITING", "300004.00", "ABOVE")
    )
    assert venue.order_v1("ann", order_id).state == "PENDING"
    assert [row.order_id for row in venue.listorders_v2("ann").orders or []] == [order_id]
    assert money(venue, "ann", "MYR") == ("30000.00", "300.006")
    sound(venue)


@pytest.mark.parametrize(
    ("stop", "direction", "quiet", "sets_off"),
    [
        (300004, "ABOVE", 300003, 300004),
        (300003, "ABOVE", 300002, 300004),
        (299998, "BELOW", 299999, 299998),
    ],
)
def test_the_first_trade_at_or_beyond_the_stop_price_sets_it_off(
    venue: Venue, stop: int, direction: str, quiet: int, sets_off: int
) -> None:
    order_id = post(venue, price="299990", stop_price=str(stop), stop_direction=direction)
    trade_at(venue, quiet)
    assert venue.order_v2("ann", order_id).status == "AWAITING"
    venue.drain()
    trade_at(venue, sets_off, NOW + 5)
    assert venue.order_v2("ann", order_id).status == "PENDING"
    frames = venue.drain()
    *_, status, create = frames
    assert isinstance(status, UserFrame) and json.loads(status.raw)["order_status_update"]["status"] == "PENDING"
    assert isinstance(create, MarketFrame) and create.create is not None and create.create.order_id == order_id
    assert create.timestamp_ms == NOW + 5
    sound(venue)


def test_a_triggered_order_trades_like_any_other_and_may_set_off_the_next(venue: Venue) -> None:
    second = post(venue, "bob", price="300004", volume="0.001", stop_price="300003", stop_direction="ABOVE")
    first = post(venue, price="300003", volume="0.002", stop_price="300002", stop_direction="ABOVE")
    trade_at(venue, 300002)
    assert venue.order_v2("ann", first).status == "COMPLETE"
    done = venue.order_v2("bob", second)
    assert (done.status, done.base, done.counter) == ("COMPLETE", "0.001", "300.004")
    sound(venue)


def test_relative_to_the_last_trade(venue: Venue) -> None:
    trade_at(venue, 300003)
    given = {"price": "299990", "volume": "0.0001", "stop_direction": "RELATIVE_LAST_TRADE"}
    found = [venue.order_v2("ann", post(venue, stop_price=str(stop), **given)) for stop in (300002, 300003, 300004)]
    assert [(order.stop_direction, order.status) for order in found] == [
        ("BELOW", "AWAITING"),
        ("BELOW", "PENDING"),  # there already
        ("ABOVE", "AWAITING"),
    ]


def test_a_waiting_order_is_cancelled_without_a_frame(venue: Venue) -> None:
    order_id = post(venue, stop_price="300004", stop_direction="ABOVE")
    venue.drain()
    sequence = venue.engine(PAIR).sequence
    assert venue.stoporder(NOW + 1, "ann", order_id).success
    assert venue.engine(PAIR).sequence == sequence
    order = venue.order_v2("ann", order_id)
    assert (order.status, order.expiration_timestamp, order.completed_timestamp) == ("COMPLETE", NOW + 1, NOW + 1)
    assert money(venue, "ann", "MYR") == ("30000.00", "0.00")
    trade_at(venue, 300004)
    assert order_id not in venue.engine(PAIR).orders
    sound(venue)


def test_a_triggered_post_only_order_that_would_trade_is_cancelled(venue: Venue) -> None:
    order_id = post(venue, price="300004", post_only=True, stop_price="300002", stop_direction="ABOVE")
    trade_at(venue, 300002)
    order = venue.order_v2("ann", order_id)
    assert (order.status, order.base) == ("COMPLETE", "0.00")
    sound(venue)


def test_a_triggered_order_keeps_to_the_rule_on_trades_with_oneself() -> None:
    venue = new_venue(Behaviour(self_trade=False))
    mine = post(venue, type="ASK", price="300002", volume="0.001")
    other = post(venue, price="300004", volume="0.002", stop_price="299999", stop_direction="BELOW")
    trade_at(venue, 299999)
    assert venue.order_v2("ann", other).status == "COMPLETE" and venue.order_v2("ann", other).base == "0.00"
    assert venue.order_v2("ann", mine).status == "PENDING"
    sound(venue)


# --- thirty days ------------------------------------------------------------------------------------------------------


def test_the_volume_of_thirty_days_is_as_of_midnight_and_of_one_account(venue: Venue) -> None:
    day = 86_400_000
    post(venue, price="300002", volume="0.0005")
    assert venue.fee_info("ann", PAIR, NOW).thirty_day_volume == "0.00"
    midnight = NOW // day * day + day
    assert venue.fee_info("ann", PAIR, midnight - 1).thirty_day_volume == "0.00"
    assert venue.fee_info("ann", PAIR, midnight).thirty_day_volume == "150.001"
    assert venue.fee_info("ann", "LINKMYR", midnight).thirty_day_volume == "150.001"
    assert venue.fee_info("bob", PAIR, midnight).thirty_day_volume == "0.00"
    assert venue.fee_info("ann", PAIR, midnight + 30 * day - 1).thirty_day_volume == "150.001"
    assert venue.fee_info("ann", PAIR, midnight + 30 * day).thirty_day_volume == "0.00"


# --- changes of a market ----------------------------------------------------------------------------------------------


def test_new_scales_cancel_every_order_and_rewrite_the_past(venue: Venue) -> None:
    filled = post(venue, price="300002", volume="0.0005")
    resting, waiting = post(venue), post(venue, stop_price="300005", stop_direction="ABOVE")
    venue.drain()
    fine = msgspec.structs.replace(RULES, price_scale=2, volume_scale=4)
    venue.change_rules(NOW + 1, PAIR, fine)
    for order_id in (resting, waiting):
        order = venue.order_v2("ann", order_id)
        assert (order.status, order.limit_price) == ("COMPLETE", "300001.00")
    assert venue.order_v2("ann", filled).counter == "150.001"
    deletes = [frame for frame in venue.drain() if isinstance(frame, MarketFrame)]
    assert len(deletes) == 7 and all(frame.delete_id for frame in deletes)
    (info,) = venue.markets([PAIR]).markets
    assert (info.price_scale, info.volume_scale) == (2, 4)
    assert venue.ticker(NOW + 1, PAIR).last_trade == "300002.00"
    assert venue.trades(NOW + 1, PAIR).trades[0].price == "300002.00"
    sound(venue)
    assert refused(venue, volume="0.00101") == ("ErrVolumeDenominationNotAllowed", 400)
    again = post(venue, price="300001.25", volume="0.0011")
    venue.engine(PAIR).place(NOW + 2, None, Side.ASK, 30000125, 5, tif=TimeInForce.IOC)
    assert venue.order_v2("ann", again).counter == "150.000625"
    sound(venue)


@pytest.mark.parametrize("change", [{"pair": "XBTZAR"}, {"counter": "ZAR"}, {"price_scale": 12, "volume_scale": 7}])
def test_rules_of_another_market_are_no_change(venue: Venue, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rules"):
        venue.change_rules(NOW, PAIR, msgspec.structs.replace(RULES, **change))
    assert venue.engine(PAIR).orders
