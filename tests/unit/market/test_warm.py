from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.market.records import Estimates, Verdict
from lunomm.market.volatility import DAY_S, TwoScaleVol
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


def flow(seed: int, orders: int = 100, fills_each: int = 2) -> list[PublicFill]:
    """Taker orders around a moving mid: a first fill at the touch, the last Exp(kappa) beyond it."""
    draw = np.random.default_rng(seed)
    at = np.cumsum(draw.exponential(1 / (2 * RATE * math.exp(-KAPPA * HALF)), orders))
    mids = 300_000 * np.exp(np.cumsum(draw.normal(0.0, SIGMA * np.sqrt(np.diff(at, prepend=0.0)))))
    fills = []
    for t, mid, buys, excess in zip(
        at, mids, draw.random(orders) < 0.5, draw.exponential(1 / KAPPA, orders), strict=True
    ):
        for part in range(fills_each):
            depth = HALF + excess * part / (fills_each - 1)
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


@pytest.mark.parametrize("fills_each", [2, 5])
def test_kappa_without_knowing_a_single_mid(fills_each: int) -> None:
    kappas, covered, rates, rates_covered = [], 0, [], 0
    for seed in range(300):
        warm = warm_intensity(flow(seed, orders=26, fills_each=fills_each), HALF)
        assert warm is not None and warm.sample >= 24  # two orders may share a millisecond; the oldest is left out
        kappas.append(warm.fit.kappa)
        low, high = warm.fit.kappa_interval
        covered += low < KAPPA < high
        rates.append(warm.fit.a)
        low, high = warm.fit.a_interval
        rates_covered += low < RATE < high
    assert float(np.median(kappas)) == pytest.approx(KAPPA, rel=0.06)
    assert float(np.median(rates)) == pytest.approx(RATE, rel=0.06)
    assert 0.91 < covered / 300 < 0.98 and 0.91 < rates_covered / 300 < 0.99


def test_orders_at_the_touch_count_but_do_not_sharpen() -> None:
    """Twenty orders, five of which went 10 bp beyond: kappa is 19 / 50 bp, known as well as from five."""
    fills = []
    for k in range(21):
        fills.append(PublicFill(5000 * k, 300_000.0, True))
        if k % 4 == 1:
            fills.append(PublicFill(5000 * k, 300_300.0, True))
    warm = warm_intensity(fills, HALF)
    assert warm is not None
    assert warm.fit.kappa == pytest.approx(19 / (5 * 300 / 300_150))
    assert warm.fit.se_log_kappa == pytest.approx(5**-0.5)
    assert (warm.sample, warm.window_s) == (20, 100.0)
    assert warm.fit.a == pytest.approx(19 / 200 * math.exp(warm.fit.kappa * HALF))
    assert warm_intensity(fills[::-1], HALF) == warm


def test_trades_that_say_nothing() -> None:
    touch_only = [PublicFill(k * 5000, 300_000 * (1 + HALF * (1 if k % 2 else -1)), bool(k % 2)) for k in range(100)]
    assert warm_intensity(touch_only, HALF) is None
    assert warm_intensity([], HALF) is None
    assert warm_intensity(flow(1, orders=10, fills_each=2), HALF) is None
    assert warm_intensity(flow(1, fills_each=2), 0.5) is None  # e to the 500
    at_once = [fill._replace(at_ms=0) for fill in flow(1, fills_each=2)]
    assert warm_intensity(at_once, HALF) is None
    broken = [PublicFill(1, 0.0, True), PublicFill(2, math.inf, True), PublicFill(3, math.nan, False)]
    assert warm_intensity(broken, HALF) is None


def test_warm_fills_in_until_live_is_ready() -> None:
    start = WarmStart(closes(1, 60), flow(1))
    assert start.waiting
    nothing = Estimates(reason="no spread history yet")
    before = start.complete(nothing, None, None)
    assert (before.sigma_source, before.kappa, before.verdict) == ("warm", None, Verdict.NO)
    assert start.waiting
    full = start.complete(nothing, HALF, 300_000.0)
    assert not start.waiting
    assert (full.kappa_source, full.verdict, full.sample) == ("warm", Verdict.THIN, 99)
    assert full.kappa is not None and full.kappa * 300_000 == pytest.approx(KAPPA, rel=0.5)
    assert full.kappa_low is not None and full.kappa_low < full.kappa
    assert "warm" in full.reason and "no spread history" in full.reason
    half_live = Estimates(sigma=1e-4, sigma_se=1e-5, sigma_source="live", mid=310_000.0, reason="3 taker orders")
    mixed = start.complete(half_live, HALF, 300_000.0)
    assert (mixed.sigma, mixed.sigma_source, mixed.kappa_source) == (1e-4, "live", "warm")
    assert mixed.kappa is not None and mixed.kappa * 310_000 == pytest.approx(full.kappa * 300_000)
    live = Estimates(
        sigma=1e-4, sigma_se=1e-5, sigma_source="live", kappa=0.5, kappa_source="live", verdict=Verdict.THIN
    )
    assert start.complete(live, HALF, 300_000.0) is live


def test_a_live_sigma_replaces_a_warm_one_when_it_is_known_as_well() -> None:
    """Not after its first minute, known to 42 % against 22 % of an hour of candles, but within three minutes."""
    start = WarmStart(closes(1, 60))
    vol = TwoScaleVol()
    sources = []
    for price in np.exp(np.cumsum(np.random.default_rng(9).normal(0.0, SIGMA, 300))):
        vol.push(float(price))
        sigma, error = vol.sigma(), vol.relative_error()
        if vol.ready and sigma is not None and error is not None:
            live = Estimates(sigma=sigma, sigma_se=sigma * error, sigma_source="live")
            sources.append(start.complete(live, None, None).sigma_source)
    switched = sources.index("live")
    assert 30 < switched < 120, "points after the first sixty"
    assert set(sources[:switched]) == {"warm"} and set(sources[switched:]) == {"live"}
    unknown = Estimates(sigma=1e-4, sigma_source="live")
    assert start.complete(unknown, None, None).sigma_source == "warm"


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


@pytest.mark.parametrize("orders", [11, 15, 19])
def test_a_dozen_sweeps_are_enough(orders: int) -> None:
    """A dense book gives many trades an order: the last hundred are then a dozen takers."""
    kappas, covered = [], 0
    for seed in range(200):
        warm = warm_intensity(sweeps(seed, orders), HALF)
        assert warm is not None and warm.sample == orders - 1  # the oldest may be listed in part
        kappas.append(warm.fit.kappa)
        low, high = warm.fit.kappa_interval
        covered += low < KAPPA < high
    assert float(np.mean(kappas)) == pytest.approx(KAPPA, rel=0.06)
    assert covered >= 180
    assert warm_intensity(sweeps(1, 10), HALF) is None


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
