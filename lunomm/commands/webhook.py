"""Alarms to a URL of the user's: Slack, Discord, Mattermost, ntfy, or a program of their own.

The URL is a secret (whoever has it can write there): it is never logged, shown or repeated in an error. Delivery never
holds the watching up: a bounded queue, a few attempts, and what could not be delivered is said without the URL.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Self

import httpx

from lunomm import __version__
from lunomm.commands.present import say
from lunomm.luno import redaction

WAITING = 50
"""Most alarms that wait to be delivered; beyond it the oldest is given up."""

ATTEMPTS = 4
PAUSES_S = (1.0, 5.0, 20.0)
CALL_S = 5.0
CLOSE_S = 3.0


class Webhook:
    """Use as ``async with``. url: None = nothing is sent."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._queue: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._url is not None:
            redaction.protect(None)
            self._task = asyncio.create_task(self._work(self._url), name="webhook")
        return self

    async def __aexit__(self, *_: object) -> None:
        """What waits has a few seconds yet."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        except TimeoutError:
            say("webhook: not everything was delivered")
        self._task.cancel()
        await asyncio.wait((self._task,))

    def tell(self, data: dict[str, Any], words: str) -> None:
        """Send one alarm soon. ``text`` and ``content`` are what chat services show."""
        if self._task is None:
            return
        if len(self._queue) == WAITING:
            say("webhook: too much waits: the oldest alarm is given up")
        self._queue.append({**data, "text": f"lunomm: {words}", "content": f"lunomm: {words}"})
        self._idle.clear()
        self._news.set()

    async def _work(self, url: str) -> None:
        headers = {"User-Agent": f"lunomm/{__version__}"}
        async with httpx.AsyncClient(
            timeout=CALL_S, trust_env=False, follow_redirects=False, headers=headers
        ) as client:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._queue:
                    await self._deliver(client, url, self._queue.popleft())
                self._idle.set()

    async def _deliver(self, client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> None:
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSES_S[attempt - 1])
            try:
                reply = await client.post(url, json=body)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                why = type(error).__name__
                continue
            if reply.is_success:
                return
            why = f"HTTP {reply.status_code}"
            if reply.status_code < 500 and reply.status_code != 429:
                break
        say(f"webhook: {body['kind']} was not delivered: {why}. Check LUNOMM_WEBHOOK_URL")
