"""Marks on one price axis: in their order, whole labels or none."""

from __future__ import annotations

import math

import pytest

from lunomm.views.axis import Mark, axis


def plain(*marks: Mark, width: int = 60) -> list[str]:
    return [row.plain for row in axis(marks, width)]


def test_marks_stand_where_their_prices_are() -> None:
    above, drawn, below = plain(Mark(100, "A", "A 100"), Mark(150, "B", "B 150", above=False), Mark(200, "C", "C 200"))
    assert drawn.index("A") < drawn.index("B") < drawn.index("C")
    assert abs(drawn.index("B") - 29.5) <= 1
    assert "A 100" in above and "C 200" in above and below.strip() == "B 150"


def test_the_stronger_covers_the_weaker_and_keeps_its_label() -> None:
    weak, strong = Mark(199.9, "w", "a weak label", strength=1), Mark(200, "S", "the strong label", strength=2)
    above, drawn, _ = plain(Mark(100, "o", "o 100"), weak, strong, width=30)
    assert "S" in drawn and "w" not in drawn
    assert "the strong label" in above and "weak" not in above


@pytest.mark.parametrize("marks", [[], [Mark(1, "a", "a")], [Mark(math.nan, "a", "a"), Mark(5, "b", "b")]])
def test_one_price_is_no_axis(marks: list[Mark]) -> None:
    assert axis(marks, 60) == []


@pytest.mark.parametrize("width", range(1, 90, 7))
def test_nothing_is_wider_than_the_space(width: int) -> None:
    marks = [Mark(300_000.0 + i * i, str(i), f"label {i} 300,000", strength=i, above=i % 2 == 0) for i in range(9)]
    assert all(len(row) <= width for row in plain(*marks, width=width))
