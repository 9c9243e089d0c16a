"""Processes and servers of a benchmark: started as a user starts them, on free ports, ended with the benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Skipped

from lunomm.bus import embedded
from lunomm.config import RedisAddress

PATIENCE_S = 60.0
LUNOMM = (sys.executable, "-m", "lunomm")
_LOGS: dict[int, Path] = {}


def needs_proc() -> None:
    """Raises: Skipped: the system does not show what its processes use."""
    if not Path("/proc/self/stat").exists():
        raise Skipped("processor time of other processes is read from /proc")


def clean_environment(folder: Path, address: RedisAddress) -> dict[str, str]:
    """No setting of the user's; compiled modules are kept, as they are where lunomm is installed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LUNO", "REDIS", "PYTHONDONTWRITE"))}
    return kept | {"LUNOMM_STATE_DIR": str(folder), "REDIS_PORT": str(address.port)}


@contextlib.asynccontextmanager
async def redis_of_its_own(folder: Path) -> AsyncIterator[RedisAddress]:
    address = RedisAddress(port=free_port())
    await embedded.ensure(address, folder, {}, lambda _: None)
    try:
        yield address
    finally:
        await embedded.stop(address, folder)


@contextlib.contextmanager
def process(environment: dict[str, str], folder: Path, *args: str, log: str = "") -> Iterator[subprocess.Popen[Any]]:
    """One ``lunomm`` command with ``--json``, ended with Ctrl-C."""
    path = folder / f"{log or args[0]}.log"
    with path.open("w") as out:
        started = subprocess.Popen(
            [*LUNOMM, *args, "--json"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    _LOGS[started.pid] = path
    try:
        yield started
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


async def until(holds: Callable[[], Any], running: subprocess.Popen[Any], every_s: float = 0.002) -> None:
    """Raises: RuntimeError: the process ended, or did not get there in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if running.poll() is not None or time.monotonic() > deadline:
            said = _LOGS[running.pid].read_text()[-400:] if running.pid in _LOGS else ""
            raise RuntimeError(f"{running.args}: did not do its part (exit code {running.poll()}): {said}")
        await asyncio.sleep(every_s)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def pss_mb(pid: int) -> float:
    """Memory of a process, MB: its own, and of what it shares (libraries) its part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
