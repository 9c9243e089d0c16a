"""From a frame entering the socket to the order leaving: book -> quote -> gateway as real processes, against the floor.

The simulated exchange runs in this process with its order flow switched off and one ask that is switched on and off:
without it the market has one side, and the gateway takes everything down; with it the pipeline quotes at once, so each
frame that brings it back makes two orders. Between exchange and pieces stands a relay that only notes two moments: the
frame being written to `book`'s socket, and the first bytes of the first POST of an order being there. The floor
(``floor_pieces.py``) gets the same frame and is timed the same way, in turn with the real thing, while both are up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis.asyncio as aioredis
from harness import Outcome, Spread, spread
from running import clean_environment, cpu_s, needs_proc, process, redis_of_its_own, until
from websockets.asyncio.server import ServerConnection, serve

from lunomm.bus.clock import Clock
from lunomm.config import RedisAddress
from lunomm.market.rules import Side
from lunomm.simulator.exchange import Exchange, seeded
from lunomm.simulator.server import ExchangeServer, bind

PAIR = "XBTMYR"
SAMPLES = 160
WARM = 5
PACE_S = 1.8
"""A cycle is half as long again and costs two orders and nine calls: at most sixty orders a minute and four calls a
second may leave in the long run, and waiting for either is no part of the work. At 1.2 it was: p90 136 ms, p99 2 s."""
PATIENCE_S = 20.0
QUOTE = ("--order-size", "0.002", "--order-refresh-rate-s", "0.1", "--filled-order-delay-s", "0")

GATEWAY = ("--update-balance-interval-s", "60")
"""Every call of a cycle counts against the account's budget; one without calls left would only wait."""

WORK = (
    "a frame written to the socket of `lunomm book`, to the first POST of an order of `lunomm gateway`: decode, book, "
    "tick, Redis, quoter, Redis, reconciler, limits, journal, ORDERS and VENUE on Redis, HTTP"
)
LEAVES_OUT = (
    f"the network and TLS to Luno; waiting that the user asked for (quote {' '.join(QUOTE)}: a first quote waits for "
    "nothing). All processes share one machine"
)


class Ask:
    """A house that does nothing but put one ask there and take it away."""

    def __init__(self, exchange: Exchange) -> None:
        self._engine = exchange.venue.engine(PAIR)
        asks = [order for order in self._engine.orders.values() if order.side is Side.ASK]
        self._price = min(order.price for order in asks)
        self._lots = sum(order.lots for order in asks)
        for order in asks:
            self._engine.cancel(self._engine.timestamp_ms, order.order_id)
        exchange.venue.drain()
        self._id: str | None = None
        self._wanted = False

    @property
    def next_ns(self) -> int | None:
        return 0 if self._wanted is not (self._id is not None) else None

    def switch(self, on: bool) -> None:
        self._wanted = on

    def act(self, now_ns: int) -> None:
        if self._wanted:
            placed = self._engine.place(now_ns // 1_000_000, None, Side.ASK, self._price, self._lots)
            self._id = placed.order_id
        elif self._id is not None:
            self._engine.cancel(now_ns // 1_000_000, self._id)
            self._id = None

    def repair(self, now_ms: int) -> None:
        return


@dataclass
class Moments:
    """When the armed frame was written and the POST after it came, seconds; what the POST was."""

    armed: bool = False
    streams: int = 0
    frame_at: float = 0.0
    frame: bytes = b""
    post_at: float = 0.0
    form: bytes = b""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self) -> None:
        self.armed, self.frame_at, self.post_at = True, 0.0, 0.0
        self.done.clear()

    def framed(self, data: bytes) -> None:
        if self.armed and not self.frame_at and b'"create_update":{' in data:
            self.frame, self.frame_at = data, time.perf_counter()

    def posted(self, data: bytes) -> None:
        _, _, body = data.rpartition(b"\r\n\r\n")
        if body.startswith(b"pair="):  # the client writes head and body one after the other
            self.form = body
        if self.armed and self.frame_at and data.startswith(b"POST /api/1/postorder"):
            self.post_at, self.armed = time.perf_counter(), False
            self.done.set()


class _End(asyncio.Protocol):
    """One direction of a relayed connection."""

    def __init__(self, see: Callable[[bytes], None]) -> None:
        self.see = see
        self.transport: Any = None
        self.other: Any = None
        self.waiting: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.see(data)
        if self.other is None:
            self.waiting.append(data)
        else:
            self.other.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


@contextlib.asynccontextmanager
async def relay(port: int, moments: Moments) -> AsyncIterator[str]:
    """A door to the exchange at ``port``; its URL."""
    loop = asyncio.get_running_loop()

    class Client(_End):
        def __init__(self) -> None:
            super().__init__(self.ask)
            self.market = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.task = loop.create_task(self.connect())

        async def connect(self) -> None:
            try:
                _, upstream = await loop.create_connection(lambda: _End(self.answer), "127.0.0.1", port)
            except OSError:  # the exchange has ended: the pieces are told the same way
                self.transport.abort()
                return
            upstream.other, self.other = self.transport, upstream.transport
            for data in self.waiting:
                self.other.write(data)

        def ask(self, data: bytes) -> None:
            self.market |= data.startswith(b"GET /api/1/stream/")
            moments.posted(data)

        def answer(self, data: bytes) -> None:
            if self.market:
                moments.streams += 1
                moments.framed(data)

    server = await loop.create_server(Client, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def run() -> Outcome:
    needs_proc()
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        return asyncio.run(_run(Path(name)))


async def _run(folder: Path) -> Outcome:
    wall_ns = time.time_ns() // 1_000_000 * 1_000_000
    exchange = seeded((PAIR,), profile=None, seed=1, fee_tier=0, start_ns=wall_ns)
    exchange.houses[PAIR] = ask = Ask(exchange)
    clock, listening, moments = Clock(1.0, wall_ns, wall_ns), bind(0), Moments()
    port = listening.getsockname()[1]
    async with redis_of_its_own(folder) as address, relay(port, moments) as url:
        told = {
            "url": url, "run_id": "bench", "pairs": [PAIR], "profile": None, "seed": 1, "speed": 1.0,
            "clock": {"wall_ms": wall_ns // 1_000_000, "exchange_ms": wall_ns // 1_000_000, "speed": 1.0},
        }  # fmt: skip
        server = ExchangeServer(exchange, clock.exchange_ns, info=lambda: told)
        serving = asyncio.create_task(server.serve(listening))
        try:
            return await _measure(folder, address, exchange, ask, moments, url)
        finally:
            server.stop()
            await serving


async def _measure(
    folder: Path, address: RedisAddress, exchange: Exchange, ask: Ask, moments: Moments, url: str
) -> Outcome:
    environment = clean_environment(folder, address)
    with contextlib.ExitStack() as running, contextlib.closing(Floor(folder, address)) as floor:
        ask.switch(True)
        pieces = {
            name: running.enter_context(process(environment, folder, name, PAIR, "--url", url, *options))
            for name, options in (("book", ("--no-record",)), ("gateway", GATEWAY), ("quote", QUOTE))
        }

        def live() -> int:
            return len(exchange.venue.orders("sim", PAIR, live=True))

        async def one() -> float:
            """The ask away, everything down; the ask there: the time to the first order, milliseconds."""
            ask.switch(False)
            await until(lambda: live() == 0, pieces["gateway"])
            await asyncio.sleep(PACE_S)
            moments.arm()
            ask.switch(True)
            async with asyncio.timeout(PATIENCE_S):
                await moments.done.wait()
            await until(lambda: live() == 2, pieces["gateway"])
            return (moments.post_at - moments.frame_at) * 1000

        await until(lambda: moments.streams > 0, pieces["book"])
        # The lag is that of the newest frame, and the snapshot is as old as the market's last change.
        for on in (False, True):
            await asyncio.sleep(PACE_S)
            ask.switch(on)
        await until(lambda: live() == 2, pieces["quote"])
        for _ in range(WARM):
            await one()
        await floor.start(moments)
        for _ in range(WARM):
            await floor.one()
        ours, least = [], []
        before = {name: cpu_s(piece.pid) for name, piece in pieces.items()}
        for _ in range(SAMPLES):
            ours.append(await one())
            least.append(await floor.one())
        used = {name: (cpu_s(piece.pid) - before[name]) / SAMPLES * 1000 for name, piece in pieces.items()}
    return outcome(ours, least, used)


def outcome(ours: list[float], floor: list[float], used: dict[str, float]) -> Outcome:
    def at(values: list[float], share: float) -> float:
        return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]

    ratios = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        parts = [
            at(ours[part::3], share) / at(floor[part::3], share) for part in range(3)
        ]  # fmt: skip
        ratios[f"{name} / floor {name}"] = Spread(at(ours, share) / at(floor, share), min(parts), max(parts))
    return Outcome(
        "tick_to_order",
        WORK,
        LEAVES_OUT,
        {"tick to order": spread([ms * 1000 for ms in ours]), "floor": spread([ms * 1000 for ms in floor])},
        ratios,
        {
            "ours": f"p50 {at(ours, 0.5):.2f} ms, p90 {at(ours, 0.9):.2f}, p99 {at(ours, 0.99):.2f}, of {len(ours)}",
            "floor": f"p50 {at(floor, 0.5):.2f} ms, p90 {at(floor, 0.9):.2f}, p99 {at(floor, 0.99):.2f}",
            "CPU a cycle of quote, cancel, beats": ", ".join(f"{name} {ms:.0f} ms" for name, ms in used.items()),
        },
        wanted={"p50 / floor p50": 1.5, "p99 / floor p99": 2},
    )


class Floor:
    """The three processes of the floor, and the venue they talk to."""

    def __init__(self, folder: Path, address: RedisAddress) -> None:
        self._folder, self._address = folder, address
        self._pieces: list[subprocess.Popen[bytes]] = []
        self._streams: list[ServerConnection] = []
        self._frame = ""
        self._posted = asyncio.Event()
        self._posted_at = 0.0

    async def start(self, moments: Moments) -> None:
        """Bring them up with the messages of the real pieces' last order."""
        async with aioredis.Redis(port=self._address.port, decode_responses=True) as client:
            orders = await client.hgetall(f"ORDERS::{PAIR}")
            start = moments.frame.index(b'{"sequence')
            self._frame = moments.frame[start : moments.frame.rindex(b"}") + 1].decode()
            stream = await serve(self._serve_stream, "127.0.0.1", 0, compression=None)
            rest = await asyncio.get_running_loop().create_server(lambda: _Rest(self), "127.0.0.1", 0)
            told = {
                "redis_port": self._address.port,
                "stream": f"ws://127.0.0.1:{next(iter(stream.sockets)).getsockname()[1]}/",
                "rest": f"http://127.0.0.1:{rest.sockets[0].getsockname()[1]}",
                "database": str(self._folder / "floor.sqlite3"),
                "tick": await client.get(f"LOB::{PAIR}"),
                "quotes": await client.get(f"QUOTES::{PAIR}"),
                "venue": await client.get(f"VENUE::{PAIR}"),
                "order": next(iter(orders.values())),
                "form": dict(part.split("=", 1) for part in moments.form.decode().split("&")),
            }
            path = self._folder / "floor.json"
            path.write_text(json.dumps(told))
            for name in ("gateway", "quote", "book"):
                script = Path(__file__).with_name("floor_pieces.py")
                self._pieces.append(
                    subprocess.Popen([sys.executable, str(script), name, str(path)])  # noqa: ASYNC220 - ended in close
                )
                deadline = time.monotonic() + PATIENCE_S
                while not await client.exists(f"floor-ready:{name}"):
                    if self._pieces[-1].poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"the floor's {name} did not come up")
                    await asyncio.sleep(0.01)

    async def _serve_stream(self, stream: ServerConnection) -> None:
        await stream.recv()
        self._streams.append(stream)
        await stream.wait_closed()

    def posted(self) -> None:
        self._posted_at = time.perf_counter()
        self._posted.set()

    async def one(self) -> float:
        await asyncio.sleep(PACE_S / 2)
        self._posted.clear()
        began = time.perf_counter()
        await self._streams[-1].send(self._frame)
        async with asyncio.timeout(PATIENCE_S):
            await self._posted.wait()
        return (self._posted_at - began) * 1000

    def close(self) -> None:
        for piece in self._pieces:
            piece.terminate()
        for piece in self._pieces:
            piece.wait()


class _Rest(asyncio.Protocol):
    """Takes any POST."""

    _REPLY = b'{"order_id":"BXMC2CJ7HNB88U4"}'

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"POST "):
            self._floor.posted()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self._transport.write(head % len(self._REPLY) + self._REPLY)
