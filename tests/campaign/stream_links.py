"""The exchange's two streams as sockets for the real `Connection`: snapshots, frames, silence, closes, replays.

A socket here is what ``websockets`` would give: it answers pings while the link is whole, finds out within ten seconds
when it is not, and says why it closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close
from websockets.protocol import State

from campaign.loop import PROCESS, Process

if TYPE_CHECKING:
    from campaign.world import World

KEEPALIVE_S = 20.0
PING_S, PONG_S = 5.0, 5.0
REPLAY_S = 300.0
REPEATED = 10
REFUSALS = {
    "session_limit": '{"error_code":"session_limit_exceeded","error":"session limit exceeded"}',
    "auth_timeout": '{"error_code":"auth_timeout","error":"you took too long to provide credentials"}',
}
"""Error frames in place of a first frame; then the stream is closed."""


class Socket:
    """One accepted connection."""

    def __init__(self, link: StreamLink, process: Process) -> None:
        self._link, self.process = link, process
        self.state = State.OPEN
        self.transport = SimpleNamespace(abort=self.shut)
        self._frames: deque[tuple[float, str]] = deque()
        self._close: Close | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._heard_s = link.world.loop.time()
        self.number = 0
        """Of the newest user message handed over."""

    @property
    def heard_ns(self) -> int:
        """Pongs come every five seconds while the link is whole."""
        now, link = self._link.world.loop.time(), self._link
        silent_s = link.silent_since
        if self.state is State.OPEN:
            alive = now if silent_s is None else silent_s
            self._heard_s = max(self._heard_s, alive - (alive - self._heard_s) % PING_S)
        return round(self._heard_s * 1e9)

    def put(self, raw: str, delay: float) -> None:
        loop = self._link.world.loop
        at = loop.time() + delay
        if self._frames and self._frames[-1][0] > at and not self._link.may_overtake:
            at = self._frames[-1][0]
        self._frames.append((at, raw))
        self._wake()

    def close_with(self, code: int, reason: str = "", *, frame: str | None = None) -> None:
        if frame is not None:
            self._frames.append((self._link.world.loop.time(), frame))
        self._close = Close(code, reason) if code != 1006 else None
        self.shut()

    def shut(self) -> None:
        if self.state is State.OPEN:
            self.state = State.CLOSED
            self._link.leave(self)
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # --- what `Connection` uses -------------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        self._link.logged_in(self)

    async def ping(self) -> asyncio.Future[float]:
        if self.state is not State.OPEN:
            raise self._closed()
        pong: asyncio.Future[float] = self._link.world.loop.create_future()
        if self._link.silent_since is None:
            self._link.world.loop.later(0.05, self._pong, pong)
        return pong

    def _pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.done() and self._link.silent_since is None:
            pong.set_result(0.05)

    async def recv(self) -> str:
        loop, link = self._link.world.loop, self._link
        quiet_by = loop.time() + KEEPALIVE_S
        while True:
            now, silent = loop.time(), link.silent_since
            if self._frames and silent is None:
                first = min(self._frames) if link.may_overtake else self._frames[0]
                if first[0] <= now:
                    self._frames.remove(first) if link.may_overtake else self._frames.popleft()
                    self._heard_s = now
                    return first[1]
                wait = first[0] - now
            elif self.state is not State.OPEN:
                raise self._closed()
            elif silent is not None:
                wait = silent + PING_S + PONG_S - now
                if wait <= 0:
                    self.shut()
                    raise ConnectionClosedError(None, Close(1011, "keepalive ping timeout"))
            elif now >= quiet_by:
                self._heard_s = now
                return '""'
            else:
                wait = quiet_by - now
            self._waiting = loop.create_future()
            try:
                async with asyncio.timeout(min(wait, 1.0) if silent is not None else wait):
                    await self._waiting
            except TimeoutError:
                continue

    def _closed(self) -> ConnectionClosedError | ConnectionClosedOK:
        kind = ConnectionClosedOK if self._close is not None and self._close.code == 1000 else ConnectionClosedError
        return kind(self._close, None)

    async def close(self) -> None:
        self.shut()


class Dial:
    """``await connect(url, ...)``."""

    def __init__(self, url: str, **_: Any) -> None:
        self._url = url

    def __await__(self) -> Generator[Any, None, Socket]:
        return self._dial().__await__()

    async def _dial(self) -> Socket:
        process = PROCESS.get()
        assert process is not None
        world: World = process.world
        link = world.user if self._url.endswith("/userstream") else world.frames
        await asyncio.sleep(world.rng.uniform(0.05, 0.4))
        if link.down or world.faults.fires(f"{link.name}.refused"):
            raise OSError("Connection refused")
        return Socket(link, process)


class StreamLink:
    """silent_since: connections stand, nothing comes. down: cannot be reached. lag_s: how far behind."""

    name = ""
    may_overtake = False

    def __init__(self, world: World) -> None:
        self.world = world
        self.sockets: list[Socket] = []
        self.silent_since: float | None = None
        self.down = False
        self.lag_s = 0.0
        self.delay_s = 0.05

    def healthy(self) -> bool:
        return self.silent_since is None and not self.down and not self.lag_s

    def leave(self, socket: Socket) -> None:
        if socket in self.sockets:
            self.sockets.remove(socket)

    def cut(self, code: int = 1006, *, frame: str | None = None) -> None:
        for socket in list(self.sockets):
            socket.close_with(code, frame=frame)

    def wake(self) -> None:
        for socket in list(self.sockets):
            socket._wake()

    def logged_in(self, socket: Socket) -> None:
        raise NotImplementedError

    def refuses(self, socket: Socket) -> bool:
        """Whether the stream's first word is that it will not serve."""
        for name, frame in REFUSALS.items():
            if self.world.faults.fires(f"{self.name}.{name}"):
                socket.close_with(1000, frame=frame)
                return True
        return False

    def break_off(self, socket: Socket) -> None:
        """Closed: after an error frame with 1000, or without a word."""
        if self.world.rng.random() < 0.5:
            socket.close_with(1000, frame='{"error_code":"internal","error":"something went wrong"}')
        else:
            socket.close_with(self.world.rng.choice((1006, 1012, 1009)))

    def delay(self) -> float:
        return self.delay_s + self.lag_s


class MarketLink(StreamLink):
    """The market stream."""

    name = "market"

    def logged_in(self, socket: Socket) -> None:
        world = self.world
        if world.faults.fires("market.mute") or self.refuses(socket):
            return
        world.pump()
        self.sockets.append(socket)
        raw = world.market.snapshot()
        if world.faults.fires("market.one_sided"):
            raw = world.market.bent_snapshot(crossed=False)
        elif world.faults.fires("market.crossed"):
            raw = world.market.bent_snapshot(crossed=True)
        socket.put(raw, self.delay())

    def frame(self, raw: str) -> None:
        fires = self.world.faults.fires
        for socket in list(self.sockets):
            if fires("market.gap"):
                continue
            if fires("market.contradiction"):
                raw = self.world.market.contradiction(raw)
            elif fires("market.garbage"):
                raw = self.world.rng.choice(('{"sequence":"', "[]", raw.replace('"sequence":"', '"sequence":"x', 1)))
            socket.put(raw, self.delay())
            if fires("market.repeated"):
                socket.put(raw, self.delay())
            if fires("market.closed"):
                self.break_off(socket)


class UserLink(StreamLink):
    """The user stream: keeps five minutes for who comes back."""

    name = "user"
    may_overtake = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._kept: deque[tuple[float, int, str]] = deque()
        self._number = 0
        self._left_after: int | None = None

    def logged_in(self, socket: Socket) -> None:
        world = self.world
        if self.refuses(socket):
            return
        world.pump()
        after, now = self._left_after, world.loop.time()
        if world.faults.fires("user.forgets"):
            after = None
        elif after is not None and world.faults.fires("user.replays"):
            after -= REPEATED
        self.sockets.append(socket)
        socket.number = self._number
        if after is not None:
            for at, number, raw in self._kept:
                if number > after and at >= now - REPLAY_S:
                    socket.put(raw, self.delay())

    def leave(self, socket: Socket) -> None:
        if socket in self.sockets:
            self._left_after = socket.number
        super().leave(socket)

    def message(self, raw: str) -> None:
        fires, now = self.world.faults.fires, self.world.loop.time()
        self._number += 1
        self._kept.append((now, self._number, raw))
        while self._kept[0][0] < now - REPLAY_S:
            self._kept.popleft()
        for socket in list(self.sockets):
            if fires("user.lost"):
                continue
            delay = self.delay()
            if fires("user.late"):
                delay += self.world.rng.uniform(0.1, 5.0)
            if fires("user.garbage"):
                raw = raw[: len(raw) // 2]
            socket.put(raw, delay)
            if self.silent_since is None:
                socket.number = self._number
            if fires("user.twice"):
                socket.put(raw, delay + self.world.rng.uniform(0.0, 3.0))
            if fires("user.closed"):
                self.break_off(socket)
