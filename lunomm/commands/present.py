"""How a running command shows itself: a live screen in a terminal, plain lines without one, JSON lines when asked.

The only place of ``commands`` that writes to stdout and stderr. A reader that went away (``| head``) ends the command
quietly, never with a traceback.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console, ConsoleDimensions, RenderableType
from rich.control import Control
from rich.segment import Segment, Segments

LINE_S = 5.0
JSON_S = 1.0
FRAMES_PER_S = 4.0
REPAINT_S = 5.0
"""How long a stray character on the screen (another program's, a terminal's own) may stay."""

_unsaid: deque[str] | None = None
"""Lines to say when the live screen is gone; None while there is none."""


def say(text: str) -> None:
    """One line on stderr; while a live screen is up, when it is gone: there it would be painted over unread."""
    if _unsaid is not None:
        _unsaid.append(text)
        return
    try:
        sys.stderr.write(f"lunomm: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def last_words(text: str) -> None:
    """One line of a process that ends this instant: a live screen is left first, for nobody else will."""
    global _unsaid
    lines, _unsaid = _unsaid, None
    if lines is not None:
        try:
            sys.stdout.write("\x1b[?1049l\x1b[?25h")
            sys.stdout.flush()
        except (OSError, ValueError):
            pass  # the terminal is gone; the line may still reach a log
    for each in (*(lines or ()), text):
        say(each)


def envelope(command: str, data: Any) -> str:
    """The versioned JSON envelope of every ``--json`` line."""
    return msgspec.json.encode({"v": 1, "command": command, "data": data}).decode()


def put_line(text: str) -> bool:
    """One line on stdout; False when nobody reads it any more."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        _silence()
        return False
    return True


LEAST_WIDTH = 80
"""Columns of what is printed once, where there are not more."""


def printed_width(least: int = LEAST_WIDTH) -> int:
    """Columns to print in: the terminal's, at least so many."""
    return max(Console().width, least)


def put_screen(
    screen: RenderableType, *, least: int = LEAST_WIDTH, trim: bool = False, height: int | None = None
) -> None:
    """Print a view once. trim: without the blanks at the ends of its lines. height: rows it may take at most, where it
    would else fit itself to the terminal's."""
    console = Console(width=printed_width(least), height=height, file=sys.stdout)
    with console.capture() as captured:
        console.print(screen)
    text = captured.get().rstrip("\n")
    put_line("\n".join(line.rstrip() for line in text.splitlines()) if trim else text)


def _silence() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit does not complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


def is_screen(console: Console) -> bool:
    """Whether a live screen makes sense: a terminal that can move its cursor."""
    return console.is_terminal and not console.is_dumb_terminal


def progress_bar(label: str, total: int, *, shown: bool) -> Callable[[int], None]:
    """A bar on stderr for work of a known size, in a terminal only; call what is returned with how much is done."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not shown or not is_screen(console):
        return lambda done: None
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True)
    task = bar.add_task(label, total=total)
    bar.start()

    def show(done: int) -> None:
        bar.update(task, completed=done)
        bar.refresh()
        if done >= total:
            bar.stop()

    return show


@contextmanager
def whole_screen(console: Console) -> Iterator[None]:
    """The terminal's other screen without a cursor; what was said meanwhile is said once the usual one is back."""
    global _unsaid
    _unsaid = deque(maxlen=20)
    try:
        with console.screen(hide_cursor=True):
            yield
    finally:
        lines, _unsaid = _unsaid, None
        for text in lines or ():
            say(text)


class Painter:
    """Frames on a whole screen: one write each, of the rows that differ from what is there. Nothing is ever erased
    first, which is what flickers.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._there: list[list[Segment]] = []
        self._size: ConsoleDimensions | None = None
        self._whole_s = 0.0

    def paint(self, screen: RenderableType) -> None:
        console, size, now_s = self._console, self._console.size, time.monotonic()
        if size != self._size or now_s - self._whole_s > REPAINT_S:
            self._there, self._size, self._whole_s = [], size, now_s
        options = console.options.update_dimensions(size.width, size.height)
        rows = [Segment.adjust_line_length(row, size.width) for row in console.render_lines(screen, options)]
        rows += [[Segment(" " * size.width)]] * (size.height - len(rows))
        changed: list[Segment] = []
        for at, row in enumerate(rows[: size.height]):
            if at >= len(self._there) or row != self._there[at]:
                changed += [Control.move_to(0, at).segment, *row]
        self._there = rows
        if changed:
            console.print(Segments(changed), end="", soft_wrap=True)


class Presenter:
    """Shows one command until it stops.

    Args:
        render: the screen now. line: one plain line now. data: the object of one JSON line now, or of several.

    Attributes:
        news: set it to have the screen drawn at once. held: nothing is drawn, the terminal is somebody else's.
    """

    def __init__(
        self,
        command: str,
        json: bool,
        render: Callable[[], RenderableType],
        line: Callable[[], str],
        data: Callable[[], dict[str, Any] | list[dict[str, Any]]],
    ) -> None:
        self._command = command
        self._json = json
        self._render = render
        self._line = line
        self._data = data
        self._was_screen = False
        self.news = asyncio.Event()
        self.held = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Sets it itself when nobody reads stdout any more."""
        console = Console()
        if self._json:
            await self._lines(stop, JSON_S, self._json_lines)
        elif is_screen(console):
            await self._screen(console)
        else:
            await self._lines(stop, LINE_S, self._line)

    def _json_lines(self) -> str:
        data = self._data()
        return "\n".join(envelope(self._command, each) for each in (data if isinstance(data, list) else [data]))

    async def _lines(self, stop: asyncio.Event, every_s: float, text: Callable[[], str]) -> None:
        while not stop.is_set():
            if not put_line(text()):
                stop.set()
                return
            await _pause(stop, every_s)

    async def _screen(self, console: Console) -> None:
        # It stays up, until cancelled, while the command ends (a gateway cancels and verifies): the screen shows that.
        self._was_screen = True
        painter = Painter(console)
        with whole_screen(console):
            while True:
                if self.held:
                    painter = Painter(console)  # nothing that was drawn is there any more
                else:
                    painter.paint(self._render())
                self.news.clear()
                await _pause(self.news, 1 / FRAMES_PER_S)

    def finish(self) -> None:
        """Say the last state in one plain line after a live screen is gone."""
        if self._was_screen:
            self._was_screen = False
            put_line(self._line())


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
