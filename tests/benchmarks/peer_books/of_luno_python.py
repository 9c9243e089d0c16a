"""luno-python's stream: ``stream_market`` and its callback, as in its ``examples/stream.py``; the socket is a list.

``python of_luno_python.py FRAMES UPDATES [--once]``
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import luno_python.stream_client as stream_client
from serve import Tops, serve


class Socket:
    """What ``stream_market`` uses of a websockets connection."""

    def __init__(self, frames: list[str]) -> None:
        self._frames = frames

    async def __aenter__(self) -> Socket:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def send(self, _: str) -> None:
        return

    async def __aiter__(self) -> AsyncIterator[str]:
        for frame in self._frames:
            yield frame


def stream(frames: list[str], take: Any) -> None:
    stream_client.websockets.connect = lambda *_, **__: Socket(frames)
    asyncio.run(stream_client.stream_market("XBTZAR", "key", "secret", take))


def main(path: str, updates: str, *once: str) -> None:
    with Path(path).open() as file:
        frames = [line for _, line in zip(range(1 if once else int(updates) + 1), file, strict=False)]
    moments: list[float] = []
    seen: Tops = []

    def top(_: Any, state: Any, __: Any) -> None:
        moments.append(time.process_time())
        seen.append((float(state.bids[0].price), float(state.asks[0].price)))

    def run() -> tuple[float, int]:
        moments.clear()
        seen.clear()
        stream(frames, top)
        return moments[-1] - moments[0], len(moments) - 1

    if once:
        run()
        print(*seen[0])  # noqa: T201 - the answer
        return

    def tops() -> Tops:
        run()
        return seen[1:]

    serve(run, tops)


main(*sys.argv[1:])
