"""``lunomm up``: the whole pipeline as supervised processes, and what it came to.

Only this process hears Ctrl-C and SIGTERM (its children have sessions of their own). It ends them in order: quote
(nothing is wanted any more), gateway (which cancels and verifies), calibrate, book; then it asks the exchange itself
what is left, and ends the exchange it started, and the Redis if nobody else uses that.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from typing import Any

from lunomm.bus import embedded
from lunomm.bus.channels import HEALTH, LEASE
from lunomm.bus.client import Bus
from lunomm.bus.process import state_folder
from lunomm.commands.piece import open_piece
from lunomm.commands.present import put_line, say
from lunomm.commands.suggest import require_limits
from lunomm.commands.summary import summary_line
from lunomm.commands.up_exchange import World
from lunomm.commands.up_pipeline import Pipeline
from lunomm.commands.up_screen import Screen
from lunomm.config import Common, environment
from lunomm.errors import BusError, UsageError
from lunomm.market.presence import OURS
from lunomm.market.records import Params
from lunomm.options.up import UpOptions

OTHERS_S = 6.0
"""Longer than a dead piece's heartbeat and lease live."""


async def run(common: Common, pairs: Sequence[str], options: UpOptions) -> dict[str, Any]:
    """Run until Ctrl-C, SIGTERM, ``--for``, or the end of a tape; the summary (see README).

    Raises:
        LunommError: a child stays down (after the rest went flat), or its own error where a restart is useless.
        OrdersMayBeLive: the exchange still lists orders of ours at the end, or could not be asked in live mode.
    """
    await require_limits(common, pairs, options.gateway, options.quote)
    folder = state_folder(common.state_dir)
    asked_early = _catch_early_signals()
    # Before the exchange starts: a recording runs from the moment its doors open.
    params = await _tape_params(pairs, options)
    started_redis = await embedded.ensure(common.redis, folder, environment(), say)
    world: World | None = None
    screen: Screen | None = None
    try:
        if common.mode in OURS and common.url is None:
            world = await World.find_or_start(common, options)
        # The view's connection is opened first, closed last: what reads through it is ended by the piece.
        async with (
            Bus(common.redis, "up-view") as view_bus,
            open_piece("up", common, pairs, lease=True, follows=True) as piece,
        ):
            if asked_early.is_set():
                piece.stop.set()
            screen = Screen(piece, view_bus)
            data = await Pipeline(piece, options, world, folder, view_bus, params, screen).run()
        screen.close()
        if not common.json:
            put_line(summary_line(data))
        return data
    finally:
        if screen is not None:
            screen.close()
        alone = await _nobody_else(common)
        if world is not None:
            await world.end(alone)
        if started_redis and alone:
            await embedded.stop(common.redis, folder)


async def _tape_params(pairs: Sequence[str], options: UpOptions) -> list[Params]:
    if options.tape is None:
        return []
    if len(pairs) != 1:
        raise UsageError("--tape: a recording is of one pair. Name that pair: lunomm up PAIR --tape FILE")
    from lunomm.commands.tape_params import tape_params

    return [await tape_params(options.tape, pairs[0], options.book, options.quote.kappa_prior)]


def _catch_early_signals() -> asyncio.Event:
    """Ctrl-C and SIGTERM before the pieces run: remembered, so that what is being started is also ended."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        except (NotImplementedError, RuntimeError, ValueError):
            break
    return asked


async def _nobody_else(common: Common) -> bool:
    """Whether no other process holds a lease or beats on this Redis; what a killed child left is waited out."""
    deadline = time.monotonic() + OTHERS_S
    while True:
        try:
            async with Bus(common.redis, "up-end") as bus:
                names = await bus.scan(f"{LEASE}::*") + await bus.scan(HEALTH.key("*"))
        except BusError:
            return True
        if all(name.endswith("::token") for name in names):
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.5)
