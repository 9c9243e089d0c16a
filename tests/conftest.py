"""What every test may need: a state folder, a Redis and an environment of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lunomm.bus import embedded
from lunomm.bus.client import Bus
from lunomm.config import RedisAddress

collect_ignore = ["compat", "campaign"]
"""compat needs other people's clients: `bash scripts.sh compat clients`. campaign's hundred seeds take minutes of both
cores: `bash scripts.sh test tests/campaign` runs them, `bash scripts.sh soak` the campaign itself."""


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on."""
    return a_free_port()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("LUNOMM_", "LUNO_", "REDIS_")):
            monkeypatch.delenv(name)


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's state folder, also for the commands it starts."""
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("LUNOMM_STATE_DIR", str(folder))
    return folder


@dataclass(frozen=True)
class RedisServer:
    """A running embedded server of the tests' own."""

    address: RedisAddress
    folder: Path


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for this worker, started as lunomm starts it, gone afterwards."""
    folder = tmp_path_factory.mktemp("redis")
    address = RedisAddress(port=a_free_port())
    assert asyncio.run(embedded.ensure(address, folder, {}, lambda _: None))
    yield RedisServer(address, folder)
    asyncio.run(embedded.stop(address, folder))


@pytest.fixture
def redis_server(redis_session: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """The worker's server, emptied for this test, also for the commands it starts."""

    async def empty() -> None:
        async with Bus(redis_session.address, "test") as bus:
            await bus.call(bus.redis.flushall())

    asyncio.run(empty())
    monkeypatch.setenv("REDIS_HOST", redis_session.address.host)
    monkeypatch.setenv("REDIS_PORT", str(redis_session.address.port))
    return redis_session


@pytest.fixture
async def bus(redis_server: RedisServer) -> AsyncIterator[Bus]:
    """A connected bus on this test's Redis."""
    async with Bus(redis_server.address, "test") as connected:
        yield connected
