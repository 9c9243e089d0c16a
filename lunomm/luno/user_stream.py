"""The user stream: what happens to our orders and accounts, in no promised order, perhaps twice.

Luno sends no greeting and no snapshot, so after every `Up` the listener reads orders, trades and balances by REST. Up
is said once the peer has answered a ping sent behind the key: events from then on should arrive, and what happened
before is in that read. After less than five minutes' absence Luno repeats what was missed; after more, it forgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lunomm.errors import CredentialsError, MarketDataError
from lunomm.luno.connection import Connection, Lost, Timing, refusal
from lunomm.luno.held import HeldStream
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.wire import WireError, WireUserMessage, decode_user_frame

__all__ = ["Lost", "Timing", "Up", "UserStream"]


@dataclass(frozen=True, slots=True)
class Up:
    """Connected, the key sent, the peer alive: now read the present state by REST."""


class UserStream(HeldStream):
    """``async for item in stream``: WireUserMessage, Up or Lost; ends only by an error or by ``aclose``.

    Messages come only between an Up and the next Lost. ``anext`` may be cancelled and called again. One connection
    serves all pairs of the account.

    Raises (by the iteration):
        CredentialsError: the key is not accepted.
        ExchangeError: SESSION_LIMIT, AUTH_TIMEOUT.
    """

    def __init__(self, endpoint: Endpoint, key: ApiKey | None, *, timing: Timing | None = None) -> None:
        if key is None:
            raise CredentialsError("the user stream needs a key: set LUNO_KEY_ID and LUNO_KEY_SECRET")
        self._timing = timing or Timing()
        self._connection = Connection(f"{endpoint.ws}/api/1/userstream", key, self._timing)
        self._greeted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WireUserMessage | Up | Lost:
        connection = self._connection
        while True:
            if not connection.up:
                self._greeted = False
                lost = await connection.open()
                if lost is not None:
                    return lost
            if not self._greeted:
                if not await connection.answers():
                    return connection.lose(f"no answer to a ping within {self._timing.first:g} s")
                self._greeted = True
                if connection.ended:
                    continue
                connection.proved()
                return Up()
            raw = await connection.receive()
            if isinstance(raw, Lost):
                return raw
            item = self._take(raw)
            if item is not None:
                return item

    def _take(self, raw: str) -> WireUserMessage | Lost | None:
        try:
            message = decode_user_frame(raw)
        except MarketDataError as error:
            return self._connection.lose(str(error))
        if isinstance(message, WireError):
            lost = self._connection.lose(f"Luno says {message.error_code[:40]!a}")
            final = refusal(message, None)
            if final is not None:
                raise final
            return lost
        return message
