"""Uptime, time at the touch and share filled, against counts by hand and against a count instant by instant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions import S, life, path

from lunomm.market.rules import Side
from lunomm.tape.lives import OrderLife, at_touch, filled, presence
from lunomm.tape.market_path import MarketPath

BID, ASK = Side.BID, Side.ASK


def test_both_sides_and_one() -> None:
    lives = [life(BID, "99", 0, 4), life(BID, "99", 3, 6), life(ASK, "101", 5, None)]
    assert presence(lives, 0, 10 * S) == (0.1, 0.9)
    assert presence([], 0, S) == (0.0, 0.0)
    assert presence(lives, S, S) is None


def test_time_at_the_touch_counts_only_where_the_market_was_known() -> None:
    market = path((0, 99, 101), (4, 100, 101), end_s=10)
    assert at_touch([life(BID, "99", 0, 8)], BID, market, 0, 10 * S) == pytest.approx(0.4)
    assert at_touch([life(BID, "100", 0, 8)], BID, market, 0, 10 * S) == pytest.approx(0.8)
    assert at_touch([life(ASK, "102", 0, None), life(ASK, "101", 9, None)], ASK, market, 0, 20 * S) == pytest.approx(
        0.1
    )
    assert at_touch([], BID, market, 0, 10 * S) == 0.0
    assert at_touch([], BID, path(end_s=1), 0, S) is None


def test_shares_filled() -> None:
    found = filled([life(BID, "99", 0, 1, "1"), life(BID, "99", 0, 1, "0.5"), life(ASK, "99", 0, 1)])
    assert (found.orders, found.filled, found.ratio, found.by_volume) == (3, 2, 2 / 3, 0.5)
    assert (filled([]).ratio, filled([]).by_volume) == (None, None)


price = st.integers(97, 103)
lives = st.lists(
    st.builds(
        lambda side, at, begin, length: life(side, str(at), begin, None if length > 20 else begin + length),
        st.sampled_from(Side), price, st.integers(0, 30), st.integers(0, 24),
    ),
    max_size=8,
)  # fmt: skip
touches = st.lists(st.tuples(st.integers(0, 30), st.none() | price, st.none() | price), max_size=8)


@settings(deadline=None, max_examples=80)
@given(lives, touches, st.integers(0, 10), st.integers(1, 30))
def test_against_a_count_second_by_second(
    orders: list[OrderLife], rows: list[tuple[int, int | None, int | None]], start: int, length: int
) -> None:
    market: MarketPath = path(*sorted(rows, key=lambda row: row[0]), end_s=30)
    end = start + length

    def standing(side: Side, second: int) -> list[int]:
        moment = second * S
        return [
            int(one.price)
            for one in orders
            if one.side is side and one.working_ns <= moment < (end * S if one.ended_ns is None else one.ended_ns)
        ]

    seconds = range(start, end)
    both = sum(bool(standing(BID, s)) and bool(standing(ASK, s)) for s in seconds)
    one = sum(bool(standing(BID, s)) != bool(standing(ASK, s)) for s in seconds)
    assert presence(orders, start * S, end * S) == pytest.approx((both / length, one / length))
    state: dict[int, tuple[int | None, int | None]] = {}
    for at, bid, ask in sorted(rows, key=lambda row: row[0]):
        for second in range(at, 30):
            state[second] = (bid, ask)
    for side, index in ((BID, 0), (ASK, 1)):
        known = good = 0
        for second in seconds:
            theirs = state.get(second, (None, None))[index]
            mine = standing(side, second)
            if theirs is not None:
                known += 1
                good += bool(mine) and max(side.sign * own for own in mine) >= side.sign * theirs
        expected = good / known if known else None
        assert at_touch(orders, side, market, start * S, end * S) == (pytest.approx(expected) if known else None)
