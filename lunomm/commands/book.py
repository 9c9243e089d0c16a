"""``lunomm book PAIR...``: the market stream into ticks, taker orders and grid rows on the bus.

One process, any number of pairs, each with its own feed and loops; one that fails starts over alone (``pairs.py``):

* *ticks*: one after every applied frame, conflated to the newest only while the last PUBLISH has not returned, and one
  at least every half second, so that a quiet market still beats. A lost stream is published the moment it is known.
* *records*: taker orders and grid rows, each exactly once, also over a Redis that went away in between.
* *own orders*: the gateway's intents, so that signals are the others' market and not our own.
* *audit*: the book compared with the venue's own list (``auditing.py``); *recording*: a tape of what was applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lunomm.bus.channels import ORDER_UPDATES, ORDERS
from lunomm.bus.client import Bus
from lunomm.commands.book_data import book_data
from lunomm.commands.pairs import Slot, keep
from lunomm.commands.piece import PairHealth, Piece, open_piece
from lunomm.commands.publishing import publish_records, publish_rules, publish_ticks
from lunomm.commands.tape_book import run_tape
from lunomm.config import Common
from lunomm.errors import BookError, BusError
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, digits_of
from lunomm.options.book import BookOptions
from lunomm.quoting.inputs import OrderView
from lunomm.views.book import BookView, book_line, book_screen

if TYPE_CHECKING:
    from lunomm.commands.feed import Feed

OWN_EVERY_S = 0.05
"""How often the gateway's orders are read without a hint: an order rests some milliseconds after its intent."""
RETRY_S = 0.1


async def run(common: Common, pairs: Sequence[str], options: BookOptions) -> dict[str, Any] | None:
    """Follow the pairs until stopped; with a tape, play it and return its last tick and counts.

    Raises:
        UsageError (2), CredentialsError (3), BusError, ExchangeError (4), RefusedError (5), InstanceError (6).
    """
    if options.tape is not None:
        return await run_tape(common, pairs, options)
    # Only now: a tape needs no clients of a venue, which are slow to import.
    from lunomm.commands import recording
    from lunomm.commands.feed import Feed, Venue, new_rest, read_rules

    async with (
        open_piece("book", common, pairs, lease=True) as piece,
        new_rest(piece.endpoint, piece.key) as rest,
    ):
        venue = Venue(piece.endpoint, piece.key, rest, piece.clock, piece.venue.title if piece.venue else "")
        rules = await read_rules(rest, piece.pairs)

        async def new_feed(pair_rules: PairRules) -> Feed:
            feed = Feed(pair_rules, options, venue)
            await recording.begin(feed, piece.venue, options, len(piece.pairs))
            return feed

        async def renew(old: Feed) -> Feed:
            await recording.end(old)
            pair = old.rules.pair
            feed = await new_feed((await read_rules(rest, (pair,)))[pair])
            feed.records.extend(old.records)
            feed.resyncs, feed.note = old.resyncs, old.note
            return feed

        slots = [Slot(pair, await new_feed(rules[pair])) for pair in piece.pairs]
        try:
            for slot in slots:
                work = keep(piece, slot, partial(loops, piece), renew, alone=len(slots) == 1)
                piece.start(work, slot.pair)
            piece.start(_counters(piece, slots), "counters")
            piece.present(
                lambda: book_screen(views(slots)),
                lambda: "\n".join(book_line(view) for view in views(slots)),
                lambda: _data(slots),
            )
            await piece.wait()
        finally:
            await asyncio.gather(*(recording.end(slot.feed) for slot in slots))
    return None


def loops(piece: Piece, feed: Feed) -> list[tuple[str, Coroutine[Any, Any, None]]]:
    """Everything that runs for one pair."""
    from lunomm.commands import recording
    from lunomm.commands.auditing import audit
    from lunomm.commands.feed import watch_rules

    recorded = [("looks", recording.follow_looks(piece, feed))] if feed.recorder is not None else []
    return [
        *recorded,
        ("stream", feed.follow()),
        ("warm", feed.warm()),
        ("sample", feed.sample()),
        ("rules", watch_rules(feed)),
        ("audit", audit(feed)),
        ("ticks", publish_ticks(piece, feed)),
        ("records", publish_records(piece, feed)),
        ("own", follow_own(piece, feed)),
        ("publish-rules", publish_rules(piece, feed)),
    ]


def views(slots: Sequence[Slot]) -> list[BookView]:
    return [slot.feed.view() for slot in slots]


def _data(slots: Sequence[Slot]) -> list[dict[str, Any]]:
    """A pair's tick and counts each."""
    feeds = [slot.feed for slot in slots]
    return [book_data(feed.view(), fills=feed.observer.fills, takers=feed.observer.takers) for feed in feeds]


async def _counters(piece: Piece, slots: Sequence[Slot]) -> None:
    """What each pair's heartbeat carries."""
    while True:
        for slot in slots:
            feed = slot.feed
            tick = feed.last
            done = feed.auditor.result
            piece.of_pair[slot.pair] = PairHealth(
                state=(feed.observer.state if tick is None else tick.state).value,
                last_error=(feed.view().note or feed.audit_note)[:200] or None,
                counters={
                    "frames_per_s": round(feed.frames_per_s or 0.0, 1),
                    "frames": float(feed.frames),
                    "resyncs": float(feed.resyncs),
                    "waiting": float(len(feed.records)),
                    "failures": float(slot.failures),
                    "lag_ms": None if tick is None or tick.lag_ms is None else round(tick.lag_ms, 1),
                    "drift": done.drift,
                    "audits": float(done.checks),
                    "audit_misses": float(done.misses),
                    "recording": _tape(feed),
                },
            )
        await asyncio.sleep(1.0)


def _tape(feed: Feed) -> str | None:
    """The tape being written, by its name; what went wrong with it stands in last_error."""
    path = None if feed.recorder is None else feed.recorder.path
    return None if path is None else path.name


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
                feed.set_own(own)
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
            ticks = rules.price_ticks(digits_of(order.price))
            lots = rules.volume_lots(digits_of(order.volume - order.filled))
        except (BookError, ArithmeticError):
            continue
        own.append(OwnIntent(order.intent_id, order.order_id, order.side, ticks, lots))
    return tuple(sorted(own))
