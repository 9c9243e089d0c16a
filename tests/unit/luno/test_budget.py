from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.errors import ConfigError
from lunomm.luno.budget import SECOND, CallBudget

START = 5_000 * SECOND


def drain(budget: CallBudget, now_ns: int, *, urgent: bool) -> int:
    taken = 0
    while budget.take(now_ns, urgent) == 0:
        taken += 1
    return taken


def test_burst_then_reserve_for_urgent_calls() -> None:
    budget = CallBudget()
    assert drain(budget, START, urgent=False) == 30
    assert drain(budget, START, urgent=True) == 10
    assert budget.used(START) == 40


def test_wait_is_exact() -> None:
    budget = CallBudget()
    drain(budget, START, urgent=False)
    wait = budget.take(START)
    assert wait == SECOND // 4
    assert budget.take(START + wait - 1) == 1
    assert budget.take(START + wait) == 0
    drain(budget, START + wait, urgent=True)
    assert budget.take(START + wait, True) == SECOND // 4
    # Ten calls of reserve and its own have to come back first.
    assert budget.take(START + wait) == 11 * SECOND // 4


def test_refused_wait_takes_nothing() -> None:
    budget = CallBudget()
    drain(budget, START, urgent=True)
    for _ in range(100):
        assert budget.take(START, True) > 0
    assert budget.take(START + SECOND // 4, True) == 0


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    budget = CallBudget()
    drain(budget, START, urgent=True)
    assert budget.take(START - 100 * SECOND, True) > 0
    assert budget.take(START, True) == SECOND // 4


def test_used_is_a_sliding_count() -> None:
    budget = CallBudget()
    budget.take(START)
    budget.take(START + 30 * SECOND)
    assert [budget.used(START + s * SECOND) for s in (30, 59, 60, 89, 90)] == [2, 2, 1, 1, 0]


def test_refusals_in_a_row_back_off_and_spare_urgent_calls() -> None:
    budget = CallBudget()
    now = START
    pauses = []
    for _ in range(8):
        budget.refused(now)
        pauses.append(round(budget.take(now) / SECOND))
        assert budget.take(now, True) <= SECOND // 4
        now += 100 * SECOND
    # An emptied bucket takes 2.75 s to serve a call that is not urgent, so the first pauses are that.
    assert pauses == [3, 3, 4, 8, 16, 32, 60, 60]
    budget.accepted()
    budget.refused(now)
    assert round(budget.take(now) / SECOND) == 3


def test_retry_after_is_kept() -> None:
    budget = CallBudget()
    budget.refused(START, 17.5)
    assert budget.take(START) == int(17.5 * SECOND)
    assert budget.take(START + 18 * SECOND) == 0
    assert budget.refusals(START + 18 * SECOND) == 1 and budget.refusals(START + 60 * SECOND) == 0


@pytest.mark.parametrize(
    "arguments", [{"limit": 40}, {"reserve": 40}, {"reserve": -1}, {"per_s": 0}, {"burst": 280}, {"burst": 0}]
)
def test_budget_that_cannot_be(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        CallBudget(**arguments)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.tuples(st.integers(0, 5 * SECOND), st.booleans(), st.integers(1, 60)), min_size=1, max_size=80)
)
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[int, bool, int]]) -> None:
    """Greedy callers at any times: a naive count over every window of a minute stays within the limit."""
    budget = CallBudget(limit=50, per_s=60, reserve=2, burst=10)
    now, calls = START, []
    for gap, urgent, tries in steps:
        now += gap
        for _ in range(tries):
            wait = budget.take(now, urgent)
            if wait == 0:
                calls.append(now)
            elif wait > 1:
                now += wait - 1
                assert budget.take(now, urgent) == 1
        assert budget.used(now) == sum(1 for call in calls if call > now - 60 * SECOND)
    for index, first in enumerate(calls):
        assert sum(1 for call in calls[index:] if call < first + 60 * SECOND) <= 50


def test_steady_rate_is_four_a_second() -> None:
    budget = CallBudget()
    now, calls = START, 0
    while now < START + 600 * SECOND:
        wait = budget.take(now, True)
        if wait == 0:
            calls += 1
        now += wait
    assert calls in (40 + 4 * 600 - 1, 40 + 4 * 600)
