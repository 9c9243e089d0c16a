from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.market.records import Estimates, Verdict
from lunomm.market.volatility import DAY_S
from lunomm.market.warm import CandleClose, PublicFill, WarmStart, warm_intensity, warm_sigma

SIGMA = 0.025 / math.sqrt(DAY_S)
HALF = 3e-4
KAPPA = 1000.0  # 1 / 10 bp
RATE = 0.05


def closes(seed: int, minutes: int, bounce: float = 0.0) -> list[CandleClose]:
    draw = np.random.default_rng(seed)
    path = np.cumsum(draw.normal(0.0, SIGMA * math.sqrt(60), minutes))
    seen = path + bounce * draw.choice((-1.0, 1.0), minutes)
    return [CandleClose(60_000 * k, 300_000 * math.exp(y)) for k, y in enumerate(seen)]


def flow(seed: int, orders: int = 100, fills_each: int = 1) -> list[PublicFill]:
    """Taker orders around a moving mid, each reaching Exp(kappa) beyond the half-spread."""
    draw = np.random.default_rng(seed)
    at = np.cumsum(draw.exponential(1 / (2 * RATE * math.exp(-KAPPA * HALF)), orders))
    mids = 300_000 * np.exp(np.cumsum(draw.normal(0.0, SIGMA * np.sqrt(np.diff(at, prepend=0.0)))))
    fills = []
    for t, mid, buys, excess in zip(
        at, mids, draw.random(orders) < 0.5, draw.exponential(1 / KAPPA, orders), strict=True
    ):
        for part in range(1, fills_each + 1):
            depth = HALF + excess * part / fills_each
            fills.append(PublicFill(int(t * 1000), mid * (1 + depth if buys else 1 - depth), bool(buys)))
    return fills


def test_sigma_from_an_hour_of_candles() -> None:
    ratios = []
    for seed in range(60):
        warm = warm_sigma(closes(seed, 60))
        assert warm is not None
        ratios.append(warm.sigma / SIGMA)
        assert 0.1 < warm.error / warm.sigma < 0.3
    assert float(np.mean(ratios)) == pytest.approx(1.0, abs=0.07)


def test_bouncing_closes_do_not_widen_it_much() -> None:
    """4 bp of bounce would add a third to the variance of one-minute returns."""
    ratios = [warm.sigma / SIGMA for seed in range(60) if (warm := warm_sigma(closes(seed, 60, bounce=4e-4)))]
    assert len(ratios) == 60
    assert float(np.mean(ratios)) == pytest.approx(1.0, abs=0.1)


def test_minutes_without_a_candle_hold_the_price() -> None:
    every = closes(1, 40)
    holes = [c for k, c in enumerate(every) if k % 5]
    held, last = [], holes[0].close
    known = {c.start_ms: c.close for c in holes}
    for k in range(1, 40):
        last = known.get(60_000 * k, last)
        held.append(CandleClose(60_000 * k, last))
    assert warm_sigma(holes) == warm_sigma(held)
    assert warm_sigma(list(reversed(every))) == warm_sigma(every)


@pytest.mark.parametrize("candles", [[], closes(1, 14), [CandleClose(0, 0.0)] * 99])
def test_too_few_candles(candles: list[CandleClose]) -> None:
    assert warm_sigma(candles) is None


def test_only_the_last_hour_counts() -> None:
    old = [CandleClose(60_000 * (k - 1000), 1000.0 * (1 + k % 2)) for k in range(900)]
    assert warm_sigma(old + closes(3, 60)) == warm_sigma(closes(3, 60))


@pytest.mark.parametrize("fills_each", [1, 4])
def test_kappa_without_knowing_a_single_mid(fills_each: int) -> None:
    kappas, covered, rates = [], 0, []
    for seed in range(150):
        warm = warm_intensity(flow(seed, fills_each=fills_each), HALF)
        if warm is None:
            continue
        kappas.append(warm.fit.kappa)
        low, high = warm.fit.kappa_interval
        covered += low < KAPPA < high
        rates.append(warm.fit.a)
        assert warm.sample >= 98  # two orders may share a millisecond
    assert len(kappas) > 145
    assert float(np.median(kappas)) == pytest.approx(KAPPA, rel=0.08)
    assert float(np.median(rates)) == pytest.approx(RATE, rel=0.08)
    assert 0.88 < covered / len(kappas) <= 1.0


def test_trades_that_stay_at_the_touch_say_nothing() -> None:
    fills = [PublicFill(k * 5000, 300_000 * (1 + HALF * (1 if k % 2 else -1)), bool(k % 2)) for k in range(100)]
    assert warm_intensity(fills, HALF) is None
    assert warm_intensity(flow(1), 40e-4) is None  # the present spread is wider than they ever reached
    assert warm_intensity(flow(1, orders=19), HALF) is None
    assert warm_intensity([], HALF) is None
    one_sided = [fill._replace(taker_buys=True) for fill in flow(1)]
    assert warm_intensity(one_sided, HALF) is None
    spread_out = [fill._replace(at_ms=fill.at_ms * 1000) for fill in flow(1)]
    assert warm_intensity(spread_out, HALF) is None


def test_warm_fills_in_until_live_is_ready() -> None:
    start = WarmStart(closes(1, 60), flow(1))
    assert start.waiting
    nothing = Estimates(reason="no spread history yet")
    before = start.complete(nothing, None, None)
    assert (before.sigma_source, before.kappa, before.verdict) == ("warm", None, Verdict.NO)
    assert start.waiting
    full = start.complete(nothing, HALF, 300_000.0)
    assert not start.waiting
    assert (full.kappa_source, full.verdict, full.sample) == ("warm", Verdict.THIN, 100)
    assert full.kappa is not None and full.kappa * 300_000 == pytest.approx(KAPPA, rel=0.5)
    assert full.kappa_low is not None and full.kappa_low < full.kappa
    assert "warm" in full.reason and "no spread history" in full.reason
    half_live = Estimates(sigma=1e-4, sigma_se=1e-5, sigma_source="live", mid=310_000.0, reason="3 taker orders")
    mixed = start.complete(half_live, HALF, 300_000.0)
    assert (mixed.sigma, mixed.sigma_source, mixed.kappa_source) == (1e-4, "live", "warm")
    assert mixed.kappa is not None and mixed.kappa * 310_000 == pytest.approx(full.kappa * 300_000)
    live = Estimates(sigma=1e-4, sigma_source="live", kappa=0.5, kappa_source="live", verdict=Verdict.THIN)
    assert start.complete(live, HALF, 300_000.0) is live


def test_nothing_to_start_from() -> None:
    start = WarmStart()
    nothing = Estimates()
    assert not start.waiting
    assert start.complete(nothing, HALF, 300_000.0) is nothing


def sweeps(seed: int, orders: int) -> list[PublicFill]:
    """Taker orders that leave a fill at each of many levels from the touch to Exp(kappa) beyond it."""
    draw = np.random.default_rng(seed)
    at = np.cumsum(draw.exponential(1 / (2 * RATE * math.exp(-KAPPA * HALF)), orders))
    fills = []
    for t, buys, excess in zip(at, draw.random(orders) < 0.5, draw.exponential(1 / KAPPA, orders), strict=True):
        for depth in [*np.arange(HALF, HALF + excess, 1e-4), HALF + excess]:
            fills.append(PublicFill(int(t * 1000), 300_000 * (1 + depth if buys else 1 - depth), bool(buys)))
    return fills


@pytest.mark.parametrize("orders", [10, 15, 19])
def test_a_dozen_sweeps_are_enough(orders: int) -> None:
    """A dense book gives many trades an order: the last hundred are then a dozen takers."""
    kappas, covered = [], 0
    for seed in range(200):
        warm = warm_intensity(sweeps(seed, orders), HALF)
        assert warm is not None and warm.sample == orders
        kappas.append(warm.fit.kappa)
        low, high = warm.fit.kappa_interval
        covered += low < KAPPA < high
    assert float(np.mean(kappas)) == pytest.approx(KAPPA, rel=0.06)
    assert covered >= 180
    assert warm_intensity(sweeps(1, 9), HALF) is None


def test_the_house_can_be_quoted_against_from_its_first_second() -> None:
    """The simulated exchange opens with an hour of history: from it alone kappa and A are known, roughly."""
    from lunomm.simulator.exchange import seeded

    start_ns, known = 1_800_000_000_000_000_000, 0
    for seed in range(40):
        venue = seeded(["XBTMYR"], profile=None, seed=seed, fee_tier=0, start_ns=start_ns).venue
        rows = venue.trades(start_ns // 1_000_000, "XBTMYR").trades
        fills = [PublicFill(row.timestamp, float(row.price), row.is_buy) for row in rows]
        warm = warm_intensity(fills, 0.5e-4)
        assert warm is not None, seed
        low, high = warm.fit.kappa_interval
        known += low < KAPPA < high
    assert known >= 34
