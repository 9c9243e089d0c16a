"""The market stream of one pair: the book whole, then every change, for as long as anyone listens.

A frame is passed on only if it is whole and well-formed; anything else ends the connection, as does the listener's
``resync`` when a frame does not fit its book. What follows then is `Lost`, and a snapshot once there is a connection
again. A close with code 1000 is no good end either: Luno sends it after an error frame, too.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple, Self

from lunomm.errors import BookError, CredentialsError, UsageError
from lunomm.luno.connection import Connection, Lost, Timing, refusal
from lunomm.luno.held import HeldStream
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.wire import WireError, decode_market_frame
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import PairRules

__all__ = ["Frame", "Lost", "MarketStream", "Timing"]

_PAIR = re.compile(r"[A-Z0-9]{2,20}", re.ASCII)


class Frame(NamedTuple):
    """One frame as received, and what it says. recv_ns: monotonic; wall_ns: Unix time, when it was taken up."""

    raw: str
    event: BookSnapshot | BookUpdate
    recv_ns: int
    wall_ns: int


class MarketStream(HeldStream):
    """``async for item in stream``: Frame or Lost; ends only by an error or by ``aclose``. Use as ``async with`` too.

    After every Lost the next Frame holds a snapshot; keep-alives are not passed on. ``anext`` may be cancelled (by a
    time-out, say) and called again without losing a frame.

    Args:
        rules: of the pair wanted; numbers off its grid end the connection.
        key: any of Luno's; book streams need no permission.

    Raises (by the iteration):
        CredentialsError: the key is not accepted, or there is none.
        UsageError: UNKNOWN_PAIR.
        ExchangeError: SESSION_LIMIT, AUTH_TIMEOUT.
    """

    def __init__(
        self, endpoint: Endpoint, rules: PairRules, key: ApiKey | None, *, timing: Timing | None = None
    ) -> None:
        if not _PAIR.fullmatch(rules.pair):
            raise UsageError(f"not a pair: {rules.pair[:20]!a}")
        if key is None:
            raise CredentialsError("the market stream needs a key: set LUNO_KEY_ID and LUNO_KEY_SECRET")
        self._rules = rules
        self._timing = timing or Timing()
        self._connection = Connection(f"{endpoint.ws}/api/1/stream/{rules.pair}", key, self._timing)
        self._snapshot_by_s: float | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame | Lost:
        connection = self._connection
        while True:
            if not connection.up:
                lost = await connection.open()
                if lost is not None:
                    return lost
                self._snapshot_by_s = asyncio.get_running_loop().time() + self._timing.first
            try:
                async with asyncio.timeout_at(self._snapshot_by_s):
                    raw = await connection.receive()
            except TimeoutError:
                return connection.lose(f"no snapshot within {self._timing.first:g} s")
            recv_ns, wall_ns = time.monotonic_ns(), time.time_ns()
            if isinstance(raw, Lost):
                return raw
            item = self._take(raw, recv_ns, wall_ns)
            if item is not None:
                return item

    def _take(self, raw: str, recv_ns: int, wall_ns: int) -> Frame | Lost | None:
        try:
            event = decode_market_frame(raw, self._rules)
        except BookError as error:
            reason = str(error)
            # The one refusal whose shape nobody has recorded: it may be a bare sentence.
            event = WireError("session_limit", raw[:100]) if "session limit" in raw[:200].lower() else None
            if event is None:
                return self._connection.lose(reason)
        if event is None:
            return None
        if isinstance(event, WireError):
            lost = self._connection.lose(f"Luno says {event.error_code[:40]!a}")
            final = refusal(event, self._rules.pair)
            if final is not None:
                raise final
            return lost
        if isinstance(event, BookSnapshot):
            self._snapshot_by_s = None
        elif self._snapshot_by_s is not None:
            return self._connection.lose("an update came before the snapshot")
        else:
            self._connection.proved()
        return Frame(raw, event, recv_ns, wall_ns)
