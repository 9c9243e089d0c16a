"""Tapes of one market, loaded: read and decoded once a process, however many runs go over them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lunomm.errors import UsageError
from lunomm.market.calibration import MAX_LOOKBACK_MS, calibrate
from lunomm.market.judgement import Method
from lunomm.market.observer import Observer
from lunomm.market.records import GridRow, Params, TakerOrder
from lunomm.market.rules import PairRules
from lunomm.options.book import BookOptions
from lunomm.simulator.exchange import tape_rules
from lunomm.simulator.ledger import FeeRates
from lunomm.tape.backtest import Backtest
from lunomm.tape.decoded import Decoded
from lunomm.tape.reader import Tape, read_tape

_LOADED: Final[dict[tuple[tuple[str, ...], str | None], Recorded]] = {}
_LEARNED: Final[dict[object, Params]] = {}


@dataclass(frozen=True)
class Recorded:
    """rules: as a quoter must see them. fees: as the recorder's exchange stated them. mode: whose market it is. notes:
    what a reader must know of the files."""

    paths: tuple[Path, ...]
    rules: PairRules
    decoded: Decoded
    started_ns: int
    ended_ns: int
    fees: FeeRates | None
    mode: str
    notes: tuple[str, ...]


def load(paths: Sequence[Path], pair: str | None) -> Recorded:
    """Raises UsageError: a file is no tape, they are of several markets or grids, or overlap in time."""
    key = (tuple(str(path.absolute()) for path in paths), pair)
    if key not in _LOADED:
        _LOADED[key] = _load(tuple(paths), pair)
    return _LOADED[key]


def _load(paths: tuple[Path, ...], pair: str | None) -> Recorded:
    if not paths:
        raise UsageError("no tape given. Name one or more recorded files", code="TAPE_MISSING")
    parts: list[tuple[Tape, Decoded]] = []
    for path in paths:
        part = Decoded()
        tape = read_tape(path, pair, part.keep)
        parts.append((tape, part))
    parts.sort(key=lambda part: part[0].started_ns)
    tapes = [tape for tape, _ in parts]
    first = tapes[0]
    for tape in tapes[1:]:
        if tape.pair != first.pair:
            raise UsageError(
                f"{tape.path} is of {tape.pair[:20]}, {first.path} of {first.pair[:20]}: one market at a time. "
                "Run each by itself",
                code="TAPE_PAIR",
            )
        if (tape.rules.price_scale, tape.rules.volume_scale) != (first.rules.price_scale, first.rules.volume_scale):
            raise UsageError(
                f"{tape.path} has another tick or lot than {first.path}. Run each by itself", code="TAPE_PAIR"
            )
    for before, after in itertools.pairwise(tapes):
        if after.started_ns < before.ended_ns:
            raise UsageError(
                f"{before.path} and {after.path} overlap in time: their orders would count twice. Leave one away",
                code="TAPE_OVERLAP",
            )
    decoded = parts[0][1]
    for before, (tape, part) in zip(tapes, parts[1:], strict=False):
        decoded.join(part, before.ended_ns, f"{tape.path.name} begins")
    provenance = first.provenance
    fees = None
    if provenance is not None and provenance.maker_fee is not None and provenance.taker_fee is not None:
        fees = FeeRates(provenance.maker_fee, provenance.taker_fee)
    return Recorded(
        paths=paths,
        rules=first.rules if first.recorded else tape_rules(first.pair, first.rules),
        decoded=decoded,
        started_ns=first.started_ns,
        ended_ns=tapes[-1].ended_ns,
        fees=fees,
        mode="" if provenance is None else provenance.mode,
        notes=tuple(_said(tapes)),
    )


def _said(tapes: Sequence[Tape]) -> list[str]:
    said = [f"{tape.path.name} was cut: {tape.torn}." for tape in tapes if tape.torn is not None]
    losses = sum(tape.losses for tape in tapes)
    if losses:
        said.append(f"The recorder lost the stream {losses} times.")
    if any(not tape.recorded for tape in tapes):
        said.append("A file of raw frames: each arrives the latency after its own time.")
    return said


def learned(paths: Sequence[Path], market: Recorded, book: BookOptions, prior: float | None) -> Params | None:
    """A calibration on other tapes (or on these: then it says that it is in-sample); None without any.

    Raises:
        UsageError: as :func:`load`, or tapes of another market.
    """
    if not paths:
        return None
    key = (paths, market.paths, book, prior)
    if key not in _LEARNED:
        _LEARNED[key] = _learn(paths, market, book, prior)
    return _LEARNED[key]


def _learn(paths: Sequence[Path], market: Recorded, book: BookOptions, prior: float | None) -> Params:
    teacher = load(paths, market.rules.pair)
    backtest = Backtest(
        teacher.rules,
        Observer(teacher.rules, vol_window_s=book.vol_window_s, kappa_lookback_s=book.kappa_lookback_s),
        0,
    )
    replay(backtest, teacher.decoded)
    orders: list[TakerOrder] = backtest.takers
    rows: list[GridRow] = backtest.rows
    inside = teacher.started_ns < market.ended_ns and market.started_ns < teacher.ended_ns
    return calibrate(
        orders,
        rows,
        teacher.rules,
        lookback_s=MAX_LOOKBACK_MS / 1000,
        vol_window_s=book.vol_window_s,
        method=Method(prior_kappa=prior),
        provenance=", ".join(path.name for path in paths),
        in_sample=inside,
    )


def replay(backtest: Backtest, decoded: Decoded) -> None:
    """The market alone, without any lane."""
    for item in decoded:
        backtest.take(item)
    backtest.finish()
