"""The latent price of a pair: one seeded random walk an asset, shared by every pair it stands in (pure).

An asset's worth in ringgit walks without drift at its own volatility; a pair's price is the quotient of two of them. So
XBTMYR = XBTUSDT x USDTMYR holds at every step, and a price that disagrees with its cross by more than the spreads is a
chance that a market would not leave standing.

Each market draws its assets' walks itself, from generators seeded by the exchange's seed and the asset's name: equal
numbers without anything shared between markets.
"""

from __future__ import annotations

import math
from collections import deque
from types import MappingProxyType

import numpy as np

from lunomm.simulator.draws import Numbers, asset_rng

STEP_S = 0.2
"""All latent prices move together, five times a second."""

DAY_S = 86_400.0

VOLATILITY = MappingProxyType(
    {"XBT": 0.025, "ETH": 0.025, "XRP": 0.025, "SOL": 0.025, "LTC": 0.03, "USDT": 0.003, "ZAR": 0.008, "MYR": 0.0}
)
"""Of an asset's worth in ringgit, per sqrt(day): assumed, round."""


def sigma_daily(base: str, counter: str) -> float:
    """True volatility of a pair's price, per sqrt(day). Raises KeyError for an asset that is not listed."""
    return math.hypot(VOLATILITY[base], VOLATILITY[counter])


class Walk:
    """Steps of the logarithm of a pair's price, and how far it will go in the next ``ahead`` steps."""

    __slots__ = ("_assets", "_future", "ahead")

    def __init__(self, seed: int, base: str, counter: str, ahead: int = 0) -> None:
        scale = math.sqrt(STEP_S / DAY_S)
        self._assets = [
            (sign * VOLATILITY[asset] * scale, 0.5 * sign * (VOLATILITY[asset] * scale) ** 2, numbers)
            for sign, asset in ((1, base), (-1, counter))
            if VOLATILITY[asset]
            for numbers in [Numbers(asset_rng(seed, asset).standard_normal)]
        ]
        self._future = deque([self._draw() for _ in range(ahead)])
        self.ahead = math.fsum(self._future)

    def next(self) -> float:
        step = self._draw()
        if self._future:
            self._future.append(step)
            self.ahead += step
            step = self._future.popleft()
            self.ahead -= step
        return step

    def _draw(self) -> float:
        return math.fsum(deviation * numbers.next() - drift for deviation, drift, numbers in self._assets)


def past_path(seed: int, base: str, counter: str, seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The price 1, 2 ... ``seconds`` s before the opening, as multiples of the opening price, latest first."""
    logs = np.zeros(seconds)
    for sign, asset in ((1, base), (-1, counter)):
        deviation = VOLATILITY[asset] / math.sqrt(DAY_S)
        logs += sign * deviation * np.cumsum(asset_rng(seed, asset, past=True).standard_normal(seconds))
    return np.exp(logs)
