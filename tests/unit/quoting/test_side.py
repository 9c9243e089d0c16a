from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, Why
from lunomm.quoting.side import MEMORY, Plan, SideState, base36, intent_id, seconds
from lunomm.quoting.timing import SECOND_NS, Due, Priced, Timing

TIMING = Timing(60 * SECOND_NS, 60 * SECOND_NS, 1800 * SECOND_NS, 0.5)
SEEN = Priced(100.0, 2.0, D(5))
T0 = 10**18


def wanting(now_ns: int = T0, number: int = 1, price: str = "98") -> SideState:
    state = SideState(Side.BID, TIMING)
    want(state, now_ns, number, price)
    return state


def want(state: SideState, now_ns: int, number: int, price: str = "98") -> None:
    plan = Plan(D(price), D(1), SEEN)
    new = Intent(id=f"q-{number}-B0", side=Side.BID, level=0, price=D(price), size=D(1), created_ms=now_ns // 10**6)
    state.want(new, plan, now_ns)


@pytest.mark.parametrize(
    ("event", "why", "left_s", "wanted"),
    [
        (lambda s: s.completed("q-1-B0", T0, T0), Why.COOLDOWN, 60, False),
        (lambda s: s.completed("q-1-B0", T0 - 20 * SECOND_NS, T0), Why.COOLDOWN, 40, False),
        (lambda s: s.completed("old", T0, T0), Why.COOLDOWN, 60, False),
        (lambda s: s.completed("old", T0 - 61 * SECOND_NS, T0), None, 0, True),
        (lambda s: s.refused("q-1-B0", "X", T0), Why.REFUSED, 1, False),
        (lambda s: s.refused("old", "X", T0), None, 0, True),
        (lambda s: s.rejected("q-1-B0", T0), Why.REFUSED, 1, False),
        (lambda s: s.gone("q-1-B0", "DEAD", T0), Why.REFUSED, 1, False),
        (lambda s: s.gone("old", "DEAD", T0), None, 0, True),
        (lambda s: s.accepted("q-1-B0"), None, 0, True),
        (lambda s: s.filled("q-1-B0", D("0.5")), None, 0, True),
    ],
)
def test_transitions(event, why, left_s, wanted):
    state = wanting()
    event(state)
    assert (state.intent is not None) is wanted
    waiting = state.waiting(T0)
    assert (waiting[0] if waiting else None) is why
    if waiting:
        assert waiting[2] == left_s * SECOND_NS


def test_hearing_of_a_completion_again_does_not_rest_the_side_again():
    state = wanting()
    state.completed("q-1-B0", T0, T0)
    later = T0 + 61 * SECOND_NS
    assert state.waiting(later) is None
    want(state, later, 2)
    state.completed("q-1-B0", later, later)
    assert state.intent is not None


def test_memory_of_completions_is_bounded():
    state = SideState(Side.BID, TIMING)
    for number in range(5 * MEMORY):
        state.completed(f"q-{number}-B0", T0, T0)
    assert len(state._completed) == MEMORY


def test_keeping_takes_over_the_circumstances():
    state = wanting()
    moved = Priced(103.0, 2.0, D(5))
    now = T0 + SECOND_NS
    assert state.due(moved, D(1), now) is Due.FAIR
    assert state.keeps(Plan(D(98), D("1.05"), moved), Due.FAIR)
    assert state.due(moved, D(1), now) is None
    assert not state.keeps(Plan(D(97), D(1), moved), Due.FAIR)
    assert not state.keeps(Plan(D(98), D("1.2"), moved), Due.FAIR)
    assert not state.keeps(Plan(D(98), D(1), moved), Due.AGE)
    assert not state.keeps(Plan(None, D(0), moved), Due.FAIR)


def test_fills_lower_what_the_size_is_compared_with_and_never_fall():
    state = wanting()
    state.filled("q-1-B0", D("0.5"))
    state.filled("q-1-B0", D("0.2"))
    state.filled("other", D("0.9"))
    assert state.keeps(Plan(D(98), D("0.5"), SEEN), Due.REFRESH)
    assert not state.keeps(Plan(D(98), D(1), SEEN), Due.REFRESH)


def test_a_new_quote_is_paced():
    state = wanting()
    state.withdraw()
    assert state.waiting(T0 + SECOND_NS // 4) == (
        Why.COOLDOWN,
        "at most one new quote every half second",
        SECOND_NS // 4,
    )
    assert state.waiting(T0 + SECOND_NS // 2) is None


def test_report_of_a_standing_quote_is_as_it_was_priced():
    state = wanting()
    other = Plan(None, D(0), SEEN, why=Why.NO_BALANCE, detail="nothing free")
    report = state.report(T0 + 20 * SECOND_NS, other)
    assert (report.why, report.next_ms) == (None, (T0 + 60 * SECOND_NS) // 10**6)
    state.withdraw()
    report = state.report(T0 + 20 * SECOND_NS, other)
    assert (report.why, report.detail) == (Why.NO_BALANCE, "nothing free")
    report = state.report(T0 + 20 * SECOND_NS, other, (Why.STALE_BOOK, "no beat"))
    assert (report.why, report.detail, report.next_ms) == (Why.STALE_BOOK, "no beat", None)


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (35, "z"), (36, "10"), (1_800_000_000_000, "mywpiww0")])
def test_base36(number, text):
    assert base36(number) == text
    assert int(text, 36) == number


def test_intent_id():
    assert intent_id(36, 7, Side.ASK, 2) == "10-7-A2"


def test_seconds():
    assert (seconds(0.1), seconds(60)) == (100_000_000, 60_000_000_000)
