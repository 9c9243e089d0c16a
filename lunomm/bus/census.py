"""Which pairs and pieces this Redis knows of right now: for ``status``, which is told nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

from lunomm.bus.channels import HEALTH, VENUE
from lunomm.bus.client import Bus

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
    for key in await bus.scan(f"{VENUE.name}::*"):
        pair = key.removeprefix(f"{VENUE.name}::")
        if _PAIR.fullmatch(pair):
            pairs.add(pair)
    for key in await bus.scan(f"{HEALTH.name}::*"):
        _, _, rest = key.partition("::")
        piece, _, pair = rest.partition("::")
        if _PIECE.fullmatch(piece) and _PAIR.fullmatch(pair):
            pairs.add(pair)
            pieces.add((piece, pair))
    return Census(tuple(sorted(pairs)), tuple(sorted(pieces)))
