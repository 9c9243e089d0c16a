from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal as D

import pytest

from lunomm.quoting.patience import FARTHEST, FARTHEST_WAIT, Queue, share, stays, wait_s

LOT = D("0.02")
FRONT = Queue(ahead=D(0), behind=D("0.1"), lot=LOT, kappa=1 / 300, refresh_s=60.0)
"""First at its price; five lots stand at the wanted one."""


def simulated(off: float) -> float:
    """The worth of a quote over that of the best one, from the flow's own formula: arrivals x margin."""
    kappa, cost = 1 / 300, 40.0
    best = cost + 1 / kappa
    distance = best + off / kappa
    return math.exp(-kappa * distance) * (distance - cost) / (math.exp(-kappa * best) * (best - cost))


@pytest.mark.parametrize("off", [-0.9, -0.3, 0.0, 0.004, 0.5, 2.0])
def test_share_is_arrivals_times_margin(off):
    assert share(off) == pytest.approx(simulated(off), rel=1e-12)
    assert share(off) <= 1.0


@pytest.mark.parametrize(
    ("case", "queue", "outward", "left", "expected"),
    [
        ("a tick of noise does not cost the first place", FRONT, 1.0, LOT, True),
        ("nor a tick the other way", FRONT, -1.0, LOT, True),
        ("half of 1/kappa is too far, whatever the place", FRONT, 160.0, LOT, False),
        ("and too near", FRONT, -160.0, LOT, False),
        ("the same place there as here: go where the price is best", replace(FRONT, behind=D(0)), 90.0, LOT, False),
        ("a move that gains less than its gap is not made", replace(FRONT, behind=D(0)), 30.0, LOT, True),
        ("last in a long queue: an empty level is better", replace(FRONT, ahead=D(1), behind=D(0)), 1.0, LOT, False),
        ("a rest of a third at the front beats a sixth of the flow", FRONT, 0.0, LOT / 3, True),
        ("a rest of a tenth does not", FRONT, 0.0, LOT / 10, False),
        ("with no_improve nothing nearer stays", replace(FRONT, tighter=False), -1.0, LOT, False),
        ("but what is further may", replace(FRONT, tighter=False), 1.0, LOT, True),
    ],
)
def test_stays(case, queue, outward, left, expected):
    assert stays(queue, outward, left, LOT) is expected, case


def test_a_better_place_never_turns_staying_into_going():
    for outward in (-100.0, -20.0, 0.0, 20.0, 100.0):
        answers = [
            stays(replace(FRONT, ahead=D(a)), outward, LOT, LOT) for a in ("1", "0.3", "0.1", "0.05", "0.01", "0")
        ]
        assert answers == sorted(answers)


def test_the_bound_is_where_it_is_said():
    assert share(FARTHEST) == pytest.approx(0.91, abs=0.005)
    assert share(-FARTHEST) == pytest.approx(0.82, abs=0.005)


def test_the_wait_for_a_fill():
    # 0.09 orders a second reach the fair price, e^-1 of them 300 further; behind five lots six must come.
    assert wait_s(D(0), LOT, 0.0, 1 / 300, 0.09) == pytest.approx(1 / 0.09)
    assert wait_s(D(0), LOT, -50.0, 1 / 300, 0.09) == pytest.approx(1 / 0.09)
    assert wait_s(D("0.1"), LOT, 300.0, 1 / 300, 0.09) == pytest.approx(6 * math.e / 0.09)


@pytest.mark.parametrize(
    ("lot", "distance", "kappa", "intensity"),
    [
        (D(0), 1.0, 0.01, 0.1),
        (LOT, math.inf, 0.01, 0.1),
        (LOT, math.nan, 0.01, 0.1),
        (LOT, 1.0, 0.0, 0.1),
        (LOT, 1.0, 0.01, 0.0),
        (LOT, (FARTHEST_WAIT + 1) / 0.01, 0.01, 0.1),
    ],
)
def test_no_wait_is_stated_where_there_is_none_to_state(lot, distance, kappa, intensity):
    assert wait_s(D(0), lot, distance, kappa, intensity) is None
