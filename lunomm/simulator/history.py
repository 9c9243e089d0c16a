"""The hour before the doors opened: 1-minute candles and the last public trades, from the market's own seed (pure).

The exchange should look as if it had been running. The path is that of the pair's assets (``walk.py``), drawn
backwards from the starting price; the trades are the profile's takers on that path. Candles are those of the mid:
cheap, and their volatility is the market's truth.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lunomm.market.rules import Side
from lunomm.simulator.profiles import Market, Profile
from lunomm.simulator.public_tape import MAX_TRADES, MINUTE_MS, Bar, Print
from lunomm.simulator.walk import past_path

HOUR_S = 3600


class History(NamedTuple):
    """trades: the newest 100, minutes: one-minute candles; both oldest first. next_trade: the number after the last."""

    trades: list[Print]
    minutes: list[Bar]
    next_trade: int


def past_hour(
    profile: Profile, market: Market, rng: np.random.Generator, seed: int, opening_ms: int, first_trade: int
) -> History:
    """Draw the hour (begun on a full minute) that ends at ``opening_ms`` with the market's starting price."""
    rules = market.rules
    price = float(market.price) * 10.0**rules.price_scale
    begin_ms = opening_ms - opening_ms % MINUTE_MS - HOUR_S * 1000
    seconds = -(-(opening_ms - begin_ms) // 1000)
    back = past_path(seed, rules.base, rules.counter, seconds)
    # mids[i]: the mid i seconds after the hour began; the last one is the opening price.
    mids = np.concatenate([back[::-1], [1.0]]) * price
    span_s = (opening_ms - begin_ms) / 1000
    times = np.sort(rng.random(int(rng.poisson(profile.taker_rate * span_s)))) * span_s
    volumes = [0] * (-(-seconds // 60))
    retail = rules.floor_lots(market.retail)
    least = max(1, rules.ceil_lots(rules.min_volume))
    trades: list[Print] = []
    number = first_trade
    for at in times.tolist():
        mid = float(mids[int(at)])
        buys = bool(rng.random() < 0.5)
        for ticks in _depths(profile, rng, mid, Side.BID if buys else Side.ASK):
            lots = max(least, round(retail * profile.size[0] * math.exp(profile.size[1] * rng.standard_normal())))
            volumes[int(at // 60)] += lots
            trades.append(Print(number, begin_ms + int(at * 1000), ticks, lots, buys))
            number += 1
    minutes: list[Bar] = []
    for minute, lots in enumerate(volumes):
        path = np.rint(mids[minute * 60 : minute * 60 + 61]).astype(np.int64)
        ends = int(path[0]), int(path[-1])
        minutes.append(Bar(begin_ms + minute * MINUTE_MS, *ends, int(path.max()), int(path.min()), lots))
    return History(trades[-MAX_TRADES:], minutes, number)


def _depths(profile: Profile, rng: np.random.Generator, mid: float, side: Side) -> list[int]:
    """The prices, ticks, that one taker of ``side`` reaches, nearest first; none where its limit finds nobody."""
    half = max(0.5, mid * sum(profile.half_spreads) / len(profile.half_spreads))
    depths = [half]
    if profile.kappa is not None:
        limit = float(rng.exponential()) * mid / profile.kappa
        if limit < half:
            return []
        gap = max(2.0, profile.gap * mid)
        depths += [*np.arange(half + gap * rng.random(), limit, gap).tolist(), limit]
    inward = math.floor if side is Side.BID else math.ceil
    prices = {max(1, inward(mid + side.sign * depth)) for depth in depths}
    return sorted(prices, reverse=side is Side.ASK)
