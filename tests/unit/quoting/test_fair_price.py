from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from decimal import Decimal as D

import pytest
from quoting_cases import Bench, tick

from lunomm.errors import ModelError
from lunomm.market.records import Level, OwnOrder
from lunomm.market.rules import Side
from lunomm.quoting.fair_price import BUILT_IN, SAMPLE, checked, evaluate, frozen, others_at
from lunomm.quoting.intents import Why
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions

OURS = OwnOrder(
    order_id="B1",
    intent_id="x-1-B0",
    side=Side.BID,
    price=D(299_999),
    volume=D("0.5"),
    volume_ahead=D("0.25"),
    orders_ahead=1,
)


def book(**changes):
    given = {
        "bids": [Level(D(299_999), D("1.5")), Level(D(299_990), D(2))],
        "asks": [Level(D(300_001), D(3)), Level(D(300_020), D(1))],
        "own": [OURS],
        "micro_price": D("300000.4"),
        **changes,
    }
    return tick(**given)


def test_by_hand():
    found = {name: checked(function, SAMPLE) for name, function in BUILT_IN.items()}
    assert found == {"mid": 100.0, "weighted": 100.5, "micro": 100.5, "vamp": 0.5 * (98.75 + 103.25)}


def test_our_own_orders_are_taken_out():
    view = frozen(book())
    assert view is not None
    assert view.bids == ((299_999.0, 1.0), (299_990.0, 2.0))
    assert view.imbalance == pytest.approx(3 / 7)
    assert evaluate(BUILT_IN["weighted"], book()) == pytest.approx((299_999 * 3 + 300_001) / 4)
    assert others_at(book(), Side.BID, D(299_999)) == D("1.0")
    assert others_at(book(), Side.ASK, D(299_999)) == 0
    alone = book(bids=[Level(D(299_999), D("0.5"))])
    assert evaluate(BUILT_IN["mid"], alone) == 300_000
    with pytest.raises(ModelError, match="nobody's orders but ours"):
        evaluate(BUILT_IN["vamp"], alone)


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        SAMPLE.mid = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t: None, "no fair price yet"),
        (lambda t: float("nan"), "no price"),
        (lambda t: -1.0, "no price"),
        (lambda t: "100", "not a number"),
        (lambda t: True, "not a number"),
        (lambda t: t.mid * 1.06, "more than 5%"),
        (lambda t: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_is_not_believed(function, words):
    with pytest.raises(ModelError, match=words):
        checked(function, SAMPLE)


def quoting_around(function) -> Bench:
    bench = Bench(ready=False)
    bench.quoter = Quoter("XBTMYR", QuoterOptions(), epoch_ms=1_800_000_000_000, fair_price=function)
    ready = Bench()
    assert ready.quoter.rules is not None
    bench.quoter.on_rules(ready.quoter.rules, bench.now)
    bench.set_account()
    return bench


def test_the_quoter_quotes_around_it():
    for function, fair in ((BUILT_IN["micro"], 300_000.4), (lambda t: t.mid + 50, 300_050.0)):
        bench = quoting_around(function)
        bench.quoter.on_tick(book(), bench.now)
        wanted = bench.wanted()
        assert wanted.fair == pytest.approx(fair)
        assert len(wanted.intents) == 2


def test_without_one_nothing_is_quoted_and_it_says_why():
    bench = quoting_around(BUILT_IN["micro"])
    bench.quoter.on_tick(replace_micro(book()), bench.now)
    wanted = bench.wanted()
    assert wanted.intents == []
    assert {report.why for report in wanted.sides} == {Why.MODEL}
    assert "--fair-price" in wanted.sides[0].detail


def replace_micro(given):
    given.micro_price = None
    return given


def test_a_look_without_a_number_of_sides():
    assert frozen(tick(fair_mid=None)) is None
    assert replace(SAMPLE, micro_price=None).micro_price is None
