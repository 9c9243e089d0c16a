"""First in, first out."""

from __future__ import annotations

import pytest
from sessions import fill

from lunomm.market.rules import Side
from lunomm.tape.round_trips import round_trips

BID, ASK = Side.BID, Side.ASK


def test_the_oldest_buy_is_sold_first() -> None:
    found = round_trips(
        [
            fill(BID, "100", "1", 0, None),
            fill(BID, "110", "1", 10, None),
            fill(ASK, "120", "1.5", 20, None),
            fill(ASK, "90", "1", 30, None),
            fill(BID, "80", "0.25", 40, None),
        ]
    )
    assert found is not None
    assert (found.count, found.volume) == (4, 2.25)
    assert found.profit == pytest.approx(1 * 20 + 0.5 * 10 + 0.5 * -20 + 0.25 * 10)
    assert found.held_s == pytest.approx((1 * 20 + 0.5 * 10 + 0.5 * 20 + 0.25 * 10) / 2.25)
    assert found.profit_per_base == pytest.approx(found.profit / 2.25)


def test_what_is_used_up_leaves_no_dust() -> None:
    """As floats, 0.3 - 0.1 - 0.2 leaves a crumb that would be matched as a pair of its own."""
    rows = [(BID, "0.1"), (BID, "0.2"), (ASK, "0.3"), (ASK, "0.1"), (BID, "0.1")]
    found = round_trips([fill(side, "100", volume, n, None) for n, (side, volume) in enumerate(rows)])
    assert found is not None
    assert (found.count, found.volume) == (3, 0.4)


def test_fees_are_in_the_prices() -> None:
    found = round_trips([fill(BID, "100", "1", 0, None, "0.01"), fill(ASK, "110", "0.99", 1, None, "1")])
    assert found is not None
    assert found.profit == pytest.approx(110 * 0.99 - 1 - 100)


def test_one_way_is_no_round_trip() -> None:
    assert round_trips([fill(BID, "100", "1", 0, None), fill(BID, "100", "1", 0, None)]) is None
