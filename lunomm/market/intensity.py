"""How often takers reach a distance from the mid: lambda(delta) = A exp(-kappa delta), per second and side.

One observation is one taker order: how deep its deepest fill was, relative to the fair mid just before. Nothing is
seen nearer than the touch (every depth is at least the half-spread h of that moment), so the maximum likelihood
estimate needs the history of h:

    log L = n ln(2A) + n ln k - k sum(D) - 2A int exp(-k h) dt
    A = n / (2 int exp(-k h) dt),   1/k = mean(D) - h~(k),   h~(k) = int h exp(-k h) dt / int exp(-k h) dt

Depths lie on the grid of prices: a taker that would have paid up to between two ticks is seen at the nearer one. With
the tick t the 1/k above becomes t / (exp(k t) - 1), exactly, which is the same for a fine grid.

After A is profiled out, log L is concave in k: one root. Ignoring the touch (1/mean(D), here `depth_fit`) is
biased by a quarter; curve fitting sums of amounts on distances, as the user's document does, finds a few percent of
the truth and gives no rate at all. Everything here is relative to the mid, so kappa survives price moves.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

Z95: Final = 1.96
GO_SAMPLE: Final = 50
THIN_SAMPLE: Final = 10
GO_WIDTH: Final = 0.35
"""GO needs both 95 % intervals within this fraction of their estimate."""

PRIOR_SAMPLE: Final = 5.0
"""Weight of a prior kappa the user gave, in taker orders."""

MAX_LOG_A: Final = 300.0
"""An A beyond e to this is an extrapolation beyond all use."""

MAX_SE_LOG: Final = 150.0
"""A standard error of log A or log kappa beyond which the 95 % interval spans more than e^588: nothing is known."""

MAX_LOG_FACTOR: Final = 600.0

BINS_PER_E: Final = 40.0
"""Half-spread bins of 2.5 %, each kept with its exact mean: the error in exp(-k h) is below (0.025 k h)^2 / 24."""


class Fit(NamedTuple):
    """An intensity and its errors.

    kappa: decay per unit of relative distance (divide by the mid for 1/price). a: arrivals at distance 0, 1/s a side.
    se_log_kappa, se_log_a: standard errors of the logarithms: 95 % interval = estimate x exp(+-1.96 se).
    pivot: relative distance at which the rate is known best, for there it does not depend on kappa.
    exact: the exact 95 % interval of kappa, where there is one.
    """

    kappa: float
    se_log_kappa: float
    a: float
    se_log_a: float
    pivot: float = 0.0
    exact: tuple[float, float] | None = None

    @property
    def kappa_interval(self) -> tuple[float, float]:
        if self.exact is not None:
            return self.exact
        factor = math.exp(Z95 * self.se_log_kappa)
        return self.kappa / factor, self.kappa * factor

    @property
    def a_interval(self) -> tuple[float, float]:
        factor = math.exp(Z95 * self.se_log_a)
        return self.a / factor, self.a * factor

    def rate(self, distance: float) -> float:
        """Arrivals that reach a relative distance, 1/s a side."""
        return self.a * math.exp(-self.kappa * distance)

    def rate_interval(self, distance: float) -> tuple[float, float]:
        """95 % interval of ``rate``: narrowest at the pivot."""
        spread = self.kappa * self.se_log_kappa
        count = max(self.se_log_a**2 - (self.pivot * spread) ** 2, 0.0)
        factor = math.exp(min(Z95 * math.sqrt(count + ((distance - self.pivot) * spread) ** 2), MAX_LOG_FACTOR))
        return self.rate(distance) / factor, self.rate(distance) * factor

    def overdispersed(self, factor: float, n: float) -> Fit:
        """With counts that vary ``factor`` times as much as Poisson's, so that only A is known less well."""
        return self._replace(se_log_a=math.sqrt(self.se_log_a**2 + (factor - 1.0) / n))


class Exposure(NamedTuple):
    """For how long the market stood at which half-spread. half_spreads: relative to mid. seconds: > 0, same length."""

    half_spreads: Floats
    seconds: Floats

    @property
    def total_s(self) -> float:
        return float(self.seconds.sum())

    @property
    def mean(self) -> float:
        return float(self.half_spreads @ self.seconds) / self.total_s


def half_spread_bin(half_spread: float) -> int:
    """Logarithmic bin of a relative half-spread (> 0)."""
    return math.floor(math.log(half_spread) * BINS_PER_E)


class Marks(NamedTuple):
    """How far each taker order went, relative to the mid.

    depths: deepest fill from the mid, each at least the half-spread of its moment. half_spreads: that, same length.
    weights: None, or executed size, same length: then kappa says how *volume* decays with depth (noisier).
    tick: relative grid step that depths are floored to; 0 for none. sides: how many sides of the book they fell on.
    """

    depths: Floats
    half_spreads: Floats
    weights: Floats | None = None
    tick: float = 0.0
    sides: int = 2

    @property
    def effective(self) -> float:
        """Sample size that matters for the errors: (sum w)^2 / sum w^2."""
        if self.weights is None:
            return float(len(self.depths))
        return float(self.weights.sum()) ** 2 / float(self.weights @ self.weights)

    def mean(self, values: Floats) -> float:
        return float(values.mean() if self.weights is None else self.weights @ values / self.weights.sum())


def exposure_fit(
    marks: Marks, exposure: Exposure, *, prior_kappa: float | None = None, prior_sample: float = PRIOR_SAMPLE
) -> Fit | None:
    """Maximum likelihood with the half-spread's history (the default estimator).

    Args:
        exposure: how long the half-spread was what, over the time of the marks.
        prior_kappa: a relative kappa believed beforehand, worth ``prior_sample`` orders.

    Returns: ``None`` when kappa is not identified: no orders, or none went beyond the smallest half-spread.
    """
    if not len(marks.depths) or not len(exposure.seconds):
        return None
    n, tick = marks.effective, marks.tick
    depth = marks.mean(marks.depths)
    believed = prior_sample if prior_kappa is not None else 0.0
    trust = prior_sample / prior_kappa if prior_kappa is not None else 0.0
    spreads, seconds = exposure
    nearest = float(spreads.min())
    reach = n * (depth - nearest) + trust
    if not reach > 1e-9 * n * depth:
        return None

    shift = spreads - nearest
    powers = np.stack((seconds, seconds * shift, seconds * shift * shift), axis=1)

    def tilted(kappa: float) -> tuple[float, float, float]:
        """(integral of exp(-k (h - nearest)), mean, variance of h) under weights exp(-k h) dt."""
        integral, first, second = (np.exp(shift * -kappa) @ powers).tolist()
        beyond = first / integral
        return integral, nearest + beyond, max(second / integral - beyond * beyond, 0.0)

    def score(kappa: float, mean: float) -> float:
        return n * _mean_excess(kappa, tick) + believed / kappa - n * (depth - mean) - trust

    def information(kappa: float, variance: float) -> float:
        return n * (_mark_information(kappa, tick) + variance) + believed / kappa**2

    # The score falls in kappa, is >= 0 at the first low (the mean excess is at least 1/k - tick/2) and < 0 far out:
    # bracket, then Newton on 1/kappa, in which the score is nearly straight, kept inside.
    low = (n + believed) / (reach + 0.5 * n * tick)
    high = 2.0 * low
    kappa = low
    while True:
        _, mean, variance = tilted(high)
        value = score(high, mean)
        if value <= 0.0:
            break
        low, high = high, 2.0 * high
        kappa = low
        if not math.isfinite(high):
            return None
    for _ in range(200):
        _, mean, variance = tilted(kappa)
        value = score(kappa, mean)
        slope = information(kappa, variance)
        share = value / (kappa * slope) if slope > 0.0 else 1.0
        # Before the bracket is asked: next to the root the sign of the score is noise.
        if abs(share) <= 1e-13:
            break
        low, high = (kappa, high) if value > 0.0 else (low, kappa)
        step = kappa / (1.0 - share) if share < 1.0 else high
        if not low < step < high:
            step = 0.5 * (low + high)
        if step == kappa:
            break
        kappa = step
    integral, mean, variance = tilted(kappa)
    known = information(kappa, variance)
    log_a = math.log(len(marks.depths) / (marks.sides * integral)) + kappa * nearest
    if log_a > MAX_LOG_A or not known > 0.0:
        return None
    se_kappa = known**-0.5
    return _identified(Fit(kappa, se_kappa / kappa, math.exp(log_a), math.sqrt(1.0 / n + (mean * se_kappa) ** 2), mean))


def _identified(fit: Fit) -> Fit | None:
    """None where the data say so little that the interval has no numbers: a few large orders, weighted by size."""
    return fit if max(fit.se_log_a, fit.se_log_kappa) <= MAX_SE_LOG else None


def _mean_excess(kappa: float, tick: float) -> float:
    """Of an exponential floored to the tick: 1/kappa without one."""
    reach = kappa * tick
    return tick / math.expm1(reach) if 0.0 < reach < 700.0 else (1.0 / kappa if reach == 0.0 else 0.0)


def _mark_information(kappa: float, tick: float) -> float:
    """Fisher information of one floored excess about kappa: 1/kappa^2 without a tick."""
    half = 0.5 * kappa * tick
    return (0.5 * tick / math.sinh(half)) ** 2 if 0.0 < half < 350.0 else (kappa**-2 if half == 0.0 else 0.0)


def touch_fit(marks: Marks, seconds: float) -> Fit | None:
    """Truncated exponential: kappa = n / sum(D - h), for a constant half-spread or where its history is unknown.

    Args:
        seconds: time observed.

    Returns: without weights the interval of kappa is exact (chi-squared with 2n degrees of freedom; with a tick, to
        second order in kappa x tick).
    """
    n, tick = marks.effective, marks.tick
    excess = marks.mean(np.maximum(marks.depths - marks.half_spreads, 0.0)) if n else 0.0
    if not n or seconds <= 0.0 or not excess > 1e-9 * marks.mean(marks.depths):
        return None
    kappa = math.log1p(tick / excess) / tick if tick > 0.0 else 1.0 / excess
    near = marks.mean(marks.half_spreads)
    se = (n * excess * (excess + tick)) ** -0.5
    log_a = math.log(len(marks.depths) / (marks.sides * seconds)) + kappa * near
    if log_a > MAX_LOG_A:
        return None
    exact = None
    if marks.weights is None:
        low, high = gamma_interval(len(marks.depths))
        mean = excess + 0.5 * tick
        exact = (low / (n * mean), high / (n * mean))
    return _identified(Fit(kappa, se / kappa, math.exp(log_a), math.sqrt(1.0 / n + (near * se) ** 2), near, exact))


def depth_fit(marks: Marks, seconds: float) -> Fit | None:
    """The naive one, kappa = 1 / mean(D), A = n / (2 T): right only if the half-spread is zero. For comparison."""
    n = marks.effective if len(marks.depths) else 0.0
    if not n or seconds <= 0.0 or not float(marks.depths.sum()) > 0.0:
        return None
    se = n**-0.5
    return Fit(1.0 / marks.mean(marks.depths), se, len(marks.depths) / (marks.sides * seconds), se)


def gamma_interval(n: int) -> tuple[float, float]:
    """2.5 % and 97.5 % points of a sum of ``n`` standard exponentials (half of chi-squared with 2n degrees).

    P(sum > x) is the chance of fewer than n Poisson events in x: a finite sum, so the points are exact for any n.
    """

    def above(x: float) -> float:
        k = np.arange(n, dtype=float)
        logs = k * math.log(x) - np.concatenate([[0.0], np.cumsum(np.log(k[1:]))]) - x
        top = float(logs.max())
        return math.exp(top) * float(np.exp(logs - top).sum())

    def point(tail: float) -> float:
        low, high = 1e-12, n + 8.0 * math.sqrt(n) + 12.0
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if above(middle) > tail else (low, middle)
        return 0.5 * (low + high)

    return point(0.975), point(0.025)
