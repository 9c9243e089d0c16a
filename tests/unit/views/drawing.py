"""One way to look at a screen, for the tests of every view."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

HOSTILE = "\x1b[31mX\x1b]0;t\x07[bold red]m[/]\u202eabc\u2066漢字🧨\x9b2J\r\n[link=http://x]y[/link]"

ALLOWED = set(map(chr, range(32, 127))) | set("\n–─█▏▎▍▌▋▊▉▁▂▃▄▅▆▇◆●▲✖○σκ√±…├┤┼·")


def draw(renderable: RenderableType, width: int, height: int = 24) -> str:
    """The screen as text without styles, and nothing on it that we did not put there."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, force_terminal=False, _environ={})
    console.print(renderable)
    text = out.getvalue()
    assert set(text) <= ALLOWED, sorted(set(text) - ALLOWED)
    lines = text.rstrip("\n").split("\n")
    assert all(len(row) <= width for row in lines)
    assert len(lines) <= height, text
    return "\n".join(row.rstrip() for row in lines)
