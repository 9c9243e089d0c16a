"""``lunomm book PAIR...``: the market stream into ticks, taker orders and grid rows on the bus.

One process, any number of pairs, each with its own feed and its own three loops:

* *ticks*: one after every applied frame, conflated to the newest only while the last PUBLISH has not returned, and one
  at least every half second, so that a quiet market still beats. A lost stream is published the moment it is known.
* *records*: taker orders and grid rows, each exactly once, also over a Redis that went away in between.
* *own orders*: the gateway's intents, so that signals are the others' market and not our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lunomm.bus.channels import ORDER_UPDATES, ORDERS
from lunomm.bus.client import Bus
from lunomm.commands.book_data import book_data
from lunomm.commands.piece import Piece, open_piece
from lunomm.commands.publishing import publish_records, publish_rules, publish_ticks
from lunomm.commands.tape_book import run_tape
from lunomm.config import BookOptions, Common
from lunomm.errors import BookError, BusError
from lunomm.market.own import OwnIntent
from lunomm.market.records import BookState
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import OrderView
from lunomm.views.book import BookView, book_line, book_screen

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed

OWN_EVERY_S = 0.05
"""How often the gateway's orders are read without a hint: an order rests some milliseconds after its intent."""
RETRY_S = 0.1
MAX_MAGNITUDE = 30
"""Decimal exponent beyond which a number is not believed."""


async def run(common: Common, pairs: Sequence[str], options: BookOptions) -> dict[str, Any] | None:
    """Follow the pairs until stopped; with a tape, play it and return its last tick and counts.

    Raises:
        UsageError (2), CredentialsError (3), BusError, ExchangeError (4), RefusedError (5), InstanceError (6).
    """
    if options.tape is not None:
        return await run_tape(common, pairs, options)
    # Only now: a tape needs no clients of a venue, which are slow to import.
    from lunomm.commands.feed import Feed, Venue, new_rest, read_rules

    async with (
        open_piece("book", common, pairs, lease=True) as piece,
        new_rest(piece.endpoint, piece.key) as rest,
    ):
        venue = Venue(piece.endpoint, piece.key, rest, piece.clock, piece.venue.title if piece.venue else "")
        rules = await read_rules(rest, piece.pairs)
        feeds = [Feed(rules[pair], options, venue) for pair in piece.pairs]
        for feed in feeds:
            start(piece, feed)
        piece.start(_counters(piece, feeds), "counters")
        piece.present(
            lambda: book_screen(views(feeds)),
            lambda: "\n".join(book_line(view) for view in views(feeds)),
            lambda: _data(feeds),
        )
        await piece.wait()
    return None


def start(piece: Piece, feed: Feed) -> None:
    """Start every loop of one pair."""
    from lunomm.commands.feed import watch_rules

    pair = feed.rules.pair
    for name, work in (
        ("stream", feed.follow()),
        ("warm", feed.warm()),
        ("sample", feed.sample()),
        ("rules", watch_rules(feed)),
        ("ticks", publish_ticks(piece, feed)),
        ("records", publish_records(piece, feed)),
        ("own", follow_own(piece, feed)),
        ("publish-rules", publish_rules(piece, feed)),
    ):
        piece.start(work, f"{name} {pair}")


def views(feeds: Sequence[Feed]) -> list[BookView]:
    return [feed.view() for feed in feeds]


def _data(feeds: Sequence[Feed]) -> dict[str, Any]:
    """One pair: its tick and counts. Several: the same of each under ``pairs``."""
    each = [book_data(feed.view(), fills=feed.observer.fills, takers=feed.observer.takers) for feed in feeds]
    return each[0] if len(each) == 1 else {"pairs": each}


async def _counters(piece: Piece, feeds: Sequence[Feed]) -> None:
    """What the heartbeat carries."""
    while True:
        rates = [feed.frames_per_s or 0.0 for feed in feeds]
        states = [feed.observer.state for feed in feeds]
        worst = next((state for state in states if state is not BookState.OK), BookState.OK)
        piece.counters.update(
            frames_per_s=round(sum(rates), 1),
            frames=float(sum(feed.frames for feed in feeds)),
            resyncs=float(sum(feed.resyncs for feed in feeds)),
            waiting=float(sum(len(feed.records) for feed in feeds)),
        )
        if not piece.stop.is_set():
            piece.state = worst.value
        notes = [feed.note for feed in feeds if feed.note]
        if notes:
            piece.last_error = notes[0][:200]
        elif piece.last_error is not None and worst is BookState.OK:
            piece.last_error = None
        await asyncio.sleep(1.0)


async def follow_own(piece: Piece, feed: Feed) -> None:
    """Tell the observer which orders are ours: at once when the gateway hints at a change, else at a steady pace."""
    pair = feed.rules.pair
    hint = asyncio.Event()
    listener = asyncio.create_task(_hints(piece.bus, pair, hint), name=f"book:hints {pair}")
    known: tuple[OwnIntent, ...] = ()
    try:
        while True:
            hint.clear()
            try:
                own = own_intents(await piece.bus.hash_get(ORDERS, pair), feed.rules)
            except BusError as error:
                piece.last_error = str(error)
                await asyncio.sleep(RETRY_S)
                continue
            if own != known:
                known = own
                feed.observer.set_own(own)
                feed.changed.set()
            try:
                async with asyncio.timeout(OWN_EVERY_S):
                    await hint.wait()
            except TimeoutError:
                continue
    finally:
        listener.cancel()
        await asyncio.wait([listener])


async def _hints(bus: Bus, pair: str, hint: asyncio.Event) -> None:
    async for _ in bus.listen(ORDER_UPDATES, pair):
        hint.set()


def own_intents(orders: Mapping[str, OrderView], rules: PairRules) -> tuple[OwnIntent, ...]:
    """The gateway's working and intended orders, in the market's units; one that is not on the grid is nobody's."""
    own = []
    for order in orders.values():
        if order.state.terminal:
            continue
        try:
            ticks = rules.price_ticks(_plain(order.price))
            lots = rules.volume_lots(_plain(order.volume - order.filled))
        except (BookError, ArithmeticError):
            continue
        own.append(OwnIntent(order.intent_id, order.order_id, order.side, ticks, lots))
    return tuple(sorted(own))


def _plain(number: Decimal) -> str:
    """Digits without an exponent. Bounded first: ``1e999999999`` written out would fill the memory."""
    if not number.is_finite() or abs(number.adjusted()) > MAX_MAGNITUDE:
        raise BookError("a number of no order", code="BAD_NUMBER")
    return format(number, "f")
