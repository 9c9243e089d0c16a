"""The simulated exchange as a process, and what it says of itself: the truth that clients are compared with."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("LUNOMM_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
KEY, SECRET = "sim", "sim"
START_S = 60.0

FROZEN = ("--speed", "0.000001")
"""A second of the exchange lasts eleven days: nothing moves between a client's reading and ours."""


class Served:
    """A running exchange. ``url`` is the base of REST, ``ws`` that of the streams."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"
        self._http = httpx.Client(base_url=self.url, auth=(KEY, SECRET), trust_env=False, timeout=30.0)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUNOMM_", "LUNO_"))}
        state = folder / f"state-{port}"
        state.mkdir(parents=True)
        self._log = (folder / f"exchange-{port}.log").open("w+")
        self._process = subprocess.Popen(
            [PYTHON, "-m", "lunomm", "exchange", "--json", "--port", str(port), *options],
            cwd=folder,
            env={**kept, "LUNOMM_STATE_DIR": str(state)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def wait(self) -> Served:
        """Until it answers."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                self._http.get("/sim/info").raise_for_status()
                return self
            except httpx.TransportError:
                time.sleep(0.02)
        self._log.seek(0)
        raise AssertionError(f"the exchange did not start: {self._log.read()[-2000:]}")

    def close(self) -> None:
        """Ends it; an exchange that does not end within ten seconds of being asked to is an error."""
        self._http.close()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._log.close()

    def truth(self, path: str, **given: Any) -> Any:
        """The raw reply, numbers as written, outside any budget of calls."""
        reply = self._http.get(f"/sim/truth/api/{path}", params=given)
        assert reply.status_code == 200, f"{path}: {reply.status_code} {reply.text[:200]}"
        return json.loads(reply.text)

    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = self._http.get("/sim/info").json()
        return info
