from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.market.levels import SideLevels
from lunomm.market.rules import PairRules, Side
from lunomm.market.signals import (
    exact,
    imbalance,
    level_sums,
    mid_price,
    side_sums,
    vamp,
    vamp_float,
    weighted_mid,
)

BIDS, ASKS = [(99, 3), (98, 1)], [(101, 1), (104, 3)]


def whole(pair: PairRules) -> PairRules:
    """The same pair with prices in whole counter units."""
    return PairRules(**{name: getattr(pair, name) for name in pair.__struct_fields__} | {"price_scale": 0})


def test_the_worked_example(pair: PairRules) -> None:
    rules = whole(pair)
    assert mid_price(99, 101, rules) == 100
    assert weighted_mid(99, 3, 101, 1, rules) == Decimal("100.5")
    assert vamp(level_sums(BIDS), level_sums(ASKS), rules) == Decimal(101)
    assert vamp_float(level_sums(BIDS), level_sums(ASKS), rules) == 101.0


def test_a_half_tick_is_exact(pair: PairRules) -> None:
    assert str(mid_price(990, 1011, pair)) == "100.05"


def test_ratios_are_rounded_half_even_far_below_the_tick(pair: PairRules) -> None:
    # 1/3 of a tick of 0.1, and 2/3
    assert weighted_mid(0, 2, 1, 1, pair) == Decimal("0.0666667")
    assert weighted_mid(0, 1, 1, 2, pair) == Decimal("0.0333333")
    assert exact(5, -3) == 5000 and str(exact(5, -3)) == "5000"


def test_a_side_with_nobody_is_none_never_zero(pair: PairRules) -> None:
    nobody = level_sums([])
    assert vamp(nobody, level_sums(ASKS), pair) is None
    assert vamp_float(level_sums(BIDS), nobody, pair) is None
    assert imbalance(0, 0) is None


@pytest.mark.parametrize(("bid", "ask", "expected"), [(1, 0, 1.0), (0, 1, 0.0), (1, 3, 0.25)])
def test_imbalance(bid: int, ask: int, expected: float) -> None:
    assert imbalance(bid, ask) == expected


def test_sums_of_a_side_have_positive_prices() -> None:
    levels = SideLevels(Side.ASK, 10)
    for price, lots in ASKS:
        levels.add(str(price), -price, lots)
    assert side_sums(levels) == level_sums(ASKS)
