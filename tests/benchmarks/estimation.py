"""A calibration of a million taker orders, and the paper's Monte-Carlo, each against bare numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from harness import Outcome, ratio, side_by_side, spread

from lunomm.market.intensity import Exposure
from lunomm.market.judgement import Method, Orders, Window, judge
from lunomm.quoting.experiment import Strategy, World, simulate

WORK = "kappa, A, intervals, tests and verdict of 1,000,000 taker orders; 1000 runs x 200 steps of the paper"
LEAVES_OUT = (
    "reading the records; the floors know no case but this one: no weights, holes, ticks off the grid, errors, path"
)
ORDERS = 1_000_000
HALF, KAPPA, TICK = 4e-4, 1500.0, 2e-6


def sample() -> Window:
    draw = np.random.default_rng(5)
    spreads = draw.choice(np.array([0.5, 1.0, 2.0]) * HALF, ORDERS)
    beyond = np.floor(draw.exponential(1 / KAPPA, ORDERS) / TICK) * TICK
    at_ms = np.cumsum(draw.exponential(500.0, ORDERS))
    seconds = float(at_ms[-1]) / 1000
    exposure = Exposure(np.array([0.5, 1.0, 2.0]) * HALF, np.full(3, seconds / 3))
    ticks, volumes = np.full(ORDERS, TICK), draw.exponential(0.01, ORDERS)
    orders = Orders(at_ms, spreads + beyond, spreads, ticks, volumes, draw.random(ORDERS) < 0.5)
    return Window(orders, exposure, 0, seconds)


def calibration(window: Window) -> Callable[[], int]:
    def work() -> int:
        assert judge(window, Method()).fit is not None
        return 1

    return work


def distance(seen: np.ndarray) -> float:
    """Kolmogorov-Smirnov from the exponential of the same mean."""
    cdf = -np.expm1(-seen / seen.mean())
    rank = np.arange(1, len(seen) + 1)
    return float(max((rank / len(seen) - cdf).max(), (cdf - (rank - 1) / len(seen)).max()))


def bare_pass(window: Window) -> Callable[[], int]:
    """Means, both distributions' distances and the sides' means over the same arrays."""
    orders = Orders.of(window.reached)

    def work() -> int:
        excess = orders.depths - orders.half_spreads
        waits = np.diff(orders.at_ms)
        distance(np.sort(excess))
        distance(np.sort(waits))
        waits.std()
        for mask in (orders.on_ask, ~orders.on_ask):
            orders.depths[mask].mean()
        return 1

    return work


def monte_carlo() -> int:
    simulate(World(), Strategy.INVENTORY)
    return 1


def bare_kernel() -> int:
    """The same experiment with nothing around it: draws a step at a time, closed form, no path kept."""
    w = World()
    for_mid, for_fills = (np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(w.seed).spawn(2))
    c1, jump, chance = math.log(1 + w.gamma / w.kappa) / w.gamma, w.sigma * math.sqrt(w.dt), w.intensity * w.dt
    mid, q, cash, spread_sum = np.full(w.runs, w.s), np.zeros(w.runs), np.zeros(w.runs), 0.0
    for k in range(w.steps):
        risk = 0.5 * w.gamma * w.sigma**2 * w.left(k)
        skew = q * (2 * risk)
        bid, ask = c1 + risk + skew, c1 + risk - skew
        spread_sum += 2 * (c1 + risk)
        bought = for_fills.random(w.runs) < chance * np.exp(-w.kappa * bid)
        sold = for_fills.random(w.runs) < chance * np.exp(-w.kappa * ask)
        cash += sold * (mid + ask) - bought * (mid - bid)
        q += bought.astype(float) - sold
        mid += jump * (2.0 * for_mid.integers(0, 2, w.runs) - 1.0)
    profit = cash + q * mid
    profit.mean(), profit.std()
    return 1


def run() -> Outcome:
    window = sample()
    found = side_by_side(
        {
            "bare pass": lambda: bare_pass(window),
            "calibration": lambda: calibration(window),
            "bare kernel": lambda: bare_kernel,
            "monte-carlo": lambda: monte_carlo,
        }
    )
    return Outcome(
        "estimation",
        WORK,
        LEAVES_OUT,
        {name: spread(times) for name, times in found.items()},
        {
            "calibration / bare pass": ratio(found["calibration"], found["bare pass"]),
            "monte-carlo / bare kernel": ratio(found["monte-carlo"], found["bare kernel"]),
        },
        wanted={"calibration / bare pass": 3, "monte-carlo / bare kernel": 1.5},
    )
