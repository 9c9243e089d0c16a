"""A verdict's exit code and its two sentences."""

from __future__ import annotations

from lunomm.checks.verdicts import exit_code, failed, passed, split_advice, warned


def test_the_highest_failure_decides_and_warnings_do_not() -> None:
    assert exit_code([passed("a", "x"), warned("b", "x", "y")]) == 0
    assert exit_code([failed("a", "x", "y", 3), failed("b", "x", "y", 4), passed("c", "x")]) == 4


def test_an_error_of_ours_is_what_is_wrong_and_what_to_do() -> None:
    assert split_advice("port 7: taken. Choose another") == ("port 7: taken", "Choose another")
    assert split_advice("0.5 is too small. It was 0.1. Give 1") == ("0.5 is too small. It was 0.1", "Give 1")
    assert split_advice(" no advice ") == ("no advice", "")
