"""Requests to the running pieces of a pair: ``lunomm set``, ``pause`` and ``unpause``, and the keys of ``up``.

Each is one message on CONTROL::<pair>, with an id, the time, user@host, the old and the new value. The piece meant
answers once; a gateway beside it writes request and outcome into its journal. Nothing is retried by itself: a request
without an answer may have been heard, and says so.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lunomm.bus.channels import CONTROL, HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.bus.process import user
from lunomm.bus.venue import peek, this_host
from lunomm.commands.present import put_line
from lunomm.config import Common, show
from lunomm.errors import BusError, LunommError, RefusedError, UsageError
from lunomm.market.presence import Change, ControlRequest, Health
from lunomm.settable import SETTABLE, check_change, named

Verb = Literal["set", "pause", "unpause"]

ANSWER_S = 5.0
JOURNAL_S = 1.0
"""How much longer than for the answer we wait to hear that it was journaled."""

LOOK_S = 0.05
ANSWERS = 200
MAX_REASON = 100


@dataclass(frozen=True)
class Done:
    """A request that was obeyed. changes: as applied. journaled: a gateway has it in its journal. text: for people."""

    pair: str
    changes: tuple[Change, ...]
    who: str
    journaled: bool
    text: str


def session_of(common: Common) -> str:
    """Names the life of a pipeline: that of the ``up`` above this process, else of this process."""
    return f"{common.supervised or os.getpid()}@{this_host()}"


async def send_control(
    common: Common,
    pair: str,
    verb: Verb,
    changes: Mapping[str, str] | None = None,
    *,
    reason: str = "",
    timeout_s: float = ANSWER_S,
) -> Done:
    """Ask the piece that is meant, and wait for its answer.

    Args:
        common: where Redis is. changes: of ``set``: name -> value as typed; all of one piece, applied together or not
            at all. reason: for the journal.

    Raises:
        UsageError: a value is refused, by its option's rule or by the piece; nothing changed.
        LunommError: the piece does not run (NO_QUOTER, NO_GATEWAY).
        RefusedError: the piece refused.
        BusError: Redis is not reachable, or no answer came (NO_ANSWER).
    """
    piece, asked = _meant(verb, changes or {})
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(f"--reason: {show(reason)}: give at most {MAX_REASON} printable characters on one line")
    async with Bus(common.redis, "control") as bus:
        bus.venue = await peek(bus, pair)
        health = await _health(bus, pair, piece)
        request = ControlRequest(
            pair=pair,
            request_id=uuid.uuid4().hex,
            verb=verb,
            ts_ms=time.time_ns() // 1_000_000,
            who=f"{user()}@{this_host()}"[:80],
            detail=reason,
            changes=[Change(name=name, new=new, old=health.settings.get(name)) for name, new in asked.items()],
        )
        await bus.append(CONTROL, request)
        return await _answered(bus, request, piece, timeout_s)


def _meant(verb: Verb, changes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Which piece, and the changes as it will read them."""
    if verb != "set":
        return "quote", {}
    asked: dict[str, str] = {}
    for name, text in changes.items():
        entry = named(name)
        if entry.name in asked:
            raise UsageError(f"set: {entry.name}: given twice. Say it once")
        asked[entry.name] = check_change(name, text)
    if not asked:
        raise UsageError("set: nothing to change. Say for example: lunomm set gamma=2")
    pieces = {SETTABLE[name].piece for name in asked}
    if len(pieces) > 1:
        limits = ", ".join(name for name in asked if SETTABLE[name].piece == "gateway")
        raise UsageError(
            f"set: {limits}: limits are the gateway's, the rest is the quoter's. Set them one after another"
        )
    return pieces.pop(), asked


async def _health(bus: Bus, pair: str, piece: str) -> Health:
    health = None if bus.venue is None else await bus.get(HEALTH, pair, name=health_key(piece, pair))
    if health is not None:
        return health
    what = "quoter" if piece == "quote" else "gateway"
    raise LunommError(
        f"no {what} of {pair} runs on this Redis ({bus.address.url}). Start it (lunomm up, or lunomm {piece}), or look "
        "who is there: lunomm status",
        code="NO_QUOTER" if piece == "quote" else "NO_GATEWAY",
    )


async def _answered(bus: Bus, request: ControlRequest, piece: str, timeout_s: float) -> Done:
    """The piece's answer, and whether the gateway has it too."""
    gateway = await bus.get(HEALTH, request.pair, name=health_key("gateway", request.pair)) is not None
    answers: dict[str, ControlRequest] = {}
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and not (piece in answers and ("gateway" in answers or not gateway)):
        before = len(answers)
        for _, message in await bus.read_last(CONTROL, request.pair, ANSWERS):
            if message.verb == "answer" and message.answers == request.request_id:
                answers.setdefault(message.piece, message)
        if piece in answers and len(answers) > before:
            end = min(end, time.monotonic() + JOURNAL_S)
        if not (piece in answers and ("gateway" in answers or not gateway)):
            await asyncio.sleep(LOOK_S)
    answer = answers.get(piece)
    if answer is None:
        raise BusError(
            f"{piece}: no answer within {timeout_s:g} s; it may still take the request. See what holds now: lunomm set "
            f"{request.pair}",
            code="NO_ANSWER",
        )
    if not answer.accepted:
        if request.verb == "set":
            raise UsageError(answer.detail or f"{piece}: refused")
        raise RefusedError(f"{piece}: {answer.detail}", code="REFUSED")
    return Done(request.pair, tuple(answer.changes), request.who, "gateway" in answers, answer.detail)


# --- the commands -----------------------------------------------------------------------------------------------------


async def run(
    common: Common, pair: str, verb: Verb, changes: Mapping[str, str] | None = None, *, reason: str = ""
) -> dict[str, Any] | None:
    """``lunomm set``, ``pause`` and ``unpause``.

    Returns: with ``--json`` what was done, else None (a line was printed).
    Raises: as :func:`send_control`.
    """
    if verb == "set" and not changes:
        return await _present_values(common, pair)
    done = await send_control(common, pair, verb, changes, reason=reason)
    data = {
        "pair": pair,
        "verb": verb,
        "changes": [{"name": c.name, "old": c.old, "new": c.new} for c in done.changes],
        "who": done.who,
        "journaled": done.journaled,
    }
    if common.json:
        return data
    put_line(f"{pair}: {done.text}" + ("" if done.journaled else "  (not journaled: no gateway of this pair answered)"))
    return None


async def _present_values(common: Common, pair: str) -> dict[str, Any] | None:
    """What may be set, as it is now."""
    found: dict[str, dict[str, str]] = {}
    async with Bus(common.redis, "control") as bus:
        bus.venue = await peek(bus, pair)
        found["quote"] = (await _health(bus, pair, "quote")).settings
        gateway = await bus.get(HEALTH, pair, name=health_key("gateway", pair))
        if gateway is not None:
            found["gateway"] = gateway.settings
    if common.json:
        return {"pair": pair, "settings": found}
    for piece, values in found.items():
        put_line(f"{pair} {piece}" + ("" if piece == "quote" else " (limits: may only be lowered)"))
        for name, value in values.items():
            unit = SETTABLE[name].unit if name in SETTABLE else ""
            put_line(f"  {name:24} {show(value).strip(chr(39))} {unit}".rstrip())
    return None
