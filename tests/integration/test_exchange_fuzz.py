"""Seeded nonsense on the simulated exchange's sockets: Luno's own answer, in time, no traceback, no money lost."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections import Counter
from urllib.parse import quote_plus

import pytest
from test_exchange_server import PAIR, Served, market
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from lunomm.simulator import server as server_module
from lunomm.simulator.calls import CALLS

REQUESTS = 600
MUTATED = 200
STREAMS = 120
PATIENCE_S = 10.0

GOOD = {
    "pair": PAIR,
    "type": "BID",
    "volume": "0.001",
    "price": "250000",
    "post_only": "true",
    "time_in_force": "GTC",
    "stop_price": "260000",
    "stop_direction": "ABOVE",
    "base_account_id": "1",
    "counter_account_id": "1",
    "timestamp": "1790000000000",
    "ttl": "1000",
    "client_order_id": "mm-1",
    "base_volume": "0.001",
    "counter_volume": "300",
    "order_id": "BXH4T9QW2MZ7KRE",
    "id": "BXH4T9QW2MZ7KRE",
    "since": "1",
    "before": "1",
    "after_seq": "1",
    "before_seq": "1",
    "created_before": "1",
    "sort_desc": "true",
    "closed": "false",
    "state": "PENDING",
    "duration": "60",
    "limit": "10",
    "assets": "XBT",
}
BAD = [
    *("", "0", "-0", "-1", "1e3", "1e-05", "1e999999", "NaN", "Infinity", "0x10", "1_000", "1,5", ".", "1.2.3", "+1"),
    *(" 1 ", "1\n", "1\x00", "\x1b[2J", "\u202e1", "１２", "١٢", "💰", "ХВТМУR", "true", "null", "[]", '{"a":1}'),
    *("9" * 18, "9" * 19, "9" * 20, "9" * 400, "0." + "1" * 400, "x" * 300, "x" * 5000, "../../etc", "<b>[red]x", "%s"),
    *("XBT,MYR", "XBTZAR", "BUY", "SELL", "ASK", "IOC", "FOK", "RELATIVE_LAST_TRADE", "COMPLETE", "2**63", "\ud83d"),
]
STATUSES = {200, 400, 401, 403, 404, 405, 408, 409, 413, 429, 431}


def values(rng: random.Random) -> str:
    """Some of the fields, most of them wrong, some twice, some of no meaning."""
    fields = []
    for name in rng.sample(list(GOOD), rng.randint(0, len(GOOD))):
        for _ in range(rng.choice((1, 1, 1, 2))):
            text = GOOD[name] if rng.random() < 0.6 else rng.choice(BAD)
            fields.append(f"{name}={quote_plus(text, errors='surrogatepass')}")
    if rng.random() < 0.1:
        fields.append(rng.choice(("&&&", "=", "%zz", "a" * 3000, "%ff%fe=%00", "pair")))
    return "&".join(fields)


def request(rng: random.Random) -> bytes:
    call = rng.choice(CALLS)
    method = call.method if rng.random() < 0.9 else rng.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "BREW"))
    path = call.path.replace("{id}", quote_plus(rng.choice((GOOD["id"], *BAD)), errors="surrogatepass") or "x")
    query, form = values(rng), values(rng).encode() if method != "GET" and rng.random() < 0.7 else b""
    secret = rng.choice((b"sim:sim",) * 8 + (b"sim:no", b"sim", b"", b"\xff:\xfe", b":" * 99))
    lines = [
        f"{method} {path}{'?' + query if query else ''} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {rng.choice(('Basic',) * 9 + ('Bearer',))} {base64.b64encode(secret).decode()}",
        f"Content-Type: {rng.choice(('application/x-www-form-urlencoded',) * 4 + ('application/json', '', 'x' * 99))}",
        f"Content-Length: {len(form)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + form


def mutated(rng: random.Random, raw: bytes) -> bytes:
    """A few bytes changed, doubled, cut out, or the end torn off."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data))
        kind = rng.random()
        if kind < 0.5:
            data[place] = rng.randrange(256)
        elif kind < 0.7:
            data[place:place] = data[place : place + rng.randint(1, 40)]
        elif kind < 0.9:
            del data[place : place + rng.randint(1, 20)]
        else:
            del data[place + 1 :]
        if not data:
            return b"\r\n"
    return bytes(data)


async def answer(place: Served, raw: bytes, *, whole: bool) -> bytes:
    """Everything the server says before it hangs up; it may do so while it is still being written to.

    whole: the request is complete; otherwise no more of it will come, which the server is told.
    """
    host, port = place.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(raw)
            if not whole:
                await writer.drain()
                writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def check(raw: bytes, said: bytes) -> int:
    """Status of an answer that must be Luno's: its error, or JSON, or nothing."""
    head, _, body = said.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert status in STATUSES, (raw, said[:300])
    assert b"Traceback" not in body and len(head) < 2000
    if body.startswith(b"{"):
        found = json.loads(body)
        assert ("error_code" in found) == (status != 200), (raw, said[:300])
        if status != 200:
            assert set(found) == {"error", "error_code"} and found["error_code"].startswith("Err")
            assert len(found["error"]) < 400 and found["error"].isprintable()
    else:
        assert status != 200 or raw.startswith(b"HEAD"), (raw, said[:300])
    return status


async def well(place: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        assert (await place.get("/sim/truth/api/1/ticker", None, pair=PAIR))["pair"] == PAIR
    ledger = place.exchange.venue.ledger
    for asset in ledger.assets():
        assert ledger.drift(asset) == 0
    engine = place.exchange.venue.engine(PAIR)
    bid, ask = engine.best_bid(), engine.best_ask()
    assert bid is not None and ask is not None and bid < ask


@pytest.mark.parametrize("seed", [1, 2])
async def test_requests_of_any_kind_get_an_answer_of_luno(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    rng, seen = random.Random(seed), Counter[int]()
    async with market(calls_per_minute=1_000_000) as (place, _):
        for number in range(REQUESTS):
            raw = request(rng)
            seen[check(raw, await answer(place, raw, whole=True))] += 1
            if number % 50 == 0:
                await well(place)
        await well(place)
    assert seen[500] == 0 and seen[200] > 20 and seen[400] > 100 and seen[401] > 20 and seen[405] > 5, seen
    assert capfd.readouterr().err == ""


async def test_damaged_requests_are_answered_or_hung_up_on(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "BODY_S", 0.2)
    rng = random.Random(3)
    async with market(calls_per_minute=1_000_000) as (place, _):
        for number in range(MUTATED):
            raw = mutated(rng, request(rng))
            said = await answer(place, raw, whole=False)
            if said:
                status = int(said.split(b" ", 2)[1])
                assert status in STATUSES | {426, 501, 505} and b"Traceback" not in said, (raw, said[:300])
            if number % 50 == 0:
                await well(place)
        await well(place)
    assert capfd.readouterr().err == ""


def first_frame(rng: random.Random) -> str | bytes:
    good = '{"api_key_id":"sim","api_key_secret":"sim"}'
    kind = rng.random()
    if kind < 0.15:
        return good
    if kind < 0.6:
        damaged = mutated(rng, good.encode())
        return damaged if rng.random() < 0.3 else damaged.decode("utf-8", "replace")
    value = rng.choice(BAD).encode("utf-8", "replace").decode()
    return rng.choice(
        (value, json.dumps({"api_key_id": value, "api_key_secret": "sim"}), json.dumps([value]), b"\xff" * 9)
    )


def logs_in(frame: str | bytes) -> bool:
    try:
        said = json.loads(frame)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("api_key_id") == said.get("api_key_secret") == "sim"


async def test_both_streams_answer_any_first_frame(capfd: pytest.CaptureFixture[str]) -> None:
    rng, seen = random.Random(4), Counter[str]()
    begin = time.monotonic()
    async with market() as (place, _):
        for number in range(STREAMS):
            pair = PAIR if rng.random() < 0.7 else quote_plus(rng.choice(BAD), errors="surrogatepass") or "x"
            user = rng.random() < 0.4
            url = f"{place.ws}/api/1/userstream" if user else f"{place.ws}/api/1/stream/{pair[:500]}"
            frame = first_frame(rng)
            async with connect(url, proxy=None, compression=None, max_size=None) as socket:
                await socket.send(frame)
                await socket.send(rng.choice(('""', "", "[", b"\x00", "1")))
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        # Silence is how the user stream says yes: there it is not waited for long.
                        silent = user and logs_in(frame)
                        said = json.loads(await asyncio.wait_for(socket.recv(), 0.05 if silent else PATIENCE_S))
                except TimeoutError:
                    assert silent, frame
                    seen["open"] += 1
                    continue
                if "error_code" not in said:
                    assert not user and pair in place.exchange.pairs and logs_in(frame), (pair, frame)
                    seen["snapshot"] += 1
                    continue
                assert set(said) == {"error_code", "error"} and len(said["error"]) < 100
                assert said["error_code"] in ("invalid_credentials", "invalid_market"), (frame, said)
                seen[said["error_code"]] += 1
                with pytest.raises(ConnectionClosed) as closed:
                    async with asyncio.timeout(PATIENCE_S):
                        await socket.recv()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
            if number % 20 == 0:
                await well(place)
        async with asyncio.timeout(PATIENCE_S):
            while place.server.streams.open:  # noqa: ASYNC110 - the server's plain state
                await asyncio.sleep(0.005)
        await well(place)
    assert seen["snapshot"] > 3 and seen["open"] > 3 and seen["invalid_market"] and seen["invalid_credentials"] > 40, (
        seen
    )
    assert time.monotonic() - begin < 100
    assert capfd.readouterr().err == ""
