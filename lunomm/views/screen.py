"""The frame all screens share: a renderable that knows its space, one heading line, label-figure lists.

All text handed in here must be ours or have passed :func:`lunomm.views.text.safe`; it is put into ``Text`` objects,
which rich does not read as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lunomm.views import palette

Fact = tuple[str, str | Text] | tuple[str, str | Text, str]
"""A label, its figure with unit, and optionally the figure's style."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A renderable drawn for the space at hand: ``draw(width, height)`` in cells, anew for each frame.

    That is what makes a resize harmless: nothing is laid out before the terminal's size is known, and what does not
    fit the height is cut at the bottom.
    """

    draw: Callable[[int, int], RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height if options.height is not None else console.size.height
        drawn = self.draw(max(options.max_width, 20), max(height, 6))
        rows = console.render_lines(drawn, options.update(height=None), pad=False)
        for row in rows[:height]:
            yield from row
            yield Segment.line()


def line(*parts: str | Text | tuple[str, str], gap: str = "  ") -> Text:
    """One line of parts with ``gap`` between them, cut with an ellipsis rather than wrapped."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for part in parts:
        piece = Text(part[0], part[1]) if isinstance(part, tuple) else Text(part) if isinstance(part, str) else part
        if not piece.plain:
            continue
        if text.plain:
            text.append(gap)
        text.append_text(piece)
    return text


def status_word(word: str, style: str) -> Text:
    """A state as shape and word, coloured."""
    return Text(f"{palette.mark(style)} {word}", style)


def facts(rows: Iterable[Fact], *, label_width: int | None = None) -> Table:
    """Labels at the left, figures right after them; one row each, never wrapped."""
    grid = Table.grid(padding=(0, 1), expand=False)
    grid.add_column(
        style=palette.MUTED, no_wrap=True, min_width=label_width, max_width=label_width, overflow="ellipsis"
    )
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for row in rows:
        figure = row[1] if isinstance(row[1], Text) else Text(row[1], row[2] if len(row) == 3 else "")
        grid.add_row(Text(row[0]), figure)
    return grid


def columns(*blocks: RenderableType, gap: int = 3, widths: Sequence[int | None] = ()) -> Table:
    """Blocks side by side over the whole width; a block without a width of its own shares what is left."""
    grid = Table.grid(padding=(0, gap, 0, 0), expand=True, pad_edge=False)
    for index in range(len(blocks)):
        width = widths[index] if index < len(widths) else None
        grid.add_column(width=width, ratio=1 if width is None else None, no_wrap=True, overflow="ellipsis")
    grid.add_row(*blocks)
    return grid


def stack(blocks: Iterable[RenderableType]) -> Table:
    """Blocks below one another."""
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for block in blocks:
        grid.add_row(block)
    return grid


def rule(title: str, width: int) -> Text:
    """A thin line with a heading."""
    head = f"─ {title} " if title else ""
    return Text((head + "─" * max(width - len(head), 0))[:width], palette.MUTED, no_wrap=True, overflow="crop")
