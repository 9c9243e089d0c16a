"""Which pairs and pieces this Redis knows of right now: for ``status``, which is told nothing."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from lunomm.bus.channels import HEALTH, VENUE
from lunomm.bus.client import Bus
from lunomm.errors import BusError

MAX_KEYS = 1000
"""More names than any real pipeline has: a Redis full of other things is not walked for ever."""

_PAIR = re.compile(r"[A-Z0-9]{5,12}", re.ASCII)
_PIECE = re.compile(r"[a-z]{2,12}", re.ASCII)


class Census(NamedTuple):
    """pairs: sorted names. pieces: (piece, pair) of every heartbeat that has not run out, sorted."""

    pairs: tuple[str, ...]
    pieces: tuple[tuple[str, str], ...]


async def census(bus: Bus) -> Census:
    """Pairs with a claimed venue or a heartbeat, and the heartbeats.

    Raises:
        BusError: Redis does not answer.
    """
    pairs: set[str] = set()
    pieces: set[tuple[str, str]] = set()
    for key in await _keys(bus, f"{VENUE.name}::*"):
        pair = key.removeprefix(f"{VENUE.name}::")
        if _PAIR.fullmatch(pair):
            pairs.add(pair)
    for key in await _keys(bus, f"{HEALTH.name}::*"):
        _, _, rest = key.partition("::")
        piece, _, pair = rest.partition("::")
        if _PIECE.fullmatch(piece) and _PAIR.fullmatch(pair):
            pairs.add(pair)
            pieces.add((piece, pair))
    return Census(tuple(sorted(pairs)), tuple(sorted(pieces)))


async def _keys(bus: Bus, pattern: str) -> list[str]:
    found: list[str] = []
    cursor: Any = 0
    for _ in range(MAX_KEYS):
        reply = await bus.call(bus.redis.scan(cursor=cursor, match=pattern, count=500))
        if not isinstance(reply, list | tuple) or len(reply) != 2:
            raise BusError("Redis answered SCAN with something else than a cursor and names")
        cursor, names = reply
        found += [name for name in names if isinstance(name, str)]
        if int(cursor) == 0 or len(found) >= MAX_KEYS:
            break
    return found[:MAX_KEYS]
