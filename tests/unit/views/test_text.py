from __future__ import annotations

import io
import math
import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from lunomm.views import text

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "a\x07b\x00c",
    "[bold red]x[/bold red]",
    "[/]",
    "abc\u202edcba",
    "漢字 wide",
    "e\u0301\u0301",
    "🧨",
    "\u2066x\u2069",
    "line\nbreak\ttab\r",
    "\ud800",
]


def test_a_count_of_one_is_singular() -> None:
    said = [text.counted(count, "fill") for count in (0, 1, 2, 1234, None)]
    assert said == ["0 fills", "1 fill", "2 fills", "1,234 fills", f"{text.UNKNOWN} fills"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_safe_leaves_only_printable_ascii_without_markup(hostile: str) -> None:
    cleaned = text.safe(hostile)
    assert all(" " <= character <= "~" for character in cleaned)
    assert "[" not in cleaned and "]" not in cleaned
    table = Table.grid()
    table.add_row(cleaned)
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(table)
    assert out.getvalue().rstrip() == cleaned.rstrip()


@given(st.text(), st.integers(0, 50))
def test_safe_is_bounded_and_idempotent(raw: str, limit: int) -> None:
    cleaned = text.safe(raw, limit)
    assert len(cleaned) <= limit
    assert text.safe(cleaned, limit) == cleaned


def test_safe_keeps_what_is_harmless_and_marks_a_cut() -> None:
    harmless = "".join(c for c in string.printable if " " <= c <= "~" and c not in "[]")
    assert text.safe(harmless) == harmless
    assert text.safe("x" * 300) == "x" * 197 + "..."
    assert text.safe(None) == "None"
    assert text.safe(Decimal("1.50")) == "1.50"


@pytest.mark.parametrize(
    ("value", "decimals", "sign", "written"),
    [
        (None, None, False, "–"),
        (math.nan, 2, False, "–"),
        (Decimal("NaN"), 2, False, "–"),
        (-math.inf, 2, False, "–"),
        (Decimal("1234567.50"), None, False, "1,234,567.50"),
        (Decimal("300000"), 2, False, "300,000.00"),
        (Decimal("1E+3"), None, False, "1,000"),
        (Decimal("1e999999"), None, False, "1.000e999999"),
        (Decimal("-1e-999999"), 2, False, "0.00"),
        (Decimal("0.1"), 4, True, "+0.1000"),
        (-0.004, 2, True, "0.00"),
        (0.004, 2, True, "0.00"),
        (-1.5, 1, False, "-1.5"),
        (0.000123456789, None, False, "0.000123457"),
        (123456.789, None, False, "123,457"),
        (7, None, False, "7"),
        (7, None, True, "+7"),
        (10**400, None, False, "1.000e400"),
        (0.0, None, False, "0.00000"),
    ],
)
def test_number(value: text.Number | None, decimals: int | None, sign: bool, written: str) -> None:
    assert text.number(value, decimals, sign=sign) == written


@given(st.one_of(st.decimals(), st.floats(), st.integers()), st.one_of(st.none(), st.integers(-5, 40)))
def test_no_number_is_longer_than_its_bound(value: text.Number, decimals: int | None) -> None:
    assert len(text.number(value, decimals, sign=True)) <= 1 + 19 + 1 + text.MAX_DECIMALS


def test_column_aligns_points() -> None:
    rows = text.column([Decimal("1.5"), None, Decimal("12345.25"), Decimal("-0.001")], 2)
    assert rows == ["     1.50", "      –  ", "12,345.25", "     0.00"]
    assert len({len(row) for row in rows}) == 1
    assert text.column([], 2) == []
    assert text.column([Decimal(1), None], 0) == ["1", "–"]


def test_common_decimals() -> None:
    assert text.common_decimals([Decimal("1.500000"), Decimal("2"), None, Decimal("NaN")]) == 1
    assert text.common_decimals([Decimal("0.0000000001")]) == 8
    assert text.common_decimals([]) == 0


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (999.6, "1.0 s"),
        (9_949, "9.9 s"),
        (47_000, "47 s"),
        (99_600, "2 min"),
        (60_000 * 99, "99 min"),
        (3_600_000 * 3.4, "3.4 h"),
        (3_600_000 * 47, "47 h"),
        (86_400_000 * 9, "9 d"),
        (-250, "-250 ms"),
        (1e300, "1e+292 d"),
    ],
)
def test_age(milliseconds: float | None, written: str) -> None:
    assert text.age(milliseconds) == written


def test_units() -> None:
    assert text.bp(0.00123) == "12.3 bp"
    assert text.bp(None) == "–"
    assert text.bp(-0.0001, sign=True) == "-1.0 bp"
    assert text.percent(0.0251, 2) == "2.51 %"
    assert text.with_unit(None, "MYR") == "–"
    assert text.with_unit(Decimal("1.20"), "MYR") == "1.20 MYR"
    assert text.interval(1.0, None) == "–"
    assert text.interval(1.0, 2.5, 1) == "(1.0 to 2.5)"


@pytest.mark.parametrize(
    ("fraction", "drawn"),
    [(0.0, "    "), (None, "    "), (1.0, "████"), (7.0, "████"), (0.5, "██  "), (0.0001, "▏   "), (0.28125, "█▏  ")],
)
def test_bar(fraction: float | None, drawn: str) -> None:
    assert text.bar(fraction, 4) == drawn
    assert text.bar(fraction, 0) == ""


def test_sparkline() -> None:
    assert text.sparkline([1, 2, None, 3], 10) == "▁▅ █"
    assert text.sparkline([1, 2, 3, 4], 2) == "▁█"
    assert text.sparkline([5, 5], 4) == "▄▄"
    assert text.sparkline([None, math.nan], 4) == ""
    assert text.sparkline([1], 0) == ""


def test_figures_of_other_decimals_and_units_stand_point_below_point() -> None:
    assert text.aligned(["9,876.25 MYR", "–", "1.5", "12 %"]) == [
        "9,876.25 MYR",
        "    –       ",
        "    1.5     ",
        "   12 %     ",
    ]
    assert text.aligned([]) == []


def test_an_exact_number_for_drawing() -> None:
    assert text.as_float(Decimal("1.5")) == 1.5
    assert [text.as_float(each) for each in (None, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"))] == [None] * 4
