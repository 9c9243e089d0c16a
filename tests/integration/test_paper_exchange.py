"""The paper exchange over real sockets, its upstream a simulated exchange: frames as they came, orders on paper."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from house import House, open_house, running, until
from starlette.requests import Request
from websockets.asyncio.client import ClientConnection, connect

from lunomm.commands import exchange as command
from lunomm.commands import paper_exchange as module
from lunomm.commands.venue_finder import SimInfo, ask, noted_exchange
from lunomm.config import Common, RedisAddress
from lunomm.errors import ConfigError, ConnectivityError, CredentialsError, UsageError
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.public import PATHS, PublicData
from lunomm.luno.wire import KEEPALIVE, decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import Side
from lunomm.options.exchange import ExchangeOptions
from lunomm.simulator.keys import R_BALANCE, Key, KeyRing
from lunomm.simulator.matching import Engine, TimeInForce
from lunomm.simulator.profiles import CATALOGUE
from lunomm.simulator.server import ExchangeServer

PAIR = "XBTMYR"
RULES = CATALOGUE[PAIR].rules
AUTH = ("sim", "sim")
LOG_IN = '{"api_key_id":"sim","api_key_secret":"sim"}'
USER = ApiKey("user-key-id", "user-key-secret")
PATIENCE_S = 20.0


@dataclass
class Paper:
    """A paper exchange that runs as the command does. url, run_id: as its note says."""

    info: SimInfo
    http: httpx.AsyncClient
    task: asyncio.Task[Any]

    async def get(self, path: str, **given: Any) -> Any:
        reply = await self.http.get(path, params=given, auth=AUTH)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, **form: Any) -> httpx.Response:
        return await self.http.post(f"/api/1/{path}", data=form, auth=AUTH)

    async def order(self, side: Side, ticks: int, lots: int, **more: Any) -> str:
        price, volume = RULES.price(ticks), RULES.volume(lots)
        reply = await self.post("postorder", pair=PAIR, type=side.value, price=price, volume=volume, **more)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["order_id"])

    async def filled(self, order_id: str) -> int:
        return RULES.floor_lots(Decimal((await self.get(f"/api/exchange/2/orders/{order_id}"))["base"]))

    def stream(self, path: str = f"/api/1/stream/{PAIR}") -> connect:
        return connect(self.info.url.replace("http", "ws", 1) + path, proxy=None, max_size=2**24, compression=None)


def common(folder: Path, key: ApiKey | None = None) -> Common:
    return Common(mode="sim", redis=RedisAddress(), state_dir=folder, key=key, json=True)


@contextlib.asynccontextmanager
async def paper_of(house: House, folder: Path, key: ApiKey | None = None, **more: Any) -> AsyncIterator[Paper]:
    given = {"pairs": (PAIR,), "upstream": house.url, "fee_tier": 1, "latency_ms": 0.0, **more}
    async with running(command.run(common(folder, key), ExchangeOptions(**given))) as task:

        async def there() -> SimInfo | None:
            if task.done():
                task.result()
            noted = noted_exchange(folder, "paper")
            return None if noted is None else await ask(noted.url)

        info = await until(there, "the paper exchange answers")
        async with httpx.AsyncClient(base_url=info.url, trust_env=False, timeout=PATIENCE_S) as http:
            paper = Paper(info, http, task)

            async def knows_the_book() -> bool:
                reply = await paper.post("postorder", pair=PAIR, type="BID", price=1, volume=1000)
                return reply.json().get("error_code") != "ErrMarketUnavailable"

            await until(knows_the_book, "the upstream's snapshot came")
            yield paper


def quiet(house: House) -> tuple[Engine, int, int]:
    """Its engine and time, halted, and a price between the best two, where nobody stands."""
    house.halt()
    engine, now_ms = house.exchange.venue.engine(PAIR), house.now_ns() // 10**6
    while True:
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None and ask is not None
        if ask - bid > 2:
            return engine, now_ms, bid + 1
        engine.cancel(now_ms, next(engine.resting(Side.ASK)).order_id)


async def frames(socket: ClientConnection, until_sequence: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while True:
            raw = await socket.recv()
            if raw == KEEPALIVE:
                continue
            found.append(str(raw))
            if int(json.loads(raw)["sequence"]) >= until_sequence:
                return found


async def test_the_upstreams_frames_and_public_data_come_through_byte_for_byte(tmp_path: Path) -> None:
    async with open_house(speed=5.0) as house, paper_of(house, tmp_path) as paper:
        direct = connect(house.url.replace("http", "ws", 1) + f"/api/1/stream/{PAIR}", proxy=None, max_size=2**24)
        async with direct as upstream, paper.stream() as passed_on:
            await upstream.send(LOG_IN)
            await passed_on.send(LOG_IN)
            mine = await paper.order(Side.BID, 290_000, 1000)
            end = house.exchange.venue.engine(PAIR).sequence + 150
            there, here = await asyncio.gather(frames(upstream, end), frames(passed_on, end))
        known = {json.loads(raw)["sequence"]: raw for raw in there[1:]}
        common_frames = [raw for raw in here[1:] if json.loads(raw)["sequence"] in known]
        assert len(common_frames) > 100
        assert [known[json.loads(raw)["sequence"]] for raw in common_frames] == common_frames
        assert not any(mine in raw for raw in here)
        books = [Book(RULES), Book(RULES)]
        for book, told in zip(books, (there, here), strict=True):
            for raw in told:
                event = decode_market_frame(raw, RULES)
                book.load(event) if isinstance(event, BookSnapshot) else book.apply(event)  # type: ignore[arg-type]
        assert isinstance(decode_market_frame(here[-1], RULES), BookUpdate)
        assert books[0].snapshot() == books[1].snapshot()
        house.halt()
        async with httpx.AsyncClient(base_url=house.url, trust_env=False) as straight:
            for path in PATHS:
                query = f"pair={PAIR}&since={house.now_ns() // 10**6 - 600_000}&duration=60"
                replies = [await http.get(f"{path}?{query}", auth=AUTH) for http in (paper.http, straight)]
                assert replies[0].content == replies[1].content, path
                assert replies[0].status_code == 200


async def test_orders_queue_places_and_money_survive_a_restart(tmp_path: Path) -> None:
    async with open_house() as house:
        engine, now_ms, price = quiet(house)
        first = engine.place(now_ms, None, Side.BID, price, 3000).order_id
        second = engine.place(now_ms, None, Side.BID, price, 2000).order_id
        house.server.streams.pump()

        def sells(lots: int) -> None:
            engine.place(now_ms, None, Side.ASK, price, lots, tif=TimeInForce.IOC)
            house.server.streams.pump()

        async with paper_of(house, tmp_path, balances=("XBT=2.5",)) as paper, paper.stream("/api/1/userstream") as user:
            await user.send(LOG_IN)
            mine = await paper.order(Side.BID, price, 4000, client_order_id="c1", post_only=True)
            engine.place(now_ms, None, Side.BID, price, 9000)  # behind it
            sells(5500)
            async with asyncio.timeout(PATIENCE_S):
                while json.loads(await user.recv()).get("type") != "order_fill":
                    pass
            assert await paper.filled(mine) == 500
            run_id, before = paper.info.run_id, await paper.get("/api/1/balance")
            assert {row["asset"]: row["balance"] for row in before["balance"]}["XBT"] != "2.50"
        engine.place(now_ms, None, Side.BID, price, 7000)
        async with paper_of(house, tmp_path) as paper:
            assert paper.info.run_id == run_id
            assert await paper.get("/api/1/balance") == before
            listed = (await paper.get("/api/exchange/2/listorders"))["orders"]
            assert [(row["order_id"], row["client_order_id"], Decimal(row["base"])) for row in listed] == [
                (mine, "c1", RULES.volume(500))
            ]
            assert (
                await paper.post("postorder", pair=PAIR, type="BID", price=1000, volume=1, client_order_id="c1")
            ).json()["error_code"] == "ErrDuplicateClientOrderID"
            sells(3000)

            async def filled() -> bool:
                return await paper.filled(mine) == 3500

            await until(filled, "nobody is left before it")
            trades = (await paper.get("/api/1/listtrades", pair=PAIR))["trades"]
            assert [row["sequence"] for row in trades] == [1, 2]
        assert {first, second}.isdisjoint(engine.orders)


async def test_a_lost_upstream_refuses_orders_takes_cancels_and_comes_back(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as first_life:
        house = await first_life.enter_async_context(open_house())
        port = int(house.url.rpartition(":")[2])
        async with paper_of(house, tmp_path) as paper, paper.stream() as stream:
            await stream.send(LOG_IN)
            mine = await paper.order(Side.BID, 290_000, 1000)
            await first_life.aclose()
            async with asyncio.timeout(PATIENCE_S):
                await stream.wait_closed() if stream.close_code else [raw async for raw in stream]
            refused = await paper.post("postorder", pair=PAIR, type="BID", price=290_000, volume=0.01)
            assert refused.json()["error_code"] == "ErrMarketUnavailable"
            assert (await paper.http.get("/api/1/ticker", params={"pair": PAIR})).status_code == 502
            assert (await paper.post("stoporder", order_id=mine)).json() == {"success": True}
            async with open_house(seed=2, port=port), paper.stream() as again:
                await again.send(LOG_IN)
                async with asyncio.timeout(PATIENCE_S):
                    snapshot = await again.recv()
                assert "asks" in json.loads(snapshot)
                assert await paper.order(Side.BID, 290_000, 1000)


async def test_an_order_joins_the_queue_a_round_trip_later(tmp_path: Path) -> None:
    async with open_house() as house:
        engine, now_ms, price = quiet(house)
        async with paper_of(house, tmp_path, latency_ms=400.0) as paper:
            sent = asyncio.create_task(paper.order(Side.BID, price, 1000))
            await asyncio.sleep(0)

            async def under_way() -> bool:
                return (await paper.get("/api/exchange/2/listorders")).get("orders") in ([], None)

            assert await under_way()
            early = engine.place(now_ms, None, Side.BID, price, 3000).order_id
            house.server.streams.pump()
            mine = await sent
            engine.place(now_ms, None, Side.BID, price, 9000)  # behind it
            engine.place(now_ms, None, Side.ASK, price, 2500, tif=TimeInForce.IOC)
            engine.place(now_ms, None, Side.ASK, price, 900, tif=TimeInForce.IOC)
            house.server.streams.pump()

            async def filled() -> bool:
                return await paper.filled(mine) == 400

            await until(filled, "who came while it was under way stands before it")
            assert early not in engine.orders


async def test_nothing_but_public_data_and_the_market_stream_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []
    async with open_house() as house:
        call, owner_of = ExchangeServer._call, house.server.streams._owner

        async def listen(self: ExchangeServer, named: Any, http: Request, **more: Any) -> Any:
            if self is house.server:
                asked.append((http.method, http.url.path, http.headers.get("authorization", "")))
            return await call(self, named, http, **more)

        logins: list[str | None] = []

        def owner(text: str | None, *, anonymous: bool) -> str | None:
            logins.append(text)
            return owner_of(text, anonymous=anonymous)

        with pytest.raises(CredentialsError, match="key"):
            await command.run(common(tmp_path, USER), ExchangeOptions(upstream=house.url))
        assert noted_exchange(tmp_path, "paper") is None, "a key that is not accepted is told before the doors open"
        house.exchange.keys = KeyRing([Key(USER.id, USER.secret, "sim", R_BALANCE)])
        monkeypatch.setattr(ExchangeServer, "_call", listen)
        monkeypatch.setattr(house.server.streams, "_owner", owner)
        async with paper_of(house, tmp_path, USER, latency_ms=None) as paper:
            mine = await paper.order(Side.BID, 290_000, 1000)
            await paper.order(Side.BID, 310_000, 1000, time_in_force="IOC")
            await paper.post("marketorder", pair=PAIR, type="SELL", base_volume="0.01")
            await paper.post("stoporder", order_id=mine)
            for path in ("listorders", "balance", "listtrades?pair=XBTMYR", "fee_info?pair=XBTMYR", f"orders/{mine}"):
                assert (await paper.http.get(f"/api/1/{path}", auth=AUTH)).status_code == 200, path
            await paper.http.get("/api/1/ticker", params={"pair": PAIR})
            await paper.http.get("/api/exchange/1/candles", auth=AUTH)
            assert (await paper.http.get("/sim/faults")).status_code == 404
    assert asked
    assert {(method, path) for method, path, _ in asked} <= {("GET", path) for path in PATHS}
    basic = httpx.BasicAuth(USER.id, USER.secret)._auth_header
    assert {sent for _, path, sent in asked if path.endswith("/candles")} == {basic}
    assert {sent for _, path, sent in asked if not path.endswith("/candles")} == {""}
    assert [json.loads(text or "") for text in logins] == [{"api_key_id": USER.id, "api_key_secret": USER.secret}]


def test_no_client_for_order_calls_is_even_loaded() -> None:
    code = (
        "import sys, lunomm.commands.exchange, lunomm.commands.paper_exchange; "
        "print([m for m in sys.modules if m in ('lunomm.luno.rest', 'lunomm.luno.transport')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert ran.stdout.strip() == "[]"


async def test_the_public_data_client_knows_no_other_path() -> None:
    async with PublicData(endpoint("http://127.0.0.1:9"), USER) as public:
        for path in ("/api/1/postorder", "/api/1/stoporder", "/api/1/balance", "/api/1/trades/../postorder", ""):
            with pytest.raises(UsageError, match="public data"):
                await public.get(path)
        with pytest.raises(ConnectivityError) as lost:
            await public.get("/api/1/ticker", "pair=XBTMYR")
    assert "user-key" not in str(lost.value) and lost.value.__context__ is None


async def test_what_it_refuses_to_start_with(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="may only read"):
        await command.run(common(tmp_path), ExchangeOptions(upstream="luno"))
    with pytest.raises(ConfigError, match="--upstream"):
        await command.run(common(tmp_path), ExchangeOptions(upstream="https://example.com"))
    async with open_house() as house:
        with pytest.raises(UsageError, match="lists ETHMYR"):
            await command.run(common(tmp_path), ExchangeOptions(upstream=house.url, pairs=("ABCDEF",)))
        with pytest.raises(UsageError, match="is of no market here"):
            await command.run(common(tmp_path), ExchangeOptions(upstream=house.url, balances=("ABC=1",)))


async def test_new_limits_of_the_upstream_are_taken_and_new_scales_end_it_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RULES_EVERY_S", 0.05)
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.05)
    with pytest.raises(ConfigError) as ended:
        async with open_house() as house, paper_of(house, tmp_path) as paper:
            await paper.order(Side.BID, 290_000, 1000)
            other = await paper.post("postorder", pair="ETHMYR", type="BID", price=10_000, volume="0.01")
            assert other.json()["error_code"] == "ErrInvalidMarketPair"
            assert f"follows {PAIR}. Start it again" in other.json()["error"]
            async with paper.stream("/api/1/stream/ETHMYR") as stream:
                await stream.send(LOG_IN)
                assert f"follows {PAIR}" in json.loads(await stream.recv())["error"]
            rules, now_ms = house.exchange.venue.engine(PAIR).rules, house.now_ns() // 10**6
            house.exchange.change_rules(now_ms, PAIR, msgspec.structs.replace(rules, min_volume=Decimal("0.005")))
            house.server.streams.pump()

            async def held_to_them() -> bool:
                reply = await paper.post("postorder", pair=PAIR, type="BID", price=290_000, volume="0.001")
                return bool(reply.json().get("error_code") == "ErrVolumeTooLow")

            await until(held_to_them, "orders are held to the new limits")
            assert (await paper.get("/api/exchange/2/listorders"))["orders"], "what rests goes on"
            finer = msgspec.structs.replace(rules, price_scale=rules.price_scale + 2)
            house.exchange.change_rules(now_ms, PAIR, finer)
            house.server.streams.pump()
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait((paper.task,))
    said = str(ended.value)
    assert ended.value.code == "RULES_CHANGED" and "\n" not in said
    assert "price decimals 0, now 2" in said and " open orders" in said and "start anew" in said
