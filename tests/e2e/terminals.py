"""The command line as processes: each test has its own state folder and Redis port, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"

needs_recording = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded XBTZAR frames are not on this machine")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true value of ``holds``, or a failure that says what did not come true."""
    deadline = time.monotonic() + within_s
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s} s: {what}")
        time.sleep(0.1)


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def last(self) -> dict[str, Any]:
        """The last line of stdout as the envelope's data."""
        lines = [line for line in self.out.splitlines() if line.strip()]
        assert lines, f"nothing on stdout; stderr: {self.err[-2000:]}"
        envelope = json.loads(lines[-1])
        assert envelope["v"] == 1
        data: dict[str, Any] = envelope["data"]
        return data

    @property
    def error_line(self) -> str:
        """The one error line; fails on a traceback or on more than one line starting with the program's name."""
        assert "Traceback" not in self.err, self.err
        assert self.err.strip(), "nothing on stderr"
        return self.err.strip().splitlines()[-1]


@dataclass
class Desk:
    """One user's machine: a state folder, a Redis port, and the processes started there."""

    folder: Path
    redis_port: int
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUNO", "REDIS"))}
        return {
            **clean,
            "LUNOMM_STATE_DIR": str(self.folder / "state"),
            "REDIS_PORT": str(self.redis_port),
            "COLUMNS": "120",
            # A filled side would rest a minute; tests that wait for two quotes should not.
            "LUNOMM_FILLED_ORDER_DELAY_S": "2",
            **(extra or {}),
        }

    def run(self, *args: str, env: Mapping[str, str] | None = None, timeout: float = 110) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "lunomm", *args],
            cwd=self.folder,
            env=self.env(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def spawn(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        log = (self.folder / f"{len(self.children):02d}-{args[0]}.log").open("w")
        child = subprocess.Popen(
            [sys.executable, "-m", "lunomm", *args],
            cwd=self.folder,
            env=self.env(env),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        log.close()
        self.children.append(child)
        return child

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.read_text()[-1500:]}" for p in sorted(self.folder.glob("*.log")))

    # --- the exchange's own truth ---

    @property
    def exchange(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.folder / "state" / "exchange.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return found

    def ask(self, path: str, **params: str) -> Any:
        """A private read, outside the account's call budget."""
        found = self.exchange
        assert found is not None, "no exchange"
        with httpx.Client(base_url=found["url"], auth=("sim", "sim"), trust_env=False, timeout=5) as client:
            reply = client.get("/sim/truth" + path, params=params)
            reply.raise_for_status()
            return reply.json()

    def open_orders(self, pair: str = "XBTMYR") -> list[dict[str, Any]]:
        if self.exchange is None:
            return []
        try:
            return list(self.ask("/api/exchange/2/listorders", pair=pair)["orders"] or [])
        except httpx.TransportError:
            return []

    def ended_orders(self, pair: str = "XBTMYR") -> list[dict[str, Any]]:
        return [row for row in self.ask("/api/1/listorders", pair=pair)["orders"] or [] if row["state"] == "COMPLETE"]

    def two_sided(self, pair: str = "XBTMYR") -> bool:
        return sorted(order["side"] for order in self.open_orders(pair)) == ["BUY", "SELL"]

    def stop(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait(5)
        self.run("down", "--force")


def processes_of(folder: Path) -> list[int]:
    """Processes whose environment or arguments name ``folder`` (Linux; elsewhere none can be told)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
        state = (entry / "stat").read_text().rpartition(")")[2].split()[0] if (entry / "stat").exists() else "Z"
        if str(folder).encode() in text and state != "Z":
            found.append(int(entry.name))
    return found


def left_behind(folder: Path, within_s: float = 10.0) -> list[int]:
    """What still runs for ``folder``; a guardian sees the end of its gateway a moment later, and that is waited for."""
    deadline = time.monotonic() + within_s
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
