"""How a command shows itself: JSON lines, plain lines, a reader that goes away."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from lunomm.commands import present
from lunomm.commands.present import Painter, Presenter, envelope, is_screen, put_line


def presenter(as_json: bool) -> Presenter:
    return Presenter("book", as_json, lambda: "screen", lambda: "a line", lambda: {"beat": 1})


@pytest.mark.parametrize(
    ("as_json", "shown"), [(True, '{"v":1,"command":"book","data":{"beat":1}}'), (False, "a line")]
)
async def test_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool, shown: str
) -> None:
    monkeypatch.setattr(present, "LINE_S", 0.01)
    monkeypatch.setattr(present, "JSON_S", 0.01)
    stop = asyncio.Event()
    task = asyncio.create_task(presenter(as_json).run(stop))
    await asyncio.sleep(0.1)
    stop.set()
    await task
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert set(lines) == {shown}


def test_the_envelope_is_versioned() -> None:
    assert json.loads(envelope("up", {"x": None})) == {"v": 1, "command": "up", "data": {"x": None}}


def test_a_live_screen_needs_a_real_terminal() -> None:
    assert not is_screen(Console(file=io.StringIO()))
    assert not is_screen(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
    assert is_screen(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"}))


def test_a_reader_that_went_away_ends_it_quietly() -> None:
    code = (
        "import asyncio\n"
        "from lunomm.commands import present\n"
        "present.LINE_S = 0.01\n"
        "async def main():\n"
        "    stop = asyncio.Event()\n"
        "    p = present.Presenter('book', False, str, lambda: 'x' * 5000, dict)\n"
        "    async with asyncio.timeout(30):\n"
        "        await p.run(stop)\n"
        "asyncio.run(main())\n"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert os.read(reader, 10)
    os.close(reader)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_putting_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert put_line("x")
    assert capsys.readouterr().out == "x\n"


def terminal() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=30, height=4, force_terminal=True, color_system=None, _environ={"TERM": "x"}), out


def test_only_the_rows_that_changed_are_written_and_nothing_is_erased() -> None:
    console, out = terminal()
    painter = Painter(console)
    painter.paint(Text("one\ntwo\nthree\nfour\nfive"))
    first = out.getvalue()
    assert all(word in first for word in ("one", "two", "three", "four")) and "five" not in first
    out.seek(0)
    out.truncate()
    painter.paint(Text("one\n2\nthree\nfour"))
    second = out.getvalue()
    assert second == "\x1b[2;1H2".ljust(len("\x1b[2;1H") + 30)
    painter.paint(Text("one\n2\nthree\nfour"))
    assert out.getvalue() == second
    assert "\x1b[2J" not in first + second


def test_a_smaller_picture_leaves_nothing_of_the_larger_and_a_resize_paints_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console, out = terminal()
    painter = Painter(console)
    painter.paint("one\ntwo\nthree")
    out.seek(0)
    out.truncate()
    painter.paint("one")
    assert out.getvalue() == "".join(f"\x1b[{row};1H" + " " * 30 for row in (2, 3))
    console.size = ConsoleDimensions(20, 4)
    painter.paint("one")
    assert out.getvalue().endswith("\x1b[1;1Hone".ljust(26) + "".join(f"\x1b[{r};1H" + " " * 20 for r in (2, 3, 4)))
    monkeypatch.setattr(present, "REPAINT_S", -1.0)
    out.seek(0)
    out.truncate()
    painter.paint("one")
    assert out.getvalue().count("\x1b[") == 4


def test_what_is_said_under_a_live_screen_is_said_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    console, out = terminal()
    with present.whole_screen(console):
        present.say("the book ended")
        assert capsys.readouterr().err == ""
    assert "\x1b[?1049h" in out.getvalue() and out.getvalue().rstrip().endswith("\x1b[?25h")
    assert capsys.readouterr().err == "lunomm: the book ended\n"
    present.say("now")
    assert capsys.readouterr().err == "lunomm: now\n"


async def test_a_screen_left_to_the_shell_is_not_drawn_and_then_drawn_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    console, out = terminal()
    monkeypatch.setattr(present, "Console", lambda: console)
    shown = presenter(False)
    drawing = asyncio.create_task(shown.run(asyncio.Event()))

    async def drawn() -> str:
        """What was written within a frame that was asked for."""
        out.seek(0)
        out.truncate()
        shown.news.set()
        for _ in range(10_000):
            if not shown.news.is_set():
                break
            await asyncio.sleep(0)
        return out.getvalue()

    assert "screen" in await drawn()
    assert await drawn() == ""  # nothing changed
    shown.held = True
    assert await drawn() == "" and await drawn() == ""
    shown.held = False
    assert "screen" in await drawn()
    drawing.cancel()
    await asyncio.wait([drawing])


def test_last_words_are_said_on_the_usual_screen(capsys: pytest.CaptureFixture[str]) -> None:
    console, _ = terminal()
    with present.whole_screen(console):
        present.say("the book ended")
        present.last_words("orders may be live")
        said = capsys.readouterr()
        assert said.out == "\x1b[?1049l\x1b[?25h"
        assert said.err == "lunomm: the book ended\nlunomm: orders may be live\n"
    present.last_words("again")
    assert capsys.readouterr() == ("", "lunomm: again\n")
