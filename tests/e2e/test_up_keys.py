"""`lunomm up` in a real pseudo terminal: keys change the running quoter, pause it, panic and end it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from terminals import Desk, wait_until

termios = pytest.importorskip("termios")

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One child on a terminal of its own, 80 x 24; what it wrote, without its codes."""

    def __init__(self, desk: Desk, *args: str) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        env = {k: v for k, v in desk.env({"TERM": "xterm-256color"}).items() if k != "COLUMNS"}
        self.child = subprocess.Popen(
            [sys.executable, "-m", "lunomm", *args], cwd=desk.folder, env=env, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), text=True,
        )  # fmt: skip
        desk.children.append(self.child)
        self.slave = slave
        self.raw = ""

    def read(self) -> str:
        while select.select([self.master], [], [], 0)[0]:
            self.raw += os.read(self.master, 65536).decode("utf-8", "replace")
        return CODES.sub("", self.raw)

    def sees(self, text: str, within_s: float = 15) -> None:
        """Until it was written after the last key."""
        wait_until(lambda: text in self.read(), within_s, f"{text!r} on the screen; there is {self.read()[-3000:]!r}")

    def press(self, *keys: str) -> None:
        """One at a time, each when the last one is surely read alone."""
        self.read()
        self.raw = ""
        for key in keys:
            os.write(self.master, key.encode())
            self.watch(0.15)

    def watch(self, seconds: float) -> None:
        """Hands off the keys: what comes too soon after others is no key, and that is the point."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            select.select([self.master], [], [], 0.02)
            self.read()

    def settings(self) -> Any:
        return termios.tcgetattr(self.slave)


@contextmanager
def terminal(desk: Desk, *args: str) -> Iterator[Terminal]:
    one = Terminal(desk, *args)
    try:
        yield one
    finally:
        if one.child.poll() is None:
            one.child.send_signal(signal.SIGTERM)
            wait_until(lambda: (one.read(), one.child.poll() is not None)[1], 30, "it ends")
        os.close(one.master)
        os.close(one.slave)


def test_keys_change_pause_and_panic_and_the_terminal_is_as_before(desk: Desk) -> None:
    with terminal(desk, "up") as up:
        up.sees("! panic  q end", 45)
        wait_until(lambda: (up.read(), desk.two_sided())[1], 45, "a bid and an ask on the exchange")
        assert not up.settings()[3] & (termios.ECHO | termios.ICANON)

        # What is no key: junk, marked and not, arrows, Alt.
        for junk in ("g9\rp!PANIC\rq", "\x1b[200~g9\r!PANIC\rq\x1b[201~", "\x1b[A\x1bOp\x1bq\x1b[24~"):
            up.press(junk)
            up.watch(0.5)
        up.press("g", "-", "1", "\r")
        up.sees("--gamma: '-1.0': out of range")
        up.press("\x15", "2", "\r")
        up.sees("XBTMYR: gamma 1 -> 2, taken")
        wait_until(lambda: (up.read(), _gamma(desk) == "2")[1], 10, "the quoter says the same")

        up.press("p")
        up.sees("PAUSED XBTMYR: by")
        wait_until(lambda: (up.read(), desk.open_orders() == [])[1], 10, "no order while paused")
        up.press("u")
        up.sees("quoting again, taken")
        wait_until(lambda: (up.read(), desk.open_orders() != [])[1], 20, "orders after the pause")

        up.press("!", *"PANI", "\r")
        assert desk.open_orders() != []
        up.press("C", "\r")
        up.sees("HALTED", 20)
        up.sees("none left: two listings", 30)
        assert desk.open_orders() == []
        journaled = " ".join(_requests(desk))
        assert all(word in journaled for word in ("gamma", "-> 2", "pause", "unpause")), journaled
        assert "9" not in re.sub(r".*gamma \S+ -> (\S+).*", r"\1", journaled), journaled  # the junk's

        up.press("q")
        wait_until(lambda: (up.read(), up.child.poll() is not None)[1], 30, "q ends it")
        assert up.child.returncode == 0, up.read()[-2000:]
        assert up.settings() == up.before
        assert "\x1b[?2004l" in up.raw and "orders left on the exchange: 0" in up.read()


def _gamma(desk: Desk) -> str:
    """As `lunomm status` tells it."""
    (quote,) = [piece for piece in desk.run("status", "--json").last["pieces"] if piece["piece"] == "quote"]
    text: str = quote["health"]["settings"]["gamma"]
    return text


def _requests(desk: Desk) -> list[str]:
    """The words of every request in the gateway's journal."""
    (path,) = (desk.folder / "state").glob("journal-sim-*.sqlite3")
    with sqlite3.connect(path) as journal:
        return [str(row[-2]) for row in journal.execute("select * from requests order by rowid")]
