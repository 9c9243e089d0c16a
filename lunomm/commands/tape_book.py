"""``lunomm book PAIR --tape FILE``: the same observer on recorded frames, with no venue, and no bus unless asked.

Times are the tape's. Without ``--speed`` it plays as fast as the machine can; at the end the last tick and the counts
are returned (``--json``) or printed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rich.console import Console

from lunomm.bus.channels import LOB, RULES
from lunomm.bus.client import Bus
from lunomm.bus.venue import VenueInfo, this_host
from lunomm.commands.book_data import book_data
from lunomm.commands.piece import open_piece
from lunomm.commands.present import Presenter, put_line
from lunomm.commands.publishing import add_record
from lunomm.config import Common
from lunomm.errors import BusError, MarketDataError, UsageError
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot
from lunomm.market.observer import Observer
from lunomm.market.records import GridRow, TakerOrder, Tick
from lunomm.options.book import BookOptions
from lunomm.tape.reader import Tape, TapeFrame, TapeOwn, read_tape
from lunomm.views.book import BookView, book_line, book_screen
from lunomm.views.text import counted

YIELD_EVERY = 256
"""Frames between two looks at the clock, the screen and Ctrl-C."""
PRINTED_HEIGHT = 40
MIDS_KEPT = 600

Send = Callable[[Tick, list[TakerOrder | GridRow]], Awaitable[None]]


class Player:
    """One tape through one observer."""

    def __init__(self, tape: Tape, options: BookOptions) -> None:
        self.tape = tape
        self.observer = Observer(
            tape.rules,
            vol_window_s=options.vol_window_s,
            kappa_lookback_s=options.kappa_lookback_s,
            vol_price=options.vol_price,
            depth=options.depth,
        )
        self.speed = options.speed
        self.frames = 0
        self.gaps = 0
        self.note = tape.torn or ""
        self.done = False
        self._now = Now(tape.started_ns, tape.started_ns)
        self._last: Tick | None = None
        self._mids: deque[float | None] = deque(maxlen=MIDS_KEPT)
        self._mid_ns = 0
        self._trades: deque[TakerOrder] = deque(maxlen=50)

    async def play(self, stop: asyncio.Event, send: Send | None = None) -> None:
        """From the first frame to the last, or until ``stop``; ``send`` gets each tick and the records it finished."""
        started = time.monotonic()
        for count, item in enumerate(self.tape):
            if self.speed is not None:
                await self._pace(item.recv_ns, started, stop)
            elif count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                break
            self._now = Now(item.recv_ns, item.recv_ns)
            if isinstance(item, TapeFrame):
                self._apply(item)
            elif isinstance(item, TapeOwn):
                self.observer.set_own(item.own)
            else:
                self._lose(item.why)
            records = self._collect()
            if send is not None:
                await send(self.tick(), records)
            elif self._due():
                self.tick()
        self.observer.finish()
        records = self._collect()
        self.done = True
        last = self.tick()
        if send is not None:
            await send(last, records)

    async def _pace(self, recv_ns: int, started: float, stop: asyncio.Event) -> None:
        assert self.speed is not None
        wait = started + (recv_ns - self.tape.started_ns) / 1e9 / self.speed - time.monotonic()
        if wait > 0:
            try:
                async with asyncio.timeout(wait):
                    await stop.wait()
            except TimeoutError:
                return

    def _apply(self, frame: TapeFrame) -> None:
        """A recording may have gaps, as the stream had: the book is void from there to the next snapshot."""
        event = frame.event
        try:
            if isinstance(event, BookSnapshot):
                self.observer.on_snapshot(event, self._now)
            else:
                self.observer.on_update(event, self._now)
        except MarketDataError as error:
            if error.code != "NO_SNAPSHOT":
                self.gaps += 1
                self.note = str(error)
            return
        self.frames += 1

    def _lose(self, why: str) -> None:
        self.gaps += 1
        self.note = why
        self.observer.on_lost(self._now, why)

    def _collect(self) -> list[TakerOrder | GridRow]:
        records = self.observer.drain()
        self._trades.extend(record for record in records if isinstance(record, TakerOrder))
        return records

    def _due(self) -> bool:
        """Whether a second of the tape has passed since the last mid kept for the screen."""
        return self._now.exchange_ns - self._mid_ns >= 1_000_000_000

    def tick(self) -> Tick:
        """The picture at the tape's present time."""
        tick = self.observer.tick(
            self._now, beat=self.frames, wall_ms=float(self._now.exchange_ms), stream_age_ms=None, lag_ms=None
        )
        if self._due():
            self._mid_ns = self._now.exchange_ns
            self._mids.append(None if tick.mid_price is None else float(tick.mid_price))
        self._last = tick
        return tick

    def view(self) -> BookView:
        """What the screen shows."""
        return BookView(
            pair=self.tape.pair,
            source=f"tape {self.tape.path.name}",
            tick=self._last,
            rules=self.tape.rules,
            mids=tuple(self._mids),
            trades=tuple(self._trades),
            resyncs=self.gaps,
            note=self.note,
            now_ms=self._now.exchange_ms,
        )

    def data(self) -> dict[str, Any]:
        """The last tick and the counts of the whole tape."""
        counts = book_data(self.view(), fills=self.observer.fills, takers=self.observer.takers)
        return {**counts, "frames": self.frames, "gaps": self.gaps, "tape": str(self.tape.path), "torn": self.tape.torn}


async def run_tape(common: Common, pairs: Sequence[str], options: BookOptions) -> dict[str, Any] | None:
    """Play the tape of one pair.

    Returns: the last tick's fields and the counts with ``--json``, else None (they are printed).

    Raises:
        UsageError: more than one pair, or a file that is not this pair's tape.
    """
    assert options.tape is not None
    if len(pairs) != 1:
        raise UsageError("--tape: a tape holds one pair. Name one pair", code="TAPE_PAIR")
    player = Player(read_tape(options.tape, pairs[0]), options)
    if options.publish:
        await _published(common, player, options)
    else:
        await _alone(common, player)
    if common.json:
        return player.data()
    _print(player)
    return None


async def _alone(common: Common, player: Player) -> None:
    """Without a bus; a live screen only when there is time to look at it."""
    stop = asyncio.Event()
    presenter = Presenter(
        "book", common.json, lambda: book_screen([player.view()]), lambda: book_line(player.view()), player.data
    )
    shown = None if player.speed is None else asyncio.create_task(presenter.run(stop), name="book:screen")
    try:
        async with asyncio.timeout(common.for_s):
            await player.play(stop)
    except TimeoutError:
        player.note = f"stopped after {common.for_s:g} s, before the tape's end"
    finally:
        stop.set()
        if shown is not None:
            shown.cancel()
            await asyncio.wait([shown])


async def _published(common: Common, player: Player, options: BookOptions) -> None:
    """On the bus, as venue ``tape``: pieces of another mode refuse it."""
    tape = player.tape
    venue = VenueInfo(
        pair=tape.pair,
        mode="tape",
        url=f"tape:{tape.path.name}",
        host=this_host(),
        tape=tape.path.name,
        speed=options.speed or 1.0,
        run_id=f"{time.time_ns() // 1_000_000:x}",
        anchor_wall_ms=time.time_ns() // 1_000_000,
        anchor_exchange_ms=tape.started_ns // 1_000_000,
    )
    async with open_piece("book", common, (tape.pair,), lease=True, exchange=False, venue=venue) as piece:
        piece.present(lambda: book_screen([player.view()]), lambda: book_line(player.view()), player.data)

        async def send(tick: Tick, records: list[TakerOrder | GridRow]) -> None:
            await _send(piece.bus, player, tick, records)

        async def play() -> None:
            await player.play(piece.stop, send)
            piece.stop.set()

        piece.start(play(), "tape")
        await piece.wait()


async def _send(bus: Bus, player: Player, tick: Tick, records: list[TakerOrder | GridRow]) -> None:
    """One step of the tape onto the bus; a Redis that is away loses it, as it would a listener."""
    try:
        if player.frames % YIELD_EVERY == 1:
            await bus.publish(RULES, player.tape.rules)
        await bus.publish(LOB, tick)
        for record in records:
            await add_record(bus, record)
    except BusError as error:
        player.note = str(error)


def _print(player: Player) -> None:
    console = Console()
    plain = Console(width=max(console.width, 80), height=PRINTED_HEIGHT, file=sys.stdout)
    with plain.capture() as captured:
        plain.print(book_screen([player.view()]))
    put_line(captured.get().rstrip("\n"))
    observer = player.observer
    put_line(
        f"{counted(player.frames, 'frame')}, {counted(observer.fills, 'fill')} by "
        f"{counted(observer.takers, 'taker order')}, {counted(player.gaps, 'gap')}, "
        f"{player.tape.duration_s:.0f} s"
    )
