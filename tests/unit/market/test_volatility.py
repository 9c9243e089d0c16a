from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.market.volatility import DAY_S, FLOOR, DocumentVol, TwoScaleVol, daily_percent, steadier

SIGMA = 0.025 / math.sqrt(DAY_S)


def walk(seed: int, seconds: int, per_second: int = 1) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.0, SIGMA / math.sqrt(per_second), seconds * per_second)
    return np.cumsum(steps)


def test_the_recursion_by_hand() -> None:
    """Five points, K = 2: against sums written out."""
    vol = TwoScaleVol(step_s=1.0, scale=2, window_s=10.0)
    logs = [0.0, 0.01, 0.0, 0.02, 0.05]
    a = 1 - math.exp(-0.1)
    fast = slow = fast_weight = slow_weight = 0.0
    for k, y in enumerate(logs):
        vol.push(math.exp(y))
        if k >= 1:
            fast += a * ((y - logs[k - 1]) ** 2 - fast)
            fast_weight += a * (1 - fast_weight)
        if k >= 2:
            slow += a * ((y - logs[k - 2]) ** 2 - slow)
            slow_weight += a * (1 - slow_weight)
    slow, fast = slow / slow_weight, fast / fast_weight
    assert vol.sigma() == pytest.approx(math.sqrt(max((slow - fast) / 1.0, 0.1 * slow / 2)), rel=1e-12)
    assert vol.points == 5


def test_ready_after_three_slow_returns() -> None:
    vol = TwoScaleVol(scale=20)
    assert vol.sigma() is None and vol.relative_error() is None
    for k in range(60):
        assert not vol.ready
        vol.push(100.0 + k % 2)
    assert vol.ready


def test_a_dead_market_is_floored_at_a_tenth_of_a_percent_a_day() -> None:
    vol = TwoScaleVol()
    for _ in range(100):
        vol.push(100.0)
    assert vol.sigma() == FLOOR
    assert daily_percent(FLOOR) == pytest.approx(0.1)


def test_a_bouncing_price_keeps_a_tenth_of_its_slow_variance() -> None:
    vol = TwoScaleVol(scale=3, window_s=50.0)
    for k in range(200):
        vol.push(100.0 * math.exp(0.01 * (k % 2)))
    # fast = slow = 1e-4 (an odd K sees the bounce too), so the difference says nothing.
    assert vol.sigma() == pytest.approx(math.sqrt(0.1 * 1e-4 / 3), rel=1e-9)


def test_noise_of_one_basis_point_does_not_matter() -> None:
    """Mids at 10 a second with 1 bp of noise: within 25 % of the truth, where tick by tick is over 4 times too high."""
    errors = []
    for seed in range(20):
        path = walk(seed, 2400, per_second=10)
        seen = path + np.random.default_rng(1000 + seed).normal(0.0, 1e-4, len(path))
        ticks = math.sqrt(float(np.mean(np.diff(seen) ** 2)) * 10)
        assert ticks > 4 * SIGMA
        vol = TwoScaleVol()
        for y in seen[::10]:
            vol.push(300_000 * math.exp(y))
        sigma = vol.sigma()
        assert sigma is not None
        errors.append(sigma / SIGMA - 1)
        assert abs(errors[-1]) < 0.25
    assert abs(float(np.mean(errors))) < 0.05


def test_the_stated_error_is_the_spread_of_the_estimates() -> None:
    """The recursion over 400 paths at once; 95 % intervals cover, and the error matches sqrt(K h / 6 tau)."""
    k, tau, seconds = 20, 600.0, 2400
    a = 1 - math.exp(-1 / tau)
    paths = np.cumsum(np.random.default_rng(5).normal(0.0, SIGMA, (400, seconds)), axis=1)
    fast_squares = np.diff(paths, axis=1) ** 2
    slow_squares = (paths[:, k:] - paths[:, :-k]) ** 2

    def mean(squares: np.ndarray) -> np.ndarray:
        weights = a * (1 - a) ** np.arange(squares.shape[1])[::-1]
        return squares @ weights / weights.sum()

    sigmas = np.sqrt((mean(slow_squares) - mean(fast_squares)) / (k - 1))
    vol = TwoScaleVol(window_s=tau, scale=k)
    for y in paths[0]:
        vol.push(math.exp(y))
    assert vol.sigma() == pytest.approx(sigmas[0], rel=1e-9)
    error = vol.relative_error()
    assert error is not None
    assert error == pytest.approx(math.sqrt(k / (6 * tau)), rel=0.08)
    assert float(sigmas.std()) / SIGMA == pytest.approx(error, rel=0.15)
    inside = np.abs(sigmas - SIGMA) < 1.96 * error * sigmas
    assert 0.90 < float(inside.mean()) < 0.98


def test_the_error_shrinks_while_the_window_fills() -> None:
    vol = TwoScaleVol()
    errors = []
    for k, y in enumerate(walk(1, 3000)):
        vol.push(math.exp(y))
        if k in (60, 300, 1200, 2900):
            errors.append(vol.relative_error())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] is not None and 0.3 < errors[0] < 0.6


def test_a_short_hole_is_bridged_by_holding() -> None:
    held, whole = TwoScaleVol(), TwoScaleVol()
    path = [100.0, 100.5, 100.2, 101.0]
    for price in (*path[:3], None, None, None, path[3]):
        held.push(price)
    for price in (*path[:3], path[2], path[2], path[2], path[3]):
        whole.push(price)
    assert (held.sigma(), held.points) == (whole.sigma(), whole.points)


@pytest.mark.parametrize("hole", [31, 500])
def test_a_long_hole_clears_the_ring_and_keeps_the_sums(hole: int) -> None:
    vol = TwoScaleVol()
    for y in walk(2, 600):
        vol.push(100 * math.exp(y))
    before = vol.sigma()
    vol.skip(hole - 1)
    vol.push(None)
    vol.push(150.0)  # half as much again: not a return
    assert vol.sigma() == before
    for _ in range(19):
        vol.push(150.0)
    sigma = vol.sigma()
    assert sigma is not None and before is not None and sigma == pytest.approx(before, rel=0.1)


def test_an_impossible_price_is_a_hole() -> None:
    vol = TwoScaleVol()
    for price in (100.0, 0.0, -1.0, math.nan, 100.0):
        vol.push(price)
    assert vol.points == 5


def test_the_documents_own() -> None:
    """200 values, 199 returns, divisor 200, percent."""
    vol = DocumentVol()
    for k in range(200):
        assert vol.percent() is None
        vol.push(100.0 if k % 2 else 101.0)
    up, down = (1 / 100.0) ** 2, (1 / 101.0) ** 2
    assert vol.percent() == pytest.approx(100 * math.sqrt((99 * up + 100 * down) / 200), rel=1e-12)
    for _ in range(200):
        vol.push(100.0)
    assert vol.percent() == 0.0


@pytest.mark.parametrize(
    ("fresh", "other", "age_s", "better"),
    [
        (0.2, 0.2, 0.0, True),
        (0.21, 0.2, 0.0, False),
        (0.21, 0.2, 60.0, True),
        (0.42, 0.075, 86_400.0, False),
        (0.3, 0.075, 86_400.0, True),
        (0.16, 0.075, 600.0, True),
        (0.9, None, 0.0, True),
        (None, 0.9, 0.0, False),
        (None, None, 0.0, True),
    ],
)
def test_the_fresh_one_wins_once_it_is_known_as_well(
    fresh: float | None, other: float | None, age_s: float, better: bool
) -> None:
    assert steadier(fresh, other, age_s) is better
