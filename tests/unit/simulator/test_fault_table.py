from __future__ import annotations

import re

import pytest

from lunomm.errors import UsageError
from lunomm.simulator.fault_table import BOUNDS, COMMON, TABLE, asked, parse_fault, table

OF_THE_VENUE = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, *range(12, 32), 34, 35, 36, 37, 38, 39, 42, 43, 44, 45}
"""Rows of the fault matrix that an exchange alone can cause, each by a fault of its own."""


def test_every_row_a_venue_can_cause_has_a_fault() -> None:
    named = {int(row) for kind in TABLE.values() for row in re.findall(r"F-(\d+)", kind.rows)}
    assert OF_THE_VENUE - named == set()


@pytest.mark.parametrize("name", sorted(TABLE))
def test_each_has_a_sentence_rows_and_bounded_parameters(name: str) -> None:
    kind = TABLE[name]
    assert kind.says and re.fullmatch(r"F-\d\d( F-\d\d)*", kind.rows)
    assert set(kind.takes) <= set(BOUNDS)
    # Its own defaults are within its own bounds, spelled as a user would.
    spelled = ",".join(f"{key}={value}" for key, value in kind.takes.items() if value != "")
    assert parse_fault(f"{name}:{spelled}" if spelled else name).values == {**COMMON, **kind.takes}
    assert name in table() and kind.says in table()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nope", "no such fault"),
        ("", "no such fault"),
        ("\x1b[31m", "'?[31m': no such fault"),
        ("market-drop:probability", "give key=value"),
        ("market-drop:probability=1.1", "probability: give a number from 0 to 1"),
        ("market-drop:probability=nan", "probability: give a number"),
        ("market-drop:count=1.5", "count: give a whole number"),
        ("market-drop:call=any", "no parameter 'call'"),
        ("market-drop:pair=[red]", "pair: give a word"),
        ("market-delay:seconds=-1", "seconds: give a number from 0"),
        ("market-close:code=1005", "code: give 1000 or 1001"),
        ("user-corrupt:kind=overfill", "kind: give truncated or wrong-type"),
        ("error-502:when=later", "when: give before or after"),
        ("refuse:code=ErrMade-Up", "an error code of Luno's"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)) as caught:
        parse_fault(text)
    assert caught.value.code == "BAD_FAULT" and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_numbers_come_as_numbers_and_only_a_clock_is_off_backwards() -> None:
    assert asked("market-drop", {"count": 3, "for": 1.5}).values["count"] == 3
    assert parse_fault("clock-skew:seconds=-30").number("seconds") == -30
