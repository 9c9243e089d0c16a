"""A sudden price: believed once both sources have told it for three seconds, never before."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.trading.reference import Reference

S = 1_000_000_000


def settled() -> Reference:
    prices = Reference()
    prices.read(D(100), 0)
    prices.seen(D(100), 0)
    assert (prices.good, prices.jumping) == (D(100), False)
    return prices


def test_nothing_is_known_at_first_and_old_prices_are_none() -> None:
    prices = Reference()
    prices.seen(D(100), 0)
    assert prices.good is None
    prices.read(None, 1)
    prices.read(D(0), 1)
    assert not prices.fresh(1)
    prices.read(D(100), 1)
    assert prices.fresh(59 * S)
    assert not prices.fresh(62 * S)


def test_the_last_good_price_follows_while_both_agree() -> None:
    prices = settled()
    for n in range(1, 30):
        prices.seen(D(100 + n), n * S)
        prices.read(D(100 + n), n * S)
        assert not prices.jumping
        assert prices.good == 100 + n


def test_it_does_not_follow_one_source_alone() -> None:
    prices = settled()
    for n in range(1, 10):
        prices.seen(D(100 + n), n * S)
    assert not prices.jumping
    # 5 % of the REST price is still agreement; 6 % and more is one's word against the other's.
    assert prices.good == 105


@pytest.mark.parametrize("new", [D(50), D(88), D(112), D(190)])
@pytest.mark.parametrize("first", ["rest", "quoter"])
def test_a_real_jump_is_believed_after_three_seconds_of_agreement(new: D, first: str) -> None:
    prices = settled()
    if first == "rest":
        prices.read(new, 10 * S)
    else:
        prices.seen(new, 10 * S)
    assert prices.jumping
    for at in (11, 12, 13):
        prices.read(new, at * S)
        prices.seen(new, at * S)
        assert prices.jumping
    prices.read(new, 14 * S)
    prices.seen(new, 14 * S)
    assert not prices.jumping
    assert prices.good == new


def test_a_source_that_makes_prices_up_silences_itself_only() -> None:
    prices = settled()
    for at in range(1, 60):
        prices.seen(D(150), at * S)
        prices.read(D(100), at * S)
        assert prices.jumping
        assert prices.good == 100
    prices.seen(D(100), 60 * S)
    assert not prices.jumping


def test_agreement_with_an_old_ticker_is_none() -> None:
    prices = settled()
    prices.read(D(120), 10 * S)
    for at in range(11, 20):
        prices.seen(D(120), at * S)
        assert prices.jumping
    prices.read(D(120), 20 * S)
    assert not prices.jumping
