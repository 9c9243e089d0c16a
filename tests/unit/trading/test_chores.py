"""Questions to the venue: one at a time, and an answer is only as new as its own question."""

from __future__ import annotations

from lunomm.trading.chores import LOST_NS, SECOND, Chore


def test_one_question_at_a_time_and_a_wish_meanwhile_is_served_after_the_answer() -> None:
    chore = Chore()
    assert not chore.start(5)
    chore.want(10)
    assert not chore.start(9)
    assert chore.start(10)
    chore.want(11)
    assert not chore.start(12)
    assert chore.done() == 10
    assert chore.start(13)


def test_an_answer_that_comes_after_it_was_given_up_is_not_the_newer_questions() -> None:
    """The process was held: the answer to the first question had been lying in the socket."""
    chore = Chore()
    chore.want(0)
    assert chore.start(0)
    woken = 51 * SECOND
    assert woken > LOST_NS
    chore.want(woken)
    assert chore.start(woken)
    assert chore.done() == 0
    assert chore.answered_ns == 0
    chore.want(woken + 1)
    assert not chore.start(woken + 1), "the newer one is still out"
    assert chore.done() == woken
    assert chore.start(woken + 1)


def test_a_failure_is_the_oldest_questions_too() -> None:
    chore = Chore()
    chore.want(0)
    assert chore.start(0)
    chore.want(LOST_NS)
    assert chore.start(LOST_NS)
    chore.failed(LOST_NS + 1)
    assert chore.done() == LOST_NS
    assert chore.failures == 0
