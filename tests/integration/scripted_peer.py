"""A real websockets server that does to each connection what the test says, for faults the simulated exchange lacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from lunomm.luno.connection import Timing
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint

KEY = ApiKey("peer-test-key-id", "peer-test-secret")
FAST = Timing(ping=0.2, pong=0.2, close=0.2, open=2.0, first=2.0, quick=0.02, step=0.05, most=0.2, healthy=60.0)
"""The shipped pace, hundred times faster; the order of things is the same."""

Script = Callable[[ServerConnection], Awaitable[None]]


class Peer:
    """scripts: what the first, second ... connection gets, the last for all further ones. It is closed with 1000 after.

    deaf: so many connections are accepted and then never read from. answer: every handshake is refused with it.
    dials: loop time of each opening handshake, refused ones included. hellos: first frame of each connection.
    """

    def __init__(self, *scripts: Script, answer: HTTPStatus | None = None, location: str = "", deaf: int = 0) -> None:
        self._scripts = list(scripts)
        self._deaf = deaf
        self._answer, self._location = answer, location
        self.dials: list[float] = []
        self.hellos: list[str | bytes] = []
        self.requests: list[Request] = []
        self.endpoint: Endpoint = endpoint(None)
        self._open: set[ServerConnection] = set()

    async def _request(self, ws: ServerConnection, request: Request) -> Response | None:
        self.dials.append(asyncio.get_running_loop().time())
        self.requests.append(request)
        if self._answer is None:
            return None
        response = ws.respond(self._answer, "no\n")
        if self._location:
            response.headers["Location"] = self._location
        return response

    async def _serve(self, ws: ServerConnection) -> None:
        script = self._scripts[min(len(self.hellos), len(self._scripts) - 1)]
        self._open.add(ws)
        try:
            if len(self.dials) <= self._deaf:
                await fall_silent(ws)
                return
            self.hellos.append(await ws.recv())
            await script(ws)
        finally:
            self._open.discard(ws)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Peer]:
        server: Server
        async with serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._request,
            max_size=2**26,
            ping_interval=None,
            close_timeout=0.2,
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.endpoint = endpoint(f"http://127.0.0.1:{port}")
            yield self
            for ws in list(self._open):
                ws.transport.abort()


def say(*frames: str | bytes) -> Script:
    """Send these, then stay until the client leaves."""

    async def script(ws: ServerConnection) -> None:
        for frame in frames:
            await ws.send(frame)
        await ws.wait_closed()

    return script


def say_and_close(*frames: str | bytes) -> Script:
    async def script(ws: ServerConnection) -> None:
        for frame in frames:
            await ws.send(frame)

    return script


async def fall_silent(ws: ServerConnection) -> None:
    """From now on read nothing, so answer no ping, but keep the connection: a peer whose network is gone."""
    ws.transport.pause_reading()
    await ws.wait_closed()


def snapshot(sequence: int, *, asks: int = 1, bids: int = 1) -> str:
    """A book around 300,000 with that many orders a side."""

    def rows(count: int, first: int, step: int) -> list[dict[str, str]]:
        return [
            {"id": f"BX{first + step * n:010d}", "price": f"{first + step * n}.00", "volume": "0.500000"}
            for n in range(count)
        ]

    frame = {
        "sequence": str(sequence),
        "asks": rows(asks, 300_001, 1),
        "bids": rows(bids, 300_000, -1),
        "timestamp": 1_776_470_400_000,
        "status": "ACTIVE",
    }
    return json.dumps(frame, separators=(",", ":"))


def update(sequence: int) -> str:
    """An order at the back of the bids."""
    create = {"order_id": f"BXU{sequence}", "type": "BID", "price": "299000.00", "volume": "0.01"}
    return (
        f'{{"sequence":"{sequence}","trade_updates":[],"create_update":{json.dumps(create)},'
        '"delete_update":null,"status_update":null,"timestamp":1776470400001}'
    )


def error(code: str, text: str = "x") -> str:
    return json.dumps({"error_code": code, "error": text})
