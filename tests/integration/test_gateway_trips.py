"""An error nobody foresaw, in any task of a gateway, halts it for good: flat, journaled, raised."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from test_gateway_command import PAIR, Desk, desk, journal, until

from lunomm.bus.channels import HEALTH, health_key
from lunomm.commands import gateway as command
from lunomm.config import Common, RedisAddress
from lunomm.errors import CredentialsError, JournalError, OrdersMayBeLive
from lunomm.options.gateway import GatewayOptions
from lunomm.trading.lag import CALM_NS

WHERE = (
    "gateway_out.Publisher.flush",
    "gateway_calls.Calls._cancel",
    "loop callback",
    "a key refused",
)


@pytest.mark.parametrize("where", WHERE)
async def test_an_unforeseen_error_halts(
    redis_server, state_dir: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async with desk(state_dir, redis_server.address) as here:
        async with quoting(here, redis_server.address, state_dir) as (task, _ids):
            error: Exception = CredentialsError("revoked") if where == "a key refused" else KeyError("nobody foresaw")

            def broken(*_: object, **__: object) -> None:
                raise error

            if where == "loop callback":
                asyncio.get_running_loop().call_soon(broken)
            else:
                named = "gateway_calls.Calls._answer" if where == "a key refused" else where
                monkeypatch.setattr(f"lunomm.commands.{named}", broken)
            if where.endswith("_cancel"):
                here.quoter.intents.clear()
            with pytest.raises(type(error)):
                async with asyncio.timeout(30):
                    await task
        assert await here.has()
        halts = journal(state_dir).execute("SELECT reason FROM halts WHERE ended_ms IS NULL").fetchall()
        assert len(halts) == 1
        assert halts[0][0].startswith("KEY_REFUSED" if where == "a key refused" else "UNHANDLED: KeyError")


@asynccontextmanager
async def quoting(
    here: Desk, address: RedisAddress, state_dir: Path
) -> AsyncIterator[tuple[asyncio.Task[None], tuple[str, ...]]]:
    """A gateway with both orders in the market: its task and their ids."""
    common = Common(mode="sim", mode_explicit=True, url=here.url, redis=address, state_dir=state_dir, json=True)
    task = asyncio.create_task(command.run(common, (PAIR,), GatewayOptions()))
    try:
        await until(lambda: here.bus.venue, "the venue")
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        yield task, tuple(ids)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def late_ms(here: Desk) -> bool:
    health = await here.bus.get(HEALTH, PAIR, name=health_key("gateway", PAIR))
    return health is not None and float(health.counters.get("late_ms") or 0) > 1_000


async def test_a_gateway_that_was_held_up_takes_everything_down_and_quotes_again_when_it_is_punctual(
    redis_server, state_dir: Path
) -> None:
    address: RedisAddress = redis_server.address
    async with desk(state_dir, address) as here, quoting(here, address, state_dir):
        began = time.monotonic()
        asyncio.get_running_loop().call_soon(time.sleep, 1.3)
        await until(here.has, "flat", 5.0)
        await until(lambda: late_ms(here), "how late it was, in its heartbeat", 5.0)
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders again")
        assert time.monotonic() - began > CALM_NS / 1e9
        assert journal(state_dir).execute("SELECT count(*) FROM halts").fetchone() == (0,)


async def test_a_journal_that_cannot_be_written_ends_it_flat(
    redis_server, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: no order without its record, so no order at all."""
    async with desk(state_dir, redis_server.address) as here:
        async with quoting(here, redis_server.address, state_dir) as (task, ids):

            def full(*_: object, **__: object) -> None:
                raise JournalError("the journal cannot be written: database or disk is full")

            monkeypatch.setattr("lunomm.journal.store.Journal.commit", full)
            await here.quote_around(3500)
            with pytest.raises((JournalError, OrdersMayBeLive)):
                async with asyncio.timeout(30):
                    await task
            await until(here.has, "flat without a journal", 15.0)
        closed = await here.rest.list_orders(PAIR, closed=True)
        assert {order.client_order_id for order in closed} == set(ids), "nothing was sent that is not in the journal"
