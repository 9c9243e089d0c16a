"""Fits on hand-made samples; bias and coverage over hundreds of seeds are in tests/property."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.market.intensity import (
    Exposure,
    Fit,
    Floats,
    Marks,
    depth_fit,
    exposure_fit,
    gamma_interval,
    half_spread_bin,
    touch_fit,
)
from lunomm.market.spread_history import SpreadHistory


def exposure(*cells: tuple[float, float]) -> Exposure:
    values = np.array(cells)
    return Exposure(values[:, 0], values[:, 1])


def marks(depths: Floats, half_spread: float | Floats = 0.0, **changes: Any) -> Marks:
    return Marks(depths, np.broadcast_to(half_spread, depths.shape), **changes)


def test_a_constant_half_spread_is_the_truncated_exponential() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4, 5e-4])
    fit = exposure_fit(marks(depths, 4e-4), exposure((4e-4, 300.0), (4e-4, 700.0)))
    simple = touch_fit(marks(depths, 4e-4), 1000.0)
    assert fit is not None and simple is not None
    assert fit.kappa == pytest.approx(4 / float((depths - 4e-4).sum()), rel=1e-9)
    assert fit.a == pytest.approx(4 / 2000 * math.exp(fit.kappa * 4e-4), rel=1e-9)
    assert fit[:5] == pytest.approx(simple[:5], rel=1e-9)
    assert fit.se_log_kappa == pytest.approx(0.5)


def test_no_half_spread_at_all_is_the_plain_mean() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4])
    fit = exposure_fit(marks(depths), exposure((1e-15, 1000.0)))
    plain = depth_fit(marks(depths), 1000.0)
    assert fit is not None and plain is not None
    assert fit[:4] == pytest.approx(plain[:4], rel=1e-6)


def test_the_estimate_solves_its_equation() -> None:
    depths = np.array([3e-4, 5e-4, 9e-4, 20e-4, 4e-4])
    spreads = exposure((2e-4, 500.0), (4e-4, 200.0), (9e-4, 60.0))
    fit = exposure_fit(marks(depths), spreads)
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
    fit = exposure_fit(marks(depths), spreads)
    assert fit is not None and math.isfinite(fit.kappa) and fit.kappa > 0
    weights = spreads.seconds * np.exp(-fit.kappa * (spreads.half_spreads - near))
    tilted = near + float(weights @ (spreads.half_spreads - near) / weights.sum())
    assert float(depths.mean()) - tilted == pytest.approx(1 / fit.kappa, rel=1e-5)


def test_unidentified_is_none() -> None:
    at_touch = np.full(30, 4e-4)
    assert exposure_fit(marks(at_touch, 4e-4), exposure((4e-4, 1000.0))) is None
    assert touch_fit(marks(at_touch, at_touch), 1000.0) is None
    assert exposure_fit(marks(np.array([])), exposure((4e-4, 1000.0))) is None
    assert touch_fit(marks(np.array([])), 1.0) is None
    assert depth_fit(marks(np.array([])), 1000.0) is None
    assert depth_fit(marks(np.array([1e-4])), 0.0) is None


def test_an_extrapolation_beyond_all_numbers_is_none() -> None:
    """A hundredth of a basis point beyond a spread of 80 bp: A would be e to the 4000."""
    depths, spreads = np.array([40.01e-4]), exposure((40e-4, 1000.0))
    assert exposure_fit(marks(depths), spreads) is None
    assert touch_fit(marks(depths, 40e-4), 1000.0) is None


def test_a_prior_counts_as_five_orders() -> None:
    depths = np.array([5e-4, 15e-4])
    prior = exposure_fit(marks(depths), exposure((1e-15, 1000.0)), prior_kappa=500.0)
    assert prior is not None
    assert prior.kappa == pytest.approx((2 + 5) / (20e-4 + 5 / 500.0), rel=1e-6)
    assert prior.se_log_kappa == pytest.approx(7**-0.5, rel=1e-6)


def test_bins_are_two_and_a_half_percent() -> None:
    assert half_spread_bin(1.03e-4) - half_spread_bin(1e-4) in (1, 2)
    assert half_spread_bin(math.e * 1e-4) - half_spread_bin(1e-4) in (39, 40, 41)


def test_binning_hardly_moves_the_fit() -> None:
    draw = np.random.default_rng(3)
    spreads = draw.gamma(4.0, 1e-4, 3000)
    seconds = draw.exponential(0.4, 3000)
    depths = spreads[:200] + draw.exponential(10e-4, 200)
    history = SpreadHistory()
    history.add(0, list(zip(spreads.tolist(), seconds.tolist(), strict=True)))
    found = history.between(0, 1)
    assert found is not None
    merged = found[0]
    assert len(merged.seconds) < 250
    binned, exact = exposure_fit(marks(depths), merged), exposure_fit(marks(depths), Exposure(spreads, seconds))
    assert binned is not None and exact is not None
    assert binned[:5] == pytest.approx(exact[:5], rel=1e-4)


def test_the_exact_interval_of_the_touch_is_chi_squared() -> None:
    """Tables of chi-squared at 20 and 100 degrees of freedom: 9.591 and 34.170, 74.222 and 129.561."""
    assert gamma_interval(10) == pytest.approx((9.59078 / 2, 34.16961 / 2), rel=1e-5)
    assert gamma_interval(50) == pytest.approx((74.22193 / 2, 129.56120 / 2), rel=1e-5)
    assert gamma_interval(1) == pytest.approx((-math.log(0.975), -math.log(0.025)), rel=1e-9)
    low, high = gamma_interval(5000)
    assert low == pytest.approx(5000 - 1.96 * math.sqrt(5000), rel=1e-3) and 5135 < high < 5145


def test_a_floored_exponential_is_solved_exactly() -> None:
    """Excesses of 0 and 1 tick, three to one: kappa t = ln(1 + t / mean) = ln 5 for both estimators."""
    tick = 10e-4
    seen = marks(4e-4 + tick * np.array([0.0, 0.0, 0.0, 1.0]), 4e-4, tick=tick)
    fit, simple = exposure_fit(seen, exposure((4e-4, 1000.0))), touch_fit(seen, 1000.0)
    assert fit is not None and simple is not None
    assert fit.kappa * tick == pytest.approx(math.log(5.0), rel=1e-9)
    assert fit[:5] == pytest.approx(simple[:5], rel=1e-9)
    assert simple.exact is not None and simple.exact[0] < simple.kappa < simple.exact[1]


def test_one_side_alone_is_half_of_two() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4, 5e-4])
    both, one = (exposure_fit(marks(depths, sides=k), exposure((4e-4, 1000.0))) for k in (2, 1))
    assert both is not None and one is not None
    assert (one.kappa, one.a) == pytest.approx((both.kappa, 2 * both.a), rel=1e-12)


def test_weights_by_hand() -> None:
    """An order of weight 3 draws the mean to itself; (3 + 1)^2 / (9 + 1) = 1.6 orders are left for the error."""
    weighted = marks(np.array([5e-4, 13e-4]), 4e-4, weights=np.array([3.0, 1.0]))
    fit = exposure_fit(weighted, exposure((4e-4, 1000.0)))
    assert fit is not None
    assert 1 / fit.kappa == pytest.approx((3 * 5e-4 + 13e-4) / 4 - 4e-4, rel=1e-9)
    assert fit.se_log_kappa == pytest.approx(1.6**-0.5, rel=1e-9)
    assert fit.a == pytest.approx(2 / 2000 * math.exp(fit.kappa * 4e-4), rel=1e-9)
    alike = exposure_fit(weighted._replace(weights=np.array([7.0, 7.0])), exposure((4e-4, 1000.0)))
    plain = exposure_fit(weighted._replace(weights=None), exposure((4e-4, 1000.0)))
    assert alike is not None and plain is not None
    assert alike[:5] == pytest.approx(plain[:5], rel=1e-12)


def test_the_band_is_narrowest_at_the_pivot() -> None:
    depths = np.array([4e-4, 6e-4, 14e-4, 5e-4])
    fit = exposure_fit(marks(depths, 4e-4), exposure((4e-4, 1000.0)))
    assert fit is not None and fit.pivot == pytest.approx(4e-4)
    assert fit.rate_interval(0.0) == pytest.approx(fit.a_interval, rel=1e-9)
    low, high = fit.rate_interval(fit.pivot)
    assert high / low == pytest.approx(math.exp(2 * 1.96 / math.sqrt(4)), rel=1e-9)
    assert fit.rate(fit.pivot) == pytest.approx(4 / 2000, rel=1e-9)
    wider = fit.overdispersed(4.0, 4)
    assert wider.se_log_a**2 == pytest.approx(fit.se_log_a**2 + 3 / 4) and wider.kappa_interval == fit.kappa_interval


@pytest.mark.parametrize("fitted", ["exposure", "touch"])
def test_a_few_large_orders_by_size_identify_nothing_and_break_nothing(fitted: str) -> None:
    """Twelve orders of 1 XBT at a wide touch and two of a thousandth one tick deeper, each counted by its size."""
    tick, half = 1 / 300_000, 20 / 300_000
    depths = np.array([half] * 12 + [half + tick] * 2)
    given = marks(depths, half, weights=np.array([1.0] * 12 + [1e-3, 5e-4]), tick=tick)
    fit = exposure_fit(given, exposure((half, 1200.0))) if fitted == "exposure" else touch_fit(given, 1200.0)
    if fit is not None:
        for interval in (fit.kappa_interval, fit.a_interval, fit.rate_interval(0.0), fit.rate_interval(0.01)):
            assert all(math.isfinite(value) for value in interval)


def test_an_interval_far_from_where_the_orders_were_is_wide_not_an_error() -> None:
    fit = Fit(kappa=1e5, se_log_kappa=1.0, a=1.0, se_log_a=0.5, pivot=1e-4)
    low, high = fit.rate_interval(0.1)
    assert low == 0.0 and high >= 0.0
