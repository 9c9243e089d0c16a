"""Times as typed."""

from __future__ import annotations

import pytest

from lunomm.errors import UsageError
from lunomm.tape.moments import moment, read_moment

S = 10**9
START = 1_626_199_457 * S + 846_000_000  # 2021-07-13T18:04:17.846Z


@pytest.mark.parametrize(
    ("text", "after_s"),
    [
        ("2021-07-13T18:05:00", 42.154),
        ("2021-07-13 18:05:00.5Z", 42.654),
        ("2021-07-13T20:05:00+02:00", 42.154),
        ("18:05", 42.154),
        ("18:05:30.25", 72.404),
        ("18:04:00", 86_400 - 17.846),
        ("+90", 90),
        ("+0.5s", 0.5),
        ("2021-07-14", 21_342.154),
    ],
)
def test_forms(text: str, after_s: float) -> None:
    assert read_moment(text, "--from", START) == START + round(after_s * S)


@pytest.mark.parametrize(
    "text", ["", "now", "90", "-90", "2021-13-01", "25:00", "18:05:61", "2021-07-13T99:00", "\x1b"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match=r"--from: .* is no time") as error:
        read_moment(text, "--from", START)
    assert "\x1b" not in str(error.value)


def test_without_a_start_only_whole_times() -> None:
    assert read_moment("1970-01-02", "--since") == 86_400 * S
    for text in ("+90", "18:05"):
        with pytest.raises(UsageError):
            read_moment(text, "--since")


def test_written() -> None:
    assert moment(START) == "2021-07-13T18:04:17.846Z"
