"""Every fault as a client meets it, over real sockets, and how they are armed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal as D
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from house import House, open_house, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lunomm.luno.wire import KEEPALIVE
from lunomm.simulator.exchange import OWNER

PAIR = "XBTMYR"
AUTH = ("sim", "sim")
LOG_IN = '{"api_key_id":"sim","api_key_secret":"sim"}'
PATIENCE_S = 15.0


class Client:
    """A visitor, and who arms the faults."""

    def __init__(self, house: House, http: httpx.AsyncClient) -> None:
        self.house = house
        self.venue = house.exchange.venue
        self.http = http

    async def arm(self, name: str, **parameters: Any) -> None:
        reply = await self.http.post("/sim/faults", json={"arm": name, "parameters": parameters}, auth=None)
        assert reply.status_code == 200, reply.text

    def reached(self) -> list[int]:
        return [armed.reached for armed in self.house.server.faults.armed]

    async def order(self, **more: Any) -> httpx.Response:
        form = {"pair": PAIR, "type": "BID", "price": "200000", "volume": "0.001", **more}
        return await self.http.post("/api/1/postorder", data=form)

    async def placed(self) -> str:
        return str((await self.order()).json()["order_id"])

    async def cancel(self, order_id: str) -> httpx.Response:
        return await self.http.post("/api/1/stoporder", data={"order_id": order_id})

    def working(self) -> int:
        return len(self.venue.orders(OWNER, PAIR, live=True))

    @asynccontextmanager
    async def stream(self, path: str = f"stream/{PAIR}", **options: Any) -> AsyncIterator[ClientConnection]:
        url = f"{self.house.url.replace('http', 'ws', 1)}/api/1/{path}"
        async with connect(url, proxy=None, compression=None, close_timeout=0.2, **options) as socket:
            await socket.send(LOG_IN)
            yield socket


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    # A house fast enough that frames need no waiting for.
    async with (
        open_house(speed=5.0) as house,
        httpx.AsyncClient(base_url=house.url, trust_env=False, auth=AUTH) as http,
    ):
        yield Client(house, http)


async def next_frame(socket: ClientConnection) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            raw = str(await socket.recv())
            if raw != KEEPALIVE:
                return raw


# --- REST -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("error-500", 500),
        ("error-502", 502),
        ("error-503", 503),
        ("error-504", 504),
        ("html-body", 200),
        ("empty-body", 200),
    ],
)
async def test_a_reply_that_is_none(client: Client, name: str, status: int, when: str) -> None:
    await client.arm(name, call="postorder", when=when, count=1)
    reply = await client.order()
    assert reply.status_code == status and "order_id" not in reply.text
    assert reply.text.startswith({"error-500": "{", "empty-body": ""}.get(name, "<html>"))
    assert client.working() == (when == "after") and client.reached() == [1]
    assert (await client.order()).status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "more"), [("truncated-body", {}), ("black-hole", {"seconds": 0.3})])
async def test_a_reply_that_never_ends(client: Client, name: str, more: dict[str, Any], when: str) -> None:
    await client.arm(name, call="postorder", when=when, **more)
    begun = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        await client.order()
    assert time.monotonic() - begun >= more.get("seconds", 0)
    assert client.working() == (when == "after") and client.reached() == [1]


async def test_too_many_requests(client: Client) -> None:
    await client.arm("error-429", seconds=7, count=1)
    reply = await client.order()
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")
    assert reply.json()["error_code"] == "ErrTooManyRequests" and client.working() == 0


async def test_a_late_arrival_is_refused_by_its_ttl_unless_nobody_looks(client: Client) -> None:
    await client.arm("late-arrival", seconds=0.3)
    late = {"timestamp": client.house.now_ns() // 1_000_000, "ttl": 500}  # 0.3 s of ours are 1.5 of the exchange's
    assert (await client.order(**late)).json()["error_code"] == "ErrDeadlineExceeded"
    await client.arm("no-ttl")
    assert (await client.order(**late)).status_code == 200


@pytest.mark.parametrize(
    ("name", "more", "code", "status"),
    [
        ("refuse", {}, "ErrInsufficientBalance", 400),
        ("refuse", {"code": "ErrDuplicateClientOrderID"}, "ErrDuplicateClientOrderID", 409),
        ("maintenance", {}, "ErrUnderMaintenance", 503),
        ("post-only-cancelled", {}, "ErrOrderCanceled", 400),
        ("key-revoked", {}, "ErrApiKeyRevoked", 401),
        ("permission-removed", {}, "ErrInsufficientPerms", 403),
    ],
)
async def test_refusals(client: Client, name: str, more: dict[str, Any], code: str, status: int) -> None:
    await client.arm(name, **more)
    reply = await client.order(post_only="true")
    assert (reply.json()["error_code"], reply.status_code) == (code, status) and client.working() == 0


async def test_an_order_that_stays_awaiting_and_can_be_cancelled(client: Client) -> None:
    await client.arm("awaiting", count=1)
    order_id = await client.placed()
    shown = (await client.http.get(f"/api/exchange/2/orders/{order_id}")).json()
    assert shown["status"] == "AWAITING" and order_id not in client.venue.engine(PAIR).orders
    assert (await client.cancel(order_id)).json() == {"success": True}
    assert client.venue.order_v2(OWNER, order_id).status == "COMPLETE"


async def test_cancels_that_do_not_cancel(client: Client) -> None:
    order_id = await client.placed()
    await client.arm("cancel-false", count=1)
    assert (await client.cancel(order_id)).json() == {"success": False}
    await client.arm("cancel-unknown", count=1)
    assert (await client.cancel(order_id)).json()["error_code"] == "ErrCannotStopUnknownOrNonPendingOrder"
    assert client.working() == 1
    assert (await client.cancel(order_id)).json() == {"success": True} and client.working() == 0


async def test_fills_around_a_cancel(client: Client) -> None:
    order_id = await client.placed()
    await client.arm("fill-while-cancelling", count=1, percent=25)
    assert (await client.cancel(order_id)).json() == {"success": True}
    done = client.venue.order_v2(OWNER, order_id)
    assert (done.status, D(done.base)) == ("COMPLETE", D("0.00025"))

    order_id = await client.placed()
    await client.arm("fill-after-cancel", count=1, seconds=1)
    assert (await client.cancel(order_id)).json() == {"success": True} and client.working() == 1

    async def gone() -> bool:
        return client.working() == 0

    await until(gone, "the late cancel")
    assert D(client.venue.order_v2(OWNER, order_id).base) == D("0.0005")


async def test_a_clock_that_is_off(client: Client) -> None:
    def off_s(reply: httpx.Response) -> float:
        return parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time()

    assert abs(off_s(await client.http.get("/api/1/tickers"))) < 3
    await client.arm("clock-skew", seconds=40)
    reply = await client.http.get("/api/1/tickers")
    assert 37 < off_s(reply) < 43 and len(reply.headers.get_list("Date")) == 1
    now_ms = client.house.now_ns() // 1_000_000
    assert (await client.order(timestamp=now_ms, ttl=1000)).json()["error_code"] == "ErrDeadlineExceeded"


async def test_old_balances_and_fills_not_listed_yet(client: Client) -> None:
    async def reserved() -> str:
        rows = (await client.http.get("/api/1/balance", params={"assets": "MYR"})).json()["balance"]
        return str(rows[0]["reserved"])

    await client.arm("balance-lag", seconds=600)
    await client.placed()
    assert await reserved() == "0.00"
    await client.arm("listtrades-lag", seconds=600)
    market = {"pair": PAIR, "type": "BUY", "counter_volume": "200"}
    assert (await client.http.post("/api/1/marketorder", data=market)).status_code == 200
    assert (await client.http.get("/api/1/listtrades", params={"pair": PAIR})).json()["trades"] in ([], None)
    await client.http.post("/sim/faults", json={"disarm": "all"})
    assert await reserved() != "0.00"
    assert (await client.http.get("/api/1/listtrades", params={"pair": PAIR})).json()["trades"]


async def test_the_exchange_itself_changes(client: Client) -> None:
    async def markets() -> Any:
        return (await client.http.get("/api/exchange/1/markets", params={"pair": PAIR})).json()["markets"][0]

    async def holds(key: str, value: Any) -> Any:
        async def seen() -> bool:
            return bool((await markets())[key] == value)

        return await until(seen, f"{key} {value}")

    await client.arm("status", kind="SUSPENDED", pair=PAIR, seconds=0.5)
    await holds("trading_status", "SUSPENDED")
    await holds("trading_status", "ACTIVE")
    await client.arm("rules-change", pair=PAIR, scale=1)
    await holds("price_scale", 1)
    await client.arm("fee-change", maker=0.0042)

    async def fee() -> bool:
        return bool((await client.http.get("/api/1/fee_info", params={"pair": PAIR})).json()["maker_fee"] == "0.0042")

    await until(fee, "the new fee")


# --- streams ----------------------------------------------------------------------------------------------------------


async def test_lost_doubled_mixed_up_and_skipped(client: Client) -> None:
    async with client.stream() as socket:
        last = int(json.loads(await next_frame(socket))["sequence"])
        for name, steps in (
            ("market-drop", {2}),
            ("market-duplicate", {0}),
            ("market-reorder", {2, -1}),
            ("market-gap", {4}),
        ):
            last = int(json.loads(await next_frame(socket))["sequence"])  # past what the one before mixed up
            await client.arm(name, count=1, **({"size": 3} if name == "market-gap" else {}))
            seen: set[int] = set()
            for _ in range(400):
                if steps <= seen:
                    break
                number = int(json.loads(await next_frame(socket))["sequence"])
                seen.add(number - last)
                last = number
            assert steps <= seen <= steps | {1, 2}, (name, seen)
    assert client.reached() == [1, 1, 1, 1]


async def test_half_open(client: Client) -> None:
    async with client.stream(ping_interval=None) as socket:
        await next_frame(socket)
        async with asyncio.timeout(PATIENCE_S):
            await (await socket.ping())
        await client.arm("market-half-open")

        async def struck() -> bool:
            return client.reached() == [1]

        await until(struck, "the silence")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await (await socket.ping())
        while True:
            # What was on its way is still read; then nothing, and no close.
            try:
                async with asyncio.timeout(0.2):
                    await socket.recv()
            except TimeoutError:
                break
        assert socket.close_code is None


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1011, 1012])
async def test_closes(client: Client, code: int) -> None:
    async with client.stream() as socket:
        await next_frame(socket)
        await client.arm("market-close", code=code, count=1)
        last = "{}"
        with pytest.raises(ConnectionClosed):
            while True:
                last = await next_frame(socket)
        assert socket.close_code == code
        assert ("error_code" in json.loads(last)) == (code == 1000)


@pytest.mark.parametrize(
    "kind", ["truncated", "wrong-type", "unknown-maker", "overfill", "duplicate-id", "unknown-side"]
)
async def test_corrupt_frames(client: Client, kind: str) -> None:
    async with client.stream() as socket:
        await next_frame(socket)
        await client.arm("market-corrupt", kind=kind, count=1)

        async def struck() -> bool:
            raw = await next_frame(socket)
            try:
                frame = json.loads(raw)
            except ValueError:
                return kind == "truncated"
            trades, create = frame["trade_updates"] or [], frame["create_update"] or {}
            return bool(
                {
                    "truncated": False,
                    "wrong-type": frame["sequence"] == [],
                    "unknown-maker": any(row["maker_order_id"] == "BXNOBODYKNOWSME" for row in trades),
                    "overfill": any(row["base"] == "999999999.00" for row in trades),
                    "duplicate-id": create.get("price") == "1.00",
                    "unknown-side": create.get("type") == "MIDDLE",
                }[kind]
            )

        await until(struck, kind)


@pytest.mark.parametrize(
    ("name", "more", "found"),
    [
        ("market-skew", {"seconds": 500}, lambda f, now: f["timestamp"] > now + 400_000),
        ("status-word", {"code": "HALTED"}, lambda f, now: f["status_update"] == {"status": "HALTED"}),
        ("crossed-book", {}, lambda f, now: D((f["create_update"] or {}).get("price", "0")) > 500_000),
        ("price-jump", {"percent": 90}, lambda f, now: D((f["create_update"] or {}).get("price", "0")) > 500_000),
        ("empty-book", {}, lambda f, now: f["delete_update"] is not None),
    ],
)
async def test_frames_that_lie_or_frighten(client: Client, name: str, more: dict[str, Any], found: Any) -> None:
    async with client.stream() as socket:
        await next_frame(socket)
        await client.arm(name, pair=PAIR, **more)

        async def struck() -> bool:
            return bool(found(json.loads(await next_frame(socket)), client.house.now_ns() // 1_000_000))

        await until(struck, name)


async def test_an_order_left_out_of_the_book(client: Client) -> None:
    async with client.stream() as socket:
        await next_frame(socket)
        await client.arm("wrong-book", pair=PAIR)
        before = client.venue.engine(PAIR).sequence
        order_id = await client.placed()
        await client.arm("status", kind="POSTONLY", pair=PAIR)
        while (frame := json.loads(await next_frame(socket)))["status_update"] is None:
            assert int(frame["sequence"]) <= before or frame["create_update"] is None
        assert order_id in client.venue.engine(PAIR).orders


async def test_too_large_and_too_late(client: Client) -> None:
    async with client.stream(max_size=2**20) as socket:
        await next_frame(socket)
        await client.arm("market-oversize", size=2, count=1)
        with pytest.raises(ConnectionClosed):
            while True:
                await next_frame(socket)
        assert socket.close_code is not None and socket.protocol.close_exc.sent.code == 1009
    async with client.stream() as socket:
        await next_frame(socket)
        await client.arm("market-lag", seconds=0.6)
        order_id = await client.placed()
        begun = time.monotonic()
        while order_id not in await next_frame(socket):
            pass
        assert time.monotonic() - begun > 0.5


async def test_a_stream_refused(client: Client) -> None:
    await client.arm("login-refused", code="auth_timeout", count=1)
    async with client.stream() as socket:
        assert json.loads(await next_frame(socket))["error_code"] == "auth_timeout"
    await client.arm("key-revoked", count=1)
    async with client.stream("userstream") as socket:
        assert json.loads(await next_frame(socket))["error_code"] == "invalid_credentials"


async def test_user_messages_lost_doubled_and_again(client: Client) -> None:
    async def types(socket: ClientConnection, count: int) -> list[str]:
        return [json.loads(await next_frame(socket))["type"] for _ in range(count)]

    async with client.stream("userstream") as socket:
        await client.placed()
        assert await types(socket, 2) == ["balance_update", "order_status"]
        await client.arm("user-drop", count=1)
        await client.placed()
        assert await types(socket, 1) == ["order_status"]
        await client.arm("user-duplicate", count=1)
        await client.placed()
        assert await types(socket, 3) == ["balance_update", "balance_update", "order_status"]
        await client.arm("user-reorder", count=1)
        await client.placed()
        assert await types(socket, 2) == ["order_status", "balance_update"]

    async def left() -> bool:
        return client.house.server.streams.open == 0

    await until(left, "the stream's end")
    await client.arm("user-replay", size=3, count=1)
    await client.placed()
    async with client.stream("userstream") as socket:
        assert len(await types(socket, 5)) == 5
    await until(left, "the stream's end")
    await client.arm("user-cache-gone", count=1)
    await client.placed()
    async with client.stream("userstream") as socket:

        async def on() -> bool:
            return client.house.server.streams.of(OWNER)[1] == 1

        await until(on, "the stream")
        order_id = await client.placed()
        assert await types(socket, 1) == ["balance_update"] and order_id in await next_frame(socket)


# --- arming -----------------------------------------------------------------------------------------------------------


async def test_what_is_armed_is_told_and_costs_no_calls(client: Client) -> None:
    await client.arm("market-drop", probability=0.5, pair=PAIR)
    shown = (await client.http.get("/sim/faults")).json()
    assert "error-429" in shown["known"] and shown["armed"][0]["parameters"]["probability"] == 0.5
    number = shown["armed"][0]["id"]
    reply = await client.http.post("/sim/faults", json={"disarm": number})
    assert reply.json() == {"disarmed": 1, "armed": []}
    assert client.house.server.calls == 0
    await client.arm("error-500")
    assert (await client.http.get("/sim/truth/api/1/ticker", params={"pair": PAIR})).status_code == 200


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 4000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", 'give {"arm"'),
        (b'{"arm":"market-drop","disarm":"all"}', 'give {"arm"'),
        (b'{"arm":7}', "give the name"),
        (b'{"arm":"nope"}', "no such fault"),
        (b'{"arm":"market-drop","parameters":[1]}', "parameters as an object"),
        (b'{"arm":"market-drop","parameters":{"count":-1}}', "count: give a whole number"),
        (b'{"arm":"market-drop","parameters":{"pair":"NOPE"}}', "pair: give one of"),
        (b'{"disarm":99}', "no such fault is armed"),
        (b'{"disarm":true}', "give the number or the name"),
        (b'{"arm":"' + b"x" * 5000 + b'"}', "larger than"),
    ],
)
async def test_bad_orders(client: Client, body: bytes, complaint: str) -> None:
    reply = await client.http.post("/sim/faults", content=body)
    assert reply.status_code == 400 and complaint in reply.json()["error"], reply.text
    assert not client.house.server.faults.armed


async def test_a_page_of_another_name_arms_nothing(client: Client) -> None:
    headers = {"Host": "evil.example"}
    reply = await client.http.post("/sim/faults", json={"arm": "market-drop"}, headers=headers)
    assert reply.status_code == 403 and not client.house.server.faults.armed
