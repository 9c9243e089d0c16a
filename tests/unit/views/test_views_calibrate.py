from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.hours import Hour
from lunomm.market.records import Estimates, Params, SideFit, Verdict
from lunomm.views.calibrate import CalibrateView, calibrate_line, calibrate_screen
from lunomm.views.estimates import inverse_kappa, sigma_daily


@pytest.fixture
def view(params: Params) -> CalibrateView:
    return CalibrateView("XBTMYR", "TRADES and GRID of the running book", params, "MYR")


def test_at_80_columns(view: CalibrateView) -> None:
    assert draw(calibrate_screen(view), 80) == (
        """\
XBTMYR  calibration  ● GO n=73
from TRADES and GRID of the running book
────────────────────────────────────────────────────────────────────────────────
σ a day      2.498 % (2.058 to 2.851) live
σ            0.0000850000 /√s
1/κ depth    10.00 bp (8.67 to 11.67) live
κ            0.00333333 1/MYR (0.00285714 to 0.00384615)
A            0.0926 /s a side (0.0800 to 0.1100)
sample       73 taker orders, 90 fills
window       20 min
touch share  10 %
KS           0.80, an exponential is not rejected at 5 %
at mid       300,000 MYR
why          both intervals within 35 %"""
    )


def test_progress(view: CalibrateView) -> None:
    under_way = replace(view, elapsed_s=120.0, limit_s=600.0)
    assert "73 of 50 taker orders, 2 min of 10 min" in draw(calibrate_screen(under_way), 160, 48)
    waiting = CalibrateView("XBTMYR", "the market stream", None, "", 3.0, 600.0)
    assert "nothing measured yet" in draw(calibrate_screen(waiting), 80)
    assert calibrate_line(waiting) == (
        "XBTMYR  collecting from the market stream  0 of 50 taker orders, 3.0 s of 10 min"
    )


def test_plain_line(view: CalibrateView) -> None:
    assert calibrate_line(view) == (
        "XBTMYR  GO  n 73  sigma 2.50 % a day  1/kappa 10.0 bp  A 0.0926 /s  both intervals within 35 %"
    )


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 10)])
def test_nothing_known_rejected_and_hostile(view: CalibrateView, size: tuple[int, int]) -> None:
    assert view.params is not None
    unknown = msgspec.structs.replace(
        view.params, estimates=Estimates(), mid=None, ks=None, sigma_low=None, sigma_high=None
    )
    odd = msgspec.structs.replace(view.params, ks_rejects=True, in_sample=True, own_hits=4)
    hostile = msgspec.structs.replace(
        view.params,
        estimates=Estimates(
            reason=f"{HOSTILE}; {HOSTILE}", sigma=float("inf"), kappa=1e-300, kappa_source=HOSTILE, verdict=Verdict.THIN
        ),
    )
    for params in (unknown, odd, hostile):
        draw(calibrate_screen(replace(view, params=params)), *size)
    for source in (HOSTILE, ""):
        draw(calibrate_screen(CalibrateView(HOSTILE, source, hostile, HOSTILE, note=HOSTILE)), *size)
    wide = draw(calibrate_screen(replace(view, params=odd)), 120, 40)
    assert "the exponential is rejected at 5 %" in wide
    assert "same file, in-sample" in wide
    assert "4 left out: A is a lower bound" in wide


def test_conversions() -> None:
    assert sigma_daily(None) is None
    assert sigma_daily(1.0) == pytest.approx(86_400**0.5)
    assert inverse_kappa(1 / 300, 300_000) == pytest.approx(0.001)
    assert inverse_kappa(0.0, 300_000) is None
    assert inverse_kappa(1.0, None) is None


def test_sides_arrivals_others_and_hours(view: CalibrateView) -> None:
    assert view.params is not None
    side = SideFit(
        kappa=1 / 300, kappa_low=1 / 600, kappa_high=1 / 200, intensity=0.09, intensity_low=0.08, intensity_high=0.1
    )
    rich = msgspec.structs.replace(
        view.params,
        bid=side,
        ask=msgspec.structs.replace(side, kappa=1 / 150),
        arrival_cv=2.13,
        arrival_rejects=True,
        others={"exposure": 1 / 300, "touch": 1 / 270, "seed": 1 / 90_000},
        weight="size",
    )
    hours = tuple(Hour(3_600_000 * k, 3600.0, 8e-5 * k or None, 1e-6, 2e-4, k, 10.0 * k) for k in range(3))
    shown = draw(calibrate_screen(replace(view, params=rich, hours=hours)), 100, 60)
    for words in (
        "bids 10.0 bp (6.7 to 20.0), A 0.0900",
        "asks 5.0 bp",
        "CV 2.13 of the times between, Poisson is rejected at 5 %",
        "touch 9.0 bp, seed 3,000.0 bp",
        "weighted by size",
        "02:00",
        "4.70 %",
    ):
        assert words in shown, words
    assert "exposure" not in shown, "the estimator itself is no other"
    alone = draw(calibrate_screen(replace(view, hours=hours[:1])), 100, 60)
    assert "by hour" not in alone
