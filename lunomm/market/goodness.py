"""Does the model fit? Kolmogorov-Smirnov against the exponential with Stephens' correction, and clustering."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from lunomm.market.intensity import Floats

KS_5_PERCENT: Final = 1.094
"""5 % point of Stephens' T* for an exponential with estimated mean (10 %: 0.990, 1 %: 1.308)."""


def stephens(values: Floats, tick: float = 0.0) -> float | None:
    """Kolmogorov-Smirnov distance of ``values`` from the exponential with their mean, as Stephens' T*.

    T* = (D - 0.2/n) (sqrt n + 0.26 + 0.5/sqrt n), above ``KS_5_PERCENT`` = rejected at 5 %. Given excesses over the
    touch, not depths: an exponential forgets its truncation, the depths themselves are not exponential.

    Args:
        tick: grid step that values were floored to. Those of one step are spread evenly over it: as ties they would
            reject the true law wherever the tick is coarse.

    Returns: ``None`` for fewer than two values or a mean of zero.
    Source: Stephens (1974), EDF statistics for goodness of fit.
    """
    n = len(values)
    if n < 2 or not float(values.max()) > 0.0:
        return None
    seen = _spread(values, tick) if tick > 0.0 else np.sort(values)
    cdf = -np.expm1(-seen / seen.mean())
    rank = np.arange(1, n + 1)
    distance = float(max((rank / n - cdf).max(), (cdf - (rank - 1) / n).max()))
    root = math.sqrt(n)
    return (distance - 0.2 / n) * (root + 0.26 + 0.5 / root)


def _spread(values: Floats, tick: float) -> Floats:
    steps = np.sort(np.round(values / tick))
    first = steps.searchsorted(steps)
    count = steps.searchsorted(steps, side="right") - first
    spread: Floats = (steps + (np.arange(len(steps)) - first + 0.5) / count) * tick
    return spread


def variation(values: Floats) -> float | None:
    """Coefficient of variation: 1 for Poisson arrivals; well above, they cluster and se(A) is that much too small."""
    if len(values) < 3 or not float(values.mean()) > 0.0:
        return None
    return float(values.std(ddof=1) / values.mean())
