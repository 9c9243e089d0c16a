"""Each look-alike against what it copies or states, over fixed seeds: mix, rates, lives, sizes, spread, takers.

XBTZAR is held against the figures measured on the recorded frames; the others against their own profile.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import numpy as np
import pytest
from stream_statistics import Stream, measured

from lunomm.simulator import profiles, recorded
from lunomm.simulator.exchange import seeded
from lunomm.simulator.flow import Flow
from lunomm.simulator.messages import MarketFrame

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
WARM_S = 600

LOOK_ALIKES = {
    "XBTZAR": ("XBTZAR", 2400),
    "XBTMYR": ("XBTMYR", 3600),
    "thin": ("LTCMYR", 40_000),
    "stable": ("USDTZAR", 5000),
}
"""By profile: the pair, and exchange seconds enough for its takers to be counted."""


def market(pair: str, profile: str, seed: int) -> Flow:
    house = seeded([pair], profile=profile, seed=seed, fee_tier=0, start_ns=START_NS).houses[pair]
    assert isinstance(house, Flow)
    house.engine.listener = None
    return house


def run(flow: Flow, until_s: float) -> None:
    while flow.next_ns <= START_NS + until_s * S:
        flow.act(flow.next_ns)


def watched(pair: str, profile: str, seed: int, seconds: float) -> Stream:
    flow = market(pair, profile, seed)
    run(flow, WARM_S)
    opening = flow.engine.snapshot()
    seen: list[MarketFrame] = []
    flow.engine.listener = seen.append
    run(flow, WARM_S + seconds)
    return measured(opening, (frame.event() for frame in seen))


@functools.cache
def stream_of(profile: str) -> Stream:
    pair, seconds = LOOK_ALIKES[profile]
    return watched(pair, profile, 1, seconds)


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_creates_and_deletes_balance_trades_are_rare_and_the_book_never_crosses(name: str) -> None:
    stream = stream_of(name)
    assert stream.crossed == 0
    # Recorded: 4,938 creates and 4,914 deletes in 9,891 frames, 33 with trades only, 5 empty.
    assert stream.creates / stream.frames == pytest.approx(0.5, abs=0.015)
    assert stream.deletes / stream.frames == pytest.approx(0.5, abs=0.02)
    assert 0.001 < stream.trading / stream.frames < 0.015
    assert stream.empty / stream.frames < 0.002


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_takers_come_at_the_stated_rate_and_cluster_as_stated(name: str) -> None:
    stream, profile = stream_of(name), profiles.PROFILES[name]
    takers = len(stream.takers)
    assert takers > 60
    # A renewal count's standard deviation is its gaps' CV times that of a Poisson count.
    expected = profile.taker_rate * stream.seconds
    assert abs(takers - expected) < 3.5 * profile.gap_cv * math.sqrt(expected)
    assert profile.gap_cv > 1.3
    assert 1.05 < stream.gap_cv() < 2.2
    gaps = np.diff([taker.at_s for taker in stream.takers])
    share, gap_s = profile.burst
    close = (gaps < 3 * gap_s).mean()
    assert abs(close - share) < 4 * math.sqrt(share * (1 - share) / takers) + 0.05
    assert 1.0 <= stream.fills / takers < 2.5


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_informed_takers_are_seen_in_the_drift_after_them(name: str) -> None:
    """Of the latent mid, over many takers: the stated share of the mean move of a walk, and gone without them."""
    pair, _ = LOOK_ALIKES[name]
    profile = profiles.PROFILES[name]
    flow = market(pair, name, 3)
    engine = flow.engine
    taken: list[tuple[float, int, float]] = []
    path: list[tuple[float, float]] = []

    def listen(frame: MarketFrame) -> None:
        if frame.trades:
            taken.append((frame.timestamp_ms / 1e3, -frame.trades[0].maker_side.sign, flow.mid_ticks))

    engine.listener = listen
    want = 500
    end_s = want / profile.taker_rate
    while flow.next_ns <= START_NS + end_s * S:
        due = flow.next_ns
        flow.act(due)
        if not path or due / S - path[-1][0] >= 0.2:
            path.append((due / S, flow.mid_ticks))
    times, mids = (np.array(column) for column in zip(*path, strict=True))
    at, buys, before = (np.array(column) for column in zip(*taken, strict=True))
    ends = np.searchsorted(times, at + profile.horizon_s)
    inside = ends < len(times)
    moves = buys[inside] * (mids[ends[inside]] / before[inside] - 1)
    stated = profiles.truth(profile, profiles.CATALOGUE[pair])["informed_drift"]
    assert isinstance(stated, float)
    error = moves.std() / math.sqrt(len(moves))
    assert abs(moves.mean() - stated) < 3.5 * error
    if profile.informed >= 0.2:
        assert moves.mean() > 2 * error


# --- XBTZAR against the recording ------------------------------------------------------------------------------------


def test_xbtzar_sends_as_many_frames_as_recorded() -> None:
    stream = stream_of("XBTZAR")
    assert stream.frames / stream.seconds == pytest.approx(recorded.UPDATES_PER_S, rel=0.08)
    assert stream.creates / stream.seconds == pytest.approx(recorded.CREATES_PER_S, rel=0.08)
    counts = sorted(stream.seconds_seen.values())
    assert 16 <= counts[len(counts) // 2] <= 21
    # Recorded: 3.7 % of creates improve the touch, 0.2 % of deletes are at it.
    assert 0.02 < stream.better / stream.creates < 0.055
    assert stream.touch_deletes / stream.deletes < 0.05


def test_xbtzar_orders_live_as_long_as_recorded() -> None:
    """Windows of the recording's length, for what outlives a window is not seen whole: 0.603, 1.04, 2.5 and 14.9 s."""
    lives = [life for seed in (4, 5, 6) for life in watched("XBTZAR", "XBTZAR", seed, 263.4).lives]
    found = np.quantile(lives, (0.05, 0.5, 0.75, 0.95))
    assert found[0] == pytest.approx(0.603, rel=0.05)
    assert 0.8 < found[1] < 1.6
    assert found[2] == pytest.approx(2.5, rel=0.25)
    assert 10 < found[3] < 30


def test_xbtzar_orders_are_as_large_and_stand_as_far_out_as_recorded() -> None:
    stream = stream_of("XBTZAR")
    lots, away = np.array(stream.lots), np.array(stream.distances)
    assert np.median(lots) == recorded.RETAIL_LOTS
    for share, low, high in ((0.25, 0.6, 1.6), (0.75, 1.0, 2.5), (0.95, 0.5, 2.0)):
        assert (
            low < np.quantile(lots, share) / recorded.quantile((*recorded.LOTS[:20], recorded.LOTS[19]), share) < high
        )
    for share in (0.25, 0.5, 0.75, 0.9):
        assert np.quantile(away, share) == pytest.approx(recorded.quantile(recorded.DISTANCES, share), rel=0.35)


def test_xbtzar_is_as_wide_as_recorded() -> None:
    found = stream_of("XBTZAR").spread_quantiles((0.05, 0.25, 0.5, 0.75, 0.95))
    for share, width in zip((0.05, 0.25, 0.5, 0.75, 0.95), found, strict=True):
        assert width == pytest.approx(recorded.quantile(recorded.SPREADS, share), rel=0.15)


def test_xbtzar_takers_meet_as_many_makers_as_recorded() -> None:
    stream = stream_of("XBTZAR")
    assert stream.fills / len(stream.takers) == pytest.approx(recorded.MAKERS_PER_TAKER, abs=0.3)
    lots = [taker.lots for taker in stream.takers]
    # Recorded: median 7,450 lots, mean 18,606 of 15 takers and 37,005 of 34.
    assert 5000 < np.median(lots) < 11_000
    assert 10_000 < np.mean(lots) < 45_000


def test_xbtzar_has_thousands_of_orders_as_deep_as_recorded() -> None:
    flow = market("XBTZAR", "XBTZAR", 1)
    run(flow, WARM_S)
    book = flow.engine.snapshot()
    assert (len(book.bids), len(book.asks)) == pytest.approx(recorded.DEPTH, rel=0.03)
    for rows, deep in ((book.bids, recorded.BID_DEEP), (book.asks, recorded.ASK_DEEP)):
        best = rows[0].price
        away = np.array([abs(row.price - best) / best for row in rows])
        # Recorded: 86 bids and 92 asks within 1 %.
        assert 60 < (away < 0.01).sum() < 260
        for share in (0.1, 0.25, 0.5, 0.75):
            wanted = recorded.quantile(deep, share)
            assert np.quantile(away[away > 0.01], share) == pytest.approx(wanted, rel=0.15, abs=0.02)


# --- the others against themselves -----------------------------------------------------------------------------------


def test_xbtmyr_is_one_tick_wide_all_the_time() -> None:
    found = stream_of("XBTMYR").spread_quantiles((0.0, 0.99))
    assert found == pytest.approx([1 / 300_000] * 2, rel=0.1)


def test_the_thin_alt_is_wide_and_quiet_and_the_stablecoin_narrow_and_calm() -> None:
    thin, stable = stream_of("thin"), stream_of("stable")
    assert thin.spread_quantiles((0.5,))[0] > 40e-4
    assert thin.frames / thin.seconds < 1
    assert 0.5e-4 < stable.spread_quantiles((0.5,))[0] < 1.7e-4
    assert 3 < stable.frames / stable.seconds < 12
    assert float(profiles.fees(1, "ZAR", "USDT").maker) < 0 and float(profiles.fees(0, "ZAR", "USDT").maker) < 0


@pytest.mark.parametrize("pair", profiles.CATALOGUE)
def test_every_pair_walks_at_its_stated_volatility(pair: str) -> None:
    stated = profiles.CATALOGUE[pair]
    exchange = seeded([pair], profile=None, seed=2, fee_tier=0, start_ns=START_NS)
    flow = exchange.houses[pair]
    assert isinstance(flow, Flow)
    logs = np.cumsum([flow._walk.next() for _ in range(40_000)])
    steps = np.array([then - now for now, then in pairwise(logs.tolist())])
    assert steps.std() * math.sqrt(5) == pytest.approx(stated.sigma, rel=0.02)
