"""What happens to a market: the events the book applies. ``luno/wire.py`` makes them from frames.

Those that come with every frame are structs: made and read in half the time of a named tuple.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lunomm.market.rules import MarketStatus, Side


class BookOrder(NamedTuple):
    """One resting order. price: ticks; lots: volume left, in lots (> 0)."""

    order_id: str
    price: int
    lots: int


class BookSnapshot(NamedTuple):
    """The whole book at ``sequence``; bids best (highest) first, asks best (lowest) first, FIFO inside a price.

    exchange_ns: the venue's time of the last change.
    """

    sequence: int
    bids: tuple[BookOrder, ...]
    asks: tuple[BookOrder, ...]
    status: MarketStatus
    exchange_ns: int


class BookTrade(NamedTuple):
    """One maker met by one taker. ``counter`` (decimal text as received) must equal base x maker price.

    trade_sequence: the market's trade number; None on frames of 2021.
    """

    maker_id: str
    taker_id: str
    lots: int
    counter: str
    trade_sequence: int | None


class BookCreate(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    side: Side
    price: int
    lots: int


class BookUpdate(msgspec.Struct, frozen=True, gc=False):
    """One frame: applies whole, only to a book at ``sequence - 1``, in the order trades, create, delete, status."""

    sequence: int
    trades: tuple[BookTrade, ...]
    create: BookCreate | None
    delete_id: str | None
    status: MarketStatus | None
    exchange_ns: int
