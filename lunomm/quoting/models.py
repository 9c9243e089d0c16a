"""Which model prices, with what taste: one door from settings and estimates to a :class:`Model`.

Live quotes, `explain`, tapes and backtests all come through :func:`price`, so that they cannot differ.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from lunomm.errors import ModelError, UsageError
from lunomm.quoting import glft
from lunomm.quoting.avellaneda_stoikov import (
    Model,
    SpreadFormula,
    check_risk,
    evaluate,
    finite,
    intensity_half_spread,
    risk_half_spread,
)
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew, for_target, per_lot

DAY_S = 86_400.0


class ModelName(enum.StrEnum):
    """AS: Avellaneda & Stoikov (2008), rolling horizon. GLFT: Guéant, Lehalle & Fernandez-Tapia (2013), long run."""

    AS = "as"
    GLFT = "glft"


@dataclass(frozen=True)
class Taste:
    """How a user wants to be quoted for, whatever the market.

    gamma: >= 0, see ``gamma_ref``. target_skew: instead of gamma. horizon_s: A-S's rolling T - t. drift_daily: expected
    relative drift of the fair price a day (GLFT). impact_bp: what the fair price moves against us at each fill (GLFT).

    Raises:
        UsageError: an option of one model given to the other.
    """

    model: ModelName = ModelName.AS
    gamma: float = 1.0
    gamma_ref: GammaRef = GammaRef.LOT
    target_skew: TargetSkew | None = None
    horizon_s: float = DAY_S
    formula: SpreadFormula = SpreadFormula.PAPER
    drift_daily: float = 0.0
    impact_bp: float = 0.0

    def __post_init__(self) -> None:
        if self.model is ModelName.GLFT and self.formula is not SpreadFormula.PAPER:
            raise UsageError("--spread-formula readme: is a form of A-S. Leave --model glft away, or the formula")
        if self.model is ModelName.AS and (self.drift_daily != 0.0 or self.impact_bp != 0.0):
            raise UsageError("--drift and --adverse-selection: are extensions of GLFT. Say --model glft")


@dataclass(frozen=True)
class Market:
    """What is believed of the market. fair: counter per base. sigma: relative, 1/sqrt(s). kappa: 1/price. intensity:
    A, 1/s a side, None = unknown. kappa_bid, kappa_ask: the sides' own, None = the pooled one."""

    fair: float
    sigma: float
    kappa: float
    intensity: float | None = None
    kappa_bid: float | None = None
    kappa_ask: float | None = None


def price(
    taste: Taste,
    market: Market,
    *,
    n: float,
    lot: float,
    capital: float | None = None,
    bound: float | None = None,
    cost: float = 0.0,
) -> Model:
    """Evaluate the chosen model.

    Args:
        n: Inventory minus target, lots, clipped to the bound.
        lot: Base.
        capital: All that is owned, base; for gamma relative to it.
        bound: Position limit in lots, None = none. GLFT's Q; A-S knows none.
        cost: What a fill costs, counter per base. It makes fills rarer, so GLFT skews harder; the caller adds it to
            each side's distance itself.

    Raises:
        ModelError: anything missing, not finite, out of range, or units that cannot be right.
    """
    fair = finite("fair price", market.fair, above=0.0)
    finite("sigma", market.sigma, above=0.0)
    finite("kappa", market.kappa, above=0.0)
    finite("lot", lot, above=0.0)
    gamma_p = _gamma_p(taste, market, lot, capital)
    if taste.model is ModelName.AS:
        return evaluate(
            fair=fair,
            n=n,
            gamma_p=gamma_p,
            sigma_relative=market.sigma,
            kappa=market.kappa,
            tau=taste.horizon_s,
            kappa_bid=market.kappa_bid,
            kappa_ask=market.kappa_ask,
            formula=taste.formula,
        )
    return _glft(taste, market, gamma_p, n, bound, finite("cost of a fill", cost))


def _glft(taste: Taste, market: Market, gamma_p: float, n: float, bound: float | None, cost: float) -> Model:
    flow = _flow(taste, market, gamma_p, cost)
    c = flow.c
    check_risk(c, market.fair, "GLFT's C")
    bid, ask = (
        glft.half_spread(gamma_p, market.kappa if own is None else own) for own in (market.kappa_bid, market.kappa_ask)
    )
    found = glft.indifference(flow, n, bound)
    half = 0.5 * c
    impact_half = 0.5 * flow.impact
    below = None if found.bid is None else found.bid - impact_half
    above = None if found.ask is None else found.ask - impact_half
    if below is not None and above is not None:
        half = 0.5 * (below + above)
    if above is not None:
        reservation = market.fair + above - half
    elif below is not None:
        reservation = market.fair - below + half
    else:
        raise ModelError(f"the position limit of {bound:g} lots leaves room for neither side")
    model = Model(
        fair=market.fair,
        reservation=finite("reservation price", reservation),
        risk_half=half,
        intensity_half=0.5 * (bid + ask),
        shift=2.0 * half,
        n=n,
        gamma_p=gamma_p,
        kappa=market.kappa,
        sigma=flow.sigma,
        tau=taste.horizon_s,
        bid=below is not None,
        ask=above is not None,
        tilt=0.5 * (ask - bid),
        impact_half=impact_half,
        c=c,
        method=found.method.value,
    )
    finite("spread", model.spread_bps)
    return model


def _flow(taste: Taste, market: Market, gamma_p: float, cost: float = 0.0) -> glft.Flow:
    if market.intensity is None:
        raise ModelError("GLFT needs the arrival rate A, which is not known: wait for it, or quote with --model as")
    thinned = market.kappa * cost
    if not abs(thinned) < 500.0:
        raise ModelError(f"a fill costs {thinned:.3g} times 1/kappa: nobody would pay that")
    return glft.Flow(
        intensity=market.intensity * math.exp(-thinned),
        kappa=market.kappa,
        gamma_p=gamma_p,
        sigma=finite("sigma times price", market.sigma * market.fair),
        drift=taste.drift_daily * market.fair / DAY_S,
        impact=taste.impact_bp * 1e-4 * market.fair,
    )


def _gamma_p(taste: Taste, market: Market, lot: float, capital: float | None) -> float:
    if taste.target_skew is None:
        return per_lot(taste.gamma, taste.gamma_ref, fair=market.fair, lot=lot, capital=capital)
    sigma = market.sigma * market.fair

    def intensity(gamma_p: float) -> float:
        return intensity_half_spread(gamma_p, market.kappa, formula=taste.formula, fair=market.fair)

    def shift(gamma_p: float) -> float:
        if taste.model is ModelName.AS:
            return 2.0 * risk_half_spread(gamma_p, sigma, taste.horizon_s)
        return _flow(taste, market, gamma_p).c

    if taste.model is ModelName.GLFT:
        _flow(taste, market, 1.0 / market.fair)  # what is missing is said here, not as an unreachable skew
    return for_target(taste.target_skew, market.fair, shift, lambda g: shift(g) + 2.0 * intensity(g))
