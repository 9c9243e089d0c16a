"""A piece around a command's own work: venue, lease, heartbeat, ends, failures; real Redis, stand-in exchange."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_bus import fill, order

from lunomm.bus import lease, venue
from lunomm.bus.channels import FILLS, HEALTH, ORDERS, VENUE, health_key
from lunomm.bus.client import Bus
from lunomm.bus.venue import VenueReplaced, this_host
from lunomm.commands import venue_finder
from lunomm.commands.piece import open_piece, run_again
from lunomm.config import Common, RedisAddress
from lunomm.errors import BusError, ConnectivityError, InstanceError, RefusedError, UsageError
from lunomm.luno.hosts import ApiKey
from lunomm.market.presence import LeaseInfo, VenueInfo

PAIR = "XBTMYR"


class StandIn:
    """Answers GET /sim/info as an exchange does, and can become another run."""

    def __init__(self) -> None:
        self.run_id = "run1"
        self.url = ""
        self.server: asyncio.Server | None = None

    def info(self) -> dict[str, Any]:
        clock = {"wall_ms": 1000, "exchange_ms": 500, "speed": 1.0}
        return {
            "url": self.url,
            "run_id": self.run_id,
            "seed": 1,
            "profile": "theory",
            "pairs": ["XBTMYR", "XBTZAR"],
            "clock": clock,
            "pid": os.getpid(),
        }

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + msgspec.json.encode(self.info()))
        await writer.drain()
        writer.close()

    def note(self, folder: Path) -> None:
        (folder / venue_finder.FILE).write_bytes(msgspec.json.encode(self.info()))


@pytest.fixture
async def exchange(state_dir: Path) -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.open()
    stand_in.note(state_dir)
    assert stand_in.server is not None
    async with stand_in.server:
        yield stand_in


@pytest.fixture
def common(redis_server: Any, state_dir: Path) -> Common:
    return Common(mode="sim", redis=redis_server.address, state_dir=state_dir)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "condition not met in time"
        await asyncio.sleep(0.02)


async def test_it_beats_claims_and_cleans_up(common: Common, exchange: StandIn, bus: Bus) -> None:
    async with open_piece("book", common, [PAIR], lease=True) as piece:
        assert piece.venue is not None
        assert (piece.venue.mode, piece.venue.url, piece.venue.run_id) == ("sim", exchange.url, "run1")
        assert piece.key == ApiKey("sim", "sim")
        assert piece.endpoint.rest == exchange.url
        assert abs(piece.clock.wall_ms() - piece.clock.exchange_ms() - 500) < 50
        assert sorted(await bus.scan("*")) == [
            "HEALTH::book::XBTMYR",
            "LEASE::book::XBTMYR",
            "LEASE::book::XBTMYR::token",
            "VENUE::XBTMYR",
        ]
        bus.venue = piece.venue
        first = await bus.get(HEALTH, PAIR, name=health_key("book", PAIR))
        assert first is not None
        assert (first.pid, first.host, first.mode) == (os.getpid(), this_host(), "sim")
        piece.counters["frames"] = 3.0

        async def moved() -> bool:
            now = await bus.get(HEALTH, PAIR, name=health_key("book", PAIR))
            return now is not None and now.beat > first.beat and now.counters.get("frames") == 3.0

        await until(moved)
    assert await bus.scan("*") == ["LEASE::book::XBTMYR::token"]


async def test_for_ends_it_and_a_failure_is_raised(common: Common, exchange: StandIn) -> None:
    begun = time.monotonic()
    async with open_piece("calibrate", replace(common, for_s=0.3), [PAIR], lease=False) as piece:
        await piece.wait()
        assert piece.stop.is_set()
    assert time.monotonic() - begun < 5

    async def broken() -> None:
        raise ConnectivityError("lost")

    with pytest.raises(ConnectivityError, match="lost"):
        async with open_piece("calibrate", common, [PAIR], lease=False) as piece:
            piece.start(broken(), "broken")
            await piece.wait()


async def test_a_doubled_signal_is_one(common: Common, exchange: StandIn) -> None:
    async with open_piece("calibrate", common, [PAIR], lease=False) as piece:
        piece.on_abandon = lambda: ("left", 99)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        await piece.wait()
        assert piece.state == "STOPPING"


async def test_a_second_signal_leaves_at_once(
    common: Common, exchange: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[int] = []
    monkeypatch.setattr("lunomm.commands.piece.os._exit", left.append)
    monkeypatch.setattr("lunomm.commands.piece.SAME_SIGNAL_S", -1.0)
    async with open_piece("gateway", common, [PAIR], lease=False) as piece:
        piece.on_abandon = lambda: ("orders may be live: BX1", 8)
        os.kill(os.getpid(), signal.SIGINT)
        await piece.wait()
    assert left == [8]
    assert "BX1" in capsys.readouterr().err


async def test_work_is_cancelled_at_the_end(common: Common, exchange: StandIn) -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with open_piece("calibrate", common, [PAIR], lease=False) as piece:
        piece.start(work(), "work")
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_everything_is_put_back_after_redis_lost_it(common: Common, exchange: StandIn, bus: Bus) -> None:
    async with open_piece("book", common, [PAIR], lease=True):
        before = await bus.call(bus.redis.get("VENUE::XBTMYR"))
        await bus.call(bus.redis.flushall())

        async def back() -> bool:
            return await bus.scan("*") == ["HEALTH::book::XBTMYR", "LEASE::book::XBTMYR", "VENUE::XBTMYR"]

        await until(back)
        assert await bus.call(bus.redis.get("VENUE::XBTMYR")) == before


async def test_a_second_instance_is_told_who_runs(common: Common, exchange: StandIn, bus: Bus) -> None:
    async with open_piece("book", common, [PAIR], lease=True) as first:
        with pytest.raises(InstanceError, match=f"process {os.getpid()}"):
            async with open_piece("book", common, [PAIR], lease=True):
                pass
        # and takes nothing of the first one's with it
        bus.venue = first.venue
        assert await bus.get(HEALTH, PAIR, name=health_key("book", PAIR)) is not None
        assert await venue.peek(bus, PAIR) == first.venue
        async with open_piece("book", common, ["XBTZAR"], lease=True):
            pass


async def test_a_killed_holder_is_replaced_at_once(bus: Bus) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    info = LeaseInfo(token=9_000_000_000_000, holder="x", pid=gone.pid, host=this_host(), since_ms=1)
    await bus.call(bus.redis.set("LEASE::book::XBTMYR", msgspec.json.encode(info), px=5000))
    begun = time.monotonic()
    held = await lease.acquire(bus, "book", PAIR)
    assert time.monotonic() - begun < 1
    await held.release()
    assert await bus.call(bus.redis.get("LEASE::book::XBTMYR")) is None


async def test_a_dead_holder_elsewhere_is_waited_out(bus: Bus) -> None:
    info = LeaseInfo(token=1, holder="x", pid=1, host="elsewhere", since_ms=1)
    await bus.call(bus.redis.set("LEASE::book::XBTMYR", msgspec.json.encode(info), px=1500))
    first = await lease.acquire(bus, "book", PAIR)
    again = await lease.acquire(bus, "book", "XBTZAR")
    assert first.info.token > 1
    assert again.info.token > 0


async def test_tokens_grow_and_a_lost_lease_stops_its_holder(bus: Bus) -> None:
    first = await lease.acquire(bus, "book", PAIR)
    await bus.call(bus.redis.delete(first.key))
    second = await lease.acquire(bus, "book", PAIR)
    assert second.info.token > first.info.token
    with pytest.raises(InstanceError):
        await first.renew()
    await first.release()
    await second.renew()
    await bus.call(bus.redis.flushall())
    await second.renew()
    assert await bus.call(bus.redis.exists(second.key)) == 1
    await bus.call(bus.redis.set(second.key, "garbage"))
    with pytest.raises(BusError):
        await second.renew()
    with pytest.raises(InstanceError, match="no lease"):
        await lease.acquire(bus, "book", PAIR)


async def test_a_live_piece_on_a_sim_redis_is_refused_naming_both(common: Common, exchange: StandIn, bus: Bus) -> None:
    live = replace(common, mode="live", key=ApiKey("id", "secret"), url="http://127.0.0.1:9")
    async with open_piece("book", common, [PAIR], lease=True):
        with pytest.raises(RefusedError) as caught:
            async with open_piece("gateway", live, [PAIR], lease=False):
                pass
        assert exchange.url in str(caught.value)
        assert "live at http://127.0.0.1:9" in str(caught.value)
    async with open_piece("gateway", live, [PAIR], lease=False) as piece:
        assert piece.key == ApiKey("id", "secret")
        assert piece.venue is not None
        assert piece.venue.run_id == "live"
        with pytest.raises(RefusedError):
            async with open_piece("book", common, [PAIR], lease=False):
                pass


async def test_an_exchange_on_another_host(common: Common, exchange: StandIn, bus: Bus) -> None:
    there = VenueInfo(pair=PAIR, mode="sim", url="http://127.0.0.1:8377", host="elsewhere", run_id="x")
    await venue.claim(bus, PAIR, there)
    with pytest.raises(RefusedError, match="runs on elsewhere, loopback only"):
        async with open_piece("book", common, [PAIR], lease=False):
            pass


async def test_an_unlisted_pair(common: Common, exchange: StandIn) -> None:
    with pytest.raises(UsageError, match="unknown pair: NOPEUSDT"):
        async with open_piece("book", common, ["NOPEUSDT"], lease=False):
            pass


async def test_a_url_where_no_exchange_answers(common: Common, free_port: int) -> None:
    with pytest.raises(ConnectivityError, match="no simulated exchange answers"):
        async with open_piece("book", replace(common, url=f"http://127.0.0.1:{free_port}"), [PAIR], lease=False):
            pass
    with pytest.raises(UsageError, match="not mode sim"):
        async with open_piece("book", replace(common, url="https://api.luno.com"), [PAIR], lease=False):
            pass


async def test_a_stranger_on_the_noted_port_is_not_ours(state_dir: Path, exchange: StandIn) -> None:
    assert await venue_finder.find(state_dir) is not None
    exchange.run_id = "another"
    assert await venue_finder.find(state_dir) is None
    (state_dir / venue_finder.FILE).write_text("garbage")
    assert await venue_finder.find(state_dir) is None


async def test_a_restarted_exchange_starts_the_command_over(common: Common, exchange: StandIn, state_dir: Path) -> None:
    runs: list[str] = []

    async def command(now: Common) -> dict[str, Any] | None:
        async with open_piece("book", now, [PAIR], lease=True) as piece:
            assert piece.venue is not None
            runs.append(piece.venue.run_id)
            if len(runs) == 1:
                exchange.run_id = "run2"
                exchange.note(state_dir)
                await piece.wait()
            return {"runs": len(runs)}

    assert await run_again(command, replace(common, for_s=30)) == {"runs": 2}
    assert runs == ["run1", "run2"]


async def test_another_run_of_the_simulator_forgets_the_last_ones_orders_and_fills(bus: Bus) -> None:
    def run(run_id: str) -> VenueInfo:
        return VenueInfo(pair=PAIR, mode="sim", url="http://127.0.0.1:1", host=this_host(), run_id=run_id)

    bus.venue = await venue.claim(bus, PAIR, run("one"))
    await bus.append(FILLS, fill(7), id="7-0")
    await bus.hash_put(ORDERS, PAIR, {"a": order("a")})
    assert await venue.claim(bus, PAIR, run("one")) is not None
    assert len(await bus.read(FILLS, PAIR)) == 1
    bus.venue = await venue.claim(bus, PAIR, run("two"))
    assert await bus.read(FILLS, PAIR) == []
    assert await bus.hash_get(ORDERS, PAIR) == {}
    with pytest.raises(VenueReplaced):
        await venue.refresh(bus, PAIR, run("one"))


async def test_what_a_live_run_left_is_never_forgotten(bus: Bus) -> None:
    bus.venue = VenueInfo(pair=PAIR, mode="live", url="https://api.luno.com", run_id="live")
    await bus.append(FILLS, fill(7), id="7-0")
    await venue.claim(bus, PAIR, VenueInfo(pair=PAIR, mode="sim", url="http://127.0.0.1:1", run_id="one"))
    assert await bus.call(bus.redis.xlen("FILLS::XBTMYR")) == 1


async def test_a_venue_key_of_another_program(bus: Bus) -> None:
    await bus.call(bus.redis.set(VENUE.key(PAIR), "hello"))
    with pytest.raises(BusError, match="holds no venue"):
        await venue.peek(bus, PAIR)


async def test_a_dead_remote_redis_is_one_error(state_dir: Path) -> None:
    remote = Common(mode="sim", redis=RedisAddress(host="192.0.2.1"), state_dir=state_dir)
    with pytest.raises(BusError, match=r"192\.0\.2\.1:6379"):
        async with open_piece("book", remote, [PAIR], lease=False):
            pass
