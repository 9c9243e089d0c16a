"""Many pairs: all in one `lunomm book`, or a process for each. What a message costs, what a pair needs, who is behind.

The exchange trades the same eight pairs all the time, so that it costs the same whoever listens. Every setting is
measured once in each round, the book started anew, in an order that turns with the round; ratios are taken in a round.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness import Outcome, ratio, spread
from listening import Heard, listening
from running import clean_environment, cpu_s, needs_proc, process, pss_mb, redis_of_its_own, until

from lunomm.config import RedisAddress
from lunomm.simulator.profiles import CATALOGUE

SIZES = (1, 2, 4, 8)
PAIRS = tuple(CATALOGUE)[: max(SIZES)]
PROFILE, SPEED = "XBTZAR", 5
ROUNDS = 3
WARM_S = 3.0
WINDOW_S = 8.0
SAMPLE_S = 0.05

WORK = (
    f"`lunomm book` with {', '.join(map(str, SIZES))} pairs of `lunomm exchange --profile {PROFILE} --speed {SPEED}` "
    f"(19 updates a second at speed 1, 15,000 orders a pair), in one process or one for each pair; {WINDOW_S:g} s each"
)
LEAVES_OUT = "quote and gateway; TLS; the exchange, Redis and the reader of every tick share the machine with the books"


class Setting(NamedTuple):
    pairs: int
    processes: int

    def text(self) -> str:
        if self.pairs == 1:
            return "1 pair"
        return f"{self.pairs} pairs in one process" if self.processes == 1 else f"{self.processes} processes"


SETTINGS = [Setting(size, count) for size in SIZES for count in dict.fromkeys((1, size))]


@dataclass
class Found:
    """One setting in one round. cpu_s, pss_mb: of all its processes; behind: frames, of the pair furthest behind."""

    frames: int
    ticks: int
    took_s: float
    cpu_s: float
    pss_mb: float
    behind: list[int]
    caught_up_ms: float

    @property
    def message_us(self) -> float:
        return self.cpu_s / self.frames * 1e6


def run() -> Outcome:
    needs_proc()
    return asyncio.run(_run())


async def _run() -> Outcome:
    found: dict[Setting, list[Found]] = {setting: [] for setting in SETTINGS}
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        folder = Path(name)
        async with redis_of_its_own(folder) as address:
            environment = clean_environment(folder, address)
            exchange = process(environment, folder, "exchange", *PAIRS, "--profile", PROFILE, "--speed", str(SPEED))
            with exchange as venue:
                note = folder / "exchange.json"
                await until(note.exists, venue)
                url = json.loads(note.read_text())["url"]
                for number in range(ROUNDS):
                    turn = number % len(SETTINGS)
                    for setting in SETTINGS[turn:] + SETTINGS[:turn]:
                        found[setting].append(await _measure(setting, folder, address, environment, url))
    return outcome(found)


async def _measure(
    setting: Setting, folder: Path, address: RedisAddress, environment: dict[str, str], url: str
) -> Found:
    pairs = PAIRS[: setting.pairs]
    each = setting.pairs // setting.processes
    shares = [pairs[first : first + each] for first in range(0, len(pairs), each)]
    heard = {pair: Heard() for pair in pairs}
    with contextlib.ExitStack() as running:
        books = [
            running.enter_context(process(environment, folder, "book", *share, log=f"book-{share[0]}"))
            for share in shares
        ]
        async with listening(url, address, heard):
            for share, book in zip(shares, books, strict=True):
                await until(lambda share=share: all(heard[p].published and heard[p].sequence for p in share), book)
            await asyncio.sleep(WARM_S)
            for one in heard.values():
                one.count = one.ticks = 0
            behind = []
            begin, before = time.monotonic(), sum(cpu_s(book.pid) for book in books)
            while time.monotonic() < begin + WINDOW_S:
                await asyncio.sleep(SAMPLE_S)
                behind.append(max(one.behind for one in heard.values()))
            took, used = time.monotonic() - begin, sum(cpu_s(book.pid) for book in books) - before
            frames, ticks = (sum(getattr(one, what) for one in heard.values()) for what in ("count", "ticks"))
            memory = sum(pss_mb(book.pid) for book in books)
            last, end = {pair: one.sequence for pair, one in heard.items()}, time.monotonic()
            await until(lambda: all(heard[pair].published >= at for pair, at in last.items()), books[0])
            caught_up_ms = (time.monotonic() - end) * 1000
    return Found(frames, ticks, took, used, memory, behind, caught_up_ms)


def outcome(found: dict[Setting, list[Found]]) -> Outcome:
    """Ratios of a round each, and what every setting needs."""
    cost = {setting: [one.message_us for one in rounds] for setting, rounds in found.items()}
    memory = {setting: [one.pss_mb for one in rounds] for setting, rounds in found.items()}
    ratios, figures = {}, {}
    for size in SIZES[1:]:
        one, many = Setting(size, 1), Setting(size, size)
        ratios[f"CPU of a message: {one.text()} / 1 pair"] = ratio(cost[one], cost[Setting(1, 1)])
    for size in SIZES[1:]:
        one, many = Setting(size, 1), Setting(size, size)
        ratios[f"CPU of a message: {many.text()} / {one.text()}"] = ratio(cost[many], cost[one])
        ratios[f"memory: {many.text()} / {one.text()}"] = ratio(memory[many], memory[one])
    for setting, rounds in found.items():
        pairs = setting.pairs
        rate = spread([one.frames / one.took_s for one in rounds]).median
        cpu = spread([one.cpu_s / one.took_s for one in rounds]).median
        own = spread(memory[setting]).median
        behind = [frames for one in rounds for frames in one.behind]
        published = sum(one.ticks for one in rounds) / sum(one.frames for one in rounds)
        figures[setting.text()] = (
            f"{rate:.0f} messages/s, {published:.0%} of them a tick; CPU of a core {cpu:.1%}, a pair "
            f"{cpu / pairs:.1%}; memory (PSS) {own:.0f} MB, a pair {own / pairs:.0f} MB; behind: median "
            f"{spread(behind).median:.0f} frames, most {max(behind)}; the last frame was published at most "
            f"{max(one.caught_up_ms for one in rounds):.0f} ms after it was read here"
        )
    times = {f"CPU of a message, {setting.text()}": spread(us) for setting, us in cost.items()}
    return Outcome("scale", WORK, LEAVES_OUT, times, ratios, figures)
