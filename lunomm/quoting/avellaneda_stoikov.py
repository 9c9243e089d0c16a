"""Avellaneda & Stoikov's quotes in lots, with units stated once.

The paper's closed form compares gamma with kappa and so holds for orders of one unit. For lots of any size replace
gamma by ``gamma_p = gamma_abs * lot`` and the position by ``n = position / lot``; everything below takes those two.
``sigma`` is absolute (price per sqrt(second)): sigma squared, not sigma, makes ``gamma_p * sigma**2 * tau`` a price.

Rejected: the infinite-horizon form of the paper's section 2.3. With its own choice of the discount, sigma cancels and
the quote does not react to volatility. A rolling horizon (constant tau) serves a market without a close instead.

Source: Avellaneda & Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8(3), 217-224,
equations (29) and (30).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from lunomm.errors import ModelError

_SERIES_BELOW = 1e-6
"""Below this gamma_p/kappa the logarithm's series is exact to the last bit and does not divide by zero."""

MAX_RISK_SHARE = 0.5
"""Largest gamma_p sigma^2 tau as a share of the price; beyond it units are wrong, and a clamp would hide that."""


class SpreadFormula(enum.StrEnum):
    """PAPER: (2/gamma) ln(1 + gamma/kappa). README: the user's ln(1 + gamma/kappa), every quantity relative to the
    price."""

    PAPER = "paper"
    README = "readme"


@dataclass(frozen=True)
class Model:
    """One evaluation of any model before fees, clamp and rounding. Prices in counter per base.

    n: inventory minus target in lots, as used (clipped). reservation: where holding it and being at target are worth
    the same; at a bound that forbids one side, half a shift inside the other side's indifference price. shift: fall of
    the reservation price per lot held, here. risk_half, intensity_half: the two parts of the half-spread (the second
    the mean of both sides'). gamma_p: 1/price. kappa: 1/price. sigma: price/sqrt(s). tau: s. bid, ask: False where a
    bound forbids the side. tilt: how much wider than the mean the ask's intensity half-spread is, the bid's narrower;
    0 unless the sides' kappas differ. impact_half: half of what a fill moves the price. c: GLFT's C; None in other
    models. method: how it was computed.
    """

    fair: float
    reservation: float
    risk_half: float
    intensity_half: float
    shift: float
    n: float
    gamma_p: float
    kappa: float
    sigma: float
    tau: float
    bid: bool = True
    ask: bool = True
    tilt: float = 0.0
    impact_half: float = 0.0
    c: float | None = None
    method: str = "closed form"

    @property
    def half_spread(self) -> float:
        return self.risk_half + self.intensity_half + self.impact_half

    @property
    def spread_bps(self) -> float:
        return 2e4 * self.half_spread / self.fair

    @property
    def shift_bps(self) -> float:
        """Per lot."""
        return 1e4 * self.shift / self.fair

    @property
    def n_flip(self) -> float | None:
        """Inventory in lots at which one of the two quotes sits on the fair price; None without skew."""
        flip = self.half_spread / self.shift if self.shift > 0.0 else math.inf
        return flip if math.isfinite(flip) else None

    @property
    def kappa_c(self) -> float | None:
        """GLFT's kappa C, a pure number; its closed form is good while this is small."""
        return None if self.c is None else self.kappa * self.c


def finite(name: str, value: float, *, low: float | None = None, above: float | None = None) -> float:
    """``value`` if it is finite and inside its range.

    Raises:
        ModelError: not finite, below ``low``, or not above ``above``.
    """
    if not math.isfinite(value):
        raise ModelError(f"{name} is not finite: {value}")
    if low is not None and value < low:
        raise ModelError(f"{name} must be at least {low:g}: {value:g}")
    if above is not None and value <= above:
        raise ModelError(f"{name} must be above {above:g}: {value:g}")
    return value


def gamma_per_lot(gamma: float, fair: float) -> float:
    """Risk aversion per lot from the dimensionless knob: gamma_abs = gamma/(lot * fair), times the lot.

    Args:
        gamma: Dimensionless, >= 0; 1 shifts quotes by one horizon's relative variance per lot held.
        fair: Fair price, counter per base, > 0.

    Returns: 1/price.
    Raises: ModelError: an argument not finite or out of range.
    """
    return finite("gamma", gamma, low=0.0) / finite("fair price", fair, above=0.0)


def reservation(fair: float, n: float, gamma_p: float, sigma: float, tau: float) -> float:
    """Price at which holding the present inventory and being at target are worth the same.

    Args:
        fair: Fair price, counter per base, own orders excluded, > 0.
        n: Inventory minus target, in lots, long positive.
        gamma_p: Risk aversion per lot, 1/price, >= 0.
        sigma: Volatility of the fair price, price per sqrt(second), >= 0; not percent, not variance.
        tau: Horizon left, seconds, >= 0.

    Returns: counter per base, not rounded. Falls as inventory rises; equals fair at target.
    Raises: ModelError: an input not finite or out of range, or a result that is not finite.
    Source: Avellaneda & Stoikov (2008), (29).
    """
    finite("fair price", fair, above=0.0)
    finite("inventory", n)
    return finite("reservation price", fair - n * _risk(gamma_p, sigma, tau))


def risk_half_spread(gamma_p: float, sigma: float, tau: float) -> float:
    """Half of gamma_p sigma^2 tau, counter per base: what a lot's variance over the horizon costs.

    Raises: ModelError as :func:`reservation`.
    Source: Avellaneda & Stoikov (2008), (30), first term.
    """
    return 0.5 * _risk(gamma_p, sigma, tau)


def intensity_half_spread(
    gamma_p: float, kappa: float, *, formula: SpreadFormula = SpreadFormula.PAPER, fair: float | None = None
) -> float:
    """The half-spread that order flow of decay kappa pays, counter per base.

    paper: (1/gamma_p) ln(1 + gamma_p/kappa), 1/kappa as gamma_p -> 0. readme: (fair/2) ln(1 + gamma_p/kappa), 0 as
    gamma_p -> 0.

    Args:
        gamma_p: Risk aversion per lot, 1/price, >= 0.
        kappa: Decay of the arrival intensity, 1/price, > 0.
        fair: Fair price; needed by ``readme`` only.

    Raises: ModelError: an input not finite or out of range, or a result that is not finite.
    Source: Avellaneda & Stoikov (2008), (30), second term; the user's document for ``readme``.
    """
    finite("gamma per lot", gamma_p, low=0.0)
    x = finite("gamma/kappa", gamma_p / finite("kappa", kappa, above=0.0))
    if formula is SpreadFormula.README:
        if fair is None:
            raise ModelError("the readme spread formula is relative to the fair price, which is missing")
        return finite("intensity half-spread", 0.5 * finite("fair price", fair, above=0.0) * math.log1p(x))
    half = (1.0 - x / 2.0 + x * x / 3.0) / kappa if x < _SERIES_BELOW else math.log1p(x) / gamma_p
    return finite("intensity half-spread", half)


def evaluate(
    *,
    fair: float,
    n: float,
    sigma_relative: float,
    kappa: float,
    tau: float,
    gamma: float | None = None,
    gamma_p: float | None = None,
    kappa_bid: float | None = None,
    kappa_ask: float | None = None,
    formula: SpreadFormula = SpreadFormula.PAPER,
) -> Model:
    """The whole model at one instant.

    Args:
        fair: Fair price, counter per base.
        n: Inventory minus target in lots, already clipped to the position limit.
        gamma: Dimensionless risk aversion per lot, >= 0; or instead
        gamma_p: risk aversion per lot, 1/price, >= 0.
        sigma_relative: 1/sqrt(second), > 0.
        kappa: 1/price, > 0.
        kappa_bid, kappa_ask: The sides' own, where they are known apart.
        tau: Horizon, seconds, > 0.

    Raises: ModelError: as above, or gamma_p sigma^2 tau above half the price (misconfigured units are refused, not
    clamped).
    """
    finite("sigma", sigma_relative, above=0.0)
    finite("fair price", fair, above=0.0)
    if gamma_p is None:
        if gamma is None:
            raise ModelError("gamma is missing")
        gamma_p = gamma_per_lot(gamma, fair)
    sigma = finite("sigma times price", sigma_relative * fair)
    risk = _risk(gamma_p, sigma, finite("horizon", tau, above=0.0))
    check_risk(risk, fair, "gamma sigma^2 horizon")
    bid, ask = (
        intensity_half_spread(gamma_p, kappa if own is None else own, formula=formula, fair=fair)
        for own in (kappa_bid, kappa_ask)
    )
    model = Model(
        fair=fair,
        reservation=reservation(fair, n, gamma_p, sigma, tau),
        risk_half=0.5 * risk,
        intensity_half=0.5 * (bid + ask),
        shift=risk,
        n=n,
        gamma_p=gamma_p,
        kappa=kappa,
        sigma=sigma,
        tau=tau,
        tilt=0.5 * (ask - bid),
    )
    finite("spread", model.spread_bps)
    return model


def check_risk(risk: float, fair: float, what: str) -> None:
    """Raises: ModelError: a risk term above half the price, which only mistaken units produce."""
    if risk > MAX_RISK_SHARE * fair:
        raise ModelError(f"{what} is {risk / fair:.3g} of the price, above {MAX_RISK_SHARE:g}: check their units")


def _risk(gamma_p: float, sigma: float, tau: float) -> float:
    """gamma_p sigma^2 tau, a price."""
    finite("gamma per lot", gamma_p, low=0.0)
    finite("sigma", sigma, low=0.0)
    finite("horizon", tau, low=0.0)
    # Products, not **: a float power raises OverflowError where a product is inf, which `finite` names.
    return finite("gamma sigma^2 horizon", gamma_p * sigma * sigma * tau)
