from __future__ import annotations

from decimal import Decimal

import pytest

from lunomm.market.book import Applied, AppliedTrade
from lunomm.market.rules import PairRules, Side
from lunomm.market.trades import FairTouch, depth_reached, taker_orders

BEFORE = FairTouch(990, 1010)


def fill(
    maker_side: Side, price: int, lots: int, maker: str, taker: str = "T", number: int | None = None
) -> AppliedTrade:
    return AppliedTrade(maker_side, price, lots, maker, taker, number)


def test_a_sweep_is_one_taker_order(pair: PairRules) -> None:
    fills = (fill(Side.ASK, 1010, 30, "a", number=5), fill(Side.ASK, 1025, 10, "b", number=6))
    (order,) = taker_orders(Applied(fills), BEFORE, set(), pair, 8, 1_700_000_000_123_999_999)
    assert (order.taker_id, order.side, order.fills, order.sequence) == ("T", Side.BID, 2, 8)
    assert (order.volume, order.deepest) == (Decimal("0.40"), Decimal("102.5"))
    assert order.counter == Decimal("0.30") * 101 + Decimal("0.10") * Decimal("102.5")
    assert (order.mid, order.half_spread) == (100.0, 1.0)
    assert (order.trade_sequence, order.exchange_ms, order.own_only) == (6, 1_700_000_000_123, False)
    reached = depth_reached(order)
    assert reached is not None
    assert reached == pytest.approx((0.025, 0.01))
    assert reached.excess == pytest.approx(0.015)


def test_a_seller_reaches_down_whatever_the_order_of_fills(pair: PairRules) -> None:
    fills = (fill(Side.BID, 970, 1, "a"), fill(Side.BID, 990, 1, "b"))
    (order,) = taker_orders(Applied(fills), BEFORE, set(), pair, 8, 0)
    assert (order.side, order.deepest) == (Side.ASK, Decimal("97.0"))
    reached = depth_reached(order)
    assert reached is not None and reached.depth == pytest.approx(0.03)


def test_two_takers_in_one_frame(pair: PairRules) -> None:
    fills = (fill(Side.BID, 990, 1, "a", "T"), fill(Side.ASK, 1010, 2, "b", "U"), fill(Side.BID, 980, 3, "c", "T"))
    orders = taker_orders(Applied(fills), BEFORE, set(), pair, 8, 0)
    assert [(o.taker_id, o.side, o.volume, o.fills) for o in orders] == [
        ("T", Side.ASK, Decimal("0.04"), 2),
        ("U", Side.BID, Decimal("0.02"), 1),
    ]


@pytest.mark.parametrize(("ours", "own_only"), [({"a", "b"}, True), ({"a"}, False), (set(), False)])
def test_only_our_own(pair: PairRules, ours: set[str], own_only: bool) -> None:
    fills = (fill(Side.BID, 990, 1, "a"), fill(Side.BID, 980, 1, "b"))
    (order,) = taker_orders(Applied(fills), BEFORE, ours, pair, 8, 0)
    assert order.own_only is own_only


@pytest.mark.parametrize("before", [FairTouch(None, 1010), FairTouch(990, None), FairTouch(None, None)])
def test_without_a_two_sided_market_there_is_no_depth(pair: PairRules, before: FairTouch) -> None:
    (order,) = taker_orders(Applied((fill(Side.BID, 990, 1, "a"),)), before, set(), pair, 8, 0)
    assert (order.mid, order.half_spread, depth_reached(order)) == (None, None, None)
    assert before.relative_half_spread() is None and not before.two_sided


def test_no_fill_no_order(pair: PairRules) -> None:
    assert taker_orders(Applied(()), BEFORE, set(), pair, 8, 0) == []


def test_the_relative_half_spread_needs_no_tick() -> None:
    assert BEFORE.relative_half_spread() == pytest.approx(0.01)
