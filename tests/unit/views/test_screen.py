"""How a row is shortened: whole fields go, and no number is ever cut."""

from __future__ import annotations

import pytest
from drawing import draw
from rich.text import Text

from lunomm.views.screen import facts, fitted, line, wrapped


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("0.1012 XBT  target 0.100015", 27, "0.1012 XBT  target 0.100015"),
        ("0.1012 XBT  target 0.100015", 26, "0.1012 XBT …"),
        ("0.1012 XBT  target 0.100015", 10, "0.1012 XBT"),
        ("0.1012 XBT  target 0.100015", 9, "0.1012 …"),
        ("0.1012 XBT  target 0.100015", 5, "…"),
        ("0.024997 @ 299,949", 17, "0.024997 @ …"),
        ("GO n=73 both intervals within 35 %", 20, "GO n=73 both …"),
        ("+1.25 MYR  spread +1.50 inventory -0.25", 26, "+1.25 MYR  spread +1.50 …"),
        ("unbroken", 5, "unbr…"),
        ("299,949", 3, "…"),
        ("", 3, ""),
        ("x", 1, "x"),
        ("xyz", 1, "…"),
    ],
)
def test_fitted(text: str, width: int, short: str) -> None:
    assert fitted(Text(text), width).plain == short
    assert fitted(Text(text, "bold"), width).plain == short


@pytest.mark.parametrize("width", range(20, 60))
def test_rows_are_as_wide_as_they_may_be_and_no_wider(width: int) -> None:
    figure = "0.1012 XBT  target 0.100015"
    text = draw(facts([("off target", figure), ("label that is long", line("a", ("1,234.5", "bold")))]), width)
    assert text.count("0.10001") == text.count("0.100015")
    assert draw(line("1,234,567.8  9,876,543.2"), width).split()[0] == "1,234,567.8"


def test_wrapped() -> None:
    assert wrapped("", 10) == []
    assert wrapped("one two three four", 8) == ["one two", "three four"]
    assert wrapped("one", 1) == ["one"]
