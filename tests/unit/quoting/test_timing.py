from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.quoting.timing import MAX_RETRY_NS, SECOND_NS, Backoff, Due, Priced, Timer, Timing, due, same_size

TIMING = Timing(refresh_ns=60 * SECOND_NS, filled_delay_ns=60 * SECOND_NS, max_age_ns=1800 * SECOND_NS, reprice_at=0.5)
PRICED = Priced(fair=100.0, half_spread=2.0, position=D(5))


@pytest.mark.parametrize(
    ("case", "fair", "position", "age_s", "reprice_at", "expected"),
    [
        ("nothing happened", 100.0, "5", 59.9, 0.5, None),
        ("the refresh", 100.0, "5", 60, 0.5, Due.REFRESH),
        ("drift of half a half-spread is not more than it", 101.0, "5", 1, 0.5, None),
        ("drift beyond", 101.01, "5", 1, 0.5, Due.FAIR),
        ("drift down", 98.9, "5", 1, 0.5, Due.FAIR),
        ("drift switched off", 150.0, "5", 1, 0.0, None),
        ("new inventory", 100.0, "4", 1, 0.5, Due.FILL),
        ("dust is no inventory", 100.0, "5.00499", 1, 0.5, None),
        ("too old", 100.0, "5", 1800, 0.5, Due.AGE),
        ("age outranks the rest", 150.0, "4", 1800, 0.5, Due.AGE),
    ],
)
def test_due(case, fair, position, age_s, reprice_at, expected):
    timing = Timing(TIMING.refresh_ns, TIMING.filled_delay_ns, TIMING.max_age_ns, reprice_at)
    seen = Priced(fair, 2.0, D(position))
    assert due(PRICED, seen, round(age_s * SECOND_NS), timing, D(1)) is expected, case


def test_backoff_doubles_to_thirty_seconds_and_another_code_starts_again():
    backoff, waits = Backoff(), []
    assert backoff.wait_ns == 0
    for _ in range(8):
        backoff = backoff.after("ErrOrderCanceled")
        waits.append(backoff.wait_ns // SECOND_NS)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.after("ErrInsufficientBalance").wait_ns == SECOND_NS
    for _ in range(10_000):
        backoff = backoff.after("ErrOrderCanceled")
    assert backoff.wait_ns == MAX_RETRY_NS


def test_a_timer_counts_down():
    timer = Timer(100, 50)
    assert [timer.left_ns(t) for t in (100, 130, 150, 1000)] == [50, 20, 0, 0]
    assert timer.age_ns(130) == 30


def test_a_clock_set_back_restarts_a_timer_rather_than_stretching_it():
    timer = Timer(10**18, 50)
    assert timer.left_ns(500) == 50
    assert timer.left_ns(540) == 10
    assert Timer(10**18, 50).age_ns(500) == 0


@pytest.mark.parametrize(
    ("standing", "wanted", "same"),
    [
        ("1", "1", True),
        ("1", "1.1", True),
        ("1", "0.9", True),
        ("1", "1.11", False),
        ("1", "0.89", False),
        ("0", "1", False),
    ],
)
def test_same_size(standing, wanted, same):
    assert same_size(D(standing), D(wanted)) is same
