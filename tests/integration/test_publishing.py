"""What the book puts on a real Redis: records exactly once though replies are lost, ticks that never stop beating."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest

from lunomm.bus.channels import GRID, LOB, QUOTES, TRADES, Channel
from lunomm.bus.client import Bus
from lunomm.commands.publishing import add_record, is_stored, publish_records, publish_ticks
from lunomm.errors import BusError
from lunomm.market.presence import VenueInfo
from lunomm.market.records import BookState, GridRow, TakerOrder, Tick
from lunomm.market.rules import Side
from lunomm.market.written import written


def taker(sequence: int) -> TakerOrder:
    return TakerOrder(
        pair="XBTMYR",
        taker_id=f"T{sequence}",
        side=Side.BID,
        volume=D("0.10"),
        counter=D("30000.00"),
        deepest=D(300000),
        fills=1,
        mid=299999.5,
        half_spread=0.1 + 0.2,
        own_only=False,
        sequence=sequence,
        trade_sequence=None,
        exchange_ms=1_700_000_000_000 + sequence,
    )


def row(start_ms: int) -> GridRow:
    return GridRow(
        pair="XBTMYR",
        start_ms=start_ms,
        step_s=1.0,
        mids=[1.5, None],
        exposure=[(1e-4, 9.5)],
        first_sequence=1,
        last_sequence=9,
    )


class LosesReplies(Bus):
    """A real bus whose first ``lost`` answers never arrive: what was sent may or may not have happened."""

    lost = 0
    before = False

    async def _send(self, channel: Channel[Any], key: str, data: str | bytes) -> None:
        if self.lost and self.before:
            self.lost -= 1
            raise BusError("the request was lost")
        await super()._send(channel, key, data)
        if self.lost:
            self.lost -= 1
            raise BusError("the reply was lost")


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110  (Redis tells nobody that a stream grew to a length)
            await asyncio.sleep(0.01)


async def test_a_record_is_recognised_where_it_is_stored(bus: Bus) -> None:
    for record in (taker(1), row(10_000)):
        assert not await is_stored(bus, record)
        await add_record(bus, record)
        assert await is_stored(bus, record)
    assert not await is_stored(bus, taker(2))
    assert not await is_stored(bus, row(20_000))


@pytest.mark.parametrize("before", [True, False])
async def test_lost_requests_and_replies_never_lose_or_double_a_record(bus: Bus, before: bool) -> None:
    async with LosesReplies(bus.address, "test") as lossy:
        lossy.lost, lossy.before = 2, before
        records = deque([taker(1), row(10_000), taker(2), taker(3), row(20_000)])
        piece, feed = SimpleNamespace(bus=lossy, last_error=None), SimpleNamespace(records=records)
        task = asyncio.create_task(publish_records(piece, feed))  # type: ignore[arg-type]

        async def all_there() -> bool:
            return not records

        await until(all_there)
        task.cancel()
        await asyncio.wait([task])
    assert [order.sequence for _, order in await bus.read(TRADES, "XBTMYR")] == [1, 2, 3]
    assert [stored.start_ms for _, stored in await bus.read(GRID, "XBTMYR")] == [10_000, 20_000]


class Beating:
    """A feed as the tick loop sees it."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.beat = 0

    rules = SimpleNamespace(pair="XBTMYR")

    def written(self) -> bytes:
        self.beat += 1
        tick = Tick(pair="XBTMYR", ts=0.0, exchange_ts=None, sequence=None, state=BookState.RESYNC, beat=self.beat)
        return written(tick)


async def test_a_quiet_market_beats_at_least_once_a_second(bus: Bus) -> None:
    feed, heard = Beating(), list[int]()
    piece = SimpleNamespace(bus=bus, last_error=None)
    task = asyncio.create_task(publish_ticks(piece, feed))  # type: ignore[arg-type]
    started = asyncio.get_running_loop().time()
    async with Bus(bus.address, "listener") as listener:
        async with asyncio.timeout(10):
            async for tick in listener.listen(LOB, "XBTMYR"):
                heard.append(tick.beat)
                if len(heard) == 3:
                    break
    took = asyncio.get_running_loop().time() - started
    task.cancel()
    await asyncio.wait([task])
    assert heard == sorted(heard) and len(set(heard)) == 3
    assert took < 3
    last = await bus.get(LOB, "XBTMYR")
    assert last is not None and last.state is BookState.RESYNC


async def test_a_change_is_published_at_once(bus: Bus) -> None:
    feed = Beating()
    piece = SimpleNamespace(bus=bus, last_error=None)
    task = asyncio.create_task(publish_ticks(piece, feed))  # type: ignore[arg-type]

    async def beaten(beat: int) -> bool:
        tick = await bus.get(LOB, "XBTMYR")
        return tick is not None and tick.beat >= beat

    await until(lambda: beaten(1))
    began = asyncio.get_running_loop().time()
    for beat in range(2, 12):
        feed.changed.set()
        await until(lambda beat=beat: beaten(beat))  # type: ignore[misc]
    assert asyncio.get_running_loop().time() - began < 2.5, "ten changes, not ten half-second beats"
    task.cancel()
    await asyncio.wait([task])


async def test_ticks_go_on_after_a_redis_that_did_not_answer(bus: Bus) -> None:
    async with LosesReplies(bus.address, "test") as lossy:
        lossy.lost, lossy.before = 3, True
        feed, piece = Beating(), SimpleNamespace(bus=lossy, last_error=None)
        feed.changed.set()
        task = asyncio.create_task(publish_ticks(piece, feed))  # type: ignore[arg-type]

        async def there() -> bool:
            return await bus.get(LOB, "XBTMYR") is not None

        await until(there)
        assert piece.last_error == "the request was lost"
        task.cancel()
        await asyncio.wait([task])


async def test_fields_written_before_are_stamped_like_a_message(bus: Bus) -> None:
    tick = Tick(pair="XBTMYR", ts=0.5, exchange_ts=None, sequence=None, state=BookState.RESYNC, beat=3, reason='"E-2')
    for venue in (None, VenueInfo(pair="XBTMYR", mode="sim", url="http://a", run_id="r1")):
        bus.venue = venue
        assert bus.stamped("XBTMYR", written(tick)).decode() == bus.encode(tick)
    with pytest.raises(BusError, match="sealed"):
        await bus.publish_written(QUOTES, "XBTMYR", b"}")
