"""The seeded house: the same for the same seed, true to its profile, and indifferent to visitors."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest

from lunomm.errors import UsageError
from lunomm.market.clock import Now
from lunomm.market.observer import Observer
from lunomm.market.records import Verdict
from lunomm.market.rules import Side
from lunomm.simulator import profiles
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import OWNER, Exchange, seeded
from lunomm.simulator.flow import Flow
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import MarketFrame, Trade

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000


def opened(pair: str = "XBTMYR", profile: str | None = None, seed: int = 1) -> tuple[Exchange, Flow]:
    exchange = seeded([pair], profile=profile, seed=seed, fee_tier=0, start_ns=START_NS)
    house = exchange.houses[pair]
    assert isinstance(house, Flow)
    return exchange, house


def alone(seed: int = 1) -> Flow:
    """A market whose engine reports to nobody, so that anyone may trade there without an account."""
    flow = opened(seed=seed)[1]
    flow.engine.listener = None
    return flow


def frames(flow: Flow, seconds: float) -> list[MarketFrame]:
    """Run one market alone and collect its frames."""
    seen: list[MarketFrame] = []
    flow.engine.listener = seen.append
    end_ns = START_NS + int(seconds * S)
    while flow.next_ns <= end_ns:
        flow.act(flow.next_ns)
    return seen


# --- determinism ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pair", "profile"), [("XBTMYR", "theory"), ("XBTMYR", "XBTMYR"), ("XBTZAR", "XBTZAR")])
def test_the_same_seed_gives_the_same_frames_however_time_is_cut(pair: str, profile: str) -> None:
    one = [frame.raw for frame in frames(opened(pair, profile)[1], 120)]
    exchange, _ = opened(pair, profile)
    now_ns = START_NS
    two: list[str] = []
    while now_ns <= START_NS + 120 * S:
        while not exchange.run_until(now_ns, 7):
            pass
        two += [frame.raw for frame in exchange.venue.drain() if isinstance(frame, MarketFrame) and frame.pair == pair]
        now_ns += 777_777_777
    shorter = min(len(one), len(two))
    assert shorter > 500
    assert one[:shorter] == two[:shorter]


def test_another_seed_gives_another_market() -> None:
    assert [f.raw for f in frames(opened(seed=1)[1], 20)] != [f.raw for f in frames(opened(seed=2)[1], 20)]


def test_markets_of_one_seed_do_not_share_their_numbers() -> None:
    first, second = draws(1, "XBTMYR"), draws(1, "ETHMYR")
    assert [first.waits.next() for _ in range(5)] != [second.waits.next() for _ in range(5)]


def test_acting_before_time_is_an_error() -> None:
    flow = opened()[1]
    with pytest.raises(ValueError, match="due"):
        flow.act(flow.next_ns - 1)


# --- the book ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pair", "profile"), [("XBTMYR", "theory"), ("XBTMYR", "XBTMYR"), ("XBTZAR", "XBTZAR")])
def test_the_book_is_never_crossed_follows_the_latent_mid_and_moves_often(pair: str, profile: str) -> None:
    flow = opened(pair, profile)[1]
    engine, shape = flow.engine, profiles.PROFILES[profile]
    count = 0

    def check(frame: MarketFrame) -> None:
        nonlocal count
        count += 1
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None and ask is not None and bid < ask

    engine.listener = check
    while flow.next_ns <= START_NS + 600 * S:
        flow.act(flow.next_ns)
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None and ask is not None
        slack = shape.requote * flow.mid_ticks + shape.half_spread[1] * flow.mid_ticks + 2
        assert abs((bid + ask) / 2 - flow.mid_ticks) <= slack
    assert count / 600 >= 5


def test_the_look_alike_of_xbtmyr_is_one_tick_wide() -> None:
    flow = opened("XBTMYR", "XBTMYR")[1]
    for _ in range(2000):
        flow.act(flow.next_ns)
        bid, ask = flow.engine.best_bid(), flow.engine.best_ask()
        assert bid is not None and ask == bid + 1


def test_a_sweep_is_refilled_in_the_same_instant_and_the_mid_does_not_bounce() -> None:
    flow = opened()[1]
    engine = flow.engine
    takers = 0
    for _ in range(3000):
        before, bid, ask, last = flow.takers, engine.best_bid(), engine.best_ask(), engine.next_trade
        flow.act(flow.next_ns)
        if flow.takers > before and engine.next_trade > last:
            takers += 1
            assert (engine.best_bid(), engine.best_ask()) == (bid, ask)
    assert takers > 50


def test_the_deepest_fill_of_a_taker_is_its_limit_so_reaches_are_exactly_exponential() -> None:
    """Mean and spread of D - h over 4 hours against 1/kappa: memoryless, whatever the ladder looks like."""
    flow = opened(seed=5)[1]
    engine, excess = flow.engine, []
    for frame in _with_mid(flow, 4 * 3600):
        deepest, touch, mid = frame
        excess.append((abs(deepest - mid) - abs(touch - mid)) / mid)
    n = len(excess)
    assert n > 2000
    mean = sum(excess) / n
    kappa = profiles.PROFILES["theory"].kappa
    assert kappa is not None
    assert abs(mean * kappa - 1) < 4 / math.sqrt(n)
    assert abs(sum(x > 1 / kappa for x in excess) / n - math.exp(-1)) < 4 * 0.5 / math.sqrt(n)
    rate = n / (4 * 3600)
    expected = profiles.PROFILES["theory"].taker_rate * math.exp(-kappa * 0.5e-4)
    assert abs(rate / expected - 1) < 4 / math.sqrt(n)
    assert engine.status.value == "ACTIVE"


def _with_mid(flow: Flow, seconds: float) -> list[tuple[int, int, float]]:
    """Of each taker that traded: its deepest price, the touch it met, and the mid just before it (ticks)."""
    seen: list[tuple[int, int, float]] = []
    engine = flow.engine
    mid = 0.0

    def listen(frame: MarketFrame) -> None:
        if frame.trades:
            seen.append((frame.trades[-1].price, frame.trades[0].price, mid))

    engine.listener = listen
    while flow.next_ns <= START_NS + seconds * S:
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None and ask is not None
        mid = (bid + ask) / 2
        flow.act(flow.next_ns)
    return seen


# --- visitors ---------------------------------------------------------------------------------------------------------


def test_a_visitor_changes_no_price_and_no_taker_and_is_swept_exactly() -> None:
    """A visitor quoting around the mid all the time: the house does the same, the visitor's volume comes on top."""

    def run(visiting: bool) -> tuple[list[tuple[int, int]], int, list[Trade]]:
        flow = opened(seed=3)[1]
        engine = flow.engine
        trades: list[Trade] = []
        engine.listener = lambda frame: trades.extend(frame.trades)
        path: list[tuple[int, int]] = []
        orders: list[str] = []
        for step in range(6000):
            flow.act(flow.next_ns)
            house = [
                next(order.price for order in engine.resting(side) if order.owner is None)
                for side in (Side.BID, Side.ASK)
            ]
            path.append((house[0], house[1]))
            if visiting and step % 50 == 0:
                for order_id in orders:
                    engine.cancel(0, order_id)
                mid = sum(house) // 2
                orders = [
                    engine.place(0, OWNER, side, mid - side.sign * 150, 7_777, post_only=True).order_id
                    for side in (Side.BID, Side.ASK)
                ]
        return path, flow.takers, trades

    quiet, busy = run(False), run(True)
    assert quiet[0] == busy[0]
    assert quiet[1] == busy[1]
    ours = [trade for trade in busy[2] if trade.maker_owner == OWNER]
    assert len(ours) > 20
    # Swept whole: a taker that reached us left nothing behind.
    assert all(trade.maker_left == 0 for trade in ours)
    house = [(t.price, t.lots) for t in busy[2] if t.maker_owner is None and t.taker_owner is None]
    assert house == [(t.price, t.lots) for t in quiet[2]]


def test_a_quote_the_market_moves_through_is_taken() -> None:
    flow = alone(seed=3)
    engine = flow.engine
    ask = engine.best_ask()
    assert ask is not None
    stale = engine.place(0, OWNER, Side.BID, ask - 1, 5_000, post_only=True)
    for _ in range(5000):
        flow.act(flow.next_ns)
        assert (engine.best_bid() or 0) < (engine.best_ask() or 0)
        if stale.order_id not in engine.orders:
            return
    pytest.fail("the stale quote was never taken")


def test_what_a_visitor_takes_from_the_house_stands_again_after_repair() -> None:
    flow = alone()
    engine = flow.engine
    bid, ask = engine.best_bid(), engine.best_ask()
    assert bid is not None and ask is not None
    far = ask + 500
    lots = engine.fillable(Side.BID, far, 10**12)
    taken = engine.place(0, OWNER, Side.BID, far, lots, tif=TimeInForce.IOC)
    assert len(taken.trades) > 3
    assert engine.best_ask() != ask
    flow.repair(0)
    assert (engine.best_bid(), engine.best_ask()) == (bid, ask)


def test_first_fill_of_default_quotes_takes_about_twenty_seconds() -> None:
    """Fresh quotes 13.1 bp either side of the mid, placed anew for each trial; the market drifts under them."""
    waits = []
    flow = alone(seed=11)
    engine = flow.engine
    for _ in range(300):
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is not None and ask is not None
        mid = (bid + ask) / 2
        begin_ns = flow.next_ns
        ids = [
            engine.place(0, OWNER, side, round(mid * (1 - side.sign * 13.1e-4)), 10_000, post_only=True).order_id
            for side in (Side.BID, Side.ASK)
        ]
        while all(order_id in engine.orders for order_id in ids):
            flow.act(flow.next_ns)
        waits.append((flow.next_ns - begin_ns) / S)
        for order_id in ids:
            engine.cancel(0, order_id)
    assert 14 < sum(waits) / len(waits) < 23


# --- truth ------------------------------------------------------------------------------------------------------------


def test_an_hour_of_theory_is_estimated_back_within_its_own_intervals() -> None:
    """Sigma, A and kappa of fresh seeds, each inside its own 95 % interval; 40 seeds need 34, 6 need 4 each."""
    truth, sigma = profiles.PROFILES["theory"], profiles.CATALOGUE["XBTMYR"].sigma
    assert truth.kappa is not None and truth.intensity is not None
    hits = {"sigma": 0, "A": 0, "kappa": 0}
    for seed in range(100, 106):
        flow = opened(seed=seed)[1]
        observer = Observer(flow.engine.rules)
        observer.on_snapshot(flow.engine.snapshot(), Now(START_NS, 0))
        flow.engine.listener = lambda frame, to=observer: to.on_update(  # type: ignore[misc]
            frame.event(), Now(frame.timestamp_ms * 1_000_000, 0)
        )
        end_ns = START_NS + 3600 * S
        while flow.next_ns <= end_ns:
            flow.act(flow.next_ns)
        found = observer.estimates(Now(end_ns, 0))
        assert found.verdict is Verdict.GO
        assert found.sigma is not None and found.sigma_se is not None
        assert found.kappa_low is not None and found.kappa_high is not None
        assert found.intensity_low is not None and found.intensity_high is not None
        kappa = truth.kappa / flow.engine.rules.price_float(flow.mid_ticks)
        hits["sigma"] += abs(found.sigma - sigma) <= 1.96 * found.sigma_se
        hits["A"] += found.intensity_low <= truth.intensity <= found.intensity_high
        hits["kappa"] += found.kappa_low <= kappa <= found.kappa_high
    assert min(hits.values()) >= 4, hits


@pytest.mark.parametrize("name", list(profiles.PROFILES))
def test_the_stated_truth_is_the_profiles(name: str) -> None:
    profile = profiles.PROFILES[name]
    stated = profiles.truth(profile, profiles.CATALOGUE["XBTMYR"])
    assert stated["sigma"] == pytest.approx(0.025 / math.sqrt(86_400))
    assert stated["taker_orders_per_s"] == profile.taker_rate
    if name == "theory":
        assert stated["kappa"] == pytest.approx(1 / 300)
        assert stated["intensity"] == pytest.approx(0.0926, abs=1e-4)
    else:
        assert stated["kappa"] is None and stated["intensity"] is None


def test_the_past_hour_has_the_profiles_volatility_and_enough_takers_to_start_from() -> None:
    total = 0.0
    for seed in range(1, 9):
        exchange, _ = opened(seed=seed)
        now_ms = START_NS // 1_000_000
        bars = exchange.venue.candles("XBTMYR", now_ms - 3_700_000, 60).candles
        assert len(bars) >= 60
        assert all(float(b.low) <= min(float(b.open), float(b.close)) for b in bars)
        assert all(float(b.high) >= max(float(b.open), float(b.close)) for b in bars)
        closes = [math.log(float(bar.close)) for bar in bars]
        total += sum((b - a) ** 2 for a, b in itertools.pairwise(closes)) / (len(closes) - 1) / 60
        past = exchange.venue.trades(now_ms, "XBTMYR").trades
        assert len(past) == 100
        assert len({trade.timestamp for trade in past}) >= 10
        assert past[0].timestamp <= now_ms
        assert float(bars[-1].close) == pytest.approx(300_000, rel=1e-9)
    assert math.sqrt(total / 8) == pytest.approx(profiles.CATALOGUE["XBTMYR"].sigma, rel=0.1)


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_unknown_pairs_and_profiles_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="unknown pair"):
        profiles.choose(["NOPEMYR"], None)
    with pytest.raises(UsageError, match="unknown"):
        profiles.choose(["XBTMYR"], "nope")


def test_every_pair_is_listed_and_the_default_account_is_worth_a_tenth_of_a_bitcoin_each() -> None:
    exchange, _ = opened()
    assert set(exchange.pairs) == set(profiles.CATALOGUE)
    held = {row.asset: float(row.balance) for row in exchange.venue.balance(OWNER).balance}
    for pair, market in profiles.CATALOGUE.items():
        worth = held[market.rules.base] * float(market.price)
        assert worth == pytest.approx(held[market.rules.counter], rel=0.05), pair
    assert held["XBT"] == 0.1


@pytest.mark.parametrize(
    ("tier", "pair", "maker"), [(0, "XBTMYR", "0.00"), (1, "XBTMYR", "0.0035"), (1, "XBTZAR", "0.004")]
)
def test_fee_tiers(tier: int, pair: str, maker: str) -> None:
    exchange = seeded([pair], profile=None, seed=1, fee_tier=tier, start_ns=START_NS)
    assert exchange.venue.fee_info(OWNER, pair).maker_fee == maker


def test_the_house_opens_its_book_anew_under_new_rules_and_the_price_goes_on() -> None:
    exchange = seeded(["XBTMYR"], profile=None, seed=4, fee_tier=0, start_ns=START_NS)
    while not exchange.run_until(START_NS + 20 * 10**9, 1000):
        pass
    engine = exchange.venue.engine("XBTMYR")
    before, sequence = engine.best_bid(), engine.sequence
    rules = msgspec.structs.replace(engine.rules, price_scale=2, volume_scale=4)
    exchange.change_rules((START_NS + 20 * 10**9) // 10**6, "XBTMYR", rules)
    assert not engine.orders
    while not exchange.run_until(START_NS + 40 * 10**9, 1000):
        pass
    after = engine.best_bid()
    assert before is not None and after is not None and abs(after / 100 / before - 1) < 0.01
    assert engine.sequence > sequence and len(engine.orders) > 50
