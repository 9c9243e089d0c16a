"""One walk an asset: pairs that share one move together, and a cross follows from its legs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunomm.simulator.exchange import seeded
from lunomm.simulator.flow import Flow
from lunomm.simulator.profiles import CATALOGUE
from lunomm.simulator.walk import DAY_S, STEP_S, VOLATILITY, Walk, past_path, sigma_daily

START_NS = 1_790_000_000_000_000_000


def steps(base: str, counter: str, seed: int = 3, count: int = 20_000, ahead: int = 0) -> np.ndarray:
    walk = Walk(seed, base, counter, ahead)
    return np.array([walk.next() for _ in range(count)])


def test_a_cross_is_the_product_of_its_legs_at_every_step() -> None:
    legs = steps("XBT", "USDT") + steps("USDT", "MYR")
    assert np.allclose(legs, steps("XBT", "MYR"), atol=1e-15)
    assert np.allclose(steps("XBT", "USDT") + steps("USDT", "ZAR"), steps("XBT", "ZAR"), atol=1e-15)


def test_pairs_without_a_common_asset_but_the_ringgit_do_not_move_together() -> None:
    assert abs(np.corrcoef(steps("XBT", "MYR"), steps("ETH", "MYR"))[0, 1]) < 0.03
    assert np.corrcoef(steps("XBT", "MYR"), steps("XBT", "ZAR"))[0, 1] > 0.9


def test_looking_ahead_moves_no_step_and_is_right() -> None:
    plain, seeing = steps("XBT", "ZAR", count=500), Walk(3, "XBT", "ZAR", 50)
    for at in range(400):
        assert seeing.ahead == pytest.approx(plain[at : at + 50].sum(), abs=1e-12)
        assert seeing.next() == plain[at]


def test_volatility_is_that_of_both_assets() -> None:
    assert sigma_daily("XBT", "MYR") == VOLATILITY["XBT"]
    assert steps("XBT", "ZAR").std() == pytest.approx(sigma_daily("XBT", "ZAR") * math.sqrt(STEP_S / DAY_S), rel=0.02)
    with pytest.raises(KeyError):
        sigma_daily("NOPE", "MYR")


def test_the_past_crosses_too() -> None:
    assert np.allclose(
        past_path(1, "XBT", "USDT", 900) * past_path(1, "USDT", "MYR", 900), past_path(1, "XBT", "MYR", 900)
    )


def test_starting_prices_are_at_their_cross() -> None:
    price = {pair: market.price for pair, market in CATALOGUE.items()}
    assert price["XBTUSDT"] * price["USDTMYR"] == price["XBTMYR"]
    assert price["XBTUSDT"] * price["USDTZAR"] == price["XBTZAR"]


def test_an_exchange_of_many_pairs_stays_at_its_cross_to_within_the_spreads() -> None:
    """Each touch may lag its latent mid by the profile's requote, and the markets step within 0.2 s of each other."""
    exchange = seeded(["XBTMYR", "XBTZAR"], profile=None, seed=5, fee_tier=0, start_ns=START_NS)
    flows = {pair: house for pair, house in exchange.houses.items() if isinstance(house, Flow)}

    def mid(pair: str) -> tuple[float, float]:
        flow = flows[pair]
        bid, ask = flow.engine.best_bid(), flow.engine.best_ask()
        assert bid is not None and ask is not None
        middle, profile = (bid + ask) / 2, flow.profile
        slack = (ask - bid) / 2 / middle + profile.requote
        return middle / 10.0**flow.engine.rules.price_scale, slack

    worst = 0.0
    for second in range(1, 181):
        while not exchange.run_until(START_NS + second * 10**9, 10_000):
            pass
        exchange.venue.drain()
        for whole, legs in (("XBTMYR", ("XBTUSDT", "USDTMYR")), ("XBTZAR", ("XBTUSDT", "USDTZAR"))):
            (one, slack), parts = mid(whole), [mid(leg) for leg in legs]
            gap = abs(math.log(one / math.prod(price for price, _ in parts)))
            # A step apart: three standard deviations of one step of each asset.
            step = 4 * sigma_daily("XBT", "ZAR") * math.sqrt(STEP_S / DAY_S)
            assert gap < slack + sum(part for _, part in parts) + step
            worst = max(worst, gap)
    assert worst > 0
