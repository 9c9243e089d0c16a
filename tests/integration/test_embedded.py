"""The embedded server: started once, found by the next, stopped only when it is ours, never in place of another."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lunomm.bus import embedded
from lunomm.bus.client import Bus
from lunomm.bus.process import is_ours, is_running
from lunomm.config import RedisAddress
from lunomm.errors import BusError, ConfigError


@pytest.fixture
async def address(state_dir: Path, free_port: int) -> AsyncIterator[RedisAddress]:
    address = RedisAddress(port=free_port)
    yield address
    await embedded.stop(address, state_dir)


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def configured(bus: Bus, name: str) -> str:
    value: str = (await bus.call(bus.redis.config_get(name)))[name]
    return value


async def test_the_first_command_starts_it_and_the_second_finds_it(address: RedisAddress, state_dir: Path) -> None:
    said: list[str] = []
    assert await embedded.ensure(address, state_dir, {}, said.append)
    assert not await embedded.ensure(address, state_dir, {}, said.append)
    assert len(said) == 1
    assert str(address.port) in said[0]
    async with Bus(address, "test") as bus:
        await bus.ping()
        assert await configured(bus, "maxmemory-policy") == "noeviction"
        assert await configured(bus, "appendonly") == "yes"
        assert await configured(bus, "appendfsync") == "everysec"
        assert await configured(bus, "requirepass") == ""
        bind = await configured(bus, "bind")
        assert "127.0.0.1" in bind
        assert "*" not in bind
        folder = Path(await configured(bus, "dir"))
        assert folder.parent == state_dir
        assert mode_of(folder) == 0o700
        info = await bus.call(bus.redis.info("server"))
    assert os.getsid(int(info["process_id"])) != os.getsid(0)


async def test_two_commands_at_once_start_one(address: RedisAddress, state_dir: Path) -> None:
    said: list[str] = []
    started = await asyncio.gather(*(embedded.ensure(address, state_dir, {}, said.append) for _ in range(4)))
    assert sorted(started) == [False, False, False, True]
    assert len(said) == 1


async def test_a_folder_with_spaces_and_quotes(tmp_path: Path, free_port: int) -> None:
    folder = tmp_path / 'Application "Support"'
    address = RedisAddress(port=free_port)
    assert await embedded.ensure(address, folder, {}, lambda _: None)
    assert await embedded.stop(address, folder)


async def test_data_survives_a_kill(address: RedisAddress, state_dir: Path) -> None:
    await embedded.ensure(address, state_dir, {}, lambda _: None)
    async with Bus(address, "test") as bus:
        await bus.call(bus.redis.set("kept", "yes"))
        pid = int((await bus.call(bus.redis.info("server")))["process_id"])
        await asyncio.sleep(1.2)  # one second of data may be at risk, no more
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while is_running(pid):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    assert embedded.was_ours(address, state_dir)
    assert await embedded.ensure(address, state_dir, {}, lambda _: None)
    async with Bus(address, "test") as bus:
        assert await bus.call(bus.redis.get("kept")) == "yes"


async def test_stopping_ends_ours_only(address: RedisAddress, state_dir: Path, tmp_path: Path) -> None:
    assert not await embedded.stop(address, state_dir)
    await embedded.ensure(address, state_dir, {}, lambda _: None)
    assert not await embedded.stop(address, tmp_path / "another")
    assert await embedded.probe("127.0.0.1", address.port) == "redis"
    assert await embedded.stop(address, state_dir)
    assert await embedded.probe("127.0.0.1", address.port) == "nothing"
    assert not embedded.was_ours(address, state_dir)


async def test_a_note_of_another_process_stops_nothing(address: RedisAddress, state_dir: Path) -> None:
    await embedded.ensure(address, state_dir, {}, lambda _: None)
    note = state_dir / f"redis-{address.port}.json"
    true_note = note.read_text()
    note.write_text(f'{{"pid": {os.getpid()}}}')
    assert not await embedded.stop(address, state_dir)
    assert await embedded.probe("127.0.0.1", address.port) == "redis"
    note.write_text("garbage")
    assert not await embedded.stop(address, state_dir)
    note.write_text(true_note)


async def test_something_else_on_the_port(state_dir: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BusError, match="not a Redis"):
            await embedded.ensure(RedisAddress(port=port), state_dir, {}, lambda _: None)


@pytest.mark.parametrize(
    "address",
    [
        RedisAddress(host="192.0.2.1"),
        RedisAddress(port=1, password="x"),
        RedisAddress(port=1, tls=True),
        RedisAddress(port=1, db=3),
    ],
)
async def test_a_server_of_the_users_own_is_never_replaced(address: RedisAddress, state_dir: Path) -> None:
    assert not await embedded.ensure(address, state_dir, {}, lambda _: None)
    assert names_in(state_dir) == []


async def test_a_server_that_does_not_start_says_why(state_dir: Path, free_port: int, tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    address = RedisAddress(port=free_port)
    with pytest.raises(BusError, match="did not start"):
        await embedded.ensure(address, state_dir, {"LUNOMM_REDIS_SERVER": str(broken)}, lambda _: None)
    assert not embedded.was_ours(address, state_dir)
    broken.chmod(0o644)
    with pytest.raises(BusError, match="cannot be started"):
        await embedded.ensure(address, state_dir, {"LUNOMM_REDIS_SERVER": str(broken)}, lambda _: None)


def test_which_server_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "redis-server"
    named.write_text("")
    named.chmod(0o755)
    assert embedded.server_binary({"LUNOMM_REDIS_SERVER": str(named)}) == named
    with pytest.raises(ConfigError, match="no such file"):
        embedded.server_binary({"LUNOMM_REDIS_SERVER": str(tmp_path / "none")})
    assert embedded.server_binary({}).name == "valkey-server"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.server_binary({}) == named
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BusError, match="LUNOMM_REDIS_URL"):
        embedded.server_binary({})


def test_processes() -> None:
    assert is_running(os.getpid())
    assert not is_running(0)
    assert not is_running(-1)
    assert not is_running(2**40)
    assert not is_ours(1)
