"""Fits on hand-made samples; bias and coverage over hundreds of seeds are in tests/property."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.market.intensity import (
    KS_5_PERCENT,
    Exposure,
    depth_fit,
    exposure_fit,
    half_spread_bin,
    merge_exposure,
    stephens,
    touch_fit,
    variation,
)


def exposure(*cells: tuple[float, float]) -> Exposure:
    values = np.array(cells)
    return Exposure(values[:, 0], values[:, 1])


def test_a_constant_half_spread_is_the_truncated_exponential() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4, 5e-4])
    fit = exposure_fit(depths, exposure((4e-4, 300.0), (4e-4, 700.0)))
    simple = touch_fit(depths, np.full(4, 4e-4), 1000.0)
    assert fit is not None and simple is not None
    assert fit.kappa == pytest.approx(4 / float((depths - 4e-4).sum()), rel=1e-9)
    assert fit.a == pytest.approx(4 / 2000 * math.exp(fit.kappa * 4e-4), rel=1e-9)
    assert fit == pytest.approx(simple, rel=1e-9)
    assert fit.se_log_kappa == pytest.approx(0.5)


def test_no_half_spread_at_all_is_the_plain_mean() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4])
    fit = exposure_fit(depths, exposure((1e-15, 1000.0)))
    assert fit is not None
    assert fit == pytest.approx(depth_fit(depths, 1000.0), rel=1e-6)


def test_the_estimate_solves_its_equation() -> None:
    depths = np.array([3e-4, 5e-4, 9e-4, 20e-4, 4e-4])
    spreads = exposure((2e-4, 500.0), (4e-4, 200.0), (9e-4, 60.0))
    fit = exposure_fit(depths, spreads)
    assert fit is not None
    weights = spreads.seconds * np.exp(-fit.kappa * spreads.half_spreads)
    tilted = float(weights @ spreads.half_spreads / weights.sum())
    assert 1 / fit.kappa == pytest.approx(float(depths.mean()) - tilted, rel=1e-9)
    assert fit.a == pytest.approx(5 / (2 * float(weights.sum())), rel=1e-9)
    low, high = fit.kappa_interval
    assert low * high == pytest.approx(fit.kappa**2) and low < fit.kappa < high
    variance = float(weights @ (spreads.half_spreads - tilted) ** 2 / weights.sum())
    assert fit.se_log_kappa == pytest.approx((5 / fit.kappa**2 + 5 * variance) ** -0.5 / fit.kappa, rel=1e-9)
    assert fit.a_interval[0] == pytest.approx(
        fit.a * math.exp(-1.96 * math.hypot(5**-0.5, tilted * fit.se_log_kappa * fit.kappa)), rel=1e-9
    )


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.floats(3e-5, 1e-2), min_size=1, max_size=60),
    st.lists(st.tuples(st.floats(1e-6, 1e-3), st.floats(0.01, 1e4)), min_size=1, max_size=30),
)
def test_any_sample_has_its_one_root(excesses: list[float], cells: list[tuple[float, float]]) -> None:
    """Also where the mean depth is below the mean half-spread, and kappa is far out."""
    spreads = exposure(*cells)
    near = float(spreads.half_spreads.min())
    depths = np.array([near + excess for excess in excesses])
    fit = exposure_fit(depths, spreads)
    assert fit is not None and math.isfinite(fit.kappa) and fit.kappa > 0
    weights = spreads.seconds * np.exp(-fit.kappa * (spreads.half_spreads - near))
    tilted = near + float(weights @ (spreads.half_spreads - near) / weights.sum())
    assert float(depths.mean()) - tilted == pytest.approx(1 / fit.kappa, rel=1e-5)


def test_unidentified_is_none() -> None:
    at_touch = np.full(30, 4e-4)
    assert exposure_fit(at_touch, exposure((4e-4, 1000.0))) is None
    assert touch_fit(at_touch, at_touch, 1000.0) is None
    assert exposure_fit(np.array([]), exposure((4e-4, 1000.0))) is None
    assert touch_fit(np.array([]), np.array([]), 1.0) is None
    assert depth_fit(np.array([]), 1000.0) is None
    assert depth_fit(np.array([1e-4]), 0.0) is None


def test_an_extrapolation_beyond_all_numbers_is_none() -> None:
    """A hundredth of a basis point beyond a spread of 80 bp: A would be e to the 4000."""
    depths, spreads = np.array([40.01e-4]), exposure((40e-4, 1000.0))
    assert exposure_fit(depths, spreads) is None
    assert touch_fit(depths, np.array([40e-4]), 1000.0) is None


def test_a_prior_counts_as_five_orders() -> None:
    depths = np.array([5e-4, 15e-4])
    prior = exposure_fit(depths, exposure((1e-15, 1000.0)), prior_kappa=500.0)
    assert prior is not None
    assert prior.kappa == pytest.approx((2 + 5) / (20e-4 + 5 / 500.0), rel=1e-6)
    assert prior.se_log_kappa == pytest.approx(7**-0.5, rel=1e-6)


def test_merging_keeps_time_and_mean() -> None:
    rows = [np.array([[4.0e-4, 3.0], [8e-4, 1.0]]), np.array([[4.01e-4, 1.0], [0.0, 5.0], [1e-4, 0.0]])]
    merged = merge_exposure(rows)
    assert merged is not None
    assert merged.total_s == pytest.approx(5.0)
    assert merged.mean == pytest.approx((4e-4 * 3 + 8e-4 + 4.01e-4) / 5)
    assert len(merged.seconds) <= 3
    assert merge_exposure([]) is None
    assert merge_exposure([np.array([[0.0, 1.0]])]) is None


def test_bins_are_two_and_a_half_percent() -> None:
    assert half_spread_bin(1.03e-4) - half_spread_bin(1e-4) in (1, 2)
    assert half_spread_bin(math.e * 1e-4) - half_spread_bin(1e-4) in (39, 40, 41)


def test_binning_hardly_moves_the_fit() -> None:
    draw = np.random.default_rng(3)
    spreads = draw.gamma(4.0, 1e-4, 3000)
    seconds = draw.exponential(0.4, 3000)
    depths = spreads[:200] + draw.exponential(10e-4, 200)
    merged = merge_exposure([np.column_stack([spreads, seconds])])
    assert merged is not None and len(merged.seconds) < 250
    binned, exact = exposure_fit(depths, merged), exposure_fit(depths, Exposure(spreads, seconds))
    assert binned is not None and exact is not None
    assert binned == pytest.approx(exact, rel=1e-4)


def test_stephens_rejects_at_its_level() -> None:
    """About 5 % of exponential samples, nearly all touch-only or constant ones."""
    draw = np.random.default_rng(11)
    values = [stephens(draw.exponential(1.0, 60)) for _ in range(1500)]
    share = float(np.mean([value is not None and value > KS_5_PERCENT for value in values]))
    assert 0.03 < share < 0.07
    heavy = np.where(draw.random(60) < 0.7, 0.0, draw.exponential(1.0, 60))
    worst = stephens(heavy)
    assert worst is not None and worst > 2.0
    assert stephens(np.array([1.0])) is None
    assert stephens(np.zeros(10)) is None


def test_variation() -> None:
    draw = np.random.default_rng(2)
    poisson = variation(draw.exponential(3.0, 4000))
    assert poisson is not None and poisson == pytest.approx(1.0, abs=0.06)
    assert variation(np.array([1.0, 1.0, 1.0, 1.0])) == 0.0
    assert variation(np.array([1.0, 2.0])) is None
