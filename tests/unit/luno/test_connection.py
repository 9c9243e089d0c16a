from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.errors import CredentialsError, ExchangeError, OrderStateError, UsageError
from lunomm.luno.connection import Connection, Pace, Timing, refusal
from lunomm.luno.hosts import ApiKey
from lunomm.luno.wire import WireError


def test_pace_without_jitter() -> None:
    pace = Pace(Timing(), lambda: 0.0)
    assert [pace.next_s() for _ in range(9)] == [0.25, 2, 4, 8, 16, 32, 60, 60, 60]
    pace.restart()
    assert pace.next_s() == 0.25


@settings(deadline=None)
@given(draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=12, max_size=12))
def test_at_most_six_dials_in_any_minute_and_never_more_than_75_s_apart(draws: list[float]) -> None:
    source = iter(draws)
    pace = Pace(Timing(), lambda: next(source))
    times = [0.0, *itertools.accumulate(pace.next_s() for _ in range(12))]
    for start in times:
        assert sum(1 for at in times if start <= at < start + 60) <= 6
    assert all(later - earlier < 75.001 for earlier, later in itertools.pairwise(times))


def test_pace_does_not_overflow() -> None:
    pace = Pace(Timing(), lambda: 0.5)
    assert [pace.next_s() for _ in range(5000)][-1] == 67.5


@pytest.mark.parametrize(
    ("code", "text", "pair", "expected"),
    [
        ("invalid_credentials", "x", "XBTMYR", CredentialsError),
        ("invalid_market", "NOPE", "NOPE", UsageError),
        ("invalid_market", "NOPE", None, None),
        ("auth_timeout", "x", None, ExchangeError),
        ("session_limit_exceeded", "", None, ExchangeError),
        ("unknown", "session limit exceeded", None, ExchangeError),
        ("maintenance", "back soon", "XBTMYR", None),
    ],
)
def test_refusal(code: str, text: str, pair: str | None, expected: type[Exception] | None) -> None:
    assert type(refusal(WireError(code, text), pair)) is (expected or type(None))


def test_refusal_shows_no_escapes() -> None:
    assert str(refusal(WireError("auth_timeout", "\x1b[2J\n" + "y" * 500), None)).isprintable()


async def test_a_connection_that_is_down_cannot_be_used() -> None:
    connection = Connection("ws://127.0.0.1:1", ApiKey("k", "s"), Timing())
    assert not connection.up and not connection.ended and connection.age_ms(5) is None
    with pytest.raises(OrderStateError):
        await connection.receive()
    connection.drop("nothing happens")
    await connection.close()
