"""Whatever reaches the simulated exchange from outside gets Luno's own error, at once, and never a traceback."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from test_exchange_server import LOG_IN, PAIR, Served, market, received
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lunomm.simulator import server as server_module
from lunomm.simulator.streams import StreamTimes

PATIENCE_S = 5.0
BASIC = "Authorization: Basic " + base64.b64encode(b"sim:sim").decode()
FORM = "Content-Type: application/x-www-form-urlencoded"

TEXTS = {
    "nan": "NaN",
    "infinity": "Infinity",
    "minus zero": "-0",
    "huge exponent": "1e999999",
    "400 digits": "9" * 400,
    "5000 digits": "9" * 5000,
    "400 decimals": "0." + "1" * 400,
    "underscores": "1_000",
    "full width": "１２３",
    "arabic digits": "١٢٣",
    "boolean": "true",
    "hexadecimal": "0x10",
    "comma": "1,5",
    "two points": "1.2.3",
    "no digits": ".",
    "signed": "+1",
    "negative": "-1",
    "spaces": " 1 ",
    "newline": "1\n",
    "nul": "1\x00",
    "escape": "\x1b[2J",
    "bidi": "\u202e1",
    "emoji": "💰",
    "other script": "ХВТМУR",
    "path": "../../etc/passwd",
    "markup": "<b>[red]x[/red]</b>",
    "json": '{"a":[]}',
    "long": "x" * 3000,
}

FIELDS = [
    ("POST", "/api/1/postorder", {"pair": PAIR, "type": "BID", "volume": "0.001", "price": "290000"}, name)
    for name in (
        *("pair", "type", "volume", "price", "post_only", "time_in_force", "stop_price", "stop_direction"),
        *("base_account_id", "counter_account_id", "timestamp", "ttl"),
    )
] + [
    ("POST", "/api/1/marketorder", {"pair": PAIR, "type": "BUY", "counter_volume": "300"}, "counter_volume"),
    ("POST", "/api/1/marketorder", {"pair": PAIR, "type": "SELL", "base_volume": "0.001"}, "base_volume"),
    ("POST", "/api/1/stoporder", {}, "order_id"),
    ("GET", "/api/1/ticker", {}, "pair"),
    ("GET", "/api/1/trades", {"pair": PAIR}, "since"),
    ("GET", "/api/exchange/1/candles", {"pair": PAIR, "duration": "60"}, "since"),
    ("GET", "/api/exchange/1/candles", {"pair": PAIR, "since": "1"}, "duration"),
    ("GET", "/api/1/listorders", {}, "state"),
    ("GET", "/api/1/listorders", {}, "limit"),
    ("GET", "/api/exchange/2/listorders", {}, "closed"),
    ("GET", "/api/exchange/2/listorders", {}, "created_before"),
    ("GET", "/api/exchange/3/order", {}, "id"),
    ("GET", "/api/exchange/3/order", {}, "client_order_id"),
    ("GET", "/api/1/listtrades", {"pair": PAIR}, "after_seq"),
    ("GET", "/api/1/listtrades", {"pair": PAIR}, "sort_desc"),
]


@pytest.mark.parametrize(("method", "path", "given", "field"), FIELDS, ids=lambda value: str(value)[:40])
async def test_a_bad_value_in_any_field_gets_an_error_of_luno(
    method: str, path: str, given: dict[str, str], field: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with market() as (place, _):
        for name, text in TEXTS.items():
            reply = await place.http.request(
                method, path, content=_form({**given, field: text}) if method == "POST" else None,
                params={**given, field: text} if method == "GET" else None,
                headers={"content-type": "application/x-www-form-urlencoded"},
                auth=("sim", "sim"),
            )  # fmt: skip
            body = reply.json()
            if reply.status_code == 200:  # harmless where it stands: a time long ago, or a word that is a boolean
                assert "error" not in body, name
                continue
            assert reply.status_code in (400, 404), (name, reply.status_code)
            assert set(body) == {"error", "error_code"} and body["error_code"].startswith("Err"), name
            assert "\x1b" not in body["error"] and len(body["error"]) < 400, name
        await _well(place)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/api", "/api/1/time", "/api/1/ticker/", "/api/1/../1/ticker", "/api/1/orders/", "//", "/%00", "/sim"),
        *("/api/1/stream/XBTMYR", "/api/1/orders/a/b", "/" + "x" * 5000),
    ],
)
async def test_an_unknown_path_is_an_empty_404(path: str) -> None:
    async with market() as (place, _):
        status, body = await _raw(place, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (status, body) == (404, b"")
        await _well(place)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (f"DELETE /api/1/orders/BX1 HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n", 405),
        (f"GET /api/1/postorder HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n", 405),
        ("BREW /api/1/ticker HTTP/1.1\r\nHost: localhost\r\n", 405),
        ("GET /api/1/ticker?pair=%ff%fe HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /api/1/ticker?" + "&".join(f"a{n}=1" for n in range(101)) + " HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /api/1/ticker?pair=" + "A" * 5000 + " HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /api/1/ticker?pair=XBTMYR;x=%zz&&&==&=%00 HTTP/1.1\r\nHost: localhost\r\n", 400),
        (f"GET /api/1/orders/%f0%9f%92%b0%00 HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n", 404),
        ("GET /api/1/balance HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic !!!\r\n", 401),
        ("GET /api/1/balance HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer abc\r\n", 401),
        ("GET /api/1/balance HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + "A" * 8000 + "\r\n", 401),
        ("GET /api/1/balance HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic //79\r\n", 401),
        ("GET /api/1/ticker?pair=XBTMYR HTTP/1.1\r\nHost: evil.example\r\n", 403),
        ("GET /api/1/ticker?pair=XBTMYR HTTP/1.0\r\n", 403),
        (f"POST /api/1/postorder HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n{FORM}\r\nContent-Length: 100000\r\n", 413),
        (f"POST /api/1/postorder HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n{FORM}\r\nContent-Length: 5\r\n", 408),
        (f"POST /api/1/postorder HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n{FORM}\r\nContent-Length: 0\r\n", 400),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_request_is_answered_at_once(
    request_text: str, status: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "BODY_S", 0.2)
    async with market() as (place, _):
        rest = "x" * 100_000 if "100000" in request_text else ""
        found, body = await _raw(place, f"{request_text}Connection: close\r\n\r\n{rest}")
        assert found == status
        if status == 405:
            assert body == b"" or b"rror" not in body
        else:
            assert body == b"" or json.loads(body)["error_code"].startswith("Err")
        await _well(place)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\xff\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # a TLS hello
        b"GET\r\n\r\n",
        b"GET /api/1/tickers HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/1/tickers HTTP/1.1\r\nno colon here\r\n\r\n",
        b"POST /api/1/postorder HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/1/tickers HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_hung_up_on(raw: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    async with market() as (place, _):
        reader, writer = await _connection(place)
        try:
            writer.write(raw)
            async with asyncio.timeout(PATIENCE_S):
                answer = await reader.read(65536)
        except ConnectionError:
            answer = b""
        finally:
            writer.close()
        assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"401", b"403", b"404", b"431")
        await _well(place)
    assert capfd.readouterr().err == ""


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    async with market() as (place, _):
        for sent in ("", "pair=XBT"):
            _, writer = await _connection(place)
            head = (
                f"POST /api/1/postorder HTTP/1.1\r\nHost: localhost\r\n{BASIC}\r\n{FORM}\r\nContent-Length: 50\r\n\r\n"
            )
            writer.write((head + sent).encode())
            await writer.drain()
            await _well(place)
            writer.transport.abort()
            await _well(place)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "first",
    [
        "", '""', "null", "[]", "{}", "not json", '{"api_key_id":"sim"}', '{"api_key_id":1,"api_key_secret":2}',
        '{"api_key_id":"sim","api_key_secret":null}', '{"api_key_id":"sim","api_key_secret":"no"}', "[" * 30_000,
        '{"api_key_id":"sim","api_key_secret":"\\ud800"}', "\x00", "1e999999", "9" * 5000, "💰" * 1000,
        '{"api_key_id":"' + "k" * 60_000 + '","api_key_secret":"s"}', b"\xff\xfe", b'{"api_key_id":"sim"}',
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
async def test_bad_credentials_are_named_and_the_stream_closed(
    first: str | bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    async with market() as (place, _):
        for stream in ("/api/1/userstream", f"/api/1/stream/{PAIR}"):
            async with _socket(place, stream) as socket:
                await socket.send(first)
                assert (await received(socket))[0]["error_code"] == "invalid_credentials"
                await _closed(socket, 1000)
        await _well(place)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pair", ["NOPE", "xbtmyr", "💰", "XBTMYR\x1b[2J", "A" * 3000, "..%2f..", " "])
async def test_a_stream_of_an_unknown_pair_is_refused_after_its_credentials(
    pair: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with market() as (place, _):
        async with _socket(place, f"/api/1/stream/{quote(pair, safe='')}") as socket:
            await socket.send(LOG_IN)
            (frame,) = await received(socket)
            assert frame["error_code"] == "invalid_market" and len(frame["error"]) <= 40
            await _closed(socket, 1000)
        await _well(place)
    assert capfd.readouterr().err == ""


async def test_no_credentials_at_all_is_said_and_closed() -> None:
    async with (
        market(times=StreamTimes(credentials_s=0.1)) as (place, _),
        _socket(place, "/api/1/userstream") as socket,
    ):
        assert (await received(socket))[0]["error_code"] == "auth_timeout"
        await _closed(socket, 1000)


async def test_what_a_client_says_after_its_credentials_is_ignored(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str | bytes] = ['""', "", "1", "[]", '{"a":', "\x00", b"\xff", "x" * 60_000]
    async with market() as (place, clock), AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(place.stream()) for _ in said]
        for socket, words in zip(sockets, said, strict=True):
            await socket.send(LOG_IN)
            await received(socket)
            await socket.send(words)
        clock.forward(5)
        await asyncio.gather(*(received(socket, 3) for socket in sockets))
    assert capfd.readouterr().err == ""


async def test_a_frame_too_large_ends_its_stream_and_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    async with market() as (place, _), _socket(place, "/api/1/userstream") as socket, place.stream() as other:
        await other.send(LOG_IN)
        await received(other)
        await socket.send(LOG_IN)
        await socket.send("x" * (server_module.MAX_BODY + 1))
        await _closed(socket, 1009)
        await _well(place)
        assert other.state.name == "OPEN"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}])
async def test_a_web_page_opens_no_stream(headers: dict[str, str]) -> None:
    async with market() as (place, _):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"{place.ws}/api/1/userstream", additional_headers=headers, proxy=None):
                pass
        assert caught.value.response.status_code == 403


# --- means ------------------------------------------------------------------------------------------------------------


def _form(given: dict[str, str]) -> bytes:
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in given.items()).encode()


def _socket(place: Served, path: str) -> connect:
    return connect(f"{place.ws}{path}", proxy=None, compression=None, max_size=None)


async def _closed(socket: Any, code: int) -> None:
    with pytest.raises(ConnectionClosed) as caught:
        async with asyncio.timeout(PATIENCE_S):
            await socket.recv()
    assert caught.value.rcvd is not None and caught.value.rcvd.code == code


async def _connection(place: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = place.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def _raw(place: Served, text: str) -> tuple[int, bytes]:
    """Status and body of the answer to a request as written."""
    reader, writer = await _connection(place)
    try:
        writer.write(text.encode())
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(length[0].split(b":")[1])) if length else await reader.read()
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), body


async def _well(place: Served) -> None:
    """The exchange still serves, and its money is all there."""
    async with asyncio.timeout(PATIENCE_S):
        assert (await place.get("/sim/truth/api/1/ticker", None, pair=PAIR))["pair"] == PAIR
    ledger = place.exchange.venue.ledger
    assert all(ledger.drift(asset) == 0 for asset in ledger.assets())
