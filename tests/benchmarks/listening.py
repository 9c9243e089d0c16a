"""A plain client of the exchange's market streams and a subscriber of the book's ticks: how far the book is behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import redis.asyncio as aioredis
from websockets.asyncio.client import connect

from lunomm.config import RedisAddress

KEEPALIVE = '""'


@dataclass
class Heard:
    """What came of one pair. sequence: of the newest frame; published: of the newest tick; frames: where kept."""

    frames: list[str] = field(default_factory=list)
    count: int = 0
    sequence: int = 0
    published: int = 0
    ticks: int = 0

    @property
    def behind(self) -> int:
        """Frames that are here and not yet published."""
        return max(0, self.sequence - self.published)


@contextlib.asynccontextmanager
async def listening(
    url: str, address: RedisAddress, heard: Mapping[str, Heard], *, keep: bool = False
) -> AsyncIterator[None]:
    """Listen to the pairs of ``heard``. url: of the exchange. keep: the frames as well as their number."""

    async def frames(pair: str, found: Heard) -> None:
        address = f"{url.replace('http', 'ws', 1)}/api/1/stream/{pair}"
        async with connect(address, proxy=None, max_size=2**24, compression=None) as stream:
            await stream.send('{"api_key_id":"sim","api_key_secret":"sim"}')
            async for raw in stream:
                if raw != KEEPALIVE:
                    found.count += 1
                    found.sequence = _sequence(str(raw))
                    if keep:
                        found.frames.append(str(raw))

    async def ticks() -> None:
        channels = {f"LOB::{pair}": found for pair, found in heard.items()}
        async with aioredis.Redis(host="127.0.0.1", port=address.port) as client, client.pubsub() as subscriber:
            await subscriber.subscribe(*channels)
            async for message in subscriber.listen():
                if message["type"] == "message":
                    found = channels[message["channel"].decode()]
                    found.published = json.loads(message["data"])["sequence"] or found.published
                    found.ticks += 1

    tasks = [asyncio.create_task(ticks())]
    tasks += [asyncio.create_task(frames(pair, found)) for pair, found in heard.items()]
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
