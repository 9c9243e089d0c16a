"""Which quotes count: newest quoter, growing number, three seconds of our own clock, nothing odd inside."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.trading.wanted import Wanted

SECOND = 1_000_000_000


def one(side: Side = Side.BID, price: str = "100", size: str = "1", name: str = "a-1-B0", level: int = 0) -> Intent:
    return Intent(id=name, side=side, level=level, price=D(price), size=D(size), created_ms=0)


def quotes(epoch: int = 5, number: int = 1, **changes: Any) -> WantedQuotes:
    return WantedQuotes(
        **{"pair": "XBTMYR", "epoch": epoch, "number": number, "ts_ms": 0, "intents": [one()], **changes}
    )


def test_a_message_counts_for_three_seconds_from_when_it_was_first_seen() -> None:
    wanted = Wanted("XBTMYR")
    assert not wanted.asked
    assert wanted.offer(quotes(), 0)
    assert wanted.asked
    assert wanted.current(3 * SECOND - 1) is not None
    assert wanted.current(3 * SECOND) is None
    assert not wanted.offer(quotes(), 3 * SECOND)
    assert wanted.current(3 * SECOND) is None
    assert wanted.offer(quotes(number=2), 3 * SECOND)
    assert wanted.current(3 * SECOND) is not None


def test_a_message_that_was_late_on_its_way_lives_no_longer_for_that() -> None:
    wanted = Wanted("XBTMYR")
    assert wanted.offer(quotes(), 10 * SECOND, 2 * SECOND)
    assert wanted.expires_ns() == 11 * SECOND
    assert wanted.current(11 * SECOND - 1) is not None
    assert wanted.current(11 * SECOND) is None
    # A writer's clock that is ahead adds nothing.
    assert wanted.offer(quotes(number=2), 12 * SECOND, -2 * SECOND)
    assert wanted.expires_ns() == 15 * SECOND


@pytest.mark.parametrize("age_s", [3, 60, -3, 86_400, -86_400])
def test_what_is_too_old_or_of_the_future_is_not_wanted_and_hides_nothing(age_s: int) -> None:
    wanted = Wanted("XBTMYR")
    assert wanted.offer(quotes(), 0)
    assert not wanted.mistimed
    assert not wanted.offer(quotes(number=2), SECOND, age_s * SECOND)
    assert wanted.mistimed
    assert wanted.dropped == {"AGE": 1}
    assert wanted.current(SECOND) == quotes()
    # The same number, told in time, is news: the one refused was not taken for it.
    assert wanted.offer(quotes(number=2), SECOND, SECOND)
    assert not wanted.mistimed
    # What was taken may grow old under its key: that is no late message.
    assert not wanted.offer(quotes(number=2), 9 * SECOND, 9 * SECOND)
    assert not wanted.mistimed


def test_a_key_that_is_not_there_is_an_answer_but_no_news() -> None:
    wanted = Wanted("XBTMYR")
    assert not wanted.offer(None, 0)
    assert wanted.asked
    assert wanted.current(0) is None


def test_a_newer_quoter_starts_its_numbers_anew_and_the_older_is_dropped() -> None:
    wanted = Wanted("XBTMYR")
    wanted.offer(quotes(5, 900), 0)
    assert wanted.offer(quotes(6, 1), 0)
    assert not wanted.offer(quotes(5, 901), 0)
    assert wanted.dropped == {"OLD_EPOCH": 1}
    assert not Wanted("XBTMYR", epoch=7).offer(quotes(6, 1), 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pair": "XBTZAR"}, "PAIR"),
        ({"v": 2}, "SCHEMA"),
        ({"epoch": 0}, "EPOCH"),
        ({"epoch": 2**60}, "EPOCH"),
        ({"number": -1}, "EPOCH"),
        ({"intents": [one(name=f"a-{n}-B{n}", level=n) for n in range(21)]}, "TOO_MANY"),
        ({"intents": [one(), one(name="a-2-B0")]}, "DOUBLE_SLOT"),
        ({"intents": [one(), one(level=1)]}, "DOUBLE_SLOT"),
        ({"intents": [one(), one(Side.ASK, "100", name="a-2-A0")]}, "CROSSED"),
        ({"intents": [one(price="0")]}, "BAD_INTENT"),
        ({"intents": [one(price="-1")]}, "BAD_INTENT"),
        ({"intents": [one(price="NaN")]}, "BAD_INTENT"),
        ({"intents": [one(price="Infinity")]}, "BAD_INTENT"),
        ({"intents": [one(price="1e999999")]}, "BAD_INTENT"),
        ({"intents": [one(size="1e-99")]}, "BAD_INTENT"),
        ({"intents": [one(size="1." + "1" * 30)]}, "BAD_INTENT"),
        ({"intents": [one(name="a b")]}, "BAD_INTENT"),
        ({"intents": [one(name="")]}, "BAD_INTENT"),
        ({"intents": [one(name="x" * 65)]}, "BAD_INTENT"),
        ({"intents": [one(name="\x1b[2J")]}, "BAD_INTENT"),
        ({"intents": [one(level=10)]}, "BAD_INTENT"),
        ({"intents": [one(level=-1)]}, "BAD_INTENT"),
    ],
)
def test_what_is_odd_is_dropped_whole_and_counted(changes: dict[str, Any], reason: str) -> None:
    wanted = Wanted("XBTMYR")
    assert not wanted.offer(quotes(**changes), 0)
    assert dict(wanted.dropped) == {reason: 1}
    assert wanted.current(0) is None
