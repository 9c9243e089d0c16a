"""The keyboard on a real pseudo terminal: its settings come back after a signal, a stop, an error and a hang-up."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

termios = pytest.importorskip("termios")

CHILD = """
import asyncio, os, signal, sys
from lunomm.commands.terminal import Keyboard

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    def pressed(keys):
        print("KEYS", [k.kind.value + k.text for k in keys], flush=True)
        if any(k.text == "x" for k in keys):
            raise_later.append(1); stop.set()
    raise_later = []
    keyboard = Keyboard(pressed, lambda shown: print("SHOWN", shown, flush=True), stop.set)
    try:
        print("OPEN", keyboard.open(), flush=True)
        await stop.wait()
        if raise_later:
            raise RuntimeError("an error")
    finally:
        keyboard.close()
asyncio.run(main())
"""


class Tty:
    def __init__(self, **streams: Any) -> None:
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHILD], start_new_session=True, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0), pass_fds=(self.slave,),
            **{"stdin": self.slave, "stdout": self.slave, **streams},
        )  # fmt: skip

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, (what, self.text)
            if select.select([self.master], [], [], 0.02)[0]:
                self.text += os.read(self.master, 4096).decode()

    def sees(self, text: str) -> None:
        self.until(lambda: text in self.text, text)

    def ended(self) -> int:
        self.until(lambda: self.child.poll() is not None, "the end")
        return int(self.child.returncode)

    def settings(self) -> Any:
        return termios.tcgetattr(self.slave)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for fd in (self.master, self.slave):
            os.close(fd)


@pytest.fixture
def tty() -> Any:
    one = Tty()
    one.sees("OPEN True")
    yield one
    one.close()


def test_keys_come_one_by_one_without_echo(tty: Tty) -> None:
    assert not tty.settings()[3] & (termios.ECHO | termios.ICANON) and tty.settings()[3] & termios.ISIG
    os.write(tty.master, b"g")
    tty.sees("KEYS ['characterg']")
    os.write(tty.master, b"\x1b")
    tty.sees("KEYS ['escape']")
    os.write(tty.master, b"\x1b[A")
    tty.sees("KEYS ['other']")
    assert "\x1b[?2004h" in tty.text


@pytest.mark.parametrize("how", ["SIGTERM", "an error", "SIGQUIT"])
def test_the_settings_are_back_after(tty: Tty, how: str) -> None:
    if how == "an error":
        os.write(tty.master, b"x")
    else:
        tty.child.send_signal(getattr(signal, how))
    code = tty.ended()
    assert code == {"SIGTERM": 0, "an error": 1, "SIGQUIT": -signal.SIGQUIT}[how]
    assert tty.settings() == tty.before
    tty.sees("\x1b[?2004l")


def test_a_stop_gives_the_terminal_back_and_going_on_takes_it_again(tty: Tty) -> None:
    os.write(tty.master, b"\x1a")  # Ctrl-Z
    tty.sees("SHOWN False")
    tty.sees("\x1b[?1049l\x1b[?25h")
    look = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
    tty.until(lambda: os.waitid(os.P_PID, tty.child.pid, look), "stopped")
    assert tty.settings() == tty.before
    tty.child.send_signal(signal.SIGCONT)
    tty.sees("SHOWN True")
    assert not tty.settings()[3] & termios.ICANON
    os.write(tty.master, b"g")
    tty.sees("KEYS ['characterg']")


def test_a_closed_terminal_is_no_error(tty: Tty) -> None:
    os.close(tty.slave)
    os.close(tty.master)
    tty.child.send_signal(signal.SIGCONT)  # with the hang-up's own end
    tty.child.wait(20)
    tty.master, tty.slave = os.openpty()  # for the fixture to close


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_without_a_terminal_there_are_no_keys_and_nothing_is_changed(stdin: int) -> None:
    one = Tty(stdin=stdin)
    try:
        one.sees("OPEN False")
        assert one.settings() == one.before
        one.child.send_signal(signal.SIGTERM)
        assert one.ended() == 0
        if one.child.stdin is not None:
            one.child.stdin.close()
    finally:
        one.close()
