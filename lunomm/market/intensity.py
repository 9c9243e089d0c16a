"""How often takers reach a distance from the mid: lambda(delta) = A exp(-kappa delta), per second and side.

One observation is one taker order: how deep its deepest fill was, relative to the fair mid just before. Nothing is
seen nearer than the touch (every depth is at least the half-spread h of that moment), so the maximum likelihood
estimate needs the history of h:

    log L = n ln(2A) + n ln k - k sum(D) - 2A int exp(-k h) dt
    A = n / (2 int exp(-k h) dt),   1/k = mean(D) - h~(k),   h~(k) = int h exp(-k h) dt / int exp(-k h) dt

After A is profiled out, log L is concave in k: one root. Ignoring the touch (1/mean(D), here `depth_fit`) is
biased by a quarter; curve fitting sums of amounts on distances, as the user's document does, finds a few percent of
the truth and gives no rate at all. Everything here is relative to the mid, so kappa survives price moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

KS_5_PERCENT: Final = 1.094
"""5 % point of Stephens' T* for an exponential with estimated mean (10 %: 0.990, 1 %: 1.308)."""

BINS_PER_E: Final = 40.0
"""Half-spread bins of 2.5 %, each kept with its exact mean: the error in exp(-k h) is below (0.025 k h)^2 / 24."""


class Fit(NamedTuple):
    """An intensity and its errors.

    kappa: decay per unit of relative distance (divide by the mid for 1/price). a: arrivals at distance 0, 1/s a side.
    se_log_kappa, se_log_a: standard errors of the logarithms: 95 % interval = estimate x exp(+-1.96 se).
    """

    kappa: float
    se_log_kappa: float
    a: float
    se_log_a: float

    @property
    def kappa_interval(self) -> tuple[float, float]:
        factor = math.exp(Z95 * self.se_log_kappa)
        return self.kappa / factor, self.kappa * factor

    @property
    def a_interval(self) -> tuple[float, float]:
        factor = math.exp(Z95 * self.se_log_a)
        return self.a / factor, self.a * factor


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


def merge_exposure(rows: Sequence[Floats]) -> Exposure | None:
    """Add up histograms, each an array (bins, 2) of relative half-spread and seconds, in logarithmic bins.

    Returns: ``None`` when there is no time in them.
    """
    if not rows:
        return None
    values = np.concatenate(rows)
    keep = (values[:, 0] > 0.0) & (values[:, 1] > 0.0)
    spreads, seconds = values[keep, 0], values[keep, 1]
    if not len(spreads):
        return None
    bins = np.floor(np.log(spreads) * BINS_PER_E).astype(int)
    bins -= bins.min()
    time: Floats = np.bincount(bins, weights=seconds).astype(float)
    weighted: Floats = np.bincount(bins, weights=spreads * seconds).astype(float)
    used = time > 0.0
    return Exposure(weighted[used] / time[used], time[used])


def exposure_fit(
    depths: Floats, exposure: Exposure, *, prior_kappa: float | None = None, prior_sample: float = PRIOR_SAMPLE
) -> Fit | None:
    """Maximum likelihood with the half-spread's history (the default estimator).

    Args:
        depths: deepest fill of each taker order from the mid, relative, each at least the half-spread of its moment.
        exposure: how long the half-spread was what, over the same time.
        prior_kappa: a relative kappa believed beforehand, worth ``prior_sample`` orders.

    Returns: ``None`` when kappa is not identified: no orders, or none went beyond the smallest half-spread.
    """
    n = len(depths)
    if n == 0 or not len(exposure.seconds):
        return None
    weight = float(n)
    total = float(depths.sum())
    if prior_kappa is not None:
        weight += prior_sample
        total += prior_sample / prior_kappa
    spreads, seconds = exposure
    nearest = float(spreads.min())
    reach = total - n * nearest
    if not reach > 1e-9 * total:
        return None

    def tilted(kappa: float) -> tuple[float, float, float]:
        """(integral of exp(-k (h - nearest)), mean, variance of h) under weights exp(-k h) dt."""
        weights = seconds * np.exp(-kappa * (spreads - nearest))
        integral = float(weights.sum())
        mean = float(weights @ spreads) / integral
        variance = float(weights @ (spreads - mean) ** 2) / integral
        return integral, mean, variance

    def score(kappa: float, mean: float) -> float:
        return weight / kappa - total + n * mean

    # The score falls in kappa, is >= 0 at weight / reach and < 0 far out: bracket, then Newton kept inside.
    low = weight / reach
    high = 2.0 * low
    while score(high, tilted(high)[1]) > 0.0:
        low, high = high, 2.0 * high
        if not math.isfinite(high):
            return None
    kappa = low
    for _ in range(200):
        integral, mean, variance = tilted(kappa)
        value = score(kappa, mean)
        low, high = (kappa, high) if value > 0.0 else (low, kappa)
        step = kappa + value / (weight / kappa**2 + n * variance)
        if not low <= step <= high:
            step = 0.5 * (low + high)
        if abs(step - kappa) <= 1e-13 * kappa:
            break
        kappa = step
    integral, mean, variance = tilted(kappa)
    se_kappa = (weight / kappa**2 + n * variance) ** -0.5
    log_a = math.log(n / (2.0 * integral)) + kappa * nearest
    if log_a > 300.0:
        return None
    return Fit(kappa, se_kappa / kappa, math.exp(log_a), math.sqrt(1.0 / n + (mean * se_kappa) ** 2))


def touch_fit(depths: Floats, half_spreads: Floats, seconds: float) -> Fit | None:
    """Truncated exponential: kappa = n / sum(D - h), for a constant half-spread or where its history is unknown.

    Args:
        half_spreads: relative half-spread at each order, same length as ``depths``.
        seconds: time observed.

    Returns: intervals by the normal approximation on the log scale (exact ones are chi-squared with 2n degrees).
    """
    n = len(depths)
    excess = float(np.maximum(depths - half_spreads, 0.0).sum()) if n else 0.0
    if n == 0 or seconds <= 0.0 or not excess > 1e-9 * float(depths.sum()):
        return None
    kappa = n / excess
    near = float(half_spreads.mean())
    if kappa * near > 300.0:
        return None
    se = 1.0 / math.sqrt(n)
    return Fit(kappa, se, n / (2.0 * seconds) * math.exp(kappa * near), math.sqrt(1.0 / n + (near * kappa * se) ** 2))


def depth_fit(depths: Floats, seconds: float) -> Fit | None:
    """The naive one, kappa = 1 / mean(D), A = n / (2 T): right only if the half-spread is zero. For comparison."""
    n = len(depths)
    if n == 0 or seconds <= 0.0 or not float(depths.sum()) > 0.0:
        return None
    se = 1.0 / math.sqrt(n)
    return Fit(n / float(depths.sum()), se, n / (2.0 * seconds), se)


def stephens(values: Floats) -> float | None:
    """Kolmogorov-Smirnov distance of ``values`` from the exponential with their mean, as Stephens' T*.

    T* = (D - 0.2/n) (sqrt n + 0.26 + 0.5/sqrt n), above ``KS_5_PERCENT`` = rejected at 5 %. Given excesses over the
    touch, not depths: an exponential forgets its truncation, the depths themselves are not exponential.

    Returns: ``None`` for fewer than two values or a mean of zero.
    Source: Stephens (1974), EDF statistics for goodness of fit.
    """
    n = len(values)
    if n < 2 or not float(values.mean()) > 0.0:
        return None
    cdf = -np.expm1(-np.sort(values) / values.mean())
    rank = np.arange(1, n + 1)
    distance = float(max((rank / n - cdf).max(), (cdf - (rank - 1) / n).max()))
    root = math.sqrt(n)
    return (distance - 0.2 / n) * (root + 0.26 + 0.5 / root)


def variation(values: Floats) -> float | None:
    """Coefficient of variation: 1 for Poisson arrivals; well above, they cluster and se(A) is that much too small."""
    if len(values) < 3 or not float(values.mean()) > 0.0:
        return None
    return float(values.std(ddof=1) / values.mean())
