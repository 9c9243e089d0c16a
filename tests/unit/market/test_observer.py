"""The watcher: frames in, ticks and records out; what it records is enough to redo what it says."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from lunomm.errors import BookError, ModelError, SequenceGap
from lunomm.market.calibration import calibrate
from lunomm.market.clock import Now
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.records import BookState, GridRow, TakerOrder, Tick, Verdict
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.market.warm import CandleClose, PublicFill

BID, ASK = Side.BID, Side.ASK
T0 = 1_700_000_000 * 10**9
S = 10**9

BIDS = (BookOrder("a", 990, 30), BookOrder("b", 990, 20), BookOrder("c", 980, 10))
ASKS = (BookOrder("d", 1010, 50), BookOrder("e", 1020, 10))


def now(at_ns: int) -> Now:
    return Now(at_ns, at_ns - T0)


class Market:
    """Feeds an observer; its clock is the venue's."""

    def __init__(self, rules: PairRules, **options: object) -> None:
        self.observer = Observer(rules, **options)  # type: ignore[arg-type]
        self.sequence = 7
        self.at_ns = T0

    def start(
        self,
        bids: tuple[BookOrder, ...] = BIDS,
        asks: tuple[BookOrder, ...] = ASKS,
        status: MarketStatus = MarketStatus.ACTIVE,
    ) -> None:
        self.observer.on_snapshot(BookSnapshot(self.sequence, bids, asks, status, self.at_ns), now(self.at_ns))

    def send(
        self,
        after_s: float = 0.0,
        *,
        trades: tuple[BookTrade, ...] = (),
        create: BookCreate | None = None,
        delete: str | None = None,
        status: MarketStatus | None = None,
    ) -> None:
        self.at_ns += round(after_s * S)
        update = BookUpdate(self.sequence + 1, trades, create, delete, status, self.at_ns)
        self.observer.on_update(update, now(self.at_ns))
        self.sequence += 1

    def tick(self, after_s: float = 0.0, *, age_ms: float | None = 5.0, lag_ms: float | None = 5.0) -> Tick:
        at = now(self.at_ns + round(after_s * S))
        return self.observer.tick(at, beat=3, wall_ms=1.5, stream_age_ms=age_ms, lag_ms=lag_ms)


@pytest.fixture
def market(pair: PairRules) -> Market:
    it = Market(pair)
    it.start()
    return it


def test_a_tick_is_complete(market: Market) -> None:
    market.send(2.0)
    tick = market.tick()
    assert (tick.pair, tick.ts, tick.beat, tick.state) == ("XBTMYR", 1.5, 3, BookState.OK)
    assert (tick.sequence, tick.exchange_ts) == (8, market.at_ns // 10**6)
    assert (tick.mid_price, tick.spread) == (Decimal("100.0"), Decimal("2.0"))
    assert (tick.best_bid, tick.best_bid_size) == (Decimal("99.0"), Decimal("0.50"))
    assert (tick.best_ask, tick.best_ask_size) == (Decimal("101.0"), Decimal("0.50"))
    assert tick.weighted_mid == 100
    assert tick.vamp == ((99 * 50 + 98 * 10) / Decimal(60) + (101 * 50 + 102 * 10) / Decimal(60)) / 2
    assert tick.order_imbalance == 0.5
    assert [(level.price, level.volume) for level in tick.bids] == [(99, Decimal("0.5")), (98, Decimal("0.1"))]
    assert (tick.fair_mid, tick.fair_best_bid, tick.fair_best_ask) == (tick.mid_price, tick.best_bid, tick.best_ask)
    assert tick.fair_weighted_mid == tick.weighted_mid
    assert (tick.own, tick.orders, tick.levels) == ([], 5, 4)
    assert tick.trades_per_minute == 0.0
    again = msgspec.json.decode(msgspec.json.encode(tick), type=Tick)
    assert again == tick


def test_before_the_first_snapshot(pair: PairRules) -> None:
    market = Market(pair)
    tick = market.tick()
    assert (tick.state, tick.mid_price, tick.sequence, tick.bids) == (BookState.RESYNC, None, None, [])
    with pytest.raises(BookError) as error:
        market.send()
    assert error.value.code == "NO_SNAPSHOT"


STATES: list[tuple[tuple[BookOrder, ...], tuple[BookOrder, ...], MarketStatus, BookState]] = [
    (BIDS, ASKS, MarketStatus.ACTIVE, BookState.OK),
    (BIDS, (), MarketStatus.ACTIVE, BookState.ONE_SIDED),
    ((), ASKS, MarketStatus.POSTONLY, BookState.ONE_SIDED),
    ((), (), MarketStatus.ACTIVE, BookState.EMPTY),
    (BIDS, ASKS, MarketStatus.POSTONLY, BookState.POSTONLY),
    (BIDS, ASKS, MarketStatus.DISABLED, BookState.DISABLED),
    ((), (), MarketStatus.DISABLED, BookState.DISABLED),
]


@pytest.mark.parametrize(("bids", "asks", "status", "state"), STATES)
def test_states(
    pair: PairRules,
    bids: tuple[BookOrder, ...],
    asks: tuple[BookOrder, ...],
    status: MarketStatus,
    state: BookState,
) -> None:
    market = Market(pair)
    market.start(bids, asks, status)
    tick = market.tick()
    assert tick.state is state
    if not (bids and asks):
        assert (tick.mid_price, tick.spread, tick.vamp, tick.weighted_mid, tick.fair_mid) == (None,) * 5
    assert (tick.best_bid is None) is (not bids) and (tick.best_ask_size is None) is (not asks)


@pytest.mark.parametrize(
    ("age_ms", "lag_ms", "state"),
    [
        (10_000.0, 3_000.0, BookState.OK),
        (10_001.0, None, BookState.STALE),
        (None, 3_001.0, BookState.STALE),
        (None, None, BookState.OK),
    ],
)
def test_stale(market: Market, age_ms: float | None, lag_ms: float | None, state: BookState) -> None:
    assert market.tick(age_ms=age_ms, lag_ms=lag_ms).state is state
    market.observer.on_lost(now(market.at_ns))
    assert market.tick(age_ms=age_ms, lag_ms=lag_ms).state is BookState.RESYNC


def test_the_time_since_the_last_change_is_never_stale(market: Market) -> None:
    assert market.tick(after_s=3600.0).state is BookState.OK


def test_a_gap_voids_the_book_until_a_snapshot(market: Market) -> None:
    market.sequence += 1
    with pytest.raises(SequenceGap):
        market.send()
    assert (market.tick().state, market.tick().mid_price) == (BookState.RESYNC, None)
    with pytest.raises(BookError):
        market.send()
    market.sequence = 900
    market.start()
    market.send()
    assert (market.tick().state, market.tick().sequence) == (BookState.OK, 901)


def test_a_crossed_book_says_so_until_a_snapshot(market: Market) -> None:
    with pytest.raises(BookError):
        market.send(create=BookCreate("n", BID, 1015, 1))
    tick = market.tick(age_ms=99_999.0)
    assert (tick.state, tick.best_bid) == (BookState.CROSSED, None)
    with pytest.raises(BookError):
        market.start(asks=(BookOrder("x", 900, 1),))
    assert market.tick().state is BookState.CROSSED
    market.start()
    assert market.tick().state is BookState.OK


def test_status_changes(market: Market) -> None:
    market.send(status=MarketStatus.POSTONLY)
    assert market.tick().state is BookState.POSTONLY
    market.send(status=MarketStatus.ACTIVE)
    assert market.tick().state is BookState.OK


def test_our_own_orders_are_not_the_market(market: Market) -> None:
    market.send(create=BookCreate("mine", BID, 1000, 5))
    market.observer.set_own([OwnIntent("i1", "mine", BID, 1000, 5), OwnIntent("i2", "b", BID, 990, 20)])
    tick = market.tick()
    assert (tick.best_bid, tick.mid_price) == (Decimal("100.0"), Decimal("100.5"))
    assert (tick.fair_best_bid, tick.fair_best_ask, tick.fair_mid) == (99, 101, 100)
    assert tick.fair_weighted_mid == Decimal(99 * 50 + 101 * 30) / 80
    assert [(own.intent_id, own.volume_ahead, own.orders_ahead) for own in tick.own] == [
        ("i1", Decimal("0.00"), 0),
        ("i2", Decimal("0.30"), 1),
    ]
    assert tick.own[0].price == 100 and tick.own[0].volume == Decimal("0.05") and tick.own[0].side is BID
    market.observer.set_own([])
    assert market.tick().fair_mid == Decimal("100.5")


def test_alone_on_a_side_is_one_sided(market: Market) -> None:
    market.observer.set_own([OwnIntent("i", order.order_id, ASK, order.price, order.lots) for order in ASKS])
    tick = market.tick()
    assert (tick.state, tick.mid_price, tick.fair_mid, tick.fair_best_ask) == (BookState.ONE_SIDED, None, None, None)
    assert tick.fair_best_bid == 99


def taker_records(market: Market) -> list[TakerOrder]:
    return [record for record in market.observer.drain() if isinstance(record, TakerOrder)]


def test_depth_is_measured_from_the_fair_mid_just_before(market: Market) -> None:
    market.send(create=BookCreate("mine", BID, 1000, 5))
    market.observer.set_own([OwnIntent("i1", "mine", BID, 1000, 5)])
    market.send(trades=(BookTrade("mine", "T", 5, "5", None), BookTrade("a", "T", 30, "29.7", None)))
    (order,) = taker_records(market)
    assert (order.mid, order.half_spread, order.own_only, order.fills) == (100.0, 1.0, False, 2)
    assert order.deepest == 99
    assert market.observer.drain() == []
    assert (market.observer.fills, market.observer.takers) == (2, 1)


def test_an_order_that_met_only_us_is_marked_though_it_is_gone_by_then(market: Market) -> None:
    market.send(create=BookCreate("mine", BID, 1000, 5))
    market.observer.set_own([OwnIntent("i1", "mine", BID, 1000, 5)])
    market.send(trades=(BookTrade("mine", "T", 5, "5", None),))
    (order,) = taker_records(market)
    assert (order.own_only, order.mid, order.deepest) == (True, 100.0, 100)


def rows(market: Market) -> list[GridRow]:
    return [record for record in market.observer.drain() if isinstance(record, GridRow)]


def test_the_grid_sees_the_market_without_us(market: Market) -> None:
    market.send(3.5, create=BookCreate("mine", BID, 1000, 5))  # for a moment someone's, as far as we know
    market.observer.set_own([OwnIntent("i1", "mine", BID, 1000, 5)])
    market.send(8.0, create=BookCreate("n", BID, 1000, 5))  # someone else improves
    market.send(10.0)
    first, second = rows(market)
    assert first.mids == [100.0] * 10
    assert sum(seconds for _, seconds in first.exposure) == pytest.approx(10.0)
    assert first.exposure == [pytest.approx((0.01, 10.0))]
    assert second.mids == [100.0] * 2 + [100.5] * 8
    assert [cell[1] for cell in second.exposure] == pytest.approx([8.5, 1.5])
    assert (first.gap, second.gap) == (True, False)
    assert (first.first_sequence, first.last_sequence, second.first_sequence) == (7, 8, 8)


def test_a_market_that_cannot_trade_is_no_exposure(market: Market) -> None:
    market.send(2.0, status=MarketStatus.POSTONLY)
    market.send(4.0, status=MarketStatus.ACTIVE)
    market.send(4.0)
    (row,) = rows(market)
    assert row.mids == [100.0] * 2 + [None] * 4 + [100.0] * 4
    assert sum(seconds for _, seconds in row.exposure) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("price", "expected"), [("mid", 100.0), ("weighted", (99 * 50 + 101 * 150) / 200), ("vamp", None)]
)
def test_the_price_whose_volatility_is_measured(pair: PairRules, price: str, expected: float | None) -> None:
    market = Market(pair, vol_price=price)
    market.start(bids=(*BIDS, BookOrder("g", 990, 100)))
    market.send(10.0)
    (row,) = rows(market)
    if expected is None:
        expected = ((99 * 150 + 98 * 10) / 160 + (101 * 50 + 102 * 10) / 60) / 2
    assert row.mids[0] == pytest.approx(expected)
    with pytest.raises(ModelError):
        Observer(pair, vol_price="last")


def test_the_clock_carries_on_while_nothing_happens(market: Market) -> None:
    assert rows(market) == []
    market.tick(after_s=10.9)
    assert rows(market) == []  # a second of grace for frames under way
    market.tick(after_s=11.5)
    assert len(rows(market)) == 1
    market.observer.set_own([])  # late as the clock is by then, the grid is not thrown back
    market.send(10.9, create=BookCreate("n", BID, 1000, 5))
    market.send(12.0)
    (row,) = rows(market)
    assert not row.gap and row.start_ms == T0 // 10**6 + 10_000
    assert row.mids[:1] == [100.0] and row.mids[2:] == [100.5] * 8


def test_a_lost_stream_records_nothing_and_says_so(market: Market) -> None:
    market.send(5.0)
    market.observer.on_lost(now(market.at_ns))
    assert market.tick(after_s=500.0).state is BookState.RESYNC
    market.at_ns += 60 * S
    market.sequence = 50
    market.start()
    market.send(5.0)
    before, after = rows(market)
    assert before.mids[:5] == [100.0] * 5 and before.mids[6:] == [None] * 4
    assert sum(seconds for _, seconds in before.exposure) == pytest.approx(5.0)
    assert after.gap and after.start_ms == before.start_ms + 60_000


def wander(market: Market, seconds: float, seed: int = 9) -> None:
    """A market that moves every 0.2 s, with a taker every two seconds or so."""
    draw = np.random.default_rng(seed)
    market.start((BookOrder("B0", 99_980, 1000),), (BookOrder("A0", 100_020, 1000),))
    names = {BID: "B0", ASK: "A0"}
    prices = {BID: 99_980, ASK: 100_020}
    made = 0
    while market.at_ns < T0 + seconds * S:
        side = BID if draw.random() < 0.5 else ASK
        made += 1
        if draw.random() < 0.1:
            name = f"{side}{made}"
            deep = prices[side] - side.sign * int(draw.exponential(40.0))
            if deep != prices[side]:
                # A deep taker: one maker appears, both fill, the touch stands where it stood.
                market.send(0.01, create=BookCreate(name, side, deep, 1))
                market.send(
                    0.01,
                    trades=(
                        BookTrade(names[side], f"T{made}", 1, f"{prices[side] / 1000:.3f}", None),
                        BookTrade(name, f"T{made}", 1, f"{deep / 1000:.3f}", None),
                    ),
                )
            else:
                taken = BookTrade(names[side], f"T{made}", 1, f"{prices[side] / 1000:.3f}", None)
                market.send(0.02, trades=(taken,))
            continue
        moved = prices[side] + int(draw.integers(-5, 6))
        if abs(moved - prices[side.other]) < 10 or (moved - prices[side.other]) * side.sign > 0:
            continue
        market.send(float(draw.exponential(0.1)), create=BookCreate(f"{side}{made}", side, moved, 1000))
        market.send(float(draw.exponential(0.1)), delete=names[side])
        names[side], prices[side] = f"{side}{made}", moved


def test_online_and_offline_are_the_same_numbers(pair: PairRules) -> None:
    """Bit for bit, through JSON, at every row."""
    market = Market(pair, kappa_lookback_s=120.0)
    wander(market, 400.0)
    market.observer.finish()
    live = market.tick()
    stored = msgspec.json.decode(
        msgspec.json.encode([record for record in market.observer.drain() if isinstance(record, TakerOrder)]),
        type=list[TakerOrder],
    )
    assert len(stored) > 100
    replayed = Market(pair, kappa_lookback_s=120.0)
    wander(replayed, 400.0)
    replayed.observer.finish()
    grid = msgspec.json.decode(msgspec.json.encode(rows(replayed)), type=list[GridRow])
    offline = calibrate(stored, grid, pair, lookback_s=120.0)
    assert offline.estimates == live.estimates
    assert offline.estimates.verdict is Verdict.GO
    assert (live.kappa, live.alpha) == (offline.estimates.kappa, offline.estimates.intensity)
    assert live.volatility == offline.estimates.sigma and live.volatility is not None
    assert live.volatility_daily_pct == pytest.approx(100 * live.volatility * math.sqrt(86_400))
    assert live.buffer_ready
    assert live.volatility_document_pct is not None
    recent = [order for order in stored if order.exchange_ms >= market.at_ns // 10**6 - 120_000]
    assert live.trades_per_minute == pytest.approx(len(recent) / 2, rel=0.05)


def test_a_replay_twice_gives_the_same_records(pair: PairRules) -> None:
    drained = []
    for _ in range(2):
        market = Market(pair)
        wander(market, 60.0)
        drained.append(msgspec.json.encode(market.observer.drain()))
    assert drained[0] == drained[1]


def test_warm_estimates_until_live_ones_are_ready(pair: PairRules) -> None:
    market = Market(pair)
    draw = np.random.default_rng(5)
    candles = [CandleClose(60_000 * k, 100.0 * math.exp(y)) for k, y in enumerate(np.cumsum(draw.normal(0, 1e-3, 60)))]
    fills = []
    for k in range(100):
        buys = bool(draw.random() < 0.5)
        reach = draw.exponential(0.001)
        fills.append(PublicFill(5000 * k, 100.0, buys))
        fills.append(PublicFill(5000 * k, 100.0 * (1 + reach if buys else 1 - reach), buys))
    market.observer.warm(candles, fills)
    tick = market.tick()
    assert (tick.estimates.sigma_source, tick.kappa, tick.buffer_ready) == ("warm", None, False)
    wander(market, 5.0)
    tick = market.tick()
    assert (tick.estimates.kappa_source, tick.estimates.verdict) == ("warm", Verdict.THIN)
    assert tick.kappa == pytest.approx(1000.0 / 10_000, rel=0.4)  # a kappa of 1 / 10 bp, at this market's price
    assert tick.volatility == pytest.approx(1e-3 / math.sqrt(60), rel=0.5)
    assert not tick.buffer_ready
    live = Market(pair)
    live.observer.warm(candles, fills)
    wander(live, 200.0)
    tick = live.tick()
    assert (tick.estimates.sigma_source, tick.estimates.kappa_source, tick.buffer_ready) == ("live", "live", True)


def test_no_numbers_without_a_verdict(market: Market) -> None:
    market.send(15.0)
    tick = market.tick()
    assert (tick.kappa, tick.alpha, tick.volatility, tick.buffer_ready) == (None, None, None, False)
    assert tick.estimates.verdict is Verdict.NO and "no taker order" in tick.estimates.reason
