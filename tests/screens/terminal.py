"""A command in a terminal of its own, and what stands on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import html
import io
import itertools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DARK = TerminalTheme(
    (13, 17, 23),
    (201, 209, 217),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207),
     (177, 186, 196)],
)  # fmt: skip
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
END_S = 60.0
CELL = 12.2
"""Width of a letter in rich's SVG."""


class Terminal:
    """One command. Feed it with :func:`feed`, and read ``text``."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            env=dict(env),
            start_new_session=True,
            # Its controlling terminal: only there are keys heard.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)

    def read(self) -> None:
        try:
            self._stream.feed(os.read(self.end, 1 << 16))
        except OSError:  # the other end is closed: the command is over
            return

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def type(self, keys: str) -> None:
        os.write(self.end, keys.encode())

    def svg(self, title: str, name: str) -> str:
        """The frame that stands there, drawn as it is: letters, colours, weight. Nothing is fetched to show it."""
        screen = self._screen
        console = Console(
            width=screen.columns, file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor",
            legacy_windows=False, _environ={},
        )  # fmt: skip
        rows = len(self.text.split("\n"))
        for y in range(rows):
            line = Text(no_wrap=True, overflow="crop")
            cells = [screen.buffer[y][x] for x in range(screen.columns)]
            for (colour, bold), run in itertools.groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
                line.append("".join(cell.data for cell in run), Style(color=_colour(colour), bold=bold))
            console.print(line, crop=True)
        svg = console.export_svg(title=title, theme=DARK, unique_id=f"lunomm-{name}")
        svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.S)
        svg = re.sub(r"font-family: [^;]*;", f"font-family: {FONTS};", svg)
        return re.sub(
            r'x="([\d.]+)" (y="[\d.]+") textLength="[\d.]+"([^>]*)>((?:&#160;)*)([^<]*?)((?:&#160;)*)<', _placed, svg
        )

    def stop(self) -> int:
        """Ctrl-C, and the end waited for; killed where it does not come."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + END_S
        while self.process.poll() is None and time.monotonic() < deadline:
            feed([self], 0.2)
        if self.process.poll() is None:
            self.process.kill()
        os.close(self.end)
        return self.process.wait()


def _placed(run: re.Match[str]) -> str:
    """A run of text where its first letter stands: not every renderer gives blanks at its ends their width."""
    x, y, rest, lead, text, _ = run.groups()
    start = float(x) + CELL * lead.count(";")
    return f'x="{start:.1f}" {y} textLength="{CELL * len(html.unescape(text)):.1f}"{rest}>{text}<'


def _colour(name: str) -> str:
    """pyte's word for a colour as rich's."""
    if name == "default":
        return DARK.foreground_color.hex
    return f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else {"brown": "yellow"}.get(name, name)


def feed(terminals: Sequence[Terminal], seconds: float) -> None:
    """Read what all of them write, for so long."""
    deadline = time.monotonic() + seconds
    ends = {terminal.end: terminal for terminal in terminals}
    while (left := deadline - time.monotonic()) > 0:
        for end in select.select(list(ends), [], [], left)[0]:
            ends[end].read()
            if ends[end].process.poll() is not None:
                ends.pop(end)
        if not ends:
            return
