"""Markouts by hand, and their errors against what clustering means."""

from __future__ import annotations

import math

import pytest
from sessions import fill, path

from lunomm.market.rules import Side
from lunomm.tape.markouts import HORIZONS_S, clustered_mean, markouts


def test_a_buy_before_a_rise_and_a_sale_before_it() -> None:
    market = path((0, 999, 1001), (12, 1009, 1011), end_s=400)
    fills = [fill(Side.BID, "998", "1", 10, 1000.0), fill(Side.ASK, "1002", "3", 10, 1000.0)]
    rows = {row.horizon_s: row for row in markouts(fills, market)}
    assert tuple(rows) == HORIZONS_S
    early, late = rows[1], rows[5]
    assert early.fills == 2 and early.drift_bp == 0.0
    assert early.markout_bp == pytest.approx((1 * 2 / 998 + 3 * 2 / 1002) / 4 * 1e4)
    assert late.markout_bp == pytest.approx((1 * 12 / 998 - 3 * 8 / 1002) / 4 * 1e4)
    assert late.drift_bp == pytest.approx((1 * 10 / 998 - 3 * 10 / 1002) / 4 * 1e4)
    assert late.se_bp is None, "both fills are of one minute: one observation"


def test_beyond_the_known_market_there_is_no_markout() -> None:
    market = path((0, 999, 1001), end_s=40)
    rows = {row.horizon_s: row for row in markouts([fill(Side.BID, "998", "1", 10, None)], market)}
    assert [rows[h].fills for h in HORIZONS_S] == [1, 1, 1, 0, 0]
    assert rows[60].markout_bp is None and rows[60].drift_bp is None
    assert rows[30].drift_bp == 0.0, "the mid before the fill stands in for an unknown fair price"
    assert all(row.fills == 0 and row.markout_bp is None for row in markouts([], market))
    assert all(row.fills == 0 for row in markouts([fill(Side.BID, "998", "1", 10, 1.0)], None))


def test_copies_of_an_observation_in_its_cluster_add_no_certainty() -> None:
    single = [(1.0, 1.0, 1), (3.0, 1.0, 2), (8.0, 1.0, 3)]
    copied = [row for row in single for _ in range(5)]
    mean, error = clustered_mean(single)
    assert clustered_mean(copied) == (pytest.approx(mean), pytest.approx(error))
    spread = math.sqrt(sum((value - 4) ** 2 for value in (1, 3, 8)) / 2)
    assert (mean, error) == (4.0, pytest.approx(spread / math.sqrt(3)))
