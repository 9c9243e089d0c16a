"""The SVG charts: valid XML whatever the data, gaps for what is not known, outside text made harmless."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from lunomm.views.chart import Kind, Panel, Series, svg, ticks

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def test_round_ticks_inside_the_range() -> None:
    assert ticks(0.0, 10.0) == [0, 2, 4, 6, 8, 10]
    assert ticks(-0.31, 0.52) == [-0.2, 0.0, 0.2, 0.4]
    assert ticks(299_606, 300_394) == [299_800.0, 300_000.0, 300_200.0]


def test_a_gap_splits_the_line() -> None:
    drawn = parsed(svg("t", [Panel("p", "y", [Series("s", [0, 1, 2, 3, 4], [1.0, 2.0, None, 3.0, 4.0])])]))
    lines = drawn.findall(f"{SVG}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [2, 2]


def test_a_step_holds_its_value_until_the_next() -> None:
    drawn = parsed(svg("t", [Panel("p", "y", [Series("s", [0, 1], [1.0, 2.0], kind=Kind.STEP)])]))
    points = [p.split(",") for p in drawn.findall(f"{SVG}polyline")[0].attrib["points"].split()]
    assert points[0][1] == points[1][1] and points[1][0] == points[2][0]


@pytest.mark.parametrize("values", [[], [None, None], [math.nan, math.inf]])
def test_nothing_known_is_said(values: list[float | None]) -> None:
    text = svg("t", [Panel("p", "y", [Series("s", list(range(len(values))), values)])])
    assert "nothing known yet" in text and "nan" not in text and "inf" not in text.replace("role=", "")


def test_a_logarithmic_axis_leaves_out_what_is_not_positive() -> None:
    series = Series("s", [0, 1, 2], [0.0, 1.0, 100.0], kind=Kind.POINTS)
    drawn = parsed(svg("t", [Panel("p", "y", [series], log=True)]))
    assert len(drawn.findall(f"{SVG}circle")) == 2


def test_a_flat_line_has_an_axis() -> None:
    parsed(svg("t", [Panel("p", "y", [Series("s", [0, 1], [5.0, 5.0]), Series("", [0], [5.0], kind=Kind.LEVEL)])]))


def test_a_long_series_is_thinned_and_keeps_its_spike() -> None:
    y = [0.0] * 200_000
    y[123_456] = 9.0
    series = Series("s", list(range(len(y))), y)
    text = svg("t", [Panel("p", "y", [series])])
    assert len(text) < 120_000
    heights = [float(p.split(",")[1]) for p in parsed(text).findall(f"{SVG}polyline")[0].attrib["points"].split()]
    assert max(heights) - min(heights) > 200


def test_outside_text_is_text() -> None:
    nasty = "</title><script>alert(1)</script>\x1b[2J\u202e&"
    drawn = parsed(svg(nasty, [Panel(nasty, nasty, [Series(nasty, [0, 1], [1.0, 2.0])])], subtitle=nasty))
    assert drawn.find(f".//{SVG}script") is None
    assert "\x1b" not in ElementTree.tostring(drawn, encoding="unicode")
