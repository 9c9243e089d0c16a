"""Recorders at work: a line a market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from rich.console import RenderableType
from rich.text import Text

from lunomm.views import palette
from lunomm.views.screen import Line, Sized, line, stack, status_word
from lunomm.views.text import number, safe, with_unit


@dataclass(frozen=True, slots=True)
class RecordView:
    """One market. recording: there is a book to record changes of. path: of the file under way, size: bytes of it.

    frames: applied since the start. losses: of the stream. note: what goes wrong now.
    """

    pair: str
    source: str
    recording: bool
    path: str | None
    size: int
    frames: int
    frames_per_s: float | None
    losses: int
    note: str


def record_screen(views: Sequence[RecordView]) -> RenderableType:
    """All of them."""

    def draw(width: int, height: int) -> RenderableType:
        source = views[0].source if views else ""
        blocks: list[RenderableType] = [line(("RECORD", palette.STRONG), (safe(source, 80), palette.MUTED)), Text()]
        for view in views:
            word = status_word("recording", palette.GOOD) if view.recording else status_word("waiting", palette.WARN)
            blocks.append(Line.assemble((f"{safe(view.pair, 20):10}", palette.STRONG), word, f"  {_figures(view)}"))
            if view.path is not None:
                blocks.append(Text(f"          {safe(view.path, 200)}", palette.MUTED))
            if view.note:
                blocks.append(Text(f"          {safe(view.note, 200)}", palette.WARN))
        return stack(blocks)

    return Sized(draw)


def record_line(view: RecordView) -> str:
    """For a log."""
    name = "" if view.path is None else f"  {safe(PurePath(view.path).name, 80)}"
    note = f"  {safe(view.note, 120)}" if view.note else ""
    return f"{safe(view.pair, 20)} {'recording' if view.recording else 'waiting'}  {_figures(view)}{name}{note}"


def _figures(view: RecordView) -> str:
    rate = with_unit(view.frames_per_s, "/s", 1)
    size = with_unit(view.size / 2**20, "MiB", 2)
    return f"{number(view.frames)} frames  {rate}  {size}  {number(view.losses)} losses"
