"""The faults of a served exchange: armed over HTTP from this machine, kept in time, and replies that are none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lunomm.errors import UsageError
from lunomm.simulator.access import is_loopback_peer
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.fault_actions import FaultActions
from lunomm.simulator.fault_table import TABLE, asked
from lunomm.simulator.faults import CallDecision, Faults

MAX_ORDER = 4096

_PAGE = b"<html>\n<head><title>%s</title></head>\n<body><center><h1>%s</h1></center><hr></body>\n</html>\n"
_WORDS = {500: b"Internal Server Error", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Time-out"}


class FaultService:
    """Args: monotonic_ns: the clock all faults are timed by."""

    def __init__(self, exchange: Exchange, faults: Faults, monotonic_ns: Callable[[], int]) -> None:
        self.faults = faults
        self._actions = FaultActions(exchange)
        self._exchange = exchange
        self._now_ns = monotonic_ns

    def keep(self, now_ms: int) -> None:
        """Perform what is due. now_ms: the exchange's time."""
        for action in self.faults.due(self._now_ns()):
            for problem in self._actions.perform(action, now_ms):
                sys.stderr.write(f"{problem}\n")

    def data(self) -> list[dict[str, object]]:
        now_ns = self._now_ns()
        return [armed.data(now_ns) for armed in self.faults.armed]

    async def answer(self, http: HttpRequest) -> Response:
        """``GET /sim/faults``: what is armed. ``POST``: ``{"arm": NAME, "parameters": {...}}`` or ``{"disarm": ...}``.

        disarm takes the number or the name of a fault, or ``all``.
        """
        if http.client is None or not is_loopback_peer(http.client.host):
            return _json({"error": "faults are armed from this machine only", "error_code": "NOT_LOOPBACK"}, 403)
        if http.method == "GET":
            return _json({"armed": self.data(), "known": list(TABLE)})
        try:
            return self._order(await _order(http))
        except UsageError as error:
            return _json({"error": str(error).removeprefix("--fault: "), "error_code": error.code}, 400)

    def _order(self, order: dict[str, Any]) -> Response:
        if set(order) - {"arm", "parameters", "disarm"} or ("arm" in order) == ("disarm" in order):
            raise UsageError('give {"arm": NAME, "parameters": {...}} or {"disarm": NUMBER or NAME or "all"}')
        if "disarm" in order:
            what = order["disarm"]
            if type(what) not in (int, str):
                raise UsageError("disarm: give the number or the name of a fault, or all")
            gone = self.faults.disarm(None if what == "all" else what)
            if not gone and what != "all":
                raise UsageError("disarm: no such fault is armed")
            return _json({"disarmed": gone, "armed": self.data()})
        parameters = order.get("parameters") or {}
        if not isinstance(order["arm"], str) or not isinstance(parameters, dict):
            raise UsageError("arm: give the name of a fault, and parameters as an object")
        wanted = asked(order["arm"], parameters)
        if wanted.word("pair") and wanted.word("pair") not in self._exchange.pairs:
            raise UsageError(f"pair: give one of {', '.join(self._exchange.pairs)}")
        armed = self.faults.arm(wanted, self._now_ns())
        return _json({"id": armed.number, "armed": self.data()})


async def _order(http: HttpRequest) -> dict[str, Any]:
    body = b""
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_ORDER:
            raise UsageError(f"the request is larger than {MAX_ORDER} bytes")
    try:
        order = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UsageError("the request is not JSON") from None
    if not isinstance(order, dict):
        raise UsageError("the request is not an object")
    return order


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def faulty_reply(decision: CallDecision, true: Response | None) -> Response:
    """What goes out in place of the true reply (None: the call was not executed)."""
    if decision.reply == "none":
        await asyncio.sleep(decision.wait_s)
        return _Broken(b"")
    if decision.reply == "truncated":
        return _Broken(bytes(true.body) if true is not None else b'{"order_id":"BXMC2')
    if decision.reply == "empty":
        return Response(b"", 200, media_type="application/json")
    if decision.reply == "html":
        return Response(_PAGE % (b"Just a moment...", b"Just a moment..."), 200, media_type="text/html")
    status = int(decision.reply)
    if status == 429:
        headers = {"Retry-After": f"{decision.retry_after_s:.0f}"} if decision.retry_after_s else None
        content = {"error": "You are exceeding the allowed request rate limit", "error_code": "ErrTooManyRequests"}
        return Response(msgspec.json.encode(content), 429, headers=headers, media_type="application/json")
    if status == 500:
        return _json({"error": "Something went wrong, our bad", "error_code": "ErrInternal"}, 500)
    title = b"%d %s" % (status, _WORDS[status])
    return Response(_PAGE % (title, title), status, media_type="text/html")


class _Broken(Response):
    """Half of a body, then the connection ends; without a body not even the headers are whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = bytes(self.body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(whole) + 64).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})
