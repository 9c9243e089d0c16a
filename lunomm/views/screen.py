"""The frame all screens share: a renderable that knows its space, one heading line, label-figure lists.

All text handed in here must be ours or have passed :func:`lunomm.views.text.safe`; it is put into ``Text`` objects,
which rich does not read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
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


_GAP = re.compile(r" {2,}")
PROSE_WORDS = 4
"""A field of so many words, the first one a word, may be cut between two of them; any other is shown whole or not."""


def fitted(text: Text, width: int) -> Text:
    """The text in ``width`` cells: whole fields (parts two spaces apart) go from the end, and no number is ever cut.

    ``299,94`` for 299,949 is not a shorter price but a wrong one. What was left out is an ellipsis where one fits.
    """
    if cell_len(text.plain) <= width:
        return text
    plain = text.plain
    starts = [0, *(gap.end() for gap in _GAP.finditer(plain))]
    ends = [*(gap.start() for gap in _GAP.finditer(plain)), len(plain)]
    kept = max((i for i, end in enumerate(ends) if end and cell_len(plain[:end]) <= width), default=-1)
    at = ends[kept] if kept >= 0 else 0
    start, end = starts[kept + 1], ends[kept + 1]
    words = plain[start:end].split(" ")
    if kept < 0 or (len(words) >= PROSE_WORDS and words[0][:1].isalpha()):
        spaces = [start + i for i, character in enumerate(plain[start:end]) if character == " "]
        at = max((i for i in spaces if i > 0 and cell_len(plain[:i]) + 2 <= width), default=at)
    cut = text[:at] if at else Text()
    if at == 0:
        if width > 1 and not any(character.isdigit() for character in words[0]):
            cut = text[: width - 1]
        cut.append("…")
    elif cell_len(plain[:at]) + 2 <= width:
        cut.append(" …")
    return cut


class Line(Text):
    """One row that is shortened by :func:`fitted` to the space at hand."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        short = fitted(Text().append_text(self), options.max_width)
        short.no_wrap, short.overflow = True, "crop"
        return short.__rich_console__(console, options)


def line(*parts: str | Text | tuple[str, str], gap: str = "  ") -> Text:
    """One line of parts with ``gap`` between them, shortened between its parts rather than wrapped."""
    text = Line(no_wrap=True, overflow="ellipsis")
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


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels in a column of their own, figures right after them, each on one row. A table of rich's would cut them."""

    rows: tuple[tuple[str, Text], ...]
    label_width: int

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        wide = self.label_width + 1 + max((cell_len(figure.plain) for _, figure in self.rows), default=0)
        return Measurement(1, max(wide, 1)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for label, figure in self.rows:
            row = Text(label, palette.MUTED, no_wrap=True, overflow="crop")
            row.truncate(self.label_width, overflow="ellipsis", pad=True)
            row.append(" ")
            row.append_text(fitted(figure, max(options.max_width - self.label_width - 1, 1)))
            yield row


def facts(rows: Iterable[Fact], *, label_width: int | None = None) -> Facts:
    """Labels at the left, figures right after them; one row each, never wrapped, no figure cut."""
    drawn = tuple(
        (row[0], row[1] if isinstance(row[1], Text) else Text(row[1], row[2] if len(row) == 3 else "")) for row in rows
    )
    width = label_width if label_width is not None else max((cell_len(label) for label, _ in drawn), default=0)
    return Facts(drawn, width)


def wrapped(text: str, width: int, rows: int = 2) -> list[str]:
    """Our words on at most ``rows`` rows, broken between words; the last one holds all that is left, to be cut."""
    found: list[str] = []
    words = text.split()
    while words and len(found) < rows - 1:
        row = words.pop(0)
        while words and cell_len(row) + 1 + cell_len(words[0]) <= width:
            row += " " + words.pop(0)
        found.append(row)
    return [*found, " ".join(words)] if words else found


@dataclass(frozen=True, slots=True)
class Columns:
    """Blocks side by side. A table of rich's would measure every block before it draws it, in each frame anew."""

    blocks: tuple[RenderableType, ...]
    gap: int
    widths: tuple[int | None, ...]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = options.max_width
        fixed = sum(width for width in self.widths if width is not None) + self.gap * (len(self.blocks) - 1)
        free = sum(width is None for width in self.widths)
        share = max((whole - fixed) // free, 1) if free else 0
        drawn, left = [], whole
        for index, (block, width) in enumerate(zip(self.blocks, self.widths, strict=True)):
            if left <= 0:
                break
            room = min(share if width is None else width, left)
            gap = min(self.gap, left - room) if index < len(self.blocks) - 1 else 0
            drawn.append((_lines(console, block, options, room), room, gap))
            left -= room + gap
        for row in range(max((len(lines) for lines, _, _ in drawn), default=0)):
            for lines, room, gap in drawn:
                yield from Segment.adjust_line_length(lines[row] if row < len(lines) else [], room)
                if gap:
                    yield Segment(" " * gap)
            yield Segment.line()


def columns(*blocks: RenderableType, gap: int = 3, widths: Sequence[int | None] = ()) -> Columns:
    """Blocks side by side over the whole width; a block without a width of its own shares what is left."""
    return Columns(blocks, gap, (*widths, *[None] * (len(blocks) - len(widths))))


@dataclass(frozen=True, slots=True)
class Stack:
    """Blocks below one another, each row shortened rather than wrapped."""

    blocks: tuple[RenderableType, ...]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for block in self.blocks:
            for row in _lines(console, block, options, options.max_width):
                yield from row
                yield Segment.line()


def stack(blocks: Iterable[RenderableType]) -> Stack:
    """Blocks below one another."""
    return Stack(tuple(blocks))


def _lines(console: Console, block: RenderableType, options: ConsoleOptions, width: int) -> list[list[Segment]]:
    room = options.update(width=width, height=None, no_wrap=True, overflow="ellipsis")
    return console.render_lines(block, room, pad=False)


def rule(title: str, width: int) -> Text:
    """A thin line with a heading."""
    head = f"─ {title} " if title else ""
    return Text((head + "─" * max(width - len(head), 0))[:width], palette.MUTED, no_wrap=True, overflow="crop")
