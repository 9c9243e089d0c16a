from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal as D

import pytest

from lunomm.errors import UsageError
from lunomm.market.rules import Side
from lunomm.quoting.calculator import Inputs, calculate
from lunomm.quoting.intents import Why
from lunomm.quoting.models import ModelName
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.risk_aversion import GammaRef, TargetSkew
from lunomm.quoting.sizing import MinSizePolicy, SizeRule

LOT = QuoterOptions(order_size=D("0.002"))
XBT = Inputs(D(300_000), 2.5, 10.0, tick=D(1), min_size=D("0.0005"), options=LOT)


def orders(given: Inputs) -> tuple[D | None, D | None, D | None, D | None]:
    found = {intent.side: intent for intent in calculate(given)[0].intents}
    bid, ask = found.get(Side.BID), found.get(Side.ASK)
    return (bid and bid.price, ask and ask.price, bid and bid.size, ask and ask.size)


def reasons(given: Inputs) -> tuple[Why | None, Why | None]:
    found = {report.side: report.why for report in calculate(given)[0].sides}
    return found[Side.BID], found[Side.ASK]


@pytest.mark.parametrize(
    ("inventory", "bid", "ask"), [("0", 299_606, 300_394), ("0.002", 299_418, 300_207), ("-0.006", 300_168, 300_957)]
)
def test_the_worked_example(inventory, bid, ask):
    assert orders(replace(XBT, inventory=D(inventory)))[:2] == (bid, ask)


def test_three_pairs_alike():
    """Equal sigma and 1/kappa: the same basis points whatever a coin costs."""
    seen = set()
    for fair, tick, size in (("300000", "1", "0.002"), ("10", "0.01", "60"), ("1250000", "1", "0.0005")):
        given = replace(XBT, fair=D(fair), tick=D(tick), options=QuoterOptions(order_size=D(size), gamma=1, eta=-0.005))
        quotes, _ = calculate(replace(given, inventory=D(size)))
        seen.add((round(quotes.spread_bps or 0, 2), round(quotes.shift_bps_per_lot or 0, 2)))
    assert seen == {(26.24, 6.25)}


def test_inventory_counts_from_the_target():
    here = calculate(replace(XBT, inventory=D("0.102"), target=D("0.1")))[0]
    assert here.lots == pytest.approx(1.0)
    assert orders(replace(XBT, inventory=D("0.102"), target=D("0.1")))[:2] == (299_418, 300_207)


def test_fee_min_and_max_spread():
    dear = replace(XBT, maker_fee=D("0.4"))
    bid, ask, *_ = orders(dear)
    assert (bid, ask) == (298_406, 301_594)  # 393.6 + 0.4 % of 300,000 on each side
    ignored = replace(dear, options=replace(LOT, ignore_fees=True))
    assert orders(ignored)[:2] == (299_606, 300_394)
    assert "fees are ignored" in calculate(ignored)[0].warnings[0]
    assert orders(replace(XBT, options=replace(LOT, min_spread=0.01)))[:2] == (298_500, 301_500)
    assert orders(replace(XBT, options=replace(LOT, max_spread=0.001)))[:2] == (299_850, 300_150)
    assert reasons(replace(dear, options=replace(LOT, max_spread=0.001))) == (Why.NOT_PAYING, Why.NOT_PAYING)


def test_clamp_and_no_improve():
    tight = replace(XBT, best_bid=D(299_000), best_ask=D(299_100))
    assert orders(tight)[:2] == (299_099, 300_394)
    assert orders(replace(tight, options=replace(LOT, no_improve=True)))[:2] == (299_000, 300_394)
    wide = replace(XBT, best_bid=D(299_000), best_ask=D(301_000), options=replace(LOT, no_improve=True))
    assert orders(wide)[:2] == (299_000, 301_000)


def test_sizes():
    long = replace(XBT, inventory=D("0.004"))
    assert orders(replace(long, options=replace(LOT, eta=-0.5)))[2:] == (D("0.000735"), D("0.002"))
    rough = replace(LOT, eta=-5.0)
    assert orders(replace(long, options=rough))[2] == D("0.0005")
    assert reasons(replace(long, options=rough)) == (Why.MIN_SIZE, None)
    skipping = replace(rough, min_size_policy=MinSizePolicy.SKIP)
    assert orders(replace(long, options=skipping))[2] is None
    literal = replace(long, options=replace(LOT, eta=-0.5, size_rule=SizeRule.LITERAL))
    assert orders(literal)[2] == D("0.005436")
    assert "grow with inventory" in calculate(literal)[0].warnings[0]


def test_caps():
    assert reasons(replace(XBT, free_base=D(0), free_quote=D(100))) == (Why.NO_BALANCE, Why.NO_BALANCE)
    assert orders(replace(XBT, free_quote=D(300)))[2] == D("0.001001")
    at_limit = replace(XBT, inventory=D("0.02"), max_position=D("0.02"))
    assert reasons(at_limit) == (Why.POSITION_LIMIT, None)
    # Beyond the limit inventory is clipped inside the skew.
    beyond = replace(at_limit, inventory=D("0.2"))
    assert calculate(beyond)[0].reservation == calculate(at_limit)[0].reservation


def test_gamma_by_capital_and_by_target():
    whole = replace(LOT, gamma=500.0, gamma_ref=GammaRef.CAPITAL)
    assert orders(replace(XBT, capital=D(1), options=whole))[:2] == (299_606, 300_394)
    skewed = replace(LOT, target_skew=TargetSkew(bp=6.25))
    assert orders(replace(XBT, inventory=D("0.002"), options=skewed))[:2] == (299_418, 300_207)
    absolute = replace(LOT, gamma=1 / 600, gamma_ref=GammaRef.ABSOLUTE)
    assert orders(replace(XBT, inventory=D("0.002"), options=absolute))[:2] == (299_418, 300_207)


def test_glft_by_hand():
    glft = replace(LOT, model=ModelName.GLFT, gamma=10.0)
    quotes, _ = calculate(replace(XBT, intensity=0.5, inventory=D("0.004"), options=glft))
    s, k, g, a = 300_000.0, 1 / 300, 10 / 300_000, 0.5
    c = math.sqrt((0.025 * s) ** 2 / 86_400 * g / (2 * k * a) * (1 + g / k) ** (1 + k / g))
    assert (quotes.c, quotes.kappa_c) == (pytest.approx(c, rel=1e-9), pytest.approx(k * c, rel=1e-9))
    assert quotes.reservation == pytest.approx(s - 2 * c, rel=1e-12)
    assert quotes.half_spread == pytest.approx(math.log(1 + g / k) / g + c / 2, rel=1e-9)


def test_one_lot_flips_the_book():
    assert "flips the book" in calculate(replace(XBT, options=replace(LOT, gamma=9.0)))[0].warnings[0]


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"fair": D(0)}, "--fair"),
        ({"fair": D("NaN")}, "--fair"),
        ({"sigma_daily": 0.0}, "--sigma-daily"),
        ({"sigma_daily": float("nan")}, "--sigma-daily"),
        ({"inv_kappa_bp": 0.0}, "--inv-kappa-bp"),
        ({"inv_kappa_bp": -10.0}, "--inv-kappa-bp"),
        ({"inv_kappa_bp": float("inf")}, "--inv-kappa-bp"),
        ({"intensity": 0.0}, "--intensity"),
        ({"tick": D("0.3")}, "--tick"),
        ({"lot_step": D(10)}, "--lot-step"),
        ({"maker_fee": D(80)}, "--maker-fee"),
        ({"best_bid": D(2), "best_ask": D(1)}, "--best-bid"),
        ({"free_base": D(-1)}, "--free-base"),
        ({"options": replace(LOT, gamma_ref=GammaRef.CAPITAL)}, "--capital"),
        ({"options": replace(LOT, model=ModelName.GLFT)}, "--intensity"),
        ({"options": replace(LOT, horizon_s=1e12)}, "units"),
    ],
)
def test_what_is_refused(changes, option):
    with pytest.raises(UsageError, match=option):
        calculate(replace(XBT, **changes))


def test_a_tick_is_guessed_where_none_is_given():
    assert calculate(replace(XBT, tick=None))[1].tick_size == 1
    assert calculate(replace(XBT, tick=None, fair=D("10.5")))[1].tick_size == D("0.0001")
