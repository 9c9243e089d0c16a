from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest

from lunomm.errors import ModelError
from lunomm.quoting.avellaneda_stoikov import (
    SpreadFormula,
    evaluate,
    gamma_per_lot,
    intensity_half_spread,
    reservation,
    risk_half_spread,
)

DAY = 86_400.0
SIGMA = 0.025 / math.sqrt(DAY)


def naive(fair: str, n: str, gamma: str, sigma_daily: str, inv_kappa: str, tau_days: str, readme: bool = False):
    """The model once more, by hand: Decimal with 50 digits, straight from the formulas, sharing nothing."""
    with localcontext() as context:
        context.prec = 50
        s, lots, g, sigma, distance, days = (Decimal(x) for x in (fair, n, gamma, sigma_daily, inv_kappa, tau_days))
        variance = sigma * sigma * days  # of the relative price, over the horizon
        kappa_relative = s / distance
        shift = s * g * variance
        if readme:
            spread = s * (g * variance + (1 + g / kappa_relative).ln())
        elif g == 0:
            spread = 2 * s / kappa_relative
        else:
            spread = s * (g * variance + (2 / g) * (1 + g / kappa_relative).ln())
        return float(s - lots * shift), float(spread), float(shift)


CASES = [
    # fair, n, gamma, sigma a day, 1/kappa (price), horizon (days)
    ("300000", "0", "1", "0.025", "300", "1"),
    ("300000", "1", "1", "0.025", "300", "1"),
    ("300000", "-3", "1", "0.025", "300", "1"),
    ("10", "2.8", "1", "0.025", "0.01", "1"),
    ("1700000.5", "-0.37", "12.5", "0.04", "850", "0.5"),
    ("0.00031", "10", "0.01", "0.08", "0.0000003", "2"),
    ("300000", "4", "100000", "0.001", "300", "0.0416666666666666666666"),
    ("300000", "1", "0.000001", "0.025", "300", "1"),
    ("300000", "5", "0", "0.025", "300", "1"),
]


@pytest.mark.parametrize("readme", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_equals_a_naive_decimal_implementation(case, readme):
    fair, n, gamma, sigma, inv_kappa, days = case
    r, spread, shift = naive(*case, readme=readme)
    model = evaluate(
        fair=float(fair),
        n=float(n),
        gamma=float(gamma),
        sigma_relative=float(sigma) / math.sqrt(DAY),
        kappa=1 / float(inv_kappa),
        tau=float(days) * DAY,
        formula=SpreadFormula.README if readme else SpreadFormula.PAPER,
    )
    assert model.reservation == pytest.approx(r, rel=1e-9)
    assert 2 * model.half_spread == pytest.approx(spread, rel=1e-9, abs=1e-300)
    assert model.shift == pytest.approx(shift, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("daily", "inv_kappa_bp", "spread_bp", "shift_bp"),
    [
        (0.01, 1, 3.0, 1.0),
        (0.01, 50, 100.8, 1.0),
        (0.025, 1, 8.2, 6.25),
        (0.025, 10, 26.2, 6.25),
        (0.04, 25, 66, 16),
        (0.08, 5, 74, 64),
        (0.08, 50, 164, 64),
    ],
)
@pytest.mark.parametrize("fair", [10.0, 300_000.0, 0.002])
def test_everyday_markets_read_the_same_in_basis_points(fair, daily, inv_kappa_bp, spread_bp, shift_bp):
    model = evaluate(
        fair=fair,
        n=0.0,
        gamma=1.0,
        sigma_relative=daily / math.sqrt(DAY),
        kappa=1 / (fair * inv_kappa_bp * 1e-4),
        tau=DAY,
    )
    assert model.spread_bps == pytest.approx(spread_bp, abs=0.51 if spread_bp >= 10 else 0.051)
    assert model.shift_bps == pytest.approx(shift_bp, rel=1e-12)
    assert model.n_flip == pytest.approx(model.spread_bps / (2 * model.shift_bps))


def test_the_worked_example_to_four_decimals():
    model = evaluate(fair=300_000.0, n=0.0, gamma=1.0, sigma_relative=SIGMA, kappa=1 / 300, tau=DAY)
    assert round(model.shift, 4) == 187.5
    assert round(2 * model.half_spread, 4) == 787.2002
    assert round(model.spread_bps, 1) == 26.2


def test_gamma_zero_is_risk_neutral_and_the_limit():
    assert intensity_half_spread(0.0, 0.004) == 250.0
    assert risk_half_spread(0.0, 25.0, DAY) == 0.0
    assert reservation(100.0, 5.0, 0.0, 25.0, DAY) == 100.0
    assert intensity_half_spread(1e-15, 0.004) == pytest.approx(250.0, rel=1e-9)
    assert intensity_half_spread(0.0, 0.004, formula=SpreadFormula.README, fair=100.0) == 0.0
    free = evaluate(fair=100.0, n=3.0, gamma=0.0, sigma_relative=SIGMA, kappa=1.0, tau=DAY)
    assert (free.reservation, free.half_spread, free.n_flip) == (100.0, 1.0, None)


def test_the_series_meets_the_logarithm():
    below, above = (intensity_half_spread(x * 2.0, 2.0) for x in (0.999_999e-6, 1.000_001e-6))
    assert below == pytest.approx(above, rel=1e-11)
    assert above < below < 0.5


def test_kappa_to_nothing_widens_without_end_and_never_overflows():
    assert intensity_half_spread(1.0, 1e-300) == pytest.approx(math.log(1e300), rel=1e-9)


def test_gamma_per_lot_is_a_pure_number_over_the_price():
    assert gamma_per_lot(2.0, 400.0) == 0.005


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "changes",
    [
        {"fair": NAN},
        {"fair": 0.0},
        {"fair": -1.0},
        {"fair": INF},
        {"n": NAN},
        {"n": INF},
        {"gamma": NAN},
        {"gamma": -1.0},
        {"gamma": INF},
        {"gamma": 1e308},
        {"sigma_relative": NAN},
        {"sigma_relative": 0.0},
        {"sigma_relative": -1.0},
        {"sigma_relative": INF},
        {"sigma_relative": 1e200},
        {"kappa": 0.0},
        {"kappa": -2.0},
        {"kappa": NAN},
        {"kappa": INF},
        {"kappa": 1e-308},
        {"tau": 0.0},
        {"tau": NAN},
        {"tau": INF},
        {"tau": 1e12},  # misconfigured units: the risk term would exceed half the price
    ],
)
def test_what_cannot_be_priced_is_refused(changes):
    good = {"fair": 300_000.0, "n": 1.0, "gamma": 1.0, "sigma_relative": SIGMA, "kappa": 1 / 300, "tau": DAY}
    evaluate(**good)
    if changes == {"kappa": 1e-308}:
        good["gamma"] = 1e6  # gamma/kappa overflows
        good["sigma_relative"] = 1e-12
    with pytest.raises(ModelError):
        evaluate(**{**good, **changes})


def test_kappa_infinite_is_refused_alone():
    with pytest.raises(ModelError, match="kappa"):
        intensity_half_spread(1.0, INF)


def test_the_readme_form_needs_the_price_it_is_relative_to():
    with pytest.raises(ModelError, match="fair price"):
        intensity_half_spread(1.0, 1.0, formula=SpreadFormula.README)


def test_at_gamma_one_the_readme_form_is_half_the_papers_intensity_term():
    paper = intensity_half_spread(1 / 300_000, 1 / 300)
    readme = intensity_half_spread(1 / 300_000, 1 / 300, formula=SpreadFormula.README, fair=300_000.0)
    assert readme == pytest.approx(paper / 2, rel=1e-12)
