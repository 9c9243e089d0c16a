"""Curves on points that lie on one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.market.comparisons import document_fit, loglin_fit
from lunomm.market.intensity import Marks


def test_log_linear_by_hand() -> None:
    """Depths 1, 2, 3: reached by 4, 2 and 1 of 4 orders, so kappa = ln 2 exactly."""
    depths = np.array([1.0, 1.0, 2.0, 3.0])
    found = loglin_fit(Marks(depths, np.zeros(4)), 10.0)
    assert found is not None
    assert found.kappa == pytest.approx(math.log(2.0))
    assert found.a == pytest.approx(8 / 20.0)
    assert loglin_fit(Marks(np.array([1.0, 1.0]), np.zeros(2)), 10.0) is None
    assert loglin_fit(Marks(depths, np.zeros(4)), 0.0) is None


@pytest.mark.parametrize("kappa", [0.001, 0.3, 25.0])
def test_the_document_curve_is_found_where_there_is_one(kappa: float) -> None:
    depths = np.linspace(0.5, 4.0, 30)
    found = document_fit(depths, 7.0 * np.exp(-kappa * depths))
    assert found is not None and found == pytest.approx((kappa, 7.0), rel=1e-4)


def test_distances_far_out_and_near_each_other_are_no_curve_and_no_crash() -> None:
    """Takers of a one-tick market that all reached about as far."""
    depths = np.array([1.0, 1.0000001, 1.0000002])
    assert loglin_fit(Marks(depths, np.zeros(3)), 10.0) is None
    found = document_fit(depths, np.array([5.0, 3.0, 1.0]))
    assert found is None or (math.isfinite(found.kappa) and math.isfinite(found.a))


def test_amounts_at_one_distance_are_summed() -> None:
    depths = np.linspace(0.5, 4.0, 30)
    amounts = 7.0 * np.exp(-0.8 * depths)
    twice = document_fit(np.concatenate([depths, depths]), np.concatenate([0.25 * amounts, 0.75 * amounts]))
    assert twice is not None and twice == pytest.approx((0.8, 7.0), rel=1e-4)


def test_the_least_squares_are_least() -> None:
    draw = np.random.default_rng(4)
    depths, amounts = draw.exponential(10e-4, 40), draw.lognormal(0.0, 1.0, 40)
    found = document_fit(depths, amounts)
    assert found is not None
    loss = float(((amounts - found.a * np.exp(-found.kappa * depths)) ** 2).sum())
    for factor in (0.99, 1.01):
        for kappa, a in ((found.kappa * factor, found.a), (found.kappa, found.a * factor)):
            assert float(((amounts - a * np.exp(-kappa * depths)) ** 2).sum()) >= loss


def test_no_curve() -> None:
    assert document_fit(np.array([1.0, 1.0, 2.0]), np.ones(3)) is None
    depths = np.linspace(0.0, 1.0, 20)
    assert document_fit(depths, np.exp(60.0 * depths)) is None, "no decay at all"
