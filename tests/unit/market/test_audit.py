"""The audit: tolerant of what time explains, sure of what it does not."""

from __future__ import annotations

import pytest

from lunomm.market.audit import AGAIN_NS, HOUR_NS, MISSES, SECOND_NS, WATCHED, Auditor, Listed, Outcome
from lunomm.market.book import Book
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side

BIDS = (BookOrder("a", 990, 30), BookOrder("b", 990, 20), BookOrder("c", 980, 10))
ASKS = (BookOrder("d", 1010, 50), BookOrder("e", 1020, 10))
TRUE = Listed([(990, 50), (980, 10)], [(1010, 50), (1020, 10)])


@pytest.fixture
def book(pair: PairRules) -> Book:
    it = Book(pair)
    it.load(BookSnapshot(7, BIDS, ASKS, MarketStatus.ACTIVE, 0))
    return it


def judged(auditor: Auditor, book: Book, listed: Listed | None, at_s: float = 0.0) -> Outcome:
    at_ns = round(at_s * SECOND_NS)
    auditor.open(book, at_ns)
    return auditor.judge(listed, at_ns + SECOND_NS, 1)


def test_the_same_book_agrees(book: Book) -> None:
    auditor = Auditor()
    assert judged(auditor, book, TRUE) is Outcome.AGREED
    assert (auditor.result.drift, auditor.result.checks, auditor.result.misses) == (0.0, 1, 0)
    assert not auditor.watching


WRONG = [
    (Listed([(990, 49), (980, 10)], TRUE.asks), 1 / 4, "volume"),
    (Listed([(980, 10)], TRUE.asks), 1 / 4, "a level of ours is not there"),
    (Listed([(991, 1), *TRUE.bids], TRUE.asks), 1 / 5, "a level we have not"),
    (Listed(TRUE.bids, []), 2 / 4, "an empty side"),
    (Listed([(970, 1)], [(1030, 1)]), 1.0, "nothing alike"),
]


@pytest.mark.parametrize(("listed", "drift", "what"), WRONG, ids=[row[2] for row in WRONG])
def test_what_differs_is_a_miss(book: Book, listed: Listed, drift: float, what: str) -> None:
    auditor = Auditor()
    assert judged(auditor, book, listed) is Outcome.MISSED
    assert auditor.result.drift == pytest.approx(drift)


def test_any_state_between_opening_and_judging_will_do(book: Book) -> None:
    auditor = Auditor()
    auditor.open(book, 0)
    book.apply(BookUpdate(8, (), BookCreate("f", Side.BID, 995, 5), None, None, 1))
    auditor.see(book)
    book.apply(BookUpdate(9, (), None, "f", None, 2))
    auditor.see(book)
    assert auditor.judge(TRUE, SECOND_NS, 1) is Outcome.AGREED
    auditor.open(book, 0)
    book.apply(BookUpdate(10, (), BookCreate("g", Side.BID, 995, 5), None, None, 3))
    auditor.see(book)
    with_it = Listed([(995, 5), *TRUE.bids], TRUE.asks)
    assert auditor.judge(with_it, SECOND_NS, 1) is Outcome.AGREED
    assert judged(auditor, book, TRUE) is Outcome.MISSED, "now it has been there all along"


def test_only_the_best_levels_are_compared(pair: PairRules) -> None:
    book = Book(pair)
    deep = tuple(BookOrder(f"b{n}", 2000 - n, 1) for n in range(2 * WATCHED))
    book.load(BookSnapshot(1, deep, (BookOrder("a", 3000, 1),), MarketStatus.ACTIVE, 0))
    top = [(2000 - n, 1) for n in range(100)]
    assert judged(Auditor(), book, Listed(top, [(3000, 1)])) is Outcome.AGREED
    assert judged(Auditor(), book, Listed([*top[:60], (1, 1)], [(3000, 1)])) is Outcome.AGREED
    assert judged(Auditor(), book, Listed([*top[:40], *top[41:]], [(3000, 1)])) is Outcome.MISSED


def test_three_misses_in_a_row_prove_it_and_no_sooner_than_five_seconds_apart(book: Book) -> None:
    auditor = Auditor(60)
    wrong = WRONG[0][0]
    at_ns = 0
    outcomes = []
    for _ in range(MISSES):
        auditor.open(book, at_ns)
        outcomes.append(auditor.judge(wrong, at_ns + SECOND_NS, 1))
        following = auditor.next_ns(at_ns + SECOND_NS)
        assert following is not None and following - at_ns >= AGAIN_NS
        at_ns = following
    assert outcomes == [Outcome.MISSED, Outcome.MISSED, Outcome.DRIFT]
    assert auditor.result.resyncs == 1 and not auditor.doubt(at_ns)
    assert auditor.next_ns(at_ns) == 2 * AGAIN_NS + 60 * SECOND_NS, "afterwards at its usual pace"


def test_an_agreement_between_misses_starts_the_count_anew(book: Book) -> None:
    auditor = Auditor()
    wrong = WRONG[0][0]
    assert [judged(auditor, book, listed) for listed in (wrong, wrong, TRUE, wrong, wrong)][-1] is Outcome.MISSED
    auditor.lose()
    assert judged(auditor, book, wrong) is Outcome.MISSED, "and so does a new book"


def test_twice_in_an_hour_is_doubt_until_the_hour_is_over_and_the_list_agrees(book: Book) -> None:
    auditor = Auditor()
    wrong = WRONG[0][0]
    for start_s in (0.0, 600.0):
        for n in range(MISSES):
            judged(auditor, book, wrong, start_s + 5 * n)
    now = 620 * SECOND_NS
    assert "2 times in 10 min" in auditor.doubt(now)
    assert auditor.doubt(now + 2 * HOUR_NS), "nothing has agreed since"
    judged(auditor, book, TRUE, 700.0)
    assert auditor.doubt(now)
    assert not auditor.doubt(now + 2 * HOUR_NS)


def test_nothing_to_compare_decides_nothing(book: Book) -> None:
    auditor = Auditor()
    assert judged(auditor, book, None) is Outcome.UNKNOWN
    auditor.open(book, 0)
    auditor.lose()
    assert auditor.judge(WRONG[0][0], 1, 1) is Outcome.UNKNOWN
    assert auditor.result.checks == 0 and auditor.result.drift is None


def test_switched_off() -> None:
    assert Auditor(0).next_ns(5) is None
