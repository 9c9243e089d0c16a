"""A stream with gaps, duplicates, corrupt frames and a silent half-open socket: never a wrong book, and soon back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from house import House, open_house, serve, until
from scripted_peer import KEY, Peer, fall_silent
from truth_market import Truth, truth
from websockets.asyncio.server import ServerConnection

from lunomm.bus.clock import Clock
from lunomm.commands import auditing
from lunomm.commands.feed import Feed, Venue, new_rest, read_rules
from lunomm.commands.venue_finder import SIM_KEY
from lunomm.errors import MarketDataError
from lunomm.luno.hosts import Endpoint, endpoint
from lunomm.luno.wire import WireError, decode_market_frame
from lunomm.market import audit
from lunomm.market.book import Book
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.records import BookState, Tick
from lunomm.options.book import BookOptions
from lunomm.simulator.exchange import seeded
from lunomm.simulator.server import bind

pytestmark = pytest.mark.timeout(90)

BAD: list[Any] = [
    "", " ", "-1", "+1", "1e3", "NaN", "Infinity", "0x10", "1,000", "1_000", "\u0661\u0662", "1.2.3", ".5", "5.",
    "9" * 5000, True, [], {},
]  # fmt: skip
"""Eighteen things that are no number of Luno's."""

FIELDS = [
    ("sequence",), ("timestamp",), ("create_update", "price"), ("create_update", "volume"),
    ("trade_updates", 0, "base"), ("trade_updates", 0, "counter"), ("trade_updates", 0, "sequence"),
]  # fmt: skip
SNAPSHOT_FIELDS = [("sequence",), ("timestamp",), ("bids", 0, "price"), ("bids", 0, "volume"), ("asks", 0, "price")]


def spoilt(frame: dict[str, Any], path: tuple[str | int, ...], value: Any) -> str:
    copy = json.loads(json.dumps(frame))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(copy)


def trade_and_create(world: Truth) -> dict[str, Any]:
    """A frame that fits the first snapshot: one lot taken off the best bid, and a new order below it."""
    first = json.loads(world.frames[0])
    maker = first["bids"][0]
    lot = world.rules.lot_size
    counter = world.rules.price(world.rules.price_ticks(maker["price"])) * lot
    trade = {"sequence": 99_000_000, "base": f"{lot:f}", "counter": f"{counter:f}", "maker_order_id": maker["id"]}
    create = {"order_id": "BXNEW", "type": "BID", "price": first["bids"][-1]["price"], "volume": "0.5"}
    return {
        "sequence": str(int(first["sequence"]) + 1),
        "trade_updates": [{**trade, "taker_order_id": "BXTAKER", "order_id": maker["id"]}],
        "create_update": create,
        "delete_update": None,
        "status_update": None,
        "timestamp": first["timestamp"],
    }


def apply(book: Book, raw: str, world: Truth) -> None:
    event = decode_market_frame(raw, world.rules)
    if isinstance(event, BookSnapshot):
        book.load(event)
    elif isinstance(event, BookUpdate):
        book.apply(event)


def test_every_number_times_eighteen_bad_values_is_refused_and_nothing_is_half_applied() -> None:
    world = truth()
    book = Book(world.rules)
    apply(book, world.frames[0], world)
    good = trade_and_create(world)
    before = book.snapshot()
    cases = [(path, good) for path in FIELDS] + [(path, json.loads(world.frames[0])) for path in SNAPSHOT_FIELDS]
    for path, frame in cases:
        for value in BAD:
            with pytest.raises(MarketDataError):
                apply(book, spoilt(frame, path, value), world)
            assert book.snapshot() == before, (path, value)
    apply(book, json.dumps(good), world)
    assert book.snapshot() != before, "the frame itself was a good one"


def garbled(raw: str, draw: random.Random) -> str:
    """The frame as a bad line would leave it; never a well-formed other frame."""
    kind = draw.randrange(4)
    if kind == 0:
        return raw[: draw.randrange(1, len(raw))]
    if kind == 1:
        at = draw.randrange(1, len(raw) - 1)
        return raw[:at] + "\x00" + raw[at + 1 :]
    if kind == 2:
        return spoilt(json.loads(raw), ("sequence",), draw.choice(BAD))
    return raw.replace('"sequence"', '"sequenc\u00e9"', 1)


@pytest.mark.parametrize("seed", range(40))
def test_in_process_with_faults_at_random_every_tick_that_may_be_traded_on_is_the_truth(seed: int) -> None:
    world, draw = truth(), random.Random(seed)
    observer = Observer(world.rules)
    now = Now(world.started_ns, 0)
    lost, good, resyncs, index = True, 0, 0, draw.randrange(200)
    while index < len(world.frames) - 1:
        if lost:
            sent, lost = [world.snapshot(index)], False
        else:
            index += 1
            raw, dice = world.frames[index], draw.random()
            sent = [raw]
            if dice < 0.01:
                sent = []
            elif dice < 0.02:
                sent = [raw, raw]
            elif dice < 0.03:
                sent = [garbled(raw, draw)]
            elif dice < 0.035:
                index += 1
                sent = [world.frames[min(index, len(world.frames) - 1)], raw]
            elif dice < 0.04:
                sent = [world.frames[draw.randrange(1, index)]]
        for raw in sent:
            try:
                event = decode_market_frame(raw, world.rules)
                assert not isinstance(event, WireError)
                if isinstance(event, BookSnapshot):
                    observer.on_snapshot(event, now)
                elif event is not None:
                    observer.on_update(event, now)
            except MarketDataError as error:
                observer.on_lost(now, str(error))
                lost = True
            tick = observer.tick(now, beat=1, wall_ms=0.0, stream_age_ms=0.0, lag_ms=0.0)
            good += world.check(tick)
            if lost:
                assert tick.state is not BookState.OK and tick.sequence is None and tick.reason
                resyncs += 1
                index += draw.randrange(20)
                break
        index = min(index, len(world.frames) - 1)
    assert good > 100 and resyncs > 5


# --- over real sockets ---------------------------------------------------------------------------------------------


class Line:
    """Sends the truth to every connection, one frame each millisecond or two; the first connection meets a fault."""

    def __init__(self, fault: Callable[[ServerConnection, str], Any]) -> None:
        self.index = 0
        self.fault = fault
        self.struck_s: float | None = None

    async def faulty(self, ws: ServerConnection) -> None:
        await ws.send(truth().snapshot(self.index))
        await self._send(ws, 100)
        self.struck_s = time.monotonic()
        self.index += 1
        await self.fault(ws, truth().frames[self.index])
        await self._send(ws, 50)
        await ws.wait_closed()

    async def sound(self, ws: ServerConnection) -> None:
        await ws.send(truth().snapshot(self.index))
        await self._send(ws, 300)
        await ws.wait_closed()

    async def _send(self, ws: ServerConnection, count: int) -> None:
        for _ in range(count):
            self.index += 1
            await ws.send(truth().frames[self.index])
            await asyncio.sleep(0.002)


async def gap(ws: ServerConnection, raw: str) -> None:
    """The frame is lost on its way."""


async def duplicate(ws: ServerConnection, raw: str) -> None:
    await ws.send(raw)
    await ws.send(raw)


async def corrupt(ws: ServerConnection, raw: str) -> None:
    await ws.send(spoilt(json.loads(raw), ("timestamp",), "NaN"))


async def torn(ws: ServerConnection, raw: str) -> None:
    await ws.send(raw[: len(raw) // 2])


async def silent(ws: ServerConnection, raw: str) -> None:
    await ws.send(raw)
    await fall_silent(ws)
    raise asyncio.CancelledError


async def broken(ws: ServerConnection, raw: str) -> None:
    ws.transport.abort()


def feed_at(where: Endpoint, rest: Any) -> Feed:
    world = truth()
    # A speed other than 1: the recording's times are no lag.
    clock = Clock(1.5, time.time_ns(), world.started_ns)
    return Feed(world.rules, BookOptions(audit_s=0), Venue(where, KEY, rest, clock))


@pytest.mark.parametrize(
    ("fault", "found_s"),
    [(gap, 1.0), (duplicate, 1.0), (corrupt, 1.0), (torn, 1.0), (broken, 1.0), (silent, 10.5)],
    ids=["gap", "duplicate", "corrupt", "torn", "broken", "silent"],
)
async def test_never_a_wrong_book_and_back_within_five_seconds(fault: Any, found_s: float) -> None:
    line = Line(fault)
    async with Peer(line.faulty, line.sound).running() as peer, new_rest(peer.endpoint, KEY) as rest:
        feed = feed_at(peer.endpoint, rest)
        following = asyncio.create_task(feed.follow())
        lost_s: float | None = None
        last: Tick | None = None
        checked = 0
        try:
            async with asyncio.timeout(60):
                while checked < 200 or lost_s is None or last is None or last.state is not BookState.OK:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            await feed.changed.wait()
                    feed.changed.clear()
                    assert not following.done(), following.exception()
                    last = feed.tick()
                    good = truth().check(last)
                    checked += good
                    if lost_s is None and checked and feed.void:
                        lost_s = time.monotonic()
        finally:
            following.cancel()
            await asyncio.wait([following])
        back_s = time.monotonic()
        assert line.struck_s is not None and feed.resyncs == 1 and len(peer.hellos) == 2
        assert lost_s - line.struck_s < found_s + 5.0
        # Two hundred good ticks may still have been missing: they are part of the time.
        assert back_s - lost_s < 5.0


# --- what the stream cannot show: a silently wrong book ------------------------------------------------------------


async def audited(house: House, feed: Feed, tamper: Callable[[], None]) -> None:
    result = feed.auditor
    work = [asyncio.create_task(feed.follow()), asyncio.create_task(auditing.audit(feed))]
    try:

        async def agreed() -> bool:
            return result.result.checks >= 2

        await until(agreed, "two audits")
        assert (result.result.drift, result.result.misses, feed.resyncs) == (0.0, 0, 0)
        for proven in (1, 2):
            tamper()

            async def dropped(proven: int = proven) -> bool:
                return result.result.resyncs == feed.resyncs == proven and not feed.void

            await until(dropped, "the drift is proven and the book fresh")

        async def doubted() -> bool:
            return feed.tick().state is BookState.DOUBT

        await until(doubted, "the book is in doubt")
        tick = feed.tick()
        assert tick.mid_price is None and "differed" in tick.reason and tick.audit is not None
        assert tick.audit.resyncs == feed.resyncs == 2 and tick.audit.misses >= 6
    finally:
        for task in work:
            task.cancel()
        await asyncio.wait(work)


class Idle:
    """Nobody trades."""

    next_ns = None

    def act(self, now_ns: int) -> None:
        raise AssertionError("nobody is due")

    def repair(self, now_ms: int) -> None:
        return


async def test_a_market_that_stood_still_for_a_minute_is_tradable_from_its_snapshot_on() -> None:
    wall_ns = time.time_ns() // 1_000_000 * 1_000_000
    exchange = seeded(("XBTMYR",), profile=None, seed=1, fee_tier=0, start_ns=wall_ns - 60_000_000_000)
    exchange.houses["XBTMYR"] = Idle()
    async with serve(exchange, Clock(1.0, wall_ns, wall_ns), bind(0)) as house:
        where = endpoint(house.url)
        async with new_rest(where, SIM_KEY) as rest:
            rules = (await read_rules(rest, ("XBTMYR",)))["XBTMYR"]
            feed = Feed(rules, BookOptions(audit_s=0), Venue(where, SIM_KEY, rest, house.clock))
            following = asyncio.create_task(feed.follow())
            try:

                async def there() -> bool:
                    return not feed.void

                await until(there, "the snapshot")
                tick = feed.tick()
                assert house.clock.exchange_ms() - (tick.exchange_ts or 0) >= 60_000
                assert (tick.state, tick.lag_ms) == (BookState.OK, None)
            finally:
                following.cancel()
                await asyncio.wait((following,))


async def test_a_silently_wrong_book_is_found_dropped_and_at_last_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AGAIN_NS", 100_000_000)
    monkeypatch.setattr(auditing, "SETTLE_NS", 300_000_000)
    async with open_house() as house:
        where = endpoint(house.url)
        async with new_rest(where, SIM_KEY) as rest:
            rules = (await read_rules(rest, ("XBTMYR",)))["XBTMYR"]
            feed = Feed(rules, BookOptions(audit_s=10), Venue(where, SIM_KEY, rest, house.clock))
            feed.auditor = audit.Auditor(0.2)

            def tamper() -> None:
                # An order far enough down to stay, which the venue knows nothing of.
                book = feed.observer.book
                key = book.bids.keys[-15] if len(book.bids.keys) >= 15 else book.bids.keys[0]
                book.bids.add("GHOST", key, 7)
                book.places["GHOST"] = key

            await audited(house, feed, tamper)
