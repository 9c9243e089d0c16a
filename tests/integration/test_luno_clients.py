"""Our clients on the simulated exchange over real sockets: every call, and an order's life on both streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from lunomm.errors import CredentialsError, ExchangeError, OrderRejected, UsageError
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.luno.stream import Frame, MarketStream
from lunomm.luno.user_stream import Up, UserStream
from lunomm.luno.wire import WireUserMessage, decimal
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot
from lunomm.market.rules import Side
from lunomm.simulator.exchange import seeded
from lunomm.simulator.server import ExchangeServer, bind

pytestmark = pytest.mark.timeout(60)
PAIR = "XBTMYR"
KEY = ApiKey("sim", "sim")
WRONG = ApiKey("sim", "wrong")


@asynccontextmanager
async def exchange() -> AsyncIterator[Endpoint]:
    """A theory market that runs in real time."""
    running = seeded([PAIR], profile=None, seed=3, fee_tier=1, start_ns=time.time_ns())
    listening = bind(0)
    server = ExchangeServer(running, time.time_ns, info=lambda: {"run_id": "test"})
    started = asyncio.Event()
    task = asyncio.create_task(server.serve(listening, started=started))
    await started.wait()
    try:
        yield endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.stop()
        await task


def calls(where: Endpoint, key: ApiKey | None = KEY) -> LunoRest:
    return LunoRest(where, key, CallBudget())


async def test_every_read() -> None:
    async with exchange() as where, calls(where) as rest, calls(where, None) as nobody:
        rules = (await nobody.markets(PAIR))[0].rules()
        assert rules.pair == PAIR and await nobody.markets("NOPE") == []
        assert PAIR in [row.market_id for row in await nobody.markets()]
        assert (await nobody.ticker(PAIR)).pair == PAIR
        assert PAIR in [row.pair for row in await nobody.tickers()]
        top = await nobody.orderbook_top(PAIR)
        assert top.bids and top.asks and len((await nobody.orderbook(PAIR)).bids) >= len(top.bids)
        trades = await nobody.trades(PAIR)
        assert trades and trades == sorted(trades, key=lambda trade: -trade.sequence)
        since = int(time.time() * 1000) - 3_000_000
        candles = await rest.candles(PAIR, since, 60)
        assert len(candles) > 30 and candles[0].timestamp >= since
        assert {row.asset for row in await rest.balances()} >= {"XBT", "MYR"}
        maker, taker = (await rest.fee_info(PAIR)).rates()
        assert 0 <= maker <= taker < Decimal("0.01")
        assert await rest.open_orders(PAIR) == await rest.list_orders(PAIR, closed=True) == []
        assert await rest.list_trades(PAIR) == []
        assert await rest.find_order(client_order_id="lm1-XBTMYR-nobody-1-B0") is None
        assert rest.last_date_ms() is not None
        with pytest.raises(ExchangeError) as caught:
            await nobody.ticker("NOPE")
        assert caught.value.code == "ErrMarketUnavailable"
    async with exchange() as where, calls(where, WRONG) as rest:
        with pytest.raises(CredentialsError):
            await rest.balances()


async def test_streams_refuse_what_luno_refuses() -> None:
    async with exchange() as where, calls(where) as rest:
        rules = (await rest.markets(PAIR))[0].rules()
        async with MarketStream(where, rules, WRONG) as stream:
            with pytest.raises(CredentialsError):
                await anext(stream)
        async with UserStream(where, WRONG) as stream_of_ours:
            with pytest.raises(CredentialsError):
                if await anext(stream_of_ours) == Up():
                    await anext(stream_of_ours)
        unlisted = type(rules)(
            pair="NOPEMYR",
            base="NOPE",
            counter="MYR",
            price_scale=0,
            volume_scale=6,
            min_price=Decimal(1),
            max_price=Decimal(9),
            min_volume=Decimal(1),
            max_volume=Decimal(9),
        )
        async with MarketStream(where, unlisted, KEY) as stream:
            with pytest.raises(UsageError, match="NOPEMYR"):
                await anext(stream)


async def test_an_order_lives_on_all_three() -> None:
    async with exchange() as where, calls(where) as rest:
        rules = (await rest.markets(PAIR))[0].rules()
        async with MarketStream(where, rules, KEY) as market, UserStream(where, KEY) as user:
            assert await anext(user) == Up()
            first = await anext(market)
            assert isinstance(first, Frame) and isinstance(first.event, BookSnapshot)
            book = Book(rules)
            book.load(first.event)
            # Far below the market: it rests.
            price = rules.price(first.event.bids[0].price * 9 // 10)
            order = {"pair": PAIR, "side": Side.BID, "volume": Decimal("0.001"), "price": price}
            now_ms = int(time.time() * 1000)
            order_id = await rest.post_order(
                **order, client_order_id="lm1-XBTMYR-t-1-B0", timestamp_ms=now_ms, ttl_ms=3000
            )
            with pytest.raises(OrderRejected) as caught:
                await rest.post_order(**order, client_order_id="lm1-XBTMYR-t-1-B0", timestamp_ms=now_ms, ttl_ms=3000)
            assert caught.value.code == "ErrDuplicateClientOrderID"
            found = await rest.find_order(client_order_id="lm1-XBTMYR-t-1-B0")
            assert found is not None and found.order_id == order_id and found.live
            assert decimal(found.limit_price) == price and found == await rest.find_order(order_id=order_id)
            assert [row.order_id for row in await rest.open_orders(PAIR)] == [order_id]
            # The stream shows it, and the book it gives stays whole on the way.
            while True:
                item = await anext(market)
                assert isinstance(item, Frame) and not isinstance(item.event, BookSnapshot)
                book.apply(item.event)
                if item.event.create is not None and item.event.create.order_id == order_id:
                    break
            assert await rest.stop_order(order_id) is True
            assert await rest.stop_order(order_id) is False
            assert await rest.stop_order("BXNOBODY22222") is False
            assert await rest.open_orders(PAIR) == []
            told = []
            while told[-1:] != ["COMPLETE"]:
                message = await anext(user)
                assert isinstance(message, WireUserMessage)
                if message.order_status_update is not None:
                    assert message.order_status_update.order_id == order_id
                    told.append(message.order_status_update.status)
            assert told == ["PENDING", "COMPLETE"]
            age = market.age_ms(time.monotonic_ns())
            assert age is not None and age < 10_000


async def test_post_only_and_late_orders_are_refused() -> None:
    async with exchange() as where, calls(where) as rest:
        best_ask = decimal((await rest.orderbook_top(PAIR)).asks[0].price)
        now_ms = int(time.time() * 1000)
        order = {"pair": PAIR, "side": Side.BID, "volume": Decimal("0.001"), "ttl_ms": 3000}
        with pytest.raises(OrderRejected) as caught:
            await rest.post_order(**order, price=best_ask * 2, client_order_id="lm1-XBTMYR-t-2-B0", timestamp_ms=now_ms)
        assert caught.value.code == "ErrOrderCanceled"
        # Luno's reference does not say how far a late request came: unknown, and the look-up shows nothing.
        with pytest.raises(ExchangeError, match="ErrDeadlineExceeded") as late:
            await rest.post_order(
                **order, price=Decimal(1000), client_order_id="lm1-XBTMYR-t-3-B0", timestamp_ms=now_ms - 60_000
            )
        assert late.value.code == "OUTCOME_UNKNOWN"
        assert await rest.find_order(client_order_id="lm1-XBTMYR-t-3-B0") is None
