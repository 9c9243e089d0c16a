"""Estimators against a truth that is known: bias, coverage, and the same test failing for the naive ones.

Flow: half-spreads that change every ten seconds (mean 4 bp), takers Poisson with A exp(-kappa h), each reaching
Exp(kappa) beyond the touch: 1/kappa = 10 bp, A = 0.05 a second and side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from lunomm.market.calibration import calibrate
from lunomm.market.intensity import Exposure, Fit, Floats, depth_fit, exposure_fit, touch_fit
from lunomm.market.records import GridRow, TakerOrder, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.market.volatility import DAY_S

KAPPA = 1000.0
A = 0.05
SIGMA = 0.025 / math.sqrt(DAY_S)
SEEDS = 400


class Sample(NamedTuple):
    depths: Floats
    half_spreads: Floats
    exposure: Exposure


def synthetic(seed: int, segments: int) -> Sample:
    draw = np.random.default_rng(seed)
    spreads = draw.gamma(4.0, 1e-4, segments)
    counts = draw.poisson(2 * A * np.exp(-KAPPA * spreads) * 10.0)
    at = np.repeat(spreads, counts)
    return Sample(at + draw.exponential(1 / KAPPA, len(at)), at, Exposure(spreads, np.full(segments, 10.0)))


def by_exposure(sample: Sample) -> Fit | None:
    return exposure_fit(sample.depths, sample.exposure)


def by_touch(sample: Sample) -> Fit | None:
    return touch_fit(sample.depths, sample.half_spreads, sample.exposure.total_s)


def by_depth(sample: Sample) -> Fit | None:
    return depth_fit(sample.depths, sample.exposure.total_s)


def judge_kappa(fit: Callable[[Sample], Fit | None], segments: int, bias: float) -> None:
    """Mean within ``bias`` of the truth, 95 % intervals covering it 92 to 98 % of the time."""
    fits = [found for seed in range(SEEDS) if (found := fit(synthetic(seed, segments))) is not None]
    assert len(fits) == SEEDS
    assert float(np.mean([found.kappa for found in fits])) == pytest.approx(KAPPA, rel=bias)
    covered = [low < KAPPA < high for low, high in (found.kappa_interval for found in fits)]
    assert 0.92 <= float(np.mean(covered)) <= 0.98


@pytest.mark.parametrize(("segments", "bias"), [(75, 0.05), (300, 0.02)], ids=["n about 50", "n about 200"])
def test_exposure_is_unbiased_and_knows_its_error(segments: int, bias: float) -> None:
    judge_kappa(by_exposure, segments, bias)


def test_exposure_gives_the_rate_too() -> None:
    fits = [found for seed in range(SEEDS) if (found := by_exposure(synthetic(seed, 300))) is not None]
    assert float(np.mean([found.a for found in fits])) == pytest.approx(A, rel=0.02)
    covered = [low < A < high for low, high in (found.a_interval for found in fits)]
    assert 0.92 <= float(np.mean(covered)) <= 0.98


def test_touch_agrees_on_kappa() -> None:
    judge_kappa(by_touch, 300, 0.02)


def test_one_over_the_mean_depth_fails_the_same_test() -> None:
    with pytest.raises(AssertionError):
        judge_kappa(by_depth, 300, 0.02)
    ratios = [found.kappa / KAPPA for seed in range(50) if (found := by_depth(synthetic(seed, 300))) is not None]
    assert float(np.mean(ratios)) == pytest.approx(0.75, abs=0.05)


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
