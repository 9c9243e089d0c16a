"""What a run on recorded markets is asked, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.options import show
from lunomm.options.book import BookOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions

MAX_LATENCY_MS = 60_000


@dataclass(frozen=True)
class BacktestOptions:
    """pair: where the tapes do not say it. base, counter: held at the start; None = as the simulated exchange has it.

    maker_fee, taker_fee: percent, None = the tape's. latency_ms: each way. latency_log: a session's journal instead.
    calibrate: tapes to learn the parameters from beforehand. html: report to write. sweep: NAME=VALUES each;
    random: how many to draw, None = all combinations; walk_forward: steps of the split, 0 = none; out: the table;
    workers: local processes, None = all cores; scheduler: of a Dask cluster.
    """

    tapes: tuple[Path, ...]
    pair: str | None = None
    quote: QuoteOptions = field(default_factory=QuoteOptions)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    book: BookOptions = field(default_factory=BookOptions)
    base: Decimal | None = None
    counter: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    latency_ms: float = 50.0
    latency_log: Path | None = None
    calibrate: tuple[Path, ...] = ()
    html: Path | None = None
    sweep: tuple[str, ...] = ()
    random: int | None = None
    seed: int = 1
    walk_forward: int = 0
    out: Path | None = None
    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        _range("--latency-ms", self.latency_ms, 0, MAX_LATENCY_MS)
        for name, amount in (("--base", self.base), ("--counter", self.counter)):
            if amount is not None:
                _range(name, amount, 0, 1e15)
        for name, fee in (("--maker-fee", self.maker_fee), ("--taker-fee", self.taker_fee)):
            if fee is not None:
                _range(name, fee, -10, 10)
        if self.quote.reference is not None:
            raise UsageError("--reference: a tape holds one market. Quote around --fair-price")
        for option, path in (("--latency-log", self.latency_log), *(("--calibrate", path) for path in self.calibrate)):
            if path is not None and not path.is_file():
                raise UsageError(f"{option}: {show(str(path))}: no such file")
        several = {
            "--random": self.random, "--walk-forward": self.walk_forward, "--out": self.out, "--workers": self.workers,
            "--scheduler": self.scheduler,
        }  # fmt: skip
        if not self.sweep and (lonely := [name for name, value in several.items() if value]):
            raise UsageError(f"{lonely[0]}: belongs to --sweep. Say what is to vary")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"--seed: {self.seed}: out of range. Give a whole number from 0 to 2**63 - 1")
        _range("--walk-forward", self.walk_forward, 0, 1000)
        if self.workers is not None:
            _range("--workers", self.workers, 1, 1024)
        for option, path in (("--out", self.out),):
            if path is not None and not path.absolute().parent.is_dir():
                raise UsageError(f"{option}: {show(str(path))}: no such folder. Name a file in a folder that exists")
        if self.html is not None and not self.html.absolute().parent.is_dir():
            raise UsageError(f"--html: {show(str(self.html))}: no such folder. Name a file in a folder that exists")


def _range(option: str, value: float | Decimal, low: float, high: float) -> None:
    if not low <= value <= high:  # a NaN is in no range
        raise UsageError(f"{option}: {show(str(value))}: out of range. Give a number from {low:g} to {high:g}")
