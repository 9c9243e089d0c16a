from __future__ import annotations

import asyncio
import base64
import io
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx

from lunomm import __version__
from lunomm.errors import (
    ConnectivityError,
    CredentialsError,
    ExchangeError,
    LunommError,
    OrderRejected,
    OrderStateError,
    OutcomeUnknown,
    RateLimited,
)
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.market.rules import Side

BASE = "https://api.luno.com"
KEY = ApiKey("rest-test-key-id", "rest-test-secret")
BASIC = "Basic " + base64.b64encode(b"rest-test-key-id:rest-test-secret").decode()
ORDER = {
    "order_id": "BXH4T9QW2MZ7KRE",
    "client_order_id": "lm1-XBTMYR-a-1-B0",
    "pair": "XBTMYR",
    "side": "BUY",
    "type": "LIMIT",
    "status": "PENDING",
    "time_in_force": "GTC",
    "limit_price": "300000.00",
    "limit_volume": "0.01",
    "stop_price": "0.00",
    "stop_direction": "",
    "base": "0.004",
    "counter": "1200.00",
    "fee_base": "0.000014",
    "fee_counter": "0.00",
    "base_account_id": 4203463422864003002,
    "counter_account_id": 4203463422864003001,
    "creation_timestamp": 1776470400200,
    "completed_timestamp": 0,
    "expiration_timestamp": 0,
}


@pytest.fixture
async def rest() -> AsyncIterator[LunoRest]:
    async with LunoRest(endpoint(None), KEY, CallBudget(), timeout_s=2, write_timeout_s=2) as opened:
        yield opened


@pytest.fixture
def luno() -> Any:
    with respx.mock(base_url=BASE, assert_all_called=False) as mock:
        yield mock


def post(rest: LunoRest, **changes: Any) -> Awaitable[str]:
    arguments: dict[str, Any] = {
        "pair": "XBTMYR",
        "side": Side.ASK,
        "volume": Decimal("0.000200"),
        "price": Decimal("3E+5"),
        "client_order_id": "lm1-XBTMYR-a-1-A0",
        "timestamp_ms": 1776470400200,
        "ttl_ms": 3000,
        **changes,
    }
    return rest.post_order(**arguments)


def form_of(request: httpx.Request) -> dict[str, list[str]]:
    return parse_qs(request.content.decode(), keep_blank_values=True, strict_parsing=True)


# --- requests ------------------------------------------------------------------------------------------------------


async def test_order_travels_in_the_form_body(rest: LunoRest, luno: Any) -> None:
    route = luno.post("/api/1/postorder").respond(json={"order_id": "BX1"})
    assert await post(rest) == "BX1"
    request = route.calls.last.request
    assert request.url.query == b"" and request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form_of(request) == {
        "pair": ["XBTMYR"],
        "type": ["ASK"],
        "volume": ["0.000200"],
        "price": ["300000"],
        "post_only": ["true"],
        "client_order_id": ["lm1-XBTMYR-a-1-A0"],
        "timestamp": ["1776470400200"],
        "ttl": ["3000"],
    }
    assert request.headers["authorization"] == BASIC
    assert request.headers["user-agent"] == f"lunomm/{__version__}"
    assert request.headers["accept-encoding"] == "identity"


async def test_public_calls_carry_no_key(rest: LunoRest, luno: Any) -> None:
    ticker = {"pair": "XBTMYR", "timestamp": 1, "bid": "1", "ask": "2", "last_trade": "1", "status": "ACTIVE"}
    ticker["rolling_24_hour_volume"] = "0.00"
    route = luno.get("/api/1/ticker").respond(json=ticker)
    assert (await rest.ticker("XBTMYR")).bid == "1"
    assert "authorization" not in route.calls.last.request.headers
    assert route.calls.last.request.url.query == b"pair=XBTMYR"


async def test_candles_carry_the_key(rest: LunoRest, luno: Any) -> None:
    route = luno.get("/api/exchange/1/candles").respond(json={"candles": None, "duration": 60, "pair": "XBTMYR"})
    assert await rest.candles("XBTMYR", 1776470340000, 60) == []
    assert route.calls.last.request.headers["authorization"] == BASIC
    assert route.calls.last.request.url.query == b"pair=XBTMYR&since=1776470340000&duration=60"


async def test_private_calls_without_a_key_are_not_sent(luno: Any) -> None:
    async with LunoRest(endpoint(None), None, CallBudget()) as rest:
        with pytest.raises(CredentialsError, match="LUNO_KEY_ID"):
            await rest.balances()
        with pytest.raises(CredentialsError):
            await rest.candles("XBTMYR", 1, 60)
    assert not luno.calls


async def test_lists(rest: LunoRest, luno: Any) -> None:
    luno.get("/api/exchange/2/listorders").mock(side_effect=[httpx.Response(200, json={"orders": None})])
    assert await rest.list_orders("XBTMYR", closed=True, created_before_ms=5, limit=7) == []
    assert luno.calls.last.request.url.query == b"pair=XBTMYR&closed=true&created_before=5&limit=7"
    luno.get("/api/1/listtrades").respond(json={"trades": None})
    assert await rest.list_trades("XBTMYR", after_seq=9) == []
    assert luno.calls.last.request.url.query == b"pair=XBTMYR&after_seq=9&limit=100"
    luno.get("/api/exchange/1/markets").respond(json={"markets": []})
    assert await rest.markets("NOPE") == []
    luno.get("/api/1/tickers").respond(json={"tickers": []})
    assert await rest.tickers() == []
    luno.get("/api/1/trades").respond(json={"trades": []})
    assert await rest.trades("XBTMYR", since_ms=3) == []
    book = {"timestamp": 1, "bids": [{"price": "1.00", "volume": "2"}], "asks": []}
    luno.get("/api/1/orderbook_top").respond(json=book)
    luno.get("/api/1/orderbook").respond(json=book)
    assert await rest.orderbook_top("XBTMYR") == await rest.orderbook("XBTMYR")


async def test_balances_and_fees(rest: LunoRest, luno: Any) -> None:
    row = {"account_id": "4203463422864003001", "asset": "MYR", "balance": "500.00", "reserved": "93.50"}
    luno.get("/api/1/balance").respond(json={"balance": [row]})
    assert (await rest.balances())[0].account_id == "4203463422864003001"
    fees = {"maker_fee": "0.0035", "taker_fee": "0.006", "maker_fee_buy": "-0.0001", "maker_fee_sell": ""}
    luno.get("/api/1/fee_info").respond(json=fees)
    assert (await rest.fee_info("XBTMYR")).rates() == (Decimal("0.0035"), Decimal("0.006"))


async def test_unknown_pair_keeps_the_code_of_luno(rest: LunoRest, luno: Any) -> None:
    body = {"error": "Market not available", "error_code": "ErrMarketUnavailable"}
    route = luno.get("/api/1/ticker").respond(400, json=body)
    with pytest.raises(ExchangeError) as caught:
        await rest.ticker("NOPE")
    assert caught.value.code == "ErrMarketUnavailable" and route.call_count == 1


# --- orders read ---------------------------------------------------------------------------------------------------


async def test_find_order(rest: LunoRest, luno: Any) -> None:
    route = luno.get("/api/exchange/3/order").respond(json=ORDER)
    found = await rest.find_order(client_order_id="lm1-XBTMYR-a-1-B0")
    assert found is not None and found.order_id == "BXH4T9QW2MZ7KRE" and found.live
    assert route.calls.last.request.url.query == b"client_order_id=lm1-XBTMYR-a-1-B0"
    assert await rest.find_order(order_id="BXH4T9QW2MZ7KRE") == found
    with pytest.raises(ExchangeError, match="another order"):
        await rest.find_order(client_order_id="lm1-XBTMYR-a-2-B0")
    with pytest.raises(OrderStateError):
        await rest.find_order()
    with pytest.raises(OrderStateError):
        await rest.find_order(order_id="a", client_order_id="b")


@pytest.mark.parametrize("code", ["ErrOrderNotFound", "ErrNotFound"])
async def test_only_luno_saying_so_means_absent(rest: LunoRest, luno: Any, code: str) -> None:
    luno.get("/api/exchange/3/order").respond(404, json={"error": "Cannot find that order", "error_code": code})
    assert await rest.find_order(client_order_id="x") is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(404, html="<html>not found</html>"),
        httpx.Response(400, json={"error": "x", "error_code": "ErrInvalidParameters"}),
        httpx.Response(200, json={}),
        httpx.Response(200, json={**ORDER, "base": "1e5"}),
        httpx.Response(500, json={"error": "x", "error_code": "ErrOrderNotFound"}),
    ],
)
async def test_nothing_else_means_absent(rest: LunoRest, luno: Any, answer: httpx.Response) -> None:
    # A function, since an answer's stream can be read once.
    luno.get("/api/exchange/3/order").mock(
        side_effect=lambda _: httpx.Response(answer.status_code, content=answer.content)
    )
    with pytest.raises(ExchangeError):
        await rest.find_order(client_order_id="x")


async def test_open_orders_page_to_the_end(rest: LunoRest, luno: Any) -> None:
    """2,300 orders, three of each millisecond: the pages overlap inside a millisecond and nothing is lost."""
    stamps = [10_000 - n // 3 for n in range(2300)]
    rows = [{**ORDER, "order_id": f"BX{n}", "creation_timestamp": at} for n, at in enumerate(stamps)]

    def page(request: httpx.Request) -> httpx.Response:
        before = int(request.url.params.get("created_before", 10**9))
        return httpx.Response(200, json={"orders": [r for r in rows if r["creation_timestamp"] < before][:1000]})

    luno.get("/api/exchange/2/listorders").mock(side_effect=page)
    assert [order.order_id for order in await rest.open_orders("XBTMYR")] == [f"BX{n}" for n in range(2300)]


async def test_open_orders_that_cannot_be_listed_whole(rest: LunoRest, luno: Any) -> None:
    rows = [{**ORDER, "order_id": f"BX{n}"} for n in range(1000)]
    luno.get("/api/exchange/2/listorders").respond(json={"orders": rows})
    with pytest.raises(ExchangeError, match="listed whole"):
        await rest.open_orders("XBTMYR")


async def test_pages_are_turned_until_two_passes_agree(rest: LunoRest, luno: Any) -> None:
    """An order is cancelled while the pages are turned: what the first pass saw is not what is there."""
    rows = [{**ORDER, "order_id": f"BX{n}", "creation_timestamp": 10_000 - n} for n in range(1500)]
    asked = 0

    def page(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        before = int(request.url.params.get("created_before", 10**9))
        found = [r for r in rows if r["creation_timestamp"] < before][:1000]
        if asked == 1:
            del rows[3]
        return httpx.Response(200, json={"orders": found})

    luno.get("/api/exchange/2/listorders").mock(side_effect=page)
    found = [order.order_id for order in await rest.open_orders("XBTMYR")]
    assert found == [row["order_id"] for row in rows]
    assert "BX3" not in found
    assert asked == 6


async def test_pages_that_never_agree_are_no_list(rest: LunoRest, luno: Any) -> None:
    made = 0

    def page(request: httpx.Request) -> httpx.Response:
        nonlocal made
        if "created_before" in request.url.params:
            return httpx.Response(200, json={"orders": []})
        made += 1000
        rows = [{**ORDER, "order_id": f"BX{made + n}", "creation_timestamp": 10_000 - n} for n in range(1000)]
        return httpx.Response(200, json={"orders": rows})

    luno.get("/api/exchange/2/listorders").mock(side_effect=page)
    with pytest.raises(ExchangeError, match="change faster"):
        await rest.open_orders("XBTMYR")


# --- what becomes of a write ---------------------------------------------------------------------------------------

GARBLED: list[httpx.Response | Exception] = [
    httpx.Response(200, html="<html>"),
    httpx.Response(200, content=b""),
    httpx.Response(200, json={}),
    httpx.Response(200, json={"order_id": None}),
    httpx.Response(200, json={"order_id": ""}),
    httpx.Response(200, json={"order_id": "BX\x1b[0m"}),
    httpx.Response(200, json={"order_id": 5}),
    httpx.Response(200, json={"order_id": "B" * 10_000}),
    httpx.Response(200, content=b'{"order_id":"BX1","order_id":"BX2"}'),
    httpx.Response(200, content=b'{"order_id":"BX1"'),
    httpx.Response(200, json=["BX1"]),
    httpx.Response(201, json={"order_id": "BX1"}),
    httpx.Response(307, headers={"location": "https://evil.example/"}),
    httpx.Response(403, html="<html>challenge</html>"),
    httpx.Response(500, json={"error": "Internal", "error_code": "ErrInternal"}),
    httpx.Response(502),
    httpx.Response(504, text="timeout"),
    httpx.Response(400, json={"error": "x", "error_code": "ErrDeadlineExceeded"}),
    httpx.Response(400, json={"error": "x", "error_code": "ErrNeverHeardOf"}),
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
    OSError("TLS"),
]


@pytest.mark.parametrize("answer", GARBLED, ids=range(len(GARBLED)))
async def test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once(
    rest: LunoRest, luno: Any, answer: httpx.Response | Exception
) -> None:
    for path, call in (
        ("/api/1/postorder", lambda: post(rest)),
        ("/api/1/stoporder", lambda: rest.stop_order("BX1")),
    ):
        made = answer
        if isinstance(answer, httpx.Response):
            made = httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        route = luno.post(path).mock(side_effect=[made])
        with pytest.raises(OutcomeUnknown):
            await call()
        assert route.call_count == 1


@pytest.mark.parametrize("broken", [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.PoolTimeout("")])
async def test_a_write_that_never_left_is_known_to_have_done_nothing(
    rest: LunoRest, luno: Any, broken: Exception
) -> None:
    luno.post("/api/1/postorder").mock(side_effect=broken)
    with pytest.raises(ConnectivityError):
        await post(rest)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ErrInsufficientFunds"), (400, "ErrOrderCanceled"), (409, "ErrDuplicateClientOrderID")],
)
async def test_proven_refusals_keep_their_code(rest: LunoRest, luno: Any, status: int, code: str) -> None:
    luno.post("/api/1/postorder").respond(status, json={"error": "no", "error_code": code})
    with pytest.raises(OrderRejected) as caught:
        await post(rest)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"volume": Decimal("0")},
        {"volume": Decimal("-1")},
        {"volume": Decimal("NaN")},
        {"price": Decimal("Infinity")},
        {"price": Decimal("1e30")},
        {"price": Decimal("1e-19")},
        {"client_order_id": ""},
        {"client_order_id": "a b"},
        {"client_order_id": "a" * 256},
        {"client_order_id": "a\n"},
        {"ttl_ms": 0},
        {"ttl_ms": 10_001},
        {"timestamp_ms": 0},
    ],
)
async def test_orders_that_cannot_be_meant_are_not_sent(rest: LunoRest, luno: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(OrderRejected) as caught:
        await post(rest, **changes)
    assert caught.value.code == "BAD_ORDER" and not luno.calls


@pytest.mark.parametrize(
    ("status", "answer", "cancelled"),
    [
        (200, {"success": True}, True),
        (200, {"success": False}, False),
        (400, {"error": "x", "error_code": "ErrCannotStopUnknownOrNonPendingOrder"}, False),
        (404, {"error": "x", "error_code": "ErrOrderNotFound"}, False),
    ],
)
async def test_stop_order(rest: LunoRest, luno: Any, status: int, answer: dict[str, Any], cancelled: bool) -> None:
    route = luno.post("/api/1/stoporder").respond(status, json=answer)
    assert await rest.stop_order("BX1") is cancelled
    assert form_of(route.calls.last.request) == {"order_id": ["BX1"]}


# --- reads that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadTimeout(""),
        httpx.ConnectError(""),
        httpx.RemoteProtocolError(""),
        httpx.Response(502),
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json={"balance": [{"account_id": 5}]}),
    ],
    ids=range(6),
)
async def test_a_read_is_asked_once_more(rest: LunoRest, luno: Any, first: httpx.Response | Exception) -> None:
    route = luno.get("/api/1/balance").mock(side_effect=[first, httpx.Response(200, json={"balance": []})])
    assert await rest.balances() == []
    assert route.call_count == 2
    route.mock(side_effect=[httpx.Response(500), httpx.Response(500)])
    with pytest.raises(ConnectivityError):
        await rest.balances()
    assert route.call_count == 4


async def test_a_redirect_is_not_followed(rest: LunoRest, luno: Any) -> None:
    luno.get("/api/1/balance").respond(302, headers={"location": BASE + "/elsewhere"})
    elsewhere = luno.get("/elsewhere").respond(json={"balance": []})
    with pytest.raises(ConnectivityError):
        await rest.balances()
    assert elsewhere.call_count == 0


async def test_bodies_are_bounded(rest: LunoRest, luno: Any) -> None:
    luno.get("/api/1/balance").respond(content=b" " * (16 * 2**20 + 1))
    with pytest.raises(ConnectivityError, match="longer than 16777216"):
        await rest.balances()
    luno.get("/api/1/balance").respond(content=b"x", headers={"content-encoding": "gzip"})
    with pytest.raises(ConnectivityError, match="compressed"):
        await rest.balances()


async def test_calls_outside_of_the_context(luno: Any) -> None:
    rest = LunoRest(endpoint(None), KEY, CallBudget())
    with pytest.raises(OrderStateError):
        await rest.balances()


# --- call budget ---------------------------------------------------------------------------------------------------


async def test_429_is_told_to_the_budget(luno: Any) -> None:
    budget = CallBudget()
    async with LunoRest(endpoint(None), KEY, budget) as rest:
        luno.get("/api/1/balance").respond(429, headers={"retry-after": "30"})
        with pytest.raises(RateLimited) as caught:
            await rest.balances()
        assert caught.value.retry_after_s == 30.0 and budget.refusals(time.monotonic_ns()) == 1
        # An order cannot wait for that, and is not sent.
        route = luno.post("/api/1/postorder").respond(json={"order_id": "BX1"})
        with pytest.raises(RateLimited) as caught:
            await post(rest)
        assert caught.value.code == "CALL_BUDGET" and route.call_count == 0
        # A cancel goes out as soon as the bucket holds a call again.
        luno.post("/api/1/stoporder").respond(json={"success": True})
        assert await rest.stop_order("BX1") is True
        assert budget.refusals(time.monotonic_ns()) == 1


async def test_reads_wait_for_the_budget_and_urgent_ones_use_its_reserve(luno: Any) -> None:
    budget = CallBudget(limit=480, per_s=60, reserve=3, burst=5)  # 7.9 a second
    luno.get("/api/1/balance").respond(json={"balance": []})
    luno.get("/api/exchange/3/order").respond(json=ORDER)
    async with LunoRest(endpoint(None), KEY, budget) as rest:
        await rest.balances()
        await rest.balances()
        began = time.monotonic()
        for _ in range(3):
            await rest.find_order(order_id="BXH4T9QW2MZ7KRE")
        assert time.monotonic() - began < 0.2
        await rest.balances()
        assert time.monotonic() - began > 0.3


async def test_clock_from_the_date_header(rest: LunoRest, luno: Any) -> None:
    assert rest.last_date_ms() is None and rest.skew() is None
    luno.get("/api/1/tickers").respond(json={"tickers": []}, headers={"date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    await rest.tickers()
    assert rest.last_date_ms() == 1_700_000_000_000
    skew = rest.skew()
    assert skew is not None and skew.error_ms >= 500
    assert abs(skew.offset_ms - (1_700_000_000_500 - time.time() * 1000)) < 2000
    luno.get("/api/1/tickers").respond(json={"tickers": []}, headers={"date": "yesterday"})
    await rest.tickers()
    assert rest.last_date_ms() == 1_700_000_000_000


# --- on a real socket ----------------------------------------------------------------------------------------------

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def test_a_server_that_never_answers_costs_the_whole_time_limit_at_most(
    tcp_server: Callable[[Handler], Awaitable[Endpoint]],
) -> None:
    seen: list[bytes] = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        # One byte at a time keeps every read of it short of its own limit: the whole call has one.
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    where = await tcp_server(slow)
    async with LunoRest(where, KEY, CallBudget(), timeout_s=0.3, write_timeout_s=0.3) as rest:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="no answer within"):
            await post(rest)
        assert time.monotonic() - began < 1.5 and len(seen) == 1
        with pytest.raises(ConnectivityError):
            await rest.balances()
        assert len(seen) == 3


async def test_an_endless_answer_is_cut_off(tcp_server: Callable[[Handler], Awaitable[Endpoint]]) -> None:
    sent: list[int] = []

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b" " * 2**20)
            await writer.drain()
            sent.append(2**20)

    async with LunoRest(await tcp_server(endless), None, CallBudget()) as rest:
        with pytest.raises(ConnectivityError, match="longer than 16777216 bytes"):
            await rest.tickers()
    assert sum(sent) < 2 * 32 * 2**20


async def test_no_secret_in_errors_or_logs(tcp_server: Callable[[Handler], Awaitable[Endpoint]]) -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert BASIC.encode() in await reader.readuntil(b"\r\n\r\n")
        writer.close()

    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    where = await tcp_server(drop)
    root.addHandler(handler)
    try:
        async with LunoRest(where, KEY, CallBudget()) as rest:
            root.setLevel(logging.DEBUG)
            for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
                logging.getLogger(name).setLevel(logging.DEBUG)
            with pytest.raises(OutcomeUnknown) as caught:
                await post(rest)
            with pytest.raises(ConnectivityError) as read:
                await rest.balances()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
            logging.getLogger(name).setLevel(logging.WARNING)
    secrets = (KEY.id, KEY.secret, BASIC)
    for error in (caught.value, read.value):
        shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
        assert not any(secret in shown for secret in secrets)
        assert error.__cause__ is None
        chain: BaseException | None = error.__context__
        while chain is not None:
            assert isinstance(chain, LunommError)
            chain = chain.__context__
    assert not any(secret in log.getvalue() for secret in secrets) and "Authorization" not in log.getvalue()


async def test_environment_proxies_are_not_used(
    tcp_server: Callable[[Handler], Awaitable[Endpoint]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"tickers":[]}')
        await writer.drain()
        writer.close()

    async with LunoRest(await tcp_server(answer), None, CallBudget()) as rest:
        assert await rest.tickers() == []


async def test_a_cancelled_write_leaves_a_usable_pool(tcp_server: Callable[[Handler], Awaitable[Endpoint]]) -> None:
    arrived = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            arrived.set()
            await reader.read()
            return
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"tickers":[]}')
        await writer.drain()

    async with LunoRest(await tcp_server(handle), KEY, CallBudget()) as rest:
        for _ in range(15):  # more than the pool has connections
            arrived.clear()
            task = asyncio.ensure_future(post(rest))
            async with asyncio.timeout(5):
                await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await rest.tickers() == []
