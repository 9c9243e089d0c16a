"""The floor of tick to order: three processes that move the same bytes through the same sockets, and decide nothing.

``python floor_pieces.py book|quote|gateway FILE``: FILE is JSON with the addresses and the very messages that the real
pieces sent. book: websockets frame -> SET and PUBLISH. quote: subscription -> SET and PUBLISH. gateway: subscription ->
one row committed to SQLite (WAL, synchronous FULL), the order told to Redis and the venue's key read (one round trip),
the POST. Nothing is decoded, compared or remembered.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio as aioredis
from websockets.asyncio.client import connect

TTL_MS = 10_000


def _redis(told: dict[str, Any]) -> aioredis.Redis:
    return aioredis.Redis(
        port=told["redis_port"], protocol=3, legacy_responses=False, decode_responses=True, socket_timeout=None
    )


async def _publish(client: aioredis.Redis, key: str, data: str) -> None:
    pipe = client.pipeline(transaction=False)
    pipe.set(key, data, px=TTL_MS)
    pipe.publish(key, data)
    await pipe.execute()


async def _ready(client: aioredis.Redis, name: str) -> None:
    await client.set(f"floor-ready:{name}", "1")


async def book(told: dict[str, Any]) -> None:
    async with _redis(told) as client, connect(told["stream"], proxy=None, compression=None) as stream:
        await stream.send('{"api_key_id":"sim","api_key_secret":"sim"}')
        await _ready(client, "book")
        async for _ in stream:
            await _publish(client, "FLOOR::LOB", told["tick"])


async def quote(told: dict[str, Any]) -> None:
    async with _redis(told) as client, _redis(told) as listening, listening.pubsub() as subscription:
        await subscription.subscribe("FLOOR::LOB")
        await _ready(client, "quote")
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is not None:
                await _publish(client, "FLOOR::QUOTES", told["quotes"])


async def gateway(told: dict[str, Any]) -> None:
    db = sqlite3.connect(told["database"], isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE rows (text TEXT)")
    async with (
        _redis(told) as client,
        _redis(told) as listening,
        listening.pubsub() as subscription,
        httpx.AsyncClient(base_url=told["rest"], trust_env=False) as rest,
    ):
        await subscription.subscribe("FLOOR::QUOTES")
        await client.set("FLOOR::VENUE", told["venue"])
        auth = httpx.BasicAuth("sim", "sim")
        await rest.post(
            "/api/1/postorder", data=told["form"], auth=auth
        )  # the connection stands, as the real one's does
        await _ready(client, "gateway")
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is None:
                continue
            db.execute("INSERT INTO rows VALUES (?)", (told["order"],))
            pipe = client.pipeline(transaction=False)
            pipe.hset("FLOOR::ORDERS", mapping={"order": told["order"]})
            pipe.get("FLOOR::VENUE")
            await pipe.execute()
            await rest.post("/api/1/postorder", data=told["form"], auth=auth)


if __name__ == "__main__":
    piece = {"book": book, "quote": quote, "gateway": gateway}[sys.argv[1]]
    asyncio.run(piece(json.loads(Path(sys.argv[2]).read_text())))
