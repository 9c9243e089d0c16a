from __future__ import annotations

from decimal import Decimal

from lunomm.market.book import Book
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookUpdate
from lunomm.market.own import OwnOrders
from lunomm.market.picture import Picture
from lunomm.market.records import BookState, Tick
from lunomm.market.rules import MarketStatus, PairRules, Side


def draw(picture: Picture, own: OwnOrders) -> Tick:
    tick = Tick(pair="XBTMYR", ts=0.0, exchange_ts=None, sequence=None, state=BookState.OK, beat=0)
    picture.draw(tick, own.touch())
    return tick


def test_the_ladder_follows_every_frame_and_shares_what_stayed(pair: PairRules) -> None:
    book = Book(pair, depth=3)
    bids = tuple(BookOrder(f"b{k}", 990 - 10 * k, 10 + k) for k in range(5))
    book.load(BookSnapshot(1, bids, (BookOrder("a", 1010, 5),), MarketStatus.ACTIVE, 10**6))
    own = OwnOrders(book)
    picture = Picture(book, own)
    first = draw(picture, own)
    assert [(level.price, level.volume) for level in first.bids] == [
        (Decimal("99.0"), Decimal("0.10")),
        (Decimal("98.0"), Decimal("0.11")),
        (Decimal("97.0"), Decimal("0.12")),
    ]
    book.apply(BookUpdate(2, (), BookCreate("deep", Side.BID, 900, 1), None, None, 2 * 10**6))
    assert draw(picture, own).bids is first.bids
    book.apply(BookUpdate(3, (), None, "b1", None, 3 * 10**6))
    third = draw(picture, own)
    assert [level.price for level in third.bids] == [99, 97, 96]
    assert third.bids[1] is first.bids[2]
    assert [level.price for level in first.bids] == [99, 98, 97]  # a tick handed out is never changed
    assert (third.sequence, third.exchange_ts, third.orders, third.levels) == (3, 3, 6, 6)
