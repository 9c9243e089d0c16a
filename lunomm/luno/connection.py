"""One stream's connection to Luno, kept up for ever: dialled at a pace, watched, and given up when it goes silent.

Pace: websockets' own reconnect loop waits for nothing after a connection that was accepted and then closed, 1,625 dials
in 2 s against a server that does so; Luno rate-limits connects. Here the time between two dials grows from a quarter of
a second over 2, 4, 8 ... to 60 s, at most six in any minute, and starts anew only after a connection that was healthy
for a minute. Silence: a ping every 5 s that must be answered within 5 s finds a peer that is gone without a word.

Two classes of websockets are extended, as it offers no other hook: one refuses redirects (it would follow them and hand
our first frame, the key, to wherever they lead), the other notes when the last byte came.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State

from lunomm import __version__
from lunomm.errors import CredentialsError, ExchangeError, LunommError, OrderStateError, UsageError
from lunomm.luno import redaction
from lunomm.luno.hosts import ApiKey
from lunomm.luno.wire import MAX_FRAME, Credentials, WireError

QUEUE = 256
"""Frames read ahead: some seconds of the busiest market. Beyond it the venue's sending is held up, not our memory."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, all of them.

    ping, pong: between pings, and for the answer. close, open: for those handshakes. first: from the key to the first
    frame that must come. quick, step, most: dials are ``quick`` apart, then ``step``, doubled up to ``most``.
    healthy: how long a connection lasts to count as healthy.
    """

    ping: float = 5.0
    pong: float = 5.0
    close: float = 1.0
    open: float = 10.0
    first: float = 10.0
    quick: float = 0.25
    step: float = 2.0
    most: float = 60.0
    healthy: float = 60.0


class Lost(NamedTuple):
    """The stream is down and being redialled; nothing that was known from it holds any more."""

    reason: str


class Pace:
    """How long to wait from one dial to the next. draw: uniform in [0, 1), for the jitter."""

    __slots__ = ("_dials", "_draw", "_timing")

    def __init__(self, timing: Timing, draw: Callable[[], float]) -> None:
        self._timing = timing
        self._draw = draw
        self._dials = 0

    def next_s(self) -> float:
        """Seconds from the dial made now to the next one; jitter only ever adds (up to a quarter)."""
        timing = self._timing
        doubled = timing.step * 2.0 ** min(self._dials - 1, 30)
        wait = timing.quick if self._dials == 0 else min(timing.most, doubled)
        self._dials += 1
        return wait * (1 + self._draw() / 4)

    def restart(self) -> None:
        """The last connection was healthy."""
        self._dials = 0


class _Dial(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Heard(ClientConnection):
    heard_ns = 0

    def data_received(self, data: bytes) -> None:
        self.heard_ns = time.monotonic_ns()
        super().data_received(data)


class Connection:
    """A connection that may be up or down: ``open`` it while it is down, ``receive`` while it is up.

    Both may be cancelled at any time and called again; neither must run twice at once.
    """

    def __init__(self, url: str, key: ApiKey, timing: Timing) -> None:
        self._url = url
        self._hello = msgspec.json.encode(Credentials(key.id, key.secret)).decode()
        self._timing = timing
        self._pace = Pace(timing, random.random)
        self._ws: _Heard | None = None
        self._next_dial_s = 0.0
        self._opened_s = 0.0
        self._good = False
        self._dropped = ""
        self._heard_ns: int | None = None
        self._closing: set[asyncio.Task[None]] = set()
        redaction.protect(key)

    @property
    def up(self) -> bool:
        return self._ws is not None

    @property
    def ended(self) -> bool:
        """Up by our count, but closed or closing: ``receive`` has the rest."""
        return self._ws is not None and self._ws.state is not State.OPEN

    def age_ms(self, mono_ns: int) -> float | None:
        """Milliseconds since the last byte from Luno, pongs included; ``None`` before the first. Goes on while down."""
        heard_ns = self._ws.heard_ns if self._ws is not None else self._heard_ns
        return None if heard_ns is None else max(0.0, (mono_ns - heard_ns) / 1e6)

    async def open(self) -> Lost | None:
        """Wait for the pace, dial, and send the key. ``None`` when that went well.

        Raises:
            CredentialsError: the handshake itself was answered 401.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_dial_s - loop.time()))
        # Set before dialling: a dial that is cancelled half-way counts too.
        self._next_dial_s = loop.time() + self._pace.next_s()
        timing = self._timing
        try:
            ws = await _Dial(
                self._url,
                compression=None,
                user_agent_header=f"lunomm/{__version__}",
                proxy=None,
                open_timeout=timing.open,
                ping_interval=timing.ping,
                ping_timeout=timing.pong,
                close_timeout=timing.close,
                max_size=MAX_FRAME,
                max_queue=QUEUE,
                create_connection=_Heard,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if status == 401:
                raise CredentialsError("stream: Luno does not accept the key") from None
            return Lost(f"the stream was refused with HTTP {status}")
        except (OSError, TimeoutError, WebSocketException) as error:
            return Lost(f"cannot connect: {_shown(error)}")
        assert isinstance(ws, _Heard)
        try:
            await ws.send(self._hello)
        except ConnectionClosed:
            pass  # what it said before it closed is still to be received
        except asyncio.CancelledError:
            ws.transport.abort()
            raise
        self._ws, self._opened_s, self._good, self._dropped = ws, loop.time(), False, ""
        return None

    async def answers(self) -> bool:
        """Whether the peer answers a ping sent now in time, or has closed (and then said why: receive it)."""
        ws = self._connected()
        try:
            async with asyncio.timeout(self._timing.first):
                await (await ws.ping())
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False
        return True

    async def receive(self) -> str | Lost:
        """The next text frame; Lost once the connection is gone, was dropped, or sent a binary frame."""
        ws = self._connected()
        why = self._why_dropped()
        if why:
            return self.lose(why)
        try:
            raw = await ws.recv()
        except ConnectionClosed as closed:
            return self.lose(self._why_dropped() or _closed(closed))
        # Whatever arrived before it was dropped is of no use any more.
        why = self._why_dropped()
        if why:
            return self.lose(why)
        if not isinstance(raw, str):
            return self.lose("a binary frame, where Luno sends text")
        return raw

    def proved(self) -> None:
        """The connection has delivered something that counts: after a minute it is a healthy one."""
        self._good = True

    def drop(self, reason: str) -> None:
        """Give the connection up, from any task; ``receive`` then says so before anything else."""
        if self._ws is not None and not self._dropped:
            self._dropped = reason
            self._hang_up(self._ws)

    def lose(self, reason: str) -> Lost:
        """Give the connection up at once."""
        ws, self._ws = self._connected(), None
        self._heard_ns = ws.heard_ns
        self._hang_up(ws)
        now_s = asyncio.get_running_loop().time()
        if self._good and now_s - self._opened_s >= self._timing.healthy:
            self._pace.restart()
        # Not in step with everyone else whom the same fault cut off.
        self._next_dial_s = max(self._next_dial_s, now_s + self._timing.quick * (0.5 + random.random() / 2))
        return Lost(reason)

    async def close(self) -> None:
        """Take leave for good; may be called in any state."""
        if self._ws is not None:
            self.lose("closed by us")
        while self._closing:
            await asyncio.wait(self._closing)

    def _why_dropped(self) -> str:
        return self._dropped

    def _connected(self) -> _Heard:
        if self._ws is None:
            raise OrderStateError("a stream that is down was used")
        return self._ws

    def _hang_up(self, ws: ClientConnection) -> None:
        # On its own: redialling does not wait for the old connection's closing handshake.
        task = asyncio.get_running_loop().create_task(ws.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def refusal(error: WireError, pair: str | None) -> LunommError | None:
    """What an error frame means that redialling cannot mend; ``None`` when it may. pair: of a market stream."""
    code, said = error.error_code[:40], "".join(c if c.isprintable() else "?" for c in error.error[:120])
    if code == "invalid_credentials":
        return CredentialsError(
            "stream: Luno does not accept the key: check LUNO_KEY_ID and LUNO_KEY_SECRET", code="CREDENTIALS"
        )
    if code == "invalid_market" and pair is not None:
        return UsageError(f"{pair}: unknown pair: Luno has no such market", code="UNKNOWN_PAIR")
    if code == "auth_timeout":
        return ExchangeError(f"stream: Luno waited for the key in vain ({said})", code="AUTH_TIMEOUT")
    if "limit" in f"{code} {said}".lower():
        return ExchangeError(
            "stream: Luno allows 50 at once and none is free: stop other programs that use this key",
            code="SESSION_LIMIT",
        )
    return None


def _closed(closed: ConnectionClosed) -> str:
    """Why a connection ended, in one line; a clean close (1000) is no better than another."""
    if closed.sent is not None and closed.sent.code == 1009 and closed.rcvd_then_sent is not True:
        return f"a frame larger than {MAX_FRAME} bytes, the most that is accepted"
    if closed.sent is not None and closed.sent.code == 1011 and closed.rcvd is None:
        return "no answer to a ping: the peer is gone"
    if closed.rcvd is not None:
        said = "".join(c if c.isprintable() else "?" for c in closed.rcvd.reason[:80])
        return f"closed by Luno with code {closed.rcvd.code}" + (f" ({said})" if said else "")
    if closed.sent is not None:
        return f"closed with code {closed.sent.code}"
    return "the connection broke"


def _shown(error: Exception) -> str:
    said = "".join(c if c.isprintable() else "?" for c in str(error)[:120])
    return f"{said} ({type(error).__name__})" if said else type(error).__name__
