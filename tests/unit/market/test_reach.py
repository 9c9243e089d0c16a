from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.market.intensity import Exposure
from lunomm.market.judgement import Reached, Window
from lunomm.market.reach import reach_curve

KAPPA, A = 1000.0, 0.5


def test_it_lies_on_the_truth_also_where_wide_spreads_hide_takers() -> None:
    """Half of the time 2 bp, half 12 bp: below 12 bp only the first half counts."""
    draw = np.random.default_rng(1)
    reached = []
    for half in (2e-4, 12e-4):
        for beyond in draw.exponential(1 / KAPPA, draw.poisson(2 * A * math.exp(-KAPPA * half) * 5000)):
            reached.append(Reached(len(reached), half + float(beyond), half, 1e-7, 1.0, True))
    window = Window(reached, Exposure(np.array([2e-4, 12e-4]), np.array([5000.0, 5000.0])), 0, 10_000.0)
    points = reach_curve(window)
    assert len(points) > 30 and points[0].distance == pytest.approx(2e-4, rel=0.01)
    inside = [point.low < A * math.exp(-KAPPA * point.distance) < point.high for point in points]
    assert float(np.mean(inside)) > 0.85
    assert all(point.low < point.rate < point.high for point in points)


def test_nobody() -> None:
    assert reach_curve(Window([], Exposure(np.array([1e-4]), np.array([1.0])), 0, 1.0)) == []
