"""Calibration from recorded frames: the live book's own observer, played over one tape or many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lunomm.errors import MarketDataError, UsageError
from lunomm.market.calibration import MAX_LOOKBACK_MS, calibrate
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot
from lunomm.market.observer import Observer
from lunomm.market.records import GridRow, Params, TakerOrder
from lunomm.market.rules import PairRules
from lunomm.tape.reader import Tape, TapeLost, TapeOwn, read_tape


def tapes_params(paths: Sequence[Path], pair: str, *, kappa_prior: float | None = None) -> tuple[Params, PairRules]:
    """One calibration over all of some tapes, as far as a day goes back from the end of the last.

    Raises:
        UsageError: a file is no tape of this pair, or the tapes do not agree on tick and lot.
    """
    tapes = sorted((read_tape(path, pair) for path in paths), key=lambda tape: tape.started_ns)
    rules = tapes[0].rules
    orders: list[TakerOrder] = []
    rows: list[GridRow] = []
    for tape in tapes:
        if (tape.rules.price_scale, tape.rules.volume_scale) != (rules.price_scale, rules.volume_scale):
            raise UsageError(
                f"{tape.path} has another tick or lot than {tapes[0].path}. Calibrate them apart", code="TAPE_PAIR"
            )
        for record in tape_records(tape):
            if isinstance(record, TakerOrder):
                orders.append(record)
            else:
                rows.append(record)
    params = calibrate(
        orders,
        rows,
        rules,
        lookback_s=MAX_LOOKBACK_MS / 1000,
        prior_kappa=kappa_prior,
        provenance="tape " + ", ".join(tape.path.name for tape in tapes),
    )
    return params, rules


def tape_records(tape: Tape) -> list[TakerOrder | GridRow]:
    """Every taker order and grid row of a tape; where it has a gap, the book waits for the next snapshot."""
    observer = Observer(tape.rules)
    records: list[TakerOrder | GridRow] = []
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
        records += observer.drain()
    observer.finish()
    return records + observer.drain()
