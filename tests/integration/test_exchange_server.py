"""The simulated exchange over real sockets: REST, both streams, its clock, and the command that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lunomm.errors import RefusedError, UsageError
from lunomm.luno.wire import KEEPALIVE, decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.exchange import Exchange, replayed, seeded, tape_rules
from lunomm.simulator.keys import R_BALANCE, R_ORDERS, W_ORDERS, Key
from lunomm.simulator.profiles import CATALOGUE
from lunomm.simulator.replay import Recorded
from lunomm.simulator.server import ExchangeServer, bind
from lunomm.simulator.streams import StreamTimes
from lunomm.tape.reader import TapeFrame, read_tape

PAIR = "XBTMYR"
RULES = CATALOGUE[PAIR].rules
AUTH = ("sim", "sim")
LOG_IN = '{"api_key_id":"sim","api_key_secret":"sim"}\n'
OURS = Path(__file__).parents[1] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
S = 1_000_000_000
PATIENCE_S = 20.0


class Served:
    """A running exchange with a clock of its own: it stands still until let go."""

    def __init__(self, exchange: Exchange, server: ExchangeServer, url: str) -> None:
        self.exchange = exchange
        self.server = server
        self.url = url
        self.ws = url.replace("http", "ws", 1)
        self.http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def get(self, path: str, auth: tuple[str, str] | None = AUTH, **given: Any) -> Any:
        reply = await self.http.get(path, params=given, auth=auth)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, **form: Any) -> httpx.Response:
        return await self.http.post(path, data=form, auth=AUTH)

    async def order(self, side: str, price: int, volume: str = "0.01", **more: Any) -> str:
        reply = await self.post("/api/1/postorder", pair=PAIR, type=side, price=price, volume=volume, **more)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["order_id"])

    def stream(self, pair: str = PAIR) -> connect:
        return connect(f"{self.ws}/api/1/stream/{pair}", proxy=None, max_size=2**24, compression=None)

    def user_stream(self) -> connect:
        return connect(f"{self.ws}/api/1/userstream", proxy=None, compression=None)


class StoppedClock:
    """The exchange's time in a test: moves only by hand."""

    def __init__(self, start_ns: int) -> None:
        self.ns = start_ns

    def __call__(self) -> int:
        return self.ns

    def forward(self, seconds: float) -> None:
        self.ns += int(seconds * S)


@contextlib.asynccontextmanager
async def served(
    exchange: Exchange, now_ns: Callable[[], int], *, send_buffer: int | None = None, **options: Any
) -> AsyncIterator[Served]:
    listening = bind(0)
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    server = ExchangeServer(exchange, now_ns, info=lambda: {"run_id": "test"}, **options)
    started = asyncio.Event()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    task = asyncio.create_task(server.serve(listening, started=started))
    async with asyncio.timeout(PATIENCE_S):
        await started.wait()
    place = Served(exchange, server, url)
    try:
        yield place
    finally:
        await place.http.aclose()
        server.stop()
        begin = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            await task
        assert time.monotonic() - begin < 1.5


@contextlib.asynccontextmanager
async def market(
    seed: int = 1, keys: Sequence[Key] = (), switches: Behaviour | None = None, **options: Any
) -> AsyncIterator[tuple[Served, StoppedClock]]:
    clock = StoppedClock(time.time_ns())
    exchange = seeded([PAIR], profile=None, seed=seed, fee_tier=1, start_ns=clock.ns, keys=keys, switches=switches)
    async with served(exchange, clock, **options) as place:
        yield place, clock


async def received(socket: ClientConnection, count: int = 1) -> list[Any]:
    """The next JSON objects, keep-alives left out."""
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            raw = await socket.recv()
            if raw != KEEPALIVE:
                found.append(json.loads(raw))
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another task's or process's plain state
            await asyncio.sleep(0.005)


# --- public REST ------------------------------------------------------------------------------------------------------


async def test_every_public_call_answers_without_a_key() -> None:
    async with market() as (place, clock):
        markets = await place.get("/api/exchange/1/markets", None)
        assert {row["market_id"] for row in markets["markets"]} == set(CATALOGUE)
        row = (await place.get("/api/exchange/1/markets", None, pair=PAIR))["markets"][0]
        assert (row["price_scale"], row["volume_scale"], row["fee_scale"], row["trading_status"]) == (0, 6, 8, "ACTIVE")
        ticker = await place.get("/api/1/ticker", None, pair=PAIR)
        tickers = await place.get("/api/1/tickers", None, pair=[PAIR, "XBTZAR"])
        assert tickers["tickers"][0] == ticker and len(tickers["tickers"]) == 2
        top = await place.get("/api/1/orderbook_top", None, pair=PAIR)
        whole = await place.get("/api/1/orderbook", None, pair=PAIR)
        assert top["bids"][0]["price"] == ticker["bid"] and whole["asks"][0]["price"] == ticker["ask"]
        assert len(top["bids"]) > 30
        trades = (await place.get("/api/1/trades", None, pair=PAIR))["trades"]
        assert len(trades) == 100 and trades[0]["sequence"] > trades[-1]["sequence"]
        assert ticker["last_trade"] == trades[0]["price"]
        assert await place.get("/sim/info", None) == {"run_id": "test"}
        assert (await place.get("/api/1/tickers", None, pair="NOPE"))["tickers"] == []
        assert clock.ns > 0


async def test_an_hour_of_candles_is_there_from_the_start_for_any_valid_key() -> None:
    async with market() as (place, clock):
        since = clock.ns // 1_000_000 - 3_600_000
        found = await place.get("/api/exchange/1/candles", pair=PAIR, since=since, duration=60)
        assert found["duration"] == 60 and found["pair"] == PAIR
        assert len(found["candles"]) in (60, 61)
        refused = await place.http.get("/api/exchange/1/candles", params={"pair": PAIR, "since": since, "duration": 60})
        assert refused.status_code == 401


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    [
        ("GET", "/api/1/ticker", {"pair": "NOPE"}, 400, "ErrMarketUnavailable"),
        ("GET", "/api/1/ticker", {}, 400, "ErrMarketUnavailable"),
        ("GET", "/api/1/tickers", {"pair": "XBTMYR,XBTZAR"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/1/markets", {"pair": "XBTMYR,XBTZAR"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/1/balance", {"assets": "XBT,MYR"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/1/trades", {"pair": PAIR, "since": "yesterday"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/1/trades", {"pair": PAIR, "since": "9" * 40}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/1/candles", {"pair": PAIR, "since": "1", "duration": "61"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/2/listorders", {"closed": "perhaps"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/2/listorders", {"limit": "1001"}, 400, "ErrLimitOutOfRange"),
        ("GET", "/api/exchange/3/order", {}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/3/order", {"id": "BX1", "client_order_id": "x"}, 400, "ErrInvalidArguments"),
        ("GET", "/api/exchange/3/order", {"id": "BX1", "client_order_id": ""}, 404, "ErrOrderNotFound"),
        ("GET", "/api/1/orders/BXNOPE", {}, 404, "ErrOrderNotFound"),
        ("GET", "/api/1/listtrades", {}, 400, "ErrInvalidMarketPair"),
        ("POST", "/api/1/stoporder", {}, 400, "ErrInvalidArguments"),
        ("POST", "/api/1/stoporder", {"order_id": "BXNOPE"}, 400, "ErrCannotStopUnknownOrNonPendingOrder"),
        ("POST", "/api/1/postorder", {"pair": PAIR}, 400, "ErrInvalidOrderSide"),
        (
            "POST",
            "/api/1/postorder",
            {"pair": PAIR, "type": "BID", "volume": "1e-3", "price": "9"},
            400,
            "ErrInvalidVolume",
        ),
        (
            "POST",
            "/api/1/postorder",
            {"pair": PAIR, "type": "BID", "volume": "0.01", "price": "-1"},
            400,
            "ErrInvalidPrice",
        ),
        (
            "POST",
            "/api/1/postorder",
            {"pair": PAIR, "type": "BID", "volume": "0.01", "price": "1.5"},
            400,
            "ErrPriceDenominationNotAllowed",
        ),
        (
            "POST",
            "/api/1/postorder",
            {"pair": PAIR, "type": "BID", "volume": "9", "price": "290000"},
            400,
            "ErrInsufficientFunds",
        ),
        (
            "POST",
            "/api/1/postorder",
            {"pair": PAIR, "type": "BID", "volume": "0.01", "price": "290000", "timestamp": "1", "ttl": "1"},
            400,
            "ErrDeadlineExceeded",
        ),
        ("POST", "/api/1/marketorder", {"pair": PAIR, "type": "BUY"}, 400, "ErrInvalidCounterVolume"),
    ],
)
async def test_bad_input_gets_lunos_own_error(
    method: str, path: str, given: dict[str, str], status: int, code: str
) -> None:
    async with market() as (place, _):
        for how in ({"params": given}, {"data": given}) if method == "POST" else ({"params": given},):
            reply = await place.http.request(method, path, auth=AUTH, **how)
            assert (reply.status_code, reply.json()["error_code"]) == (status, code)
            assert set(reply.json()) == {"error", "error_code"}


async def test_the_edges_of_http() -> None:
    async with market() as (place, _):
        unknown = await place.http.get("/api/1/time")
        assert (unknown.status_code, unknown.content) == (404, b"")
        assert (await place.http.delete("/api/1/orders/BX1", auth=AUTH)).status_code == 405
        huge = await place.http.post("/api/1/postorder", data={"pair": "x" * 100_000}, auth=AUTH)
        assert huge.json()["error_code"] == "ErrInvalidArguments"
        many = await place.http.get("/api/1/ticker", params=[("a", "b")] * 200)
        assert many.json()["error_code"] == "ErrInvalidArguments"
        for content in (b"\xff\xfe\x00", b"{}", b"pair=%ff%fe"):
            reply = await place.http.post(
                "/api/1/postorder",
                content=content,
                auth=AUTH,
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
            assert reply.status_code == 400 and "error_code" in reply.json()


@pytest.mark.parametrize(
    "header", [None, "Basic", "Basic !!!", "Bearer sim", "Basic c2lt", "Basic c2ltOm5v", "Basic /w=="]
)
async def test_private_calls_need_the_key_public_ones_ignore_a_wrong_one(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with market() as (place, _):
        for method, path in (("GET", "/api/1/balance"), ("POST", "/api/1/postorder"), ("GET", "/api/1/listorders")):
            reply = await place.http.request(method, path, headers=headers)
            assert (reply.status_code, reply.json()["error_code"]) == (401, "ErrUnauthorised")
        assert (await place.http.get("/api/1/ticker", params={"pair": PAIR}, headers=headers)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_only_loopback_names_are_answered(host: str) -> None:
    async with market() as (place, _):
        assert (await place.http.get("/sim/info", headers={"Host": host})).status_code in (400, 403)
        assert (await place.http.get("/sim/info", headers={"Host": "localhost:1"})).status_code == 200


async def test_the_call_budget_is_300_a_minute_a_key() -> None:
    async with market(calls_per_minute=5) as (place, _):
        codes = [(await place.http.get("/api/1/balance", auth=AUTH)).status_code for _ in range(6)]
        assert codes == [200] * 5 + [429]
        last = await place.http.get("/api/1/balance", auth=AUTH)
        assert last.json()["error_code"] == "ErrTooManyRequests"
        # Another caller has a budget of its own; our own page costs none.
        assert (await place.http.get("/api/1/ticker", params={"pair": PAIR})).status_code == 200
        assert (await place.http.get("/sim/info")).status_code == 200


def test_nothing_but_loopback_is_bound_and_a_taken_port_is_said() -> None:
    for host in ("0.0.0.0", "", "192.168.1.1", "::"):
        with pytest.raises(RefusedError, match="loopback"):
            bind(0, host)
    taken = bind(0)
    try:
        with pytest.raises(UsageError, match="port"):
            bind(taken.getsockname()[1])
    finally:
        taken.close()


# --- trading ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_filled_by_the_flow_and_reported_everywhere() -> None:
    async with market() as (place, clock), place.stream() as stream, place.user_stream() as user:
        await stream.send(LOG_IN)
        await user.send(LOG_IN)
        await until(lambda: place.server.streams.open == 2)
        snapshot = decode_market_frame(await stream.recv(), RULES)
        assert isinstance(snapshot, BookSnapshot)
        book = Book(RULES)
        book.load(snapshot)
        assert book.best_bid() is not None
        price = book.best_bid() + 1  # type: ignore[operator]
        order_id = await place.order("BID", price, post_only="true", client_order_id="mm-1")
        found = await place.get("/api/exchange/3/order", client_order_id="mm-1")
        assert (found["order_id"], found["status"], found["side"]) == (order_id, "PENDING", "BUY")
        opening = await received(user, 2)
        assert {message["type"] for message in opening} == {"balance_update", "order_status"}
        balances = {row["asset"]: row for row in (await place.get("/api/1/balance"))["balance"]}
        assert float(balances["MYR"]["reserved"]) == pytest.approx(price * 0.01)

        while (await place.get(f"/api/exchange/2/orders/{order_id}"))["status"] != "COMPLETE":
            clock.forward(1)
            place.server.exchange.run_until(clock.ns, 10_000)
            place.server.streams.pump()
        messages = await received(user, 5)
        fill = next(m["order_fill_update"] for m in messages if m["type"] == "order_fill")
        assert (fill["order_id"], fill["client_order_id"], fill["base_fill"]) == (order_id, "mm-1", "0.01")
        assert float(fill["base_fee"]) == pytest.approx(0.01 * 0.0035)
        assert messages[-1]["order_status_update"]["status"] == "COMPLETE"
        trades = (await place.get("/api/1/listtrades", pair=PAIR))["trades"]
        assert [t["volume"] for t in trades] == ["0.01"] and trades[0]["is_buy"] is False
        assert (await place.get("/api/1/listorders", state="PENDING"))["orders"] is None
        assert (await place.get("/api/exchange/2/listorders", closed="true"))["orders"][0]["order_id"] == order_id

        # The client's book equals the exchange's.
        engine = place.exchange.venue.engine(PAIR)
        while book.sequence < engine.sequence:
            event = decode_market_frame(await stream.recv(), RULES)
            if isinstance(event, BookUpdate):
                book.apply(event)
        for side in Side:
            assert book.levels(side, 1000) == engine.levels(side, 1000)


async def test_post_only_cross_duplicate_id_and_cancel() -> None:
    async with market() as (place, _):
        ask = place.exchange.venue.engine(PAIR).best_ask()
        assert ask is not None
        crossing = {"pair": PAIR, "type": "BID", "price": ask, "volume": "0.01", "client_order_id": "same"}
        refused = await place.post("/api/1/postorder", **crossing, post_only="True")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "ErrOrderCanceled")
        order_id = await place.order("BID", ask - 100, client_order_id="same", post_only="1")
        again = await place.post("/api/1/postorder", **{**crossing, "price": ask - 100})
        assert (again.status_code, again.json()["error_code"]) == (409, "ErrDuplicateClientOrderID")
        assert (await place.post("/api/1/stoporder", order_id=order_id)).json() == {"success": True}
        assert (await place.post("/api/1/stoporder", order_id=order_id)).status_code == 400
        done = await place.get(f"/api/exchange/2/orders/{order_id}")
        assert done["status"] == "COMPLETE" and done["expiration_timestamp"] > 0
        balances = (await place.get("/api/1/balance", assets="MYR"))["balance"]
        assert [(row["asset"], row["reserved"]) for row in balances] == [("MYR", "0.00")]


async def test_parameters_as_each_client_sends_them() -> None:
    """luno-go: every field in the form, zeros and blanks; luno-python: all in the query; form wins over query."""
    async with market() as (place, _):
        blank = {
            "client_order_id": "",
            "time_in_force": "",
            "stop_direction": "",
            "stop_price": "0",
            "base_account_id": "0",
            "counter_account_id": "0",
            "timestamp": "0",
            "ttl": "0",
            "post_only": "false",
        }
        wanted = {"pair": PAIR, "type": "BID", "volume": "0.01", "price": "290000"}
        go = await place.http.post("/api/1/postorder", data={**wanted, **blank}, auth=AUTH)
        python = await place.http.post("/api/1/postorder", params={**wanted, "post_only": "True"}, auth=AUTH)
        both = await place.http.post(
            "/api/1/postorder", params={**wanted, "price": "1"}, data={"price": "290001"}, auth=AUTH
        )
        assert [reply.status_code for reply in (go, python, both)] == [200] * 3
        last = await place.get(f"/api/exchange/2/orders/{both.json()['order_id']}", id=both.json()["order_id"])
        assert last["limit_price"] == "290001.00"
        listed = await place.get("/api/exchange/2/listorders", closed="false", limit="0", created_before="0", pair="")
        assert len(listed["orders"]) == 3
        assert "networks" in await place.get("/api/1/send/networks")


async def test_a_visitors_sweep_is_refilled_in_the_same_instant() -> None:
    async with market() as (place, _):
        engine = place.exchange.venue.engine(PAIR)
        before = (engine.best_bid(), engine.best_ask())
        reply = await place.post("/api/1/marketorder", pair=PAIR, type="SELL", base_volume="0.05")
        assert reply.status_code == 200
        assert (engine.best_bid(), engine.best_ask()) == before


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"/api/1/stream/{PAIR}", "/api/1/userstream"])
@pytest.mark.parametrize(
    "first",
    ["hello", '""', "{}", "[]", '{"api_key_id":"sim","api_key_secret":"x"}', '{"api_key_id":1}', b"\x00", "[" * 5000],
)
async def test_a_bad_first_frame_is_refused_by_name_and_closed_with_1000(path: str, first: str | bytes) -> None:
    async with market() as (place, _), connect(place.ws + path, proxy=None) as socket:
        await socket.send(first)
        assert (await received(socket))[0]["error_code"] == "invalid_credentials"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000


async def test_unknown_pairs_and_silence_are_refused_by_name() -> None:
    async with market(times=StreamTimes(credentials_s=0.3)) as (place, _):
        async with place.stream("NOPEUSDT") as socket:
            await socket.send(LOG_IN)
            assert (await received(socket))[0] == {"error_code": "invalid_market", "error": "NOPEUSDT"}
        async with place.stream() as socket:
            assert (await received(socket))[0]["error_code"] == "auth_timeout"


async def test_the_keepalive_is_two_quotes_never_before_the_snapshot_only_when_idle() -> None:
    async with market(times=StreamTimes(keepalive_s=0.2)) as (place, clock), place.stream() as socket:
        await socket.send(LOG_IN)
        await socket.send('""')
        assert isinstance(decode_market_frame(await socket.recv(), RULES), BookSnapshot)
        place.server.exchange.run_until(clock.ns + 3600 * S, 0)
        # The clock stands at a step boundary at most once more; then silence.
        async with asyncio.timeout(PATIENCE_S):
            while await socket.recv() != KEEPALIVE:
                pass
        async with place.user_stream() as user:
            await user.send(LOG_IN)
            async with asyncio.timeout(PATIENCE_S):
                assert await user.recv() == KEEPALIVE


async def test_more_than_fifty_streams_are_refused() -> None:
    async with market() as (place, _), contextlib.AsyncExitStack() as stack:
        for _ in range(50):
            socket = await stack.enter_async_context(place.user_stream())
            await socket.send(LOG_IN)
        await until(lambda: place.server.streams.open == 50)
        extra = await stack.enter_async_context(place.user_stream())
        await extra.send(LOG_IN)
        assert (await received(extra))[0]["error_code"] == "session_limit_exceeded"


async def test_a_foreign_web_page_cannot_open_a_stream() -> None:
    async with market() as (place, _):
        with pytest.raises(Exception, match="403"):
            async with connect(f"{place.ws}/api/1/stream/{PAIR}", proxy=None, origin="http://evil.example"):  # type: ignore[arg-type]
                pass
        async with connect(f"{place.ws}/api/1/stream/{PAIR}", proxy=None, origin="http://localhost/"):  # type: ignore[arg-type]
            pass


async def test_user_messages_missed_within_five_minutes_are_sent_on_reconnect() -> None:
    async with market() as (place, _):
        async with place.user_stream() as user:
            await user.send(LOG_IN)
            await until(lambda: place.server.streams.open == 1)
            first = await place.order("BID", 290_000)
            seen = await received(user, 2)
            assert any(m["order_status_update"] and m["order_status_update"]["order_id"] == first for m in seen)
        await until(lambda: place.server.streams.open == 0)
        second = await place.order("BID", 290_001)
        async with place.user_stream() as user:
            await user.send(LOG_IN)
            missed = await received(user, 2)
            statuses = [m["order_status_update"]["order_id"] for m in missed if m["order_status_update"]]
            assert statuses == [second]
            # A second stream of the same key, opened meanwhile, gets nothing old but everything new.
            async with place.user_stream() as other:
                await other.send(LOG_IN)
                await until(lambda: place.server.streams.open == 2)
                await place.post("/api/1/stoporder", order_id=second)
                for socket in (user, other):
                    news = await received(socket, 2)
                    assert any((m["order_status_update"] or {}).get("status") == "COMPLETE" for m in news)


async def test_a_first_connection_and_one_after_five_minutes_get_nothing_old() -> None:
    async with market(times=StreamTimes(replay_s=0.2, keepalive_s=0.2)) as (place, _):
        await place.order("BID", 290_000)
        for _ in range(2):
            async with place.user_stream() as user:
                await user.send(LOG_IN)
                async with asyncio.timeout(PATIENCE_S):
                    assert await user.recv() == KEEPALIVE
            await until(lambda: place.server.streams.open == 0)
            await place.order("BID", 290_000)
            gone = time.monotonic() + 0.3
            await until(lambda end=gone: time.monotonic() > end)  # type: ignore[misc]


async def test_a_client_that_does_not_read_is_dropped_and_the_rest_is_not_held_up() -> None:
    async with market(queue_limit=300, send_buffer=8192) as (place, clock):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect(("127.0.0.1", int(place.url.rpartition(":")[2])))
        async with connect(f"{place.ws}/api/1/stream/{PAIR}", proxy=None, sock=narrow) as lazy:
            await lazy.send(LOG_IN)
            await until(lambda: place.server.streams.listeners(PAIR) == 1)
            lazy.transport.pause_reading()
            async with asyncio.timeout(PATIENCE_S):
                while place.server.streams.slow == 0:
                    clock.forward(1)
                    await asyncio.sleep(0.01)
            assert (await place.get("/api/1/ticker", pair=PAIR))["pair"] == PAIR
            await until(lambda: place.server.streams.listeners(PAIR) == 0)
            lazy.transport.abort()


async def test_the_clock_drives_the_market_at_its_own_speed() -> None:
    begin = time.monotonic_ns()
    start_ns = time.time_ns()
    exchange = seeded([PAIR], profile=None, seed=1, fee_tier=0, start_ns=start_ns)

    def now_ns() -> int:
        return start_ns + (time.monotonic_ns() - begin) * 50

    async with served(exchange, now_ns, speed=50.0) as place, place.stream() as socket:
        await socket.send(LOG_IN)
        sequence = int((await received(socket))[0]["sequence"])
        for message in await received(socket, 400):
            assert int(message["sequence"]) == sequence + 1
            sequence += 1
            assert message["timestamp"] * 1_000_000 <= now_ns()


# --- tapes ------------------------------------------------------------------------------------------------------------


def tape_lines(path: Path) -> list[str]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt") as file:
            return [json.loads(line)["frame"] for line in list(file)[1:]]
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ("path", "pair"),
    [
        (OURS, "XBTMYR"),
        pytest.param(
            REAL, "XBTZAR", marks=pytest.mark.skipif(not REAL.is_file(), reason="the recorded Luno frames are not here")
        ),
    ],
)
async def test_a_plain_client_gets_the_recorded_frames_byte_for_byte_until_the_end(path: Path, pair: str) -> None:
    tape = read_tape(path, pair)
    frames = [Recorded(item.raw, item.event) for item in tape if isinstance(item, TapeFrame)]
    exchange = replayed(tape_rules(pair, tape.rules), frames, name=path.name, seed=1, fee_tier=0)
    clock = StoppedClock(frames[0].event.exchange_ns - S)
    async with served(exchange, clock) as place, place.stream(pair) as socket:
        await socket.send(LOG_IN)
        got = [str(await socket.recv())]
        clock.forward(7200)
        async with asyncio.timeout(60):
            while '"DISABLED"' not in got[-1]:
                got.append(str(await socket.recv()))
        assert got[:-1] == tape_lines(path)
        last, end = json.loads(got[-2]), json.loads(got[-1])
        assert int(end["sequence"]) == int(last["sequence"]) + 1
        reply = await place.post("/api/1/postorder", pair=pair, type="BID", price="1000", volume="0.01")
        assert reply.json()["error_code"] == "ErrMarketUnavailable"
        async with place.stream(pair) as late:
            await late.send(LOG_IN)
            assert (await received(late))[0]["status"] == "DISABLED"


# --- the command ------------------------------------------------------------------------------------------------------


def start(state: Path, *args: str) -> Any:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LUNO", "REDIS"))}
    return asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lunomm",
        "exchange",
        *args,
        cwd=state,
        env={**environment, "LUNOMM_STATE_DIR": str(state)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_notes_its_address_refuses_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    note = tmp_path / "exchange.json"
    first = await start(tmp_path, "--json", "--seed", "7")
    try:
        await until(note.exists)
        told = json.loads(note.read_text())
        assert told["pid"] == first.pid and told["seed"] == 7 and told["profile"] == "theory"
        assert told["truth"]["XBTMYR"]["intensity"] == pytest.approx(0.0926, abs=1e-3)
        async with httpx.AsyncClient(trust_env=False) as http:
            info = (await http.get(told["url"] + "/sim/info")).json()
        assert {**info, "pid": first.pid} == told
        assert abs(info["clock"]["exchange_ms"] - info["clock"]["wall_ms"]) == 0

        second = await start(tmp_path)
        _, error = await second.communicate()
        assert second.returncode == 6 and told["url"].encode() in error and error.count(b"\n") == 1

        # Another state folder is another exchange, on a port of its own.
        other_dir = tmp_path / "other"
        other_dir.mkdir()
        other = await start(other_dir, "--for", "0.5")
        await other.communicate()
        assert other.returncode == 0
    finally:
        first.terminate()
        out, error = await first.communicate()
    assert first.returncode == 0 and error == b""
    line = json.loads(out.splitlines()[-1])
    assert line["command"] == "exchange" and line["data"]["seed"] == 7
    assert not note.exists()


async def test_a_recording_waits_for_its_clients_however_slowly_the_doors_opened(tmp_path: Path) -> None:
    note, lead_s = tmp_path / "exchange.json", 6
    process = await start(tmp_path, "--json", "--tape", str(OURS), "--tape-lead", str(lead_s), "--speed", "100")
    try:
        await until(note.exists)
        told = json.loads(note.read_text())
        # The lead is counted from the moment the doors were open, which is when the note was written.
        late_ms = note.stat().st_mtime_ns / 1e6 + lead_s * 1000 - told["clock"]["wall_ms"]
        assert -50 < late_ms < lead_s * 1000
        url = told["url"].replace("http", "ws", 1)
        async with connect(f"{url}/api/1/stream/{PAIR}", proxy=None, max_size=2**24) as socket:
            await socket.send(LOG_IN)
            async with asyncio.timeout(60):
                got = [str(await socket.recv()) for _ in range(100)]
        assert got == tape_lines(OURS)[:100]
    finally:
        process.terminate()
        _, error = await process.communicate()
    assert (process.returncode, error) == (0, b"")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["NOPEMYR"], 2, b"unknown pair"),
        (["--profile", "nope"], 2, b"--profile"),
        (["--tape", "nowhere.jsonl"], 2, b"nowhere.jsonl"),
        (["--port", "0"], 2, b"--port"),
        (["--speed", "nan"], 2, b"--speed"),
    ],
)
async def test_wrong_options_are_one_line_and_the_right_exit_code(
    tmp_path: Path, args: list[str], code: int, words: bytes
) -> None:
    process = await start(tmp_path, *args)
    _, error = await process.communicate()
    assert process.returncode == code
    assert words in error and error.count(b"\n") == 1 and b"Traceback" not in error
    assert not (tmp_path / "exchange.json").exists()


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "given", "needs"),
    [
        ("GET", "/api/1/balance", {}, R_BALANCE),
        ("GET", "/api/1/fee_info", {"pair": PAIR}, R_ORDERS),
        ("GET", "/api/1/listorders", {}, R_ORDERS),
        ("GET", "/api/1/orders/BX1", {}, R_ORDERS),
        ("GET", "/api/exchange/2/listorders", {}, R_ORDERS),
        ("GET", "/api/exchange/2/orders/BX1", {}, R_ORDERS),
        ("GET", "/api/exchange/3/order", {"id": "BX1"}, R_ORDERS),
        ("GET", "/api/1/listtrades", {"pair": PAIR}, R_ORDERS),
        ("POST", "/api/1/postorder", {"pair": PAIR}, W_ORDERS),
        ("POST", "/api/1/marketorder", {"pair": PAIR}, W_ORDERS),
        ("POST", "/api/1/stoporder", {"order_id": "BX1"}, W_ORDERS),
        ("GET", "/api/exchange/1/candles", {"pair": PAIR, "since": "1", "duration": "60"}, 0),
        ("GET", "/api/1/send/networks", {}, 0),
    ],
)
async def test_a_call_needs_its_permission_and_no_other(
    method: str, path: str, given: dict[str, str], needs: int
) -> None:
    keys = [Key("without", "pw", "sim", ~needs & 0xFFFF), Key("with", "pw", "sim", needs)]
    async with market(keys=keys) as (place, _):
        refused = await place.http.request(method, path, params=given, auth=("without", "pw"))
        allowed = await place.http.request(method, path, params=given, auth=("with", "pw"))
        if needs:
            assert (refused.status_code, refused.json()["error_code"]) == (403, "ErrInsufficientPerms")
        else:
            assert refused.status_code == 200
        assert allowed.status_code not in (401, 403)


async def test_public_calls_ignore_a_key_that_is_wrong_or_weak() -> None:
    async with market(keys=[Key("none", "pw", "sim", 0)]) as (place, _):
        for auth in (("none", "pw"), ("none", "wrong"), ("nobody", "")):
            assert (await place.get("/api/1/ticker", auth, pair=PAIR))["pair"] == PAIR


async def test_a_revoked_key_is_told_so_and_its_stream_is_refused() -> None:
    async with market(keys=[Key("old", "pw", "sim")]) as (place, _):
        await place.get("/api/1/balance", ("old", "pw"))
        place.exchange.keys.revoke("old")
        reply = await place.http.get("/api/1/balance", auth=("old", "pw"))
        assert (reply.status_code, reply.json()["error_code"]) == (401, "ErrApiKeyRevoked")
        async with place.user_stream() as stream:
            await stream.send('{"api_key_id":"old","api_key_secret":"pw"}')
            assert (await received(stream))[0]["error_code"] == "invalid_credentials"


async def test_two_accounts_trade_with_each_other_and_see_only_their_own() -> None:
    async with market(keys=[Key("ann", "pw", "ann"), Key("ann2", "pw", "ann")]) as (place, clock):
        ticker = await place.get("/api/1/ticker", None, pair=PAIR)
        price = str(int(float(ticker["bid"])) + 1)
        async with place.user_stream() as stream:
            await stream.send('{"api_key_id":"ann2","api_key_secret":"pw"}')
            await until(lambda: place.server.streams.open == 1)
            given = {"pair": PAIR, "type": "BID", "price": price, "volume": "0.001", "client_order_id": "same"}
            bid = (await place.http.post("/api/1/postorder", data=given, auth=("ann", "pw"))).json()["order_id"]
            ask = (await place.post("/api/1/postorder", **(given | {"type": "ASK"}))).json()["order_id"]
            told = await received(stream, 7)
        assert [row["type"] for row in told if row["order_status_update"]] == ["order_status"] * 2
        assert (await place.get(f"/api/exchange/2/orders/{bid}", ("ann2", "pw")))["status"] == "COMPLETE"
        assert (await place.http.get(f"/api/exchange/2/orders/{bid}", auth=AUTH)).status_code == 404
        assert (await place.get(f"/api/exchange/2/orders/{ask}"))["base"] == "0.001"
        ids = [
            {row["account_id"] for row in (await place.get("/api/1/balance", auth))["balance"]}
            for auth in (("ann", "pw"), AUTH)
        ]
        assert not ids[0] & ids[1]
        for asset in place.exchange.venue.ledger.assets():
            assert place.exchange.venue.ledger.drift(asset) == 0
        assert clock.ns > 0


# --- switches ---------------------------------------------------------------------------------------------------------


async def test_empty_credentials_open_a_market_stream_only_where_that_is_asked_for() -> None:
    for switches in (Behaviour(), Behaviour(empty_credentials=True)):
        async with market(switches=switches) as (place, _), place.stream() as book, place.user_stream() as user:
            await book.send(" { }\n")
            await user.send("{}")
            assert ("sequence" in (await received(book))[0]) is switches.empty_credentials
            assert (await received(user))[0]["error_code"] == "invalid_credentials"


async def test_pings_only_sends_no_text_on_a_quiet_stream() -> None:
    times = StreamTimes(keepalive_s=0.05)
    async with market(switches=Behaviour(pings_only=True), times=times) as (place, clock), place.user_stream() as user:
        await user.send(LOG_IN)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await user.recv()
        assert clock.ns > 0


async def test_a_returning_user_stream_can_get_messages_twice() -> None:
    for repeats in (False, True):
        async with market(switches=Behaviour(repeat_messages=repeats)) as (place, _):
            async with place.user_stream() as user:
                await user.send(LOG_IN)
                await until(lambda place=place: place.server.streams.open == 1)
                await place.order("BID", 290_000)
                first = await received(user, 2)
            await until(lambda place=place: place.server.streams.open == 0)
            await place.order("BID", 290_001)
            async with place.user_stream() as user:
                await user.send(LOG_IN)
                again = await received(user, 4 if repeats else 2)
            assert (again[:2] == first) is repeats


async def test_a_reply_is_written_in_the_chosen_style() -> None:
    switches = Behaviour(error_action=True, rest_decimals_18=True, null_lists="all")
    async with market(switches=switches) as (place, _):
        refused = await place.http.get("/api/1/ticker", params={"pair": "NOPE"})
        assert refused.json()["error_action"] == {}
        assert len((await place.get("/api/1/ticker", pair=PAIR))["bid"].partition(".")[2]) == 18
        assert (await place.get("/api/exchange/2/listorders"))["orders"] is None


async def test_a_stop_order_is_set_off_by_the_flow_and_seen_on_both_streams_only_then() -> None:
    async with market() as (place, clock), place.stream() as book, place.user_stream() as user:
        for stream in (book, user):
            await stream.send(LOG_IN)
        await received(book)
        await until(lambda: place.server.streams.open == 2)
        last = int(float((await place.get("/api/1/ticker", pair=PAIR))["last_trade"]))
        order_id = await place.order("BID", last - 9000, stop_price=last + 1, stop_direction="RELATIVE_LAST_TRADE")
        assert (await place.get(f"/api/exchange/2/orders/{order_id}"))["status"] == "AWAITING"
        assert (await received(user, 2))[1]["order_status_update"]["status"] == "AWAITING"
        for _ in range(600):
            clock.forward(1)
            if (await place.get(f"/sim/truth/api/exchange/2/orders/{order_id}"))["status"] == "PENDING":
                break
        assert (await received(user))[0]["order_status_update"] == {
            "order_id": order_id,
            "client_order_id": "",
            "market_id": PAIR,
            "status": "PENDING",
        }
        top = 0.0
        while True:
            (frame,) = await received(book)
            for trade in frame["trade_updates"]:
                top = max(top, float(trade["counter"]) / float(trade["base"]))
            if (frame["create_update"] or {}).get("order_id") == order_id:
                break
        assert top > last
