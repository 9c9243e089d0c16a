"""What a running quoter is asked on CONTROL::<pair>: other parameters, a pause. Each request is answered once.

A change goes through the options' own rules before it is taken, whole or not at all, and is in the next wanted quotes.
A quoter that ``up`` starts again goes on with what was accepted in the same session (``up``'s life); one that a person
starts begins with its command line.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from lunomm.bus.channels import CONTROL
from lunomm.commands.control import session_of
from lunomm.commands.piece import Piece
from lunomm.errors import BusError, LunommError, UsageError
from lunomm.market.presence import Change, ControlRequest
from lunomm.options.quote import QuoteOptions
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.settable import SETTABLE, changed, named, settings

RETRY_S = 0.2
REMEMBERED = 1_000
"""Requests read back at a start: as many as the stream keeps."""

TOO_OLD_MS = 60_000
"""A request from longer ago, or from so far in the future, is not obeyed: its sender has given up, or never was."""

VERBS = ("set", "pause", "unpause")


class Requests:
    """The ear of one quoter.

    Args:
        convert: the command's options as the pure quoter takes them. told: given the options after each change.
    """

    def __init__(
        self,
        piece: Piece,
        pair: str,
        quoter: Quoter,
        options: QuoteOptions,
        convert: Callable[[QuoteOptions], QuoterOptions],
        told: Callable[[QuoteOptions], None],
    ) -> None:
        self._piece, self._pair, self._quoter, self._options = piece, pair, quoter, options
        self._convert, self._told = convert, told
        self._session = session_of(piece.common)
        self._after = "$"
        self._answered: OrderedDict[str, None] = OrderedDict()
        piece.settings = settings(options)

    async def catch_up(self) -> None:
        """Take over what an earlier quoter of this session accepted; requests from now on are heard by :meth:`hear`."""
        while True:
            try:
                rows = await self._piece.bus.read_last(CONTROL, self._pair, REMEMBERED)
                break
            except BusError as error:
                self._piece.last_error = str(error)
                await asyncio.sleep(RETRY_S)
        self._after = rows[-1][0] if rows else "-"
        for _, answer in rows:
            if answer.verb != "answer" or answer.piece != "quote":
                continue
            self._remember(answer.answers or "")
            if not answer.accepted or answer.session != self._session:
                continue
            if answer.name == "set":
                self._take({change.name: change.new for change in answer.changes})
            elif answer.name in VERBS:
                self._pause(answer.detail if answer.name == "pause" else None)

    async def hear(self) -> None:
        """For ever."""
        async for _, request in self._piece.bus.follow(CONTROL, self._pair, after=self._after):
            if request.verb not in VERBS or not 0 < len(request.request_id) <= 64:
                continue
            if request.request_id in self._answered or not self._mine(request):
                continue
            self._remember(request.request_id)
            await self._answer(request, self._obey(request))

    def _mine(self, request: ControlRequest) -> bool:
        """A limit is the gateway's to lower."""
        names = [change.name for change in request.changes]
        return request.verb != "set" or not names or any(self._of_quote(name) for name in names)

    @staticmethod
    def _of_quote(name: str) -> bool:
        return name not in SETTABLE or SETTABLE[name].piece == "quote"

    def _obey(self, request: ControlRequest) -> tuple[bool, str, list[Change]]:
        """Whether it was taken, what to tell, and the changes as applied."""
        if abs(self._piece.clock.wall_ms() - request.ts_ms) > TOO_OLD_MS:
            return False, "the request is not of this minute: the clocks of the two machines differ. Set them (NTP)", []
        who = _words(request.who, 80) + (f": {_words(request.detail, 100)}" if request.detail else "")
        if request.verb == "set":
            asked = {change.name: change.new for change in request.changes[: len(SETTABLE)]}
            if not asked:
                return False, "set: nothing to change was named", []
            try:
                changes = self._take(asked)
            except LunommError as error:
                return False, str(error), []
            words = ", ".join(change.words for change in changes)
            self._piece.counters["changed"] = f"{words} by {who}"
            return True, words, changes
        detail = f"paused by {who}" if request.verb == "pause" else None
        self._pause(detail)
        return True, detail or "quoting again", []

    def _take(self, asked: dict[str, str]) -> list[Change]:
        """Apply all of them.

        Raises:
            UsageError: one is refused; nothing changed.
        """
        options = changed(self._options, asked)
        try:
            self._quoter.change(self._convert(options))
        except ArithmeticError as error:
            raise UsageError(f"set: a value is out of range: {error}") from error
        before, self._options = settings(self._options), options
        now = settings(options)
        self._piece.settings = now
        self._told(self._options)
        names = dict.fromkeys(named(name).name for name in asked)
        return [Change(name=name, old=before[name], new=now[name]) for name in names]

    def _pause(self, detail: str | None) -> None:
        if detail is None:
            self._quoter.resume()
        else:
            self._quoter.pause(detail)
        self._told(self._options)

    async def _answer(self, request: ControlRequest, result: tuple[bool, str, list[Change]]) -> None:
        accepted, detail, changes = result
        answer = ControlRequest(
            pair=self._pair,
            request_id=f"{request.request_id}-quote",
            verb="answer",
            ts_ms=self._piece.clock.wall_ms(),
            who=request.who[:80],
            name=request.verb,
            answers=request.request_id,
            accepted=accepted,
            detail=detail[:300],
            changes=changes,
            piece="quote",
            session=self._session,
        )
        while True:
            try:
                await self._piece.bus.append(CONTROL, answer)
                return
            except BusError as error:
                self._piece.last_error = str(error)
                await asyncio.sleep(RETRY_S)

    def _remember(self, request_id: str) -> None:
        self._answered[request_id] = None
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)


def _words(text: str, limit: int) -> str:
    """Text of another process for a report: printable, bounded."""
    return "".join(c if c.isprintable() else "?" for c in text[:limit])
