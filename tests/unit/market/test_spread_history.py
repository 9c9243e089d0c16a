"""Sums that go on with what came are the sums made afresh, to the bit."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from lunomm.market.intensity import BINS_PER_E, Exposure
from lunomm.market.spread_history import SpreadHistory

Rows = list[tuple[int, list[tuple[float, float]]]]


def afresh(rows: Sequence[Sequence[tuple[float, float]]]) -> Exposure | None:
    """All rows at once."""
    values = np.array([cell for row in rows for cell in row]).reshape(-1, 2)
    spreads, seconds = values[(values[:, 0] > 0.0) & (values[:, 1] > 0.0)].T.copy()
    if not len(spreads):
        return None
    bins = np.floor(np.log(spreads) * BINS_PER_E).astype(int)
    bins -= bins.min()
    time = np.bincount(bins, weights=seconds)
    weighted = np.bincount(bins, weights=spreads * seconds)
    return Exposure(weighted[time > 0.0] / time[time > 0.0], time[time > 0.0])


def drawn(seed: int, *, back: bool = False) -> Rows:
    draw = random.Random(seed)
    rows: Rows = []
    at = 0
    for _ in range(400):
        at += draw.choice((10, 10, 10, 10, 70)) - (300 if back and draw.random() < 0.02 else 0)
        cells = [(draw.gammavariate(4.0, 1e-4), draw.expovariate(0.5)) for _ in range(draw.randint(1, 12))]
        rows.append((at, cells))
    return rows


def check(history: SpreadHistory, known: Rows, start: int, end: int) -> None:
    inside = [(at, cells) for at, cells in known if start <= at < end]
    expected, found = afresh([cells for _, cells in inside]), history.between(start, end)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found[0].seconds.tolist() == expected.seconds.tolist()
    assert found[0].half_spreads.tolist() == expected.half_spreads.tolist()
    assert found[1] == min(at for at, _ in inside)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("back", [False, True])
def test_growing_sliding_and_jumping_windows(seed: int, back: bool) -> None:
    rows, draw, history = drawn(seed, back=back), random.Random(-seed), SpreadHistory()
    known: Rows = []
    start = 0
    for at, cells in rows:
        history.add(at, cells)
        known.append((at, cells))
        start = draw.choice((start, start, start, start, at - 200, 0))
        check(history, known, start, at + 10)
        if draw.random() < 0.05:
            check(history, known, draw.randint(0, at + 1), draw.randint(0, at + 50))
        if draw.random() < 0.02:
            before = at - 1500
            history.forget(before)
            if known[0][0] < before:
                known = [row for row in known if row[0] >= before]
            check(history, known, start, at + 10)


def test_no_time_is_no_history() -> None:
    history = SpreadHistory()
    assert history.between(0, 100) is None
    history.add(0, [(0.0, 5.0), (1e-4, 0.0)])
    assert history.between(0, 100) is None
    history.add(10, [(4e-4, 3.0), (8e-4, 1.0)])
    history.add(20, [(4.01e-4, 1.0), (0.0, 5.0)])
    found = history.between(0, 100)
    assert found is not None
    merged, earliest = found
    assert (merged.total_s, earliest) == (pytest.approx(5.0), 0)
    assert merged.mean == pytest.approx((4e-4 * 3 + 8e-4 + 4.01e-4) / 5)
    assert len(merged.seconds) <= 3
    assert history.between(30, 100) is None
