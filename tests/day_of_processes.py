"""``bash scripts.sh soak day --processes``: the real pieces on a simulated market faster than life, and their memory.

What `day_of_flow` leaves out is here: sockets, Redis, SQLite, tapes and event loops. Every piece is held to the same
five megabytes after the warm-up; the exchange (which remembers every order, for ever) and Redis are only told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from day_of_flow import MOST_MB, PAIR, rss_mb, verdict

sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))

import redis.asyncio as aioredis
from running import clean_environment, cpu_s, process, redis_of_its_own, until

PIECES = {
    "book": (),
    "calibrate": ("--watch",),
    "gateway": (),
    "quote": ("--order-size", "0.002", "--order-refresh-rate-s", "60"),
}
SAMPLE_S = 5.0


async def watch(minutes: float, warm_minutes: float, speed: float, say: Callable[[str], object]) -> int:
    """0: every piece stayed within the bound. 1: one did not. 2: nothing was traded, or too short to say."""
    with tempfile.TemporaryDirectory(prefix="lunomm-day-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        async with redis_of_its_own(folder) as address, aioredis.Redis(port=address.port) as client:
            environment = clean_environment(folder, address)
            venue = running.enter_context(process(environment, folder, "exchange", PAIR, "--speed", f"{speed:g}"))
            note = folder / "exchange.json"
            await until(note.exists, venue)
            url = json.loads(note.read_text())["url"]
            pids = {"exchange": venue.pid, "redis": (await client.info("server"))["process_id"]}
            for piece, options in PIECES.items():
                pids[piece] = running.enter_context(
                    process(environment, folder, piece, PAIR, *options, "--url", url)
                ).pid
            began, seen = time.monotonic(), {piece: [] for piece in pids}
            while (spent_s := time.monotonic() - began) < 60 * minutes:
                await asyncio.sleep(SAMPLE_S)
                now = {piece: rss_mb(pid) for piece, pid in pids.items()}
                tick = json.loads(await client.get(f"LOB::{PAIR}") or b"{}")
                fills = await client.xlen(f"FILLS::{PAIR}")
                where = (
                    f"{spent_s / 60:5.1f} min  sequence {tick.get('sequence')}  {tick.get('state')}  {fills} fills  "
                )
                say(where + "  ".join(f"{piece} {mb:.1f}" for piece, mb in now.items()) + " MB")
                if spent_s >= 60 * warm_minutes:
                    for piece, mb in now.items():
                        seen[piece].append(mb)
            used = {piece: cpu_s(pid) / spent_s for piece, pid in pids.items()}
    return judged(seen, used, fills, say)


def judged(seen: Mapping[str, list[float]], used: Mapping[str, float], fills: int, say: Callable[[str], object]) -> int:
    """A line for each process. seen: memory after the warm-up, MB; used: share of a core."""
    if not fills or any(len(memory) < 2 for memory in seen.values()):
        say(f"too short: {fills} fills, {min(map(len, seen.values()))} samples after the warm-up")
        return 2
    grown = []
    for piece, memory in seen.items():
        fine, told = verdict(memory)
        say(f"{piece:9} {used[piece]:5.1%} of a core; {told}")
        if piece in PIECES and not fine:
            grown.append(piece)
    if grown:
        say(f"GROWN by more than {MOST_MB:g} MB: {', '.join(grown)}")
    return 1 if grown else 0
