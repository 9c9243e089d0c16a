"""One simulator process at twenty times the recorded XBTZAR message rate, with ``lunomm book`` keeping up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from pathlib import Path

from harness import Outcome, side_by_side, spread
from listening import Heard, listening
from recorded import PAIR, decode_floor
from running import clean_environment, cpu_s, needs_proc, process, redis_of_its_own, until

from lunomm.config import RedisAddress

RECORDED_PER_S = 19.0
"""Updates a second of the recorded XBTZAR stream, median."""

TIMES = 20
SPEED = 25
WINDOW_S = 20.0
WARM_S = 5.0
SAMPLE_S = 0.05

WORK = f"`lunomm exchange {PAIR} --speed {SPEED}` for {WINDOW_S:g} s, read by `lunomm book {PAIR}` and a plain client"
LEAVES_OUT = "quote, gateway and their calls; TLS; all processes share one machine with this one"


def run() -> Outcome:
    needs_proc()
    return asyncio.run(_run())


async def _run() -> Outcome:
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        folder = Path(name)
        async with redis_of_its_own(folder) as address:
            return await _measure(folder, address)


async def _measure(folder: Path, address: RedisAddress) -> Outcome:
    environment = clean_environment(folder, address)
    with contextlib.ExitStack() as running:
        exchange = running.enter_context(process(environment, folder, "exchange", PAIR, "--speed", str(SPEED)))
        note = folder / "exchange.json"
        await until(lambda: note.exists(), exchange)
        url = json.loads(note.read_text())["url"]
        book = running.enter_context(process(environment, folder, "book", PAIR))
        heard, lags = Heard(), []
        async with listening(url, address, {PAIR: heard}, keep=True):
            await until(lambda: heard.published > 0 and heard.sequence > 0, book)
            await asyncio.sleep(WARM_S)
            heard.frames.clear()
            heard.ticks = 0
            begin, before = time.monotonic(), (cpu_s(exchange.pid), cpu_s(book.pid))
            while time.monotonic() < begin + WINDOW_S:
                await asyncio.sleep(SAMPLE_S)
                lags.append(heard.behind)
            took = time.monotonic() - begin
            cpu = [after - then for after, then in zip((cpu_s(exchange.pid), cpu_s(book.pid)), before, strict=True)]
            frames, ticks, last = list(heard.frames), heard.ticks, heard.sequence
            end = time.monotonic()
            await until(lambda: heard.published >= last, book)
            caught_up_ms = (time.monotonic() - end) * 1000
    rate = len(frames) / took
    floor = side_by_side({"decode floor": lambda: decode_floor(frames)}, rounds=5)["decode floor"]
    each = [seconds / len(frames) * 1e6 for seconds in cpu]
    return Outcome(
        "exchange_serves",
        WORK,
        LEAVES_OUT,
        {
            "decode floor": spread(floor),
            "exchange CPU for a frame": spread(each[:1]),
            "book CPU for a frame": spread(each[1:]),
        },
        {
            "exchange / decode floor": spread([each[0] / least for least in floor]),
            "book / decode floor": spread([each[1] / least for least in floor]),
        },
        {
            "frames/s over the socket": f"{rate:.0f} (wanted {TIMES * RECORDED_PER_S:.0f}: "
            f"{'reached' if rate >= TIMES * RECORDED_PER_S else 'NOT reached'}), "
            f"{rate / RECORDED_PER_S:.1f} times the recorded rate",
            "CPU of a core": f"exchange {cpu[0] / took:.0%}, book {cpu[1] / took:.0%}",
            "ticks published/s": f"{ticks / took:.0f} ({ticks / len(frames):.0%} of the frames)",
            "book behind the socket": f"median {spread(lags).median:.0f} frames, most {max(lags)}; "
            f"the last frame was published {caught_up_ms:.0f} ms after it was read here",
        },
    )
