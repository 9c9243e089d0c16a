"""``lunomm status``: everything at a glance. Reads the bus, starts nothing, and never waits for what is dead."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import msgspec
from rich.console import Console

from lunomm.bus import embedded
from lunomm.bus.client import Bus
from lunomm.commands.pipeline import PipelineReader, within
from lunomm.commands.present import Presenter, is_screen, put_line
from lunomm.commands.signals import ending
from lunomm.config import Common, RedisAddress
from lunomm.errors import BusError
from lunomm.redis_address import is_this_machine
from lunomm.views.pipeline import PipelineView
from lunomm.views.status import status_line, status_screen

REFRESH_S = 0.25
ONCE_S = 0.15
"""Longest wait of one print for a Redis that does not answer; with what follows it ends within 0.3 s."""
FAR_S = 2.0
"""The same, where Redis is on another machine and takes connections."""
CONNECT_FAR_S = 1.0
"""Longest wait for another machine to take one: halfway round the world a handshake alone may take 0.3 s."""
PRINTED_HEIGHT = 60
"""Lines a single print may take: nothing has to fit a screen there."""


async def run(common: Common, pairs: Sequence[str], once: bool | None = False) -> dict[str, Any] | None:
    """Draw the pipeline until stopped, in a terminal; print it once without one, with ``once`` or with ``--json``.

    Args:
        pairs: what to show; empty = every pair on this Redis.

    Returns: the data of ``--json``; None when it was drawn.

    Raises:
        BusError: Redis does not answer (exit 4, one line). In a live terminal one that nobody has started yet is
            waited for.
    """
    console = Console()
    live = not (once or common.json) and is_screen(console)
    async with Bus(common.redis, "status") as bus:
        reader = PipelineReader(bus, pairs)
        lines = common.json and not once and common.for_s is not None
        view = await _first(common.redis, bus, reader, brief=not live and not lines, live=live)
        if common.json and (once or common.for_s is None):
            return view_data(view)
        if once or not (common.json or is_screen(console)):
            _print(view)
            return None
        await _live(common, reader)
    return None


async def _first(address: RedisAddress, bus: Bus, reader: PipelineReader, *, brief: bool, live: bool) -> PipelineView:
    """The first picture. brief: within `ONCE_S`, whatever is dead or hangs.

    Raises:
        BusError: Redis does not answer, and (live) is not one that nobody has started yet.
    """
    try:
        if brief:
            await _connects(address)
        look = _look(address, bus, reader, live=live)
        return await (within(patience_s(address), look) if brief else look)
    except TimeoutError as error:
        raise BusError(
            f"Redis at {address.url}: no answer within {patience_s(address):g} s: it hangs, or is very busy. "
            + address.advice
        ) from error


async def _look(address: RedisAddress, bus: Bus, reader: PipelineReader, *, live: bool) -> PipelineView:
    try:
        await bus.ping()
        return await reader.read()
    except BusError as error:
        if not await _comes_later(address, error) or not live:
            raise
        return reader.last


def patience_s(address: RedisAddress) -> float:
    """How long one print waits for answers. Elsewhere a round trip alone may take a tenth of a second."""
    here = address.host is None or is_this_machine(address.host)
    return ONCE_S if here and not address.sentinels else FAR_S


async def _connects(address: RedisAddress) -> None:
    """Whether anything takes a connection there at all: a machine that is off does not even refuse one.

    Raises:
        BusError: nothing does in time. One that refuses is left to the client, whose words are better.
    """
    if address.sentinels:
        return  # any of them may be off: the others say who the master is
    seconds = CONNECT_FAR_S if patience_s(address) > ONCE_S else ONCE_S
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address.host or "127.0.0.1", address.port)
    except TimeoutError as error:
        raise BusError(f"Redis at {address.url}: no connection within {seconds:g} s. {address.advice}") from error
    except OSError:
        return
    writer.close()


async def _comes_later(address: RedisAddress, error: BusError) -> bool:
    """Whether nothing listens there, so that something still may.

    Raises:
        BusError: something does, and it is not a Redis.
    """
    if address.tls or address.sentinels:
        return False
    found = await embedded.probe(address.host or "127.0.0.1", address.port)
    if found == "other":
        raise BusError(
            f"{address.url}: something listens there that is not a Redis. Set REDIS_PORT to another port"
        ) from error
    return found == "nothing"


def waiting(address: RedisAddress) -> PipelineView:
    """The picture before there is a Redis."""
    place = f"{address.host or '127.0.0.1'}:{address.port}"
    note = f"waiting: nothing listens at {place} yet. Start one: lunomm up"
    return PipelineView("", address.url, 0, notes=(note,))


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
    shown = [reader.last if reader.last.venue else waiting(common.redis)]
    held = ExitStack()
    held.enter_context(ending(stop))
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
                # Before the first picture there is nothing that could have gone silent.
                shown[0] = reader.silent(error) if reader.last.venue else waiting(common.redis)
            try:
                async with asyncio.timeout(REFRESH_S):
                    await stop.wait()
            except TimeoutError:
                continue
    finally:
        stop.set()
        held.close()
        screen.cancel()
        await asyncio.wait([screen])
        presenter.finish()
    if not screen.cancelled() and screen.exception() is not None:
        await screen
