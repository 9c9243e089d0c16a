"""One request to Luno and its whole answer, over httpx (whose requests `heads` makes).

A read that fails on the way is asked once more; a write never is. The key travels in a header, to the endpoint only:
redirects are not followed, proxies of the environment are not used, answers are bounded, and errors are raised bare,
since httpx's own hold the request with that header.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

import httpx

from lunomm.errors import (
    ConnectivityError,
    CredentialsError,
    LunommError,
    MarketDataError,
    OrderStateError,
    OutcomeUnknown,
    RateLimited,
)
from lunomm.luno import redaction, wire
from lunomm.luno.budget import CallBudget
from lunomm.luno.heads import Heads
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.replies import failure, unreadable

CONNECT_S = 2.0

IN_TURN_S = 0.005
"""Longest that a write waits until the one before it has left."""

_WRITTEN = "http11.send_request_body.complete"

T = TypeVar("T")
Params = Mapping[str, str | int | bool | None]
"""Parameters of a call; ``None`` is left out."""


class Skew(NamedTuple):
    """Luno's clock minus ours: offset_ms, known to within error_ms either way."""

    offset_ms: float
    error_ms: float


class _Reply(NamedTuple):
    status: int
    body: bytes
    retry_after: str | None


class _Departure:
    """One write: ``out`` is set once its last byte is handed to the socket, or it failed."""

    __slots__ = ("out",)

    def __init__(self) -> None:
        self.out = asyncio.Event()

    async def trace(self, name: str, _: object) -> None:
        if name == _WRITTEN:
            self.out.set()


class Transport:
    """The connection pool and the call budget of one account.

    Args:
        timeout_s: whole time of one read, its answer included. write_timeout_s: the same for a write.
    """

    def __init__(
        self, endpoint: Endpoint, key: ApiKey | None, budget: CallBudget, timeout_s: float, write_timeout_s: float
    ) -> None:
        self._endpoint = endpoint
        self._budget = budget
        self._timeout_s, self._write_timeout_s = timeout_s, write_timeout_s
        timeout = httpx.Timeout(max(timeout_s, write_timeout_s), connect=CONNECT_S, pool=CONNECT_S)
        self._heads = Heads(endpoint.rest, key, timeout)
        self._client: httpx.AsyncClient | None = None
        self._newest: _Departure | None = None
        self.date_ms: int | None = None
        self.skew: Skew | None = None
        redaction.protect(key)

    async def open(self) -> None:
        self._client = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=5, keepalive_expiry=30.0),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, path: str, shape: type[T], params: Params, *, private: bool = False, urgent: bool = False) -> T:
        """Read ``path`` as one ``shape``; private: with the key; urgent: may use the budget's reserve.

        Raises:
            ConnectivityError: after one more try. RateLimited, CredentialsError. ExchangeError: Luno's ``code``.
        """
        what = f"GET {path}"
        again = True
        while True:
            error: LunommError | None
            try:
                reply = await self._send("GET", path, params, private, urgent, self._timeout_s, self._timeout_s, None)
                error = failure(what, reply.status, reply.body, proofs=None, retry_after=reply.retry_after)
                if error is None:
                    return wire.decode(reply.body, shape, what, limit=wire.MAX_REPLY)
            except ConnectivityError as failed:
                error = failed
            except MarketDataError as bad:
                error = unreadable(what, str(bad), write=False)
            self._count(error)
            if not (again and isinstance(error, ConnectivityError)):
                raise error
            again = False

    async def post(
        self,
        path: str,
        shape: type[T],
        form: Params,
        proofs: frozenset[str],
        *,
        urgent: bool = False,
        patience_s: float,
    ) -> T:
        """Write, once, with ``form`` in the body.

        Args:
            proofs: codes that prove the write did nothing.
            patience_s: longest wait for the call budget before it is sent.

        Raises:
            OrderRejected, RateLimited, CredentialsError, ConnectivityError: it did nothing.
            OutcomeUnknown: it may have.
        """
        what = f"POST {path}"
        departure, limit_s = _Departure(), self._write_timeout_s
        try:
            reply = await self._send("POST", path, form, True, urgent, limit_s, patience_s, proofs, departure)
        finally:
            departure.out.set()
        error = failure(what, reply.status, reply.body, proofs=proofs, retry_after=reply.retry_after)
        if error is None:
            try:
                return wire.decode(reply.body, shape, what, limit=wire.MAX_REPLY)
            except MarketDataError as bad:
                error = unreadable(what, str(bad), write=True)
        self._count(error)
        raise error

    def _count(self, error: LunommError) -> None:
        if isinstance(error, RateLimited):
            self._budget.refused(time.monotonic_ns(), error.retry_after_s, random.random())

    async def _send(
        self,
        method: str,
        path: str,
        params: Params,
        private: bool,
        urgent: bool,
        limit_s: float,
        patience_s: float,
        proofs: frozenset[str] | None,
        departure: _Departure | None = None,
    ) -> _Reply:
        """One request and its whole answer. departure: of a write. Raises ConnectivityError when it never left, or, for
        a read, never came."""
        client = self._client
        if client is None:
            raise OrderStateError("a call outside of `async with LunoRest(...)`")
        if private and not self._heads.has_key:
            raise CredentialsError(f"{method} {path}: needs a key: set LUNO_KEY_ID and LUNO_KEY_SECRET")
        await self._afford(f"{method} {path}", urgent, patience_s)
        sent = {name: _text(value) for name, value in params.items() if value is not None}
        if departure is not None:
            await self._in_turn(departure)
        request = self._heads.request(method, path, sent, private=private)
        if departure is not None:
            request.extensions["trace"] = departure.trace
        began_ns = time.monotonic_ns()
        left = True
        try:
            async with asyncio.timeout(limit_s):
                response = await client.send(request, stream=True)
                try:
                    body, why = await _body(response)
                finally:
                    await response.aclose()
                if body is not None:
                    self._hear(response, time.monotonic_ns() - began_ns)
                    return _Reply(response.status_code, body, response.headers.get("retry-after"))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            left, why = False, f"cannot connect to {self._endpoint.host}: {_reason(error)}"
        except TimeoutError:
            why = f"no answer within {limit_s:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            why = f"the connection broke: {_reason(error)}"
        # Raised out here, so that httpx's error, which holds the key, is not this one's context.
        if proofs is not None and left:
            raise OutcomeUnknown(f"{method} {path}: {why}")
        raise ConnectivityError(f"{method} {path}: {why}")

    async def _in_turn(self, departure: _Departure) -> None:
        """Two orders of one step, written at once, would hold each other up: the first one leaves first."""
        before, self._newest = self._newest, departure
        if before is None or before.out.is_set():
            return
        try:
            async with asyncio.timeout(IN_TURN_S):
                await before.out.wait()
        except TimeoutError:
            return

    async def _afford(self, what: str, urgent: bool, patience_s: float) -> None:
        """Wait for the call budget; RateLimited, with nothing sent, when that would take longer than ``patience_s``."""
        until_ns = time.monotonic_ns() + int(patience_s * 1e9)
        while True:
            now_ns = time.monotonic_ns()
            wait_ns = self._budget.take(now_ns, urgent)
            if wait_ns == 0:
                return
            if now_ns + wait_ns > until_ns:
                error = RateLimited(f"{what}: our own call budget is used up", retry_after_s=wait_ns / 1e9)
                error.code = "CALL_BUDGET"
                raise error
            await asyncio.sleep(wait_ns / 1e9)

    def _hear(self, response: httpx.Response, took_ns: int) -> None:
        if response.status_code != 429:
            self._budget.accepted()
        try:
            date_ms = int(parsedate_to_datetime(response.headers.get("date", "")).timestamp() * 1000)
        except (ValueError, TypeError, OverflowError):
            return
        self.date_ms = date_ms
        if "age" not in response.headers:
            # The header is cut to the second and was written somewhere between asking and hearing.
            offset = date_ms + 500 - (time.time_ns() - took_ns / 2) / 1e6
            self.skew = Skew(offset, 500 + took_ns / 2e6)


async def _body(response: httpx.Response) -> tuple[bytes | None, str]:
    """The answer's body, or ``None`` and why it is not taken."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return None, "the answer is compressed, which was not asked for"
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > wire.MAX_REPLY:
            return None, f"the answer is longer than {wire.MAX_REPLY} bytes"
    return bytes(body), ""


def _text(value: str | int | bool | None) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _reason(error: Exception) -> str:
    """The kind of the failure and the library's word for it, which names hosts and system errors but no header."""
    said = "".join(char for char in redaction.redact(str(error))[:120] if char.isprintable())
    return f"{said} ({type(error).__name__})" if said else type(error).__name__
