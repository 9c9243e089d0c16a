"""The listening socket of the exchange, its web server, and a WebSocket that can fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lunomm.errors import RefusedError, UsageError

CONNECTION = "lunomm.connection"
"""Where the scope of a stream has its :class:`MutableSocket`."""


def bind(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one.

    Raises:
        RefusedError: any other host: whoever reaches the port trades with the well-known key.
        UsageError: the port is taken or not allowed.
    """
    if host not in ("127.0.0.1", "::1"):
        raise RefusedError(f"the simulated exchange binds loopback only, not {host[:60]}", code="NOT_LOOPBACK")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise UsageError(f"port {port}: {error.strerror}. Choose another with --port", code="PORT_TAKEN") from error
    listening.setblocking(False)
    return listening


class QuietServer(uvicorn.Server):
    """uvicorn without its signal handlers: those of the command stand. Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class MutableSocket(WebSocketsSansIOProtocol):
    """A stream whose peer may find it half-open: nothing said, nothing answered, nothing closed."""

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[CONNECTION] = self
        await super().run_asgi()

    def fall_silent(self) -> None:
        """Read nothing more, so that no ping is answered, and ping no more."""
        self.transport.pause_reading()
        self.stop_keepalive()
