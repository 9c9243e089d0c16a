from __future__ import annotations

from decimal import Decimal as D

import pytest
from quoting_cases import DAY_SIGMA, rules

from lunomm.errors import ModelError
from lunomm.quoting.avellaneda_stoikov import SpreadFormula, evaluate
from lunomm.quoting.intents import Why
from lunomm.quoting.pricing import Touch, half_spread, price_sides

NAMES = ["fair", "skew", "risk", "intensity", "fee", "min_spread", "clamp", "rounding"]


def model(n: float = 0.0, gamma: float = 1.0, fair: float = 300_000.0, inv_kappa: float = 300.0, **changes):
    return evaluate(fair=fair, n=n, gamma=gamma, sigma_relative=DAY_SIGMA, kappa=1 / inv_kappa, tau=86_400.0, **changes)


@pytest.mark.parametrize(("n", "bid", "ask"), [(0, 299_606, 300_394), (1, 299_418, 300_207), (-3, 300_168, 300_957)])
def test_the_worked_example(n, bid, ask):
    found = price_sides(model(float(n)), rules(), Touch())
    assert [side.ticks for side in found] == [bid, ask]


@pytest.mark.parametrize(
    ("case", "fee", "min_spread", "touch", "bid", "ask"),
    [
        ("fee on both sides", 0.004, 0.0, Touch(), 298_406, 301_594),
        ("rebate narrows", -0.001, 0.0, Touch(), 299_906, 300_094),
        ("min_spread is the whole spread", 0.0, 0.01, Touch(), 298_500, 301_500),
        ("the larger of fee and min_spread, not both", 0.004, 0.01, Touch(), 298_406, 301_594),
        ("min_spread below the model's does nothing", 0.0, 0.002, Touch(), 299_606, 300_394),
        ("a rebate beyond the model stops at nothing", -0.01, 0.002, Touch(), 299_700, 300_300),
        ("clamped bid, the ask is not moved", 0.0, 0.0, Touch(bid=299_400, ask=299_500), 299_499, 300_394),
        ("clamped ask, the bid is not moved", 0.0, 0.0, Touch(bid=300_500, ask=300_600), 299_606, 300_501),
        ("improving the touch is allowed", 0.0, 0.0, Touch(bid=299_000, ask=301_000), 299_606, 300_394),
        ("at the limit nothing is clamped", 0.0, 0.0, Touch(bid=300_393, ask=299_607), 299_606, 300_394),
    ],
)
def test_order_of_operations(case, fee, min_spread, touch, bid, ask):
    found = price_sides(model(), rules(), touch, maker_fee=fee, min_spread=min_spread)
    assert [side.ticks for side in found] == [bid, ask], case


def test_every_step_is_kept_in_order_and_the_last_is_the_price():
    bid, ask = price_sides(model(1.0), rules(), Touch(bid=299_400, ask=299_410), maker_fee=0.001, min_spread=0.004)
    for side in (bid, ask):
        assert [step.name for step in side.steps] == NAMES
    assert [step.price for step in bid.steps] == pytest.approx(
        [300_000, 299_812.5, 299_718.75, 299_418.8999, 299_118.8999, 299_118.8999, 299_118.8999, 299_118]
    )
    assert [step.price for step in ask.steps] == pytest.approx(
        [300_000, 299_812.5, 299_906.25, 300_206.1001, 300_506.1001, 300_506.1001, 300_506.1001, 300_507]
    )


def test_a_clamp_shows_in_its_own_step():
    bid, _ = price_sides(model(), rules(), Touch(bid=299_400, ask=299_500))
    assert {step.name: step.price for step in bid.steps}["clamp"] == 299_499.0
    assert {step.name: step.price for step in bid.steps}["min_spread"] == pytest.approx(299_606.4, abs=0.01)


def test_a_value_on_the_grid_stays_and_tiny_ticks_do_not_misfire():
    fine = rules(price_scale=4, min_price=D("0.0001"))
    zero = model(gamma=0.0, fair=0.5, inv_kappa=0.2)
    assert [side.ticks for side in price_sides(zero, fine, Touch())] == [3000, 7000]


@pytest.mark.parametrize(
    ("limits", "bid_why", "ask_why"),
    [
        ({"min_price": D(299_700)}, Why.PRICE_BOUNDS, None),
        ({"max_price": D(300_300)}, None, Why.PRICE_BOUNDS),
        ({"min_price": D(299_606), "max_price": D(300_394)}, None, None),
    ],
)
def test_outside_the_pairs_bounds_a_side_is_dropped_and_the_other_stays(limits, bid_why, ask_why):
    bid, ask = price_sides(model(), rules(**limits), Touch())
    assert (bid.why, ask.why) == (bid_why, ask_why)
    assert (bid.ticks is None, ask.ticks is None) == (bid_why is not None, ask_why is not None)
    assert bid.steps and ask.steps


def test_a_bid_at_or_below_nothing_is_dropped():
    bid, ask = price_sides(model(gamma=0.0, inv_kappa=400_000.0), rules(min_price=D(0)), Touch())
    assert (bid.why, ask.why) == (Why.PRICE_BOUNDS, None)


def test_a_spread_of_nothing_quotes_nothing():
    flat = model(gamma=0.0, formula=SpreadFormula.README)
    bid, ask = price_sides(flat, rules(), Touch())
    assert (bid.ticks, ask.ticks, bid.why, ask.why) == (None, None, Why.NOT_PAYING, Why.NOT_PAYING)


@pytest.mark.parametrize(
    "bad", [{"maker_fee": float("nan")}, {"min_spread": float("inf")}, {"min_spread": -0.1}, {"maker_fee": 1e308}]
)
def test_what_is_not_finite_never_becomes_a_price(bad):
    with pytest.raises(ModelError):
        price_sides(model(), rules(), Touch(), **bad)


def test_half_spread_is_what_drift_is_measured_in():
    assert half_spread(model(), 0.001, 0.0) == pytest.approx(393.6001 + 300)
    assert half_spread(model(), 0.0, 0.01) == 1500.0
