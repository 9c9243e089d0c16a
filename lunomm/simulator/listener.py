"""What one open stream still has to get, and how it is sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket

from lunomm.luno.wire import KEEPALIVE
from lunomm.simulator.frame_faults import Close, FrameFaults
from lunomm.simulator.sockets import MutableSocket


class Listener:
    """One open stream's queue of frames."""

    __slots__ = ("_frames", "_limit", "_ready", "connection", "faults", "overflown", "sent_to", "silent")

    def __init__(self, limit: int, faults: FrameFaults, connection: MutableSocket | None) -> None:
        self._frames: deque[tuple[int, str | Close, float]] = deque()
        self._limit = limit
        self._ready = asyncio.Event()
        self.overflown = asyncio.Event()
        """This client is too slow. Its sender may be stuck in the socket, so it is told apart from the frames."""
        self.sent_to = 0
        """Number of the last message handed to the socket."""
        self.faults = faults
        self.connection = connection
        self.silent = False
        """Half-open: whatever comes is swallowed."""

    def put(self, raw: str | Close, number: int = 0, due_s: float = 0.0) -> None:
        """due_s: not before then; frames go out in the order put all the same."""
        if self.silent:
            return
        if len(self._frames) >= self._limit:
            self.overflown.set()
            self._frames.clear()
        if not self.overflown.is_set():
            self._frames.append((number, raw, due_s))
            self._ready.set()

    def deliver(self, raw: str, number: int, now_s: float) -> None:
        """One frame, by way of the faults."""
        delivery = self.faults.pass_on(raw, round(now_s * 1e9))
        if delivery.silent and not self.silent:
            self._frames.clear()
            self.silent = True
            if self.connection is not None:
                self.connection.fall_silent()
        for due_ns, text in delivery.frames:
            self.put(text, number, due_ns / 1e9)
        if delivery.end is not None:
            self.put(delivery.end)

    async def send_all(self, socket: WebSocket, keepalive_s: float | None, seconds: Callable[[], float]) -> Close:
        """Send what comes until told to close; keepalive_s None: nothing else."""
        while True:
            self._ready.clear()
            while self._frames:
                number, raw, due_s = self._frames.popleft()
                if due_s and (early_s := due_s - seconds()) > 0:
                    await asyncio.sleep(early_s)
                if isinstance(raw, Close):
                    return raw
                await socket.send_text(raw)
                self.sent_to = max(self.sent_to, number)
            try:
                async with asyncio.timeout(keepalive_s):
                    await self._ready.wait()
            except TimeoutError:
                if not self.silent:
                    await socket.send_text(KEEPALIVE)
