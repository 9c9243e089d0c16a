"""How long a command takes to answer, and a piece to its first message on the bus, from a cold process."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import redis
from harness import Outcome, Subject, ratio, side_by_side, spread
from running import LUNOMM, clean_environment, cpu_s, needs_proc, process, redis_of_its_own, until

PAIR = "XBTMYR"
FLOOR = "bare --help"
BARE = """
import typer
app = typer.Typer(name="bare", no_args_is_help=True, rich_markup_mode="rich")
@app.callback()
def root() -> None: ...
@app.command()
def one(json: bool = typer.Option(False, "--json", help="A flag.")) -> None:
    "A command with one option."
app()
"""

ROUNDS = 31
"""A cold process is short, and what else a machine does shows in it."""

WORK = (
    "one cold process: `--help` of a Typer app of one command with rich help; `lunomm --help`; `lunomm status` on an "
    "empty Redis, and on one with a whole pipeline"
)
LEAVES_OUT = "reading the modules from a disk (they are in memory), compiling them, the terminal"

FIRST = (
    ("book", "LOB", ()),
    ("calibrate", "HEALTH::calibrate", ("--watch",)),
    ("gateway", "ACCOUNT", ()),
    ("quote", "QUOTES", ()),
)
"""A piece, the key of its first message, its options. In the order in which each has what it needs."""


def children_cpu_s() -> float:
    """User and system seconds of the children that have ended: what runs beside them is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run() -> Outcome:
    needs_proc()
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        return asyncio.run(_measure(Path(name)))


async def _measure(folder: Path) -> Outcome:
    async with redis_of_its_own(folder) as address:
        environment = clean_environment(folder, address)
        bare = folder / "bare.py"
        bare.write_text(BARE)

        def command(*args: str) -> Subject:
            def prepare() -> Callable[[], int]:
                def work() -> int:
                    subprocess.run(args, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
                    return 1

                return work

            return prepare

        subjects = {
            "python": command(sys.executable, "-c", "pass"),
            FLOOR: command(sys.executable, str(bare), "--help"),
            "bare one --json": command(sys.executable, str(bare), "one", "--json"),
            "lunomm --help": command(*LUNOMM, "--help"),
            "lunomm status": command(*LUNOMM, "status"),
            "lunomm status --json": command(*LUNOMM, "status", "--json"),
        }
        busy = {name: subjects[name] for name in (FLOOR, "lunomm status", "lunomm status --json")}
        empty = side_by_side(subjects, rounds=ROUNDS, clock=children_cpu_s)
        first, running = await _first_messages(folder, environment, address.port, busy)
    found = {"": empty, ", a pipeline running": running}
    ours = [(name, how, times) for how, of in found.items() for name, times in of.items() if name.startswith("lunomm")]
    return Outcome(
        "startup",
        WORK,
        LEAVES_OUT,
        {f"{name}{how}": spread(times) for how, of in found.items() for name, times in of.items()},
        {f"{name}{how} / {FLOOR}": ratio(times, found[how][FLOOR]) for name, how, times in ours},
        first,
    )


async def _first_messages(
    folder: Path, environment: dict[str, str], port: int, subjects: Mapping[str, Subject]
) -> tuple[dict[str, str], dict[str, list[float]]]:
    """From the start of each piece's process to its first message on the bus, on a simulated exchange that runs.

    Then, with all of them up, what ``subjects`` cost.
    """
    told: dict[str, str] = {}
    with (
        redis.Redis(port=port, decode_responses=True) as client,
        process(environment, folder, "exchange", PAIR) as venue,
    ):
        note = folder / "exchange.json"
        await until(note.exists, venue)
        url = json.loads(note.read_text())["url"]
        running = []
        try:
            for piece, key, options in FIRST:
                began = time.monotonic()
                context = process(environment, folder, piece, PAIR, *options, "--url", url)
                started = context.__enter__()
                running.append(context)
                await until(lambda key=key: client.exists(f"{key}::{PAIR}"), started)
                took, used = time.monotonic() - began, cpu_s(started.pid)
                told[f"{piece}: first {key}"] = f"after {took * 1000:.0f} ms, {used * 1000:.0f} ms of CPU"
            return told, side_by_side(subjects, rounds=ROUNDS, clock=children_cpu_s)
        finally:
            for context in reversed(running):
                context.__exit__(None, None, None)
