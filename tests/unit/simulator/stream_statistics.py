"""What a market stream looks like in figures, measured the same way on recorded and on generated frames.

``python tests/unit/simulator/stream_statistics.py FILE`` prints the tables of ``lunomm/simulator/recorded.py``.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import Side
from lunomm.tape.reader import TapeFrame, read_tape

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
"""Recorded frames, where the machine has them."""

NEAR = 0.01
"""Resting orders within 1 % of the touch are the near book."""


class Taker(NamedTuple):
    """One taker order. buys: +1 or -1; lots, makers: of all its fills; mid: before it, ticks."""

    at_s: float
    buys: int
    lots: int
    makers: int
    mid: float


@dataclass
class Stream:
    """The figures. Times: s of the exchange. Distances and spreads: fractions of the price. Lots as traded."""

    seconds: float = 0.0
    frames: int = 0
    creates: int = 0
    deletes: int = 0
    trading: int = 0
    empty: int = 0
    fills: int = 0
    better: int = 0
    """Creates that improved the touch of their side."""
    touch_deletes: int = 0
    births_s: dict[str, float] = field(default_factory=dict)
    lives: list[float] = field(default_factory=list)
    """Of orders created and deleted while the stream was watched."""
    ages: list[float] = field(default_factory=list)
    """Of orders created meanwhile that still stood at the end."""
    lots: list[int] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    """Behind the touch of their side, of creates that did not improve it."""
    spreads: list[tuple[float, float]] = field(default_factory=list)
    """(spread, s it stood)"""
    mids: list[tuple[float, float]] = field(default_factory=list)
    takers: list[Taker] = field(default_factory=list)
    seconds_seen: dict[int, int] = field(default_factory=dict)
    crossed: int = 0

    def spread_quantiles(self, at: Sequence[float]) -> list[float]:
        values, weights = (np.array(column) for column in zip(*self.spreads, strict=True))
        order = np.argsort(values)
        share = np.cumsum(weights[order]) / weights.sum()
        return [float(values[order][min(int(np.searchsorted(share, p)), len(order) - 1)]) for p in at]

    def drift(self, after_s: float) -> NDArray[np.float64]:
        """Signed relative move of the mid so long after each taker that was watched as long."""
        times = [at for at, _ in self.mids]
        found = [
            taker.buys * (self.mids[bisect_left(times, taker.at_s + after_s) - 1][1] / taker.mid - 1)
            for taker in self.takers
            if taker.at_s + after_s <= times[-1]
        ]
        return np.array(found)

    def gap_cv(self) -> float:
        """Standard deviation over mean of the time between takers: 1 for a Poisson process, more when they cluster."""
        gaps = np.diff([taker.at_s for taker in self.takers])
        return float(gaps.std() / gaps.mean())


def measured(opening: BookSnapshot, updates: Iterable[BookUpdate]) -> Stream:
    """Walk a stream from its snapshot. Every figure is of the updates; the opening only tells where they stood."""
    stream = Stream()
    orders: dict[str, tuple[Side, int, int]] = {}
    # Keys as in sign x price: the best of either side is the last.
    halves: dict[Side, list[int]] = {Side.BID: [], Side.ASK: []}
    for side, rows in ((Side.BID, opening.bids), (Side.ASK, opening.asks)):
        for order_id, price, lots in rows:
            orders[order_id] = (side, price, lots)
            halves[side].append(side.sign * price)
        halves[side].sort()
    begin: float | None = None
    at = 0.0
    taker_ids: dict[str, int] = {}

    def gone(order_id: str) -> None:
        side, price, _ = orders.pop(order_id)
        keys = halves[side]
        del keys[bisect_left(keys, side.sign * price)]

    for update in updates:
        now = update.exchange_ns / 1e9
        if begin is None:
            begin = at = now
        bid, ask = halves[Side.BID][-1], -halves[Side.ASK][-1]
        stream.spreads.append(((ask - bid) / ((ask + bid) / 2), now - at))
        stream.mids.append((now, (ask + bid) / 2))
        at = now
        stream.frames += 1
        stream.seconds_seen[int(now - begin)] = stream.seconds_seen.get(int(now - begin), 0) + 1
        stream.trading += bool(update.trades)
        stream.empty += not (update.trades or update.create or update.delete_id)
        for trade in update.trades:
            side, price, lots = orders[trade.maker_id]
            stream.fills += 1
            place = taker_ids.setdefault(trade.taker_id, len(stream.takers))
            if place == len(stream.takers):
                stream.takers.append(Taker(now, -side.sign, 0, 0, (bid + ask) / 2))
            known = stream.takers[place]
            stream.takers[place] = known._replace(lots=known.lots + trade.lots, makers=known.makers + 1)
            if lots == trade.lots:
                gone(trade.maker_id)
            else:
                orders[trade.maker_id] = (side, price, lots - trade.lots)
        if update.create is not None:
            order_id, side, price, lots = msgspec.structs.astuple(update.create)
            key, best = side.sign * price, halves[side][-1]
            stream.creates += 1
            stream.better += key > best
            if key <= best:
                stream.distances.append((best - key) / abs(best))
            stream.lots.append(lots)
            stream.births_s[order_id] = now
            orders[order_id] = (side, price, lots)
            insort(halves[side], key)
        if update.delete_id is not None:
            side, price, _ = orders[update.delete_id]
            stream.deletes += 1
            stream.touch_deletes += side.sign * price == halves[side][-1]
            if update.delete_id in stream.births_s:
                stream.lives.append(now - stream.births_s[update.delete_id])
            gone(update.delete_id)
        stream.crossed += halves[Side.BID][-1] >= -halves[Side.ASK][-1]
    stream.seconds = at - (begin or at)
    stream.ages = [at - born for order_id, born in stream.births_s.items() if order_id in orders]
    return stream


def recorded(path: Path = REAL) -> tuple[BookSnapshot, list[BookUpdate]]:
    events = [item.event for item in read_tape(path, "XBTZAR") if isinstance(item, TapeFrame)]
    opening = events[0]
    assert isinstance(opening, BookSnapshot)
    return opening, [event for event in events[1:] if isinstance(event, BookUpdate)]


def survival_quantiles(lives: Sequence[float], ages: Sequence[float], at: Sequence[float]) -> list[float]:
    """Kaplan-Meier quantiles of a life seen whole (``lives``) or only so far (``ages``); the last known age beyond."""
    ended = sorted([(life, True) for life in lives] + [(age, False) for age in ages])
    alive, left, steps = 1.0, len(ended), []
    for life, whole in ended:
        if whole:
            alive *= 1 - 1 / left
        left -= 1
        steps.append((1 - alive, life))
    return [next((life for dead, life in steps if dead >= p), ended[-1][0]) for p in at]


AT = (*(round(0.05 * step, 2) for step in range(20)), 0.99)
"""The last at 99 %: one outlier is no law."""
LIFE_AT = tuple(round(0.025 * step, 3) for step in range(39))


def tables(opening: BookSnapshot, updates: Sequence[BookUpdate]) -> dict[str, tuple[float, ...]]:
    """The tables of ``recorded.py``: quantiles as that page says, three digits."""
    stream = measured(opening, updates)
    found: dict[str, Iterable[float]] = {
        "LIVES_S": survival_quantiles(stream.lives, stream.ages, LIFE_AT),
        "LOTS": np.quantile(stream.lots, AT),
        "DISTANCES": np.quantile(stream.distances, AT),
        "SPREADS": stream.spread_quantiles(AT),
    }
    for side, rows in (("BID", opening.bids), ("ASK", opening.asks)):
        away = np.array([abs(price - rows[0].price) / rows[0].price for _, price, _ in rows])
        lots = np.array([lots for _, _, lots in rows])
        found[f"{side}_NEAR_LOTS"] = np.quantile(lots[away <= NEAR], AT)
        found[f"{side}_DEEP"] = np.quantile(away[away > NEAR], AT)
        found[f"{side}_DEEP_LOTS"] = np.quantile(lots[away > NEAR], AT)
    return {name: tuple(float(f"{value:.3g}") for value in values) for name, values in found.items()}


if __name__ == "__main__":
    for name, values in tables(*recorded(Path(sys.argv[1]))).items():
        sys.stdout.write(f"{name} = {values}\n")
