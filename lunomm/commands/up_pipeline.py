"""The children of one ``up``, what is seen of them, and their end: quote, gateway (which verifies), the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lunomm.bus.channels import ACCOUNT, LOB, TRADES
from lunomm.bus.client import Bus
from lunomm.commands.child_args import book_args, gateway_args, quote_args, venue_args
from lunomm.commands.piece import Piece
from lunomm.commands.pipeline import PipelineReader
from lunomm.commands.present import say
from lunomm.commands.summary import PairRun, end_flat, note, summarise
from lunomm.commands.supervise import Child
from lunomm.commands.up_exchange import World, died_words
from lunomm.commands.up_screen import Screen
from lunomm.config import supervised_environment
from lunomm.errors import BusError, LunommError, OrdersMayBeLive
from lunomm.market.presence import OURS
from lunomm.market.records import BookState, Params
from lunomm.options.up import UpOptions
from lunomm.trading.baseline import Baseline, BaselineOptions
from lunomm.views.pipeline import PairView

READ_S = 0.5
QUOTE_END_S = 10.0
GATEWAY_END_S = 60.0
OTHER_END_S = 10.0


class Pipeline:
    """The children of one ``up`` and what is seen of them."""

    def __init__(
        self,
        piece: Piece,
        options: UpOptions,
        world: World | None,
        folder: Path,
        view_bus: Bus,
        params: Sequence[Params],
        screen: Screen,
    ) -> None:
        self._params = params
        self._piece = piece
        self._options = options
        self._world = world
        self._folder = folder
        self._reader = PipelineReader(view_bus, piece.pairs)
        self._screen = screen
        if world is not None:
            world.told = self._tell
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
        return Child(name, args, self._folder, environment=supervised_environment(), on_death=self._told)

    def _told(self, who: str, code: int) -> None:
        self._tell(died_words(who, code))

    def _tell(self, text: str) -> None:
        say(text)
        self._screen.say(text)

    async def run(self) -> dict[str, Any]:
        piece = self._piece
        piece.on_abandon = self._abandoned
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
            self._screen.open()
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

    def _abandoned(self) -> tuple[str, int]:
        """What a second Ctrl-C leaves behind."""
        self._screen.close()
        return "left at once: orders may be live; the pieces end by themselves. See lunomm status", 8

    async def _publish_params(self) -> None:
        for params in self._params:
            from lunomm.commands.tape_params import publish

            await publish(self._piece.bus, params, self._piece.clock)

    async def _end_children(self) -> None:
        self._piece.state = "STOPPING"
        self._screen.end()
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
            await self._screen.see(replace(view, notes=tuple(notes)))
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


async def _joined(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)
