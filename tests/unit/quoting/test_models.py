from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lunomm.errors import ModelError, UsageError
from lunomm.quoting.avellaneda_stoikov import SpreadFormula, evaluate
from lunomm.quoting.models import DAY_S, Market, ModelName, Taste, price
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew

SIGMA = 0.025 / math.sqrt(DAY_S)
XBT = Market(fair=300_000.0, sigma=SIGMA, kappa=1 / 300, intensity=1 / 30)
GLFT = Taste(model=ModelName.GLFT)


def test_as_is_the_papers_model():
    for formula in SpreadFormula:
        found = price(Taste(gamma=2.0, formula=formula), XBT, n=1.5, lot=0.002)
        assert found == evaluate(
            fair=300_000.0, n=1.5, gamma=2.0, sigma_relative=SIGMA, kappa=1 / 300, tau=DAY_S, formula=formula
        )


def test_glft_by_hand():
    found = price(replace(GLFT, gamma=100.0), XBT, n=2.0, lot=0.002)
    g, k = 100 / 300_000, 1 / 300
    c = math.sqrt((SIGMA * 300_000) ** 2 * g / (2 * k / 30) * (1 + g / k) ** (1 + k / g))
    assert found.method == "eigenvector"  # kappa C is 0.18
    assert found.c == pytest.approx(c, rel=1e-12)
    gentle = price(GLFT, XBT, n=2.0, lot=0.002)
    assert gentle.method == "closed form"
    assert gentle.reservation == pytest.approx(300_000 - 2 * gentle.c, rel=1e-12)
    assert 2 * gentle.half_spread == pytest.approx(2 * math.log1p(1e-3) * 300_000 + gentle.c, rel=1e-9)
    assert gentle.shift == pytest.approx(gentle.c)
    assert gentle.shift_bps == pytest.approx(0.17, abs=0.006)
    assert price(replace(GLFT, gamma=100.0), XBT, n=0.0, lot=0.002).shift_bps == pytest.approx(1.8, abs=0.06)


def test_glft_at_the_bound_has_one_side():
    long = price(GLFT, XBT, n=5.0, lot=0.002, bound=5.0)
    assert (long.bid, long.ask) == (False, True)
    assert math.isfinite(long.reservation)
    with pytest.raises(ModelError, match="neither side"):
        price(GLFT, XBT, n=0.0, lot=0.002, bound=0.5)


def test_a_cost_of_fills_makes_glft_skew_harder_and_leaves_as_alone():
    taste = replace(GLFT, gamma=1e-3)  # kappa C small: the closed form
    plain, dear = (price(taste, XBT, n=1.0, lot=0.002, cost=cost) for cost in (0.0, 300.0))
    assert dear.c == pytest.approx(plain.c * math.exp(0.5), rel=1e-9)
    assert price(Taste(), XBT, n=1.0, lot=0.002) == price(Taste(), XBT, n=1.0, lot=0.002, cost=300.0)


def test_drift_and_adverse_selection():
    taste = replace(GLFT, gamma=1.0)
    up = price(replace(taste, drift_daily=0.001), XBT, n=0.0, lot=0.002)
    plain = price(taste, XBT, n=0.0, lot=0.002)
    wanted = 0.001 / (0.025**2)  # drift over gamma sigma^2, in lots
    assert up.reservation == pytest.approx(300_000 + wanted * plain.c, rel=1e-9)
    hit = price(replace(taste, impact_bp=2.0), XBT, n=0.0, lot=0.002)
    assert hit.impact_half == pytest.approx(30.0)
    assert hit.c == pytest.approx(plain.c * math.exp(60 / 300 / 4), rel=1e-9)
    for wrong in ({"drift_daily": 0.001}, {"impact_bp": 1.0}):
        with pytest.raises(UsageError, match="--model glft"):
            Taste(**wrong)
    with pytest.raises(UsageError, match="readme"):
        Taste(model=ModelName.GLFT, formula=SpreadFormula.README)


def test_sides_with_kappas_of_their_own():
    apart = replace(XBT, kappa_bid=1 / 200, kappa_ask=1 / 400)
    for taste in (Taste(), GLFT):
        found, pooled = price(taste, apart, n=1.0, lot=0.002), price(taste, XBT, n=1.0, lot=0.002)
        below, above = found.intensity_half - found.tilt, found.intensity_half + found.tilt
        assert (below, above) == (pytest.approx(200, rel=0.002), pytest.approx(400, rel=0.002))
        assert found.reservation == pytest.approx(pooled.reservation)
        assert (found.shift, found.c) == (pooled.shift, pooled.c)


@pytest.mark.parametrize(("share", "gamma"), [(0.05, 0.168), (0.1, 0.355), (0.25, 1.066)])
def test_target_skew_as_a_share_of_the_spread(share, gamma):
    found = price(Taste(target_skew=TargetSkew(share=share)), XBT, n=0.0, lot=0.002)
    assert found.gamma_p * 300_000 == pytest.approx(gamma, abs=0.001)
    assert found.shift == pytest.approx(share * 2 * found.half_spread, rel=1e-9)


def test_target_skew_in_basis_points_a_lot():
    taste = Taste(target_skew=TargetSkew(bp=6.25))
    assert price(taste, XBT, n=0.0, lot=0.002).gamma_p * 300_000 == pytest.approx(1.0, rel=1e-9)
    for target in (TargetSkew(bp=0.5), TargetSkew(share=0.02)):
        found = price(replace(GLFT, target_skew=target), XBT, n=0.0, lot=0.002)
        goal = 15.0 if target.bp else 0.02 * 2 * found.half_spread
        assert found.method == "closed form"
        assert found.shift == pytest.approx(goal, rel=1e-9)


@pytest.mark.parametrize("model", ModelName)
@pytest.mark.parametrize("ref", GammaRef)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0])
@pytest.mark.parametrize("what", ["fair", "sigma", "kappa", "lot"])
def test_what_cannot_be_priced(model, ref, bad, what):
    taste = Taste(model=model, gamma=0.01, gamma_ref=ref)
    market = replace(XBT, **{what: bad}) if what != "lot" else XBT
    with pytest.raises(ModelError):
        price(taste, market, n=0.0, lot=bad if what == "lot" else 0.002, capital=1.0)


def test_glft_without_an_arrival_rate_says_so():
    for taste in (GLFT, replace(GLFT, target_skew=TargetSkew(bp=1.0))):
        with pytest.raises(ModelError, match="arrival rate"):
            price(taste, replace(XBT, intensity=None), n=0.0, lot=0.002)


def test_misconfigured_units_are_refused_in_both():
    with pytest.raises(ModelError, match="units"):
        price(Taste(horizon_s=1e9), XBT, n=0.0, lot=0.002)
    with pytest.raises(ModelError, match="units"):
        price(replace(GLFT, gamma=1e5), replace(XBT, intensity=1e-9), n=0.0, lot=0.002)
