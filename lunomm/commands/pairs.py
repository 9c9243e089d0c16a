"""Several pairs in one process, each on its own: one that fails starts over while the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lunomm.bus.channels import LOB
from lunomm.commands.present import say
from lunomm.errors import BusError, CredentialsError, LunommError

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed
    from lunomm.commands.piece import Piece

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
GOOD_S = 300.0
"""A pair that ran so long has recovered: the pauses start anew."""


@dataclass
class Slot:
    """One pair of the process and what follows it now. failures: in a row."""

    pair: str
    feed: Feed
    failures: int = 0

    def pause_s(self) -> float:
        """Before the next start."""
        return min(FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 16), LONGEST_PAUSE_S)


Loops = Callable[["Feed"], list[tuple[str, Coroutine[Any, Any, None]]]]


async def keep(
    piece: Piece,
    slot: Slot,
    loops: Loops,
    renew: Callable[[Feed], Awaitable[Feed]],
    *,
    alone: bool,
    publish: bool = True,
) -> None:
    """Run every loop of one pair; when one raises, all end, and after a pause start over with a feed made anew.

    Args:
        renew: a feed in place of one that failed, with the venue's rules as they are now.
        alone: there is no other pair to go on with: raise instead.
        publish: tell the readers of LOB that the pair stands still.

    Raises:
        CredentialsError: the key is refused, which is every pair's trouble.
        Exception: whatever a loop raised, when alone.
    """
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        error = await _until_one_raises(piece.name, slot, loops)
        if alone or isinstance(error, CredentialsError):
            raise error
        slot.failures = 1 if loop.time() - started > GOOD_S else slot.failures + 1
        while True:
            await _failed(piece, slot, error, publish=publish)
            await asyncio.sleep(slot.pause_s())
            try:
                slot.feed = await renew(slot.feed)
            except LunommError as again:
                error = again
                slot.failures += 1
            else:
                break


async def _until_one_raises(name: str, slot: Slot, loops: Loops) -> Exception:
    try:
        async with asyncio.TaskGroup() as group:
            for what, work in loops(slot.feed):
                group.create_task(work, name=f"{name}:{what} {slot.pair}")
    except ExceptionGroup as found:
        error: Exception = found
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        return error
    raise AssertionError("a pair's loops have no end")


async def _failed(piece: Piece, slot: Slot, error: Exception, *, publish: bool) -> None:
    """Say it where people and consumers look: stderr, the screen, and a tick that nobody trades on."""
    what = str(error) if isinstance(error, LunommError) else f"{type(error).__name__}: {error}"
    text = f"{slot.pair} failed: {what[:200]}. It starts over in {slot.pause_s():g} s; the other pairs go on"
    say(text)
    slot.feed.fail(text)
    if not publish:
        return
    try:
        await piece.bus.publish(LOB, slot.feed.tick())
    except BusError as gone:
        piece.last_error = str(gone)
