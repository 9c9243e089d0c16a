"""``lunomm up``: the whole pipeline as supervised processes, and what it came to.

Only this process hears Ctrl-C and SIGTERM (its children have sessions of their own). It ends them in order: quote
(nothing is wanted any more), gateway (which cancels and verifies), calibrate, book; then it asks the exchange itself
what is left, and stops exchange and Redis if it started them and nobody else uses them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunomm.bus import embedded
from lunomm.bus.channels import ACCOUNT, HEALTH, LEASE, LOB, TRADES
from lunomm.bus.client import Bus
from lunomm.bus.process import locked, state_folder
from lunomm.commands import venue_finder
from lunomm.commands.child_args import book_args, gateway_args, quote_args, venue_args
from lunomm.commands.piece import Piece, open_piece
from lunomm.commands.pipeline import PipelineReader
from lunomm.commands.present import put_line, say
from lunomm.commands.status import view_data
from lunomm.commands.suggest import require_limits
from lunomm.commands.summary import PairRun, end_flat, note, summarise, summary_line
from lunomm.commands.supervise import Child
from lunomm.config import (
    SUPERVISED,
    Common,
    ExchangeOptions,
    UpOptions,
    child_environment,
    environment,
    supervised_environment,
    upstream_key,
    upstream_place,
)
from lunomm.errors import BusError, ExchangeError, LunommError, OrdersMayBeLive, RefusedError, UsageError
from lunomm.market.presence import OURS
from lunomm.market.records import BookState, Params
from lunomm.trading.baseline import Baseline, BaselineOptions
from lunomm.views.pipeline import PairView, PipelineView
from lunomm.views.status import status_line, status_screen

USUAL_PORTS = {"sim": 8377, "paper": 8378}
READ_S = 0.5
QUOTE_END_S = 10.0
GATEWAY_END_S = 60.0
TAKEN = "Choose another with --port"
"""How the exchange's own error about a taken port ends."""
OTHER_END_S = 10.0
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
    world: _World | None = None
    try:
        if common.mode in OURS and common.url is None:
            world = await _World.find_or_start(common, options)
        # The view's connection is opened first, closed last: what reads through it is ended by the piece.
        async with (
            Bus(common.redis, "up-view") as view_bus,
            open_piece("up", common, pairs, lease=True, follows=True) as piece,
        ):
            if asked_early.is_set():
                piece.stop.set()
            data = await _Pipeline(piece, options, world, folder, view_bus, params).run()
        if not common.json:
            put_line(summary_line(data))
        return data
    finally:
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


class _World:
    """The exchange of ours under ``up``: found running (then left alone), or a child of ours on a port that stays."""

    def __init__(self, child: Child | None) -> None:
        self.child = child
        self.keeping: asyncio.Task[None] | None = None

    @classmethod
    async def find_or_start(cls, common: Common, options: UpOptions) -> _World:
        folder = common.state_dir
        async with locked(folder / "exchange.lock"):
            info = await venue_finder.find(folder, common.mode)
            if info is not None:
                _check_same(info, common, options)
                return cls(None)
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
    async def _start(cls, common: Common, options: UpOptions, port: int) -> _World:
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
        child = Child("paper" if paper else "exchange", args, folder, environment=alone, on_death=_told)
        world = cls(child)
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
            task.result()

    async def end(self, alone: bool) -> None:
        """Stop it if it is ours and nobody else uses it."""
        if self.child is None or self.keeping is None:
            return
        if alone:
            await self.child.end(within_s=OTHER_END_S)
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


def _told(who: str, code: int) -> None:
    say(f"{who} ended (exit {code}); starting it again")


class _Pipeline:
    """The children of one ``up`` and what is seen of them."""

    def __init__(
        self,
        piece: Piece,
        options: UpOptions,
        world: _World | None,
        folder: Path,
        view_bus: Bus,
        params: Sequence[Params],
    ) -> None:
        self._params = params
        self._piece = piece
        self._options = options
        self._world = world
        self._folder = folder
        self._reader = PipelineReader(view_bus, piece.pairs)
        self._view = PipelineView("", piece.common.redis.url, 0)
        self._runs = {pair: PairRun(pair) for pair in piece.pairs}
        self._unsure = True
        venue = venue_args(piece.common)
        pairs = piece.pairs
        self._book = self._child("book", [*book_args(pairs, options.book), *venue])
        self._calibrates = (
            [] if options.tape else [self._child(f"calibrate-{p}", ["calibrate", p, "--watch", *venue]) for p in pairs]
        )
        self._gateway = self._child("gateway", [*gateway_args(pairs, options.gateway), *venue])
        self._quotes = [self._child(f"quote-{p}", [*quote_args(p, options.quote), *venue]) for p in pairs]

    def _child(self, name: str, args: Sequence[str]) -> Child:
        return Child(name, args, self._folder, environment=supervised_environment(), on_death=_told)

    async def run(self) -> dict[str, Any]:
        piece = self._piece
        piece.on_abandon = lambda: (
            "left at once: orders may be live; the pieces end by themselves. See lunomm status",
            8,
        )
        if self._world is not None and self._world.keeping is not None:
            piece.start(_joined(self._world.keeping), "exchange")
        problem: LunommError | None = None
        try:
            await self._publish_params()
            for child in (self._book, *self._calibrates, self._gateway, *self._quotes):
                piece.start(child.keep(), child.name)
            piece.start(self._watch(), "watch")
            for pair in piece.pairs:
                piece.start(self._feed_ticks(pair), f"ticks-{pair}")
                piece.start(self._feed_takers(pair), f"takers-{pair}")
            piece.present(lambda: status_screen(self._view), self._line, lambda: view_data(self._view))
            await piece.wait()
        except LunommError as e:
            problem = e
            piece.last_error = str(e)
        finally:
            await self._end_children()
        await self._end_flat()
        left = [i for run in self._runs.values() for i in run.orders_left or ()]
        if left:
            raise OrdersMayBeLive("orders of ours are still open on the exchange. Cancel them there.", left)
        if piece.common.mode == "live" and any(run.orders_left is None for run in self._runs.values()):
            raise OrdersMayBeLive("the exchange could not be asked what is still open. Look there.", ())
        if problem is not None:
            raise problem
        return summarise(self._runs.values(), fee_tier=self._fee_tier(), mode=piece.common.mode)

    async def _publish_params(self) -> None:
        for params in self._params:
            from lunomm.commands.tape_params import publish

            await publish(self._piece.bus, params, self._piece.clock)

    async def _end_children(self) -> None:
        self._piece.state = "STOPPING"
        await asyncio.gather(*(child.end(within_s=QUOTE_END_S) for child in self._quotes))
        self._unsure = await self._gateway.end(within_s=GATEWAY_END_S) != 0
        await self._read_accounts()
        await asyncio.gather(*(child.end(within_s=OTHER_END_S) for child in (*self._calibrates, self._book)))

    async def _read_accounts(self) -> None:
        """The gateway's last word, which it writes after its last cancel."""
        for pair, run in self._runs.items():
            try:
                run.account = await self._piece.bus.get(ACCOUNT, pair) or run.account
            except BusError as e:
                run.notes.append(str(e))

    async def _end_flat(self) -> None:
        piece = self._piece
        assert piece.key is not None
        try:
            left = await end_flat(piece.endpoint, piece.key, piece.pairs, unsure=self._unsure)
        except LunommError as e:
            say(f"orders left could not be read: {e}")
            return
        for pair, ids in left.items():
            self._runs[pair].orders_left = ids

    async def _watch(self) -> None:
        """Read the pipeline for the screen; end with the tape."""
        seen_open = False
        while True:
            try:
                view = await self._reader.read()
            except BusError as e:
                view = self._reader.silent(e)
            notes: list[str] = []
            for pair in view.pairs:
                notes += self._take(pair)
                if pair.tick is not None and self._options.tape is not None:
                    seen_open |= pair.tick.state is BookState.OK
                    if seen_open and pair.tick.state is BookState.DISABLED:
                        self._piece.stop.set()  # the recording is over
            self._view = PipelineView(
                view.venue, view.redis, view.now_ms, view.pairs, view.pieces, view.problems, tuple(notes)
            )
            await asyncio.sleep(READ_S)

    def _take(self, pair: PairView) -> list[str]:
        """Remember the account; start the comparison once lot and rules are known. Notes for the screen."""
        run = self._runs[pair.pair]
        run.account = pair.account or run.account
        lot = pair.quotes.lot if pair.quotes is not None else None
        if run.baseline is None and pair.rules is not None and run.account is not None and lot:
            limit = BaselineOptions(max_position=run.account.max_position or None)
            run.baseline = Baseline(pair.rules, lot, run.account.maker_fee, limit)
        notes = [] if run.account is None else [note(run.account, run.baseline, fee_tier=self._fee_tier())]
        if pair.params is not None and pair.params.in_sample:
            notes.append(f"estimates: {pair.params.provenance}")
        return notes

    def _fee_tier(self) -> int | None:
        account = next((run.account for run in self._runs.values() if run.account is not None), None)
        if self._piece.common.mode not in OURS:
            return None
        return self._options.fee_tier if account is None else int(account.maker_fee != 0)

    async def _feed_ticks(self, pair: str) -> None:
        async for tick in self._piece.bus.listen(LOB, pair):
            baseline = self._runs[pair].baseline
            if baseline is not None:
                baseline.on_tick(tick)

    async def _feed_takers(self, pair: str) -> None:
        async for taker in self._piece.bus.listen(TRADES, pair):
            baseline = self._runs[pair].baseline
            if baseline is not None:
                baseline.on_taker(taker)

    def _line(self) -> str:
        return "  |  ".join([status_line(self._view), *self._view.notes])


async def _joined(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)
