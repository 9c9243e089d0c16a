from __future__ import annotations

import math
from decimal import Decimal as D

import pytest
from quoting_cases import rules

from lunomm.errors import ModelError
from lunomm.quoting.intents import Why
from lunomm.quoting.sizing import (
    MinSizePolicy,
    Sized,
    SizeRule,
    affordable_steps,
    cap,
    effective_lot,
    shape,
    to_steps,
)


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        (-0.005, {1: 0.001990, 2: 0.001980, 5: 0.001951, 10: 0.001902, 50: 0.001558, 100: 0.001213}),
        (-0.5, {1: 0.001213, 2: 0.000736, 5: 0.000164, 10: 0.000013}),
    ],
)
def test_decay_reproduces_the_published_table(eta, expected):
    for n, size in expected.items():
        bid, ask = shape(float(n), 0.002, eta, SizeRule.DECAY)
        assert round(bid, 6) == size
        assert ask == 0.002
        assert shape(-float(n), 0.002, eta, SizeRule.DECAY) == (ask, bid)


def test_decay_ignores_the_sign_of_eta_and_zero_switches_it_off():
    assert shape(3.0, 1.0, 0.2, SizeRule.DECAY) == shape(3.0, 1.0, -0.2, SizeRule.DECAY)
    assert shape(3.0, 1.0, 0.0, SizeRule.DECAY) == (1.0, 1.0)
    assert shape(0.0, 1.0, -0.5, SizeRule.DECAY) == (1.0, 1.0)


def test_literal_computes_the_documents_formula_with_the_sign_as_typed():
    assert shape(2.0, 1.0, -0.005, SizeRule.LITERAL) == (pytest.approx(math.exp(0.01)), 1.0)
    assert shape(-2.0, 1.0, -0.005, SizeRule.LITERAL) == (1.0, pytest.approx(math.exp(0.01)))
    assert shape(2.0, 1.0, 0.5, SizeRule.LITERAL) == (pytest.approx(math.exp(-1.0)), 1.0)


@pytest.mark.parametrize("n", [10.0, -10.0])
def test_a_size_that_overflows_is_refused(n):
    with pytest.raises(ModelError, match="overflows"):
        shape(n, 1.0, -100.0, SizeRule.LITERAL)


@pytest.mark.parametrize("bad", [{"n": math.nan}, {"n": math.inf}, {"lot": 0.0}, {"lot": math.nan}, {"eta": math.inf}])
def test_shape_refuses_what_is_not_finite(bad):
    with pytest.raises(ModelError):
        shape(**{"n": 1.0, "lot": 1.0, "eta": -0.005, "rule": SizeRule.DECAY, **bad})


@pytest.mark.parametrize(
    ("order_size", "worth", "target", "lot", "bound"),
    [
        # a retail account: 0.1 XBT and as much in MYR
        ("1", "0.2", "0.1", "0.025", "more than this account holds"),
        ("0.002", "0.2", "0.1", "0.002", None),
        # the smaller side binds
        ("1", "0.2", "0.04", "0.01", "more than this account holds"),
        ("1", "0.2", "0.16", "0.01", "more than this account holds"),
        # a side that could not hold four minimum orders does not
        ("1", "0.2", "0", "0.05", "more than this account holds"),
        ("1", "0.2", "0.2", "0.05", "more than this account holds"),
        ("1", "0.2", "0.0019", "0.049525", "more than this account holds"),
        # never below the minimum, never above the maximum, always on the step
        ("1", "0.001", "0.0005", "0.0005", "more than this account holds"),
        ("1", "0", "0", "0.0005", "more than this account holds"),
        ("0.0001", "0.2", "0.1", "0.0005", "less than the exchange accepts"),
        ("500", "10000", "5000", "100", "more than the exchange accepts"),
        ("0.00200049", "0.2", "0.1", "0.002", None),
        ("1", "0.2000049", "0.1", "0.025", "more than this account holds"),
    ],
)
def test_effective_lot(order_size, worth, target, lot, bound):
    found = effective_lot(D(order_size), rules(), worth=D(worth), target=D(target))
    assert (found.size, found.bound) == (D(lot), bound)


@pytest.mark.parametrize(
    ("size", "policy", "steps", "why"),
    [
        (0.0123456789, MinSizePolicy.FLOOR, 12_345, None),
        (0.0004999, MinSizePolicy.FLOOR, 500, Why.MIN_SIZE),
        (0.0004999, MinSizePolicy.SKIP, 0, Why.MIN_SIZE),
        (0.0005, MinSizePolicy.SKIP, 500, None),
        (250.0, MinSizePolicy.FLOOR, 100_000_000, None),
    ],
)
def test_floor_to_the_step_then_the_minimum(size, policy, steps, why):
    found = to_steps(size, rules(), policy)
    assert (found.steps, found.why) == (steps, why)


@pytest.mark.parametrize(
    ("have", "allowed", "steps", "why"),
    [
        (1000, 2000, 1000, None),
        (1000, 1000, 1000, None),
        (1000, 700, 700, Why.NO_BALANCE),
        (1000, 500, 500, Why.NO_BALANCE),
        (1000, 499, 0, Why.NO_BALANCE),  # never rounded up to the minimum
        (1000, 0, 0, Why.NO_BALANCE),
        (0, 0, 0, None),
    ],
)
def test_cap(have, allowed, steps, why):
    found = cap(Sized(have), allowed, rules(), Why.NO_BALANCE, "the free XBT")
    assert (found.steps, found.why) == (steps, why)


@pytest.mark.parametrize(
    ("counter", "price", "fee", "steps"),
    [
        ("30000", "300000", "0", 100_000),
        ("29999.99", "300000", "0", 99_999),
        ("30000", "300000", "0.01", 99_009),
        ("30000", "300000", "-0.01", 100_000),
        ("0", "300000", "0", 0),
        ("-5", "300000", "0", 0),
        ("0.3", "0.1", "0", 3_000_000),  # 2,999,999 in binary floats
    ],
)
def test_affordable_steps_are_exact_and_rounded_down(counter, price, fee, steps):
    assert affordable_steps(D(counter), D(price), D(fee), rules(price_scale=1)) == steps
