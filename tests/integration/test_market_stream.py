"""The market stream against a real server on this machine: what it survives, and what it refuses to go on with."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import time
from decimal import Decimal
from http import HTTPStatus

import pytest
from scripted_peer import FAST, KEY, Peer, error, fall_silent, say, say_and_close, snapshot, update
from websockets.asyncio.server import ServerConnection

from lunomm import __version__
from lunomm.errors import CredentialsError, ExchangeError, LunommError, SequenceGap, UsageError
from lunomm.luno.connection import Timing
from lunomm.luno.hosts import Endpoint, endpoint
from lunomm.luno.stream import Frame, Lost, MarketStream
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import PairRules

RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=6,
    min_price=Decimal(10),
    max_price=Decimal(10**8),
    min_volume=Decimal("0.0002"),
    max_volume=Decimal(100),
)


pytestmark = pytest.mark.timeout(30)


def listen(where: Endpoint, timing: Timing = FAST) -> MarketStream:
    return MarketStream(where, RULES, KEY, timing=timing)


async def until_lost(stream: MarketStream) -> tuple[list[Frame], str]:
    """The frames up to the next Lost, and its reason."""
    frames: list[Frame] = []
    async for item in stream:
        if isinstance(item, Lost):
            return frames, item.reason
        frames.append(item)
    raise AssertionError("a stream has no end")


async def next_frame(stream: MarketStream) -> Frame:
    item = await anext(stream)
    assert isinstance(item, Frame), item
    return item


def sequences(frames: list[Frame]) -> list[int]:
    return [frame.event.sequence for frame in frames]


# --- in order ------------------------------------------------------------------------------------------------------


async def test_key_first_then_snapshot_then_updates() -> None:
    script = say('""', "", "1", snapshot(7), '""', update(8), '""', update(9))
    async with Peer(script).running() as peer, listen(peer.endpoint) as stream:
        before, wall = time.monotonic_ns(), time.time_ns()
        frames = [await next_frame(stream) for _ in range(3)]
        assert sequences(frames) == [7, 8, 9]
        assert isinstance(frames[0].event, BookSnapshot) and isinstance(frames[1].event, BookUpdate)
        assert frames[1].raw == update(8)
        for frame in frames:
            assert before <= frame.recv_ns <= time.monotonic_ns() and wall <= frame.wall_ns <= time.time_ns()
        assert json.loads(peer.hellos[0]) == {"api_key_id": KEY.id, "api_key_secret": KEY.secret}
        request = peer.requests[0]
        assert request.path == "/api/1/stream/XBTMYR"
        assert request.headers["User-Agent"] == f"lunomm/{__version__}"
        assert "Sec-WebSocket-Extensions" not in request.headers and "Authorization" not in request.headers


async def test_snapshot_over_a_mebibyte() -> None:
    raw = snapshot(7, asks=9_000, bids=9_000)
    assert len(raw) > 2**20
    async with Peer(say(raw, update(8))).running() as peer, listen(peer.endpoint) as stream:
        event = (await next_frame(stream)).event
        assert isinstance(event, BookSnapshot) and len(event.bids) == len(event.asks) == 9_000
        assert (await next_frame(stream)).event.sequence == 8


async def test_anext_may_be_cancelled_without_losing_anything() -> None:
    async def slowly(ws: ServerConnection) -> None:
        await asyncio.sleep(0.1)
        await ws.send(snapshot(1))
        for sequence in range(2, 40):
            await asyncio.sleep(0.01)
            await ws.send(update(sequence))
        await ws.wait_closed()

    async with Peer(slowly).running() as peer, listen(peer.endpoint) as stream:
        frames: list[Frame] = []
        cancelled = 0
        while len(frames) < 39:
            try:
                async with asyncio.timeout(0.004):
                    frames.append(await next_frame(stream))
            except TimeoutError:
                cancelled += 1
        assert sequences(frames) == list(range(1, 40)) and cancelled > 5
        assert len(peer.hellos) == 1


# --- refused for good ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "expected", "code"),
    [
        (error("invalid_credentials"), CredentialsError, "CREDENTIALS"),
        (error("invalid_market", "XBTMYR"), UsageError, "UNKNOWN_PAIR"),
        (error("auth_timeout"), ExchangeError, "AUTH_TIMEOUT"),
        (error("session_limit_exceeded", "session limit exceeded"), ExchangeError, "SESSION_LIMIT"),
        (error("too_many", "session limit exceeded"), ExchangeError, "SESSION_LIMIT"),
        ("session limit exceeded", ExchangeError, "SESSION_LIMIT"),
    ],
)
async def test_error_frame_then_close_1000_ends_it(frame: str, expected: type[LunommError], code: str) -> None:
    async with Peer(say_and_close(frame)).running() as peer, listen(peer.endpoint) as stream:
        with pytest.raises(expected) as caught:
            await anext(stream)
        assert caught.value.code == code and KEY.secret not in str(caught.value)
        assert len(peer.dials) == 1


async def test_handshake_answered_401_ends_it() -> None:
    async with Peer(answer=HTTPStatus.UNAUTHORIZED).running() as peer, listen(peer.endpoint) as stream:
        with pytest.raises(CredentialsError):
            await anext(stream)


async def test_no_key_and_no_pair() -> None:
    with pytest.raises(CredentialsError, match="LUNO_KEY_ID"):
        MarketStream(endpoint(None), RULES, None)


# --- lost and found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ((error("something_new"),), "something_new"),
        ((), "closed by Luno with code 1000"),
        ((update(8),), "before the snapshot"),
        ((b"\x00\x01",), "binary"),
        ((snapshot(7).encode(),), "binary"),
        (("{",), "not a market frame"),
        ((snapshot(7).replace('"0.500000"', '"NaN"'),), "decimal"),
        ((f"[{snapshot(7)}]",), "neither a JSON object"),
    ],
)
async def test_lost_then_dialled_again(frames: tuple[str | bytes, ...], reason: str) -> None:
    async with (
        Peer(say_and_close(*frames), say(snapshot(50))).running() as peer,
        listen(peer.endpoint) as stream,
    ):
        before, why = await until_lost(stream)
        assert before == [] and reason in why and why.isprintable()
        assert (await next_frame(stream)).event.sequence == 50


async def test_bad_frame_after_good_ones() -> None:
    bad = update(9).replace("0.01", "1e3")
    async with Peer(say(snapshot(7), update(8), bad, update(10))).running() as peer, listen(peer.endpoint) as stream:
        frames, _ = await until_lost(stream)
        assert sequences(frames) == [7, 8]
        assert sequences((await until_lost(stream))[0]) == [7, 8]


async def test_text_that_is_no_utf_8_loses_the_stream() -> None:
    async def garbled(ws: ServerConnection) -> None:
        await ws.send(snapshot(7))
        await ws.send(b'{"sequence":"\xff\xfe"}', text=True)
        await ws.wait_closed()

    async with Peer(garbled, say(snapshot(50))).running() as peer, listen(peer.endpoint) as stream:
        frames, reason = await until_lost(stream)
        assert sequences(frames) == [7] and reason.isprintable()
        assert (await next_frame(stream)).event.sequence == 50


async def test_a_frame_in_pieces_of_one_character_is_a_frame() -> None:
    async def crumbs(ws: ServerConnection) -> None:
        await ws.send(list(snapshot(7)))
        await ws.send(list(update(8)))
        await ws.wait_closed()

    async with Peer(crumbs).running() as peer, listen(peer.endpoint) as stream:
        assert [(await next_frame(stream)).event.sequence for _ in range(2)] == [7, 8]


async def test_a_flood_is_held_back_at_the_sender_and_none_of_it_is_lost() -> None:
    """Twenty thousand frames as fast as they go, to a listener that stops to think: the rest waits in the network."""
    sent = 0

    async def flood(ws: ServerConnection) -> None:
        nonlocal sent
        await ws.send(snapshot(7))
        for sequence in range(8, 20_008):
            await ws.send(update(sequence))
            sent += 1
        await ws.wait_closed()

    quiet = Timing(ping=60, close=0.2, quick=0.02)
    async with Peer(flood).running() as peer, listen(peer.endpoint, quiet) as stream:
        await next_frame(stream)
        before = -1
        while sent > before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 20_000, "somebody took all of it in"
        assert [(await next_frame(stream)).event.sequence for _ in range(20_000)] == list(range(8, 20_008))


async def test_frame_beyond_the_limit_names_it() -> None:
    huge = '{"x":"' + "x" * (17 * 2**20) + '"}'
    async with (
        Peer(say(snapshot(7), huge), say(snapshot(50))).running() as peer,
        listen(peer.endpoint) as stream,
    ):
        frames, reason = await until_lost(stream)
        assert sequences(frames) == [7] and "larger than 16777216 bytes" in reason
        assert (await next_frame(stream)).event.sequence == 50


async def test_no_snapshot_in_time() -> None:
    async def only_keepalives(ws: ServerConnection) -> None:
        while True:
            await ws.send('""')
            await asyncio.sleep(0.02)

    timing = Timing(ping=0.2, pong=0.2, close=0.2, first=0.3, quick=0.02)
    async with Peer(only_keepalives).running() as peer, listen(peer.endpoint, timing) as stream:
        began = time.monotonic()
        assert await until_lost(stream) == ([], "no snapshot within 0.3 s")
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.FORBIDDEN])
async def test_handshake_refused_is_tried_again(status: HTTPStatus) -> None:
    async with Peer(answer=status).running() as peer, listen(peer.endpoint) as stream:
        for _ in range(3):
            assert (await until_lost(stream))[1] == f"the stream was refused with HTTP {status.value}"
        assert len(peer.dials) == 3


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with listen(endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}")) as stream:
            assert "cannot connect" in (await until_lost(stream))[1]
            assert stream.age_ms(time.monotonic_ns()) is None


async def test_redirect_is_not_followed() -> None:
    async with Peer(say(snapshot(7))).running() as elsewhere:
        where = f"{elsewhere.endpoint.ws}/api/1/stream/XBTMYR"
        async with (
            Peer(answer=HTTPStatus.FOUND, location=where).running() as peer,
            listen(peer.endpoint) as stream,
        ):
            assert "HTTP 302" in (await until_lost(stream))[1]
        assert elsewhere.dials == [] and elsewhere.hellos == []


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "WS_PROXY", "ws_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Peer(say(snapshot(7))).running() as peer, listen(peer.endpoint) as stream:
        assert (await next_frame(stream)).event.sequence == 7


# --- pace ----------------------------------------------------------------------------------------------------------


async def test_accept_and_close_storm_is_paced() -> None:
    async with Peer(say_and_close()).running() as peer, listen(peer.endpoint) as stream:
        for _ in range(7):
            await until_lost(stream)
    gaps = [later - earlier for earlier, later in zip(peer.dials, peer.dials[1:], strict=False)]
    for gap, least in zip(gaps, (0.02, 0.05, 0.1, 0.2, 0.2, 0.2), strict=True):
        assert least * 0.9 <= gap < least * 1.25 + 0.5


async def test_only_a_healthy_connection_resets_the_pace() -> None:
    """Updates alone do not, nor does time alone; both together do."""
    timing = Timing(close=0.2, quick=0.02, step=0.6, most=0.6, healthy=0.3)

    def stay(seconds: float, *frames: str) -> object:
        async def script(ws: ServerConnection) -> None:
            for frame in frames:
                await ws.send(frame)
            await asyncio.sleep(seconds)

        return script

    for script, reset in (
        (stay(0, snapshot(7), update(8)), False),
        (stay(0.4, snapshot(7)), False),
        (stay(0.4, snapshot(7), update(8)), True),
    ):
        # Dials: the first, a quick second (the one under test), a third that is quick only after a reset.
        async with (
            Peer(say_and_close(), script, say_and_close()).running() as peer,  # type: ignore[arg-type]
            listen(peer.endpoint, timing) as stream,
        ):
            for _ in range(4):
                await until_lost(stream)
        third, fourth = peer.dials[2:4]
        assert (fourth - third < 0.4) is reset, (script, peer.dials)


# --- silence -------------------------------------------------------------------------------------------------------


async def test_half_open_peer_is_noticed() -> None:
    async def then_silent(ws: ServerConnection) -> None:
        await ws.send(snapshot(7))
        await fall_silent(ws)

    async with Peer(then_silent, say(snapshot(50))).running() as peer, listen(peer.endpoint) as stream:
        began = time.monotonic()
        frames, reason = await until_lost(stream)
        assert sequences(frames) == [7] and "the peer is gone" in reason
        # A ping, its time to be answered, and the closing handshake that nobody answers either.
        assert 0.3 < time.monotonic() - began < 3
        age = stream.age_ms(time.monotonic_ns())
        assert age is not None and age > 300
        assert (await next_frame(stream)).event.sequence == 50


async def test_pongs_keep_a_quiet_stream_young() -> None:
    async with Peer(say(snapshot(7))).running() as peer, listen(peer.endpoint) as stream:
        await next_frame(stream)
        ages = []
        for _ in range(10):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(stream)
            ages.append(stream.age_ms(time.monotonic_ns()))
        assert all(age is not None and age < 450 for age in ages), ages
        assert len(peer.dials) == 1


# --- the listener asks for a new book ------------------------------------------------------------------------------


async def test_gap_resync() -> None:
    """What was already received behind the gap is not passed on; the book is whole again from the new snapshot."""
    behind = [update(n) for n in range(11, 60)]
    async with (
        Peer(say(snapshot(7), update(8), update(10), *behind), say(snapshot(90), update(91))).running() as peer,
        listen(peer.endpoint) as stream,
    ):
        book, lost = Book(RULES), []
        while book.sequence != 91:
            item = await anext(stream)
            if isinstance(item, Lost):
                lost.append(item.reason)
            elif isinstance(item.event, BookSnapshot):
                book.load(item.event)
            else:
                try:
                    book.apply(item.event)
                except SequenceGap as gap:
                    assert (gap.have, gap.got) == (8, 10)
                    stream.resync(str(gap))
                    stream.resync("a second request changes nothing")
        assert len(lost) == 1 and "8" in lost[0] and len(peer.hellos) == 2


async def test_resync_from_another_task_wakes_the_listener() -> None:
    async with Peer(say(snapshot(7)), say(snapshot(50))).running() as peer, listen(peer.endpoint) as stream:
        await next_frame(stream)
        waiting = asyncio.ensure_future(until_lost(stream))
        await asyncio.sleep(0)
        stream.resync("the book differs from the venue's own list")
        assert await waiting == ([], "the book differs from the venue's own list")
        assert (await next_frame(stream)).event.sequence == 50
    stream.resync("nothing is up any more")


async def test_resync_overtakes_a_frame_that_has_just_arrived() -> None:
    send = asyncio.Event()

    async def on_demand(ws: ServerConnection) -> None:
        await ws.send(snapshot(7))
        await send.wait()
        await ws.send(update(8))
        await ws.wait_closed()

    quiet = Timing(ping=60, close=0.2, quick=0.02)  # no pong in between
    async with Peer(on_demand).running() as peer, listen(peer.endpoint, quiet) as stream:
        await next_frame(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.1)
        before = time.monotonic_ns()
        send.set()
        # The frame is in as soon as bytes were heard; whoever waits for it is woken one turn of the loop later.
        while (age := stream.age_ms(time.monotonic_ns())) is None or time.monotonic_ns() - age * 1e6 < before:  # noqa: ASYNC110
            await asyncio.sleep(0)  # one turn of the loop at a time is the point
        assert not waiting.done()
        stream.resync("just now")
        assert await waiting == Lost("just now")


# --- leaving -------------------------------------------------------------------------------------------------------


async def test_leaving_closes_the_connection_and_leaves_no_task() -> None:
    gone = asyncio.Event()

    async def watch(ws: ServerConnection) -> None:
        await ws.send(snapshot(7))
        await ws.wait_closed()
        assert ws.close_code == 1000
        gone.set()

    async with Peer(watch).running() as peer:
        before = asyncio.all_tasks()
        stream = listen(peer.endpoint)
        await stream.aclose()  # never opened
        await next_frame(stream)
        await stream.aclose()
        await stream.aclose()
        await gone.wait()
        ours = {task for task in asyncio.all_tasks() - before if "lunomm" in repr(task.get_coro())}
        assert ours == set()


async def test_no_secret_in_logs_at_debug() -> None:
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with Peer(say(snapshot(7))).running() as peer, listen(peer.endpoint) as stream:
            logging.getLogger("websockets.client").setLevel(logging.DEBUG)
            await next_frame(stream)
            stream.resync("again")
            await anext(stream)
            await next_frame(stream)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.getLogger("websockets.client").setLevel(logging.WARNING)
    assert KEY.id not in log.getvalue() and KEY.secret not in log.getvalue()
    assert KEY.secret not in repr(stream) + repr(vars(stream))
