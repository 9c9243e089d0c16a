"""One venue a pair on one Redis: claimed by the first piece, compared by the rest, put back after a Redis loss.

A piece of another mode or another URL must never feed, or trade on, this pair's channels: it is refused, both venues
named. In sim the run may change under us (the exchange was restarted): then everything known about orders and book is
void, and the piece starts over (:class:`VenueReplaced`).
"""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from lunomm import __version__
from lunomm.bus.channels import ACCOUNT, FILLS, HEALTH, LOB, ORDER_UPDATES, ORDERS, QUOTES, RULES, VENUE, Channel
from lunomm.bus.client import Bus
from lunomm.errors import BadMessage, ExchangeError, RefusedError
from lunomm.market.presence import OURS, VenueInfo

_WORDS = {"sim": "simulated", "paper": "paper"}

__all__ = ["VenueInfo", "VenueReplaced", "claim", "peek", "refresh", "release"]


class VenueReplaced(ExchangeError):
    """The simulated exchange was restarted: this run's orders and book no longer exist. Start over."""

    code = "VENUE_REPLACED"


_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


async def peek(bus: Bus, pair: str) -> VenueInfo | None:
    """The venue claimed for a pair now, None when there is none.

    Raises:
        BadMessage: the key holds something else.
    """
    return venue_in(await bus.call(bus.redis.get(VENUE.key(pair))), pair)


def venue_in(raw: Any, pair: str) -> VenueInfo | None:
    """What the key of a pair's venue says. Raises BadMessage: as :func:`peek`."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=VenueInfo)
    except msgspec.MsgspecError as e:
        raise BadMessage(f"{VENUE.key(pair)} on Redis holds no venue. Delete that key") from e


async def claim(bus: Bus, pair: str, own: VenueInfo) -> VenueInfo:
    """Claim a pair for ``own``, or join the same venue already there; what is to be used from now on.

    A simulated exchange's own run id is the truth and replaces an older one.

    Raises:
        RefusedError: another mode, URL or host; both are named.
    """
    mine = _for_pair(own, pair)
    data = _text(mine)
    for _ in range(5):
        if await bus.call(bus.redis.set(VENUE.key(pair), data, px=_ttl_ms(), nx=True)):
            await _clear_other_runs(bus, pair, mine)
            return mine
        there = await peek(bus, pair)
        if there is None:
            continue
        compare(there, mine)
        if there.run_id == mine.run_id:
            return mine
        await bus.call(bus.redis.set(VENUE.key(pair), data, px=_ttl_ms()))
        await _clear_other_runs(bus, pair, mine)
        return mine
    raise RefusedError(f"{VENUE.key(pair)} on Redis keeps changing: another program writes it. Use another Redis")


def compare(there: VenueInfo, mine: VenueInfo) -> None:
    """Refuse to join a venue of another kind.

    Raises:
        RefusedError: names both.
    """
    if there.mode == mine.mode and mine.mode in OURS and there.host and there.host != mine.host:
        raise RefusedError(
            f"{there.pair}: the {_WORDS[mine.mode]} exchange runs on {there.host[:60]}, loopback only. "
            "Run this piece there, or use another Redis",
            code="VENUE_HOST",
        )
    if (there.mode, there.url) != (mine.mode, mine.url):
        raise RefusedError(
            f"{there.pair}: this Redis carries {there.title[:120]}; this piece wants {mine.title[:120]}. "
            "Stop the other pieces, or use another Redis",
            code="VENUE_DIFFERS",
        )


async def refresh(bus: Bus, pair: str, own: VenueInfo) -> None:
    """Keep the claim alive, unchanged; put it back when Redis lost it.

    Raises:
        VenueReplaced: the same place has another run.
        RefusedError: another venue took the pair.
    """
    data = _text(_for_pair(own, pair))
    if await bus.call(bus.redis.set(VENUE.key(pair), data, px=_ttl_ms(), nx=True)):
        return
    there = await peek(bus, pair)
    if there is not None and there.run_id != own.run_id:
        compare(there, _for_pair(own, pair))
        raise VenueReplaced(f"{pair}: the exchange was restarted (run {own.run_id} is gone, {there.run_id} runs)")
    await bus.call(bus.redis.pexpire(VENUE.key(pair), _ttl_ms()))


async def release(bus: Bus, pair: str, own: VenueInfo) -> None:
    """Give the pair back if no other piece beats on it, so that another mode may start at once."""
    if await bus.scan(HEALTH.key(f"*::{pair}")):
        return
    raw = await bus.call(bus.redis.get(VENUE.key(pair)))
    there = await peek(bus, pair)
    if there is not None and there.run_id == own.run_id:
        await bus.call(bus.redis.eval(_RELEASE, 1, VENUE.key(pair), raw))


async def _clear_other_runs(bus: Bus, pair: str, own: VenueInfo) -> None:
    """Forget what another run of an exchange of ours left: its orders and fills belong to another world.

    FILLS would even refuse the new run's rows, whose sequences start again. Never touches what a live run wrote.
    """
    if own.mode not in OURS:
        return
    stale: list[str] = []
    for channel in (LOB, RULES, QUOTES, ACCOUNT):
        raw = await bus.call(bus.redis.get(channel.key(pair)))
        if raw is not None and _of_another_sim_run(raw, own):
            stale.append(channel.key(pair))
    if any(_of_another_sim_run(raw, own) for raw in await bus.call(bus.redis.hvals(ORDERS.key(pair)))):
        stale.append(ORDERS.key(pair))
    for stream in (FILLS, ORDER_UPDATES):
        if any(_of_another_sim_run(raw, own) for raw in await _newest(bus, stream, pair)):
            stale.append(stream.key(pair))
    if stale:
        await bus.call(bus.redis.delete(*stale))


async def _newest(bus: Bus, channel: Channel[Any], pair: str) -> list[str]:
    rows = await bus.call(bus.redis.xrevrange(channel.key(pair), count=1))
    return [str(fields.get("d", "")) for _, fields in rows or []]


class _Stamp(msgspec.Struct):
    venue: str = ""


def _of_another_sim_run(raw: str, own: VenueInfo) -> bool:
    try:
        stamp = msgspec.json.decode(raw, type=_Stamp).venue
    except (msgspec.MsgspecError, UnicodeError):
        return False
    run, _, place = stamp.partition("|")
    return place.partition("|")[0] in OURS and run != own.run_id


def _for_pair(info: VenueInfo, pair: str) -> VenueInfo:
    return msgspec.structs.replace(info, pair=pair, venue=info.stamp, build=__version__)


def _text(info: VenueInfo) -> str:
    """The same for every piece of one venue, whatever its bus is stamped with."""
    return msgspec.json.encode(info).decode()


def _ttl_ms() -> int:
    assert VENUE.ttl_s is not None
    return int(VENUE.ttl_s * 1000)


def this_host() -> str:
    """This machine's name, as venues, leases and heartbeats carry it."""
    return socket.gethostname()[:60]
