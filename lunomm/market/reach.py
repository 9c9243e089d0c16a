"""The empirical intensity: how often takers reached each distance, without a model."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lunomm.market.intensity import Z95
from lunomm.market.judgement import Window, marks_of

POINTS = 40
"""Distances at which it is shown: quantiles of the sample."""


class ReachPoint(NamedTuple):
    """rate: taker orders, 1/s a side, that reached ``distance`` (relative to the mid). low, high: 95 % interval."""

    distance: float
    rate: float
    low: float
    high: float


def reach_curve(window: Window) -> list[ReachPoint]:
    """N(D >= d) over the time at which d could be seen: while the half-spread was no wider than d.

    Counting over all time instead would bend the curve down near the touch, where wide spreads hid the takers.
    """
    if not len(window.reached):
        return []
    marks = marks_of(window.reached)
    spreads, seconds = window.exposure
    points = []
    for distance in np.unique(np.quantile(marks.depths, np.linspace(0.0, 1.0, POINTS), method="lower")):
        seen = float(seconds[spreads <= distance * (1 + 1e-9)].sum())
        n = int(((marks.depths >= distance) & (marks.half_spreads <= distance * (1 + 1e-9))).sum())
        if seen > 0.0 and n:
            rate, factor = n / (marks.sides * seen), math.exp(Z95 / math.sqrt(n))
            points.append(ReachPoint(float(distance), rate, rate / factor, rate * factor))
    return points
