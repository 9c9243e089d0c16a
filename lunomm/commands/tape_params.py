"""Parameters from the very file that is about to be re-enacted: in-sample, and labelled so wherever they are shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lunomm.bus.channels import PARAMS
from lunomm.bus.client import Bus
from lunomm.bus.clock import Clock
from lunomm.commands.tape_book import Player
from lunomm.market.calibration import calibrate
from lunomm.market.judgement import Method
from lunomm.market.records import GridRow, Params, TakerOrder, Tick
from lunomm.options.book import BookOptions
from lunomm.tape.reader import read_tape

PROVENANCE = "same file, in-sample"


async def tape_params(tape: Path, pair: str, options: BookOptions, kappa_prior: float | None) -> Params:
    """Calibrate on a whole tape, as fast as it reads.

    Raises:
        UsageError: no such tape, or none of this pair.
    """
    trades: list[TakerOrder] = []
    grid: list[GridRow] = []

    async def keep(_: Tick, records: list[TakerOrder | GridRow]) -> None:
        trades.extend(record for record in records if isinstance(record, TakerOrder))
        grid.extend(record for record in records if isinstance(record, GridRow))

    recording = read_tape(tape, pair)
    await Player(recording, options).play(asyncio.Event(), keep)
    return calibrate(
        trades,
        grid,
        recording.rules,
        lookback_s=options.kappa_lookback_s,
        vol_window_s=options.vol_window_s,
        method=Method(prior_kappa=kappa_prior),
        provenance=PROVENANCE,
        in_sample=True,
    )


async def publish(bus: Bus, params: Params, clock: Clock) -> None:
    """Put them where the quoter looks, dated now: the recording begins anew."""
    params.at_ms = clock.exchange_ms()
    await bus.publish(PARAMS, params)
