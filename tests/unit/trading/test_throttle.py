"""How often is too often: each kind up to its bound, over it, and after its time."""

from __future__ import annotations

import pytest

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.trading.throttle import ALLOWED, ONE_SIDED, ORDERS_A_MINUTE, Repeat, Throttle

S = 1_000_000_000


def at(seconds: float) -> Now:
    return Now(1_700_000_000 * S + int(seconds * S), 50 * S + int(seconds * S))


@pytest.mark.parametrize("kind", list(Repeat))
def test_one_more_than_allowed_within_the_time_trips(kind: Repeat) -> None:
    most, span_ns = ALLOWED[kind]
    throttle = Throttle()
    for n in range(most):
        assert throttle.note(kind, at(n * 0.001)) is None
    assert kind.value in (throttle.note(kind, at(1), "the last straw") or "")
    throttle.reset()
    assert throttle.note(kind, at(2)) is None
    # Spread over a longer time the same number is nothing.
    slow = Throttle()
    for n in range(3 * most):
        assert slow.note(kind, at(n * (span_ns / S / most + 0.001))) is None


def test_the_fifth_quote_that_cannot_be_meant_trips() -> None:
    throttle = Throttle()
    assert [throttle.note(Repeat.BAD_QUOTES, at(n)) is not None for n in range(5)] == [False] * 4 + [True]


def test_an_alien_order_counts_once_however_many_fills_it_has() -> None:
    throttle = Throttle()
    for n in range(50):
        assert throttle.alien("BX1", at(n)) is None
    reasons = [throttle.alien(f"BX{n}", at(60)) for n in range(2, 13)]
    assert reasons[-1] is not None
    assert not any(reasons[:-2])


def fill_many(throttle: Throttle, side: Side, count: int, start: float, pace: float = 1.0) -> list[str]:
    found = [throttle.filled("XBTMYR", side, f"{side}{start + n}", at(start + n * pace)) for n in range(count)]
    return [reason for reason in found if reason is not None]


@pytest.mark.parametrize("kind", [kind for kind in Repeat if kind is not Repeat.UNREADABLE])
def test_a_restart_forgets_no_count(kind: Repeat) -> None:
    """Each restarted after every single event: it trips where one that never died would."""
    most, _ = ALLOWED[kind]
    note, reasons = "", []
    for n in range(most + 1):
        throttle = Throttle()
        throttle.restore(note, [])
        reasons.append(throttle.note(kind, at(n)))
        note = throttle.news() or note
        assert throttle.news() is None
    assert reasons[-1] is not None and not any(reasons[:-1])
    throttle.reset()
    again = Throttle()
    again.restore(throttle.news() or "nothing", [])
    assert again.note(kind, at(most + 2)) is None


def test_a_restart_forgets_no_side_no_stranger_and_no_order() -> None:
    first = Throttle()
    fill_many(first, Side.BID, ONE_SIDED + 1, 0)
    assert first.alien("BX1", at(20)) is None
    second = Throttle()
    second.restore(first.news() or "", [at(n).mono_ns for n in range(ORDERS_A_MINUTE)])
    assert second.off("XBTMYR", Side.BID, at(21))
    assert second.crowded(at(59)) and not second.crowded(at(61))
    assert second.alien("BX1", at(22)) is None and second.news() is None, "each stranger once"
    assert fill_many(second, Side.BID, ONE_SIDED + 1, 700), "a second time within the hour"
    with pytest.raises(ValueError):
        Throttle().restore("no note of ours", [])


def test_one_sided_fills_rest_the_side_and_the_second_time_halts() -> None:
    throttle = Throttle()
    assert not fill_many(throttle, Side.BID, ONE_SIDED, 0)
    assert not throttle.off("XBTMYR", Side.BID, at(ONE_SIDED))
    assert not fill_many(throttle, Side.BID, 1, 100)
    assert throttle.off("XBTMYR", Side.BID, at(101))
    assert not throttle.off("XBTMYR", Side.ASK, at(101))
    assert not throttle.off("XBTZAR", Side.BID, at(101))
    assert not throttle.off("XBTMYR", Side.BID, at(100 + 601))
    (reason,) = fill_many(throttle, Side.BID, ONE_SIDED + 1, 1000)
    assert "ONE_SIDED" in reason


def test_a_fill_of_the_other_side_ends_the_rest() -> None:
    throttle = Throttle()
    fill_many(throttle, Side.BID, ONE_SIDED + 1, 0)
    assert throttle.off("XBTMYR", Side.BID, at(20))
    assert throttle.filled("XBTMYR", Side.ASK, "a", at(21)) is None
    assert not throttle.off("XBTMYR", Side.BID, at(22))


def test_no_rest_outlasts_a_clock_that_was_ahead() -> None:
    throttle, day = Throttle(), 86_400
    assert not fill_many(throttle, Side.BID, 1, day)
    assert not throttle.off("XBTMYR", Side.BID, at(0))
    assert not fill_many(throttle, Side.ASK, ONE_SIDED + 1, day)
    assert throttle.off("XBTMYR", Side.ASK, at(day + ONE_SIDED + 1))
    assert not throttle.off("XBTMYR", Side.ASK, at(0))


def test_many_fills_of_one_order_are_one() -> None:
    throttle = Throttle()
    for n in range(100):
        assert throttle.filled("XBTMYR", Side.BID, "one", at(n)) is None
    assert not throttle.off("XBTMYR", Side.BID, at(100))


def test_the_pace_of_orders_is_a_sliding_minute() -> None:
    throttle = Throttle()
    for n in range(ORDERS_A_MINUTE):
        assert not throttle.crowded(at(n * 0.5))
        throttle.placed(at(n * 0.5))
    assert throttle.crowded(at(30))
    assert throttle.crowded(at(59.9))
    assert not throttle.crowded(at(60))
    throttle.reset()
    throttle.placed(at(60))
    assert throttle.crowded(at(60.1)), "a resume is no reason to hurry"
