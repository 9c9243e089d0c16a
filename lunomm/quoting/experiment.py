"""The paper's Monte-Carlo experiment: the model's quotes in the world the model was made for, vectorised over runs.

The world: the mid moves by +-sigma sqrt(dt) a step; each step, before it moves, an order of one unit takes our ask with
the probability that the intensity A exp(-kappa delta) gives at its distance delta from the mid, and one our bid,
independently. Three readings of "probability": ``linear`` min(1, lambda dt), the paper's words and what reproduces its
tables (A dt is 0.7 there, so it is far from small); ``exponential`` 1 - exp(-lambda dt), at least one arrival, which
loses a fraction of about lambda dt / 2 of the fills; ``poisson`` counts, what continuous time does.

Strategies: ``inventory`` is Avellaneda & Stoikov's closed form; ``symmetric`` its average spread, constant and centred
on the mid, the paper's benchmark; ``glft`` the long-run quotes of Gueant, Lehalle & Fernandez-Tapia at the same risk
aversion. All strategies of one seed meet the same price paths.

What it leaves out is what the model leaves out: no fees, ticks, queue, latency or informed flow; inventory is marked at
the mid at the end, at no cost.

Source: Avellaneda & Stoikov (2008), High-frequency trading in a limit order book, section 3.3, tables 1 to 3.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunomm.quoting.avellaneda_stoikov import intensity_half_spread, risk_half_spread
from lunomm.quoting.glft import Flow, table

Array = NDArray[np.float64]

GLFT_LOTS = 60
"""Inventory bound of the glft strategy. The other two have none; at the paper's parameters nothing gets near it."""


class Fills(enum.StrEnum):
    """How an intensity becomes fills within one step."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    POISSON = "poisson"


class Strategy(enum.StrEnum):
    INVENTORY = "inventory"
    SYMMETRIC = "symmetric"
    GLFT = "glft"


@dataclass(frozen=True)
class World:
    """One setting, the paper's by default. Its time unit is the reader's: sigma, intensity, horizon and dt share it.

    s: price. horizon, dt: time. sigma: price/sqrt(time). kappa: 1/price. intensity: A, 1/time a side. gamma: 1/price,
    for orders of one unit. runs: >= 2. seed: of everything random.
    """

    s: float = 100.0
    horizon: float = 1.0
    sigma: float = 2.0
    dt: float = 0.005
    kappa: float = 1.5
    intensity: float = 140.0
    gamma: float = 0.1
    runs: int = 1000
    seed: int = 1
    fills: Fills = Fills.LINEAR

    @property
    def steps(self) -> int:
        return max(1, round(self.horizon / self.dt))

    def left(self, step: int) -> float:
        """Horizon left in the middle of a step: its quotes stand for all of it, so that their average over time is the
        formula's own integral (3.02 at gamma 1, as published; quotes of the step's beginning average 3.03)."""
        return max(self.horizon - (step + 0.5) * self.dt, 0.0)


@dataclass(frozen=True)
class Figure:
    """A mean, a deviation or the like over the runs, with its standard error."""

    value: float
    se: float


@dataclass(frozen=True)
class Result:
    """One strategy over all runs. average_spread: time average of what was quoted. profit: cash + inventory at the mid.

    certainty_equivalent: -(1/gamma) ln mean exp(-gamma profit); the mean profit where gamma is 0.
    """

    strategy: Strategy
    average_spread: Figure
    profit: Figure
    std_profit: Figure
    final_q: Figure
    std_final_q: Figure
    certainty_equivalent: Figure


@dataclass(frozen=True)
class Path:
    """The first run, a value a step: time, mid, bid and ask as quoted, reservation price (their middle), inventory."""

    time: Array
    mid: Array
    bid: Array
    ask: Array
    reservation: Array
    inventory: Array


def simulate(world: World, strategy: Strategy, on_step: Callable[[int], None] | None = None) -> tuple[Result, Path]:
    """Run one strategy.

    on_step: told how many steps are done, after each.

    Raises:
        ModelError: a parameter not finite or out of range.
    """
    # Two streams of their own: how many draws the fills take must not move the price path.
    for_mid, for_fills = (np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(world.seed).spawn(2))
    depths = _quotes(world, strategy)
    runs, steps = world.runs, world.steps
    jump = world.sigma * math.sqrt(world.dt)
    mid, q, cash, spread = np.full(runs, world.s), np.zeros(runs), np.zeros(runs), np.zeros(runs)
    path = np.zeros((5, steps))
    for k in range(steps):
        bid_depth, ask_depth = depths(world.left(k), q)
        spread += bid_depth + ask_depth
        path[:, k] = (mid[0], mid[0] - _first(bid_depth), mid[0] + _first(ask_depth), q[0], 0.0)
        bought = _filled(world, bid_depth, for_fills, runs)
        sold = _filled(world, ask_depth, for_fills, runs)
        # A side that is not quoted has infinite depth and no fills: 0 * inf would be NaN.
        cash -= bought * (mid - np.where(bought > 0, bid_depth, 0.0))
        cash += sold * (mid + np.where(sold > 0, ask_depth, 0.0))
        q += bought - sold
        mid += jump * (2.0 * for_mid.integers(0, 2, runs) - 1.0)
        if on_step is not None:
            on_step(k + 1)
    profit = cash + q * mid
    result = Result(
        strategy=strategy,
        average_spread=_mean(spread / steps),
        profit=_mean(profit),
        std_profit=_deviation(profit),
        final_q=_mean(q),
        std_final_q=_deviation(q),
        certainty_equivalent=_certainty_equivalent(profit, world.gamma),
    )
    bid, ask = path[1], path[2]
    return result, Path(np.arange(steps, dtype=np.float64) * world.dt, path[0], bid, ask, (bid + ask) / 2.0, path[3])


Depths = Callable[[float, Array], tuple[Array, Array]]
"""(time left, inventory of each run) -> distances of bid and ask from the mid; an array of one where all runs agree."""


def _quotes(world: World, strategy: Strategy) -> Depths:
    gamma, sigma = world.gamma, world.sigma
    c1 = intensity_half_spread(gamma, world.kappa)
    if strategy is Strategy.GLFT:
        flow = Flow(intensity=world.intensity, kappa=world.kappa, gamma_p=gamma, sigma=sigma)
        rows = table(flow, GLFT_LOTS)
        # Where the bound forbids a side its distance is infinite: nobody reaches it.
        bids = np.array([math.inf if row.bid is None else c1 + row.bid for row in rows])
        asks = np.array([math.inf if row.ask is None else c1 + row.ask for row in rows])

        def glft(left: float, q: Array) -> tuple[Array, Array]:
            at = q.astype(np.intp) + GLFT_LOTS
            return bids[at], asks[at]

        return glft
    if strategy is Strategy.SYMMETRIC:
        steps = world.steps
        risk = sum(risk_half_spread(gamma, sigma, world.left(k)) for k in range(steps)) / steps
        constant = np.array([c1 + risk])
        return lambda left, q: (constant, constant)

    def inventory(left: float, q: Array) -> tuple[Array, Array]:
        risk = risk_half_spread(gamma, sigma, left)
        skew = q * (2.0 * risk)
        return c1 + risk + skew, c1 + risk - skew

    return inventory


def _filled(world: World, depth: Array, source: np.random.Generator, runs: int) -> Array:
    """Orders that reached our quote in one step, per run."""
    expected = world.intensity * world.dt * np.exp(-world.kappa * depth)
    if world.fills is Fills.POISSON:
        return source.poisson(expected, runs).astype(np.float64)
    chance = expected if world.fills is Fills.LINEAR else -np.expm1(-expected)
    return (source.random(runs) < chance).astype(np.float64)


def _first(depth: Array) -> float:
    return float(depth[0])


def _mean(x: Array) -> Figure:
    return Figure(float(x.mean()), float(x.std(ddof=1)) / math.sqrt(x.size))


def _deviation(x: Array) -> Figure:
    """The standard deviation; its error from the fourth moment, so that fat tails widen it."""
    centred = x - x.mean()
    variance = float(x.var(ddof=1))
    if variance == 0.0:
        return Figure(0.0, 0.0)
    fourth = float((centred**4).mean())
    spread = max(fourth - variance * variance * (x.size - 3) / max(x.size - 1, 1), 0.0)
    return Figure(math.sqrt(variance), math.sqrt(spread / x.size) / (2.0 * math.sqrt(variance)))


def _certainty_equivalent(profit: Array, gamma: float) -> Figure:
    """By the delta method; the smallest profit is taken out before exponentiating, so that nothing overflows."""
    if gamma == 0.0:
        return _mean(profit)
    worst = float(profit.min())
    weight = np.exp(-gamma * (profit - worst))
    mean = float(weight.mean())
    se = float(weight.std(ddof=1)) / (mean * gamma * math.sqrt(profit.size))
    return Figure(worst - math.log(mean) / gamma, se)
