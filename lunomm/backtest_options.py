"""What a run on recorded markets is asked, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.options import BookOptions, GatewayOptions, QuoteOptions, show

MAX_LATENCY_MS = 60_000


@dataclass(frozen=True)
class BacktestOptions:
    """pair: where the tapes do not say it. base, counter: held at the start; None = as the simulated exchange has it.

    maker_fee, taker_fee: percent, None = the tape's. latency_ms: each way. latency_log: a session's journal instead.
    calibrate: tapes to learn the parameters from beforehand. html: report to write.
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
        if self.html is not None and not self.html.absolute().parent.is_dir():
            raise UsageError(f"--html: {show(str(self.html))}: no such folder. Name a file in a folder that exists")


def _range(option: str, value: float | Decimal, low: float, high: float) -> None:
    if not low <= value <= high:  # a NaN is in no range
        raise UsageError(f"{option}: {show(str(value))}: out of range. Give a number from {low:g} to {high:g}")
