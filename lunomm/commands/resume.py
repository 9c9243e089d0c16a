"""``lunomm resume [PAIR]``: ends a halt, on a person's word.

A gateway that serves the account is asked, by CONTROL and, where Redis does not carry the question, by a file beside
its journal; it answers once. Where no gateway holds the journal, the journal's halt is ended here. The guardian of a
gateway that died holds it until nothing rests: that is waited for; where it takes too long (the exchange is away), the
file is left for the gateway that comes next. Either way it is journaled who did it, and why. A halt is of the account:
all its pairs go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from lunomm.bus.channels import CONTROL, HALT, HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.bus.process import user
from lunomm.bus.venue import peek, this_host
from lunomm.commands import venue_finder
from lunomm.commands.guarded import is_heir
from lunomm.commands.present import put_line, say
from lunomm.config import Common, show
from lunomm.errors import BusError, InstanceError, LunommError, RefusedError, UsageError
from lunomm.journal.glance import Glance, glance, glances
from lunomm.journal.lock import JournalLock, lock_owner
from lunomm.journal.request import FileRequest, remove_request, request_path, write_request
from lunomm.journal.store import open_journal
from lunomm.market.presence import OURS, ControlRequest

ANSWER_S = 5.0
HEIR_S = 20.0
"""Longest wait for a guardian: it needs half of it where the exchange answers."""

LATER = "next gateway"
LOOK_S = 0.1
ANSWERS = 50
MAX_REASON = 120


async def run(common: Common, pair: str | None, *, reason: str = "", mode: str | None = None) -> dict[str, Any] | None:
    """End the halt of the account that trades ``pair`` (None: of the only account that is halted).

    Args:
        mode: only journals of this kind; None = any.

    Returns: with ``--json`` what was done, else None (a line was printed).

    Raises:
        RefusedError: nothing is halted, or the gateway says so.
        UsageError: several accounts are halted and it was not said which.
        BusError: a gateway holds the journal and does not answer.
        JournalError: the journal cannot be trusted or written.
    """
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(f"--reason: {show(reason)}: give at most {MAX_REASON} printable characters on one line")
    here = _halted(common, pair, mode)
    was, who = here.halted or "", f"{user()}@{this_host()}"
    try:
        lock = await _lock(here)
    except InstanceError:
        by = _leave(here, who, reason) if is_heir(lock_owner(here.path)) else await _ask(common, here, who, reason)
    else:
        try:
            _end_here(here, f"{who}: {reason}" if reason else who)
        finally:
            lock.release()
        await _clear_mirror(common, here)
        by = "journal"
    data = {"resumed": by != LATER, "was": was, "pairs": list(here.pairs), "by": by, "who": who, "reason": reason}
    if common.json:
        return data
    if by == LATER:
        put_line(f"the guardian of the gateway that died still takes orders down: {request_path(here.path).name} is")
        put_line(f"left for the next gateway, which resumes at its start (halted: {was})")
        return None
    put_line(f"resumed {', '.join(here.pairs) or here.account} (was halted: {was})")
    if by == "journal":
        put_line("no gateway runs: the next one may quote")
    return None


def _halted(common: Common, pair: str | None, mode: str | None) -> Glance:
    """The one journal that is meant."""
    noted = {mode: venue_finder.noted_exchange(common.state_dir, mode) for mode in OURS}
    runs = {mode: info.run_id for mode, info in noted.items() if info is not None}
    about = [
        g
        for g in glances(common.state_dir)
        if (mode is None or g.mode == mode)
        and (pair is None or pair in g.pairs)
        # A simulated exchange that is gone has left journals nobody will ever open again.
        and (g.mode not in runs or g.run_id == runs[g.mode])
    ]
    found = [g for g in about if g.halted is not None]
    if not found:
        what = pair if pair is not None else "gateway"
        raise RefusedError(f"{what}: nothing is halted, so there is nothing to resume", code="NOT_HALTED")
    if len(found) > 1:
        named = "; ".join(f"{g.mode} {', '.join(g.pairs)} ({g.halted})"[:120] for g in found)
        raise UsageError(f"several accounts are halted: {named}. Say which with PAIR or --mode")
    return found[0]


async def _lock(here: Glance) -> JournalLock:
    """The journal's lock, after the guardian of a gateway that died.

    Raises:
        InstanceError: a living gateway has it, or the guardian has not let go within HEIR_S.
    """
    end, said = time.monotonic() + HEIR_S, False
    while True:
        owner = lock_owner(here.path)
        try:
            return JournalLock(here.path)
        except InstanceError:
            if not is_heir(owner) or time.monotonic() > end:
                raise
        if not said:
            said = True
            say("waiting for the guardian of the gateway that died: it is cancelling that one's orders")
        await asyncio.sleep(LOOK_S)


def _leave(here: Glance, who: str, reason: str) -> str:
    """Nobody can be asked yet: the next gateway hears it before anything else."""
    write_request(here.path, FileRequest(request_id=uuid.uuid4().hex, verb="resume", who=who, reason=reason))
    return LATER


def _end_here(here: Glance, who: str) -> None:
    journal = open_journal(here.path, account=here.account, venue=here.venue)
    try:
        journal.resume(who, time.time_ns() // 1_000_000)
        remove_request(here.path)
    finally:
        journal.close()


async def _clear_mirror(common: Common, here: Glance) -> None:
    """HALT on Redis is a mirror; without Redis there is none."""
    with contextlib.suppress(BusError):
        async with Bus(common.redis, "resume") as bus:
            for pair in here.pairs:
                await bus.clear(HALT, pair)


async def _ask(common: Common, here: Glance, who: str, reason: str) -> str:
    """Ask the gateway that holds the journal; how it was reached."""
    request_id = uuid.uuid4().hex
    try:
        answer = await _by_control(common, here, request_id, who, reason)
    except BusError:
        answer = None
    if answer is not None:
        if not answer.accepted:
            raise RefusedError(f"gateway: {answer.detail}", code="NOT_HALTED")
        return "gateway"
    write_request(here.path, FileRequest(request_id=request_id, verb="resume", who=who, reason=reason))
    path = request_path(here.path)
    if not await _within(ANSWER_S, lambda: not path.exists()):
        remove_request(here.path)
        raise BusError(
            f"gateway: holds {here.path.name} and answers neither by Redis nor by {path.name}. "
            "See what it is doing: lunomm status",
            code="NO_ANSWER",
        )
    if glance(here.path).halted is not None:
        raise LunommError("gateway: took the request and is still halted. See lunomm status", code="STILL_HALTED")
    return "file"


async def _by_control(common: Common, here: Glance, request_id: str, who: str, reason: str) -> ControlRequest | None:
    """The gateway's answer by Redis; None when none came.

    Raises:
        BusError: Redis does not carry it.
    """
    async with Bus(common.redis, "resume") as bus:
        asked = []
        for pair in here.pairs:
            bus.venue = await peek(bus, pair)
            if bus.venue is None or await bus.get(HEALTH, pair, name=health_key("gateway", pair)) is None:
                continue
            await bus.append(
                CONTROL,
                ControlRequest(
                    pair=pair, request_id=request_id, verb="resume", ts_ms=time.time_ns() // 1_000_000, who=who,
                    name="halt", old=here.halted, detail=reason,
                ),
            )  # fmt: skip
            asked.append((pair, bus.venue))
        end = time.monotonic() + ANSWER_S
        while asked and time.monotonic() < end:
            for pair, venue in asked:
                bus.venue = venue
                for _, message in await bus.read_last(CONTROL, pair, ANSWERS):
                    if message.verb == "answer" and message.answers == request_id:
                        return message
            await asyncio.sleep(LOOK_S)
    return None


async def _within(seconds: float, done: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_S)
    return True
