"""Two accounts of the same money, and what is made of their difference."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.errors import ConfigError
from lunomm.trading.balances import Balances, choose_accounts
from lunomm.trading.events import VenueBalance

S = 1_000_000_000


def rows(base: str = "1", reserved: str = "0", counter: str = "500") -> list[VenueBalance]:
    return [VenueBalance(11, "XBT", D(base), D(reserved)), VenueBalance(22, "MYR", D(counter), D(0))]


def ready(base: str = "1") -> Balances:
    balances = Balances(["XBT", "MYR"])
    balances.load(rows(base), 0, 0)
    balances.anchor("XBT", D(base))
    return balances


def test_nothing_is_known_before_the_first_read() -> None:
    balances = Balances(["XBT", "MYR"])
    assert not balances.ready
    assert balances.see(11, 1, D(1), D(1), 0) is None
    assert balances.balance("XBT").free == 0
    assert balances.load(rows(), 0, 0) == ["MYR", "XBT"]
    assert balances.ready


def test_a_currency_without_an_account_is_zero() -> None:
    balances = Balances(["XBT", "MYR"])
    balances.load(rows()[:1], 0, 0)
    assert balances.ready
    assert balances.balance("MYR").total == 0


def test_several_accounts_of_a_currency_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"XBT.*11, 33.*--base-account"):
        Balances(["XBT", "MYR"]).load([*rows(), VenueBalance(33, "XBT", D(0), D(0))], 0, 0)
    Balances(["XBT"]).load([*rows(), VenueBalance(33, "MYR", D(0), D(0))], 0, 0)


def test_the_account_that_was_said_counts_whatever_the_order_of_rows() -> None:
    several = [VenueBalance(33, "XBT", D(7), D(0)), *rows("1"), VenueBalance(44, "XBT", D(9), D(0))]
    for listed in (several, several[::-1]):
        balances = Balances(["XBT", "MYR"], {"XBT": 11})
        balances.load(listed, 0, 0)
        assert balances.balance("XBT").total == 1
        assert balances.see(33, 5, D(99), D(99), 1) is None


def test_an_account_that_appears_later_is_not_the_one_we_trade_on() -> None:
    balances = ready("1")
    balances.load([VenueBalance(5, "XBT", D(50), D(0)), *rows("1")], 1, 1)
    assert balances.balance("XBT").total == 1


@pytest.mark.parametrize(
    ("base", "counter", "chosen"),
    [
        (11, None, {"XBT": 11}),
        (33, 22, {"XBT": 33, "MYR": 22}),
        (None, None, "XBT has several accounts"),
        (None, 22, "XBT has several accounts"),
        (22, None, "no XBT account"),
        (99, None, "--base-account 99.*11, 33"),
        (11, 99, "--counter-account 99.*22"),
    ],
)
def test_choosing_accounts(base: int | None, counter: int | None, chosen: object) -> None:
    several = [*rows(), VenueBalance(33, "XBT", D(0), D(0)), VenueBalance(44, "ETH", D(0), D(0))]
    if isinstance(chosen, str):
        with pytest.raises(ConfigError, match=chosen):
            choose_accounts([("XBT", "MYR")], several, base, counter)
    else:
        assert choose_accounts([("XBT", "MYR")], several, base, counter) == chosen


@pytest.mark.parametrize(
    "odd",
    [
        [VenueBalance(22, "MYR", D(500), D(0))],
        [*rows("1"), *rows("1")],
        rows("-1"),
        rows("1", "5"),
        rows("1", "-5"),
    ],
    ids=["missing", "twice", "negative", "more reserved", "negative reserve"],
)
def test_a_read_that_contradicts_itself_leaves_nothing_free(odd: list[VenueBalance]) -> None:
    balances = ready("1")
    balances.load(odd, 1, 1)
    held = balances.held("XBT")
    assert held is not None
    assert held.free == 0
    assert balances.odd >= 1
    # An account that is missing from one reply has not lost its coins: no flow is made of it.
    assert (held.total == 1) is (odd != rows("-1"))
    balances.load(rows("1"), 2, 2)
    assert balances.balance("XBT").free == 1


def test_a_ledger_row_that_was_missed_is_noticed() -> None:
    balances = ready()
    balances.see(11, 8, D(2), D(2), 1)
    assert not balances.gap, "the first row follows nothing we know"
    balances.see(11, 9, D(2), D(2), 2)
    balances.see(11, 9, D(2), D(2), 3)
    balances.see(11, 4, D(2), D(2), 3)
    assert not balances.gap
    balances.see(11, 11, D(3), D(3), 4)
    assert balances.gap


def test_the_highest_row_wins_and_replays_change_nothing() -> None:
    balances = ready()
    assert balances.see(11, 8, D(2), D("1.5"), 1) == "XBT"
    assert balances.see(11, 7, D(9), D(9), 2) is None
    assert balances.see(11, 8, D(9), D(9), 2) is None
    assert balances.see(99, 9, D(9), D(9), 2) is None
    assert (balances.balance("XBT").total, balances.balance("XBT").reserved) == (D(2), D("0.5"))


def test_a_read_that_began_before_a_row_came_does_not_undo_it() -> None:
    balances = ready()
    balances.see(11, 8, D(2), D(2), 10)
    balances.load(rows("1"), 5, 12)
    assert balances.balance("XBT").total == 2
    balances.load(rows("3"), 11, 13)
    assert balances.balance("XBT").total == 3


def test_more_reserved_than_there_is_leaves_nothing_free() -> None:
    balances = Balances(["XBT", "MYR"])
    balances.load(rows("1", "5"), 0, 0)
    held = balances.held("XBT")
    assert held is not None
    assert held.free == 0


def test_bounds_hold_both_accounts() -> None:
    balances = ready()
    balances.shift("XBT", D("0.5"), 1)
    assert balances.bounds("XBT") == (D(1), D("1.5"))
    balances.load(rows("1.5"), 2, 3)
    assert balances.bounds("XBT") == (D("1.5"), D("1.5"))


def test_a_difference_is_drift_only_when_it_lasts_quietly_over_two_reads() -> None:
    balances = ready()
    balances.load(rows("1.5"), 1 * S, 1 * S)
    assert balances.suspect("XBT")
    for at in (2, 4, 5):
        balances.load(rows("1.5"), at * S, at * S)
        assert balances.drift("XBT", at * S) is None
    balances.load(rows("1.5"), 7 * S, 7 * S)
    assert balances.drift("XBT", 7 * S) is None
    balances.load(rows("1.5"), 9 * S, 9 * S)
    assert balances.drift("XBT", 9 * S) == D("0.5")
    balances.shift("XBT", D("0.5"), 9 * S)
    assert balances.drift("XBT", 20 * S) is None


def test_a_moving_difference_is_no_drift() -> None:
    balances = ready()
    for at in range(1, 30):
        balances.load(rows(str(1 + at)), at * S, at * S)
        assert balances.drift("XBT", at * S) is None
