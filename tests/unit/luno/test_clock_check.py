"""A clock is called wrong only when the headers show it."""

from __future__ import annotations

import random

import pytest

from lunomm.luno.clock_check import ClockCheck
from lunomm.luno.transport import Skew

S = 1_000_000_000


def heard(skew_ms: float, *, cached: bool, seed: int, calls: int = 5, rtt_ms: float = 50) -> ClockCheck:
    """Answers of a venue whose clock is ``skew_ms`` ahead: the header cut to the second, perhaps kept for another."""
    check, random_ = ClockCheck(), random.Random(seed)
    for n in range(calls):
        true_ms = n * 2000 + random_.random() * 1000
        venue_ms = true_ms + skew_ms - (random_.random() * 1000 if cached else 0)
        date_ms = venue_ms // 1000 * 1000
        check.add(Skew(date_ms + 500 - true_ms, 500 + rtt_ms / 2), n * 2 * S)
    return check


@pytest.mark.parametrize("cached", [False, True])
def test_a_good_clock_is_never_called_wrong(cached: bool) -> None:
    for seed in range(300):
        assert heard(0, cached=cached, seed=seed).problem(10 * S) is None


@pytest.mark.parametrize(("skew_ms", "where"), [(3000, "behind"), (-3000, "ahead of"), (86_400_000, "behind")])
def test_a_wrong_clock_is_called_wrong_with_its_measure(skew_ms: float, where: str) -> None:
    for seed in range(100):
        problem = heard(skew_ms, cached=False, seed=seed).problem(10 * S)
        assert problem is not None
        assert where in problem
    assert "86400" in (heard(86_400_000, cached=False, seed=1).problem(10 * S) or "86400")


def test_little_is_proven_by_few_or_old_answers() -> None:
    assert heard(9000, cached=False, seed=1, calls=2).problem(4 * S) is None
    assert heard(9000, cached=False, seed=1).problem(50 * S) is None
    assert heard(9000, cached=False, seed=1, calls=1).suspicious()
    assert not heard(0, cached=False, seed=1, calls=1).suspicious()


def test_a_slow_answer_proves_less() -> None:
    assert heard(3000, cached=False, seed=2, rtt_ms=6000).problem(10 * S) is None


def test_the_same_comparison_counts_once_and_a_clock_that_was_set_forgets() -> None:
    check, skew = ClockCheck(), Skew(9000, 520)
    for at in range(5):
        check.add(skew, at * S)
    assert check.problem(5 * S) is None
    check = heard(9000, cached=False, seed=3)
    check.look(100 * S, 8 * S)
    check.look(109 * S, 9 * S)
    assert "not compared" in (check.problem(9 * S) or "")


def test_a_clock_that_was_set_is_wrong_until_it_is_shown_to_be_right() -> None:
    check = heard(0, cached=False, seed=4)
    check.look(100 * S, 8 * S)
    check.look(101 * S, 9 * S)
    assert check.problem(9 * S) is None
    check.look(86_502 * S, 10 * S)
    for at in (10, 11):
        check.add(Skew(0, 520), at * S)
        assert "was set" in (check.problem(at * S) or "")
    check.add(Skew(0, 520), 12 * S)
    assert check.problem(12 * S) is None
    # Shown once, it is right for want of a newer proof too.
    assert check.problem(80 * S) is None
