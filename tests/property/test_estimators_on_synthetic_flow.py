"""Estimators against a truth that is known: bias, coverage, and the same test failing for the naive ones.

Flow: half-spreads of 4 bp, constant or changing every ten seconds, takers Poisson with A exp(-kappa h), each reaching
Exp(kappa) beyond the touch: 1/kappa = 10 bp, A = 0.05 a second and side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from lunomm.market.calibration import calibrate
from lunomm.market.comparisons import document_fit, loglin_fit
from lunomm.market.intensity import Exposure, Fit, Marks, depth_fit, exposure_fit, touch_fit
from lunomm.market.records import GridRow, TakerOrder, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.market.volatility import DAY_S

KAPPA = 1000.0
A = 0.05
SIGMA = 0.025 / math.sqrt(DAY_S)
SEEDS = 600

Fitted = Callable[[Marks, Exposure], Fit | None]


def synthetic(seed: int, orders: int, *, moving: bool, tick: float) -> tuple[Marks, Exposure]:
    """Flow that gives about so many orders. tick: relative; reaches beyond the touch are floored to it."""
    draw = np.random.default_rng([seed, orders])
    segments = round(orders / (20 * A * math.exp(-KAPPA * 4e-4)))
    spreads = draw.gamma(4.0, 1e-4, segments) if moving else np.full(segments, 4e-4)
    counts = draw.poisson(20 * A * np.exp(-KAPPA * spreads))
    at = np.repeat(spreads, counts)
    beyond = draw.exponential(1 / KAPPA, len(at))
    if tick:
        beyond = np.floor(beyond / tick) * tick
    return Marks(at + beyond, at, tick=tick), Exposure(spreads, np.full(segments, 10.0))


def by_exposure(marks: Marks, exposure: Exposure) -> Fit | None:
    return exposure_fit(marks, exposure)


def by_touch(marks: Marks, exposure: Exposure) -> Fit | None:
    return touch_fit(marks, exposure.total_s)


def by_depth(marks: Marks, exposure: Exposure) -> Fit | None:
    return depth_fit(marks, exposure.total_s)


def judge_kappa(fit: Fitted, orders: int, *, moving: bool, tick: float) -> list[Fit]:
    """No bias but n / (n - 1), as of any rate's estimate; 95 % intervals cover the truth 92 to 98 % of the time."""
    fits, corrected = [], []
    for seed in range(SEEDS):
        marks, exposure = synthetic(seed, orders, moving=moving, tick=tick)
        n, found = len(marks.depths), fit(marks, exposure)
        assert found is not None
        fits.append(found)
        corrected.append(found.kappa / KAPPA * (n - 1) / n)
    error = float(np.std(corrected)) / math.sqrt(SEEDS)
    assert abs(float(np.mean(corrected)) - 1.0) < 3.5 * error, "bias"
    covered = float(np.mean([low < KAPPA < high for low, high in (found.kappa_interval for found in fits)]))
    assert 0.92 <= covered <= 0.98, covered
    return fits


@pytest.mark.parametrize("tick", [0.0, 5e-4], ids=["continuous", "tick of half a mean depth"])
@pytest.mark.parametrize("moving", [False, True], ids=["constant touch", "moving touch"])
@pytest.mark.parametrize("orders", [15, 50, 200, 1000])
def test_exposure_is_unbiased_and_knows_its_error(orders: int, moving: bool, tick: float) -> None:
    fits = judge_kappa(by_exposure, orders, moving=moving, tick=tick)
    assert float(np.median([found.a for found in fits])) == pytest.approx(A, rel=0.05)
    covered = float(np.mean([low < A < high for low, high in (found.a_interval for found in fits)]))
    assert 0.92 <= covered <= 0.98, covered


@pytest.mark.parametrize("tick", [0.0, 5e-4], ids=["continuous", "tick of half a mean depth"])
@pytest.mark.parametrize("orders", [15, 200])
def test_touch_agrees_on_kappa(orders: int, tick: float) -> None:
    judge_kappa(by_touch, orders, moving=True, tick=tick)


@pytest.mark.parametrize("orders", [15, 50, 200, 1000])
def test_one_over_the_mean_depth_fails_the_same_test(orders: int) -> None:
    """Too low by a quarter at any sample."""
    with pytest.raises(AssertionError):
        judge_kappa(by_depth, orders, moving=True, tick=0.0)
    fits = [by_depth(*synthetic(seed, orders, moving=True, tick=0.0)) for seed in range(100)]
    ratio = float(np.mean([found.kappa / KAPPA for found in fits if found is not None]))
    assert ratio == pytest.approx(0.75, abs=0.06)


def test_a_tick_that_is_not_allowed_for_shows() -> None:
    with pytest.raises(AssertionError):
        judge_kappa(lambda m, e: exposure_fit(m._replace(tick=0.0), e), 200, moving=True, tick=5e-4)


def test_sizes_as_weights_are_unbiased_and_know_their_error() -> None:
    """Log-normal sizes, unrelated to depth: the same kappa, known less well."""

    def by_size(marks: Marks, exposure: Exposure) -> Fit | None:
        sizes = np.random.default_rng(len(marks.depths)).lognormal(0.0, 1.0, len(marks.depths))
        return exposure_fit(marks._replace(weights=sizes), exposure)

    found, covered = [], 0
    for seed in range(SEEDS):
        fit = by_size(*synthetic(seed, 400, moving=True, tick=0.0))
        assert fit is not None
        found.append(fit)
        covered += fit.kappa_interval[0] < KAPPA < fit.kappa_interval[1]
    assert float(np.mean([fit.kappa for fit in found])) == pytest.approx(KAPPA, rel=0.02)
    assert 0.92 <= covered / SEEDS <= 0.98
    assert float(np.mean([fit.se_log_kappa for fit in found])) > 1.4 / math.sqrt(400)


def test_the_sides_apart_are_each_unbiased() -> None:
    """Half of the orders each, so about 30 of 60: the rate of one side."""
    ratios, rates = [], []
    for seed in range(SEEDS):
        marks, exposure = synthetic(seed, 60, moving=True, tick=0.0)
        mine = np.random.default_rng(seed).random(len(marks.depths)) < 0.5
        fit = exposure_fit(Marks(marks.depths[mine], marks.half_spreads[mine], sides=1), exposure)
        assert fit is not None
        ratios.append(fit.kappa / KAPPA * (1 - 1 / mine.sum()))
        rates.append(fit.a)
    assert float(np.mean(ratios)) == pytest.approx(1.0, abs=0.03)
    assert float(np.median(rates)) == pytest.approx(A, rel=0.05)


def test_the_comparisons_are_what_they_are_known_for() -> None:
    """Log-linear: about right, and noisier. The document's curve: a few percent of the truth."""
    line, curve, likelihood = [], [], []
    for seed in range(200):
        marks, exposure = synthetic(seed, 50, moving=False, tick=0.0)
        fitted = loglin_fit(marks, exposure.total_s)
        amounts = np.random.default_rng(seed).lognormal(0.0, 1.0, len(marks.depths))
        seen = document_fit(marks.depths, amounts)
        best = exposure_fit(marks, exposure)
        assert fitted is not None and best is not None
        line.append(fitted.kappa / KAPPA)
        likelihood.append(best.kappa / KAPPA)
        curve.append(seen.kappa / KAPPA if seen is not None else 0.0)
    assert 0.85 < float(np.mean(line)) < 1.1
    assert float(np.std(line)) > 1.2 * float(np.std(likelihood))
    assert abs(float(np.median(curve))) < 0.1


def pair() -> PairRules:
    return PairRules(
        pair="XBTMYR",
        base="XBT",
        counter="MYR",
        price_scale=0,
        volume_scale=6,
        min_price=Decimal(1),
        max_price=Decimal(10**7),
        min_volume=Decimal("0.0005"),
        max_volume=Decimal(100),
    )


def records(seed: int, seconds: int) -> tuple[list[TakerOrder], list[GridRow]]:
    """An hour of the same flow around a wandering mid, as `book` would record it."""
    draw = np.random.default_rng(seed)
    mids = 300_000 * np.exp(np.cumsum(draw.normal(0.0, SIGMA, seconds)))
    orders, rows = [], []
    for k in range(seconds // 10):
        half = float(draw.gamma(4.0, 1e-4))
        rows.append(
            GridRow(
                pair="XBTMYR",
                start_ms=10_000 * k,
                step_s=1.0,
                mids=[float(mid) for mid in mids[10 * k : 10 * k + 10]],
                exposure=[(half, 10.0)],
                first_sequence=k,
                last_sequence=k,
            )
        )
        for at in np.sort(draw.uniform(0.0, 10.0, draw.poisson(20 * A * math.exp(-KAPPA * half)))):
            mid = float(mids[10 * k + int(at)])
            buys = bool(draw.random() < 0.5)
            depth = (half + float(draw.exponential(1 / KAPPA))) * mid
            orders.append(
                TakerOrder(
                    pair="XBTMYR",
                    taker_id=f"{seed}-{len(orders)}",
                    side=Side.BID if buys else Side.ASK,
                    volume=Decimal(1),
                    counter=Decimal(1),
                    deepest=Decimal(round(mid + depth if buys else mid - depth)),
                    fills=1,
                    mid=mid,
                    half_spread=half * mid,
                    own_only=False,
                    sequence=len(orders),
                    trade_sequence=None,
                    exchange_ms=10_000 * k + int(at * 1000),
                )
            )
    return orders, rows


def test_forty_hours_are_inside_their_own_intervals() -> None:
    """sigma, kappa and A through JSON and back, each inside its 95 % interval at least 34 times of 40."""
    inside = {"sigma": 0, "kappa": 0, "A": 0}
    for seed in range(40):
        orders, rows = records(seed, 3600)
        orders = msgspec.json.decode(msgspec.json.encode(orders), type=list[TakerOrder])
        rows = msgspec.json.decode(msgspec.json.encode(rows), type=list[GridRow])
        found = calibrate(orders, rows, pair(), lookback_s=3600)
        known = found.estimates
        assert known.verdict is Verdict.GO
        assert found.mid and found.sigma_low and found.sigma_high and known.kappa_low and known.kappa_high
        assert known.intensity_low and known.intensity_high
        inside["sigma"] += found.sigma_low < SIGMA < found.sigma_high
        inside["kappa"] += known.kappa_low * found.mid < KAPPA < known.kappa_high * found.mid
        inside["A"] += known.intensity_low < A < known.intensity_high
    assert min(inside.values()) >= 34, inside
