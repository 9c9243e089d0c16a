"""The profit over time, and what is read from it."""

from __future__ import annotations

import math
from decimal import Decimal as D

import numpy as np
import pytest
from sessions import S, fill, path

from lunomm.market.rules import Side
from lunomm.tape.equity import Course, course, drawdown, inventory, sharpe, steps, thinned
from lunomm.trading.events import Flow


def test_every_change_of_the_mid_is_a_point() -> None:
    held = steps(D(2), D(100), [fill(Side.ASK, "105", "1", 5, 102.0)])
    market = path((0, 99, 101), (3, 101, 103), (6, 95, 97), end_s=10)
    found = course(held, market, (0, 10 * S), 100.0, (1.0, 96.0))
    assert found.ts_ns.tolist() == [0, 0, 3 * S, 5 * S, 6 * S, 10 * S]
    assert found.equity.tolist() == [0.0, 0.0, 4.0, 7.0, 1.0, 1.0]
    assert found.position.tolist() == [2, 2, 2, 1, 1, 1]
    assert drawdown(found) == 6.0
    assert thinned(found).mid == (None, 100.0, 102.0, None, 96.0, None)


def test_a_fill_comes_before_the_mid_that_its_frame_made() -> None:
    """Bought at 100 where 101 was fair, by the frame that moved the mid to 99: +1, then -1."""
    held = steps(D(0), D(101), [fill(Side.BID, "100", "1", 5, 101.0)])
    found = course(held, path((0, 100, 102), (5, 98, 100), (7, 102, 104), end_s=9), (0, 9 * S), 101.0, (3.0, 103.0))
    assert found.equity.tolist() == [0.0, 0.0, 1.0, -1.0, 3.0, 3.0]
    assert drawdown(found) == 2.0


def test_money_that_came_by_other_hands_is_no_profit() -> None:
    flows = [
        Flow(pair="P", ref="a", base=D(3), counter=D(-50), ts_ms=1000, mark=D(100)),
        Flow(pair="P", ref="b", base=D(-1), counter=D(0), ts_ms=2000, mark=None),
    ]
    found = course(steps(D(0), D(100), flows), None, (0, 5 * S), 100.0, (0.0, 100.0))
    assert found.equity.tolist() == [0.0] * 4


def test_inventory_is_weighted_by_time() -> None:
    held = steps(D(1), D(100), [fill(Side.BID, "100", "3", 2, None), fill(Side.ASK, "100", "6", 6, None)])
    assert inventory(held, 1.0, (0, 10 * S)) == (3.0, pytest.approx((0 * 2 + 3 * 4 + 3 * 4) / 10))


def test_a_sharpe_ratio_needs_thirty_intervals_and_a_known_market() -> None:
    minutes, rng = 40, np.random.default_rng(3)
    mids = [1000, *(1000 + np.cumsum(rng.integers(-3, 4, minutes))).tolist()]
    market = path(*((60 * n, mid - 1, mid + 1) for n, mid in enumerate(mids)), end_s=60 * minutes)
    held = steps(D(2), D(1000), [])
    window = (0, 60 * minutes * S)
    found = course(held, market, window, 1000.0, (2.0 * (mids[-1] - 1000), float(mids[-1])))
    got = sharpe(found, market, window)
    profits = 2 * np.diff(mids)
    assert got is not None and (got.interval_s, got.intervals) == (60, minutes)
    assert got.value == pytest.approx(profits.mean() / profits.std(ddof=1) * math.sqrt(365 * 1440))
    assert got.t_stat == pytest.approx(profits.mean() / profits.std(ddof=1) * math.sqrt(minutes))
    assert sharpe(found, market, (0, 29 * 60 * S)) is None
    assert sharpe(found, market, (0, 60 * minutes * S * 2)) is None, "half of it is not known"
    assert sharpe(found, None, window) is None


def test_a_thinned_curve_keeps_the_extremes_and_the_ends() -> None:
    rng = np.random.default_rng(1)
    equity = np.cumsum(rng.normal(size=50_000))
    whole = Course(np.arange(50_000, dtype=np.int64), equity, np.zeros(50_000), np.zeros(50_000))
    curve = thinned(whole, 1000)
    assert len(curve.ts_ns) <= 1000
    assert (min(curve.equity), max(curve.equity)) == (equity.min(), equity.max())
    assert (curve.ts_ns[0], curve.ts_ns[-1]) == (0, 49_999)
    assert all(equity[ns] == value for ns, value in zip(curve.ts_ns, curve.equity, strict=True))
