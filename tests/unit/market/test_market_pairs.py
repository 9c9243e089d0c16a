from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal as D
from itertools import pairwise

import pytest

from lunomm.market.pairs import LEAST_PRICES, Market, daily_sigma, entry_fee, prices_in, rank, why_not_trading

XBTMYR = Market(
    "XBTMYR", "XBT", "MYR", min_volume=D("0.0001"), bid=D(299_400), ask=D(300_600), volume_24h=D(10),
    maker_fee=D("0.001"), sigma=0.02, prices=500, span_s=60_000.0,
)  # fmt: skip


def market(pair: str, base: str, counter: str, bid: str, ask: str, **more: object) -> Market:
    return replace(XBTMYR, pair=pair, base=base, counter=counter, bid=D(bid), ask=D(ask), **more)  # type: ignore[arg-type]


def test_the_formula_by_hand() -> None:
    (row,) = rank([XBTMYR]).rows
    # 40 bp wide, 20 bp of fees: 20 bp of 3,000,000 MYR a day, over 2 % a day.
    assert (row.market.spread, row.market.break_even) == (pytest.approx(0.004), 0.002)
    assert row.value_24h == pytest.approx(3_000_000)
    assert row.score == pytest.approx(0.002 * 3_000_000 / 0.02)
    assert row.market.min_value == D("30.0000") and row.min_value == pytest.approx(30)
    assert row.pays and row.why == ""


@pytest.mark.parametrize(
    ("fee", "pays"),
    [("0", True), ("0.00199", True), ("0.002", False), ("0.0035", False), ("-0.0001", True)],
)
def test_it_pays_only_above_its_break_even(fee: str, pays: bool) -> None:
    ranking = rank([replace(XBTMYR, maker_fee=D(fee))])
    assert (ranking.rows[0].pays, ranking.paying) == (pays, int(pays))


def test_a_round_trip_at_the_touch_earns_the_edge_exactly() -> None:
    """One unit of base bought at the bid and sold at the ask, the fee of each in counter."""
    assert XBTMYR.bid is not None and XBTMYR.ask is not None and XBTMYR.mid is not None and XBTMYR.maker_fee is not None
    earned = XBTMYR.ask * (1 - XBTMYR.maker_fee) - XBTMYR.bid * (1 + XBTMYR.maker_fee)
    assert XBTMYR.edge == pytest.approx(float(earned / XBTMYR.mid), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "POST_ONLY"}, "does not trade: POST_ONLY"),
        ({"status": "SUSPENDED"}, "does not trade: SUSPENDED"),
        ({"status": "a new word"}, "does not trade: a new word"),
        ({"bid": None}, "one-sided: no bid"),
        ({"ask": None}, "one-sided: no ask"),
        ({"bid": None, "ask": None}, "empty book"),
        ({"bid": None, "ask": None, "volume_24h": None, "trouble": "no ticker"}, "no ticker"),
        ({"ask": D(299_400)}, "crossed: the bid is not below the ask"),
        ({"volume_24h": D(0)}, "nothing traded in 24 h"),
        ({"maker_fee": None}, "maker fee not known"),
        ({"maker_fee": None, "trouble": "GET fee_info: 500"}, "GET fee_info: 500"),
        ({"sigma": None, "prices": 3, "span_s": 47.7}, "volatility not known: 3 prices in 48 s"),
    ],
)
def test_what_cannot_be_ranked_says_why(changes: dict[str, object], why: str) -> None:
    odd = replace(XBTMYR, pair="ODDMYR", **changes)  # type: ignore[arg-type]
    ranking = rank([odd, XBTMYR])
    assert [row.market.pair for row in ranking.rows] == ["XBTMYR"]
    (row,) = ranking.others
    assert (row.market.pair, row.why, row.score, row.pays) == ("ODDMYR", why, None, False)
    # Only what a call cannot change spares the call.
    assert bool(why_not_trading(odd)) == ("fee" not in why and "volatility" not in why)


def test_the_order_is_that_of_the_score_not_of_spread_or_volume() -> None:
    calm = market("AMYR", "A", "MYR", "299400", "300600", sigma=0.01)
    wild = market("BMYR", "B", "MYR", "299400", "300600", sigma=0.08, volume_24h=D(20))
    tight = market("CMYR", "C", "MYR", "299999", "300001", volume_24h=D(1000))
    assert [row.market.pair for row in rank([tight, wild, calm]).rows] == ["AMYR", "BMYR", "CMYR"]
    assert rank([tight]).widest is not None and rank([tight, calm]).widest.market.pair == "AMYR"  # type: ignore[union-attr]


def test_other_currencies_count_at_the_venues_own_mids() -> None:
    zar = market("XBTZAR", "XBT", "ZAR", "1197600", "1202400", volume_24h=D(10))
    other = market("ETHMYR", "ETH", "MYR", "9990", "10010")
    ranking = rank([zar, XBTMYR, other])
    assert ranking.currency == "MYR"
    rows = {row.market.pair: row for row in ranking.rows}
    # Four rand a ringgit, by way of XBT: the same 3,000,000 MYR, the same score.
    assert rows["XBTZAR"].value_24h == pytest.approx(3_000_000)
    assert rows["XBTZAR"].score == pytest.approx(rows["XBTMYR"].score)


def test_a_currency_nothing_leads_to_is_not_guessed() -> None:
    lonely = market("FOOUGX", "FOO", "UGX", "99", "101")
    (row,) = rank([lonely, XBTMYR, replace(XBTMYR, pair="TWO")]).others
    assert row.why == "no market here says what UGX is in MYR"
    assert row.value_24h is None and row.min_value is None


def test_the_way_over_narrow_spreads_wins() -> None:
    wide = market("XBTZAR", "XBT", "ZAR", "10", "9999990")
    steps = [XBTMYR, market("ETHMYR", "ETH", "MYR", "9999", "10001"), market("ETHZAR", "ETH", "ZAR", "39999", "40001")]
    assert prices_in("MYR", [wide, *steps])["ZAR"] == pytest.approx(0.25)


def test_nothing_listed() -> None:
    assert rank([]).currency is None and rank([]).rows == () and rank([]).widest is None


def walk(seed: int, count: int, daily: float, bounce: float, spacing_s: float = 60.0) -> list[tuple[int, float]]:
    """Trades at random ends of a touch ``2 bounce`` wide around a random walk, at random times."""
    r = random.Random(seed)
    at, log, found = 0.0, math.log(300_000.0), []
    for _ in range(count):
        wait = r.expovariate(1 / spacing_s)
        at += wait
        log += r.gauss(0.0, daily * math.sqrt(wait / 86_400))
        found.append((int(at * 1000), math.exp(log + r.choice((-bounce, bounce)))))
    return found


@pytest.mark.parametrize("bounce", [0.0, 0.0005, 0.001])
def test_sigma_without_the_bounce(bounce: float) -> None:
    found = sorted(daily_sigma(walk(seed, 1000, 0.025, bounce))[0] or 0.0 for seed in range(41))
    assert found[20] == pytest.approx(0.025, rel=0.1)
    prices = walk(1, 1000, 0.025, bounce)
    squares = sum(math.log(b / a) ** 2 for (_, a), (_, b) in pairwise(prices))
    inflated = math.sqrt(squares / prices[-1][0] * 86_400e3)
    assert (inflated > 0.03) == (bounce > 0)


def test_a_hundred_trades_are_enough_for_an_order_of_magnitude() -> None:
    found = sorted(daily_sigma(walk(seed, 100, 0.025, 0.0005, 300.0))[0] or 0.0 for seed in range(41))
    assert 0.6 * 0.025 < found[20] < 1.4 * 0.025


def test_too_few_prices_or_too_short_is_not_a_volatility() -> None:
    assert daily_sigma([])[0] is None
    assert daily_sigma(walk(1, LEAST_PRICES - 1, 0.02, 0.0))[0] is None
    assert daily_sigma([(i, 100.0 + i) for i in range(100)]) == (None, pytest.approx(0.099))
    # Fills of one taker order are one price.
    assert daily_sigma([(60_000 * (i // 10), 100.0 + i) for i in range(190)])[0] is None


def test_a_dead_price_is_not_a_riskless_one() -> None:
    assert daily_sigma([(60_000 * i, 100.0) for i in range(50)])[0] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("base", "counter", "fee"),
    [
        ("XBT", "MYR", "0.0035"), ("XBT", "ZAR", "0.004"), ("USDT", "ZAR", "-0.0001"), ("ETH", "XBT", "0.0008"),
        ("XBT", "USDT", "0.0008"), ("XBT", "NGN", "0.004"), ("ZAR", "USDT", "0.004"),
    ],
)  # fmt: skip
def test_assumed_fees(base: str, counter: str, fee: str) -> None:
    assert entry_fee(base, counter) == D(fee)
