"""One simulator process at twenty times the recorded XBTZAR message rate, with ``lunomm book`` keeping up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import redis.asyncio as aioredis
from harness import Outcome, side_by_side, spread
from recorded import PAIR, decode_floor
from running import clean_environment, cpu_s, needs_proc, process, redis_of_its_own, until
from websockets.asyncio.client import connect

from lunomm.config import RedisAddress

RECORDED_PER_S = 19.0
"""Updates a second of the recorded XBTZAR stream, median."""

TIMES = 20
SPEED = 25
WINDOW_S = 20.0
WARM_S = 5.0
SAMPLE_S = 0.05
KEEPALIVE = '""'

WORK = f"`lunomm exchange {PAIR} --speed {SPEED}` for {WINDOW_S:g} s, read by `lunomm book {PAIR}` and a plain client"
LEAVES_OUT = "quote, gateway and their calls; TLS; all processes share one machine with this one"


@dataclass
class Heard:
    """What the plain client and a subscriber of LOB got."""

    frames: list[str] = field(default_factory=list)
    sequence: int = 0
    published: int = 0
    ticks: int = 0
    lags: list[int] = field(default_factory=list)


def run() -> Outcome:
    needs_proc()
    return asyncio.run(_run())


async def _run() -> Outcome:
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        folder = Path(name)
        async with redis_of_its_own(folder) as address:
            return await _measure(folder, address)


async def _measure(folder: Path, address: RedisAddress) -> Outcome:
    environment = clean_environment(folder, address)
    with contextlib.ExitStack() as running:
        exchange = running.enter_context(process(environment, folder, "exchange", PAIR, "--speed", str(SPEED)))
        note = folder / "exchange.json"
        await until(lambda: note.exists(), exchange)
        url = json.loads(note.read_text())["url"].replace("http", "ws", 1)
        book = running.enter_context(process(environment, folder, "book", PAIR))
        heard = Heard()
        async with _listening(url, address, heard):
            await until(lambda: heard.published > 0 and heard.sequence > 0, book)
            await asyncio.sleep(WARM_S)
            heard.frames.clear()
            heard.ticks = 0
            begin, before = time.monotonic(), (cpu_s(exchange.pid), cpu_s(book.pid))
            while time.monotonic() < begin + WINDOW_S:
                await asyncio.sleep(SAMPLE_S)
                heard.lags.append(max(0, heard.sequence - heard.published))
            took = time.monotonic() - begin
            cpu = [after - then for after, then in zip((cpu_s(exchange.pid), cpu_s(book.pid)), before, strict=True)]
            frames, ticks, last = list(heard.frames), heard.ticks, heard.sequence
            end = time.monotonic()
            await until(lambda: heard.published >= last, book)
            caught_up_ms = (time.monotonic() - end) * 1000
        health = heard.lags
    rate = len(frames) / took
    floor = side_by_side({"decode floor": lambda: decode_floor(frames)}, rounds=5)["decode floor"]
    each = [seconds / len(frames) * 1e6 for seconds in cpu]
    return Outcome(
        "exchange_serves",
        WORK,
        LEAVES_OUT,
        {
            "decode floor": spread(floor),
            "exchange CPU for a frame": spread(each[:1]),
            "book CPU for a frame": spread(each[1:]),
        },
        {
            "exchange / decode floor": spread([each[0] / least for least in floor]),
            "book / decode floor": spread([each[1] / least for least in floor]),
        },
        {
            "frames/s over the socket": f"{rate:.0f} (wanted {TIMES * RECORDED_PER_S:.0f}: "
            f"{'reached' if rate >= TIMES * RECORDED_PER_S else 'NOT reached'}), "
            f"{rate / RECORDED_PER_S:.1f} times the recorded rate",
            "CPU of a core": f"exchange {cpu[0] / took:.0%}, book {cpu[1] / took:.0%}",
            "ticks published/s": f"{ticks / took:.0f} ({ticks / len(frames):.0%} of the frames)",
            "book behind the socket": f"median {spread(health).median:.0f} frames, most {max(health)}; "
            f"the last frame was published {caught_up_ms:.0f} ms after it was read here",
        },
    )


@contextlib.asynccontextmanager
async def _listening(url: str, address: RedisAddress, heard: Heard) -> AsyncIterator[None]:
    async def frames() -> None:
        async with connect(f"{url}/api/1/stream/{PAIR}", proxy=None, max_size=2**24, compression=None) as stream:
            await stream.send('{"api_key_id":"sim","api_key_secret":"sim"}')
            async for raw in stream:
                if raw != KEEPALIVE:
                    heard.frames.append(str(raw))
                    heard.sequence = _sequence(str(raw))

    async def ticks() -> None:
        async with aioredis.Redis(host="127.0.0.1", port=address.port) as client, client.pubsub() as subscriber:
            await subscriber.subscribe(f"LOB::{PAIR}")
            async for message in subscriber.listen():
                if message["type"] == "message":
                    heard.published = json.loads(message["data"])["sequence"] or heard.published
                    heard.ticks += 1

    tasks = [asyncio.create_task(frames()), asyncio.create_task(ticks())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _sequence(raw: str) -> int:
    """The frame's number, which stands first."""
    return int(raw[13 : raw.index('"', 13)])
