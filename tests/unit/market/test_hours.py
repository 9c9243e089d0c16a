from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from lunomm.market.calibration import Calibrator
from lunomm.market.hours import HOUR_MS, by_hour, vol_path
from lunomm.market.records import GridRow, TakerOrder
from lunomm.market.rules import PairRules, Side

START_MS = 500_000 * HOUR_MS
QUIET, WILD = 2e-5, 8e-5


def rows(hours: list[float | None], start_ms: int = START_MS) -> list[GridRow]:
    """An hour of each sigma, of one continuous price; None: no rows."""
    draw = np.random.default_rng(6)
    y, made = math.log(300_000), []
    for hour, sigma in enumerate(hours):
        for k in range(0 if sigma is None else 360):
            steps = y + np.cumsum(draw.normal(0.0, sigma or 0.0, 10))
            y = float(steps[-1])
            made.append(
                GridRow(
                    pair="XBTMYR",
                    start_ms=start_ms + hour * HOUR_MS + 10_000 * k,
                    step_s=1.0,
                    mids=[math.exp(step) for step in steps],
                    exposure=[(2e-4, 6.0), (4e-4, 4.0)],
                    first_sequence=k,
                    last_sequence=k,
                )
            )
    return made


def taker(at_ms: int, *, own_only: bool = False) -> TakerOrder:
    return TakerOrder(
        pair="XBTMYR",
        taker_id=str(at_ms),
        side=Side.BID,
        volume=Decimal(1),
        counter=Decimal(1),
        deepest=Decimal(300_300),
        fills=1,
        mid=300_000.0,
        half_spread=60.0,
        own_only=own_only,
        sequence=1,
        trade_sequence=None,
        exchange_ms=at_ms,
    )


def test_each_hour_has_its_own_sigma_and_flow() -> None:
    trades = [taker(START_MS + 1000 * k) for k in range(30)] + [taker(START_MS + HOUR_MS + 7), taker(5)]
    found = by_hour([*trades, taker(START_MS + 9, own_only=True)], rows([QUIET, WILD, None, QUIET])[::-1])
    assert [hour.start_ms for hour in found] == [START_MS + k * HOUR_MS for k in (0, 1, 3)]
    for hour, truth in zip(found, (QUIET, WILD, QUIET), strict=True):
        assert hour.sigma == pytest.approx(truth, rel=0.15)
        assert hour.sigma_se is not None and hour.sigma_se / truth == pytest.approx(0.045, rel=0.3)
        assert hour.observed_s == pytest.approx(3600.0) and hour.half_spread == pytest.approx(2.8e-4)
    assert [hour.orders for hour in found] == [30, 1, 0]
    assert [hour.per_hour for hour in found] == pytest.approx([30.0, 1.0, 0.0])


def test_only_the_last_day_and_no_sigma_from_a_few_minutes() -> None:
    assert by_hour([], []) == []
    found = by_hour([], rows([QUIET] * 26)[:-330])
    assert len(found) == 24 and found[-1].start_ms == START_MS + 25 * HOUR_MS
    assert found[-1].sigma is None and found[-1].observed_s == pytest.approx(300.0) and found[0].sigma is not None


def test_the_path_ends_where_the_calibration_is(pair: PairRules) -> None:
    grid = rows([QUIET, None, WILD])
    path = vol_path(grid)
    calibrator = Calibrator(pair)
    for row in grid:
        calibrator.on_row(row)
    assert len(path) == len(grid) and path[-1].sigma == calibrator.vol.sigma()
    assert path[0].sigma is None and path[-1].at_ms == calibrator.end_ms
