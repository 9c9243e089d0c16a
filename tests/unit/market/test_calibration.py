"""From records to verdicts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from lunomm.errors import ModelError
from lunomm.market.calibration import Calibrator, calibrate
from lunomm.market.judgement import Method
from lunomm.market.records import GridRow, Params, TakerOrder, Verdict
from lunomm.market.rules import PairRules, Side

START_MS = 1_700_000_000_000
MID = 30_000.0
HALF = 4.0
"""Counter: 40 ticks, 1.33 bp."""

KAPPA = 0.05
"""1/counter: 20 beyond the touch on average."""


def taker(
    at_s: float, depth: float, *, half: float = HALF, own_only: bool = False, mid: float | None = MID
) -> TakerOrder:
    return TakerOrder(
        pair="XBTMYR",
        taker_id=f"T{at_s}",
        side=Side.BID,
        volume=Decimal("0.10"),
        counter=Decimal("3000"),
        deepest=Decimal(str(round((mid or MID) + depth, 1))),
        fills=2,
        mid=mid,
        half_spread=half if mid is not None else None,
        own_only=own_only,
        sequence=int(at_s * 10),
        trade_sequence=None,
        exchange_ms=START_MS + int(at_s * 1000),
    )


def row(index: int, *, half: float = HALF, mids: list[float | None] | None = None, gap: bool = False) -> GridRow:
    return GridRow(
        pair="XBTMYR",
        start_ms=START_MS + 10_000 * index,
        step_s=1.0,
        mids=mids if mids is not None else [MID] * 10,
        exposure=[(half / MID, 10.0)],
        first_sequence=1,
        last_sequence=2,
        gap=gap,
    )


def orders(count: int, seconds: float, seed: int = 1) -> list[TakerOrder]:
    draw = np.random.default_rng(seed)
    times = np.sort(draw.uniform(0, seconds, count))
    return [taker(float(t), HALF + float(d)) for t, d in zip(times, draw.exponential(1 / KAPPA, count), strict=True)]


def run(pair: PairRules, trades: list[TakerOrder], rows: list[GridRow], lookback_s: float = 1200.0) -> Params:
    return calibrate(trades, rows, pair, lookback_s=lookback_s)


def test_the_numbers_by_hand(pair: PairRules) -> None:
    trades = orders(60, 600)
    found = run(pair, trades, [row(k) for k in range(60)])
    known = found.estimates
    beyond = sum(float(order.deepest) - MID - HALF for order in trades)
    kappa = math.log1p(0.1 / (beyond / 60)) / 0.1  # the tick is 0.1
    assert known.kappa == pytest.approx(kappa, rel=1e-6)
    assert known.intensity == pytest.approx(60 / 1200 * math.exp(kappa * HALF), rel=1e-6)
    assert known.kappa_low is not None and known.kappa_high is not None and known.kappa is not None
    assert known.kappa_high / known.kappa == pytest.approx(math.exp(1.96 / math.sqrt(60)), rel=1e-3)
    assert (known.sample, known.window_s, known.mid, known.kappa_source) == (60, 600.0, MID, "live")
    assert (known.verdict, known.reason) == (Verdict.GO, "")
    assert (found.fills, found.own_hits, found.at_ms) == (120, 0, START_MS + 600_000)
    assert found.ks is not None and found.ks_rejects is False
    assert found.arrival_cv == pytest.approx(1.0, abs=0.35)


Trades = Callable[[], list[TakerOrder]]
VERDICTS: list[tuple[str, list[TakerOrder], Verdict, str]] = [
    ("nobody came", [], Verdict.NO, "no taker order in 600 s"),
    ("too few", orders(9, 600), Verdict.NO, "9 taker orders in 600 s, 10 needed"),
    ("few", orders(10, 600), Verdict.THIN, "only 10 taker orders"),
    ("nearly", orders(49, 600), Verdict.THIN, "only 49 taker orders"),
    ("enough", orders(50, 600), Verdict.GO, ""),
    ("all at the touch", [taker(k, HALF) for k in range(60)], Verdict.NO, "not identified"),
    ("only our own", [taker(k, 1.0, own_only=True) for k in range(60)], Verdict.NO, "no taker order"),
    ("no market around them", [taker(k, 9.0, mid=None) for k in range(60)], Verdict.NO, "no taker order"),
]


@pytest.mark.parametrize(("trades", "verdict", "reason"), [case[1:] for case in VERDICTS], ids=[c[0] for c in VERDICTS])
def test_verdicts(pair: PairRules, trades: list[TakerOrder], verdict: Verdict, reason: str) -> None:
    known = run(pair, trades, [row(k) for k in range(60)]).estimates
    assert known.verdict is verdict
    assert reason in known.reason
    assert (known.reason == "") is (verdict is Verdict.GO)


def test_no_history_is_no(pair: PairRules) -> None:
    found = run(pair, orders(60, 600), [])
    assert (found.estimates.verdict, found.estimates.reason) == (Verdict.NO, "no spread history yet")
    assert (found.mid, found.estimates.kappa, found.estimates.sigma, found.at_ms) == (None, None, None, 0)


def test_wide_intervals_are_thin_whatever_the_sample(pair: PairRules) -> None:
    """Far from the touch A is an extrapolation: kappa h = 5 makes it unknowable from 60 orders."""
    half = 100.0
    trades = [taker(10.0 * k, half + 20.0 * (k % 3 + 0.1), half=half) for k in range(60)]
    known = run(pair, trades, [row(k, half=half) for k in range(60)]).estimates
    assert known.verdict is Verdict.THIN
    assert known.reason.startswith("A is only known to -")


def test_flags_do_not_change_the_verdict(pair: PairRules) -> None:
    trades = [taker(k, HALF) for k in range(100)] + orders(60, 600)
    found = run(pair, trades + [taker(5, 1.0, own_only=True)] * 3, [row(k) for k in range(60)])
    assert found.estimates.verdict is Verdict.GO
    assert found.estimates.touch_share == pytest.approx(100 / 160)
    assert "62% took the touch only" in found.estimates.reason
    assert "3 met only our own orders" in found.estimates.reason and found.own_hits == 3
    assert found.ks_rejects is True and "not exponential" in found.estimates.reason


def test_our_own_hits_count_where_others_stood_too(pair: PairRules) -> None:
    """Inside the others' touch nobody else would have been hit; at it or behind it, others were there to be hit."""
    ours = [taker(7.0, depth, own_only=True) for depth in (HALF - 0.1, HALF, HALF + 5.0)]
    found = run(pair, orders(50, 600) + ours, [row(k) for k in range(60)])
    assert (found.own_hits, found.estimates.sample) == (1, 52)


def test_the_lookback_forgets(pair: PairRules) -> None:
    old = [taker(k, HALF + 500.0) for k in range(60)]
    new = [taker(1200 + k * 9.0, HALF + 20.0 * (0.5 + k % 2)) for k in range(60)]
    known = run(pair, old + new, [row(k) for k in range(180)], lookback_s=600.0).estimates
    assert (known.sample, known.window_s) == (60, 600.0)
    assert known.kappa == pytest.approx(1 / 20.05, rel=1e-3)


def test_a_quiet_window_grows_to_its_fiftieth_order(pair: PairRules) -> None:
    trades = [taker(60.0 * k + 3, HALF + 20.0 * (0.5 + k % 2)) for k in range(100)]
    known = run(pair, trades, [row(k) for k in range(600)], lookback_s=600.0).estimates
    assert (known.sample, known.window_s) == (50, 3000.0)
    assert known.intensity == pytest.approx(50 / 6000 * math.exp(HALF / 20.0), rel=1e-3)
    few = run(pair, trades[::4], [row(k) for k in range(600)], lookback_s=600.0).estimates
    assert (few.sample, few.window_s, few.verdict) == (25, 6000.0, Verdict.THIN)


def test_never_more_than_a_day(pair: PairRules) -> None:
    trades = [taker(10.0 * k, HALF + 500.0) for k in range(30)]
    late = [taker(100_000.0 + k, HALF + 20.0 * (0.5 + k % 2)) for k in range(20)]
    rows = [row(k) for k in [*range(40), *range(10_000, 10_003)]]
    known = run(pair, trades + late, rows).estimates
    assert (known.sample, known.window_s) == (20, 30.0)


class Hoarder(Calibrator):
    """Forgets nothing."""

    def _forget(self, end_ms: int) -> None:
        return


@pytest.mark.parametrize("lookback_s", [30.0, 600.0, 5000.0])
def test_what_is_forgotten_was_of_no_use(pair: PairRules, lookback_s: float) -> None:
    """Busy and quiet times, bursts, late orders: every window is that of one who remembers all, from fewer records."""
    draw = np.random.default_rng(8)
    lean, hoarder = (kind(pair, lookback_s=lookback_s) for kind in (Calibrator, Hoarder))
    most = windows = 0
    for index in range(2400):
        rate = (0.4, 0.005, 0.0, 0.08)[index // 150 % 4]
        trades = sorted(10 * (index + draw.random(draw.poisson(10 * rate))))
        late = [order for order in trades if order % 1 < 0.1 and index > 5]
        for at_s in [*(each for each in trades if each not in late), *(each - 25 for each in late)]:
            order = taker(at_s, 20.0 * float(draw.random()), own_only=draw.random() < 0.1)
            lean.on_trade(order), hoarder.on_trade(order)
        for calibrator in (lean, hoarder):
            calibrator.on_row(row(index, gap=index % 700 == 699))
        if index % 10 == 0:
            seen, known = lean.window(), hoarder.window()
            assert (seen is None) is (known is None)
            if seen is not None and known is not None:
                windows += 1
                for what in ("at_ms", "depths", "half_spreads", "ticks", "volumes", "on_ask"):
                    assert np.array_equal(getattr(seen.reached, what), getattr(known.reached, what))
                assert (seen.window_s, seen.mid, seen.holes_ms) == (known.window_s, known.mid, known.holes_ms)
                assert seen.own_hits == known.own_hits and lean.judged(seen) == hoarder.judged(known)
                for what in ("half_spreads", "seconds"):
                    assert np.array_equal(getattr(seen.exposure, what), getattr(known.exposure, what))
        most = max(most, len(lean._spreads)) if index > 1300 else most
    assert windows == 240 and len(hoarder._spreads) == 2400
    # The quiet stretches are 3000 s without an order: no window is longer than them and its lookback.
    assert most < (lookback_s + 8000) / 10 and len(lean._reached) < len(hoarder._reached) / 2


def test_orders_beyond_the_last_row_wait_for_theirs(pair: PairRules) -> None:
    trades = orders(60, 600)
    rows = [row(k) for k in range(60)]
    assert run(pair, trades, rows[:30]).estimates.sample == sum(t.exchange_ms < START_MS + 300_000 for t in trades)


def test_a_coarse_tick_is_allowed_for(pair: PairRules) -> None:
    """Depths floored to a grid of one tick = 1/kappa: uncorrected, kappa comes out 1.6 times too high."""
    coarse = msgspec.structs.replace(pair, price_scale=-1)  # a tick is 10
    draw = np.random.default_rng(8)
    half, beyond = 5.0, np.floor(draw.exponential(10.0, 4000) / 10.0) * 10.0
    trades = [taker(0.1 * k, half + float(d), half=half) for k, d in enumerate(beyond)]
    known = calibrate(trades, [row(k, half=half) for k in range(40)], coarse).estimates
    assert known.kappa == pytest.approx(0.1, rel=0.1)


def test_a_prior_is_said(pair: PairRules) -> None:
    trades = orders(12, 600)
    plain = calibrate(trades, [row(k) for k in range(60)], pair)
    pulled = calibrate(trades, [row(k) for k in range(60)], pair, method=Method(prior_kappa=0.5))
    assert "prior" in pulled.estimates.reason
    assert plain.estimates.kappa is not None and pulled.estimates.kappa is not None
    assert pulled.estimates.kappa > plain.estimates.kappa


@pytest.mark.parametrize(
    "bad",
    [{"lookback_s": 0.0}, {"lookback_s": math.nan}, {"vol_window_s": -1.0}, {"method": Method(prior_kappa=math.inf)}],
)
def test_impossible_settings(pair: PairRules, bad: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        Calibrator(pair, **bad)


def walk(seconds: int, seed: int = 4) -> list[float]:
    return list(MID * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-4, seconds))))


def as_rows(mids: list[float | None]) -> list[GridRow]:
    return [row(k, mids=mids[10 * k : 10 * k + 10]) for k in range(len(mids) // 10)]


def test_sigma_and_its_interval(pair: PairRules) -> None:
    found = run(pair, [], as_rows([*walk(3000)]))
    known = found.estimates
    assert known.sigma == pytest.approx(1e-4, rel=0.2) and known.sigma_source == "live"
    assert known.sigma_se is not None and known.sigma is not None
    assert found.sigma_low == pytest.approx(known.sigma - 1.96 * known.sigma_se)
    assert found.sigma_high == pytest.approx(known.sigma + 1.96 * known.sigma_se)
    assert found.mid == as_rows([*walk(3000)])[-1].mids[-1]


def test_sigma_waits_for_a_minute(pair: PairRules) -> None:
    assert run(pair, [], as_rows([*walk(50)])).estimates.sigma is None
    assert run(pair, [], as_rows([*walk(60)])).estimates.sigma is not None


def test_a_missing_row_is_bridged_or_a_gap(pair: PairRules) -> None:
    rows = as_rows([*walk(600)])
    whole = Calibrator(pair)
    for r in rows:
        whole.on_row(r)
    assert whole.vol.points == 600
    bridged = Calibrator(pair)
    for r in (r for r in rows if r is not rows[20]):
        bridged.on_row(r)
    assert bridged.vol.points == 600
    cut = Calibrator(pair)
    for r in rows[:20] + rows[25:]:
        cut.on_row(r)
    assert cut.vol.points == 550
    flagged = Calibrator(pair)
    for k, r in enumerate(rows):
        flagged.on_row(msgspec.structs.replace(r, gap=k == 20))
    assert flagged.vol.points == 600 and flagged.vol.sigma() != whole.vol.sigma()


def test_the_order_of_storage_does_not_matter(pair: PairRules) -> None:
    trades, rows = orders(60, 600), as_rows([*walk(600)])
    assert calibrate(trades[::-1], rows[::-1], pair) == calibrate(trades, rows, pair)


def test_what_is_kept_between_two_rows_is_what_would_be_found_afresh(pair: PairRules) -> None:
    """Estimates asked for with every row, against a calibrator that has just read the records: the same to the bit."""
    draw = random.Random(4)
    followed = Calibrator(pair, lookback_s=300.0)
    records: list[TakerOrder | GridRow] = []
    index = 0
    for step in range(160):
        index += 4 if step in (60, 61) else 1
        for _ in range(draw.choice((0, 0, 1, 2))):
            late = 20 if draw.random() < 0.1 else 0  # an order that comes after younger ones
            at_s = 10 * index + draw.uniform(0.0, 9.0) - late
            records.append(taker(at_s, HALF + round(draw.expovariate(KAPPA), 1), own_only=draw.random() < 0.05))
            followed.on_trade(records[-1])
        half = draw.choice((2.0, 4.0, 6.0))
        mids: list[float | None] = [MID + draw.gauss(0.0, 3.0) for _ in range(10)]
        records.append(row(index, half=half, mids=mids, gap=step == 61))
        followed.on_row(records[-1])
        fresh = Calibrator(pair, lookback_s=300.0)
        for record in records:
            if isinstance(record, TakerOrder):
                fresh.on_trade(record)
            else:
                fresh.on_row(record)
        assert followed.estimates() == fresh.estimates()
        assert followed.intensity() == fresh.intensity()
    assert followed.estimates().verdict is not Verdict.NO


@pytest.mark.parametrize("ahead", [6, 60, 600], ids=["a minute", "ten minutes", "over an hour"])
def test_a_clock_that_ran_ahead_and_was_set_back(pair: PairRules, ahead: int) -> None:
    """What it said of the future is outside every window until the future is there; what was forgotten stays so."""
    struck, spared = Calibrator(pair, lookback_s=900.0), Calibrator(pair, lookback_s=900.0)
    draw = random.Random(9)

    def record(index: int, *, gap: bool) -> list[TakerOrder | GridRow]:
        trades = [
            taker(10 * index + draw.uniform(0.0, 9.0), HALF + round(draw.expovariate(KAPPA), 1))
            for _ in range(draw.choice((1, 2, 3)))
        ]
        return [*trades, row(index, half=draw.choice((2.0, 4.0, 6.0)), gap=gap)]

    def feed(calibrator: Calibrator, records: list[TakerOrder | GridRow]) -> None:
        for one in records:
            if isinstance(one, TakerOrder):
                calibrator.on_trade(one)
            else:
                calibrator.on_row(one)

    before = [record(index, gap=index == 0) for index in range(100)]
    for records in before:
        feed(struck, records)
    for index in range(100 + ahead, 103 + ahead):
        feed(struck, record(index, gap=index == 100 + ahead))
    # Of what came before the clock ran ahead, the first row that is left: what is older went as the windows moved on.
    left = next(index for index in range(100) if len(struck._spreads) == 103 - index)
    for records in before[left:]:
        feed(spared, records)
    for index in range(100, 100 + ahead):
        records = record(index, gap=index == 100)
        feed(struck, records)
        feed(spared, records)
        one, other = struck.window(), spared.window()
        assert one is not None and other is not None
        assert np.array_equal(one.exposure.seconds, other.exposure.seconds)
        assert np.array_equal(one.exposure.half_spreads, other.exposure.half_spreads)
        assert np.array_equal(one.reached.at_ms, other.reached.at_ms) and one.window_s == other.window_s
        assert struck.intensity() == spared.intensity()
    assert struck.intensity().arrival_cv is not None
