"""The official luno-python client, unchanged but for its base URL: a market maker's calls, and its market stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from luno_python.api_types import MarketState, Pair
from luno_python.client import Client
from luno_python.error import APIError
from luno_python.stream_client import stream_market
from served import FROZEN, KEY, SECRET, Served
from witness import Orders, Resting, engine_book, witness

PAIR = "XBTMYR"
UPDATES = 10_000
CHECK_EVERY = 500


def a_client(exchange: Served) -> Client:
    return Client(base_url=exchange.url, api_key_id=KEY, api_key_secret=SECRET)


@pytest.fixture
def exchange(start: Callable[..., Served]) -> Served:
    return start(*FROZEN, PAIR).wait()


def test_public_calls_return_the_truth(exchange: Served) -> None:
    client = a_client(exchange)
    since = exchange.info()["clock"]["exchange_ms"] - 1_800_000
    calls: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
        (client.markets(), "exchange/1/markets", {}),
        (client.markets(pair=[PAIR]), "exchange/1/markets", {"pair": PAIR}),
        (client.markets(pair=[PAIR, "XBTZAR"]), "exchange/1/markets", {"pair": [PAIR, "XBTZAR"]}),
        (client.get_ticker(pair=PAIR), "1/ticker", {"pair": PAIR}),
        (client.get_tickers(), "1/tickers", {}),
        (client.get_tickers(pair=[PAIR]), "1/tickers", {"pair": PAIR}),
        (client.get_order_book(pair=PAIR), "1/orderbook_top", {"pair": PAIR}),
        (client.get_order_book_full(pair=PAIR), "1/orderbook", {"pair": PAIR}),
        (client.list_trades(pair=PAIR), "1/trades", {"pair": PAIR}),
        (client.list_trades(pair=PAIR, since=since), "1/trades", {"pair": PAIR, "since": since}),
        (client.get_candles(60, PAIR, since), "exchange/1/candles", {"duration": 60, "pair": PAIR, "since": since}),
        (client.get_balances(), "1/balance", {}),
        (client.get_balances(assets=["XBT", "MYR"]), "1/balance", {"assets": ["XBT", "MYR"]}),
        (client.get_fee_info(pair=PAIR), "1/fee_info", {"pair": PAIR}),
    ]
    for got, path, given in calls:
        assert got == exchange.truth(path, **given), path
    assert [market["market_id"] for market in calls[1][0]["markets"]] == [PAIR]
    assert len(calls[2][0]["markets"]) == 2
    assert calls[5][0]["tickers"][0]["pair"] == PAIR
    assert calls[7][0]["bids"] and calls[7][0]["asks"] and calls[8][0]["trades"]
    assert len(calls[10][0]["candles"]) >= 29
    assert [row["asset"] for row in calls[12][0]["balance"]] == ["XBT", "MYR"]


def test_an_order_s_life(exchange: Served) -> None:
    client = a_client(exchange)
    best = exchange.truth("1/ticker", pair=PAIR)
    bid, ask = int(float(best["bid"])), int(float(best["ask"]))
    now_ms = exchange.info()["clock"]["exchange_ms"]
    placed = client.post_limit_order(
        pair=PAIR,
        price=bid - 100,
        type="BID",
        volume=0.001,
        client_order_id="mm-1",
        post_only=True,
        time_in_force="GTC",
        timestamp=now_ms,
        ttl=10_000,
    )
    order_id = placed["order_id"]
    reads = [
        (client.get_order(order_id), f"1/orders/{order_id}", {}),
        (client.get_order_v2(order_id), f"exchange/2/orders/{order_id}", {}),
        (client.get_order_v3(id=order_id), "exchange/3/order", {"id": order_id}),
        (client.get_order_v3(client_order_id="mm-1"), "exchange/3/order", {"client_order_id": "mm-1"}),
        (client.list_orders(pair=PAIR, state="PENDING"), "1/listorders", {"pair": PAIR, "state": "PENDING"}),
        (client.list_orders_v2(pair=PAIR, closed=False), "exchange/2/listorders", {"pair": PAIR, "closed": "false"}),
        (client.list_orders_v2(limit=5, created_before=now_ms + 60_000), "exchange/2/listorders", {}),
    ]
    for got, path, given in reads:
        assert got == exchange.truth(path, **given), path
    assert reads[3][0]["order_id"] == order_id and reads[3][0]["status"] == "PENDING"
    assert [row["order_id"] for row in reads[5][0]["orders"]] == [order_id]
    reserved = {row["asset"]: row["reserved"] for row in client.get_balances()["balance"]}
    assert float(reserved["MYR"]) == pytest.approx((bid - 100) * 0.001)

    assert client.stop_order(order_id)["success"] is True
    with pytest.raises(APIError) as gone:
        client.stop_order(order_id)
    assert gone.value.code.startswith("ErrCannotStop")
    assert client.get_order(order_id)["state"] == "COMPLETE"
    assert client.list_orders_v2(pair=PAIR, closed=True) == exchange.truth(
        "exchange/2/listorders", pair=PAIR, closed="true"
    )
    assert client.list_orders(pair=PAIR, state="PENDING")["orders"] is None

    taken = client.post_limit_order(pair=PAIR, price=ask + 500, type="BID", volume="0.0004", time_in_force="IOC")
    client.post_market_order(pair=PAIR, type="BUY", counter_volume="150.00", client_order_id="mm-2")
    client.post_market_order(pair=PAIR, type="SELL", base_volume="0.0003")
    mine = client.list_user_trades(pair=PAIR)
    assert mine == exchange.truth("1/listtrades", pair=PAIR)
    assert mine["trades"][0]["order_id"] == taken["order_id"]
    last = mine["trades"][-1]["sequence"]
    for given in ({"after_seq": last}, {"before_seq": last}, {"sort_desc": True, "limit": 1}, {"since": now_ms}):
        got = client.list_user_trades(pair=PAIR, **given)
        wire = {name: str(value).lower() if value is True else value for name, value in given.items()}
        assert got == exchange.truth("1/listtrades", pair=PAIR, **wire), given
        assert got["trades"], given


def test_a_stop_limit_order_waits(exchange: Served) -> None:
    client = a_client(exchange)
    ask = int(float(exchange.truth("1/ticker", pair=PAIR)["ask"]))
    order_id = client.post_limit_order(
        pair=PAIR, price=ask + 6000, type="BID", volume="0.001", stop_price=ask + 5000, stop_direction="ABOVE"
    )["order_id"]
    assert client.get_order_v2(order_id)["status"] == "AWAITING"
    assert client.stop_order(order_id) == {"success": True}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"price": 1_000_000, "post_only": True}, "ErrOrderCanceled"),
        ({"volume": "50"}, "ErrInsufficientFunds"),
        ({"volume": "0.0000001"}, None),
        ({"price": "0"}, None),
        ({"pair": "NOPEUSDT"}, None),
    ],
)
def test_refusals_are_api_errors(exchange: Served, given: dict[str, Any], code: str | None) -> None:
    order = {"pair": PAIR, "price": "250000", "type": "BID", "volume": "0.001", **given}
    with pytest.raises(APIError) as refused:
        a_client(exchange).post_limit_order(**order)
    assert refused.value.code == code if code else refused.value.code.startswith("Err")


def test_a_wrong_key_is_an_api_error(exchange: Served) -> None:
    client = Client(base_url=exchange.url, api_key_id=KEY, api_key_secret="wrong")
    with pytest.raises(APIError) as refused:
        client.get_balances()
    assert refused.value.code == "ErrUnauthorised"


def resting(state: MarketState) -> Orders:
    """luno-python's book by id."""
    sides = (("BID", state.bids), ("ASK", state.asks))
    return {order.order_id: Resting(side, order.price, order.volume) for side, rows in sides for order in rows}


def test_its_book_equals_ours_after_ten_thousand_updates(start: Callable[..., Served]) -> None:
    exchange = start("--speed", "20", "--seed", "3", PAIR).wait()
    asyncio.run(follow(exchange))


async def follow(exchange: Served) -> None:
    kept: dict[int, Orders] = {}
    statuses: set[str] = set()
    last = asyncio.Event()
    first_sequence = 0

    def update(pair: Pair, state: MarketState, raw: dict[str, Any] | None) -> None:
        nonlocal first_sequence
        number = int(state.sequence)
        assert pair.base + pair.counter == PAIR
        first_sequence = first_sequence or number
        if (number - first_sequence) % CHECK_EVERY == 0:
            kept[number] = resting(state)
            statuses.add(state.status)
        if number - first_sequence >= UPDATES:
            last.set()

    async with witness(exchange.ws, PAIR) as seen:
        client = asyncio.create_task(stream_market(PAIR, KEY, SECRET, update, base_url=exchange.ws))
        done = asyncio.create_task(last.wait())
        async with asyncio.timeout(300):
            await asyncio.wait({client, done}, return_when=asyncio.FIRST_COMPLETED)
        if client.done():
            client.result()
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        number, truth = await engine_book(exchange.ws, PAIR)
        await seen.reaches(max(number, *kept))
        ours = seen.books({number, *kept})
    assert ours[number] == truth
    assert len(kept) >= UPDATES // CHECK_EVERY
    assert statuses == {"ACTIVE"}
    for sequence, theirs in kept.items():
        assert theirs == ours[sequence], f"books differ at {sequence}"
