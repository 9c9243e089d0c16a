"""What ``quote`` is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from lunomm.errors import UsageError
from lunomm.options import check, choice, show


@dataclass(frozen=True)
class QuoteOptions:
    """The document's inputs. Amounts in base; min_spread, max_spread: fractions of mid; *_s: exchange seconds; drift:
    percent a day; adverse_selection: bp."""

    order_size: Decimal = Decimal(1)
    order_size_explicit: bool = False
    gamma: float = 1.0
    eta: float = -0.005
    min_spread: float = 0.0
    order_refresh_rate_s: float = 60
    filled_order_delay_s: float = 60
    max_order_age_s: float = 1800
    horizon_s: float = 86_400
    spread_formula: Literal["paper", "readme"] = "paper"
    size_rule: Literal["decay", "literal"] = "decay"
    reprice_at: float = 0.5
    inventory_target: str | None = None
    kappa_prior: float | None = None
    min_size_policy: Literal["floor", "skip"] = "floor"
    model: Literal["as", "glft"] = "as"
    gamma_ref: Literal["lot", "capital", "absolute"] = "lot"
    target_skew: str | None = None
    drift: float = 0.0
    adverse_selection: float = 0.0
    max_spread: float | None = None
    no_improve: bool = False
    ignore_fees: bool = False
    tolerance_ticks: int = 1
    fair_price: str = "mid"
    levels: int = 1
    level_spacing: float | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        check("--order-size", self.order_size, 0, 1e12, open_low=True)
        check("--gamma", self.gamma, 0, 1e6)
        check("--eta", self.eta, -100, 100)
        check("--min-spread", self.min_spread, 0, 1)
        check("--order-refresh-rate-s", self.order_refresh_rate_s, 0.1, 86_400)
        check("--filled-order-delay-s", self.filled_order_delay_s, 0, 86_400)
        check("--max-order-age-s", self.max_order_age_s, 1, 7 * 86_400)
        check("--horizon-s", self.horizon_s, 1, 366 * 86_400)
        check("--reprice-at", self.reprice_at, 0, 1000)
        choice("--spread-formula", self.spread_formula, ("paper", "readme"))
        choice("--size-rule", self.size_rule, ("decay", "literal"))
        choice("--min-size-policy", self.min_size_policy, ("floor", "skip"))
        choice("--model", self.model, ("as", "glft"))
        choice("--gamma-ref", self.gamma_ref, ("lot", "capital", "absolute"))
        check("--drift", self.drift, -100, 100)
        check("--adverse-selection", self.adverse_selection, 0, 1000)
        check("--levels", self.levels, 1, 10)
        if self.reference is not None and self.fair_price != "mid":
            raise UsageError("--reference: makes the fair price, as --fair-price does. Give one of the two")
        if self.level_spacing is not None:
            check("--level-spacing", self.level_spacing, 0, 10_000, open_low=True)
        check("--tolerance-ticks", self.tolerance_ticks, 1, 1_000_000)
        if self.max_spread is not None:
            check("--max-spread", self.max_spread, 0, 1, open_low=True)
            if self.max_spread < self.min_spread:
                raise UsageError(f"--max-spread: {self.max_spread:g}: below --min-spread {self.min_spread:g}")
        if self.kappa_prior is not None:
            check("--kappa-prior", self.kappa_prior, 0, 1e12, open_low=True)
        if self.inventory_target is not None:
            check_target(self.inventory_target)


def check_target(text: str) -> None:
    """``0.05``, ``0.05XBT`` or ``50%``.

    Raises:
        UsageError: anything else.
    """
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?(%|[A-Z]{2,6})?", text.strip(), re.ASCII | re.IGNORECASE):
        raise UsageError(
            f"--inventory-target: {show(text)}: not an amount. Give base such as 0.05XBT, or a share such as 50%"
        )
    if text.strip().endswith("%") and float(text.strip()[:-1]) > 100:
        raise UsageError(f"--inventory-target: {show(text)}: more than everything. Give 0% to 100%")
