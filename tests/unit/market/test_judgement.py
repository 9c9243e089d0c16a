"""What is said of a window: clusters, holes, uneven sides, comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from lunomm.errors import ModelError
from lunomm.market.intensity import Exposure
from lunomm.market.judgement import ESTIMATORS, TRUSTED, Method, Reached, Window, compare, judge, sides
from lunomm.market.records import Verdict

HALF = 4e-4
MEAN = 10e-4
TICK = 1e-7


def window(times_ms: list[float], *, ask_mean: float = MEAN, holes_ms: tuple[int, ...] = (), seed: int = 3) -> Window:
    draw = np.random.default_rng(seed)
    reached = []
    for k, at in enumerate(times_ms):
        beyond = float(draw.exponential(ask_mean if k % 2 else MEAN))
        reached.append(Reached(int(at), HALF + beyond, HALF, TICK, 0.5 + k % 3, bool(k % 2)))
    seconds = times_ms[-1] / 1000
    return Window(reached, Exposure(np.array([HALF]), np.array([seconds])), 0, seconds, holes_ms, 300_000.0)


def poisson(n: int, seed: int = 1) -> list[float]:
    return list(np.cumsum(np.random.default_rng(seed).exponential(10_000.0, n)))


def clusters(n: int, seed: int = 1) -> list[float]:
    """Four at a time, two seconds apart, then a long wait."""
    starts = np.cumsum(np.random.default_rng(seed).exponential(40_000.0, n // 4))
    return sorted(float(start + 500 * k) for start in starts for k in range(4))


def test_clustered_takers_are_said_and_make_a_less_certain() -> None:
    plain, bursts = judge(window(poisson(200)), Method()), judge(window(clusters(200)), Method())
    assert plain.verdict is Verdict.GO and plain.arrival_rejects is False and plain.fit is not None
    assert plain.arrival_cv == pytest.approx(1.0, abs=0.2)
    assert bursts.arrival_rejects is True and bursts.arrival_cv is not None and bursts.arrival_cv > 1.5
    assert bursts.fit is not None and "clusters" in bursts.reason
    assert bursts.fit.se_log_kappa == pytest.approx(plain.fit.se_log_kappa, rel=0.01)
    assert bursts.fit.se_log_a**2 == pytest.approx(plain.fit.se_log_a**2 + (bursts.arrival_cv**2 - 1) / 200, rel=0.02)


def test_the_widened_interval_of_a_covers_the_truth() -> None:
    """Rate of clustered takers: without widening the interval would cover it six times of ten."""
    covered = narrow = 0
    for seed in range(200):
        times = clusters(400, seed)
        found = judge(window(times, seed=seed), Method())
        assert found.fit is not None
        truth = 0.05 * np.exp(HALF / MEAN)
        covered += found.fit.a_interval[0] < truth < found.fit.a_interval[1]
        one = found.fit.overdispersed(2 - (found.arrival_cv or 1.0) ** 2, 400)
        narrow += one.a_interval[0] < truth < one.a_interval[1]
    assert covered >= 176 and narrow < 160, (covered, narrow)


def test_a_wait_across_a_hole_is_no_wait() -> None:
    early = poisson(100)
    late = [at + 3_600_000 for at in early]
    resumed = int(late[0]) - 5_000
    blind = judge(window(early + late), Method())
    seen = judge(window(early + late, holes_ms=(0, resumed)), Method())
    assert blind.arrival_cv is not None and blind.arrival_cv > 3
    assert seen.arrival_cv == pytest.approx(1.0, abs=0.3)


def test_uneven_sides_are_said() -> None:
    even, odd = judge(window(poisson(200)), Method()), judge(window(poisson(200), ask_mean=3 * MEAN), Method())
    assert "sides" not in even.reason and "the sides differ" in odd.reason
    bid, ask = sides(window(poisson(200), ask_mean=3 * MEAN), Method())
    assert bid is not None and ask is not None
    assert 1 / bid.kappa == pytest.approx(MEAN, rel=0.3) and 1 / ask.kappa == pytest.approx(3 * MEAN, rel=0.3)
    assert bid.a == pytest.approx(0.05 * np.exp(HALF * bid.kappa), rel=0.15)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_says_what_it_is(name: str) -> None:
    found = judge(window(poisson(200)), Method(estimator=name))
    others = compare(window(poisson(200)))
    assert set(others) == set(ESTIMATORS)
    kappa = found.fit.kappa if found.fit is not None else found.curve.kappa if found.curve is not None else None
    assert kappa == pytest.approx(others[name].kappa, rel=1e-12)
    if name in TRUSTED:
        assert found.verdict is Verdict.GO and kappa == pytest.approx(1 / MEAN, rel=0.25)
    else:
        assert found.verdict is Verdict.THIN and "comparison" in found.reason


def test_size_weights_count_and_are_less_certain() -> None:
    plain, sized = (judge(window(poisson(200)), Method(weight=weight)) for weight in ("order", "size"))
    assert plain.fit is not None and sized.fit is not None
    assert sized.fit.kappa != plain.fit.kappa and sized.fit.se_log_kappa > plain.fit.se_log_kappa


def test_a_window_without_orders() -> None:
    empty = Window([], Exposure(np.array([HALF]), np.array([60.0])), 2, 60.0)
    found = judge(empty, Method())
    assert (found.verdict, found.fit, found.own_hits) == (Verdict.NO, None, 2)
    assert sides(empty, Method()) == (None, None) and compare(empty) == {}


def test_methods_that_do_not_exist() -> None:
    for bad in ({"estimator": "guess"}, {"weight": "age"}, {"estimator": "seed", "weight": "size"}):
        with pytest.raises(ModelError):
            Method(**bad)
