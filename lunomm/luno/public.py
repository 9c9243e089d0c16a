"""Luno's public REST data, read as it is: whole answers by a short list of paths, and nothing else.

For whoever passes Luno's market on. There is no other path here and no method but GET, so that nothing which could
place or cancel an order can leave through it. The key goes along on candles only, which Luno gives to nobody without.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Self

import httpx

from lunomm import __version__
from lunomm.errors import ConnectivityError, CredentialsError, UsageError
from lunomm.luno import redaction, wire
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.replies import failure

PATHS: Mapping[str, bool] = MappingProxyType(
    {
        "/api/exchange/1/markets": False,
        "/api/1/ticker": False,
        "/api/1/tickers": False,
        "/api/1/orderbook_top": False,
        "/api/1/orderbook": False,
        "/api/1/trades": False,
        "/api/exchange/1/candles": True,
    }
)
"""What may be asked; True: only with a key."""

CONNECT_S = 2.0
ANSWER_S = 10.0
TIMED = 31
"""Answers whose round trips are remembered."""


class Answer(NamedTuple):
    """As it came. status: of HTTP."""

    status: int
    body: bytes
    media_type: str


class PublicData:
    """Use as ``async with``."""

    def __init__(self, endpoint: Endpoint, key: ApiKey | None) -> None:
        self._endpoint = endpoint
        self._auth = None if key is None else httpx.BasicAuth(key.id, key.secret)
        self._client: httpx.AsyncClient | None = None
        self._round_trips_s: deque[float] = deque(maxlen=TIMED)
        redaction.protect(key)

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            base_url=self._endpoint.rest,
            headers={"User-Agent": f"lunomm/{__version__}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=CONNECT_S),
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=5, keepalive_expiry=30.0),
            follow_redirects=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def round_trip_s(self) -> float | None:
        """Median over the last answers; None before the first."""
        return statistics.median(self._round_trips_s) if self._round_trips_s else None

    async def get(self, path: str, query: str = "") -> Answer:
        """One answer, whatever its status. query: as it stands after the question mark.

        Raises:
            UsageError: a path that is not public data.
            ConnectivityError: none came, or one longer than is accepted.
        """
        if path not in PATHS:
            raise UsageError(f"{path[:60]!a} is no public data of the exchange", code="NOT_PUBLIC")
        if self._client is None:
            raise ConnectivityError(f"GET {path}: the connection is closed")
        began_s = time.monotonic()
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                self._client.stream(
                    "GET", httpx.URL(path, query=query.encode()), auth=self._auth if PATHS[path] else None
                ) as reply,
            ):
                body = bytearray()
                async for chunk in reply.aiter_raw():
                    body += chunk
                    if len(body) > wire.MAX_REPLY:
                        raise httpx.StreamError(f"longer than {wire.MAX_REPLY} bytes")
                self._round_trips_s.append(time.monotonic() - began_s)
                return Answer(reply.status_code, bytes(body), reply.headers.get("content-type", "application/json"))
        except TimeoutError:
            why = f"no answer within {ANSWER_S:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            why = f"{redaction.redact(str(error))[:120]} ({type(error).__name__})"
        # Raised out here, so that httpx's error, which holds the key, is not this one's context.
        raise ConnectivityError(f"GET {path} of {self._endpoint.host}: {why}")

    async def check_key(self, pair: str) -> None:
        """Ask for candles, which any key may read.

        Raises:
            CredentialsError: Luno does not accept the key. ConnectivityError: no answer came.
        """
        path = "/api/exchange/1/candles"
        answer = await self.get(path, f"pair={pair}&since={time.time_ns() // 10**6 - 600_000}&duration=60")
        error = failure(f"GET {path}", answer.status, answer.body, proofs=None)
        if isinstance(error, CredentialsError):
            raise error

    async def markets(self) -> list[wire.MarketInfo]:
        """Every market of the exchange.

        Raises:
            ConnectivityError, RateLimited, ExchangeError: as Luno's answer says.
        """
        path = "/api/exchange/1/markets"
        answer = await self.get(path)
        error = failure(f"GET {path}", answer.status, answer.body, proofs=None, retry_after=None)
        if error is not None:
            raise error
        return wire.decode(answer.body, wire.Markets, f"GET {path}", limit=wire.MAX_REPLY).markets or []
