"""Our orders among others': which are ours, and what the market is without them."""

from __future__ import annotations

import pytest

from lunomm.market.book import Book
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.own import OwnIntent, OwnOrders
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.market.trades import FairTouch

BID, ASK = Side.BID, Side.ASK


@pytest.fixture
def book(pair: PairRules) -> Book:
    """990 x (a 30, b 20), 980 x c 10 | 1010 x d 50, 1020 x e 5."""
    it = Book(pair)
    bids = (BookOrder("a", 990, 30), BookOrder("b", 990, 20), BookOrder("c", 980, 10))
    asks = (BookOrder("d", 1010, 50), BookOrder("e", 1020, 5))
    it.load(BookSnapshot(7, bids, asks, MarketStatus.ACTIVE, 1000))
    return it


def send(
    book: Book,
    own: OwnOrders,
    *,
    trades: tuple[BookTrade, ...] = (),
    create: BookCreate | None = None,
    delete: str | None = None,
) -> bool:
    frame = BookUpdate(book.sequence + 1, trades, create, delete, None, 2000)
    book.apply(frame)
    return own.after(frame)


def test_without_orders_of_ours_the_market_is_fair(book: Book) -> None:
    own = OwnOrders(book)
    assert own.touch() == FairTouch(990, 1010)
    assert own.levels(BID, 5) == [(990, 50), (980, 10)]
    assert own.places() == []
    assert not send(book, own, delete="a")


def test_by_id_and_exactly(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "b", BID, 990, 20), OwnIntent("i2", "d", ASK, 1010, 50)])
    assert own.ids == {"b": "i1", "d": "i2"}
    assert own.touch() == FairTouch(990, 1020)
    assert own.levels(BID, 5) == [(990, 30), (980, 10)]
    assert own.levels(ASK, 5) == [(1020, 5)]
    assert own.levels(BID, 1) == [(990, 30)]
    assert own.fair_lots(990, 1020) == (30, 5)
    (bid, ask) = own.places()
    assert (bid.intent_id, bid.order.lots, bid.lots_ahead, bid.orders_ahead) == ("i1", 20, 30, 1)
    assert (ask.intent_id, ask.lots_ahead, ask.orders_ahead) == ("i2", 0, 0)


def test_others_only_count_before_us(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "a", BID, 990, 30), OwnIntent("i2", "b", BID, 990, 20)])
    assert [(place.lots_ahead, place.orders_ahead) for place in own.places()] == [(0, 0), (0, 0)]
    assert own.touch() == FairTouch(980, 1010)


def test_a_side_of_ours_alone_is_empty(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "d", ASK, 1010, 50), OwnIntent("i2", "e", ASK, 1020, 5)])
    assert own.touch() == FairTouch(990, None)
    assert own.levels(ASK, 5) == []


def test_partial_fill_then_gone(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "a", BID, 990, 30)])
    assert send(book, own, trades=(BookTrade("a", "T", 10, "9.9", None),))
    assert own.levels(BID, 1) == [(990, 20)] and own.places()[0].order.lots == 20
    assert not send(book, own, trades=(BookTrade("b", "T", 20, "19.8", None),))
    assert own.touch() == FairTouch(980, 1010)
    assert send(book, own, delete="a")
    assert own.ids == {} and own.touch() == FairTouch(980, 1010)


def test_an_id_known_before_its_frame_arrives(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "n", BID, 1000, 3)])
    assert own.ids == {}
    assert send(book, own, create=BookCreate("n", BID, 1000, 3))
    assert own.ids == {"n": "i1"} and own.touch() == FairTouch(990, 1010)


def test_a_taker_of_ours_whose_rest_stands_is_ours(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "n", BID, 1010, 60)])
    rest = BookCreate("n", BID, 1010, 10)
    assert send(book, own, trades=(BookTrade("d", "n", 50, "50.5", None),), create=rest)
    assert own.touch() == FairTouch(990, 1020)


def test_until_the_id_is_known_the_newest_of_that_kind_is_ours(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", None, BID, 990, 30)])
    assert own.ids == {"a": "i1"}  # someone's, but all we can see
    assert not send(book, own, create=BookCreate("x", BID, 990, 29))
    assert not send(book, own, create=BookCreate("y", ASK, 1030, 30))
    assert send(book, own, create=BookCreate("n", BID, 990, 30))
    assert own.ids == {"n": "i1"}
    assert own.places()[0].lots_ahead == 30 + 20 + 29
    own.set([OwnIntent("i1", "x", BID, 990, 30)])  # the id arrives and says otherwise
    assert own.ids == {"x": "i1"}


def test_two_alike_get_one_each_and_a_known_id_goes_first(book: Book) -> None:
    own = OwnOrders(book)
    send(book, own, create=BookCreate("m", BID, 990, 30))
    own.set([OwnIntent("i1", None, BID, 990, 30), OwnIntent("i2", None, BID, 990, 30)])
    assert own.ids == {"m": "i1", "a": "i2"}
    own.set([OwnIntent("i1", None, BID, 990, 30), OwnIntent("i2", "m", BID, 990, 30)])
    assert own.ids == {"m": "i2", "a": "i1"}
    own.set([OwnIntent("i1", None, BID, 970, 30)])
    assert own.ids == {}


def test_refresh_after_a_new_snapshot(book: Book) -> None:
    own = OwnOrders(book)
    own.set([OwnIntent("i1", "a", BID, 990, 30)])
    book.load(BookSnapshot(1, (BookOrder("q", 5, 1), BookOrder("a", 4, 9)), (), MarketStatus.ACTIVE, 0))
    own.refresh()
    assert own.ids == {"a": "i1"} and own.touch() == FairTouch(5, None)
    book.load(BookSnapshot(1, (), (), MarketStatus.ACTIVE, 0))
    own.refresh()
    assert own.ids == {} and own.touch() == FairTouch(None, None)
