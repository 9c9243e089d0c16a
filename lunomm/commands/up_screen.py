"""What ``up`` shows and what its keys ask: joins the terminal, the panel, the pieces' windows and CONTROL.

Without a terminal on both ends there are no keys, and everything is shown as by ``status``.
"""

from __future__ import annotations

import time

from rich.console import Console

from lunomm.bus.channels import TRADES
from lunomm.bus.client import Bus
from lunomm.commands.control import send_control
from lunomm.commands.piece import Piece
from lunomm.commands.present import is_screen
from lunomm.commands.status import view_data
from lunomm.commands.terminal import Keyboard
from lunomm.errors import BusError, LunommError
from lunomm.market.records import TakerOrder
from lunomm.views.keyboard import Key
from lunomm.views.panel import Panel, Request
from lunomm.views.pipeline import PipelineView
from lunomm.views.screen import Sized
from lunomm.views.status import status_line
from lunomm.views.up import up_screen
from lunomm.views.windows import heard

TRADES_SHOWN = 40


class Screen:
    """The screen of one ``up``. bus: for reading only; requests open their own, as ``lunomm set`` does."""

    def __init__(self, piece: Piece, bus: Bus) -> None:
        self._piece = piece
        self._bus = bus
        self._view = PipelineView("", piece.common.redis.url, 0)
        self._trades: dict[str, tuple[TakerOrder, ...]] = {}
        self._panel = Panel(piece.pairs, keys=False)
        self._keyboard = Keyboard(self._pressed, self._shown, self._no_keys)

    def open(self) -> None:
        """Begin to show, and to hear keys where there is a terminal for both."""
        self._piece.present(self._draw, self._line, lambda: view_data(self._view))
        if not self._piece.common.json and is_screen(Console()):
            self._panel.keys = self._keyboard.open()

    def close(self) -> None:
        """The terminal as it was found. Again is no harm."""
        self._panel.keys = False
        self._keyboard.close()

    def say(self, text: str) -> None:
        """One line worth reading, below the window."""
        self._panel.say(text, time.monotonic())

    def end(self) -> None:
        self._panel.end()
        self._redraw()

    async def see(self, view: PipelineView) -> None:
        """The newest picture, and what only the chosen window needs."""
        self._view = view
        self._panel.hear(heard(view))
        if self._panel.keys and self._panel.view == "book":
            pair = self._panel.pair
            try:
                rows = await self._bus.read_last(TRADES, pair, TRADES_SHOWN)
            except BusError:
                return  # the picture says so
            self._trades[pair] = tuple(trade for _, trade in rows)

    def _draw(self) -> Sized:
        return up_screen(self._panel.look(time.monotonic()), self._view, self._trades.get(self._panel.pair, ()))

    def _line(self) -> str:
        return "  |  ".join([status_line(self._view), *self._view.notes])

    def _redraw(self) -> None:
        if self._piece.presenter is not None:
            self._piece.presenter.news.set()

    # --- the keyboard ------------------------------------------------------------------------------------------------

    def _pressed(self, keys: list[Key]) -> None:
        for request in self._panel.press(keys, time.monotonic()):
            if request.verb == "end":
                self._piece.stop.set()
            else:
                self._piece.start(self._ask(request), f"key {request.verb}")
        self._redraw()

    def _shown(self, shown: bool) -> None:
        if self._piece.presenter is not None:
            self._piece.presenter.held = not shown
        self._redraw()

    def _no_keys(self) -> None:
        self._panel.keys = False

    async def _ask(self, request: Request) -> None:
        try:
            text, good = await self._send(request), True
        except LunommError as error:
            text, good = str(error), False
        self._panel.answered(request, text, time.monotonic(), good=good)
        self._redraw()

    async def _send(self, request: Request) -> str:
        """What came of it.

        Raises:
            LunommError: as `lunomm set`, `pause`, `unpause` and `panic` would.
        """
        common = self._piece.common
        if request.verb == "panic":
            from lunomm.commands import panic  # the clients of a venue are slow to import

            data, unsure = await panic.clear(common, self._piece.pairs)
            late = "; its gateway has not taken the halt yet" if unsure else ""
            return f"PANIC: {panic.cleared_words(data)}; halted, `lunomm resume` ends that{late}"
        assert request.verb in ("set", "pause", "unpause")
        done = await send_control(common, request.pair, request.verb, dict(request.changes))
        return f"{request.pair}: {done.text}" + ("" if done.journaled else " (not journaled: no gateway answered)")
