"""The guardian as a process: the gateway killed, frozen, without Redis; the guardian killed; a successor that waits."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
from test_gateway_command import LIMITS, SIM_KEY, Desk, children, desk, gateway, until

from lunomm.bus.process import is_running

DEAD_S = 10.0
"""Longest life of an order whose gateway is dead or hangs."""


def shown(pid: int) -> bytes:
    """What other processes may read of one: its arguments and its environment."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


def exchange_note(state_dir: Path) -> str:
    return (state_dir / "exchange.json").read_text()


async def flat(here: Desk, within_s: float) -> float:
    """Seconds until the exchange has no order of ours."""
    began = time.monotonic()
    await until(lambda: here.has(), "flat", within_s)
    return time.monotonic() - began


async def rest(here: Desk) -> tuple[str, str]:
    """A bid and an ask resting on the exchange; like the real quoter, what was cancelled is wanted anew."""
    for _ in range(5):
        ids = await here.quote_around()
        try:
            await until(lambda now=ids: here.has(*now), "both orders", 8.0)
        except AssertionError:
            continue
        return ids
    raise AssertionError("both orders never rested")


async def guardian_of(one: asyncio.subprocess.Process) -> int:
    (pid,) = await until(lambda: children(one.pid), "a guardian")
    return pid


async def test_a_killed_gateways_orders_are_cancelled_and_its_successor_waits(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here) as one:
            await rest(here)
            guardian = await guardian_of(one)
            one.kill()
            await one.wait()
            async with gateway(here) as successor:
                await flat(here, DEAD_S)
                # What the quoter wants now gets new ids; until the guardian has let go nothing is placed.
                await rest(here)
                assert not is_running(guardian)
                successor.send_signal(signal.SIGTERM)
                _, err = await successor.communicate()
                assert successor.returncode == 0, err.decode()
                assert "guardian" in err.decode()
        assert await here.has()


async def test_a_frozen_gateways_orders_are_cancelled_and_it_quotes_again_when_it_thaws(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        await rest(here)
        os.kill(one.pid, signal.SIGSTOP)
        try:
            await flat(here, DEAD_S)
        finally:
            os.kill(one.pid, signal.SIGCONT)
        await rest(here)


async def test_without_a_guardian_nothing_rests(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        await rest(here)
        for how in (signal.SIGKILL, signal.SIGSTOP):
            guardian = await guardian_of(one)
            os.kill(guardian, how)
            await flat(here, 5.0)
            await until(lambda old=guardian: children(one.pid) not in ([], [old]), "another guardian")
            await rest(here)
        one.send_signal(signal.SIGTERM)
        _, err = await one.communicate()
        assert one.returncode == 0, err.decode()
        assert await here.has()


async def test_it_needs_no_redis_ignores_a_closed_terminal_and_hides_its_key(redis_server, state_dir):
    live = ("--mode", "live", "--url")
    async with desk(state_dir, redis_server.address) as here:
        server = int((await here.bus.redis.info("server"))["process_id"])
        async with gateway(here, *live, here.url, *LIMITS, **SIM_KEY) as one:
            await rest(here)
            guardian = await guardian_of(one)
            assert b"LUNO_KEY" not in shown(guardian)
            for polite in (signal.SIGINT, signal.SIGHUP):
                os.kill(guardian, polite)
            os.kill(server, signal.SIGSTOP)
            try:
                one.kill()
                await one.wait()
                await flat(here, DEAD_S)
            finally:
                os.kill(server, signal.SIGCONT)
            await until(lambda: not is_running(guardian), "the guardian's end", 15.0)


async def test_a_clean_end_leaves_no_guardian_and_no_lock(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        for polite in (signal.SIGINT, signal.SIGHUP):
            async with gateway(here) as one:
                await rest(here)
                guardian = await guardian_of(one)
                one.send_signal(polite)
                _, err = await one.communicate()
                assert one.returncode == 0, err.decode()
                assert not is_running(guardian)
                assert await here.has()


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are changed with prlimit")
async def test_orders_that_may_be_live_are_named_also_where_the_journal_cannot_be_closed(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        exchange = json.loads(exchange_note(state_dir))["pid"]
        async with gateway(here) as one:
            await rest(here)
            ids = [order.order_id for order in (await here.open()).values()]
            guardian = await guardian_of(one)
            os.kill(exchange, signal.SIGSTOP)
            try:
                # No file of it grows any more: a full disk, as the journal sees it.
                resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
                here.quoter.intents.clear()
                async with asyncio.timeout(60):
                    _, err = await one.communicate()
                assert one.returncode == 8, err.decode()
                assert all(order_id in err.decode() for order_id in ids), err.decode()
                assert is_running(guardian)
            finally:
                os.kill(exchange, signal.SIGCONT)
            await flat(here, DEAD_S)
            await until(lambda: not is_running(guardian), "the guardian's end", 15.0)


async def test_an_exchange_that_does_not_answer_at_the_end_is_exit_8_and_the_guardian_goes_on(redis_server, state_dir):
    async with desk(state_dir, redis_server.address) as here:
        exchange = json.loads(exchange_note(state_dir))["pid"]
        async with gateway(here, "--mode", "live", "--url", here.url, *LIMITS, **SIM_KEY) as one:
            await rest(here)
            ids = [order.order_id for order in (await here.open()).values()]
            guardian = await guardian_of(one)
            os.kill(exchange, signal.SIGSTOP)
            try:
                one.send_signal(signal.SIGINT)
                async with asyncio.timeout(60):
                    _, err = await one.communicate()
                assert one.returncode == 8, err.decode()
                assert all(order_id in err.decode() for order_id in ids), err.decode()
                assert f"process {guardian}" in err.decode() and is_running(guardian)
            finally:
                os.kill(exchange, signal.SIGCONT)
            await flat(here, DEAD_S)
            await until(lambda: not is_running(guardian), "the guardian's end", 15.0)
