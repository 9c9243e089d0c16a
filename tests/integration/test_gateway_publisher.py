"""What the gateway says on the bus, across restarts and a Redis that forgot everything: all of it, each once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from lunomm.bus.channels import ACCOUNT, FILLS, HALT, ORDER_UPDATES, ORDERS, VENUE
from lunomm.bus.client import Bus
from lunomm.commands import gateway_out
from lunomm.commands.gateway import account_hash
from lunomm.commands.gateway_out import Publisher
from lunomm.errors import BusError, ConfigError
from lunomm.journal.store import Journal, open_journal
from lunomm.market.presence import VenueInfo
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Account, Balance, Fill, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.trading.events import SaveFill, SaveUpdate

PAIR = "XBTMYR"


def update(number: int) -> OrderUpdate:
    return OrderUpdate(pair=PAIR, number=number, kind=UpdateKind.STATUS, ts_ms=number)


def fill(sequence: int, side: Side = Side.BID) -> Fill:
    return Fill(
        pair=PAIR, sequence=sequence, intent_id=None, client_order_id=None, order_id="BX1", side=side, price=D(1),
        volume=D(1), counter=D(1), fee_base=D(0), fee_counter=D(0), maker=True, ts_ms=1,
    )  # fmt: skip


def view(name: str) -> OrderView:
    return OrderView(
        pair=PAIR, intent_id=name, client_order_id=name, order_id=None, side=Side.BID, level=0, price=D(1), volume=D(1),
        filled=D(0), state=OrderState.SENT, created_ms=1, updated_ms=1,
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path / "j.sqlite3", account="a", venue="v")


def say(publisher: Publisher, journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.commit([SaveUpdate(update(number)), SaveFill(fill(number))])
        publisher.update(update(number))
        publisher.fill(fill(number))


async def heard(bus: Bus) -> tuple[list[int], list[str]]:
    numbers = [u.number for _, u in await bus.read(ORDER_UPDATES, PAIR)]
    return numbers, [entry_id for entry_id, _ in await bus.read(FILLS, PAIR)]


async def test_each_message_once_across_restarts(bus: Bus, journal: Journal) -> None:
    bus.venue = VenueInfo(pair=PAIR, mode="sim", url="u", run_id="r", seed=1)
    first = Publisher(bus, journal, (PAIR,))
    say(first, journal, 1, 2)
    await first.flush()
    await first.flush()
    # Killed with three journaled and not said.
    say(first, journal, 3)
    second = Publisher(bus, journal, (PAIR,))
    say(second, journal, 4)
    await second.flush()
    assert await heard(bus) == ([1, 2, 3, 4], ["1-0", "2-0", "3-0", "4-0"])
    # A self-trade's two sides are two entries; a repeat is none.
    journal.commit([SaveFill(fill(5, Side.ASK)), SaveFill(fill(5))])
    for _ in range(2):
        second.fill(fill(5))
        second.fill(fill(5, Side.ASK))
    await second.flush()
    assert (await heard(bus))[1][-2:] == ["5-0", "5-1"]


async def test_a_late_trade_that_was_booked_and_not_told_is_told_by_the_next_gateway(
    bus: Bus, journal: Journal
) -> None:
    """Its row comes below the newest entry, and the gateway is killed between the journal and Redis."""
    first = Publisher(bus, journal, (PAIR,))
    say(first, journal, 1, 4)
    await first.flush()
    journal.commit([SaveFill(fill(3, Side.ASK))])
    second = Publisher(bus, journal, (PAIR,))
    await second.flush()
    assert (await heard(bus))[1] == ["1-0", "3-1", "4-0"]
    say(second, journal, 5)
    await second.flush()
    assert (await heard(bus))[1] == ["1-0", "3-1", "4-0", "5-0"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_redis_that_forgets_beside_an_entry_is_noticed_with_it(
    bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """No account was told that could show it: the entry would be the first of a stream that looks whole."""
    publisher = Publisher(bus, journal, (PAIR,))
    say(publisher, journal, 1, 2)
    await publisher.flush()
    append, times = bus.append, iter([True])

    async def forgetful(*args: Any, **kwargs: Any) -> bool:
        forgets = next(times, False)
        if forgets and when == "before":
            await bus.redis.flushall()
        added = await append(*args, **kwargs)
        if forgets and when == "after":
            await bus.redis.flushall()
        return added

    monkeypatch.setattr(bus, "append", forgetful)
    say(publisher, journal, 3)
    await publisher.flush()
    assert next(times, None) is None and (await heard(bus))[1] == ["1-0", "2-0", "3-0"]


async def test_a_stream_without_its_head_is_told_anew_at_the_next_start(bus: Bus, journal: Journal) -> None:
    journal.commit([SaveFill(fill(1)), SaveFill(fill(2))])
    await bus.append(FILLS, fill(2), id="2-0")
    await Publisher(bus, journal, (PAIR,)).flush()
    assert (await heard(bus))[1] == ["1-0", "2-0"]


async def test_a_redis_that_keeps_nothing_is_said(bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*args: Any, **kwargs: Any) -> bool:
        return True

    monkeypatch.setattr(bus, "append", lost)
    journal.commit([SaveFill(fill(1))])
    with pytest.raises(BusError, match="does not keep the entries of FILLS::XBTMYR"):
        await Publisher(bus, journal, (PAIR,)).flush()


async def test_a_whole_stream_is_not_told_anew(bus: Bus, journal: Journal) -> None:
    """Its readers go on where they were."""
    first = Publisher(bus, journal, (PAIR,))
    say(first, journal, 1, 2)
    await first.flush()
    journal.commit([SaveFill(fill(3))])
    before = await bus.redis.xinfo_stream("FILLS::" + PAIR)
    await Publisher(bus, journal, (PAIR,)).flush()
    after = await bus.redis.xinfo_stream("FILLS::" + PAIR)
    assert (before["entries-added"], after["entries-added"]) == (2, 3)


async def test_a_redis_that_forgot_gets_the_fills_again_and_no_update_twice(bus: Bus, journal: Journal) -> None:
    first = Publisher(bus, journal, (PAIR,))
    say(first, journal, 1, 2)
    await first.flush()
    first.keep_place()
    await bus.call(bus.redis.flushall())
    second = Publisher(bus, journal, (PAIR,))
    say(second, journal, 3)
    await second.flush()
    assert await heard(bus) == ([3], ["1-0", "2-0", "3-0"])


async def test_a_redis_that_forgot_before_any_account_was_told_is_noticed_by_the_next_fill(
    bus: Bus, journal: Journal
) -> None:
    """A starting gateway may have no account to tell for minutes; nothing but its fills can show the loss."""
    publisher = Publisher(bus, journal, (PAIR,))
    say(publisher, journal, 1, 2)
    await publisher.flush()
    await bus.call(bus.redis.flushall())
    say(publisher, journal, 3)
    await publisher.flush()
    assert (await heard(bus))[1] == ["1-0", "2-0", "3-0"]


async def test_orders_are_rewritten_to_what_they_are(bus: Bus, journal: Journal) -> None:
    await bus.hash_put(ORDERS, PAIR, {"stale": view("stale")})
    publisher = Publisher(bus, journal, (PAIR,))
    for names in (("a", "b"), ("b", "c"), ()):
        publisher.orders(PAIR, tuple(view(name) for name in names))
        await publisher.flush()
        assert set(await bus.hash_get(ORDERS, PAIR)) == set(names)


async def test_account_and_halt_are_states(bus: Bus, journal: Journal) -> None:
    publisher = Publisher(bus, journal, (PAIR,))
    for position in (1, 2):
        publisher.account(
            Account(
                pair=PAIR, ts_ms=1, base=Balance(asset="XBT", total=D(1), reserved=D(0)),
                counter=Balance(asset="MYR", total=D(1), reserved=D(0)), position=D(position), opening=D(0),
                inventory_target=D(0), max_position=D(1), maker_fee=D(0), taker_fee=D(0), calls_used=0, calls_limit=1,
            )
        )  # fmt: skip
    await publisher.flush()
    account = await bus.get(ACCOUNT, PAIR)
    assert account is not None
    assert account.position == 2
    assert await bus.get(HALT, PAIR) is None


def test_the_account_is_named_by_its_smallest_id() -> None:
    assert account_hash([7, 3, 9]) == account_hash([3]) != account_hash([7])
    assert len(account_hash([3])) == 12
    with pytest.raises(ConfigError):
        account_hash([])


async def until_heard(bus: Bus, numbers: list[int]) -> None:
    for _ in range(500):
        if (await heard(bus))[0] == numbers:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not heard: {numbers}")


@contextlib.asynccontextmanager
async def publishing(publisher: Publisher) -> AsyncIterator[asyncio.Task[None]]:
    """The publisher at its work; whatever it died of is raised."""
    task = asyncio.create_task(publisher.run())
    try:
        yield task
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_flushes_at_the_same_time_say_everything_once(bus: Bus, journal: Journal) -> None:
    """An order's way out and the end of a gateway flush while the publisher does: none repeats or drops anything."""
    publisher = Publisher(bus, journal, (PAIR,))
    numbers = list(range(1, 41))
    async with publishing(publisher):
        await publisher.flush()
        for number in numbers:
            say(publisher, journal, number)
            await asyncio.gather(publisher.flush(), publisher.flush())
    assert await heard(bus) == (numbers, [f"{number}-0" for number in numbers])


async def test_a_flush_returns_only_when_all_that_waited_is_said(bus: Bus, journal: Journal) -> None:
    """Also when another one is under way with it."""
    publisher = Publisher(bus, journal, (PAIR,))
    await publisher.flush()
    say(publisher, journal, 1, 2, 3)
    first = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    await publisher.flush()
    assert await heard(bus) == ([1, 2, 3], ["1-0", "2-0", "3-0"])
    await first


async def test_a_new_journal_on_an_old_redis_is_heard(bus: Bus, journal: Journal, tmp_path: Path) -> None:
    """Its numbers begin above those of the journal that was moved away, and go on from there after a restart."""
    old = Publisher(bus, journal, (PAIR,))
    began = journal.restore(1_700_000_000_000).number
    said = [began + 1, began + 5000]
    say(old, journal, *said)
    await old.flush()
    with contextlib.closing(open_journal(tmp_path / "new.sqlite3", account="a", venue="v")) as fresh:
        number = fresh.restore(1_700_000_600_000).number
        publisher = Publisher(bus, fresh, (PAIR,))
        for n in (number + 1, number + 2):
            fresh.commit([SaveUpdate(update(n))])
            publisher.update(update(n))
        await publisher.flush()
        assert (await heard(bus))[0] == [*said, number + 1, number + 2]
        assert fresh.restore(1_700_001_200_000).number == number + 2


async def test_orders_are_put_back_after_redis_lost_its_data(
    bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing about the orders changed since: the newest picture of them is written again, and nothing said twice."""
    publisher = Publisher(bus, journal, (PAIR,))
    publish, failures = bus.publish, ["gone"]

    async def failing_once(*args: Any) -> None:
        if failures:
            await bus.call(bus.redis.flushall())
            raise BusError(failures.pop())
        await publish(*args)

    for name in ("old", "new"):
        publisher.orders(PAIR, (view(name),))
        await publisher.flush()
    async with publishing(publisher):
        monkeypatch.setattr(bus, "publish", failing_once)
        say(publisher, journal, 1)
        await until_heard(bus, [1])
        await publisher.flush()
    assert publisher.failures == 1
    assert set(await bus.hash_get(ORDERS, PAIR)) == {"new"}
    assert await heard(bus) == ([1], ["1-0"])


def an_account(ts_ms: int) -> Account:
    return Account(
        pair=PAIR, ts_ms=ts_ms, base=Balance(asset="XBT", total=D(1), reserved=D(0)),
        counter=Balance(asset="MYR", total=D(1), reserved=D(0)), position=D(1), opening=D(0),
        inventory_target=D(0), max_position=D(1), maker_fee=D(0), taker_fee=D(0), calls_used=0, calls_limit=1,
    )  # fmt: skip


async def test_a_redis_that_forgot_between_two_commands_is_noticed(bus: Bus, journal: Journal) -> None:
    """No command fails when another client flushes: the account that was written last tells."""
    publisher = Publisher(bus, journal, (PAIR,))
    publisher.orders(PAIR, (view("a"),))
    say(publisher, journal, 1, 2)
    publisher.account(an_account(1))
    await publisher.flush()
    await bus.call(bus.redis.flushall())
    publisher.account(an_account(2))
    await publisher.flush()
    assert (await heard(bus))[1] == ["1-0", "2-0"]
    assert set(await bus.hash_get(ORDERS, PAIR)) == {"a"}


async def test_a_redis_that_fell_back_gets_what_it_lost_before_what_came_since(bus: Bus, journal: Journal) -> None:
    publisher = Publisher(bus, journal, (PAIR,))
    say(publisher, journal, 1)
    publisher.account(an_account(1))
    await publisher.flush()
    await bus.put(ACCOUNT, an_account(0))
    await bus.clear(FILLS, PAIR)
    say(publisher, journal, 2)
    await publisher.flush()
    publisher.account(an_account(2))
    await publisher.flush()
    assert (await heard(bus))[1] == ["1-0", "2-0"]


async def at_its_venue(bus: Bus, journal: Journal) -> Publisher:
    """Its venue stands on Redis."""
    venue = bus.venue = VenueInfo(pair=PAIR, mode="sim", url="u", run_id="r", seed=1)
    await bus.put(VENUE, venue)
    return Publisher(bus, journal, (PAIR,))


async def test_orders_of_one_step_are_announced_in_one_round_trip_and_a_later_one_in_its_own(
    bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = await at_its_venue(bus, journal)
    trips: list[set[str]] = []
    put = bus.hash_put

    async def counted(channel: Any, pair: str, fields: Any, **given: Any) -> object:
        trips.append(set(fields))
        return await put(channel, pair, fields, **given)

    monkeypatch.setattr(bus, "hash_put", counted)
    publisher.orders(PAIR, (view("a-1-B0"), view("a-1-A0")))
    found = await asyncio.gather(*(publisher.announce(PAIR) for _ in range(3)))
    assert trips == [{"a-1-B0", "a-1-A0"}]
    assert [there.run_id for there in found if there is not None] == ["r"] * 3
    first = asyncio.create_task(publisher.announce(PAIR))
    await asyncio.sleep(0)
    publisher.orders(PAIR, (view("a-2-B0"),))
    await asyncio.gather(first, publisher.announce(PAIR))
    assert trips[1:] == [set(), {"a-2-B0"}]
    assert set(await bus.hash_get(ORDERS, PAIR)) == {"a-2-B0"}


async def test_an_announcement_that_fails_or_is_cancelled_is_made_again_by_who_shared_it(
    bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = await at_its_venue(bus, journal)
    put, begun, fails = bus.hash_put, asyncio.Event(), [BusError("gone")]

    async def once(*given: Any, **more: Any) -> object:
        begun.set()
        await asyncio.sleep(0.01)
        if fails:
            raise fails.pop()
        return await put(*given, **more)

    monkeypatch.setattr(bus, "hash_put", once)
    publisher.orders(PAIR, (view("a-1-B0"),))
    results = await asyncio.gather(publisher.announce(PAIR), publisher.announce(PAIR), return_exceptions=True)
    assert isinstance(results[0], BusError)
    assert isinstance(results[1], VenueInfo)
    begun.clear()
    publisher.orders(PAIR, (view("a-2-B0"),))
    first, second = (asyncio.create_task(publisher.announce(PAIR)) for _ in range(2))
    await begun.wait()
    first.cancel()
    assert isinstance(await second, VenueInfo)
    assert set(await bus.hash_get(ORDERS, PAIR)) == {"a-2-B0"}


@pytest.mark.parametrize(("longest_s", "leaves"), [(60.0, True), (0.02, False)])
async def test_what_is_only_told_waits_for_an_order_on_its_way_out_but_not_for_long(
    bus: Bus, journal: Journal, monkeypatch: pytest.MonkeyPatch, longest_s: float, leaves: bool
) -> None:
    monkeypatch.setattr(gateway_out, "ORDERS_FIRST_S", longest_s)
    bus.venue = VenueInfo(pair=PAIR, mode="sim", url="u", run_id="r", seed=1)
    publisher, left = Publisher(bus, journal, (PAIR,)), asyncio.Event()
    told = asyncio.create_task(publisher.run())
    order = asyncio.create_task(left.wait())
    try:
        publisher.orders_first(order)
        say(publisher, journal, 1)
        if leaves:
            for _ in range(10):
                assert (await heard(bus))[0] == []
            left.set()
        async with asyncio.timeout(10):
            while (await heard(bus))[0] != [1]:
                await bus.ping()
        assert order.done() is leaves
    finally:
        told.cancel()
        order.cancel()
        await asyncio.gather(told, order, return_exceptions=True)
