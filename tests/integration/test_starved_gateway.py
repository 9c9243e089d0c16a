"""A gateway that gets no more files, or no more memory, from one moment on: nothing of it is left resting."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys

import pytest
from test_gateway_command import PAIR, child_of, desk, ends, gateway, journal, until

from lunomm.bus.channels import CONTROL
from lunomm.bus.process import is_running

DEAD_S = 10.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are changed with prlimit")


@pytest.mark.parametrize("what", ["files", "memory"])
async def test_a_starved_gateway_leaves_nothing(redis_server, state_dir, what: str) -> None:
    async with desk(state_dir, redis_server.address) as here, gateway(here) as one:
        ids = await here.quote_around()
        await until(lambda: here.has(*ids), "both orders")
        guardian = child_of(one.pid)
        if what == "files":
            _, most = resource.prlimit(one.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (3, most))
            await until(here.has, "flat", DEAD_S)
            ((reason,),) = journal(state_dir).execute("SELECT reason FROM halts WHERE ended_ms IS NULL").fetchall()
            assert "Too many open files" in reason
            one.send_signal(signal.SIGTERM)
            await ends(one, 0)
            assert await here.has()
            return
        resource.prlimit(one.pid, resource.RLIMIT_AS, (2**20, 2**20))
        # Something large to read: there is no room for it.
        await here.bus.call(here.bus.redis.xadd(CONTROL.key(PAIR), {"d": "x" * 40_000_000}))
        await until(here.has, "flat", DEAD_S)
        async with asyncio.timeout(30):
            await one.communicate()
        assert one.returncode != 0
        await until(lambda: not is_running(guardian), "the guardian's end", 20.0)
        assert await here.has()
