"""What a user may ask of the quoter, checked when made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import UsageError
from lunomm.quoting.avellaneda_stoikov import SpreadFormula
from lunomm.quoting.models import ModelName, Taste
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew
from lunomm.quoting.sizing import MinSizePolicy, SizeRule

MAX_LEVELS = 10
"""Orders a side; the gateway accepts no more."""


@dataclass(frozen=True)
class QuoterOptions:
    """The user's inputs. order_size: base. min_spread, max_spread: fractions of the fair price. eta: 1/lot.
    kappa_prior: 1/price.

    inventory_target: ``50%`` or ``0.05XBT``; None = as the gateway keeps it. *_s: exchange seconds. target_skew:
    instead of gamma. drift_daily: fraction a day, impact_bp: see :class:`Taste`. tolerance_ticks: a wanted price nearer
    than that to the standing one is the same. levels: orders a side. level_spacing_bp: between them, bp of the fair
    price; None = a half-spread. reference: two other pairs that make the fair price, see :class:`Reference`.

    Raises:
        UsageError: a value out of its range, or options that exclude each other.
    """

    order_size: Decimal = Decimal(1)
    gamma: float = 1.0
    eta: float = -0.005
    min_spread: float = 0.0
    order_refresh_rate_s: float = 60.0
    filled_order_delay_s: float = 60.0
    max_order_age_s: float = 1800.0
    horizon_s: float = 86_400.0
    spread_formula: SpreadFormula = SpreadFormula.PAPER
    size_rule: SizeRule = SizeRule.DECAY
    reprice_at: float = 0.5
    inventory_target: str | None = None
    kappa_prior: float | None = None
    min_size_policy: MinSizePolicy = MinSizePolicy.FLOOR
    model: ModelName = ModelName.AS
    gamma_ref: GammaRef = GammaRef.LOT
    target_skew: TargetSkew | None = None
    drift_daily: float = 0.0
    impact_bp: float = 0.0
    max_spread: float | None = None
    no_improve: bool = False
    ignore_fees: bool = False
    tolerance_ticks: int = 1
    levels: int = 1
    level_spacing_bp: float | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if not (self.order_size.is_finite() and self.order_size > 0):
            raise UsageError(f"order size must be a positive amount: {self.order_size}")
        for name, value, above in (
            ("gamma", self.gamma, False),
            ("min_spread", self.min_spread, False),
            ("max_spread", 1.0 if self.max_spread is None else self.max_spread, True),
            ("order_refresh_rate_s", self.order_refresh_rate_s, False),
            ("filled_order_delay_s", self.filled_order_delay_s, False),
            ("reprice_at", self.reprice_at, False),
            ("max_order_age_s", self.max_order_age_s, True),
            ("horizon_s", self.horizon_s, True),
            ("level_spacing_bp", 1.0 if self.level_spacing_bp is None else self.level_spacing_bp, True),
            ("impact_bp", self.impact_bp, False),
            ("kappa_prior", 1.0 if self.kappa_prior is None else self.kappa_prior, True),
        ):
            if not (value > 0.0 or (value == 0.0 and not above)) or value == float("inf"):
                raise UsageError(f"{name} must be finite and {'above' if above else 'at least'} 0: {value}")
        for name, value in (("eta", self.eta), ("drift", self.drift_daily)):
            if not math.isfinite(value):
                raise UsageError(f"{name} must be finite: {value}")
        if self.max_spread is not None and self.max_spread < self.min_spread:
            raise UsageError(f"max_spread {self.max_spread:g} is below min_spread {self.min_spread:g}")
        if self.tolerance_ticks < 1:
            raise UsageError(f"tolerance_ticks must be at least 1: {self.tolerance_ticks}")
        if not 1 <= self.levels <= MAX_LEVELS:
            raise UsageError(f"levels must be from 1 to {MAX_LEVELS}: {self.levels}")
        self.taste()  # refuses what excludes each other

    def taste(self) -> Taste:
        """The part that the models need."""
        return Taste(
            model=self.model,
            gamma=self.gamma,
            gamma_ref=self.gamma_ref,
            target_skew=self.target_skew,
            horizon_s=self.horizon_s,
            formula=self.spread_formula,
            drift_daily=self.drift_daily,
            impact_bp=self.impact_bp,
        )
