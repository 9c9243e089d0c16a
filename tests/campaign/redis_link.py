"""Connections to the Redis of the world, for the real `Bus`: commands, pipelines, subscriptions, and what goes wrong.

A command that failed may have been carried out: the link breaks before it, after it, or half-way through a pipeline.
Messages of a channel may be lost, come twice, late, or in another order; a subscription may be cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from campaign.loop import PROCESS, Process
from campaign.redis_store import Entry, Server

if TYPE_CHECKING:
    from campaign.world import World

Op = Callable[[Server], Any]


class Link:
    """The one Redis everybody shares, and the network in front of it.

    down: nothing listens. hung: connections stand, nothing answers. read_only: writes are refused.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.down = self.hung = self.read_only = False
        self.server = Server(lambda: world.true_ms, self._added, self._publish, self._store)
        self._subscriptions: list[Subscription] = []
        self._readers: list[asyncio.Future[None]] = []

    def healthy(self) -> bool:
        return not (self.down or self.hung or self.read_only)

    def cut(self) -> None:
        """Every standing connection breaks."""
        for subscription in list(self._subscriptions):
            subscription.breaks()
        self._wake()

    def _added(self, key: str, entry: Entry) -> None:
        self.world.checker.records.stream_entry(key, entry, self.server.life)
        self._wake()

    def _wake(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    def reader(self) -> asyncio.Future[None]:
        waiting = self.world.loop.create_future()
        self._readers.append(waiting)
        return waiting

    def join(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)

    def leave(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _store(self, key: str, data: str) -> None:
        if key.startswith("QUOTES"):
            self.world.checker.records.wanted(data)

    def _publish(self, key: str, data: str) -> int:
        faults, count = self.world.faults, 0
        self._store(key, data)
        for subscription in list(self._subscriptions):
            if subscription.key != key or subscription.process.dead:
                continue
            count += 1
            if faults.fires("bus.message_lost"):
                continue
            times = 2 if faults.fires("bus.message_twice") else 1
            for _ in range(times):
                delay = self.world.rng.uniform(0.0, 0.002)
                if faults.fires("bus.message_late"):
                    # Each message has its own delay, so late ones also change places.
                    delay = self.world.rng.uniform(0.1, 8.0)
                self.world.loop.later(delay, subscription.take, data)
        return count


class Client:
    """What `Bus` uses of ``redis.asyncio.Redis``."""

    def __init__(self, link: Link) -> None:
        process = PROCESS.get()
        assert process is not None
        self.process: Process = process
        self._link = link

    def __getattr__(self, name: str) -> Callable[..., Any]:
        command = getattr(Server, name)

        def call(*args: Any, **given: Any) -> Any:
            return self.send_one(lambda server: command(server, *args, **given), name)

        return call

    async def send_one(self, op: Op, name: str) -> Any:
        return (await self.send([op], writes=name not in ("get", "hgetall", "xrange", "xrevrange", "scan", "hvals")))[0]

    async def send(self, ops: list[Op], *, writes: bool) -> list[Any]:
        link, world = self._link, self._link.world
        await self._travel()
        if link.read_only and writes:
            raise ReadOnlyError("You can't write against a read only replica.")
        faults = world.faults
        if len(ops) > 1 and faults.fires("bus.pipeline_broken"):
            for op in ops[: world.rng.randrange(len(ops) + 1)]:
                op(link.server)
            raise RedisConnectionError("Connection lost")
        if faults.fires("bus.command_lost"):
            raise RedisConnectionError("Connection reset by peer")
        results = [op(link.server) for op in ops]
        if faults.fires("bus.reply_lost"):
            raise RedisConnectionError("Connection lost")
        return results

    async def _travel(self) -> None:
        link, world = self._link, self._link.world
        if world.rng.random() < 0.2:
            await asyncio.sleep(world.rng.uniform(0.0001, 0.01))
        if link.hung:
            await world.loop.create_future()
        if link.down:
            raise RedisConnectionError("Error 111 connecting to 127.0.0.1:6379")

    def pipeline(self, transaction: bool = False) -> Pipe:
        return Pipe(self, transaction)

    def pubsub(self, **_: Any) -> Subscription:
        return Subscription(self._link, self.process)

    async def xread(self, streams: Mapping[str, str], count: int, block: int) -> dict[str, list[Entry]]:
        loop = self._link.world.loop
        until = loop.time() + block / 1000
        while True:
            await self._travel()
            found = self._link.server.xread(streams, count)
            if found or loop.time() >= until:
                return found
            reader = self._link.reader()
            try:
                async with asyncio.timeout_at(until):
                    await reader
            except TimeoutError:
                continue

    async def aclose(self) -> None:
        return


class Pipe:
    """Commands sent together. A transaction is carried out whole or not at all."""

    def __init__(self, client: Client, transaction: bool) -> None:
        self._client, self._transaction = client, transaction
        self._ops: list[Op] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        command = getattr(Server, name)

        def add(*args: Any, **given: Any) -> None:
            self._ops.append(lambda server: command(server, *args, **given))

        return add

    async def execute(self) -> list[Any]:
        ops = self._ops
        if not self._transaction:
            return await self._client.send(ops, writes=True)
        (results,) = await self._client.send([lambda server: [op(server) for op in ops]], writes=True)
        found: list[Any] = results
        return found


class Subscription:
    """One pub/sub connection."""

    def __init__(self, link: Link, process: Process) -> None:
        self._link = link
        self.process = process
        self.key = ""
        self._messages: deque[str | None] = deque()
        self._broken = False
        self._waiting: asyncio.Future[None] | None = None

    async def subscribe(self, key: str) -> None:
        if self._link.hung:
            await self._link.world.loop.create_future()
        if self._link.down:
            raise RedisConnectionError("Error 111 connecting to 127.0.0.1:6379")
        self.key = key
        self._link.join(self)

    def take(self, data: str) -> None:
        if not (self._link.hung or self._link.down or self._broken):
            self._messages.append(data)
            self._wake()

    def breaks(self) -> None:
        self._broken = True
        self._link.leave(self)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get_message(self, ignore_subscribe_messages: bool, timeout: float) -> dict[str, Any] | None:
        if not self._messages and not self._broken:
            self._waiting = self._link.world.loop.create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._waiting
            except TimeoutError:
                return None
        if self._messages:
            data = self._messages.popleft()
            return {"type": "pong"} if data is None else {"type": "message", "data": data}
        raise RedisConnectionError("Connection closed by server.")

    async def ping(self) -> None:
        """Answered at once where anybody answers."""
        if not (self._link.hung or self._link.down):
            self._messages.append(None)

    async def aclose(self) -> None:
        self._link.leave(self)
