"""Tests of fit, at their level and with power."""

from __future__ import annotations

import numpy as np
import pytest

from lunomm.market.goodness import KS_5_PERCENT, stephens, variation


def test_stephens_rejects_at_its_level() -> None:
    """About 5 % of exponential samples, nearly all touch-only or constant ones."""
    draw = np.random.default_rng(11)
    values = [stephens(draw.exponential(1.0, 60)) for _ in range(1500)]
    share = float(np.mean([value is not None and value > KS_5_PERCENT for value in values]))
    assert 0.03 < share < 0.07
    heavy = np.where(draw.random(60) < 0.7, 0.0, draw.exponential(1.0, 60))
    worst = stephens(heavy)
    assert worst is not None and worst > 2.0
    assert stephens(np.array([1.0])) is None
    assert stephens(np.zeros(10)) is None


def test_variation() -> None:
    draw = np.random.default_rng(2)
    poisson = variation(draw.exponential(3.0, 4000))
    assert poisson is not None and poisson == pytest.approx(1.0, abs=0.06)
    assert variation(np.array([1.0, 1.0, 1.0, 1.0])) == 0.0
    assert variation(np.array([1.0, 2.0])) is None


def test_a_coarse_tick_does_not_reject_the_truth() -> None:
    """Excesses floored to a fifth of their mean: as ties nearly always rejected, spread over their step rarely."""
    draw = np.random.default_rng(5)
    tick = 0.2
    samples = [np.floor(draw.exponential(1.0, 200) / tick) * tick for _ in range(400)]
    spread = [value > KS_5_PERCENT for s in samples if (value := stephens(s, tick)) is not None]
    tied = [value > KS_5_PERCENT for s in samples if (value := stephens(s)) is not None]
    assert len(spread) == len(tied) == 400
    assert float(np.mean(tied)) > 0.9
    assert float(np.mean(spread)) < 0.07
    heavy = [stephens(np.where(draw.random(200) < 0.6, 0.0, s), tick) for s in samples]
    assert float(np.mean([value is not None and value > KS_5_PERCENT for value in heavy])) > 0.95
