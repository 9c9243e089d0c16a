"""Several orders a side: where they lie, what they share, and that each lives its own life."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from quoting_cases import Bench, account, order

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Balance
from lunomm.quoting.intents import Intent, Why

LOT = D("0.002")


def ladder(bench: Bench, side: Side) -> list[Intent]:
    return sorted((i for i in bench.wanted().intents if i.side is side), key=lambda i: i.level)


def test_levels_lie_outward_and_none_crosses():
    bench = Bench(order_size=LOT, levels=4, level_spacing_bp=10.0)
    bids, asks = ladder(bench, Side.BID), ladder(bench, Side.ASK)
    assert [i.price for i in bids] == [299_606, 299_306, 299_006, 298_706]
    assert [i.price for i in asks] == [300_394, 300_694, 300_994, 301_294]
    assert {i.size for i in (*bids, *asks)} == {LOT}
    assert {i.id.rsplit("-", 1)[1] for i in (*bids, *asks)} == {f"{s}{k}" for s in "BA" for k in range(4)}


def test_the_default_spacing_is_a_half_spread():
    bids = ladder(Bench(order_size=LOT, levels=2), Side.BID)
    assert bids[0].price - bids[1].price == pytest.approx(394, abs=1)


def test_a_spacing_below_the_tick_still_makes_a_ladder():
    bids = ladder(Bench(order_size=LOT, levels=5, level_spacing_bp=0.001), Side.BID)
    assert [bids[0].price - i.price for i in bids] == [0, 1, 2, 3, 4]


def test_a_clamped_touch_pushes_the_deeper_levels_out():
    bench = Bench(order_size=LOT, levels=3, level_spacing_bp=0.001)
    bench.set_account("0.095")  # short: the bid is eager
    bench.beat(half=1)
    bids = ladder(bench, Side.BID)
    assert bids[0].price == 300_000  # below the others' ask
    assert [bids[0].price - i.price for i in bids] == [0, 1, 2]


def test_the_nearest_level_is_served_first():
    bench = Bench(order_size=LOT, levels=3)
    bench.set_account(counter=Balance(asset="MYR", total=D(30_000), reserved=D(29_100)))
    bids = ladder(bench, Side.BID)
    assert bids[0].size == LOT
    spent = sum(i.price * i.size for i in bids)
    assert spent <= 900
    why = {report.level: report.why for report in bench.wanted().sides if report.side is Side.BID}
    assert why[0] is None
    assert why[2] is Why.NO_BALANCE


def test_all_levels_together_stay_within_the_limit():
    bench = Bench(order_size=LOT, levels=5)
    bench.set_account(max_position=D("0.005"))
    for side in Side:
        assert sum(i.size for i in ladder(bench, side)) == D("0.005")


def test_more_levels_than_four_take_a_smaller_lot():
    one, ten = Bench(order_size=D(1)), Bench(order_size=D(1), levels=10)
    assert one.wanted().lot == D("0.025")
    assert ten.wanted().lot == D("0.01")
    assert len(ten.wanted().intents) == 20


def test_a_filled_level_rests_alone():
    bench = Bench(order_size=LOT, levels=3, order_refresh_rate_s=600, reprice_at=0)
    before = ladder(bench, Side.BID)
    bench.fill(before[1])
    after = ladder(bench, Side.BID)
    assert [i.level for i in after] == [0, 2]
    why = {report.level: report.why for report in bench.wanted().sides if report.side is Side.BID}
    assert why[1] is Why.COOLDOWN
    bench.set_account("0.102")
    bench.go(61)
    assert [i.level for i in ladder(bench, Side.BID)] == [0, 1, 2]


def test_a_level_of_an_earlier_quoter_is_nobody_here():
    bench = Bench(order_size=LOT, levels=2)
    old = Intent(id="old-1-B7", side=Side.BID, level=7, price=D(299_000), size=LOT, created_ms=0)
    bench.fill(old)
    bench.show_orders(order(old))
    assert len(bench.wanted().intents) == 4
    assert bench.wanted().position == account().position + LOT


def test_reasons_of_a_side_hold_for_all_its_levels():
    bench = Bench(order_size=LOT, levels=3)
    bench.set_account("0.2", max_position=D("0.05"))
    assert ladder(bench, Side.BID) == []
    assert {report.why for report in bench.wanted().sides if report.side is Side.BID} == {Why.POSITION_LIMIT}
