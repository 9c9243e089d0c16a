"""Tables whose columns leave when the space is short: a figure is shown whole or not at all.

rich's own tables shorten cells to fit, and ``299,9…`` for 299,949 is a wrong price. Here each column says how long it
is kept; the least wanted go first, and the last one may be shortened where it is prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from lunomm.views import palette
from lunomm.views.screen import Line

GAP = 2
PROSE_WIDTH = 8
"""Narrowest room left to a column of prose."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, with its title. rank: the higher, the sooner it goes. right: figures, aligned at their ends.

    prose: words that may be cut between two of them; the last column at most.
    """

    title: str
    cells: Sequence[Text | str]
    rank: int = 0
    right: bool = False
    prose: bool = False

    @property
    def width(self) -> int:
        return max([cell_len(self.title), *(cell_len(_plain(cell)) for cell in self.cells)])


def table(columns: Sequence[Column], width: int, *, head: bool = True) -> list[RenderableType]:
    """A row of titles and one a line, in ``width`` cells. A column in which nothing stands is not shown."""
    shown = [column for column in columns if any(_plain(cell) for cell in column.cells)]
    while len(shown) > 1 and _width(shown) > width:
        worst = max(column.rank for column in shown)
        shown.remove(next(column for column in reversed(shown) if column.rank == worst))
    count = max((len(column.cells) for column in shown), default=0)
    rows: list[RenderableType] = [_row([Text(c.title, palette.MUTED) for c in shown], shown)] if head and shown else []
    for index in range(count):
        rows.append(_row([_text(column.cells[index]) for column in shown], shown))
    return rows


def _width(columns: Sequence[Column]) -> int:
    least = [min(column.width, PROSE_WIDTH) if column.prose else column.width for column in columns]
    return sum(least) + GAP * (len(columns) - 1)


def _row(cells: Sequence[Text], columns: Sequence[Column]) -> Text:
    row = Line(no_wrap=True, overflow="ellipsis")
    for index, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        pad = " " * (column.width - cell_len(cell.plain))
        if index:
            row.append(" " * GAP)
        if column.right:
            row.append(pad)
        row.append_text(cell)
        if not column.right and index < len(columns) - 1:
            row.append(pad)
    return row


def _plain(cell: Text | str) -> str:
    return cell if isinstance(cell, str) else cell.plain


def _text(cell: Text | str) -> Text:
    return Text(cell) if isinstance(cell, str) else cell
