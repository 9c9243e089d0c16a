"""Calibration from recorded frames: the live book's own observer, played over one tape or many."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lunomm.commands.present import progress_bar
from lunomm.errors import MarketDataError, UsageError
from lunomm.market.calibration import MAX_LOOKBACK_MS, calibrate
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot
from lunomm.market.judgement import Method
from lunomm.market.observer import Observer
from lunomm.market.records import GridRow, Params, TakerOrder
from lunomm.market.rules import PairRules
from lunomm.tape.reader import Tape, TapeLost, TapeOwn, read_tape
from lunomm.views.text import counted

YIELD_EVERY = 512
"""Items between two looks at Ctrl-C and the clock."""

REDRAW_EVERY = 8
"""Looks between two pictures of the bar."""


class Recorded(NamedTuple):
    """What some tapes hold. stopped: why they were not read to their end, empty when they were."""

    rules: PairRules
    orders: list[TakerOrder]
    rows: list[GridRow]
    provenance: str
    stopped: str = ""

    def params(self, method: Method) -> Params:
        """One calibration over all of it, as far as a day goes back from the end."""
        return calibrate(
            self.orders,
            self.rows,
            self.rules,
            lookback_s=MAX_LOOKBACK_MS / 1000,
            method=method,
            provenance=self.provenance,
        )


async def read_tapes(paths: Sequence[Path], pair: str, *, bar: bool = False, for_s: float | None = None) -> Recorded:
    """Every record of some tapes, oldest tape first.

    Args:
        bar: draw a progress bar in a terminal. for_s: stop after so many seconds with what was read.

    Raises:
        UsageError: a file is no tape of this pair, the tapes do not agree on tick and lot, or overlap.
    """
    started = time.monotonic()
    tapes = []
    for path in paths:
        tapes.append(read_tape(path, pair))
        await asyncio.sleep(0)
    tapes.sort(key=lambda tape: tape.started_ns)
    rules = tapes[0].rules
    for tape in tapes:
        if (tape.rules.price_scale, tape.rules.volume_scale) != (rules.price_scale, rules.volume_scale):
            raise UsageError(
                f"{tape.path} has another tick or lot than {tapes[0].path}. Calibrate them apart", code="TAPE_PAIR"
            )
    for before, after in itertools.pairwise(tapes):
        if after.started_ns < before.ended_ns:
            raise UsageError(
                f"{before.path} and {after.path} overlap in time: their orders would count twice. Leave one away",
                code="TAPE_OVERLAP",
            )
    names = ", ".join(tape.path.name for tape in tapes)
    found = Recorded(rules, [], [], f"tape {names}")
    total = sum(tape.frames for tape in tapes)
    show = progress_bar(f"reading {counted(len(tapes), 'tape')}", total, shown=bar)
    frames = 0
    try:
        for tape in tapes:
            for records in replayed(tape):
                frames += 1
                found.orders.extend(record for record in records if isinstance(record, TakerOrder))
                found.rows.extend(record for record in records if isinstance(record, GridRow))
                if frames % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
                    if frames % (YIELD_EVERY * REDRAW_EVERY) == 0:
                        show(min(frames, total - 1))
                    if for_s is not None and time.monotonic() - started > for_s:
                        return found._replace(stopped=f"stopped after {for_s:g} s, before the end of {tape.path.name}")
    finally:
        show(total)
    return found


def replayed(tape: Tape) -> Iterator[list[TakerOrder | GridRow]]:
    """What each item of a tape finishes, and its end; where it has a gap, the book waits for the next snapshot."""
    observer = Observer(tape.rules)
    for item in tape:
        now = Now(item.recv_ns, item.recv_ns)
        if isinstance(item, TapeOwn):
            observer.set_own(item.own)
            continue
        if isinstance(item, TapeLost):
            observer.on_lost(now, item.why)
            continue
        try:
            if isinstance(item.event, BookSnapshot):
                observer.on_snapshot(item.event, now)
            else:
                observer.on_update(item.event, now)
        except MarketDataError:
            continue  # the observer is void now and says so in its records: a gap
        yield observer.drain()
    observer.finish()
    yield observer.drain()
