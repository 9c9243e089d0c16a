"""What the gateway says on the bus, across restarts and a Redis that forgot everything: all of it, each once."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import pytest

from lunomm.bus.channels import ACCOUNT, FILLS, HALT, ORDER_UPDATES, ORDERS
from lunomm.bus.client import Bus
from lunomm.commands.gateway import account_hash
from lunomm.commands.gateway_out import Publisher
from lunomm.errors import ConfigError
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
