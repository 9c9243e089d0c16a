"""What was known of the market when."""

from __future__ import annotations

import pytest
from sessions import RULES, S, path

from lunomm.errors import ModelError
from lunomm.tape.market_path import MarketPath


def test_the_last_state_holds_until_the_next_and_no_longer_than_the_end() -> None:
    found = path((10, 99, 101), (12, 99, 103), end_s=20)
    assert [found.mid(round(at * S)) for at in (9.999, 10, 11.999, 12, 20)] == [None, 100.0, 100.0, 101.0, 101.0]
    assert found.mid(20 * S + 1) is None


def test_an_empty_side_and_a_loss_are_unknown() -> None:
    found = MarketPath(RULES)
    found.add(0, 99, None)
    found.add(5, 99, 101)
    found.lose(7)
    found.add(9, 98, 102)
    assert [found.mid(ns) for ns in (0, 5, 6, 7, 8, 9)] == [None, 100.0, 100.0, None, None, 100.0]
    assert found.known_ns(0, 9) == 2
    assert found.known_ns(6, 100) == 1


def test_only_changes_are_kept_and_the_last_of_one_instant_counts() -> None:
    found = MarketPath(RULES)
    for ns, bid in ((1, 90), (2, 90), (3, 91), (3, 92)):
        found.add(ns, bid, 100)
    assert len(found) == 2
    assert found.mid(3) == 96.0
    assert found.end_ns == 3


def test_time_does_not_go_back() -> None:
    found = path((10, 99, 101), end_s=12)
    with pytest.raises(ModelError, match="cannot go back"):
        found.add(11 * S, 99, 101)


def test_nothing_is_known_of_nothing() -> None:
    found = MarketPath(RULES)
    assert (found.mid(0), found.known_ns(0, 10), found.start_ns, found.end_ns) == (None, 0, None, None)
