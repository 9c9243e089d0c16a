"""``lunomm status``: everything at a glance. Reads the bus, starts nothing, and never waits for what is dead."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console

from lunomm.bus.client import Bus
from lunomm.commands.pipeline import PipelineReader
from lunomm.commands.present import Presenter, is_screen, put_line
from lunomm.config import Common
from lunomm.errors import BusError
from lunomm.views.pipeline import PipelineView
from lunomm.views.status import status_line, status_screen

REFRESH_S = 0.25
PRINTED_HEIGHT = 60
"""Lines a single print may take: nothing has to fit a screen there."""


async def run(common: Common, pairs: Sequence[str], once: bool | None = False) -> dict[str, Any] | None:
    """Draw the pipeline until stopped, in a terminal; print it once without one, with ``once`` or with ``--json``.

    Args:
        pairs: what to show; empty = every pair on this Redis.

    Returns: the data of ``--json``; None when it was drawn.

    Raises:
        BusError: Redis does not answer (exit 4, one line).
    """
    console = Console()
    async with Bus(common.redis, "status") as bus:
        await bus.ping()
        reader = PipelineReader(bus, pairs)
        view = await reader.read()
        if common.json and (once or common.for_s is None):
            return view_data(view)
        if once or not (common.json or is_screen(console)):
            _print(view)
            return None
        await _live(common, reader)
    return None


def view_data(view: PipelineView) -> dict[str, Any]:
    """The picture as plain JSON types; decimals are strings."""
    data: dict[str, Any] = msgspec.to_builtins(view)
    return data


def _print(view: PipelineView) -> None:
    console = Console()
    width = console.width if console.is_terminal else max(console.width, 100)
    plain = Console(width=width, height=PRINTED_HEIGHT, file=sys.stdout, soft_wrap=False)
    with plain.capture() as captured:
        plain.print(status_screen(view))
    put_line(captured.get().rstrip("\n"))


async def _live(common: Common, reader: PipelineReader) -> None:
    """Refresh and draw until Ctrl-C, SIGTERM or ``--for``; a Redis that dies meanwhile is said on the screen."""
    stop = asyncio.Event()
    shown = [reader.last]
    loop = asyncio.get_running_loop()
    held = [signal.SIGINT, signal.SIGTERM]
    for number in held:
        try:
            loop.add_signal_handler(number, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):
            held = []
            break
    presenter = Presenter(
        "status",
        common.json,
        lambda: status_screen(shown[0]),
        lambda: status_line(shown[0]),
        lambda: view_data(shown[0]),
    )
    screen = asyncio.create_task(presenter.run(stop), name="status:screen")
    end = None if common.for_s is None else time.monotonic() + common.for_s
    try:
        while not stop.is_set() and not screen.done() and (end is None or time.monotonic() < end):
            try:
                shown[0] = await reader.read()
            except BusError as error:
                shown[0] = reader.silent(error)
            try:
                async with asyncio.timeout(REFRESH_S):
                    await stop.wait()
            except TimeoutError:
                continue
    finally:
        stop.set()
        for number in held:
            loop.remove_signal_handler(number)
        screen.cancel()
        await asyncio.wait([screen])
        presenter.finish()
    if not screen.cancelled() and screen.exception() is not None:
        await screen
