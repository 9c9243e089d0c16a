"""Take the pictures: `python -m tests.screens [FOLDER]` (default .github/screens).

Five terminals on a seeded simulated Luno, a Redis of its own, a state folder of its own; the pictures are taken when
both sides rest and something has filled. Then the same market under ``lunomm up``.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.screens.terminal import Terminal, feed

PAIR = "XBTMYR"
COLUMNS, ROWS = 104, 32
UP_ROWS = 38
FIRST_FILL_S = 300.0
SETTLE_S = 3.0
SEED = "--seed=7"
PIECES = {
    "exchange": ["exchange", PAIR, SEED],
    "book": ["book", PAIR],
    "gateway": ["gateway", PAIR],
    "quote": ["quote", PAIR],
    "status": ["status"],
}


def main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path(__file__).parents[2] / ".github" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lunomm-screens-") as state:
        env = environment(state)
        try:
            pieces(env, folder)
            alone(env, folder)
        finally:
            subprocess.run([*lunomm(), "down"], env=env, stdout=subprocess.DEVNULL, timeout=120, check=False)
    return 0


def lunomm() -> list[str]:
    return [sys.executable, "-m", "lunomm"]


def environment(state: str) -> dict[str, str]:
    """No key, no setting of the user's, and a Redis nobody else has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUNO", "REDIS", "COLORTERM"))}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {**kept, "LUNOMM_STATE_DIR": state, "REDIS_PORT": str(port), "TERM": "xterm-256color"}


def pieces(env: dict[str, str], folder: Path) -> None:
    """A terminal each, as the README tells a user to start them."""
    running: dict[str, Terminal] = {}
    try:
        for name, command in PIECES.items():
            running[name] = Terminal([*lunomm(), *command], env, COLUMNS, ROWS)
            feed(list(running.values()), 2.0)
        wait(
            running,
            lambda: "QUOTING" in running["quote"].text and running["gateway"].text.count(" maker") >= 3,
            "both sides quoted, and three fills",
        )
        feed(list(running.values()), SETTLE_S)
        for name, terminal in running.items():
            keep(terminal, folder, name, "lunomm " + " ".join(PIECES[name]))
    finally:
        for terminal in reversed(running.values()):
            terminal.stop()


def alone(env: dict[str, str], folder: Path) -> None:
    """The whole pipeline under one command."""
    up = Terminal([*lunomm(), "up", PAIR, SEED], env, COLUMNS, UP_ROWS)
    try:
        wait({"up": up}, lambda: filled(up.text), "a fill, and an order that rests")
        keep(up, folder, "up", f"lunomm up {PAIR}")
    finally:
        up.stop()


def filled(text: str) -> bool:
    return "working" in text and re.search(r"fills +[1-9]", text) is not None


def keep(terminal: Terminal, folder: Path, name: str, title: str) -> None:
    (folder / f"{name}.svg").write_text(terminal.svg(title, name), encoding="utf-8")
    sys.stdout.write(f"{folder / name}.svg\n")


def wait(running: dict[str, Terminal], holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + FIRST_FILL_S
    while not holds():
        feed(list(running.values()), 0.5)
        for name, terminal in running.items():
            if terminal.process.poll() is not None:
                sys.exit(f"screens: {name} ended:\n{terminal.text}")
        if time.monotonic() > deadline:
            shown = "\n\n".join(f"--- {name}\n{terminal.text}" for name, terminal in running.items())
            sys.exit(f"screens: not within {FIRST_FILL_S:g} s: {what}\n{shown}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
