from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from lunomm.luno.hosts import Endpoint, endpoint

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def tcp_server() -> AsyncIterator[Callable[[Handler], Awaitable[Endpoint]]]:
    """Serves raw TCP on a free port of this machine; every connection is ended with the test."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler) -> Endpoint:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async def serve() -> None:
                try:
                    await handler(reader, writer)
                except (OSError, asyncio.IncompleteReadError):
                    pass  # the client went away first
                finally:
                    writer.close()

            task = asyncio.get_running_loop().create_task(serve())
            tasks.add(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
