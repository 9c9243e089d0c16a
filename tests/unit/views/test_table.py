"""Columns leave a table that is too narrow; figures are never cut."""

from __future__ import annotations

import pytest
from drawing import draw
from rich.text import Text

from lunomm.views.screen import stack
from lunomm.views.table import Column, table

COLUMNS = [
    Column("side", [Text("BID"), Text("ASK")]),
    Column("price", ["  299,949.5", "1,300,123.0"], right=True),
    Column("size", ["0.5", "12.25"], rank=2, right=True),
    Column("nothing", ["", ""]),
    Column("state", ["working on it now", "a word about that"], rank=1, prose=True),
]


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (46, ["side        price   size  state", "BID     299,949.5    0.5  working on it now"]),
        (31, ["side        price  state", "BID     299,949.5  working on"]),
        (18, ["side        price", "BID     299,949.5"]),
    ],
)
def test_what_is_shown_is_whole(width: int, rows: list[str]) -> None:
    drawn = draw(stack(table(COLUMNS, width)), width).split("\n")
    assert [row.rstrip(" …") for row in drawn[:2]] == [row.rstrip(" …") for row in rows]
    assert "nothing" not in drawn[0]


def test_no_rows_no_columns_no_head() -> None:
    assert table([], 40) == []
    assert table([Column("a", []), Column("b", [])], 40) == []
    assert len(table(COLUMNS, 60, head=False)) == 2
