"""Book: frames applied whole or not at all. Books are drawn as bids | asks, best first, ``price x lots``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lunomm.errors import BookError, MarketDataError, SequenceGap
from lunomm.market.book import Applied, AppliedTrade, Book, Resting
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side

BID, ASK = Side.BID, Side.ASK
ACTIVE = MarketStatus.ACTIVE

Load = Callable[..., Book]


@pytest.fixture
def book(pair: PairRules) -> Book:
    """990 x (30 a, 20 b), 980 x 10 c | 1010 x 50 d, 1020 x (5 e, 5 f); sequence 7."""
    it = Book(pair)
    bids = (BookOrder("a", 990, 30), BookOrder("b", 990, 20), BookOrder("c", 980, 10))
    asks = (BookOrder("d", 1010, 50), BookOrder("e", 1020, 5), BookOrder("f", 1020, 5))
    it.load(BookSnapshot(7, bids, asks, ACTIVE, 1000))
    return it


def update(
    sequence: int = 8,
    *,
    trades: tuple[BookTrade, ...] = (),
    create: BookCreate | None = None,
    delete: str | None = None,
    status: MarketStatus | None = None,
) -> BookUpdate:
    return BookUpdate(sequence, trades, create, delete, status, 2000)


def trade(maker: str, lots: int, counter: str, number: int | None = None, taker: str = "T") -> BookTrade:
    return BookTrade(maker, taker, lots, counter, number)


def drawn(book: Book) -> str:
    def side(which: Side) -> str:
        return ", ".join(f"{price} x {lots}" for price, lots in book.levels(which, 10))

    return f"{side(BID)} | {side(ASK)}"


def picture(book: Book) -> tuple[object, ...]:
    sides = [book.side(side) for side in Side]
    return (
        book.sequence,
        book.status,
        book.exchange_ns,
        book.orders(BID),
        book.orders(ASK),
        [(s.keys[:], s.lots.copy(), s.top_lots, s.top_notional, s.revision) for s in sides],
    )


def test_an_empty_book(pair: PairRules) -> None:
    book = Book(pair)
    assert (book.best_bid(), book.best_ask(), book.sequence, book.status) == (None, None, 0, MarketStatus.DISABLED)
    assert book.levels(BID, 5) == []
    with pytest.raises(SequenceGap):
        book.apply(update(8))


def test_what_a_snapshot_holds(book: Book) -> None:
    assert drawn(book) == "990 x 50, 980 x 10 | 1010 x 50, 1020 x 10"
    assert (book.best_bid(), book.best_ask()) == (990, 1010)
    assert (book.order_count, book.level_count, book.sequence) == (6, 4, 7)
    assert book.order("b") == Resting("b", BID, 990, 20)
    assert book.order("z") is None
    assert "a" in book and "z" not in book
    assert book.orders(ASK) == [BookOrder("d", 1010, 50), BookOrder("e", 1020, 5), BookOrder("f", 1020, 5)]


# What a frame leaves: name, frame, book after, trades reported.
LEGAL: list[tuple[str, BookUpdate, str, list[tuple[Side, int, int, str]]]] = [
    ("empty", update(), "990 x 50, 980 x 10 | 1010 x 50, 1020 x 10", []),
    ("create at a level", update(create=BookCreate("n", BID, 990, 1)), "990 x 51, 980 x 10 | 1010 x 50, 1020 x 10", []),
    (
        "create a new best",
        update(create=BookCreate("n", ASK, 991, 1)),
        "990 x 50, 980 x 10 | 991 x 1, 1010 x 50, 1020 x 10",
        [],
    ),
    ("delete one of a level", update(delete="a"), "990 x 20, 980 x 10 | 1010 x 50, 1020 x 10", []),
    ("delete a level", update(delete="d"), "990 x 50, 980 x 10 | 1020 x 10", []),
    (
        "trade in part",
        update(trades=(trade("a", 10, "9.9"),)),
        "990 x 40, 980 x 10 | 1010 x 50, 1020 x 10",
        [(BID, 990, 10, "a")],
    ),
    (
        "a sweep: filled makers leave without a delete",
        update(trades=(trade("d", 50, "50.50"), trade("e", 5, "5.1"), trade("f", 2, "2.04"))),
        "990 x 50, 980 x 10 | 1020 x 3",
        [(ASK, 1010, 50, "d"), (ASK, 1020, 5, "e"), (ASK, 1020, 2, "f")],
    ),
    (
        "a taker's rest may stand where it filled",
        update(trades=(trade("d", 50, "50.5"),), create=BookCreate("T", BID, 1010, 7)),
        "1010 x 7, 990 x 50, 980 x 10 | 1020 x 10",
        [(ASK, 1010, 50, "d")],
    ),
    (
        "delete what crossed, in the same frame",
        update(create=BookCreate("n", BID, 1010, 7), delete="d"),
        "1010 x 7, 990 x 50, 980 x 10 | 1020 x 10",
        [],
    ),
    (
        "trade, then delete the rest of the maker",
        update(trades=(trade("a", 10, "9.9"),), delete="a"),
        "990 x 20, 980 x 10 | 1010 x 50, 1020 x 10",
        [(BID, 990, 10, "a")],
    ),
    (
        "an order that comes and goes, even crossing, leaves nothing",
        update(create=BookCreate("n", BID, 2000, 7), delete="n"),
        "990 x 50, 980 x 10 | 1010 x 50, 1020 x 10",
        [],
    ),
    (
        "a used-up maker's id may come again",
        update(trades=(trade("c", 10, "9.8"),), create=BookCreate("c", ASK, 1010, 1)),
        "990 x 50 | 1010 x 51, 1020 x 10",
        [(BID, 980, 10, "c")],
    ),
]


@pytest.mark.parametrize(("frame", "after", "trades"), [row[1:] for row in LEGAL], ids=[row[0] for row in LEGAL])
def test_a_legal_frame(book: Book, frame: BookUpdate, after: str, trades: list[tuple[Side, int, int, str]]) -> None:
    applied = book.apply(frame)
    assert drawn(book) == after
    assert applied == Applied(tuple(AppliedTrade(s, p, n, maker, "T", None) for s, p, n, maker in trades))
    assert (book.sequence, book.exchange_ns) == (8, 2000)
    for side in (book.bids, book.asks):
        assert side.top_lots == sum(lots for _, lots in side.top(10))
        assert side.sign * side.top_notional == sum(price * lots for price, lots in side.top(10))


FIRST_GOOD = trade("a", 10, "9.9")
ILLEGAL: list[tuple[str, BookUpdate, str]] = [
    ("the same sequence again", update(7), "SEQUENCE_GAP"),
    ("one missing", update(9), "SEQUENCE_GAP"),
    ("going back", update(1), "SEQUENCE_GAP"),
    ("a maker we do not know", update(trades=(FIRST_GOOD, trade("z", 1, "1"))), "UNKNOWN_MAKER"),
    ("more than the maker has", update(trades=(FIRST_GOOD, trade("c", 11, "10.78"))), "OVERFILL"),
    ("a trade of nothing", update(trades=(trade("a", 0, "0"),)), "BAD_NUMBER"),
    ("a maker twice", update(trades=(FIRST_GOOD, FIRST_GOOD)), "DUPLICATE_TRADE"),
    ("a trade number twice", update(trades=(trade("a", 1, "0.99", 5), trade("b", 1, "0.99", 5))), "DUPLICATE_TRADE"),
    ("counter is a price", update(trades=(trade("a", 10, "99"),)), "BAD_TRADE_PRICE"),
    ("counter off by its last digit", update(trades=(trade("a", 10, "9.901"),)), "BAD_TRADE_PRICE"),
    ("counter beyond the grid", update(trades=(trade("a", 10, "9.90000001"),)), "BAD_TRADE_PRICE"),
    ("counter is no number", update(trades=(trade("a", 10, "1e1"),)), "BAD_TRADE_PRICE"),
    ("an id that rests", update(create=BookCreate("a", ASK, 1015, 1)), "DUPLICATE_ID"),
    (
        "an id that still rests after its trade",
        update(trades=(FIRST_GOOD,), create=BookCreate("a", BID, 970, 1)),
        "DUPLICATE_ID",
    ),
    ("an id created before it is deleted", update(create=BookCreate("a", BID, 970, 1), delete="a"), "DUPLICATE_ID"),
    ("an order of nothing", update(create=BookCreate("n", BID, 970, 0)), "BAD_NUMBER"),
    ("an order at nothing", update(create=BookCreate("n", BID, 0, 1)), "BAD_NUMBER"),
    ("a delete we do not know", update(delete="z"), "UNKNOWN_DELETE"),
    ("a delete of what the trade used up", update(trades=(trade("c", 10, "9.8"),), delete="c"), "UNKNOWN_DELETE"),
    ("a delete behind a good create", update(create=BookCreate("n", BID, 970, 1), delete="z"), "UNKNOWN_DELETE"),
    ("a bid at the ask", update(create=BookCreate("n", BID, 1010, 1)), "CROSSED"),
    ("an ask below the bid", update(create=BookCreate("n", ASK, 900, 1)), "CROSSED"),
    (
        "a rest through what is left of the level",
        update(trades=(trade("d", 49, "49.49"),), create=BookCreate("T", BID, 1010, 7)),
        "CROSSED",
    ),
    (
        "a rest through the next level",
        update(trades=(trade("d", 50, "50.5"),), create=BookCreate("T", BID, 1020, 7)),
        "CROSSED",
    ),
    (
        "a delete elsewhere does not clear the way",
        update(create=BookCreate("n", BID, 1010, 7), delete="e"),
        "CROSSED",
    ),
]


@pytest.mark.parametrize(("frame", "code"), [row[1:] for row in ILLEGAL], ids=[row[0] for row in ILLEGAL])
def test_an_illegal_frame_changes_nothing(book: Book, frame: BookUpdate, code: str) -> None:
    before = picture(book)
    with pytest.raises(MarketDataError) as error:
        book.apply(frame)
    assert error.value.code == code
    assert picture(book) == before
    book.apply(update(status=MarketStatus.POSTONLY))
    assert book.status is MarketStatus.POSTONLY


def test_trade_numbers_only_grow(book: Book) -> None:
    book.apply(update(8, trades=(trade("a", 1, "0.99", 40), trade("b", 1, "0.99", 41))))
    book.apply(update(9))
    with pytest.raises(BookError) as error:
        book.apply(update(10, trades=(trade("a", 1, "0.99", 41),)))
    assert error.value.code == "DUPLICATE_TRADE"
    book.apply(update(10, trades=(trade("a", 1, "0.99", 42),)))


SNAPSHOTS = [
    ("an id twice", (BookOrder("a", 990, 1), BookOrder("a", 980, 1)), (), "DUPLICATE_ID"),
    ("an id on both sides", (BookOrder("a", 990, 1),), (BookOrder("a", 1010, 1),), "DUPLICATE_ID"),
    (
        "crossed, whatever the order",
        (BookOrder("a", 980, 1), BookOrder("b", 1010, 1)),
        (BookOrder("c", 1010, 1),),
        "CROSSED",
    ),
    ("an empty order", (BookOrder("a", 980, 0),), (), "BAD_NUMBER"),
    ("a free order", (), (BookOrder("a", 0, 1),), "BAD_NUMBER"),
]


@pytest.mark.parametrize(("bids", "asks", "code"), [row[1:] for row in SNAPSHOTS], ids=[row[0] for row in SNAPSHOTS])
def test_a_bad_snapshot_changes_nothing(
    book: Book, bids: tuple[BookOrder, ...], asks: tuple[BookOrder, ...], code: str
) -> None:
    before = picture(book)
    with pytest.raises(BookError) as error:
        book.load(BookSnapshot(99, bids, asks, ACTIVE, 5))
    assert error.value.code == code
    assert picture(book) == before


def test_a_snapshot_replaces_everything(book: Book) -> None:
    book.load(BookSnapshot(3, (), (BookOrder("q", 5, 1),), MarketStatus.POSTONLY, 5))
    assert drawn(book) == " | 5 x 1"
    assert book.best_bid() is None
    assert "a" not in book
    book.apply(update(4, delete="q"))
    assert (drawn(book), book.level_count) == (" | ", 0)


def test_the_queue(book: Book) -> None:
    assert book.queue_ahead("a") == (0, 0)
    assert book.queue_ahead("b") == (30, 1)
    assert book.queue_ahead("b", without={"a"}) == (0, 0)
    assert book.queue_ahead("z") is None
    book.apply(update(8, create=BookCreate("n", BID, 990, 4)))
    book.apply(update(9, trades=(trade("a", 25, "24.75"),)))
    assert book.queue_ahead("n") == (25, 2)  # a partial fill keeps its place
    book.apply(update(10, trades=(trade("a", 5, "4.95"),)))
    assert book.queue_ahead("n") == (20, 1)


def test_depth_must_be_positive(pair: PairRules) -> None:
    with pytest.raises(BookError):
        Book(pair, depth=0)
