"""What no change of units may change, for every model and every way to say risk aversion (one code path: ``price``)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lunomm.errors import ModelError
from lunomm.quoting.avellaneda_stoikov import Model
from lunomm.quoting.glft import Flow, indifference
from lunomm.quoting.models import DAY_S, Market, ModelName, Taste, price
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew

markets = st.builds(
    lambda fair, daily, inv_bp, rate: Market(fair, daily / math.sqrt(DAY_S), 1e4 / (inv_bp * fair), rate),
    st.floats(1e-3, 1e7),
    st.floats(0.001, 0.08),
    st.floats(0.5, 200),
    st.floats(1e-3, 10),
)
tastes = st.builds(
    Taste,
    model=st.sampled_from(ModelName),
    gamma=st.floats(1e-3, 50),
    target_skew=st.one_of(
        st.none(), st.builds(TargetSkew, share=st.floats(0.01, 0.5)), st.builds(TargetSkew, bp=st.floats(0.01, 20))
    ),
)
lots = st.floats(-9, 9)
scales = st.floats(1e-3, 1e3)


def priced(taste: Taste, market: Market, n: float, lot: float = 0.002, capital: float = 1.0) -> Model:
    try:
        return price(taste, market, n=n, lot=lot, capital=capital, bound=10.0)
    except ModelError:
        assume(False)
        raise


def near(value: float, scale: float = 0.0) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-9 * scale)


@settings(deadline=None, max_examples=150)
@given(tastes, markets, lots, scales)
def test_price_unit(taste, market, n, c):
    here = priced(taste, market, n)
    kappa = market.kappa / c
    there = priced(taste, replace(market, fair=market.fair * c, kappa=kappa), n)
    assert there.reservation == near(c * here.reservation)
    assert there.spread_bps == near(here.spread_bps)
    assert there.shift_bps == near(here.shift_bps, here.spread_bps)


@settings(deadline=None, max_examples=150)
@given(tastes, st.sampled_from(GammaRef), markets, lots, scales)
def test_size_unit(taste, ref, market, n, c):
    # gamma of `absolute` has a unit, 1/counter; a lot of another size in the same money needs gamma x lot kept.
    gamma = taste.gamma / market.fair if ref is GammaRef.ABSOLUTE else taste.gamma
    here = priced(replace(taste, gamma_ref=ref, gamma=gamma), market, n)
    other = gamma / c if ref is GammaRef.ABSOLUTE else gamma
    there = priced(replace(taste, gamma_ref=ref, gamma=other), market, n, lot=0.002 * c, capital=c)
    assert there.reservation == near(here.reservation)
    assert there.spread_bps == near(here.spread_bps)


@settings(deadline=None, max_examples=150)
@given(tastes, markets, lots, st.floats(0.01, 100))
def test_time_unit(taste, market, n, c):
    here = priced(taste, market, n)
    assert market.intensity is not None
    slower = replace(market, sigma=market.sigma / math.sqrt(c), intensity=market.intensity / c)
    there = priced(replace(taste, horizon_s=taste.horizon_s * c), slower, n)
    assert there.reservation == near(here.reservation)
    assert there.spread_bps == near(here.spread_bps)


@settings(deadline=None, max_examples=150)
@given(tastes, markets, lots)
def test_mirror(taste, market, n):
    long, short = priced(taste, market, n), priced(taste, market, -n)
    assert (long.bid, long.ask) == (short.ask, short.bid)
    assert long.reservation + short.reservation == near(2 * market.fair)
    assert long.spread_bps == near(short.spread_bps)


@settings(deadline=None, max_examples=150)
@given(tastes, markets, st.floats(-8.9, 7.9), st.floats(0.01, 1.0))
def test_skew_is_monotone_and_the_bid_is_below_the_ask(taste, market, n, more):
    here, there = priced(taste, market, n), priced(taste, market, n + more)
    assert there.reservation <= here.reservation + 1e-9 * market.fair
    assert here.half_spread > 0.0
    assert all(math.isfinite(x) for x in (here.reservation, here.half_spread, here.shift))


@settings(deadline=None, max_examples=150)
@given(markets, lots, st.floats(1e-3, 50), scales)
def test_glft_depends_on_ratios_only(market, n, gamma, c):
    """(n, gamma/kappa, kappa^2 sigma^2/A): another kappa and A with the same three give the same kappa x distance."""
    assert market.intensity is not None
    kappa, sigma = market.kappa, market.sigma * market.fair
    here = Flow(market.intensity, kappa, gamma / market.fair, sigma)
    there = Flow(market.intensity * c * c, kappa * c, gamma * c / market.fair, sigma)
    for a, b in zip(_sides(here, n), _sides(there, n), strict=True):
        assert (a is None) == (b is None)
        assert a is None or b is None or kappa * a == pytest.approx(kappa * c * b, rel=1e-6, abs=1e-9)


def _sides(flow: Flow, n: float) -> tuple[float | None, float | None]:
    found = indifference(flow, n, 10.0)
    return found.bid, found.ask
