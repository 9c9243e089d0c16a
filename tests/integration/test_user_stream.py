"""The user stream against a real server on this machine."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus

import pytest
from scripted_peer import FAST, KEY, Peer, error, fall_silent, say, say_and_close
from websockets.asyncio.server import ServerConnection

from lunomm.errors import CredentialsError, ExchangeError
from lunomm.luno.connection import Timing
from lunomm.luno.hosts import Endpoint, endpoint
from lunomm.luno.user_stream import Lost, Up, UserStream
from lunomm.luno.wire import WireUserMessage

pytestmark = pytest.mark.timeout(30)


def listen(where: Endpoint, timing: Timing = FAST) -> UserStream:
    return UserStream(where, KEY, timing=timing)


def status(order_id: str, word: str = "PENDING", at_ms: int = 1_776_470_400_210) -> str:
    payload = {"order_id": order_id, "client_order_id": "lm1-XBTMYR-a-1-B0", "market_id": "XBTMYR", "status": word}
    message = {"type": "order_status", "timestamp": at_ms, "order_status_update": payload}
    return json.dumps({**message, "order_fill_update": None, "balance_update": None})


async def next_message(stream: UserStream) -> tuple[str, str]:
    item = await anext(stream)
    assert isinstance(item, WireUserMessage) and item.order_status_update is not None, item
    return item.order_status_update.order_id, item.order_status_update.status


async def next_lost(stream: UserStream) -> str:
    item = await anext(stream)
    assert isinstance(item, Lost), item
    return item.reason


async def test_up_then_messages_as_they_are_repeats_included() -> None:
    frames = ('""', status("BX1"), status("BX1"), '""', status("BX1", "COMPLETE"), status("BX0", at_ms=5), '"1"')
    async with Peer(say(*frames, status("BX9"))).running() as peer, listen(peer.endpoint) as stream:
        assert await anext(stream) == Up()
        assert [await next_message(stream) for _ in range(5)] == [
            ("BX1", "PENDING"),
            ("BX1", "PENDING"),
            ("BX1", "COMPLETE"),
            ("BX0", "PENDING"),
            ("BX9", "PENDING"),
        ]
        assert json.loads(peer.hellos[0]) == {"api_key_id": KEY.id, "api_key_secret": KEY.secret}
        assert peer.requests[0].path == "/api/1/userstream"


async def test_kinds_added_later_are_passed_over() -> None:
    later = json.dumps({"type": "position_update", "timestamp": 5, "position_update": {"x": 1}})
    async with Peer(say(later, status("BX1"))).running() as peer, listen(peer.endpoint) as stream:
        assert await anext(stream) == Up()
        assert await next_message(stream) == ("BX1", "PENDING")


async def test_up_waits_for_the_peer_to_answer() -> None:
    """A connection that was accepted but answers nothing is not up."""
    timing = Timing(ping=5, pong=5, close=0.2, first=0.3, quick=0.02)
    async with Peer(say(status("BX1")), deaf=1).running() as peer, listen(peer.endpoint, timing) as stream:
        assert await next_lost(stream) == "no answer to a ping within 0.3 s"
        assert await anext(stream) == Up()
        assert await next_message(stream) == ("BX1", "PENDING")


@pytest.mark.parametrize(
    ("frame", "expected", "code"),
    [
        (error("invalid_credentials"), CredentialsError, "CREDENTIALS"),
        (error("auth_timeout"), ExchangeError, "AUTH_TIMEOUT"),
        (error("session_limit_exceeded"), ExchangeError, "SESSION_LIMIT"),
    ],
)
async def test_error_frame_then_close_1000_ends_it(frame: str, expected: type[ExchangeError], code: str) -> None:
    async with Peer(say_and_close(frame)).running() as peer, listen(peer.endpoint) as stream:
        with pytest.raises(expected) as caught:
            # The error may come before or after the answer to the ping.
            if await anext(stream) == Up():
                await anext(stream)
        assert caught.value.code == code and len(peer.dials) == 1


async def test_handshake_answered_401_ends_it() -> None:
    async with Peer(answer=HTTPStatus.UNAUTHORIZED).running() as peer, listen(peer.endpoint) as stream:
        with pytest.raises(CredentialsError):
            await anext(stream)


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        b"\x00",
        "[]",
        status("BX1").replace("BX1", ""),
        json.dumps({"type": "order_fill", "timestamp": 5}),
        error("who_knows"),
    ],
)
async def test_a_frame_that_cannot_be_read_ends_the_connection_and_up_comes_again(bad: str | bytes) -> None:
    async with (
        Peer(say(status("BX1"), bad, status("BX2")), say(status("BX3"))).running() as peer,
        listen(peer.endpoint) as stream,
    ):
        assert await anext(stream) == Up()
        assert await next_message(stream) == ("BX1", "PENDING")
        assert (await next_lost(stream)).isprintable()
        assert await anext(stream) == Up()
        assert await next_message(stream) == ("BX3", "PENDING")


async def test_half_open_peer_is_noticed() -> None:
    async def then_silent(ws: ServerConnection) -> None:
        await ws.send(status("BX1"))
        # Only once the ping behind the key is answered: a message of the client's own is not to be had here.
        await asyncio.sleep(0.1)
        await fall_silent(ws)

    async with Peer(then_silent, say()).running() as peer, listen(peer.endpoint) as stream:
        assert await anext(stream) == Up()
        assert await next_message(stream) == ("BX1", "PENDING")
        assert "the peer is gone" in await next_lost(stream)
        age = stream.age_ms(time.monotonic_ns())
        assert age is not None and age > 150
        assert await anext(stream) == Up()


async def test_storm_is_paced() -> None:
    async with Peer(say_and_close()).running() as peer, listen(peer.endpoint) as stream:
        lost = 0
        while lost < 6:
            lost += isinstance(await anext(stream), Lost)
    gaps = [later - earlier for earlier, later in zip(peer.dials, peer.dials[1:], strict=False)]
    assert all(gap >= least * 0.9 for gap, least in zip(gaps, (0.02, 0.05, 0.1, 0.2, 0.2), strict=True))


async def test_anext_may_be_cancelled_and_resync_asked_for() -> None:
    async with Peer(say(), say(status("BX2"))).running() as peer, listen(peer.endpoint) as stream:
        for _ in range(200):
            try:
                async with asyncio.timeout(0.003):
                    assert await anext(stream) == Up()
                    break
            except TimeoutError:
                continue
        assert len(peer.dials) >= 1
        stream.resync("balances differ")
        assert await next_lost(stream) == "balances differ"
        assert await anext(stream) == Up()


async def test_no_key() -> None:
    with pytest.raises(CredentialsError, match="LUNO_KEY_ID"):
        UserStream(endpoint(None), None)
