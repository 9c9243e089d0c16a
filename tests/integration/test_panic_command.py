"""``lunomm panic``: a gateway that listens, one that is frozen, none; Redis gone; other hands' orders stay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from decimal import Decimal as D

import pytest
from test_gateway_command import PAIR, SIM_KEY, Desk, child_of, desk, ends, gateway, journal, process, until

from lunomm.commands import panic as command
from lunomm.errors import CredentialsError, OrdersMayBeLive
from lunomm.journal.glance import glances
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.market.rules import Side


async def panic(here: Desk, *args: str, code: int = 0, **env: str) -> dict[str, object]:
    async with process(here.state_dir, "panic", *args, "--json", **env) as one:
        out, err = await one.communicate()
    assert one.returncode == code, out.decode() + err.decode()
    return json.loads(out)


async def place(here: Desk, client_order_id: str) -> str:
    return await here.rest.post_order(
        pair=PAIR, side=Side.BID, volume=D("0.0005"), price=D(await here.mid() - 20_000),
        client_order_id=client_order_id, timestamp_ms=time.time_ns() // 1_000_000, ttl_ms=5_000,
    )  # fmt: skip


async def test_it_halts_cancels_ours_and_leaves_what_other_hands_placed(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        alien = await place(here, "by-hand-1")
        ours = [o.order_id for o in (await here.open()).values() if o.client_order_id in ids]

        data = (await panic(here))["data"]
        # The gateway, which listens, may have been the first to cancel.
        assert set(data["cancelled"]) <= set(ours)
        assert [o.order_id for o in (await here.open()).values()] == [alien]
        (seen,) = glances(state_dir)
        assert "panic" in (seen.halted or "").lower()

        # It goes on running and wants nothing, whatever its quoter says.
        await here.quote_around()
        await until(lambda: journal(state_dir).execute("SELECT count(*) FROM halts").fetchone()[0] == 1, "one halt")
        assert [o.order_id for o in (await here.open()).values()] == [alien]
        one.terminate()
        await ends(one, 0)

        refused = await panic(here, "--all", code=2)
        assert "--confirm ALL" in refused["error"]["message"]
        assert [o.order_id for o in (await here.open()).values()] == [alien]
        assert (await panic(here, "--all", "--confirm", "ALL"))["data"]["cancelled"] == [alien]
        assert await here.open() == {}


async def test_a_frozen_gateway_and_no_redis_are_no_excuse(redis_server, state_dir, free_port):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        # Its guardian too: nobody else cancels.
        os.kill(guardian := child_of(one.pid), signal.SIGSTOP)
        os.kill(one.pid, signal.SIGSTOP)
        try:
            data = (await panic(here, PAIR, REDIS_HOST="127.0.0.1", REDIS_PORT=str(free_port)))["data"]
            assert len(data["cancelled"]) == 2
            assert await here.open() == {}
        finally:
            os.kill(one.pid, signal.SIGCONT)
            os.kill(guardian, signal.SIGCONT)
        await until(lambda: glances(state_dir)[0].halted is not None, "halted once awake")
        await here.quote_around()
        one.terminate()
        await ends(one, 0)
        assert await here.open() == {}


async def test_without_any_gateway_or_journal(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        order_id = await place(here, f"lm1-{PAIR}-abc-1-B0")
        data = (await panic(here))["data"]
        assert data["cancelled"] == [order_id] and data["halted"] == []
        # With keys and no mode the real orders are meant, here by URL; a bad Redis address is no reason to stop.
        order_id = await place(here, f"lm1-{PAIR}-abc-2-B0")
        data = (await panic(here, "--url", here.url, LUNOMM_REDIS_URL="nonsense", **SIM_KEY))["data"]
        assert data["cancelled"] == [order_id]


async def test_an_exchange_that_does_not_answer_is_exit_8_with_what_was_seen(monkeypatch, free_port):
    monkeypatch.setattr(command, "PANIC_S", 1.0)
    place = endpoint(f"http://127.0.0.1:{free_port}")
    async with LunoRest(place, ApiKey("sim", "sim"), CallBudget()) as rest:
        with pytest.raises(OrdersMayBeLive, match="orders may be live"):
            await asyncio.wait_for(command.Clearing(rest, [PAIR]).run(), 20)


async def test_a_wrong_key_is_said_at_once(redis_server, state_dir):
    async with (
        desk(state_dir, redis_server.address) as here,
        LunoRest(endpoint(here.url), ApiKey("sim", "wrong"), CallBudget()) as rest,
    ):
        with pytest.raises(CredentialsError):
            await command.Clearing(rest, [PAIR]).run()
