"""Looks at Redis and the disk; every wait is bounded, and nothing is changed but a probe file that is removed again."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lunomm.bus import embedded
from lunomm.bus.census import census
from lunomm.bus.client import Bus
from lunomm.bus.process import state_folder
from lunomm.bus.venue import peek
from lunomm.checks.machine import DiskFacts, RedisFacts
from lunomm.config import RedisAddress
from lunomm.errors import BusError, ConfigError
from lunomm.journal.glance import glances

PINGS = 20
WRITES = 5
PROBE_BYTES = 4096
LONGEST_S = 6.0
"""Of everything asked of one Redis."""


async def redis_facts(address: RedisAddress, pair: str, env: Mapping[str, str]) -> RedisFacts:
    """What is at the address."""
    facts: dict[str, Any] = {
        "url": address.url,
        "embeddable": address.embeddable,
        "local": address.local,
        "sealed": address.bus_key is not None,
    }
    found = "redis"
    if address.embeddable:
        found = await embedded.probe(address.host or "127.0.0.1", address.port)
        if found == "nothing":
            facts |= _startable(env)
    if found == "redis":
        try:
            async with asyncio.timeout(LONGEST_S), Bus(address, "doctor") as bus:
                facts |= await _asked(bus, pair)
        except TimeoutError:
            facts["error"] = f"Redis at {address.url}: no answer within {LONGEST_S:g} s. {address.advice}"
        except BusError as error:
            facts["error"] = str(error)
    return RedisFacts(found=found, **facts)


def _startable(env: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {"binary": embedded.server_binary(env).name}
    except (BusError, ConfigError) as error:
        return {"no_binary": str(error)}


async def _asked(bus: Bus, pair: str) -> dict[str, Any]:
    await bus.ping()
    times = []
    for _ in range(PINGS):
        began = time.perf_counter()
        await bus.ping()
        times.append((time.perf_counter() - began) * 1e3)
    venue = await peek(bus, pair)
    here = await census(bus)
    return {
        **await _told(bus),
        "latency_ms": statistics.median(times),
        "worst_ms": max(times),
        "venue": None if venue is None else venue.title,
        "venue_mode": None if venue is None else venue.mode,
        "venue_url": None if venue is None else venue.url,
        "pieces": tuple(f"{piece} {on}" for piece, on in here.pieces),
    }


async def _told(bus: Bus) -> dict[str, Any]:
    """What INFO says; nothing where a user of Redis may not ask it."""
    try:
        info = await bus.call(bus.redis.info())
    except BusError:
        return {}
    valkey = info.get("valkey_version")
    return {
        "software": "Valkey" if valkey else "Redis",
        "version": str(valkey or info.get("redis_version", ""))[:20] or None,
        "policy": _word(info.get("maxmemory_policy")),
        "limited": None if "maxmemory" not in info else bool(info["maxmemory"]),
        "append_only": None if "aof_enabled" not in info else bool(info["aof_enabled"]),
        "snapshots": None if "rdb_last_save_time" not in info else await _snapshots(bus),
    }


async def _snapshots(bus: Bus) -> bool | None:
    try:
        said = await bus.call(bus.redis.config_get("save"))
    except BusError:
        return None  # a hosted Redis, as a rule, answers no CONFIG
    return bool(said.get("save"))


def _word(said: object) -> str | None:
    return said[:40] if isinstance(said, str) and said.isascii() and said.isprintable() else None


def disk_facts(folder: Path) -> DiskFacts:
    """The state folder's, which is made where it is not there yet, as by every command."""
    try:
        state_folder(folder)
        free_mb = shutil.disk_usage(folder).free / 2**20
        times = sorted(_write(folder) for _ in range(WRITES))
    except ConfigError as error:
        return DiskFacts(str(folder), error=str(error))
    except OSError as error:
        words = f"state folder {folder}: {error.strerror}. Set LUNOMM_STATE_DIR to a folder you may write"
        return DiskFacts(str(folder), error=words)
    return DiskFacts(str(folder), free_mb=free_mb, fsync_ms=statistics.median(times), worst_ms=times[-1])


def _write(folder: Path) -> float:
    """Milliseconds until a small file is on the disk."""
    path = folder / f".doctor-{os.getpid()}"
    try:
        with path.open("wb", buffering=0) as file:
            began = time.perf_counter()
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())
            return (time.perf_counter() - began) * 1e3
    finally:
        path.unlink(missing_ok=True)


def halted(folder: Path, venue: str | None) -> list[tuple[str, str]]:
    """Journals of a venue that stand halted, with their reasons; venue None: none is asked about."""
    if venue is None:
        return []
    return [
        (here.path.name, here.halted) for here in glances(folder) if here.venue == venue and here.halted is not None
    ]
