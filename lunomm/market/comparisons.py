"""Other people's estimators of kappa and A, to compare with: labelled as such, never quoted from.

Neither has an error bar of its own that could be believed: cumulative counts are correlated, and sums of amounts at
distinct distances are no intensity at all.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from lunomm.market.intensity import Floats, Marks

HIGHEST: Final = 700.0
"""Logarithm beyond which a rate is no number of a float's."""


class Curve(NamedTuple):
    """a exp(-kappa d). kappa: per unit of relative distance. a: 1/s a side; base per distance for `document_fit`."""

    kappa: float
    a: float


def loglin_fit(marks: Marks, seconds: float) -> Curve | None:
    """Least squares of log(N(D >= d) / (sides T)) on d, over the distinct depths of the sample.

    As hftbacktest's tutorial does. Nearly unbiased, but noisier by a third than the likelihood: the far points rest on
    one order each and weigh as much as the near ones.

    Returns: ``None`` with fewer than two distinct depths, or where they are so near each other that the line has no
    height at the touch.
    """
    depths, counts = np.unique(marks.depths, return_counts=True)
    if len(depths) < 2 or seconds <= 0.0:
        return None
    reached = np.cumsum(counts[::-1])[::-1]
    logs = np.log(reached / (marks.sides * seconds))
    centred = depths - depths.mean()
    slope = float(centred @ logs / (centred @ centred))
    height = float(logs.mean()) - slope * float(depths.mean())
    return Curve(-slope, math.exp(height)) if abs(height) <= HIGHEST else None


def document_fit(depths: Floats, amounts: Floats) -> Curve | None:
    """The user's document's: a curve a exp(-kappa d) through the summed amounts at each distinct distance.

    Nearly every distance is distinct, so it fits order *size* against distance: kappa comes out near zero on a fine
    grid, and a is an amount, not a rate.

    Returns: ``None`` with fewer than three distinct distances, or where no curve is found.
    """
    distances, places = np.unique(depths, return_inverse=True)
    sums: Floats = np.bincount(places, weights=amounts).astype(float)
    if len(distances) < 3 or not float(distances.max()) > 0.0:
        return None
    return _least_squares(distances, sums)


def _least_squares(x: Floats, y: Floats) -> Curve | None:
    """Minimise sum (y - a exp(-k x))^2 over k; given k, the best a is linear algebra.

    What is left has one variable: scanned on a grid wide enough for any decay, then closed in by golden section, which
    cannot diverge as Gauss-Newton steps do here.
    """
    scale = float(x.max())

    def best(k: float) -> tuple[float, float]:
        """(residual sum of squares, a)."""
        curve = np.exp(-k * x / scale)
        norm = float(curve @ curve)
        # So steep that nothing of it is left at any distance of the sample.
        a = float(curve @ y) / norm if norm else 0.0
        return float(((y - a * curve) ** 2).sum()), a

    grid = np.concatenate([-np.geomspace(1e-3, 20.0, 60)[::-1], [0.0], np.geomspace(1e-3, 500.0, 120)])
    losses = [best(float(k))[0] for k in grid]
    at = int(np.argmin(losses))
    if at in (0, len(grid) - 1):
        return None
    low, high = float(grid[at - 1]), float(grid[at + 1])
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(80):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if best(left)[0] <= best(right)[0] else (left, high)
    k = 0.5 * (low + high)
    return Curve(k / scale, best(k)[1])
