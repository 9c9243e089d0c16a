"""A simulated exchange served inside the test, and commands run beside it in the same loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lunomm.bus.clock import Clock
from lunomm.simulator.exchange import Exchange, seeded
from lunomm.simulator.server import ExchangeServer, bind

PATIENCE_S = 30.0


@dataclass
class House:
    """exchange: its state, readable while nothing awaits. url: where it is served. run_id: this life of it."""

    exchange: Exchange
    server: ExchangeServer
    url: str
    clock: Clock
    run_id: str = "house"
    halted: bool = False
    stopped_at_ns: int = 0

    def now_ns(self) -> int:
        return self.stopped_at_ns if self.halted else self.clock.exchange_ns()

    def halt(self) -> None:
        """Let nothing happen from now on, so that two looks see the same market."""
        self.stopped_at_ns = self.clock.exchange_ns()
        self.halted = True

    def info(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "run_id": self.run_id,
            "pairs": self.exchange.pairs,
            "profile": self.exchange.setting.profile,
            "seed": self.exchange.setting.seed,
            "speed": self.clock.speed,
            "clock": {
                "wall_ms": self.clock.anchor_wall_ns // 1_000_000,
                "exchange_ms": self.clock.anchor_exchange_ns // 1_000_000,
                "speed": self.clock.speed,
            },
        }


@contextlib.asynccontextmanager
async def open_house(
    pairs: tuple[str, ...] = ("XBTMYR",), *, seed: int = 1, speed: float = 1.0, port: int = 0
) -> AsyncIterator[House]:
    """A served exchange, gone at the end; with ``port`` one that comes back where another was."""
    wall_ns = time.time_ns() // 1_000_000 * 1_000_000
    exchange = seeded(pairs, profile=None, seed=seed, fee_tier=0, start_ns=wall_ns)
    async with serve(exchange, Clock(speed, wall_ns, wall_ns), bind(port)) as house:
        yield house


@contextlib.asynccontextmanager
async def serve(exchange: Exchange, clock: Clock, listening: socket.socket) -> AsyncIterator[House]:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = ExchangeServer(exchange, lambda: house.now_ns(), speed=clock.speed, info=lambda: house.info())
    house = House(exchange, server, url, clock)
    started = asyncio.Event()
    task = asyncio.create_task(server.serve(listening, started=started))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await started.wait()
        yield house
    finally:
        server.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


async def until(holds: Callable[[], Awaitable[Any]], what: str, within_s: float = PATIENCE_S) -> Any:
    """The first true answer, asked every few milliseconds."""
    end = time.monotonic() + within_s
    while True:
        value = await holds()
        if value:
            return value
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(command: Awaitable[Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """A command as a task, ended at the latest here; an error it raised before is raised here."""
    task = asyncio.ensure_future(command)
    try:
        yield task
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
