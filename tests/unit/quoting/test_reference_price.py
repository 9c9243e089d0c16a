from __future__ import annotations

import pytest
from quoting_cases import Bench, tick

from lunomm.errors import UsageError
from lunomm.market.records import BookState
from lunomm.quoting.intents import Why
from lunomm.quoting.reference import Reference


def legs(bench: Bench, one: int, other: int, **changes: object) -> None:
    bench.quoter.on_reference(tick(1, one, pair="XBTUSDT"), bench.now)
    bench.quoter.on_reference(tick(1, other, pair="USDTMYR", **changes), bench.now)


def test_the_cross_price_is_quoted_around():
    bench = Bench(reference="XBTUSDT*USDTMYR")
    assert bench.quoter.reference_pairs == ("XBTUSDT", "USDTMYR")
    assert bench.why() == (Why.STALE_BOOK, Why.STALE_BOOK)
    legs(bench, 75_100, 4)
    assert bench.wanted().fair == 300_400
    assert len(bench.wanted().intents) == 2
    legs(bench, 75_100, 4, state=BookState.CROSSED)
    wanted = bench.wanted()
    assert wanted.intents == []
    assert wanted.sides[0].detail.startswith("reference USDTMYR")


def test_a_leg_that_stops_beating_takes_the_quotes_down():
    bench = Bench(reference="XBTUSDT*USDTMYR")
    legs(bench, 75_100, 4)
    assert bench.wanted().intents
    bench.go(4)  # our own market beats on
    assert bench.why() == (Why.STALE_BOOK, Why.STALE_BOOK)
    assert bench.wanted().intents == []


def test_a_late_tick_of_a_leg_prolongs_no_trust_in_it():
    bench = Bench(reference="XBTUSDT*USDTMYR")
    legs(bench, 75_100, 4)
    bench.go(1)
    assert bench.wanted().intents
    bench.quoter.on_reference(tick(2, 75_100, pair="XBTUSDT"), bench.now, 2_500_000_000)
    bench.quoter.on_reference(tick(2, 4, pair="USDTMYR"), bench.now)
    bench.go(2.1)
    assert bench.why() == (Why.STALE_BOOK, Why.STALE_BOOK)
    assert "XBTUSDT" in bench.wanted().sides[0].detail


def test_division_and_what_is_not_believed():
    bench = Bench(reference="xbtusdt / usdtmyr")
    legs(bench, 1_202_000, 4)
    assert bench.wanted().fair == 300_500
    legs(bench, 1_300_000, 4)
    assert bench.why() == (Why.MODEL, Why.MODEL)
    assert "more than 5%" in bench.wanted().sides[0].detail


@pytest.mark.parametrize("text", ["", "XBTUSDT", "XBTUSDT+USDTMYR", "XBTMYR*USDTMYR", "XBTUSDT*XBTUSDT", "a*b"])
def test_what_is_refused(text):
    with pytest.raises(UsageError, match="--reference"):
        Reference(text, "XBTMYR")
