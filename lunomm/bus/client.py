"""The Redis client of every process: typed messages in and out, reconnecting by itself.

Two connections a process. *commands*: no retries (a repeated XADD is a second entry), each call at most
``COMMAND_S``; a call that timed out may still have happened. *listening*: pub/sub and blocking reads, reconnecting for
ever. Neither sets ``socket_timeout``: with it redis-py 8 swallows task cancellation on Python 3.11.

A message that is not JSON, not its type, of another schema, pair or venue is dropped and counted in ``Bus.dropped``;
it never raises. So is one of another build, where a piece that trades reads it (`Bus.one_build`). Every reply shape is
pinned here (RESP3, unified) and nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import RedisError

from lunomm import __version__
from lunomm.bus.channels import Channel, Kind
from lunomm.bus.plain import believable
from lunomm.bus.seal import Seal
from lunomm.bus.sentinels import Place, Sentinels
from lunomm.config import RedisAddress, show
from lunomm.errors import BusError
from lunomm.market.presence import VenueInfo, place_of
from lunomm.market.stamp import SCHEMA, Stamped, written_plainly

T = TypeVar("T", bound=Stamped)

COMMAND_S = 2.0
"""Longest wait for one command, seconds."""

MAX_MESSAGE = 2**20
"""Largest message read, characters."""

BLOCK_MS = 1000
"""Longest block of one stream read, so that a half-open connection is noticed."""

SILENCE_S = 5.0
"""A listening connection is probed when nothing arrived for so long (pub/sub may go silent for ever otherwise)."""

MAX_EMPTY = 100
"""Empty answers in a row, none of them after a wait, after which a subscription is made anew."""

_FIELD = "d"

_FAILURES = (RedisError, OSError, TimeoutError)


class Bus:
    """Everything one process says to Redis. Use as an async context manager.

    Attributes:
        venue: what messages are stamped with and compared to; None = stamped with nothing, compared with nothing.
        dropped: how many messages were not taken, by ``<channel>:<reason>``. on_drop: told of each, with its data.
        one_build: drop what another build of this program says where `Channel.one_build` says so: after an upgrade a
            number may mean something else. builds: channel -> the other build that was last heard there.
    """

    def __init__(self, address: RedisAddress, role: str) -> None:
        self.address = address
        self.role = role
        self.venue: VenueInfo | None = None
        self.dropped: Counter[str] = Counter()
        self.on_drop: Callable[[str, str, object], None] | None = None
        self.one_build = False
        self.builds: dict[str, str] = {}
        self._seal = Seal(address.bus_key) if address.bus_key is not None else None
        self._encoder = msgspec.json.Encoder()
        self._heads: dict[str, tuple[str, bytes]] = {}
        self._decoders: dict[type[Stamped], msgspec.json.Decoder[Any]] = {}
        self._tls = _tls(address)
        self._sentinels = Sentinels(address, self._tls, role) if address.sentinels else None
        self._master: Place | None = None
        self._commands = self._client(Retry(NoBackoff(), 0), "commands")
        self._listening = self._client(Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), -1), "listening")

    def _client(self, retry: Retry, part: str) -> aioredis.Redis:
        a = self.address
        shared: dict[str, Any] = {
            "db": a.db,
            "username": a.username,
            "password": a.password,
            "protocol": 3,
            "legacy_responses": False,
            "decode_responses": True,
            "encoding_errors": "replace",
            "socket_timeout": None,
            "retry": retry,
            "client_name": f"lunomm-{self.role}-{part}",
            **self._tls,
        }
        if self._sentinels is not None:
            # The Sentinels are asked first: together they must not take longer than a command may.
            pool = self._sentinels.pool(**shared, socket_connect_timeout=1)
            return aioredis.Redis.from_pool(pool)
        return aioredis.Redis(host=a.host, port=a.port, **shared, socket_connect_timeout=2)

    async def __aenter__(self) -> Bus:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for client in (self._commands, self._listening):
            try:
                async with asyncio.timeout(COMMAND_S):
                    await client.aclose()
            except _FAILURES:
                self.dropped["close:failed"] += 1
        if self._sentinels is not None:
            await self._sentinels.aclose()

    async def check_master(self) -> None:
        """Where Sentinels say who the master is: that what we wrote last went to it. Nothing to do without them.

        After a fail-over every connection is made anew at once, rather than when the old master's silence is noticed.

        Raises:
            BusError: most of them name none, or another than the one we write to: what was written may be lost.
        """
        if self._sentinels is None:
            return
        before, self._master = self._master, await self._sentinels.master()
        if self._master is None:
            raise BusError(f"Redis at {self.address.url}: most of the Sentinels name no master", code="NO_MASTER")
        pools = [pool for client in (self._commands, self._listening)
                 if isinstance(pool := client.connection_pool, SentinelConnectionPool)]  # fmt: skip
        # A connection in use while another finds the new master goes back to the pool as it is: all are made anew.
        if before not in (None, self._master) or any(pool.master_address not in (None, self._master) for pool in pools):
            for pool in pools:
                await pool.disconnect(inuse_connections=True)
                pool.master_address = None
            raise BusError(f"Redis at {self.address.url}: the master is another one now", code="FAIL_OVER")

    @property
    def redis(self) -> aioredis.Redis:
        """The command connection, for modules of ``lunomm.bus`` only."""
        return self._commands

    async def call(self, command: Any) -> Any:
        """Await one command of ``redis``, at most ``COMMAND_S``; returns its reply (untyped).

        Raises:
            BusError: unreachable, silent or refusing; whether the command happened is then not known.
        """
        try:
            async with asyncio.timeout(COMMAND_S):
                return await command
        except _FAILURES as e:
            raise BusError(f"Redis at {self.address.url}: {_reason(e)}. {self.address.advice}") from e

    async def ping(self) -> None:
        await self.call(self._commands.ping())

    # --- out -------------------------------------------------------------------------------------------------------

    def encode(self, message: Stamped) -> str:
        """Stamp and encode one message."""
        message.venue = self.venue.stamp if self.venue else ""
        message.build = __version__
        return written_plainly(self._encoder.encode(message).decode())

    def _written(self, channel: Channel[T], key: str, message: T) -> str:
        text = self.encode(message)
        return self._seal.sign(key, text) if self._seal is not None and channel.sealed else text

    async def publish(self, channel: Channel[T], message: T) -> None:
        """Send one message every way its channel has (channel, key with its life, stream), in one round trip."""
        key = channel.key(message.pair)
        await self._send(channel, key, self._written(channel, key, message))

    async def publish_written(self, channel: Channel[Any], pair: str, fields: bytes) -> None:
        """`publish` a message whose fields are JSON already: all but the stamp, to the closing brace."""
        if channel.sealed:
            raise BusError(f"{channel.name} is sealed: its messages are encoded here", code="SEALED")
        key = channel.key(pair)
        await self._send(channel, key, self.stamped(pair, fields))

    def stamped(self, pair: str, fields: bytes) -> bytes:
        """A message's text from its fields: what `encode` makes of the same message."""
        stamp = self.venue.stamp if self.venue else ""
        known = self._heads.get(pair)
        if known is None or known[0] != stamp:
            head = self._encoder.encode(Stamped(pair=pair, venue=stamp, build=__version__))[:-1] + b","
            known = self._heads[pair] = (stamp, head)
        return known[1] + fields

    async def _send(self, channel: Channel[Any], key: str, data: str | bytes) -> None:
        pipe = self._commands.pipeline(transaction=False)
        if Kind.KEY in channel.kind:
            pipe.set(key, data, px=_ms(channel.ttl_s))
        if Kind.STREAM in channel.kind:
            pipe.xadd(key, {_FIELD: data}, **self._trim(channel))
        if Kind.CHANNEL in channel.kind:
            pipe.publish(key, data)
        await self.call(pipe.execute())

    async def put(self, channel: Channel[T], message: T, *, name: str | None = None) -> None:
        """Set the key of one message. name: the part after ``::`` where it is not the pair."""
        key = channel.key(name or message.pair)
        await self.call(self._commands.set(key, self._written(channel, key, message), px=_ms(channel.ttl_s)))

    async def clear(self, channel: Channel[T], pair: str) -> None:
        """Remove the key, stream or hash of a pair."""
        await self.call(self._commands.delete(channel.key(pair)))

    async def append(self, channel: Channel[T], message: T, *, id: str = "*") -> bool:
        """Add one stream entry. False when ``id`` is not newer than the newest: it is there already."""
        key = channel.key(message.pair)
        add = self._commands.xadd(key, {_FIELD: self._written(channel, key, message)}, id=id, **self._trim(channel))
        try:
            await self.call(add)
        except BusError as e:
            if "equal or smaller" in str(e.__cause__):
                return False
            raise
        return True

    @staticmethod
    def _trim(channel: Channel[Any]) -> dict[str, Any]:
        if channel.keep_ms is not None:
            return {"minid": f"{time.time_ns() // 1_000_000 - channel.keep_ms}-0", "approximate": True}
        if channel.maxlen is not None:
            return {"maxlen": channel.maxlen, "approximate": True}
        return {}

    async def hash_put(
        self,
        channel: Channel[T],
        pair: str,
        fields: Mapping[str, T],
        *,
        delete: Iterable[str] = (),
        beside: str | None = None,
    ) -> object:
        """Set and remove fields of a hash at once; in the same round trip, read the key ``beside``: its raw value."""
        key, gone = channel.key(pair), list(delete)
        # One command is whole by itself, and the key is read after it.
        pipe = self._commands.pipeline(transaction=bool(gone and fields))
        if gone:
            pipe.hdel(key, *gone)
        if fields:
            pipe.hset(key, mapping={name: self.encode(message) for name, message in fields.items()})
        if beside is not None:
            pipe.get(beside)
        if not (gone or fields or beside):
            return None
        results = await self.call(pipe.execute())
        return results[-1] if beside is not None else None

    async def scan(self, pattern: str) -> list[str]:
        """Names of keys that match a glob pattern, sorted."""
        cursor, found = 0, set[str]()
        while True:
            cursor, keys = await self.call(self._commands.scan(cursor, match=pattern, count=500))
            found.update(keys)
            if not int(cursor):
                return sorted(found)

    # --- in --------------------------------------------------------------------------------------------------------

    def decode(self, channel: Channel[T], data: object, pair: str | None) -> T | None:
        """One message from outside, or None (dropped and counted)."""
        if not isinstance(data, str) or len(data) > MAX_MESSAGE:
            self._drop(channel, "SIZE", data)
            return None
        if self._seal is not None and channel.sealed and not self._seal.genuine(channel.key(pair or ""), data):
            self._drop(channel, "SEAL", data)
            return None
        decoder = self._decoders.get(channel.type)
        if decoder is None:
            decoder = self._decoders[channel.type] = msgspec.json.Decoder(channel.type)
        try:
            message: T = decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError):
            self._drop(channel, "MALFORMED", data)
            return None
        if not believable(data, message):
            self._drop(channel, "NUMBER", data)
            return None
        if message.v != SCHEMA:
            self._drop(channel, "SCHEMA", data)
            return None
        if pair is not None and message.pair != pair:
            # One channel carries the updates of all pairs: another's are not ours, and not foreign either.
            if channel.paired:
                self._drop(channel, "PAIR", data)
            return None
        if self.venue is not None and not self._ours(channel, message.venue, self.venue):
            self._drop(channel, "VENUE", data)
            return None
        if self.one_build and channel.one_build:
            if message.build != __version__:
                self.builds[channel.name] = message.build
                self._drop(channel, "BUILD", data)
                return None
            self.builds.pop(channel.name, None)
        return message

    def mixed_builds(self) -> str | None:
        """What to say where pieces of two builds meet; None where they do not."""
        for name, build in self.builds.items():
            other = show(build, 20).strip("'")
            return f"{name} is written by lunomm {other}, this is {__version__}: stop the older, start it anew"
        return None

    def _ours(self, channel: Channel[Any], stamp: str, venue: VenueInfo) -> bool:
        return stamp == venue.stamp if channel.by_run else place_of(stamp) == venue.place

    def _drop(self, channel: Channel[Any], why: str, data: object) -> None:
        self.dropped[f"{channel.name}:{why}"] += 1
        if self.on_drop is not None:
            self.on_drop(channel.name, why, data)

    async def get(self, channel: Channel[T], pair: str, *, name: str | None = None) -> T | None:
        """The last value under a key, None when there is none (or it is foreign)."""
        data = await self.call(self._commands.get(channel.key(name or pair)))
        return None if data is None else self.decode(channel, data, pair)

    async def get_many(self, wanted: Sequence[tuple[Channel[Any], str, str]]) -> list[Any]:
        """`get` of several keys, (channel, pair, name after ``::``) each, in one round trip."""
        rows = await self.call(self._commands.mget([channel.key(name) for channel, _, name in wanted]))
        return [
            None if data is None else self.decode(channel, data, pair)
            for data, (channel, pair, _) in zip(rows, wanted, strict=True)
        ]

    async def hash_get(self, channel: Channel[T], pair: str) -> dict[str, T]:
        raw: dict[str, str] = await self.call(self._commands.hgetall(channel.key(pair)))
        found = {name: self.decode(channel, data, pair) for name, data in raw.items()}
        return {name: message for name, message in found.items() if message is not None}

    async def read(
        self, channel: Channel[T], pair: str, *, after: str = "-", count: int | None = None
    ) -> list[tuple[str, T]]:
        """Stream entries newer than id ``after`` (``-`` = all), oldest first, at most ``count``."""
        low = after if after == "-" else f"({after}"
        rows = await self.call(self._commands.xrange(channel.key(pair), min=low, max="+", count=count))
        return self._entries(channel, pair, rows)

    async def read_last(self, channel: Channel[T], pair: str, count: int) -> list[tuple[str, T]]:
        """The newest ``count`` entries, oldest first."""
        rows = await self.call(self._commands.xrevrange(channel.key(pair), count=count))
        return self._entries(channel, pair, list(rows or [])[::-1])

    def _entries(self, channel: Channel[T], pair: str, rows: Any) -> list[tuple[str, T]]:
        found: list[tuple[str, T]] = []
        for entry_id, fields in rows or []:
            message = self.decode(channel, (fields or {}).get(_FIELD), pair)
            if message is not None:
                found.append((entry_id, message))
        return found

    async def listen(self, channel: Channel[T], pair: str) -> AsyncIterator[T]:
        """Messages of a channel as they come, for ever; what was said while not connected is lost."""
        key = channel.key(pair)
        pause = 0.05
        while True:
            pubsub = self._listening.pubsub(ignore_subscribe_messages=True)
            try:
                # Where the network is cut without a word, nothing else ends this wait.
                async with asyncio.timeout(COMMAND_S):
                    await pubsub.subscribe(key)
                pause = 0.05
                async for data in _incoming(pubsub):
                    message = self.decode(channel, data, pair)
                    if message is not None:
                        yield message
            except _FAILURES:
                self.dropped[f"{channel.name}:RECONNECT"] += 1
            finally:
                try:
                    async with asyncio.timeout(COMMAND_S):
                        await pubsub.aclose()  # type: ignore[no-untyped-call]
                except _FAILURES:
                    self.dropped["close:failed"] += 1
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def follow(self, channel: Channel[T], pair: str, *, after: str = "$") -> AsyncIterator[tuple[str, T]]:
        """Stream entries newer than id ``after`` (``$`` from now, ``-`` all), for ever; none is lost or repeated."""
        key = channel.key(pair)
        last = "0-0" if after == "-" else after
        while True:
            try:
                if last == "$":
                    # Pinned once: `$` asked again after a reconnect would skip what came in between.
                    newest = await self.call(self._commands.xrevrange(key, count=1))
                    last = newest[0][0] if newest else "0-0"
                async with asyncio.timeout(BLOCK_MS / 1000 + SILENCE_S):
                    reply: Any = await self._listening.xread({key: last}, count=500, block=BLOCK_MS)
            except (*_FAILURES, BusError):
                self.dropped[f"{channel.name}:RECONNECT"] += 1
                await asyncio.sleep(0.2)
                continue
            rows = reply.get(key, []) if reply else []
            for entry_id, fields in rows:
                last = entry_id
                message = self.decode(channel, fields.get(_FIELD), pair)
                if message is not None:
                    yield entry_id, message


async def _incoming(pubsub: Any) -> AsyncIterator[object]:
    """Payloads of one subscription; a silent connection is pinged and, without an answer, given up.

    ``get_message`` gives None for a time-out, but also at once for confirmations and pongs: only the clock tells them
    apart. After a network loss it has been seen to give None at once for ever.
    """
    awaiting_pong, at_once = False, 0
    while True:
        asked = time.monotonic()
        item = await pubsub.get_message(ignore_subscribe_messages=True, timeout=SILENCE_S)
        silent = item is None and time.monotonic() - asked > 0.9 * SILENCE_S
        if silent:
            if awaiting_pong:
                raise TimeoutError("no answer to a ping on the subscription")
            await pubsub.ping()
            awaiting_pong = True
            continue
        awaiting_pong = False
        at_once = at_once + 1 if item is None else 0
        if at_once > MAX_EMPTY:
            raise TimeoutError("the subscription gives nothing, and does not wait")
        if item is not None and item.get("type") == "message":
            yield item.get("data")


def _tls(address: RedisAddress) -> dict[str, Any]:
    """What redis-py is told of TLS: always with the server's name and certificate checked."""
    if not address.tls:
        return {}
    return {
        "ssl": True,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_ca_certs": address.ca,
        "ssl_certfile": address.cert,
        "ssl_keyfile": address.cert_key,
    }


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {COMMAND_S:g} s"
    if isinstance(error.__cause__ or error.__context__ or error, ConnectionRefusedError) or "111" in str(error)[:12]:
        return "nothing listens there"
    text = "".join(c if " " <= c <= "~" else " " for c in str(error))[:120].strip().rstrip(".")
    return text or type(error).__name__
