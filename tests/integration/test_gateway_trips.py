"""An error nobody foresaw, in any task of a gateway, halts it for good: flat, journaled, raised."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from test_gateway_command import PAIR, desk, journal, until

from lunomm.commands import gateway as command
from lunomm.config import Common, GatewayOptions, RedisAddress
from lunomm.errors import CredentialsError, JournalError, OrdersMayBeLive

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
    address: RedisAddress = redis_server.address
    async with desk(state_dir, address) as here:
        common = Common(mode="sim", mode_explicit=True, url=here.url, redis=address, state_dir=state_dir, json=True)
        task = asyncio.create_task(command.run(common, (PAIR,), GatewayOptions()))
        try:
            await until(lambda: here.bus.venue, "the venue")
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
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
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await here.has()
        halts = journal(state_dir).execute("SELECT reason FROM halts WHERE ended_ms IS NULL").fetchall()
        assert len(halts) == 1
        assert halts[0][0].startswith("KEY_REFUSED" if where == "a key refused" else "UNHANDLED: KeyError")


async def test_a_journal_that_cannot_be_written_ends_it_flat(
    redis_server, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: no order without its record, so no order at all."""
    address: RedisAddress = redis_server.address
    async with desk(state_dir, address) as here:
        common = Common(mode="sim", mode_explicit=True, url=here.url, redis=address, state_dir=state_dir, json=True)
        task = asyncio.create_task(command.run(common, (PAIR,), GatewayOptions()))
        try:
            await until(lambda: here.bus.venue, "the venue")
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")

            def full(*_: object, **__: object) -> None:
                raise JournalError("the journal cannot be written: database or disk is full")

            monkeypatch.setattr("lunomm.journal.store.Journal.commit", full)
            await here.quote_around(3500)
            with pytest.raises((JournalError, OrdersMayBeLive)):
                async with asyncio.timeout(30):
                    await task
            await until(here.has, "flat without a journal", 15.0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        closed = await here.rest.list_orders(PAIR, closed=True)
        assert {order.client_order_id for order in closed} == set(ids), "nothing was sent that is not in the journal"
