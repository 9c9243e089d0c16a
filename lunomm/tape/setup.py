"""Everything a run over recorded markets depends on but the tape (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from lunomm.market.records import Params
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.tape.attention import Attention
from lunomm.tape.latency import Fixed, Latency, Measured, RoundTrip
from lunomm.tape.lines import Warmth
from lunomm.trading.limits import Limits

BASELINE_SPREAD: Final = 0.002
"""Whole spread of the baseline, fraction of the fair price: 10 bp a side, as everywhere in the toolkit."""

DEPTH: Final = 10


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything a run depends on but the tape.

    base, counter: what the account begins with; None: as the simulated exchange's. maker_fee, taker_fee: fractions;
    None: the tape's, else none. one_way_ms: latency each way; trips: a session's instead. fair_price: a built-in's
    name. params: a calibration to start from. epoch_ms: names the intents. seed: of the order ids. start_ns, end_ns:
    our clock, when the lanes begin and end; 0 and None: with the tape. warm: what the book began from.
    attention: when a session's quoter looked. quote_from_ns: our clock, when the quoter begins.
    opening: a session's, as its journal notes it. unseen: our orders are in no book (a paper exchange's are not).
    """

    quoter: QuoterOptions = field(default_factory=QuoterOptions)
    fair_price: str = "mid"
    vol_window_s: float = 600.0
    kappa_lookback_s: float = 1200.0
    vol_price: str = "mid"
    depth: int = DEPTH
    limits: Limits = field(default_factory=Limits)
    balance_s: float = 30.0
    base: Decimal | None = None
    counter: Decimal | None = None
    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)
    one_way_ms: float = 50.0
    trips: tuple[RoundTrip, ...] = ()
    params: Params | None = None
    baseline: bool = True
    epoch_ms: int = 1
    seed: int = 1
    start_ns: int = 0
    end_ns: int | None = None
    warm: Warmth | None = None
    attention: Attention | None = None
    quote_from_ns: int = 0
    opening: Mapping[str, str] = field(default_factory=dict)
    unseen: bool = False

    @property
    def watched(self) -> tuple[float, float, str, int]:
        """What the observer's work depends on: runs that agree in it share what the first made of the market."""
        return self.vol_window_s, self.kappa_lookback_s, self.vol_price, self.depth

    @property
    def latency(self) -> Latency:
        """A new one each time: a session's round trips are gone through in turn."""
        return Measured(self.trips) if self.trips else Fixed(self.one_way_ms)

    @property
    def back_ns(self) -> int:
        """The way of the market's messages to us, as far as their times of receipt do not say it."""
        return 0 if self.attention is not None else self.latency.back_ns


def baseline_options(options: QuoterOptions) -> QuoterOptions:
    """A fixed spread about the mid, no skew, the same lot, renewed every minute whatever the price does."""
    return QuoterOptions(
        order_size=options.order_size,
        gamma=0.0,
        eta=0.0,
        min_spread=BASELINE_SPREAD,
        max_spread=BASELINE_SPREAD,
        reprice_at=0.0,
        inventory_target=options.inventory_target,
        kappa_prior=options.kappa_prior,
        ignore_fees=True,
    )
