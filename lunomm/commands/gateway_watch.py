"""What a gateway hears beside the market and its quoter: requests of people, its own clock, and the venue's patience.

Requests come on CONTROL::<pair>, or as a ``halt`` file beside the journal where Redis cannot carry them. Each becomes
an event; the answer is the reconciler's. Gates close while the clock is wrong, the venue answers 429 too often or
pieces of two builds meet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lunomm import numbers
from lunomm.bus.channels import CONTROL
from lunomm.commands.piece import Piece
from lunomm.errors import ConfigError
from lunomm.journal.request import read_request, remove_request
from lunomm.journal.store import Journal
from lunomm.luno.clock_check import ClockCheck
from lunomm.market.presence import ControlRequest
from lunomm.settable import SETTABLE
from lunomm.trading import events as ev
from lunomm.trading.reconciler import LAST_REQUEST
from lunomm.trading.requests import ANSWERED, ASKED, NAMES

if TYPE_CHECKING:
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.rest import LunoRest

LOOK_S = 0.5
REFUSALS = 3
"""Answers 429 borne in a minute; more take the quotes down until the minute has passed."""

ASK_AGAIN, ASK_AGAIN_S = 4, 0.25


class Watch:
    """The loops; started as tasks of the piece.

    Args:
        tell: takes each event. journal: where a request is shown to be done.
    """

    def __init__(
        self, piece: Piece, rest: LunoRest, budget: CallBudget, journal: Journal, tell: Callable[[ev.Event], None]
    ) -> None:
        self._piece, self._rest, self._budget, self._journal, self._tell = piece, rest, budget, journal, tell
        self._clock = ClockCheck()
        self._shut: dict[str, str] = {}
        self._told = ""

    def start(self) -> None:
        """Before the first event of the market: a request that lies there is heard first."""
        self.hear_file()
        self._piece.start(self._look(), "watch")
        for pair in self._piece.pairs:
            self._piece.start(self._follow(pair), f"control {pair}")

    async def _follow(self, pair: str) -> None:
        async for _, request in self._piece.bus.follow(CONTROL, pair):
            if request.verb == "panic":
                self._tell(ev.HaltAsked(f"PANIC: {request.who[:80]}"))
            elif not 0 < len(request.request_id) <= 80:
                continue
            elif request.verb == "resume":
                self._tell(ev.ResumeAsked(request.request_id, pair, request.who, request.detail))
            elif (event := asked_of(request)) is not None:
                self._tell(event)

    async def _look(self) -> None:
        """Everything that is looked at by the clock."""
        while True:
            self.hear_file()
            now_ns = time.monotonic_ns()
            self._clock.look(time.time_ns(), now_ns)
            self._clock.add(self._rest.skew(), now_ns)
            self._gate("clock", self._clock.problem(now_ns))
            refused = self._budget.refusals(now_ns)
            many = f"the exchange refused {refused} calls in a minute as too many" if refused > REFUSALS else None
            self._gate("rate", many)
            self._gate("build", self._piece.bus.mixed_builds())
            await asyncio.sleep(LOOK_S)

    def _gate(self, name: str, reason: str | None) -> None:
        """Say so when a gate opens or closes."""
        if reason is not None:
            self._piece.last_error = reason
        if (reason is None) == (name not in self._shut):
            return
        if reason is None:
            del self._shut[name]
        else:
            self._shut[name] = reason
        self._tell(ev.Gate(name, reason is None, reason or ""))

    def hear_file(self) -> None:
        """Take the request beside the journal, and the file away once the journal shows it done."""
        request = read_request(self._journal.path)
        if request is None:
            return
        if request.verb == "halt":
            if self._journal.halted() is not None:
                remove_request(self._journal.path)
            else:
                self._tell(ev.HaltAsked(f"ASKED: {request.who[:80]}: {request.reason[:100]}"))
        elif self._journal.note(LAST_REQUEST) == request.request_id:
            remove_request(self._journal.path)
        elif self._told != request.request_id:
            self._told = request.request_id
            self._tell(ev.ResumeAsked(request.request_id, "", request.who, request.reason))


def asked_of(request: ControlRequest) -> ev.RequestSeen | ev.LimitsAsked | None:
    """What a request of ``lunomm set``, ``pause`` or ``unpause``, or the quoter's answer to one, is to the gateway."""
    who = request.who[:80]
    if request.verb == "answer":
        if request.piece != "quote" or request.answers is None:
            return None
        words = request.detail[:300] if request.accepted else f"refused: {request.detail[:300]}"
        return ev.RequestSeen(request.answers[:64], ANSWERED, request.pair, who, words)
    if request.verb not in ("set", "pause", "unpause"):
        return None
    named = {change.name: change.new for change in request.changes[: len(SETTABLE)]}
    if request.verb == "set" and named and all(name in NAMES for name in named):
        try:
            limits = {name: numbers.amount(text) for name, text in named.items()}
        except ValueError:
            return None  # `set` checks before it asks: this was not written by it, and is not answered
        return ev.LimitsAsked(request.request_id, request.pair, who, limits, request.detail)
    words = " ".join([request.verb, *(f"{name[:40]}={text[:60]}" for name, text in named.items())])
    reason = f" ({request.detail[:100]})" if request.detail else ""
    return ev.RequestSeen(request.request_id, ASKED, request.pair, who, words + reason)


async def check_clock(rest: LunoRest) -> None:
    """At a start: a clock that looks wrong is looked at a few times more.

    Raises:
        ConfigError: it is wrong; says by how much.
    """
    check = ClockCheck()
    check.add(rest.skew(), time.monotonic_ns())
    for _ in range(ASK_AGAIN if check.suspicious() else 0):
        await asyncio.sleep(ASK_AGAIN_S)
        await rest.balances()
        check.add(rest.skew(), time.monotonic_ns())
    problem = check.problem(time.monotonic_ns())
    if problem is not None:
        raise ConfigError(f"clock: {problem}: orders would be refused or late. Set the clock (NTP)", code="CLOCK")


async def key_risk(rest: LunoRest) -> str:
    """What a thief could do with this key beyond trading, for the screen and one warning: never "ok" for want of an
    answer."""
    sends, withdrawals = await rest.may_send(), await rest.may_see_withdrawals()
    if sends:
        return "may send money"
    if withdrawals:
        return "may see withdrawals, and perhaps make them"
    return "unknown" if sends is None or withdrawals is None else "can neither send nor withdraw"
