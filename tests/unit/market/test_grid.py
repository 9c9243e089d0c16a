from __future__ import annotations

import pytest

from lunomm.market.grid import SECOND_NS, GridRecorder

S = SECOND_NS
START = 1_700_000_000 * S
"""A multiple of ten seconds."""


def recorder(at_ns: int = START) -> GridRecorder:
    grid = GridRecorder("XBTMYR")
    grid.recover(at_ns, 100)
    return grid


def test_a_row_by_hand() -> None:
    grid = recorder()
    grid.stand(2e-4)
    grid.advance(START + int(3.5 * S), 100.0)  # points 0, 1, 2, 3
    grid.stand(4e-4)
    grid.sequence = 105
    grid.advance(START + 5 * S, 101.0)  # point 4; point 5 belongs to what comes now
    grid.stand(None)
    grid.advance(START + 6 * S, None)  # 5
    grid.stand(2e-4)
    grid.sequence = 111
    assert grid.drain() == []
    grid.advance(START + 12 * S, 102.0)  # 6 to 11
    (row,) = grid.drain()
    assert row.mids == [100.0] * 4 + [101.0] + [None] + [102.0] * 4
    assert row.exposure == [pytest.approx((2e-4, 3.5 + 4.0)), pytest.approx((4e-4, 1.5))]
    assert (row.start_ms, row.step_s, row.gap) == (START // 10**6, 1.0, True)
    assert (row.first_sequence, row.last_sequence) == (100, 111)
    grid.advance(START + 20 * S, 103.0)
    (row,) = grid.drain()
    assert row.mids == [102.0, 102.0] + [103.0] * 8
    assert row.exposure == [pytest.approx((2e-4, 10.0))]
    assert (row.start_ms, row.gap, row.first_sequence) == (START // 10**6 + 10_000, False, 111)


def test_rows_lie_on_tens_of_seconds_wherever_one_starts() -> None:
    grid = recorder(START + int(4.2 * S))
    grid.stand(1e-4)
    grid.advance(START + 10 * S, 100.0)
    (row,) = grid.drain()
    assert row.start_ms * 10**6 == START
    assert row.mids == [None] * 5 + [100.0] * 5
    assert row.exposure == [pytest.approx((1e-4, 5.8))]


def test_starting_in_the_last_second_begins_with_the_next_row() -> None:
    grid = recorder(START + int(9.7 * S))
    grid.stand(1e-4)
    grid.advance(START + 21 * S, 100.0)
    (row,) = grid.drain()
    assert row.start_ms * 10**6 == START + 10 * S
    assert row.mids == [100.0] * 10


def test_a_quiet_minute_is_six_rows() -> None:
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 60 * S, 100.0)
    rows = grid.drain()
    assert [row.start_ms * 10**6 - START for row in rows] == [k * 10 * S for k in range(6)]
    assert all(row.mids == [100.0] * 10 for row in rows)
    assert [row.gap for row in rows] == [True] + [False] * 5


def test_lag_is_ignored_but_a_clock_set_back_starts_again() -> None:
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 45 * S, 100.0)
    assert len(grid.drain()) == 4
    grid.advance(START + 44 * S, 100.0)
    assert grid.time_ns == START + 45 * S
    grid.advance(START + 21 * S, 100.0)
    (cut,) = grid.drain()
    assert cut.mids == [100.0] * 5 + [None] * 5
    grid.advance(START + 30 * S, 100.0)
    (row,) = grid.drain()
    assert row.gap and row.start_ms * 10**6 == START + 20 * S


@pytest.mark.parametrize(("hole_s", "gap"), [(5, False), (30, False), (31, True), (3000, True)])
def test_a_lost_stream(hole_s: int, gap: bool) -> None:
    """Nothing is known, nothing is exposed; only a long hole is a gap."""
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 12 * S, 100.0)
    grid.lose()
    back = START + (12 + hole_s) * S
    grid.recover(back, 500)
    grid.stand(2e-4)
    grid.advance(back + 20 * S, 101.0)
    rows = grid.drain()
    assert sum(seconds for row in rows for h, seconds in row.exposure if h < 1.5e-4) == pytest.approx(12.0)
    assert sum(seconds for row in rows for h, seconds in row.exposure if h > 1.5e-4) <= 20.0
    assert rows[0].gap
    assert any(row.gap for row in rows[1:]) is gap
    after = [row for row in rows if row.start_ms * 10**6 + 10 * S > back]
    mids = [mid for row in rows for mid in row.mids]
    assert 100.0 in mids and 101.0 in mids
    assert after[0].gap is gap or after[0].start_ms * 10**6 == START


def test_time_without_a_market_leaves_no_row() -> None:
    grid = recorder()
    grid.advance(START + 100 * S, None)
    assert grid.drain() == []
    grid.stand(1e-4)
    grid.advance(START + 110 * S, 100.0)
    (row,) = grid.drain()
    assert row.gap and row.start_ms * 10**6 == START + 100 * S


def test_an_old_snapshot_says_that_nothing_happened_since() -> None:
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 300 * S, 100.0)
    grid.drain()
    grid.lose()
    grid.recover(START + 250 * S, 100)
    assert grid.time_ns == START + 300 * S
    grid.stand(1e-4)
    grid.advance(START + 310 * S, 100.0)
    (row,) = grid.drain()
    assert row.start_ms * 10**6 == START + 300 * S and not row.gap


def test_more_than_an_hour_of_silence_is_not_filled() -> None:
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 5 * S, 100.0)
    grid.advance(START + 86_400 * S, 100.0)
    (row,) = grid.drain()
    assert row.mids == [100.0] * 5 + [None] * 5


def test_closing_keeps_the_row_under_way() -> None:
    grid = recorder()
    grid.stand(1e-4)
    grid.advance(START + 3 * S, 100.0)
    grid.close(101.0)
    (row,) = grid.drain()
    assert row.mids == [100.0, 100.0, 100.0, 101.0] + [None] * 6
    assert row.exposure == [pytest.approx((1e-4, 3.0))]
    GridRecorder("XBTMYR").close(None)
