"""The simulated exchange on the network: REST and both streams on one loopback port, and the loop that keeps time.

Every answer is Luno's: its JSON, its error codes, an empty 404 for an unknown path. Only loopback is ever bound, and
only loopback names are answered, so no web page can reach it by a name of its own.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lunomm.errors import ConnectivityError
from lunomm.luno.public import PATHS, Answer
from lunomm.simulator.access import CallBudgets, basic_credentials, is_loopback_host, is_loopback_origin
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.calls import CALLS, Call, Request, touched
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.fault_service import FaultService, faulty_reply
from lunomm.simulator.fault_table import CALL
from lunomm.simulator.faults import CLEAN, CallDecision, Faults
from lunomm.simulator.lagging import Lagging
from lunomm.simulator.parameters import merge
from lunomm.simulator.refusals import VenueError, refuse
from lunomm.simulator.reply_style import error_json, reply_json
from lunomm.simulator.sockets import MutableSocket, QuietServer, bind
from lunomm.simulator.streams import Streams, StreamTimes

__all__ = ["ExchangeServer", "bind"]

MAX_BODY = 64 * 1024
BODY_S = 10.0
"""Patience for the body of a request: the official clients give up after as long."""

BATCH = 50
"""Actions performed before others of this process get a turn."""

LONGEST_NAP_S = 0.25
"""The clock is looked at least so often: it may jump (a suspended machine, a corrected wall clock)."""

_FORM = "application/x-www-form-urlencoded"


class ExchangeServer:
    """One exchange, served.

    Args:
        now_ns: The exchange's clock, Unix ns. speed: its seconds in one of ours.
        info: The object of ``GET /sim/info``. faults: what goes wrong; none unless armed.
        public: who answers for public data (path, query), where it is somebody else's market. None of this exchange's
            own then, neither ``/sim/faults`` nor ``/sim/truth``: what it passes on is as it came.
        delay_s: how much later than it came a call that acts reaches the market.
    """

    def __init__(
        self,
        exchange: Exchange,
        now_ns: Callable[[], int],
        *,
        speed: float = 1.0,
        info: Callable[[], dict[str, Any]] = dict,
        times: StreamTimes | None = None,
        calls_per_minute: int | None = None,
        queue_limit: int = 20_000,
        faults: Faults | None = None,
        public: Callable[[str, str], Awaitable[Answer]] | None = None,
        delay_s: Callable[[], float] | None = None,
    ) -> None:
        self.exchange = exchange
        self.faults = faults or Faults(draws(exchange.setting.seed, "faults").ids)
        self.streams = Streams(exchange, times, queue_limit=queue_limit, faults=self.faults)
        self.fault_service = FaultService(exchange, self.faults, time.monotonic_ns)
        self._lagging = Lagging()
        self.budgets = CallBudgets() if calls_per_minute is None else CallBudgets(calls_per_minute)
        self.calls = 0
        self.refused = 0
        self._now_ns = now_ns
        self._speed = speed
        self._info = info
        self._public = public
        self._delay_s = delay_s
        self._server: uvicorn.Server | None = None

    @property
    def app(self) -> ASGIApp:
        routes: list[BaseRoute] = [Route("/sim/info", self._answer_info, methods=["GET"])]
        if self._public is None:
            routes.append(Route("/sim/faults", self.fault_service.answer, methods=["GET", "POST"]))
        for path in dict.fromkeys(call.path for call in CALLS):
            by_method = {call.method: call for call in CALLS if call.path == path}
            routes.append(Route(path, self._endpoint(by_method), methods=list(by_method)))
            if "GET" in by_method and self._public is None:
                # Watching must not use up what the watched one may call: the same replies, outside the budget.
                routes.append(Route("/sim/truth" + path, self._endpoint(by_method, counted=False), methods=["GET"]))
        routes.append(WebSocketRoute("/api/1/stream/{pair}", self.streams.market))
        routes.append(WebSocketRoute("/api/1/userstream", self.streams.user))
        handlers: dict[Any, Any] = {
            HTTPException: _empty,
            VenueError: self._refused,
            ConnectivityError: self._unreachable,
            ClientDisconnect: _nobody,
            Exception: self._internal,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False  # a path with a slash too many is an unknown path
        return _LoopbackOnly(app)

    async def keep_time(self) -> None:
        """Perform what is due when it is due, for ever; when behind, in batches with a turn for the others between."""
        while True:
            now_ns = self._now_ns()
            self.fault_service.keep(now_ns // 1_000_000)
            done = self.exchange.run_until(now_ns, BATCH)
            self.streams.pump()
            if not done:
                await asyncio.sleep(0)
                continue
            due = self.exchange.next_ns
            nap_s = LONGEST_NAP_S if due is None else (due - self._now_ns()) / 1e9 / self._speed
            await asyncio.sleep(min(max(nap_s, 0.0), LONGEST_NAP_S))

    async def serve(self, listening: socket.socket, *, started: asyncio.Event | None = None) -> None:
        """Serve until cancelled or :meth:`stop`; then all connections are closed within half a second."""
        times = self.streams.times
        config = uvicorn.Config(
            self.app,
            ws=MutableSocket,
            ws_max_size=MAX_BODY,
            ws_ping_interval=times.ping_s,
            ws_ping_timeout=max(times.silence_s - times.ping_s, 0.1),
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=65,
        )
        self._server = server = QuietServer(config, started)
        clock = asyncio.create_task(self.keep_time(), name="exchange:clock")
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="exchange:server")
        try:
            await asyncio.wait({clock, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.should_exit = True
            clock.cancel()
            await asyncio.wait({serving}, timeout=0.4)
            server.force_exit = True
            await asyncio.wait({serving}, timeout=0.5)
            serving.cancel()
            results = await asyncio.gather(clock, serving, return_exceptions=True)
            listening.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    # --- REST ------------------------------------------------------------------------------------------------------

    def _endpoint(self, by_method: dict[str, Call], *, counted: bool = True) -> Callable[[HttpRequest], Any]:
        async def answer(http: HttpRequest) -> Response:
            call = by_method.get(http.method) or by_method["GET"]
            return await self._call(call, http, counted=counted)

        return answer

    async def _call(self, call: Call, http: HttpRequest, *, counted: bool) -> Response:
        self.calls += counted
        form = await _form(http)
        credentials = basic_credentials(http.headers.get("authorization", ""))
        key = None if credentials is None else self.exchange.keys.find(*credentials)
        who = f"key {key.key_id}" if key is not None else f"from {http.client.host if http.client else ''}"
        if counted and not self.budgets.take(who, time.monotonic_ns()):
            raise refuse("ErrTooManyRequests")
        if call.needs is not None:
            if key is None:
                raise refuse("ErrUnauthorised")
            if key.revoked:
                raise refuse("ErrApiKeyRevoked")
            if not key.may(call.needs):
                raise refuse("ErrInsufficientPerms")
        if self._public is not None and call.path in PATHS:
            answer = await self._public(call.path, http.url.query)
            return Response(answer.body, answer.status, media_type=answer.media_type)
        if self._delay_s is not None and call.acts:
            await asyncio.sleep(self._delay_s())
        given = merge(http.url.query, form)
        fault = self._fault(call, given.text("pair")) if counted else CLEAN
        if fault.hold_s:
            await asyncio.sleep(fault.hold_s)
        if fault.refuse:
            raise refuse(fault.refuse)
        if fault.reply and not fault.executed:
            return await faulty_reply(fault, None)
        # A visitor meets the market as it is now, not as it was when the loop last had a turn.
        self.fault_service.keep(self._now_ns() // 1_000_000)
        self.exchange.run_until(self._now_ns(), BATCH)
        owner = "" if key is None else key.owner
        now_ms = self._now_ns() // 1_000_000
        off_ms = 0 if call.acts else round(fault.skew_s * 1000)
        request = Request(now_ms + off_ms, owner, given, http.path_params.get("id", ""), fault)
        if self.faults.touches(CALL) and owner:
            self._lagging.note(self.exchange, owner, now_ms)
        try:
            reply = call.answer(self.exchange, request)
        finally:
            if call.acts:
                for pair in touched(self.exchange, call, request):
                    self.exchange.visited(pair, request.now_ms)
            self.streams.pump()
        if fault.lag_s:
            reply = self._lagging.reply(reply, owner, now_ms - round(fault.lag_s * 1000))
        headers = {"Date": _date(fault.skew_s)} if fault.skew_s else None
        body = reply_json(reply, self.exchange.venue.behaviour)
        true = Response(body, headers=headers, media_type="application/json")
        return await faulty_reply(fault, true) if fault.reply else true

    def _fault(self, call: Call, pair: str) -> CallDecision:
        return self.faults.on_call(call.name, pair, time.monotonic_ns(), keyed=call.needs is not None)

    async def _refused(self, http: HttpRequest, error: Exception) -> Response:
        assert isinstance(error, VenueError)
        return _error(error, self.exchange.venue.behaviour)

    async def _unreachable(self, http: HttpRequest, error: Exception) -> Response:
        """The upstream does not answer: as Luno's own gateway would say it."""
        return _error(refuse("ErrInternal", detail=str(error)[:200], status=502), self.exchange.venue.behaviour)

    async def _internal(self, http: HttpRequest, error: Exception) -> Response:
        """A bug of ours: the client gets Luno's word for it, the log the rest."""
        traceback.print_exception(error, file=sys.stderr)
        return _error(refuse("ErrInternal"), self.exchange.venue.behaviour)

    async def _answer_info(self, http: HttpRequest) -> Response:
        return Response(msgspec.json.encode(self._info()), media_type="application/json")


class _LoopbackOnly:
    """Answers only requests made under a loopback name, and dates the replies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            origin = headers.get(b"origin")
            if not is_loopback_host(headers.get(b"host", "")) or (
                scope["type"] == "websocket" and origin is not None and not is_loopback_origin(origin)
            ):
                if scope["type"] == "websocket":
                    await receive()
                    await send({"type": "websocket.close", "code": 1008, "reason": ""})
                else:
                    error = VenueError(403, "ErrUnauthorised", "This simulated exchange answers loopback names only")
                    await _error(error)(scope, receive, send)
                return
        await self._app(scope, receive, _dated(send) if scope["type"] == "http" else send)


def _dated(send: Send) -> Send:
    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start" and not any(name == b"date" for name, _ in message["headers"]):
            message["headers"] = [*message["headers"], (b"date", _date().encode())]
        await send(message)

    return dated


def _date(off_s: float = 0.0) -> str:
    return formatdate(time.time() + off_s, usegmt=True)


async def _form(http: HttpRequest) -> str:
    """The urlencoded body as text; other bodies are ignored, as Luno's clients send none.

    Raises:
        VenueError: larger than 64 KiB, or not all there within ten seconds.
        ClientDisconnect: the client went before.
    """
    body = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in http.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise VenueError(413, "ErrInvalidArguments", "The request is too large")
    except TimeoutError:
        raise VenueError(408, "ErrInvalidArguments", "The request took too long to arrive") from None
    if http.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    return body.decode("utf-8", errors="replace")


def _error(error: VenueError, behaviour: Behaviour | None = None) -> Response:
    body = error_json(error.body(), behaviour or Behaviour())
    return Response(body, error.status, media_type="application/json")


async def _empty(http: HttpRequest, error: Exception) -> Response:
    """An unknown path or method: Luno answers with an empty body."""
    assert isinstance(error, HTTPException)
    return Response(b"", error.status_code, headers=error.headers)


async def _nobody(http: HttpRequest, error: Exception) -> Response:
    """The client went before it had said everything: nobody reads this."""
    return Response(b"", 400)
