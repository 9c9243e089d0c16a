"""Who may run: one book and one quoter a pair, one gateway an account. A key with a time to live and a fencing token.

A second instance is told who holds the lease. A holder killed on this machine is recognised by its process id and
replaced at once; one elsewhere when its lease has run out. Losing Redis loses no lease: the holder puts it back, unless
another took it meanwhile, in which case the holder must stop. (The gateway's real lock is a file; this tells people.)
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

import msgspec

from lunomm.bus.channels import LEASE
from lunomm.bus.client import Bus
from lunomm.bus.process import is_running, user
from lunomm.bus.venue import this_host
from lunomm.errors import InstanceError
from lunomm.market.presence import LeaseInfo

TTL_MS = 5_000
SETTLE_S = 8.0
"""After a fail-over a lease may have been renewed that the new master never heard of. Its holder was sure of it for
TTL_MS after most Sentinels last named the old master, which a promoted server may be ahead of by about two seconds."""

PROBE_S = 2.6
"""A living holder renews once a second: one that did not within this long is not waited for, its time to live is."""

_TOKEN = """
local token = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', token))
return token
"""
_RENEW = """
local now = redis.call('GET', KEYS[1])
if now and cjson.decode(now).token ~= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_RELEASE = """
local now = redis.call('GET', KEYS[1])
if now and cjson.decode(now).token == tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return 1
"""


@dataclass
class Lease:
    """A lease held by this process; renew it once a second.

    until_s: own monotonic time before which nobody else can have it, counted from before Redis was asked. A Redis that
    forgets everything breaks that promise; then the journal's lock stands on this machine, and the next renewal tells.
    """

    bus: Bus
    key: str
    info: LeaseInfo
    until_s: float

    async def renew(self) -> None:
        """Prolong it.

        Raises:
            InstanceError: another instance holds it now.
            BusError: Redis does not answer; try again.
        """
        self.info.beat += 1
        asked_s = time.monotonic()
        args = (str(self.info.token), _encode(self.info), str(TTL_MS))
        if not await self.bus.call(self.bus.redis.eval(_RENEW, 1, self.key, *args)):
            there = await _read(self.bus, self.key)
            raise _refusal(self.key, there)
        # Only at the server that is the master still: an old one, cut off with us, says yes to everything.
        await self.bus.check_master()
        self.until_s = asked_s + TTL_MS / 1000

    def left_s(self) -> float:
        """Seconds for which it is surely ours; negative once it is not."""
        return self.until_s - time.monotonic()

    async def release(self) -> None:
        await self.bus.call(self.bus.redis.eval(_RELEASE, 1, self.key, str(self.info.token)))


async def settle(lease: Lease) -> None:
    """Where Sentinels may have made a server the master that had not heard of the last holder's renewals: wait until
    that holder can no longer believe in its lease. Elsewhere nothing is waited for.

    Raises:
        InstanceError: another instance shows itself meanwhile.
        BusError: Redis does not answer.
    """
    if not lease.bus.address.sentinels:
        return
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        await asyncio.sleep(min(1.0, SETTLE_S))
        await lease.renew()


async def acquire(bus: Bus, piece: str, of: str) -> Lease:
    """Take the lease of ``piece`` for ``of`` (a pair or an account).

    Raises:
        InstanceError: a living instance holds it; says which.
    """
    key = f"{LEASE}::{piece}::{of}"
    since = time.time_ns() // 1_000_000
    deadline = time.monotonic() + (TTL_MS / 1000 + 1)
    probe = time.monotonic() + PROBE_S
    first: LeaseInfo | None = None
    # The counter may be lost with Redis, the clock may be set back: the larger of the two keeps the token growing.
    token = int(await bus.call(bus.redis.eval(_TOKEN, 1, f"{key}::token", str(since))))
    info = LeaseInfo(token=token, holder=f"{user()}@{this_host()}", pid=os.getpid(), host=this_host(), since_ms=since)
    while True:
        asked_s = time.monotonic()
        if await bus.call(bus.redis.set(key, _encode(info), px=TTL_MS, nx=True)):
            return Lease(bus, key, info, asked_s + TTL_MS / 1000)
        there = await _read(bus, key)
        if there is None:
            continue
        first = first or there
        if there.host == this_host() and not is_running(there.pid):
            await bus.call(bus.redis.eval(_RELEASE, 1, key, str(there.token)))
            continue
        if there.beat != first.beat or there.token != first.token or time.monotonic() > deadline:
            raise _refusal(key, there)
        if time.monotonic() > probe:
            await asyncio.sleep(0.5)
        else:
            await asyncio.sleep(0.2)


async def _read(bus: Bus, key: str) -> LeaseInfo | None:
    raw = await bus.call(bus.redis.get(key))
    try:
        return None if raw is None else msgspec.json.decode(raw, type=LeaseInfo)
    except msgspec.MsgspecError as e:
        raise InstanceError(f"{key} on Redis holds no lease: another program writes it. Delete that key") from e


def _refusal(key: str, there: LeaseInfo | None) -> InstanceError:
    _, piece, of = key.split("::", 2)
    who = "another instance" if there is None else f"process {there.pid} of {there.holder[:80]}"
    return InstanceError(f"{piece} {of}: {who} runs it already. Stop that one first", code="LEASE_HELD")


def _encode(info: LeaseInfo) -> str:
    return msgspec.json.encode(info).decode()
