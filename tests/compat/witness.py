"""A plain WebSocket client that keeps every frame, and the slowest, most obvious order book there is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from served import KEY, SECRET
from websockets.asyncio.client import connect

LOG_IN = json.dumps({"api_key_id": KEY, "api_key_secret": SECRET})
KEEPALIVE = '""'
PATIENCE_S = 120.0


class Resting(NamedTuple):
    side: str
    price: Decimal
    volume: Decimal


Orders = dict[str, Resting]


class NaiveBook:
    """Every resting order by id, changed exactly as Luno documents its updates."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.sequence = int(snapshot["sequence"])
        self.orders: Orders = {
            row["id"]: Resting(side, Decimal(row["price"]), Decimal(row["volume"]))
            for side, rows in (("BID", snapshot["bids"]), ("ASK", snapshot["asks"]))
            for row in rows
        }

    def apply(self, update: dict[str, Any]) -> None:
        assert int(update["sequence"]) == self.sequence + 1
        for trade in update["trade_updates"] or []:
            maker = self.orders[trade["maker_order_id"]]
            left = maker.volume - Decimal(trade["base"])
            assert left >= 0, trade
            if left:
                self.orders[trade["maker_order_id"]] = maker._replace(volume=left)
            else:
                del self.orders[trade["maker_order_id"]]
        if update["create_update"]:
            new = update["create_update"]
            assert new["order_id"] not in self.orders
            self.orders[new["order_id"]] = Resting(new["type"], Decimal(new["price"]), Decimal(new["volume"]))
        if update["delete_update"]:
            del self.orders[update["delete_update"]["order_id"]]
        self.sequence += 1


class Witness:
    """What one market stream sent, frame by frame as text."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self._came = asyncio.Event()

    def came(self, raw: str) -> None:
        if raw != KEEPALIVE:
            self.frames.append(raw)
            self._came.set()

    @property
    def first_sequence(self) -> int:
        return int(json.loads(self.frames[0])["sequence"])

    @property
    def sequence(self) -> int:
        return int(json.loads(self.frames[-1])["sequence"]) if self.frames else 0

    async def reaches(self, sequence: int) -> None:
        """Until the frame of that number is here."""
        async with asyncio.timeout(PATIENCE_S):
            while self.sequence < sequence:
                self._came.clear()
                await self._came.wait()

    async def has(self, frames: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.frames) < frames:
                self._came.clear()
                await self._came.wait()

    def books(self, wanted: set[int]) -> dict[int, Orders]:
        """The naive book as it stood after each of these sequences."""
        book = NaiveBook(json.loads(self.frames[0]))
        found = {}
        for raw in [None, *self.frames[1:]]:
            if raw is not None:
                book.apply(json.loads(raw))
            if book.sequence in wanted:
                found[book.sequence] = dict(book.orders)
        assert found.keys() == wanted, f"never stood at {wanted - found.keys()}"
        return found

    def trades(self, after: int, upto: int) -> list[dict[str, Any]]:
        """Every trade of the updates after the one sequence up to the other."""
        updates = (json.loads(raw) for raw in self.frames[1:])
        return [
            trade for update in updates if after < int(update["sequence"]) <= upto for trade in update["trade_updates"]
        ]


@asynccontextmanager
async def witness(ws: str, pair: str) -> AsyncIterator[Witness]:
    """A witness of one market stream, from its snapshot on."""
    seen = Witness()
    async with connect(
        f"{ws}/api/1/stream/{pair}", proxy=None, max_size=2**24, compression=None, max_queue=None
    ) as socket:
        await socket.send(LOG_IN)

        async def listen() -> None:
            async for raw in socket:
                assert isinstance(raw, str)
                seen.came(raw)

        listening = asyncio.create_task(listen())
        try:
            await seen.has(1)
            yield seen
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def engine_book(ws: str, pair: str) -> tuple[int, Orders]:
    """The exchange's own book now: the snapshot a new stream begins with."""
    async with witness(ws, pair) as seen:
        book = NaiveBook(json.loads(seen.frames[0]))
        return book.sequence, book.orders
