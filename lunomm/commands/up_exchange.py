"""The exchange of ours under ``up``: found, or started on a port that stays, so that a restart keeps its address."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

from lunomm.bus.process import locked
from lunomm.commands import venue_finder
from lunomm.commands.present import say
from lunomm.commands.supervise import Child
from lunomm.config import SUPERVISED, Common, child_environment, upstream_key, upstream_place
from lunomm.errors import ConnectivityError, ExchangeError, LunommError, RefusedError
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.up import UpOptions

USUAL_PORTS = {"sim": 8377, "paper": 8378}
TAKEN = "Choose another with --port"
"""How the exchange's own error about a taken port ends."""
END_S = 10.0


class World:
    """The exchange of ours under ``up``: found running (then left alone), or a child of ours on a port that stays.

    told: hears of its deaths.
    """

    def __init__(self) -> None:
        self.told: Callable[[str], None] = say
        self.child: Child | None = None
        self.keeping: asyncio.Task[None] | None = None

    @classmethod
    async def find_or_start(cls, common: Common, options: UpOptions) -> World:
        folder = common.state_dir
        async with locked(folder / "exchange.lock"):
            info = await venue_finder.find(folder, common.mode)
            if info is not None:
                _check_same(info, common, options)
                return cls()
            taken: LunommError = ExchangeError("no free port on this machine for the simulated exchange")
            for usual in (True, False, False):
                try:
                    return await cls._start(common, options, _free_port(USUAL_PORTS[common.mode], usual=usual))
                except LunommError as e:
                    # Another program took the port between our look and the exchange's start: try a free one.
                    if TAKEN not in str(e):
                        raise
                    taken = e
            raise taken

    @classmethod
    async def _start(cls, common: Common, options: UpOptions, port: int) -> World:
        folder, paper = common.state_dir, common.mode == "paper"
        wanted = ExchangeOptions(
            port=port,
            seed=options.seed,
            profile=options.profile,
            pairs=options.pairs,
            tape=options.tape,
            speed=options.speed,
            fee_tier=options.fee_tier,
            upstream=common.upstream if paper else None,
            balances=options.balances,
            latency_ms=options.latency_ms,
        )
        (folder / venue_finder.FILES[common.mode]).unlink(missing_ok=True)
        args = venue_finder.exchange_args(wanted)
        key = upstream_key(common.key) if paper else {}
        alone = child_environment(**{SUPERVISED: str(os.getpid())}, **key)
        world = cls()
        name = "paper" if paper else "exchange"
        world.child = child = Child(
            name, args, folder, environment=alone, on_death=lambda who, code: world.told(died_words(who, code))
        )
        world.keeping = asyncio.create_task(child.keep(), name="up:exchange")
        try:
            await world._wait(common.mode)
        except BaseException:
            await world.end(True)
            raise
        return world

    async def _wait(self, mode: str) -> None:
        assert self.keeping is not None and self.child is not None
        finding = asyncio.create_task(venue_finder.wait_for(self.child.log.parent, mode))
        done, _ = await asyncio.wait((finding, self.keeping), return_when=asyncio.FIRST_COMPLETED)
        if finding not in done:
            finding.cancel()
        for task in done:
            try:
                task.result()
            except ConnectivityError as error:
                # Its tries may take longer than it is waited for: what it said is why it is not there.
                if (unreached := self.child.unreached()) is None:
                    raise
                raise unreached from error

    async def end(self, alone: bool) -> None:
        """Stop it if it is ours.

        Args:
            alone: nobody else uses it; else it is not waited for, and ends by itself once this process has.
        """
        if self.child is None or self.keeping is None:
            return
        if alone:
            await self.child.end(within_s=END_S)
        self.keeping.cancel()
        await asyncio.wait([self.keeping])


def _check_same(info: venue_finder.SimInfo, common: Common, options: UpOptions) -> None:
    """Refuse to take a running exchange for the one that was asked for.

    Raises:
        RefusedError: tape, profile, speed or upstream differ.
    """
    if info.upstream is not None:
        if info.upstream != upstream_place(common.upstream).rest:
            raise RefusedError(
                f"a paper exchange of {info.upstream} already runs at {info.url}. Stop it first: lunomm down",
                code="OTHER_EXCHANGE",
            )
        return
    tape = options.tape.name if options.tape is not None else None
    running = Path(info.tape).name if info.tape else None
    profile_differs = options.profile is not None and options.profile != info.profile
    if tape != running or profile_differs or (options.speed != 1.0 and options.speed != info.speed):
        raise RefusedError(
            f"a simulated exchange already runs at {info.url} ({info.tape or info.profile}, speed {info.speed:g}). "
            "Stop it first: lunomm down",
            code="OTHER_EXCHANGE",
        )


def _free_port(first: int, *, usual: bool = True) -> int:
    """The usual port, or a free one where it is taken; fixed now, so that a restarted exchange keeps its address."""
    for port in (first, 0) if usual else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ExchangeError("no free port on this machine for the simulated exchange")


def died_words(who: str, code: int) -> str:
    return f"{who} ended (exit {code}); starting it again"
