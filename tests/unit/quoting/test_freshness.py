from __future__ import annotations

from decimal import Decimal as D

import pytest
from quoting_cases import tick

from lunomm.market.clock import Now
from lunomm.market.records import BookState
from lunomm.quoting.freshness import Freshness, too_old
from lunomm.quoting.intents import Why

S = 1_000_000_000


def at(seconds: float) -> Now:
    return Now(0, 1000 * S + round(seconds * S))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"state": BookState.RESYNC}, Why.STALE_BOOK),
        ({"state": BookState.STALE}, Why.STALE_BOOK),
        ({"state": BookState.DOUBT}, Why.STALE_BOOK),
        ({"state": BookState.ONE_SIDED}, Why.MARKET_STATE),
        ({"state": BookState.EMPTY}, Why.MARKET_STATE),
        ({"state": BookState.CROSSED}, Why.MARKET_STATE),
        ({"state": BookState.POSTONLY}, Why.MARKET_STATE),
        ({"state": BookState.DISABLED}, Why.MARKET_STATE),
        ({"stream_age_ms": 10_000.0}, None),
        ({"stream_age_ms": 10_001.0}, Why.STALE_BOOK),
        ({"stream_age_ms": float("nan")}, Why.STALE_BOOK),
        ({"stream_age_ms": None}, None),
        ({"lag_ms": 3_000.0}, None),
        ({"lag_ms": 3_001.0}, Why.STALE_BOOK),
        ({"lag_ms": -50.0}, None),
        ({"lag_ms": None}, None),
        ({"fair_mid": None}, Why.MARKET_STATE),
        ({"fair_best_bid": None}, Why.MARKET_STATE),
        ({"fair_best_ask": None}, Why.MARKET_STATE),
        ({"fair_best_bid": D(300_001)}, Why.MARKET_STATE),
        ({"fair_best_bid": D(0)}, Why.MARKET_STATE),
        ({"fair_mid": D("NaN")}, Why.MODEL),
        ({"fair_best_ask": D("Infinity")}, Why.MODEL),
        ({"fair_best_ask": D("1e999999")}, Why.MODEL),
    ],
)
def test_one_tick(changes, why):
    fresh = Freshness()
    fresh.on_tick(tick(1, **changes), at(0))
    trouble = fresh.trouble(at(0))
    assert (trouble[0] if trouble else None) is why


def test_a_tick_that_was_late_on_its_way_prolongs_nothing():
    """Nor does one that overtook a newer one bring the time back; a clock that is behind adds nothing."""
    fresh = Freshness()
    fresh.on_tick(tick(1), at(0))
    fresh.on_tick(tick(2), at(2.5), round(2.4 * S))
    assert fresh.stale_in_ns(at(2.5)) == round(0.6 * S)
    assert fresh.trouble(at(3.09)) is None
    assert fresh.trouble(at(3.1))[0] is Why.STALE_BOOK
    fresh.on_tick(tick(3), at(4), 0)
    fresh.on_tick(tick(2), at(4.5), 2 * S)
    assert fresh.stale_in_ns(at(4.5)) == round(2.5 * S)
    fresh.on_tick(tick(4), at(5), -S)
    assert fresh.stale_in_ns(at(5)) == 3 * S


def test_no_tick_is_stale():
    assert Freshness().trouble(at(0)) == (Why.STALE_BOOK, "no tick from book yet")
    assert Freshness().stale_in_ns(at(0)) is None


def test_a_beat_lives_three_seconds_of_our_own_clock_and_repeating_it_does_not_help():
    fresh = Freshness()
    fresh.on_tick(tick(7), at(0))
    assert fresh.stale_in_ns(at(1)) == 2 * S
    for moment in (1.0, 2.0, 2.9):
        fresh.on_tick(tick(7), at(moment))
        assert fresh.trouble(at(moment)) is None
    assert fresh.trouble(at(3.0)) == (Why.STALE_BOOK, "no beat from book for 3 s")
    fresh.on_tick(tick(8), at(3.1))
    assert fresh.trouble(at(3.1)) is None


def test_a_quiet_pair_is_quiet_not_stale():
    fresh = Freshness()
    for second in range(600):
        fresh.on_tick(tick(second, sequence=1, exchange_ts=1), at(second))
    assert fresh.trouble(at(600)) is None


def test_a_restarted_book_counts_from_anew():
    fresh = Freshness()
    fresh.on_tick(tick(900), at(0))
    fresh.on_tick(tick(1), at(2))
    assert fresh.trouble(at(4.9)) is None


def test_a_tick_that_waited_on_its_way_is_no_market() -> None:
    """A process that slept finds ticks in its socket whose beats are new to it and whose market is gone."""
    published = tick(7)
    assert not too_old(published, int(published.ts) + 3_000)
    assert too_old(published, int(published.ts) + 3_001)
