"""The way between a process's REST client and the exchange: where calls are lost, late, doubled, refused or mangled.

`Transport` keeps all of itself (budget, time-outs, what an answer proves); only its httpx client is this. A request
that was sent arrives whatever becomes of its sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx
import msgspec

from campaign.loop import PROCESS, Process

if TYPE_CHECKING:
    from campaign.world import World

ERRORS = ((500, "ErrInternal"), (502, ""), (503, ""), (504, ""), (500, "ErrDeadlineExceeded"))
PAGES = (
    (200, b"<html><body>Just a moment...</body></html>"),
    (403, b"<html><title>Attention Required!</title></html>"),
    (200, b""),
    (200, b'{"order_id": "BX'),
    (520, b"error code: 520"),
)


@dataclass
class Answer:
    """What httpx would give."""

    status_code: int
    body: bytes
    headers: dict[str, str]

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        yield self.body

    async def aclose(self) -> None:
        return


def error(status: int, code: str) -> Answer:
    body = msgspec.json.encode({"error": "Something went wrong, our bad", "error_code": code}) if code else b""
    return Answer(status, body, {})


class Client:
    """What `Transport` uses of ``httpx.AsyncClient``."""

    def __init__(self, link: RestLink) -> None:
        process = PROCESS.get()
        assert process is not None
        self._link, self._process = link, process

    async def send(self, request: httpx.Request, *, stream: bool) -> Answer:
        assert stream
        given = dict(parse_qsl((request.content or request.url.query).decode()))
        return await self._link.send(self._process, request.method, request.url.path, given)

    async def aclose(self) -> None:
        return


class RestLink:
    """hole, down, storm, maintenance, revoked: what every call meets now."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hole = self.down = self.storm = self.maintenance = self.revoked = False
        self._balance: tuple[float, Answer] | None = None

    def healthy(self) -> bool:
        return not (self.hole or self.down or self.storm or self.maintenance or self.revoked)

    # --- the client's end -------------------------------------------------------------------------------------------

    async def send(self, process: Process, method: str, path: str, given: dict[str, str]) -> Answer:
        world = self.world
        kind = "post" if path.endswith("/postorder") else "cancel" if path.endswith("/stoporder") else "read"
        fires, rng = world.faults.fires, world.rng
        if kind == "cancel":
            world.checker.cancel_sent(given.get("order_id", ""))
        heard: asyncio.Future[Answer | Exception] = world.loop.create_future()
        if self.down or fires("rest.refused"):
            self._hurt()
            await asyncio.sleep(rng.uniform(0.001, 0.1))
            raise httpx.ConnectError("Connection refused")
        out, back = rng.uniform(0.02, 0.17), rng.uniform(0.02, 0.17)
        if kind != "read" and fires("kill.after_send"):
            world.loop.later(out * rng.random(), world.kill, process, "after a write was sent")
        if self.hole or (kind == "post" and fires("post.request_lost")) or (
            fires("cancel.request_lost") if kind == "cancel" else fires("read.lost") if kind == "read" else False
        ):  # fmt: skip
            self._hurt()
        else:
            if fires("rest.slow"):
                self._hurt()
                back += rng.uniform(1.0, 6.0)
            if kind == "post" and fires("post.late"):
                self._hurt()
                out += rng.uniform(2.0, 12.0)
            world.loop.later(out, self._arrive, process, kind, method, path, given, back, heard)
        found = await heard
        if isinstance(found, Exception):
            raise found
        if kind != "read" and fires("kill.before_reply"):
            world.kill(process, "before an answer was read")
            await world.loop.create_future()
        return found

    def _hurt(self) -> None:
        self.world.checker.sources.rest_hurt()

    # --- the exchange's end -----------------------------------------------------------------------------------------

    def _arrive(
        self,
        process: Process,
        kind: str,
        method: str,
        path: str,
        given: dict[str, str],
        back: float,
        heard: asyncio.Future[Answer | Exception],
    ) -> None:
        answer = self._meet(process, kind, method, path, given)
        if answer is None:
            self._hurt()
            return
        if isinstance(answer, Exception) or answer.status_code in (401, 403, 429) or answer.status_code >= 500:
            self._hurt()
        if isinstance(answer, Answer):
            answer.headers.setdefault("date", formatdate(self.world.true_ms / 1000, usegmt=True))
        self.world.loop.later(back, self._hear, heard, answer)

    def _hear(self, heard: asyncio.Future[Answer | Exception], answer: Answer | Exception) -> None:
        if not heard.done():
            heard.set_result(answer)

    def _meet(
        self, process: Process, kind: str, method: str, path: str, given: dict[str, str]
    ) -> Answer | Exception | None:
        """What the edge, or the exchange behind it, says; None: nothing ever."""
        world = self.world
        fires, rng = world.faults.fires, world.rng
        world.checker.called(process, path)
        if self.storm or fires("rest.too_many"):
            after = {"retry-after": str(rng.randint(1, 5))} if rng.random() < 0.5 else {}
            return Answer(429, error(429, "ErrTooManyRequests").body, after)
        if self.maintenance:
            return error(503, "ErrUnderMaintenance")
        if self.revoked and path not in ("/api/exchange/1/markets", "/api/1/ticker"):
            return error(401, "ErrApiKeyRevoked")
        if fires("rest.reset"):
            if rng.random() < 0.5:
                self._perform(process, method, path, given)
            return httpx.ReadError("Connection reset by peer")
        if fires("rest.page"):
            if rng.random() < 0.5:
                self._perform(process, method, path, given)
            status, body = rng.choice(PAGES)
            return Answer(status, body, {})
        if kind == "post":
            return self._post(process, method, path, given)
        if kind == "cancel":
            return self._cancel(process, method, path, given)
        if fires("read.error"):
            return error(*rng.choice(ERRORS))
        return self._read(process, method, path, given)

    def _post(self, process: Process, method: str, path: str, given: dict[str, str]) -> Answer | None:
        fires, rng = self.world.faults.fires, self.world.rng
        if fires("post.error_before"):
            return error(*rng.choice(ERRORS))
        if fires("post.error_then_late"):
            self.world.loop.later(rng.uniform(0.3, 2.5), self._perform, process, method, path, given)
            return error(*rng.choice(ERRORS))
        if fires("post.balance_refused"):
            return error(400, "ErrInsufficientBalance")
        answer = self._perform(process, method, path, given)
        if fires("post.twice"):
            self._hurt()
            answer = self._perform(process, method, path, given)
        if fires("post.reply_lost"):
            return None
        return error(*rng.choice(ERRORS)) if fires("post.error_after") else answer

    def _cancel(self, process: Process, method: str, path: str, given: dict[str, str]) -> Answer | None:
        fires, rng = self.world.faults.fires, self.world.rng
        if fires("cancel.false"):
            self._hurt()
            return Answer(200, b'{"success":false}', {})
        if fires("cancel.error"):
            if rng.random() < 0.5:
                self._perform(process, method, path, given)
            return error(*rng.choice(ERRORS))
        answer = self._perform(process, method, path, given)
        return None if fires("cancel.reply_lost") else answer

    def _read(self, process: Process, method: str, path: str, given: dict[str, str]) -> Answer:
        world = self.world
        fires, now = world.faults.fires, world.loop.time()
        answer = self._perform(process, method, path, given)
        if answer.status_code != 200:
            return answer
        if path == "/api/1/balance":
            old, self._balance = self._balance, (now, answer)
            if old is not None and now - old[0] <= 2.0 and fires("read.balance_old"):
                return Answer(200, old[1].body, {})
        elif path == "/api/1/listtrades" and fires("read.trades_lag"):
            body = msgspec.json.decode(answer.body)
            since = world.true_ms - round(world.rng.uniform(500, 6000))
            # Mostly the newest rows, now and then one in the middle: "may lag behind the latest data" excludes nothing.
            rows = [row for row in body["trades"] or () if row["timestamp"] <= since or world.rng.random() < 0.2]
            return Answer(200, msgspec.json.encode({"trades": rows}), {})
        elif path == "/api/exchange/3/order" and b'"PENDING"' in answer.body and fires("read.awaiting"):
            return Answer(200, answer.body.replace(b'"PENDING"', b'"AWAITING"'), {})
        return answer

    def _perform(self, process: Process, method: str, path: str, given: dict[str, str]) -> Answer:
        status, body = self.world.market.call(process, method, path, given)
        return Answer(status, body, {})
