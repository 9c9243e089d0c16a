"""Seeded random numbers, one independent stream a purpose (pure).

Streams are kept apart so that a change in one place (a visitor's order, another taker) never shifts the numbers another
place sees: the same seed gives the same price path and the same takers whatever visitors do. Numbers are drawn in
blocks: one call into numpy costs as much as hundreds of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512


class Numbers:
    """An endless sequence of floats of one distribution: ``draw(count)`` makes a block of them."""

    __slots__ = ("_block", "_draw", "_next")

    def __init__(self, draw: Callable[[int], NDArray[np.float64]]) -> None:
        self._draw = draw
        self._block: list[float] = []
        self._next = 0

    def next(self) -> float:
        if self._next == len(self._block):
            self._block = self._draw(_BLOCK).tolist()
            self._next = 0
        value = self._block[self._next]
        self._next += 1
        return value


class Bits:
    """Uniform 63-bit whole numbers; what order ids are made of."""

    __slots__ = ("_block", "_rng")

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[int] = []

    def getrandbits(self, k: int, /) -> int:
        if not 0 < k <= 63:
            raise ValueError(f"{k} bits: 1 to 63 can be drawn")
        if not self._block:
            self._block = self._rng.integers(0, 2**63, _BLOCK, dtype=np.int64).tolist()
        return self._block.pop() >> (63 - k)


@dataclass(frozen=True)
class Draws:
    """The streams of one market.

    waits: Exp(1), between takers. reaches: Exp(1), how far a taker goes.
    coins: uniform, a taker's side. taker_sizes: standard normal. refreshes: uniform, which resting orders are replaced.
    spreads: uniform, the touch. sizes: 4096 standard normals, looked up. ids: the house's order ids. past: the hour
    before. bursts, informed: uniform, whether a taker follows the one before, or knows the next move.
    crowd_gaps: Erlang-2 of mean 1; crowd: uniform, all else about the crowd; deep: the deep book.
    """

    waits: Numbers
    reaches: Numbers
    coins: Numbers
    taker_sizes: Numbers
    refreshes: Numbers
    spreads: Numbers
    sizes: tuple[float, ...]
    ids: Bits
    past: np.random.Generator
    bursts: Numbers
    informed: Numbers
    crowd_gaps: Numbers
    crowd: Numbers
    deep: np.random.Generator


def draws(seed: int, pair: str) -> Draws:
    """The streams of ``pair`` under ``seed`` (>= 0): equal for equal arguments, independent between pairs."""
    root = np.random.SeedSequence([seed, *pair.encode()])
    rngs = [np.random.Generator(np.random.SFC64(child)) for child in root.spawn(15)]
    return Draws(
        waits=Numbers(rngs[1].standard_exponential),
        reaches=Numbers(rngs[2].standard_exponential),
        coins=Numbers(rngs[3].random),
        taker_sizes=Numbers(rngs[4].standard_normal),
        refreshes=Numbers(rngs[5].random),
        spreads=Numbers(rngs[6].random),
        sizes=tuple(rngs[7].standard_normal(4096).tolist()),
        ids=Bits(rngs[8]),
        past=rngs[9],
        bursts=Numbers(rngs[10].random),
        informed=Numbers(rngs[11].random),
        crowd_gaps=Numbers(lambda count: rngs[12].standard_gamma(2.0, count) / 2.0),
        crowd=Numbers(rngs[13].random),
        deep=rngs[14],
    )


def asset_rng(seed: int, asset: str, *, past: bool = False) -> np.random.Generator:
    """The generator of an asset's walk, or of the walk before the opening: the same for every market it stands in."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *b"asset", past, *asset.encode()])))
