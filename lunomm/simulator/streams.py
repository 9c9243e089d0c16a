"""The exchange's two WebSocket streams: who listens, what each still has to get, keep-alives, error frames.

Each stream has a bounded queue of its own. A client that does not read fast enough is dropped, as it would otherwise
hold memory for ever; it reconnects and gets a new snapshot. The user stream keeps the messages of the last five
minutes, and sends what was missed to a client that comes back within them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from lunomm.luno.wire import Credentials
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.fault_table import MARKET, USER
from lunomm.simulator.faults import Faults
from lunomm.simulator.frame_faults import Close, FrameFaults, error_frame
from lunomm.simulator.listener import Listener
from lunomm.simulator.sockets import CONNECTION
from lunomm.simulator.user_messages import UserFrame

SESSION_LIMIT = 50
"""Streams one account has open at once, market and user together."""

REPEATED = 10
"""Messages sent again to a client that comes back, where that is asked for."""


@dataclass(frozen=True)
class StreamTimes:
    """Seconds. keepalive_s: the empty message after so long without a frame. credentials_s: patience for the first one.

    ping_s, silence_s: protocol pings, and how long a client may stay silent (pongs included) before it is dropped.
    replay_s: how long user messages are kept.
    """

    keepalive_s: float = 20.0
    credentials_s: float = 10.0
    ping_s: float = 13.5
    silence_s: float = 120.0
    replay_s: float = 300.0


class _Messages:
    """The last five minutes of one account's user messages, and how far its last stream got."""

    def __init__(self) -> None:
        self.kept: deque[tuple[float, int, str]] = deque()
        self.listeners: set[Listener] = set()
        self.number = 0
        self.left_at: float | None = None
        self.left_after = 0

    def add(self, raw: str, now_s: float, keep_s: float, *, faulty: bool) -> None:
        self.number += 1
        self.kept.append((now_s, self.number, raw))
        while self.kept[0][0] < now_s - keep_s:
            self.kept.popleft()
        for listener in self.listeners:
            if faulty:
                listener.deliver(raw, self.number, now_s)
            else:
                listener.put(raw, self.number)

    def join(self, listener: Listener, now_s: float, keep_s: float, repeats: int = 0, *, gone: bool = False) -> None:
        """A first connection gets nothing old; one that comes back in time gets what it missed.

        repeats: and so many of those before. gone: nothing was kept.
        """
        listener.sent_to = self.number
        if not gone and not self.listeners and self.left_at is not None and now_s - self.left_at <= keep_s:
            listener.sent_to = self.left_after
            for at, number, raw in self.kept:
                if number > self.left_after - repeats and at >= now_s - keep_s:
                    listener.put(raw, number)
        self.listeners.add(listener)

    def leave(self, listener: Listener, now_s: float) -> None:
        self.listeners.discard(listener)
        if not self.listeners:
            self.left_at, self.left_after = now_s, listener.sent_to


class Streams:
    """All open streams of an exchange."""

    def __init__(
        self,
        exchange: Exchange,
        times: StreamTimes | None = None,
        *,
        queue_limit: int = 20_000,
        seconds: Callable[[], float] = time.monotonic,
        faults: Faults,
    ) -> None:
        self.times = times or StreamTimes()
        self.slow = 0
        """Clients dropped because they read too slowly."""
        self._exchange = exchange
        self._behaviour = exchange.venue.behaviour
        self._queue_limit = queue_limit
        self._seconds = seconds
        self._faults = faults
        self._open = 0
        self._sessions: Counter[str] = Counter()
        """Streams of an account."""
        self._markets: dict[str, set[Listener]] = {pair: set() for pair in exchange.pairs}
        self._messages: dict[str, _Messages] = {owner: _Messages() for owner in exchange.venue.owners}

    @property
    def open(self) -> int:
        """Streams open now."""
        return self._open

    def listeners(self, pair: str) -> int:
        """Market streams of a pair."""
        return len(self._markets[pair])

    def of(self, owner: str) -> tuple[int, int]:
        """Streams an account has open: market, user."""
        user = len(self._messages[owner].listeners) if owner in self._messages else 0
        return self._sessions[owner] - user, user

    def pump(self) -> None:
        """Hand everything the venue has queued to those who listen."""
        frames = self._exchange.venue.drain()
        if not frames:
            return
        on_market, on_user = self._faults.touches(MARKET), self._faults.touches(USER)
        for frame in frames:
            if isinstance(frame, UserFrame):
                messages = self._messages[frame.owner]
                messages.add(frame.raw, self._seconds(), self.times.replay_s, faulty=on_user)
                continue
            listeners = self._markets[frame.pair]
            if listeners:
                raw = frame.raw
                for listener in listeners:
                    if on_market:
                        listener.deliver(raw, 0, self._seconds())
                    else:
                        listener.put(raw)

    def hang_up(self, pair: str) -> None:
        """End all market streams of a pair: what they were sent no longer holds."""
        for listener in self._markets[pair]:
            listener.put(Close(1001))
        self._markets[pair] = set()

    async def market(self, socket: WebSocket) -> None:
        """One market stream, from upgrade to close."""
        async with self._session(socket, anonymous=self._behaviour.empty_credentials) as owner:
            if owner is None:
                return
            pair = str(socket.path_params["pair"])
            if pair not in self._markets:
                others = self._exchange.venue.others
                await _refuse(socket, "invalid_market", f"{pair[:40]}: {others}" if others else pair[:40])
                return
            listener = self._listener(socket, MARKET, pair)
            # What was queued before the snapshot is part of it.
            self.pump()
            snapshot = self._exchange.snapshot_raw(pair)
            if snapshot is not None:
                listener.put(snapshot)
            self._markets[pair].add(listener)
            try:
                await self._serve(socket, listener)
            finally:
                self._markets[pair].discard(listener)

    async def user(self, socket: WebSocket) -> None:
        """One user stream, from upgrade to close."""
        async with self._session(socket) as owner:
            if owner is None:
                return
            listener = self._listener(socket, USER)
            self.pump()
            messages = self._messages[owner]
            gone, again = self._faults.on_join(self._now_ns()) if messages.left_at is not None else (False, 0)
            again = max(again, REPEATED if self._behaviour.repeat_messages else 0)
            messages.join(listener, self._seconds(), self.times.replay_s, again, gone=gone)
            try:
                await self._serve(socket, listener)
            finally:
                messages.leave(listener, self._seconds())

    def _listener(self, socket: WebSocket, stream: str, pair: str = "") -> Listener:
        connection = socket.scope.get("extensions", {}).get(CONNECTION)
        return Listener(self._queue_limit, FrameFaults(self._faults, stream, pair), connection)

    def _now_ns(self) -> int:
        return round(self._seconds() * 1e9)

    @contextlib.asynccontextmanager
    async def _session(self, socket: WebSocket, *, anonymous: bool = False) -> AsyncIterator[str | None]:
        """Accept, log in, count. Yields the account, None when the client was sent away.

        anonymous: ``{}`` is good enough; the account is then "".
        """
        await socket.accept()
        self._open += 1
        owner = None
        try:
            owner = await self._log_in(socket, anonymous=anonymous)
            if owner is not None:
                self._sessions[owner] += 1
            yield owner
        except WebSocketDisconnect:
            return
        finally:
            self._open -= 1
            if owner is not None:
                self._sessions[owner] -= 1

    async def _log_in(self, socket: WebSocket, *, anonymous: bool) -> str | None:
        try:
            async with asyncio.timeout(self.times.credentials_s):
                message = await socket.receive()
        except TimeoutError:
            await _refuse(socket, "auth_timeout", "you took too long to provide credentials")
            return None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        refused = self._faults.on_login(str(socket.path_params.get("pair", "")), self._now_ns())
        if refused is not None:
            await _refuse(socket, refused, refused.replace("_", " "))
            return None
        owner = self._owner(message.get("text"), anonymous=anonymous)
        if owner is None:
            await _refuse(socket, "invalid_credentials", "you provided an invalid credentials message")
            return None
        if self._sessions[owner] >= SESSION_LIMIT:
            await _refuse(socket, "session_limit_exceeded", "session limit exceeded")
            return None
        return owner

    def _owner(self, text: str | None, *, anonymous: bool) -> str | None:
        """The account a first frame logs in to; "" for nobody's where that is enough, None when it is refused."""
        if anonymous and text is not None and "".join(text[:80].split()) == "{}":
            return ""
        given = credentials(text)
        key = None if given is None else self._exchange.keys.find(*given)
        return None if key is None or key.revoked else key.owner

    async def _serve(self, socket: WebSocket, listener: Listener) -> None:
        """Send and read until either end is done with it."""
        keepalive_s = None if self._behaviour.pings_only else self.times.keepalive_s
        sending = asyncio.create_task(listener.send_all(socket, keepalive_s, self._seconds))
        ends: list[asyncio.Task[Any]] = [
            sending,
            asyncio.create_task(_read(socket)),
            asyncio.create_task(listener.overflown.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            results = await asyncio.gather(*ends, return_exceptions=True)
        for result in results:
            # A peer that went while we wrote to it is no news; anything else is.
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | RuntimeError):
                raise result
        if not sending.cancelled() and sending.exception() is None:
            await _close(socket, sending.result())
        if listener.overflown.is_set():
            # The socket's buffer is full, so a close frame would wait for ever: the connection is cut off.
            self.slow += 1


async def _read(socket: WebSocket) -> None:
    """Whatever a client says after its credentials (keep-alives) is accepted and ignored, until it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(socket: WebSocket, end: Close) -> None:
    """An error frame if there is one, then the close; 1006 is the connection's end without one."""
    if end.error:
        await socket.send_text(error_frame(end.error))
    if end.code != 1006:
        await socket.close(end.code)


async def _refuse(socket: WebSocket, code: str, text: str) -> None:
    await socket.send_text(msgspec.json.encode({"error_code": code, "error": text}).decode())
    await socket.close(1000)


def credentials(text: str | None) -> tuple[str, str] | None:
    """Key id and secret of a first frame, None for anything else."""
    if text is None:
        return None
    try:
        given = msgspec.json.decode(text, type=Credentials)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return given.api_key_id, given.api_key_secret
