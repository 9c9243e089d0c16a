"""The Monte-Carlo experiment against the paper's published tables, and against a slow loop over single runs."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from lunomm.quoting.experiment import Fills, Result, Strategy, World, simulate

PUBLISHED = {
    (0.1, Strategy.INVENTORY): (1.49, 65.0, 6.6, 0.08, 2.9),
    (0.1, Strategy.SYMMETRIC): (1.49, 68.4, 12.7, 0.26, 8.4),
    (0.01, Strategy.INVENTORY): (1.35, 68.6, 8.7, 0.12, 5.1),
    (0.01, Strategy.SYMMETRIC): (1.35, 68.8, 12.8, 0.09, 8.7),
    (1.0, Strategy.INVENTORY): (3.02, 31.4, 5.0, 0.02, 1.7),
    (1.0, Strategy.SYMMETRIC): (3.02, 44.0, 11.0, 0.00, 5.1),
}
"""Average spread, profit, std(profit), final q, std(final q): Avellaneda & Stoikov (2008), tables 1 to 3."""

RUNS = 1000
SEED = 1
SIGMAS = 3.5
"""Of the difference of two independent experiments; 24 figures are compared."""


def within(ours: float, theirs: float, se: float, digits: int) -> bool:
    """Both experiments have the same Monte-Carlo error, and theirs is printed with so many digits."""
    return abs(ours - theirs) <= SIGMAS * math.sqrt(2.0) * se + 0.5 * 10.0**-digits


@pytest.mark.parametrize(("gamma", "strategy"), list(PUBLISHED))
def test_a_thousand_runs_land_inside_the_published_tables(gamma: float, strategy: Strategy) -> None:
    spread, profit, std_profit, final_q, std_q = PUBLISHED[gamma, strategy]
    result, _ = simulate(World(gamma=gamma, runs=RUNS, seed=SEED), strategy)
    assert round(result.average_spread.value, 2) == spread  # the quoted spread is not random
    assert within(result.profit.value, profit, result.profit.se, 1)
    assert within(result.std_profit.value, std_profit, result.std_profit.se, 1)
    assert within(result.final_q.value, final_q, result.final_q.se, 2)
    assert within(result.std_final_q.value, std_q, result.std_final_q.se, 1)


@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_glft_is_worth_more_than_the_closed_form(gamma: float) -> None:
    closed, _ = simulate(World(gamma=gamma), Strategy.INVENTORY)
    optimal, _ = simulate(World(gamma=gamma), Strategy.GLFT)
    ahead = optimal.certainty_equivalent.value - closed.certainty_equivalent.value
    assert ahead > 3.0 * math.hypot(optimal.certainty_equivalent.se, closed.certainty_equivalent.se)


def by_hand(world: World, runs: int) -> tuple[float, float]:
    """The inventory strategy run by run, step by step, from the formulas as printed: mean profit, std of final q."""
    source = random.Random(7)
    profits, finals = [], []
    for _ in range(runs):
        s, q, x = world.s, 0, 0.0
        for k in range(world.steps):
            tau = world.horizon - (k + 0.5) * world.dt
            r = s - q * world.gamma * world.sigma**2 * tau
            spread = world.gamma * world.sigma**2 * tau + 2 / world.gamma * math.log(1 + world.gamma / world.kappa)
            bid, ask = r - spread / 2, r + spread / 2
            hit = [
                source.random() < 1 - math.exp(-world.intensity * math.exp(-world.kappa * delta) * world.dt)
                for delta in (s - bid, ask - s)
            ]
            q, x = q + hit[0] - hit[1], x - hit[0] * bid + hit[1] * ask
            s += world.sigma * math.sqrt(world.dt) * source.choice((-1, 1))
        profits.append(x + q * s)
        finals.append(q)
    return float(np.mean(profits)), float(np.std(finals, ddof=1))


def test_the_same_numbers_as_a_slow_loop() -> None:
    world = World(gamma=0.5, dt=0.01, runs=4000, fills=Fills.EXPONENTIAL)
    result, _ = simulate(world, Strategy.INVENTORY)
    profit, std_q = by_hand(world, 600)
    assert profit == pytest.approx(result.profit.value, abs=4 * result.std_profit.value / math.sqrt(600))
    assert std_q == pytest.approx(result.std_final_q.value, rel=4 / math.sqrt(1200))


def test_one_seed_is_one_experiment_and_the_readings_of_probability_differ() -> None:
    profits: dict[Fills, Result] = {}
    for fills in Fills:
        first, path = simulate(World(runs=500, fills=fills), Strategy.INVENTORY)
        again, same = simulate(World(runs=500, fills=fills), Strategy.INVENTORY)
        assert first == again and np.array_equal(path.mid, same.mid)
        profits[fills] = first
    # At least one arrival in a step is less than the expected number of arrivals.
    assert profits[Fills.EXPONENTIAL].profit.value < profits[Fills.LINEAR].profit.value - 3.0
    other, _ = simulate(World(runs=500, seed=2), Strategy.INVENTORY)
    assert other != profits[Fills.LINEAR]


def test_all_strategies_meet_the_same_prices() -> None:
    paths = [simulate(World(runs=10, fills=Fills.POISSON), strategy)[1] for strategy in Strategy]
    assert np.array_equal(paths[0].mid, paths[1].mid) and np.array_equal(paths[0].mid, paths[2].mid)


def test_the_path_is_what_was_quoted() -> None:
    world = World(runs=2)
    _, path = simulate(world, Strategy.INVENTORY)
    assert len(path.time) == world.steps == 200 and path.inventory[0] == 0
    risk = world.gamma * world.sigma**2 * (world.horizon - path.time - world.dt / 2)
    assert np.allclose(path.reservation, path.mid - path.inventory * risk)
    assert np.all(path.bid < path.ask) and np.all(np.abs(np.diff(path.inventory)) <= 1)


def test_risk_neutral_is_two_over_kappa_and_its_worth_is_the_mean() -> None:
    result, _ = simulate(World(gamma=0.0, runs=200), Strategy.INVENTORY)
    assert result.average_spread.value == pytest.approx(2 / 1.5, rel=1e-12)
    assert result.certainty_equivalent == result.profit


def test_the_certainty_equivalent_of_a_normal_profit() -> None:
    """Where gamma times the deviation is small, mean - gamma/2 variance."""
    result, _ = simulate(World(gamma=0.01, runs=4000), Strategy.SYMMETRIC)
    expected = result.profit.value - 0.005 * result.std_profit.value**2
    assert result.certainty_equivalent.value == pytest.approx(expected, abs=0.05)
