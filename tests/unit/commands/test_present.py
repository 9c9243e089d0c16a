"""How a command shows itself: JSON lines, plain lines, a reader that goes away."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console

from lunomm.commands import present
from lunomm.commands.present import Presenter, envelope, is_screen, put_line


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
