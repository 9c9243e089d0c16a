"""The recorded real frames played by the exchange: byte for byte to a plain client, and to luno-python's own book."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from luno_python.api_types import MarketState, Pair
from luno_python.stream_client import stream_market
from served import KEY, ROOT, SECRET, Served
from test_luno_python import resting
from witness import NaiveBook, witness

PAIR = "XBTZAR"
FOLDER = Path(os.environ.get("LUNOMM_RECORDINGS", ROOT.parent / "shared" / "data"))
RECORDINGS = sorted(FOLDER.glob("*.jsonl"))
LEAD_S = "10"
"""From open doors to the first recorded update: both clients are there long before, on a busy machine too."""


@pytest.mark.skipif(not RECORDINGS, reason="needs the recorded Luno frames in ../shared/data")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_the_recording_arrives_as_it_was_recorded(start: Callable[..., Served], recording: Path) -> None:
    frames = recording.read_text().splitlines()
    exchange = start("--tape", str(recording), "--tape-lead", LEAD_S, "--speed", "20").wait()
    asyncio.run(replay(exchange, frames))


async def replay(exchange: Served, frames: list[str]) -> None:
    last = json.loads(frames[-1])["sequence"]
    states: list[MarketState] = []
    end = asyncio.Event()

    def update(pair: Pair, state: MarketState, raw: dict[str, Any] | None) -> None:
        if not states:
            states.append(state)
        if state.sequence == last:
            states.append(state)
            end.set()

    async with witness(exchange.ws, PAIR) as seen:
        client = asyncio.create_task(stream_market(PAIR, KEY, SECRET, update, base_url=exchange.ws))
        assert seen.frames == frames[:1], "too late for the first update"
        await seen.has(len(frames))
        done = asyncio.create_task(end.wait())
        async with asyncio.timeout(120):
            await asyncio.wait({client, done}, return_when=asyncio.FIRST_COMPLETED)
        if client.done():
            client.result()
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
    assert seen.frames[: len(frames)] == frames
    book = NaiveBook(json.loads(frames[0]))
    for raw in frames[1:]:
        book.apply(json.loads(raw))
    assert resting(states[-1]) == book.orders
