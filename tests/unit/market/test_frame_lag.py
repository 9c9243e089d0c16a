"""How late frames come: what a snapshot, a late frame and silence say of it."""

from __future__ import annotations

from lunomm.market.frame_lag import FrameLag

S = 1_000_000_000


def test_the_newest_frame_says_it_for_as_long_as_it_is_the_newest():
    lag = FrameLag()
    assert lag.ms(0) is None
    lag.seen(35.0, 5 * S, snapshot=False)
    assert lag.ms(5 * S) == lag.ms(500 * S) == 35.0
    lag.seen(None, 6 * S, snapshot=False)  # a tape at another speed
    assert lag.ms(6 * S) is None
    lag.seen(40.0, 7 * S, snapshot=False)
    lag.lose()
    assert lag.ms(7 * S) is None


def test_a_snapshot_is_as_old_as_the_last_change_which_is_no_lag():
    lag = FrameLag()
    lag.seen(3_500.0, 5 * S, snapshot=False)
    lag.seen(45_000.0, 6 * S, snapshot=True)
    assert lag.ms(6 * S) is None


def test_a_late_frame_is_no_verdict_for_ever():
    lag = FrameLag()
    lag.seen(3_000.1, 5 * S, snapshot=False)
    assert lag.ms(15 * S) == 3_000.1
    assert lag.ms(15 * S + 1) is None
    lag.seen(60_000.0, 20 * S, snapshot=False)  # the next one was late too
    assert lag.ms(30 * S) == 60_000.0
