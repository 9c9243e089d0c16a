"""Which server is the master, by the word of most Sentinels; a connection goes there and nowhere else.

redis-py's own discovery believes the first Sentinel that answers, asks one after another, and waits for a silent one as
long as for Redis itself. Here all are asked at once and a master is one that more than half of those configured name:
who is cut off together with an old master and fewer than half of them finds no master, and so writes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lunomm.config import RedisAddress

ASK_S = 0.7
"""Longest wait for one Sentinel; well below what a command may take, so that a dead one among them costs no command."""

_FAILURES = (RedisError, OSError, TimeoutError)

Place = tuple[str, int]


def most_named(answers: Sequence[Place | None]) -> Place | None:
    """The address that more than half of all Sentinels give; None when no address has so many voices."""
    for place, voices in Counter(answer for answer in answers if answer is not None).most_common(1):
        if 2 * voices > len(answers):
            return place
    return None


class Sentinels:
    """Those of one service. Takes the place of redis-py's ``Sentinel`` beside its connection pool."""

    def __init__(self, address: RedisAddress, tls: dict[str, Any], role: str) -> None:
        self.service = address.service
        self._asked: set[asyncio.Future[Place | None]] = set()
        self._seats = [
            aioredis.Redis(
                host=host,
                port=port,
                username=address.sentinel_username,
                password=address.sentinel_password,
                protocol=3,
                legacy_responses=False,
                decode_responses=True,
                socket_timeout=None,
                socket_connect_timeout=ASK_S,
                retry=Retry(NoBackoff(), 0),
                client_name=f"lunomm-{role}",
                **tls,
            )
            for host, port in address.sentinels
        ]

    async def master(self) -> Place | None:
        """Where most say the master is, as soon as most say so; None when too few answer, or they differ."""
        asked = [asyncio.ensure_future(self._ask(seat)) for seat in self._seats]
        # Those that answer later end by themselves, within `ASK_S`: cancelled, they would have to be dialled again.
        self._asked.update(asked)
        for ask in asked:
            ask.add_done_callback(self._asked.discard)
        answers: list[Place | None] = [None] * len(asked)
        for number, answer in enumerate(asyncio.as_completed(asked)):
            answers[number] = await answer
            place = most_named(answers)
            if place is not None:
                return place
        return None

    async def _ask(self, seat: aioredis.Redis) -> Place | None:
        try:
            async with asyncio.timeout(ASK_S):
                asked: Any = seat.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)  # type: ignore[no-untyped-call]
                host, port = await asked
                return str(host), int(port)
        except _FAILURES:
            return None
        except (TypeError, ValueError):  # it knows no such service
            return None

    async def discover_master(self, service_name: str) -> Place:
        """For the pool: where to connect.

        Raises:
            MasterNotFoundError: no majority names one.
        """
        place = await self.master()
        if place is None:
            raise MasterNotFoundError(f"most of the {len(self._seats)} Sentinels name no master of {service_name}")
        return place

    def pool(self, **connection: Any) -> SentinelConnectionPool:
        """Connections to the master, found anew for each."""
        return SentinelConnectionPool(self.service, self, **connection)  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        for ask in self._asked:
            ask.cancel()
        await asyncio.gather(*(seat.aclose() for seat in self._seats), return_exceptions=True)
