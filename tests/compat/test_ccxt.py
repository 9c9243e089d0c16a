"""ccxt unchanged but for its base URLs: ``async_support.luno`` for REST, ``pro.luno`` for the streams.

The stream class has the weaker parser of trades (no id, price or side), so REST goes through the other, as ccxt's users
do. Text keep-alives stop its order book (it takes them for updates), so the streams are tried with protocol pings only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.async_support as ccxt_rest
import ccxt.pro as ccxt_streams
import pytest
from ccxt.base.errors import AuthenticationError, BaseError, ExchangeError
from served import FROZEN, KEY, SECRET, Served
from witness import Orders, engine_book, witness

PAIR, SYMBOL = "XBTMYR", "BTC/MYR"
PINGS_ONLY = ("--behaviour", "pings_only=yes")
UPDATES = 10_000
CHECK_EVERY = 500


def urls(exchange: Served) -> dict[str, Any]:
    """All that is changed."""
    rest = f"{exchange.url}/api"
    more = f"{rest}/exchange"
    return {"public": rest, "private": rest, "exchange": more, "exchangePrivate": more, "ws": f"{exchange.ws}/api/1"}


def rest_client(exchange: Served, secret: str = SECRET) -> Any:
    client = ccxt_rest.luno({"apiKey": KEY, "secret": secret})
    client.urls["api"] = urls(exchange)
    return client


def run(exchange: Served, work: Callable[[Any], Awaitable[None]], secret: str = SECRET) -> None:
    async def main() -> None:
        client = rest_client(exchange, secret)
        try:
            await work(client)
        finally:
            await client.close()

    asyncio.run(main())


@pytest.fixture
def exchange(start: Callable[..., Served]) -> Served:
    return start(*FROZEN, PAIR).wait()


def test_markets_and_currencies(exchange: Served) -> None:
    async def work(client: Any) -> None:
        markets = await client.load_markets()
        rows = exchange.truth("exchange/1/markets")["markets"]
        assert {market["id"] for market in markets.values()} == {row["market_id"] for row in rows}
        for row in rows:
            market = client.safe_market(row["market_id"])
            assert market["active"] is (row["trading_status"] == "ACTIVE")
            assert market["baseId"] == row["base_currency"] and market["quoteId"] == row["counter_currency"]
            assert market["precision"] == {
                **market["precision"],
                "amount": float(f"1e-{row['volume_scale']}"),
                "price": float(f"1e-{row['price_scale']}"),
            }
            limits = market["limits"]
            assert limits["amount"] == {"min": float(row["min_volume"]), "max": float(row["max_volume"])}
            assert limits["price"] == {"min": float(row["min_price"]), "max": float(row["max_price"])}
        await client.fetch_currencies()

    run(exchange, work)


def test_prices(exchange: Served) -> None:
    async def work(client: Any) -> None:
        await client.load_markets()
        raw = exchange.truth("1/ticker", pair=PAIR)
        ticker = await client.fetch_ticker(SYMBOL)
        for got in (ticker, (await client.fetch_tickers([SYMBOL]))[SYMBOL]):
            assert got["info"] == raw | {"timestamp": got["info"]["timestamp"]}
            assert (got["bid"], got["ask"], got["last"]) == tuple(float(raw[k]) for k in ("bid", "ask", "last_trade"))
            assert got["baseVolume"] == float(raw["rolling_24_hour_volume"])
            assert got["timestamp"] == raw["timestamp"]
        for limit, path in ((None, "1/orderbook"), (100, "1/orderbook_top")):
            raw = exchange.truth(path, pair=PAIR)
            book = await client.fetch_order_book(SYMBOL, limit)
            assert book["timestamp"] == raw["timestamp"]
            for side in ("bids", "asks"):
                assert raw[side]
                assert book[side] == [[float(row["price"]), float(row["volume"])] for row in raw[side]], side
        raw_trades = exchange.truth("1/trades", pair=PAIR)["trades"]
        trades = await client.fetch_trades(SYMBOL)
        assert sorted(
            (int(t["id"]), t["timestamp"], t["price"], t["amount"], t["side"] == "buy") for t in trades
        ) == sorted(
            (t["sequence"], t["timestamp"], float(t["price"]), float(t["volume"]), t["is_buy"]) for t in raw_trades
        )
        since = exchange.info()["clock"]["exchange_ms"] - 1_800_000
        raw = exchange.truth("exchange/1/candles", pair=PAIR, since=since, duration=60)
        names = ("open", "high", "low", "close", "volume")
        candles = await client.fetch_ohlcv(SYMBOL, "1m", since=since)
        assert candles == [[row["timestamp"], *(float(row[name]) for name in names)] for row in raw["candles"]]
        assert len(candles) >= 29

    run(exchange, work)


def test_the_account(exchange: Served) -> None:
    async def work(client: Any) -> None:
        await client.load_markets()
        raw = exchange.truth("1/balance")["balance"]
        balance = await client.fetch_balance()
        for row in raw:
            got = balance[client.safe_currency_code(row["asset"])]
            total, reserved = float(row["balance"]), float(row["reserved"])
            assert (got["total"], got["used"]) == (total, reserved), row
            assert got["free"] == pytest.approx(total - reserved)
        assert [account["id"] for account in await client.fetch_accounts()] == [row["account_id"] for row in raw]
        fees = exchange.truth("1/fee_info", pair=PAIR)
        fee = await client.fetch_trading_fee(SYMBOL)
        assert (fee["maker"], fee["taker"]) == (float(fees["maker_fee"]), float(fees["taker_fee"]))

    run(exchange, work)


def test_an_order_s_life(exchange: Served) -> None:
    async def work(client: Any) -> None:
        await client.load_markets()
        bid, ask = (float(exchange.truth("1/ticker", pair=PAIR)[name]) for name in ("bid", "ask"))
        price = bid - 100
        placed = await client.create_order(
            SYMBOL, "limit", "buy", 0.001, price, {"post_only": True, "client_order_id": "cc-1"}
        )
        order_id = placed["id"]
        raw = exchange.truth(f"1/orders/{order_id}")
        assert exchange.truth("exchange/3/order", client_order_id="cc-1")["order_id"] == order_id
        opened = await client.fetch_open_orders(SYMBOL)
        assert [order["id"] for order in opened] == [order_id]
        for got in (opened[0], await client.fetch_order(order_id)):
            assert got["info"] == raw
            assert (got["status"], got["side"], got["price"], got["amount"]) == ("open", "buy", price, 0.001)
            assert (got["filled"], got["symbol"], got["timestamp"]) == (0.0, SYMBOL, raw["creation_timestamp"])
        used = (await client.fetch_balance())["MYR"]["used"]
        assert used == pytest.approx(price * 0.001)
        assert (await client.cancel_order(order_id))["info"] == {"success": True}
        assert await client.fetch_open_orders(SYMBOL) == []
        with pytest.raises(ExchangeError, match="ErrCannotStop"):
            await client.cancel_order(order_id)
        assert [order["id"] for order in await client.fetch_closed_orders(SYMBOL)] == [order_id]
        assert [order["id"] for order in await client.fetch_orders(SYMBOL)] == [order_id]

        taken = await client.create_order(SYMBOL, "limit", "buy", 0.0004, ask + 500, {"time_in_force": "IOC"})
        await client.create_order(SYMBOL, "market", "buy", 150)
        sold = await client.create_order(SYMBOL, "market", "sell", 0.0003)
        raws = {row["sequence"]: row for row in exchange.truth("1/listtrades", pair=PAIR)["trades"]}
        mine = await client.fetch_my_trades(SYMBOL)
        assert {int(trade["id"]) for trade in mine} == set(raws)
        assert {taken["id"], sold["id"]} <= {trade["order"] for trade in mine}
        for trade in mine:
            row = raws[int(trade["id"])]
            assert trade["info"] == row
            assert (trade["price"], trade["amount"], trade["cost"]) == tuple(
                float(row[name]) for name in ("price", "volume", "counter")
            )
            assert trade["side"] == {"BID": "buy", "ASK": "sell"}[row["type"]]
            assert (trade["order"], trade["timestamp"]) == (row["order_id"], row["timestamp"])
            assert trade["takerOrMaker"] == "taker"
        done = await client.fetch_order(taken["id"])
        assert (done["filled"], done["remaining"]) == (0.0004, 0.0)
        assert done["cost"] == float(exchange.truth(f"1/orders/{taken['id']}")["counter"])

    run(exchange, work)


def test_refusals_are_exchange_errors(exchange: Served) -> None:
    async def work(client: Any) -> None:
        await client.load_markets()
        with pytest.raises(ExchangeError, match="ErrOrderCanceled"):
            await client.create_order(SYMBOL, "limit", "buy", 0.001, 1_000_000, {"post_only": True})
        with pytest.raises(BaseError, match="ErrInsufficientFunds"):
            await client.create_order(SYMBOL, "limit", "buy", 50, 250_000)
        with pytest.raises(ExchangeError, match="ErrOrderNotFound"):
            await client.fetch_order("BXNOSUCHORDER22")
        again = {"client_order_id": "cc-2"}
        await client.create_order(SYMBOL, "limit", "buy", 0.001, 250_000, again)
        with pytest.raises(ExchangeError, match="ErrDuplicateClientOrderID"):
            await client.create_order(SYMBOL, "limit", "buy", 0.001, 250_000, again)

    run(exchange, work)


def test_a_wrong_key_is_refused(exchange: Served) -> None:
    async def work(client: Any) -> None:
        with pytest.raises((AuthenticationError, ExchangeError), match="ErrUnauthorised"):
            await client.fetch_balance()

    run(exchange, work, secret="wrong")


Rows = dict[str, tuple[float, float]]
"""Price and volume by order id, as floats: ccxt's numbers."""


def rows_of(book: Any) -> dict[str, Rows]:
    return {side: {row[2]: (row[0], row[1]) for row in book[side]} for side in ("bids", "asks")}


def as_floats(orders: Orders) -> dict[str, Rows]:
    sides = (("bids", "BID"), ("asks", "ASK"))
    return {
        name: {
            order_id: (float(order.price), float(order.volume))
            for order_id, order in orders.items()
            if order.side == side
        }
        for name, side in sides
    }


def test_its_book_and_trades_equal_ours_after_ten_thousand_updates(start: Callable[..., Served]) -> None:
    exchange = start("--speed", "20", "--seed", "4", *PINGS_ONLY, PAIR).wait()
    asyncio.run(follow(exchange))


async def follow(exchange: Served) -> None:
    client = ccxt_streams.luno({"apiKey": KEY, "secret": SECRET, "newUpdates": False})
    client.options["tradesLimit"] = 100_000
    client.urls["api"] = urls(exchange)
    kept: dict[int, dict[str, Rows]] = {}
    snapshot: list[int] = []

    async def watch_trades() -> None:
        while True:
            await client.watch_trades(SYMBOL)

    try:
        await client.load_markets()
        async with witness(exchange.ws, PAIR) as seen:
            trading = asyncio.create_task(watch_trades())
            async with asyncio.timeout(300):
                # Updates may come several between two wake-ups, so what it holds is taken when it is seen.
                while not kept or max(kept) - snapshot[0] < UPDATES:
                    book = await client.watch_order_book(SYMBOL)
                    number = book["nonce"]
                    snapshot = snapshot or [number]
                    if not kept or number - max(kept) >= CHECK_EVERY or number - snapshot[0] >= UPDATES:
                        prices = [row[0] for row in book["bids"]]
                        assert prices == sorted(prices, reverse=True)
                        kept[number] = rows_of(book)
                        last, traded = number, [trade["info"] for trade in client.trades.get(SYMBOL, [])]
            assert not trading.done()
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)
            number, truth = await engine_book(exchange.ws, PAIR)
            await seen.reaches(max(number, last))
            ours = seen.books({number, *kept})
            trades = seen.trades(seen.first_sequence, last)
            surely = len(seen.trades(snapshot[0], last))
    finally:
        await client.close()
    assert ours[number] == truth
    assert last - snapshot[0] >= UPDATES and len(kept) >= UPDATES // CHECK_EVERY // 2
    for sequence, theirs in kept.items():
        assert theirs == as_floats(ours[sequence]), f"books differ at {sequence}"
    assert len(traded) >= surely > 20
    assert traded == trades[-len(traded) :]
    first = traded[0]
    parsed = client.trades[SYMBOL][0]
    assert (parsed["amount"], parsed["cost"]) == (float(first["base"]), float(first["counter"]))


QUIET_S = 23.0
"""Longer than Luno's twenty seconds to a text keep-alive."""


def test_its_book_outlives_a_quiet_market(start: Callable[..., Served]) -> None:
    exchange = start(*FROZEN, *PINGS_ONLY, PAIR).wait()
    asyncio.run(rest(exchange))


async def rest(exchange: Served) -> None:
    client = ccxt_streams.luno({"apiKey": KEY, "secret": SECRET})
    client.urls["api"] = urls(exchange)
    try:
        await client.load_markets()
        sequence = (await client.watch_order_book(SYMBOL))["nonce"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await client.watch_order_book(SYMBOL)
        placed = await client.create_order(SYMBOL, "limit", "buy", 0.001, 250_000)
        async with asyncio.timeout(10):
            book = await client.watch_order_book(SYMBOL)
        assert book["nonce"] == sequence + 1
        assert rows_of(book)["bids"][placed["id"]] == (250_000.0, 0.001)
    finally:
        await client.close()
