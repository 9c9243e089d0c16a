"""The terminal of a live screen that has keys: one key at a time without echo, and its settings put back whatever
happens.

Only the settings of stdin are changed, and only while this process owns the terminal (a job in the background that
touches them is stopped by the system). Signals are still made by Ctrl-C, Ctrl-Z and Ctrl-\\; Ctrl-S does not stop the
output, for a process that cannot write cannot supervise. stdin stays blocking, as it shares that flag with stdout: it
is read only when the loop says that there is something.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from lunomm.views.keyboard import Decoder, Key

try:
    import termios
except ImportError:  # Windows: no keys there
    termios = None  # type: ignore[assignment]

READ = 1024
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
"""The terminal marks what is pasted."""
BACK = "\x1b[?1049h\x1b[?25l\x1b[2J" + PASTE_ON
GONE = PASTE_OFF + "\x1b[?1049l\x1b[?25h"
"""To the other screen without a cursor, and from it: what `present` does, for a stop in between."""


class Keyboard:
    """Keys of stdin for the running loop.

    Args:
        pressed: given the keys of each read. shown: told False when the screen is left for the shell (Ctrl-Z), True
            when it is back. closed: told when stdin has ended; there are no keys after that.
    """

    def __init__(
        self, pressed: Callable[[list[Key]], None], shown: Callable[[bool], None], closed: Callable[[], None]
    ) -> None:
        self._pressed, self._shown, self._closed = pressed, shown, closed
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fd = -1
        self._saved: list[Any] | None = None
        self._held: list[int] = []

    def open(self) -> bool:
        """Begin to read; False where stdin is no terminal of ours, and then nothing was changed."""
        if termios is None or sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
            return False
        self._fd = sys.stdin.fileno()
        if not self._take():
            return False
        for number, act in (
            (signal.SIGTSTP, self._suspend),
            (signal.SIGCONT, self._resume),
            (signal.SIGQUIT, self._quit),
        ):
            self._loop.add_signal_handler(number, act)
            self._held.append(number)
        return True

    def close(self) -> None:
        """Everything as it was found. Again is no harm."""
        for number in self._held:
            self._loop.remove_signal_handler(number)
        self._held = []
        self._leave()

    def _take(self) -> bool:
        try:
            if os.tcgetpgrp(self._fd) != os.getpgrp():
                return False
            saved = termios.tcgetattr(self._fd)
            mine = [*saved[:6], list(saved[6])]
            mine[0] &= ~termios.IXON
            mine[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
            mine[6][termios.VMIN], mine[6][termios.VTIME] = 1, 0
            _set(self._fd, mine)
            self._loop.add_reader(self._fd, self._read)
        except (OSError, termios.error, NotImplementedError):
            return False  # it went away in between, or this loop reads no terminals: a screen without keys
        self._saved = saved
        _put(PASTE_ON)
        return True

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._saved is None:
            return
        self._loop.remove_reader(self._fd)
        saved, self._saved = self._saved, None
        try:
            if os.tcgetpgrp(self._fd) != os.getpgrp():
                return  # stopped and put in the background by others: the shell has set it its own way since
            _put(PASTE_OFF)
            # What was typed at this screen is not the shell's to run.
            termios.tcflush(self._fd, termios.TCIFLUSH)
            _set(self._fd, saved)
        except (OSError, termios.error):
            return  # the terminal is gone, and its settings with it

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ)
        except InterruptedError:
            return
        except OSError:
            data = b""  # hung up
        if not data:
            self._leave()
            self._closed()
            return
        self._give(self._decoder.feed(data, time.monotonic()))

    def _give(self, keys: list[Key]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at = self._decoder.wake_s()
        self._timer = None if at is None else self._loop.call_later(max(at - time.monotonic(), 0) + 0.001, self._rest)
        if keys:
            self._pressed(keys)

    def _rest(self) -> None:
        self._give(self._decoder.rest(time.monotonic()))

    # --- signals -----------------------------------------------------------------------------------------------------

    def _suspend(self) -> None:
        self._shown(False)
        self._leave()
        _put(GONE)
        os.kill(os.getpid(), signal.SIGSTOP)

    def _resume(self) -> None:
        """In the foreground again; in the background nothing is drawn over the shell."""
        self._leave()
        back = self._take()
        if back:
            _put(BACK)
        self._shown(back)

    def _quit(self) -> None:
        self.close()
        _put(GONE)
        os.kill(os.getpid(), signal.SIGQUIT)


def _set(fd: int, settings: list[Any]) -> None:
    """Now, and without being stopped for it should the terminal have gone to another job."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        termios.tcsetattr(fd, termios.TCSANOW, settings)
    finally:
        signal.signal(signal.SIGTTOU, before)


def _put(text: str) -> None:
    """To the terminal of the screen, behind what is still on its way there."""
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), text.encode())
    except (OSError, ValueError):
        return  # nobody reads it any more, which `present` finds out for itself
