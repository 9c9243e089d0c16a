"""``lunomm resume`` against a gateway that runs, one that Redis cannot reach, and none; a halt outlives all else."""

from __future__ import annotations

import json
import os
import signal

import pytest
from test_gateway_command import PAIR, Desk, child_of, desk, gateway, journal, process, until

from lunomm.bus.channels import CONTROL, HALT, QUOTES
from lunomm.bus.process import is_running
from lunomm.commands import resume as command
from lunomm.config import Common
from lunomm.journal.glance import glances
from lunomm.journal.request import FileRequest, request_path, write_request


async def resume(here: Desk, *args: str, code: int = 0, **env: str) -> dict[str, object]:
    """One run of the command; its JSON."""
    async with process(here.state_dir, "resume", *args, "--json", **env) as one:
        out, err = await one.communicate()
    assert one.returncode == code, out.decode() + err.decode()
    return json.loads(out)


async def test_a_halt_outlives_everything_but_a_persons_word(redis_server, state_dir, free_port):
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here) as one:
            await until(lambda: here.bus.venue, "the venue")
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            assert (await resume(here, code=5))["error"]["code"] == "NOT_HALTED"

            # Garbage on the quotes' channel, quickly: the orders go, and it is said why.
            for n in range(6):
                await here.bus.call(here.bus.redis.publish(QUOTES.key(PAIR), f"garbage {n}"))
            await until(here.has, "flat after the trip")
            mark = await until(lambda: here.bus.get(HALT, PAIR), "HALT")
            assert "UNREADABLE" in mark.cause
            assert here.quoter.alive

            data = (await resume(here, "--reason", "it was a test"))["data"]
            assert (data["by"], data["pairs"]) == ("gateway", [PAIR])
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "orders after the resume")
            assert await here.bus.get(HALT, PAIR) is None
            answers = [m for _, m in await here.bus.read(CONTROL, PAIR) if m.verb == "answer"]
            assert [a.accepted for a in answers] == [True]
            ended = journal(state_dir).execute("SELECT ended_by FROM halts").fetchall()
            assert len(ended) == 1
            assert "@" in ended[0][0]
            assert "it was a test" in ended[0][0]

            # A file halts too, even one that cannot be read. Redis forgets all of it; the gateway does not.
            (seen,) = glances(state_dir)
            request_path(seen.path).write_text("what is this")
            await until(here.has, "flat after the file")
            await until(lambda: not request_path(seen.path).exists(), "the file taken")
            await here.bus.call(here.bus.redis.flushall())
            one.kill()
            await one.wait()
        async with gateway(here) as two:
            await here.quote_around()
            mark = await until(lambda: here.bus.get(HALT, PAIR), "HALT said again after the restart")
            assert "holds no request" in mark.cause
            assert await here.has()
            # Redis does not carry the question: the file does.
            data = (await resume(here, REDIS_PORT=str(free_port)))["data"]
            assert data["by"] == "file"
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "orders after the resume by file")
            write_request(seen.path, FileRequest(request_id="h1", verb="halt", who="ann@host", reason="enough"))
            await until(here.has, "flat again")
            guardian = child_of(two.pid)
            two.kill()
            await two.wait()
        assert (await resume(here, "XBTZAR", code=5))["error"]["code"] == "NOT_HALTED"
        # Its guardian still has the journal: what it does comes first.
        assert (await resume(here, PAIR))["data"]["by"] == "journal"
        assert not is_running(guardian)
        assert await here.bus.get(HALT, PAIR) is None
        assert (await resume(here, PAIR, code=5))["error"]["code"] == "NOT_HALTED"


async def test_where_the_guardian_cannot_let_go_the_word_is_left_for_the_next_gateway(
    redis_server, state_dir, monkeypatch
):
    monkeypatch.setattr(command, "HEIR_S", 0.5)
    common = Common(mode="sim", redis=redis_server.address, state_dir=state_dir, json=True)
    async with desk(state_dir, redis_server.address) as here:
        async with gateway(here) as one:
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "both orders")
            (seen,) = glances(state_dir)
            write_request(seen.path, FileRequest(request_id="h1", verb="halt", who="ann@host", reason="enough"))
            await until(here.has, "flat")
            os.kill(guardian := child_of(one.pid), signal.SIGSTOP)
            one.kill()
            await one.wait()
        try:
            left = await command.run(common, PAIR, reason="all is well")
            assert left is not None
            assert (left["resumed"], left["by"]) == (False, command.LATER)
            assert glances(state_dir)[0].halted is not None, "nobody has taken it yet"
        finally:
            os.kill(guardian, signal.SIGCONT)
        async with gateway(here):
            ids = await here.quote_around()
            await until(lambda: here.has(*ids), "orders of the next gateway")
            assert not request_path(seen.path).exists()
            (ended,) = journal(state_dir).execute("SELECT ended_by FROM halts").fetchall()
            assert "all is well" in ended[0]


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 121])
async def test_a_reason_is_one_short_line(redis_server, state_dir, reason):
    async with process(state_dir, "resume", "--reason", reason) as one:
        _, err = await one.communicate()
    assert one.returncode == 2, err.decode()
