"""A session beside its replay: who belongs to whom, and what is said of who belongs to nobody."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState
from lunomm.tape.parity import Grade, Parity, compare
from lunomm.trading.orders import Order

D = Decimal
START_MS = 1_790_000_000_000


def order(name: str, side: Side, price: int, at_ms: int = 0, **changes: Any) -> Order:
    made = Order(
        pair="XBTMYR", intent_id=name, client_order_id=f"lm1-XBTMYR-{name}", side=side, level=0, price=D(price),
        volume=D("0.002"), created_ms=START_MS + at_ms, timestamp_ms=START_MS + at_ms, ttl_ms=3000,
        updated_ms=START_MS + at_ms, state=OrderState.CANCELLED,
    )  # fmt: skip
    return replace(made, **changes)


def fill(of: Order, at_ms: int, volume: str = "0.002", number: int = 1) -> Fill:
    base = D(volume)
    return Fill(
        pair="XBTMYR", sequence=number, intent_id=of.intent_id, client_order_id=of.client_order_id, order_id="BX1",
        side=of.side, price=of.price, volume=base, counter=base * of.price, fee_base=D(0), fee_counter=D(0),
        maker=True, ts_ms=START_MS + at_ms,
    )  # fmt: skip


def test_orders_meet_the_nearest_of_their_side_and_each_only_once() -> None:
    real = [order("a", Side.BID, 100), order("b", Side.BID, 101, 1500), order("c", Side.ASK, 110, 0)]
    replayed = [order("x", Side.BID, 100, 40), order("y", Side.BID, 102, 1530), order("z", Side.ASK, 110, 2500)]
    found = compare(real, replayed, (), ())
    assert [(pair.real.intent_id, pair.simulated.intent_id, pair.late_ms) for pair in found.matched] == [
        ("a", "x", 40), ("b", "y", 30),
    ]  # fmt: skip
    assert (found.precision, found.recall) == (2 / 3, 2 / 3)
    assert found.same_price == 0.5 and found.furthest == 1
    assert found.fill_recall is None and found.grade is Grade.D


def test_a_fill_told_in_parts_is_the_same_fill() -> None:
    bid = order("a", Side.BID, 100)
    parts = [fill(bid, 10_000, "0.0015", 1), fill(bid, 10_010, "0.0005", 2)]
    found = compare([bid], [bid], parts, [fill(bid, 10_200)])
    assert (found.real_fills, found.simulated_fills, found.matched_fills) == (1, 1, 1)
    assert found.unmatched == () and found.grade is Grade.A


@pytest.mark.parametrize(
    ("replayed", "fills", "lost", "cause"),
    [
        ([], [], [], "the replay placed no such order"),
        ([order("x", Side.BID, 99)], [], [], "stood at another price, 99"),
        ([order("x", Side.BID, 100, volume=D("0.001"))], [], [], "of another size, 0.001"),
        ([order("x", Side.BID, 100)], [(10_000, "0.001")], [], "traded otherwise: 0.001 after 0 ms"),
        ([order("x", Side.BID, 100, 30)], [], [], "placed 30 ms apart, was not reached"),
        ([order("x", Side.BID, 100)], [], [(START_MS, START_MS + 20_000)], "the tape knew nothing"),
    ],
)
def test_every_fill_without_a_partner_has_a_cause(
    replayed: list[Order], fills: list[tuple[int, str]], lost: list[tuple[int, int]], cause: str
) -> None:
    bid = order("a", Side.BID, 100)
    theirs = [fill(replayed[0], at_ms, volume) for at_ms, volume in fills]
    found = compare([bid], replayed, [fill(bid, 10_000)], theirs, lost)
    mine = [one for one in found.unmatched if one.where == "session"]
    assert len(mine) == 1 and cause in mine[0].cause
    assert len(found.unmatched) == 1 + len(theirs)
    assert found.grade is Grade.D


def test_the_grade_is_the_worst_of_both_ways() -> None:
    def graded(matched: int, real: int, simulated: int) -> Grade:
        bids = [order(str(n), Side.BID, 100, 10_000 * n) for n in range(200)]
        return compare(bids[:real], [*bids[:matched], *bids[100 : 100 + simulated - matched]], (), ()).grade

    assert graded(20, 20, 20) is Grade.A
    assert graded(19, 20, 20) is Grade.A
    assert graded(18, 20, 20) is Grade.B
    assert graded(20, 20, 24) is Grade.C
    assert isinstance(compare((), (), (), ()), Parity)
