"""Redis and the disk (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lunomm.checks.verdicts import Verdict, failed, passed, split_advice, warned

CONFIG, UNREACHABLE, REFUSED = 3, 4, 5

OLDEST = (6, 2)
"""Redis from which streams can be trimmed by age."""

SLOW_MS = 20.0
"""A tick crosses Redis three times on its way to an order."""

SLOW_FSYNC_MS = 50.0
HUNG_FSYNC_MS = 1_000.0
"""An order waits for the journal's fsync; a gateway held up for a second takes its quotes down."""

LITTLE_MB = 1024
RECORDER_MB = 256
"""A recorder leaves so much to the journal."""

NONE_MB = 32


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What was found at the address.

    found: ``redis``, ``loading``, ``other`` or ``nothing``. embeddable: a server of ours may be started there; binary:
    which, and why there is none. error: why it does not answer us. The rest None where it was not told.
    latency_ms, worst_ms: of one round trip, the middle and the longest. venue: what VENUE of the pair names; pieces:
    what beats there, as ``piece PAIR``.
    """

    url: str
    found: str
    embeddable: bool
    local: bool
    sealed: bool
    binary: str | None = None
    no_binary: str = ""
    error: str | None = None
    software: str = ""
    version: str | None = None
    policy: str | None = None
    limited: bool | None = None
    append_only: bool | None = None
    snapshots: bool | None = None
    latency_ms: float | None = None
    worst_ms: float | None = None
    venue: str | None = None
    venue_mode: str | None = None
    venue_url: str | None = None
    pieces: Sequence[str] = ()


def check_redis(facts: RedisFacts) -> list[Verdict]:
    """Reachable, new enough, keeps what it is told, quick; sealed where others may write."""
    verdicts = [_reached(facts)]
    if facts.error is None and facts.found == "redis":
        verdicts += _kept(facts)
    if not facts.local and not facts.sealed:
        verdicts.append(
            failed(
                "redis seal",
                f"LUNOMM_BUS_KEY is absent; Redis at {facts.url} is on another machine, where others may write quotes",
                "set the same key on every machine of the pipeline: openssl rand -hex 32",
                CONFIG,
            )
        )
    return verdicts


def _reached(facts: RedisFacts) -> Verdict:
    if facts.found == "other":
        return failed("redis", f"{facts.url}: what listens there does not answer as a Redis does",
                      "set REDIS_PORT to another port, or end a Redis that hangs", UNREACHABLE)  # fmt: skip
    if facts.found == "loading":
        return warned("redis", f"{facts.url}: loads its data", "wait until it has, then run doctor again")
    if facts.found == "nothing" and facts.embeddable:
        if facts.binary is None:
            head, step = split_advice(facts.no_binary)
            return failed("redis", head, step or "install redis-server, or set LUNOMM_REDIS_URL", UNREACHABLE)
        return passed(
            "redis", f"none runs at {facts.url} yet: the first command starts an embedded one ({facts.binary})"
        )
    if facts.error is not None or facts.found == "nothing":
        head, step = split_advice(facts.error or f"Redis at {facts.url}: nothing listens there")
        return failed("redis", head, step or "start it, or check REDIS_HOST and REDIS_PORT", UNREACHABLE)
    numbers = re.match(r"(\d+)\.(\d+)", facts.version or "")
    name = f"{facts.software or 'Redis'} {facts.version or 'of unknown version'} at {facts.url}"
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST:
        return failed("redis", f"{name} is too old", "use Redis 6.2 or newer, or Valkey", CONFIG)
    if facts.latency_ms is None or facts.worst_ms is None:
        return passed("redis", name)
    times = f"{name}, answers in {facts.latency_ms:.1f} ms (longest of a few {facts.worst_ms:.1f} ms)"
    if facts.latency_ms > SLOW_MS:
        return warned("redis", times, "run Redis on this machine: every tick crosses it three times")
    return passed("redis", times)


def _kept(facts: RedisFacts) -> list[Verdict]:
    policy = facts.policy
    if policy is None:
        kept = passed("redis memory", "it does not say what it does when memory is full")
    elif policy != "noeviction" and facts.limited is not False:
        text = f"policy {policy}: when memory is full it drops keys, quotes and orders among them"
        kept = warned("redis memory", text, "redis-cli CONFIG SET maxmemory-policy noeviction")
    else:
        kept = passed("redis memory", f"policy {policy}: nothing is dropped" if policy == "noeviction" else "no limit")
    if facts.append_only or facts.snapshots:
        how = "append-only file" if facts.append_only else "snapshots"
        return [kept, passed("redis persistence", f"{how}: estimates outlive a restart")]
    text = "none: after a restart estimates begin anew; orders and fills do not depend on it"
    if facts.append_only is None and facts.snapshots is None:
        text = "it does not say; orders and fills do not depend on it"
    return [kept, passed("redis persistence", text)]


def check_pipeline(facts: RedisFacts, mode: str, url: str | None) -> Verdict:
    """Whether what runs on this Redis already is of the mode and place that a command started now would want."""
    running = ", ".join(facts.pieces)
    if facts.venue is None:
        return passed("pipeline", "nothing runs on this Redis for the pair")
    differs = facts.venue_mode != mode or (url is not None and facts.venue_url != url)
    if differs:
        return failed("pipeline", f"this Redis carries {facts.venue}: a piece of mode {mode} would be refused",
                      "stop the other pieces (lunomm down), or use another REDIS_PORT", REFUSED)  # fmt: skip
    return passed("pipeline", f"{facts.venue}: {running or 'no piece beats'}")


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The state folder's. error: it cannot be made or written. fsync_ms, worst_ms: of a small write, the middle and
    the longest."""

    folder: str
    error: str | None = None
    free_mb: float | None = None
    fsync_ms: float | None = None
    worst_ms: float | None = None


def check_disk(facts: DiskFacts) -> list[Verdict]:
    """The state folder can be written, has room, and an fsync does not take long."""
    if facts.error is not None:
        head, step = split_advice(facts.error)
        return [failed("state folder", head, step or "set LUNOMM_STATE_DIR to a folder you may write", CONFIG)]
    verdicts = [passed("state folder", f"{facts.folder}: can be written")]
    if facts.free_mb is not None:
        verdicts.append(_room(facts.free_mb))
    if facts.fsync_ms is not None and facts.worst_ms is not None:
        verdicts.append(_fsync(facts.fsync_ms, facts.worst_ms))
    return verdicts


def _room(free_mb: float) -> Verdict:
    free = f"{free_mb / 1024:.1f} GB free" if free_mb >= 1024 else f"{free_mb:.0f} MB free"
    step = "make room, or set LUNOMM_STATE_DIR to another disk"
    if free_mb < NONE_MB:
        return failed(
            "disk", f"{free}: the journal could not be written, and without it no order is sent", step, REFUSED
        )
    if free_mb < RECORDER_MB:
        return warned("disk", f"{free}: nothing is recorded below {RECORDER_MB} MB", step)
    if free_mb < LITTLE_MB:
        return warned("disk", f"{free}: recordings take up to 2 GB (--record-max-mb)", step)
    return passed("disk", free)


def _fsync(middle_ms: float, worst_ms: float) -> Verdict:
    text = f"a write is on it after {middle_ms:.1f} ms (longest of a few {worst_ms:.1f} ms)"
    step = "set LUNOMM_STATE_DIR to a faster disk: every order waits for its journal entry"
    if worst_ms > HUNG_FSYNC_MS or middle_ms > SLOW_FSYNC_MS:
        return warned("disk speed", text, step)
    return passed("disk speed", text)


def check_journals(halted: Sequence[tuple[str, str]]) -> Verdict:
    """halted: (journal, reason) of this venue's that stand halted."""
    if not halted:
        return passed("journal", "nothing is halted")
    name, reason = halted[0]
    step = 'put right what caused it, then: lunomm resume --reason "..."'
    return failed("journal", f"halted ({name}): {reason[:160]}", step, REFUSED)
