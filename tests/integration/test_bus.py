"""The bus on a real server: every kind of channel, foreign messages, a server that dies, a cancelled wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from lunomm import __version__
from lunomm.bus import embedded
from lunomm.bus.channels import CONTROL, FILLS, HEALTH, LOB, ORDER_UPDATES, ORDERS, QUOTES, TRADES, health_key
from lunomm.bus.client import Bus
from lunomm.config import RedisAddress
from lunomm.errors import BusError
from lunomm.market.presence import Health, VenueInfo
from lunomm.market.records import BookState, TakerOrder, Tick
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.quoting.intents import WantedQuotes

PAIR = "XBTMYR"


def venue(run_id: str = "r1", mode: str = "sim", seed: int = 1) -> VenueInfo:
    return VenueInfo(pair=PAIR, mode=mode, url="http://127.0.0.1:1", seed=seed, profile="theory", run_id=run_id)


def tick(beat: int = 1, pair: str = PAIR) -> Tick:
    return Tick(
        pair=pair,
        ts=1.5,
        exchange_ts=1,
        sequence=beat,
        state=BookState.OK,
        beat=beat,
        best_bid=Decimal("299999"),
        mid_price=Decimal("300000.5"),
    )


def fill(sequence: int) -> Fill:
    return Fill(
        pair=PAIR,
        sequence=sequence,
        intent_id=None,
        client_order_id=None,
        order_id="BX1",
        side=Side.BID,
        price=Decimal("1.10"),
        volume=Decimal(2),
        counter=Decimal("2.20"),
        fee_base=Decimal(0),
        fee_counter=Decimal(0),
        maker=True,
        ts_ms=1,
    )


def taker(sequence: int) -> TakerOrder:
    return TakerOrder(
        pair=PAIR,
        taker_id=f"BX{sequence}",
        side=Side.BID,
        volume=Decimal(1),
        counter=Decimal(1),
        deepest=Decimal(1),
        fills=1,
        mid=None,
        half_spread=None,
        own_only=False,
        sequence=sequence,
        trade_sequence=None,
        exchange_ms=1,
    )


def update(pair: str, number: int) -> OrderUpdate:
    return OrderUpdate(pair=pair, number=number, kind=UpdateKind.STATUS, ts_ms=1)


def order(intent_id: str) -> OrderView:
    return OrderView(
        pair=PAIR,
        intent_id=intent_id,
        client_order_id=f"lm1-{PAIR}-{intent_id}",
        order_id=None,
        side=Side.ASK,
        level=0,
        price=Decimal(3),
        volume=Decimal(1),
        filled=Decimal(0),
        state=OrderState.WORKING,
        created_ms=1,
        updated_ms=1,
    )


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        await asyncio.sleep(0.01)


async def collect(items: AsyncIterator[object], into: list[object]) -> None:
    async for item in items:
        into.append(item)


async def subscribed(bus: Bus, name: str) -> None:
    deadline = time.monotonic() + 10
    while (await bus.call(bus.redis.pubsub_numsub(name)))[0][1] == 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_published_tick_is_kept_and_heard(bus: Bus) -> None:
    bus.venue = venue()
    heard: list[object] = []
    listening = asyncio.create_task(collect(bus.listen(LOB, PAIR), heard))
    await subscribed(bus, "LOB::XBTMYR")
    await bus.publish(LOB, tick(7))
    await until(lambda: bool(heard))
    listening.cancel()
    kept = await bus.get(LOB, PAIR)
    assert kept == heard[0]
    assert kept is not None
    assert (kept.beat, kept.mid_price, kept.venue) == (7, Decimal("300000.5"), venue().stamp)
    assert 0 < await bus.call(bus.redis.pttl("LOB::XBTMYR")) <= 10_000
    raw = msgspec.json.decode(await bus.call(bus.redis.get("LOB::XBTMYR")))
    assert raw["mid_price"] == "300000.5"
    assert raw["best_ask"] is None
    assert bus.dropped == {}


async def test_quotes_die_with_their_writer(bus: Bus) -> None:
    await bus.publish(QUOTES, WantedQuotes(pair=PAIR, epoch=1, number=1, ts_ms=1))
    assert 0 < await bus.call(bus.redis.pttl("QUOTES::XBTMYR")) <= 3_000


async def test_stream_entries_are_read_in_order_and_only_once(bus: Bus) -> None:
    for sequence in (1, 2, 3):
        await bus.publish(TRADES, taker(sequence))
    rows = await bus.read(TRADES, PAIR)
    assert [row.sequence for _, row in rows] == [1, 2, 3]
    assert [row.sequence for _, row in await bus.read(TRADES, PAIR, after=rows[0][0])] == [2, 3]
    assert [row.sequence for _, row in await bus.read(TRADES, PAIR, count=1)] == [1]
    assert [row.sequence for _, row in await bus.read_last(TRADES, PAIR, 2)] == [2, 3]


async def test_an_entry_that_is_not_newer_is_there_already(bus: Bus) -> None:
    assert await bus.append(FILLS, fill(5), id="5-0")
    assert not await bus.append(FILLS, fill(5), id="5-0")
    assert not await bus.append(FILLS, fill(4), id="4-0")
    assert await bus.append(FILLS, fill(5), id="5-1")
    assert [entry for entry, _ in await bus.read(FILLS, PAIR)] == ["5-0", "5-1"]


async def test_following_starts_where_it_is_told(bus: Bus) -> None:
    await bus.publish(TRADES, taker(1))
    from_now: list[object] = []
    from_all: list[object] = []
    tasks = [
        asyncio.create_task(collect(bus.follow(TRADES, PAIR), from_now)),
        asyncio.create_task(collect(bus.follow(TRADES, PAIR, after="-"), from_all)),
    ]
    await until(lambda: len(from_all) == 1)
    await asyncio.sleep(0.1)
    await bus.publish(TRADES, taker(2))
    await until(lambda: len(from_all) == 2 and len(from_now) == 1)
    for task in tasks:
        task.cancel()


async def test_one_channel_of_all_pairs_gives_each_its_own(bus: Bus) -> None:
    await bus.publish(ORDER_UPDATES, update("XBTMYR", 1))
    await bus.publish(ORDER_UPDATES, update("XBTZAR", 2))
    assert [u.number for _, u in await bus.read(ORDER_UPDATES, "XBTZAR")] == [2]
    assert bus.dropped == {}


async def test_a_hash_is_set_and_thinned_at_once(bus: Bus) -> None:
    await bus.hash_put(ORDERS, PAIR, {"a": order("a"), "b": order("b")})
    await bus.hash_put(ORDERS, PAIR, {"c": order("c")}, delete=["a"])
    assert sorted(await bus.hash_get(ORDERS, PAIR)) == ["b", "c"]
    await bus.hash_put(ORDERS, PAIR, {})
    await bus.clear(ORDERS, PAIR)
    assert await bus.hash_get(ORDERS, PAIR) == {}


async def test_a_heartbeat_has_piece_and_pair_in_its_name(bus: Bus) -> None:
    health = Health(pair=PAIR, piece="book", pid=1, host="h", started_ms=1, ts_ms=1, beat=1)
    await bus.put(HEALTH, health, name=health_key("book", PAIR))
    assert await bus.scan("HEALTH::*") == ["HEALTH::book::XBTMYR"]
    got = await bus.get(HEALTH, PAIR, name=health_key("book", PAIR))
    assert got is not None
    assert got.piece == "book"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "MALFORMED"),
        ("not json", "MALFORMED"),
        ("[" * 100_000, "MALFORMED"),
        ('{"x":' * 100_000, "MALFORMED"),
        ("{" + ",".join(f'"k{n}":0' for n in range(120_000)) + "}", "SIZE"),
        (b"\xff\xfe", "MALFORMED"),
        ('{"pair":"\\ud800"}', "MALFORMED"),
        ('{"v":1,"pair":"XBTMYR"}', "MALFORMED"),
        ("x" * (2**20 + 1), "SIZE"),
        ('{"ts":1,"exchange_ts":1,"sequence":1,"state":"OK","beat":1,"pair":"XBTMYR","v":99}', "SCHEMA"),
        ('{"ts":1,"exchange_ts":1,"sequence":1,"state":"OK","beat":1,"pair":"XBTZAR"}', "PAIR"),
        ('{"ts":NaN,"exchange_ts":1,"sequence":1,"state":"OK","beat":1,"pair":"XBTMYR"}', "MALFORMED"),
        ('{"ts":1,"exchange_ts":1,"sequence":1,"state":"??","beat":1,"pair":"XBTMYR"}', "MALFORMED"),
        ('{"ts":1,"exchange_ts":1,"sequence":1,"state":"OK","beat":1,"pair":"XBTMYR","venue":"other|x"}', "VENUE"),
    ],
)
async def test_bad_messages_are_dropped_and_counted(bus: Bus, text: str | bytes, why: str) -> None:
    bus.venue = venue()
    await bus.call(bus.redis.set("LOB::XBTMYR", text))
    assert await bus.get(LOB, PAIR) is None
    assert bus.dropped == {f"LOB:{why}": 1}


async def test_live_messages_are_of_the_run_stored_ones_of_the_place(bus: Bus) -> None:
    bus.venue = venue("r1")
    await bus.publish(LOB, tick())
    await bus.publish(TRADES, taker(1))
    bus.venue = venue("r2")
    assert await bus.get(LOB, PAIR) is None
    assert len(await bus.read(TRADES, PAIR)) == 1
    bus.venue = venue("r2", seed=2)
    assert await bus.read(TRADES, PAIR) == []
    bus.venue = venue("r1", mode="live")
    assert await bus.get(LOB, PAIR) is None
    assert await bus.read(TRADES, PAIR) == []


async def test_another_build_is_not_believed_by_a_piece_that_trades(bus: Bus) -> None:
    other = bus.encode(tick()).replace(__version__, "9.9.9")
    await bus.call(bus.redis.set("LOB::XBTMYR", other))
    assert await bus.get(LOB, PAIR) is not None, "for everybody else it is a tick"
    bus.one_build = True
    assert await bus.get(LOB, PAIR) is None
    assert bus.dropped == {"LOB:BUILD": 1}
    assert bus.mixed_builds() == f"LOB is written by lunomm 9.9.9, this is {__version__}: stop the older, start it anew"
    await bus.publish(LOB, tick())
    assert await bus.get(LOB, PAIR) is not None
    assert bus.mixed_builds() is None
    # What was stored for a day is not thrown away by an upgrade.
    await bus.call(bus.redis.xadd("TRADES::XBTMYR", {"d": bus.encode(taker(1)).replace(__version__, "9.9.9")}))
    assert len(await bus.read(TRADES, PAIR)) == 1


async def test_a_wrong_type_is_an_error_not_a_traceback(bus: Bus) -> None:
    await bus.call(bus.redis.set("CONTROL::XBTMYR", "a string"))
    with pytest.raises(BusError, match="WRONGTYPE"):
        await bus.read(CONTROL, PAIR)


async def test_nothing_listens() -> None:
    async with Bus(RedisAddress(port=1), "test") as nowhere:
        with pytest.raises(BusError, match=r"127\.0\.0\.1:1"):
            await nowhere.ping()


@asynccontextmanager
async def stand_in(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """The port of a server that does this to each connection; every one of them is over at the end."""
    over: list[asyncio.Task[None] | None] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(task for task in over if task is not None))


REFUSALS = [
    "NOAUTH Authentication required.",
    "NOPERM this user has no permissions to run the 'get' command",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "LOADING Redis is loading the dataset in memory",
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
    "BUSY Redis is busy running a script.",
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[text.split()[0] for text in REFUSALS])
async def test_each_refusal_of_redis_is_said_in_its_own_words_and_may_pass(refusal: str) -> None:
    """A server that greets and then refuses; when it stops refusing the same bus works."""
    refusing = True

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                words.append((await reader.readexactly(int((await reader.readline())[1:]) + 2))[:-2])
            if words[0] == b"HELLO":
                writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
            elif words[0] == b"CLIENT":
                writer.write(b"+OK\r\n")
            else:
                writer.write(f"-{refusal}\r\n".encode() if refusing else b"_\r\n")
            await writer.drain()

    async with stand_in(answer) as port, Bus(RedisAddress(port=port), "test") as refused:
        for call in (refused.get(LOB, PAIR), refused.publish(LOB, tick())):
            with pytest.raises(BusError) as caught:
                await call
            own_words = refusal.split(maxsplit=1)[1]
            assert own_words[:12] in str(caught.value) and str(caught.value).isprintable()
        refusing = False
        assert await refused.get(LOB, PAIR) is None


async def test_a_server_that_hangs_is_an_error_in_time() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with stand_in(hang) as port, Bus(RedisAddress(port=port), "test") as bus, asyncio.timeout(10):
        with pytest.raises(BusError):
            await bus.get(LOB, PAIR)


async def test_a_listener_that_redis_cut_off_listens_again(bus: Bus) -> None:
    """What Redis does to a subscriber whose buffer is full."""
    async with Bus(bus.address, "slow") as slow:
        heard: list[object] = []
        task = asyncio.create_task(collect(slow.listen(LOB, PAIR), heard))
        for beat in (1, 2, 3):
            await subscribed(bus, "LOB::XBTMYR")
            await bus.publish(LOB, tick(beat))
            await until(lambda beat=beat: len(heard) == beat)  # type: ignore[misc]
            assert await bus.call(bus.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")) >= 1
        task.cancel()
        await asyncio.wait([task])


async def test_cancelling_a_listener_always_works(bus: Bus) -> None:
    for _ in range(20):
        tasks = [
            asyncio.create_task(collect(bus.listen(LOB, PAIR), [])),
            asyncio.create_task(collect(bus.follow(TRADES, PAIR), [])),
        ]
        await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        done, pending = await asyncio.wait(tasks, timeout=5)
        assert not pending
        assert all(task.cancelled() for task in done)


async def test_listener_and_follower_survive_a_server_restart(
    tmp_path_factory: pytest.TempPathFactory, free_port: int
) -> None:
    folder = tmp_path_factory.mktemp("restart")
    address = RedisAddress(port=free_port)
    assert await embedded.ensure(address, folder, {}, lambda _: None)
    ticks: list[object] = []
    trades: list[object] = []
    try:
        async with Bus(address, "test") as bus:
            tasks = [
                asyncio.create_task(collect(bus.listen(LOB, PAIR), ticks)),
                asyncio.create_task(collect(bus.follow(TRADES, PAIR, after="-"), trades)),
            ]
            await subscribed(bus, "LOB::XBTMYR")
            await bus.publish(TRADES, taker(1))
            await until(lambda: len(trades) == 1)
            assert await embedded.stop(address, folder)
            with pytest.raises(BusError):
                await bus.ping()
            assert await embedded.ensure(address, folder, {}, lambda _: None)
            await subscribed(bus, "LOB::XBTMYR")
            await bus.publish(LOB, tick(2))
            await bus.publish(TRADES, taker(2))
            await until(lambda: len(ticks) == 1 and len(trades) == 2)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    finally:
        await embedded.stop(address, folder)


async def test_a_sealed_bus_believes_only_its_own(redis_server):
    """Quotes and requests need the key; everything else may be read by anybody."""
    address = redis_server.address
    sealed = replace(address, bus_key="canary-of-the-bus-key")
    wanted = WantedQuotes(pair=PAIR, epoch=1, number=1, ts_ms=0, intents=[])
    async with Bus(sealed, "quote") as quoter, Bus(sealed, "gateway") as gateway, Bus(address, "forger") as forger:
        await quoter.publish(QUOTES, wanted)
        assert await gateway.get(QUOTES, PAIR) is not None
        assert await forger.get(QUOTES, PAIR) is not None
        stored = await quoter.call(quoter.redis.get(QUOTES.key(PAIR)))
        assert "canary-of-the-bus-key" not in stored
        # Another pair's genuine message under this pair's name is no quote of this pair.
        await forger.call(forger.redis.set("QUOTES::ETHMYR", stored))
        assert await gateway.get(QUOTES, "ETHMYR") is None
        await forger.publish(QUOTES, wanted)
        assert await gateway.get(QUOTES, PAIR) is None
        assert gateway.dropped["QUOTES:SEAL"] == 2
        await forger.publish(LOB, tick())
        assert await gateway.get(LOB, PAIR) is not None


async def test_a_subscription_that_is_never_answered_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network cut without a word leaves a connection that stands and is silent: no time-out of TCP is waited for."""
    monkeypatch.setattr("lunomm.bus.client.COMMAND_S", 0.05)
    dials, again = 0, asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dials
        dials += 1
        if dials > 2:
            again.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, Bus(RedisAddress(port=server.sockets[0].getsockname()[1]), "test") as deaf:
        listening = asyncio.create_task(anext(deaf.listen(QUOTES, PAIR)))
        async with asyncio.timeout(10):
            await again.wait()
        listening.cancel()
        await asyncio.wait([listening])
    assert deaf.dropped["QUOTES:RECONNECT"] >= 1
