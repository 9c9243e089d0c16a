"""First estimates for a book that has just started, from what the venue remembers.

Rough on purpose and labelled so: they let a quoter begin within seconds and are replaced by live estimates as those
become ready. The verdict is THIN at best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace

from lunomm.market.calibration import with_fit
from lunomm.market.intensity import Fit
from lunomm.market.records import Estimates, Verdict
from lunomm.market.volatility import TwoScaleVol

CANDLE_S: Final = 60
MAX_CANDLES: Final = 60
"""The last hour."""

CANDLE_SCALE: Final = 5
"""Slow returns of five minutes: closes are trades, so they bounce between bid and ask."""

MIN_ORDERS: Final = 20
MIN_PAIRS: Final = 10
MIN_SWEEPS: Final = 10
"""Taker orders needed where the fills inside each order say how far it went."""
MAX_PAIR_MS: Final = 120_000
"""Two trades further apart say more about the price's walk than about depth."""


class CandleClose(NamedTuple):
    """start_ms: start of a one-minute candle, exchange time. close: counter per base."""

    start_ms: int
    close: float


class PublicFill(NamedTuple):
    """One row of the public trade list. price: counter per base. taker_buys: the taker bought."""

    at_ms: int
    price: float
    taker_buys: bool


class WarmSigma(NamedTuple):
    """sigma, error: relative, 1/sqrt(s)."""

    sigma: float
    error: float


class WarmIntensity(NamedTuple):
    """fit: relative to the mid. sample: taker orders. window_s: time they span."""

    fit: Fit
    sample: int
    window_s: float


def warm_sigma(candles: Iterable[CandleClose]) -> WarmSigma | None:
    """Two-scale volatility of the last hour's closes; minutes without a candle hold the price.

    Returns: ``None`` with fewer than 15 minutes of candles.
    """
    rows = sorted({candle.start_ms: candle for candle in candles if candle.close > 0.0}.values())
    if not rows:
        return None
    newest = rows[-1].start_ms
    rows = [row for row in rows if newest - row.start_ms < MAX_CANDLES * CANDLE_S * 1000]
    vol = TwoScaleVol(step_s=float(CANDLE_S), scale=CANDLE_SCALE, window_s=float(MAX_CANDLES * CANDLE_S))
    at = rows[0].start_ms
    last = rows[0].close
    for row in rows:
        while at < row.start_ms:
            vol.push(last)
            at += CANDLE_S * 1000
        last = row.close
    vol.push(last)
    sigma, error = vol.sigma(), vol.relative_error()
    if not vol.ready or sigma is None or error is None:
        return None
    return WarmSigma(sigma, sigma * error)


class _Taker(NamedTuple):
    at_ms: int
    nearest: float
    deepest: float
    buys: bool


def warm_intensity(fills: Iterable[PublicFill], half_spread: float) -> WarmIntensity | None:
    """kappa and A from recent public trades against the present half-spread.

    The mids of the past are unknown, but not needed: for neighbouring takers on opposite sides the price difference is
    the sum of their depths plus the walk between them, whose mean is zero. So half the mean difference is the
    mean depth, and 1/kappa is what of it lies beyond the half-spread. Where there are too few takers for that (a
    hundred trades may be a dozen sweeps), the fills inside each order say the same: its first was at the touch.

    Args:
        half_spread: relative to the mid, as it stands now; assumed to have stood so before.

    Returns: ``None`` when there are too few trades, or they do not reach clearly beyond the present spread.
    """
    takers = _takers(fills)
    if len(takers) < 2 or not 0.0 < half_spread < 1.0:
        return None
    seconds = (takers[-1].at_ms - takers[0].at_ms) / 1000
    if seconds <= 0.0:
        return None
    found = _from_pairs(takers, half_spread) or _from_sweeps(takers)
    if found is None or found[0] * half_spread > 50.0:
        return None
    kappa, se = found
    n = len(takers)
    a = (n - 1) / (2.0 * seconds) * math.exp(kappa * half_spread)
    return WarmIntensity(Fit(kappa, se, a, math.sqrt(1.0 / n + (half_spread * kappa * se) ** 2)), n, seconds)


def _from_pairs(takers: Sequence[_Taker], half_spread: float) -> tuple[float, float] | None:
    """kappa and its relative error from neighbouring takers on opposite sides."""
    depths = [
        (b.deepest - a.deepest) * (1.0 if b.buys else -1.0) / (a.deepest + b.deepest)
        for a, b in pairwise(takers)
        if a.buys != b.buys and b.at_ms - a.at_ms <= MAX_PAIR_MS
    ]
    if len(takers) < MIN_ORDERS or len(depths) < MIN_PAIRS:
        return None
    values = np.array(depths)
    # Neighbouring pairs share an order, so their means are correlated by up to a half: 1 + 2 (1/2) in the variance.
    error = float(values.std(ddof=1)) * math.sqrt(2.0 / len(values))
    beyond = float(values.mean()) - half_spread
    return (1.0 / beyond, error / beyond) if beyond > max(2.0 * error, 0.0) else None


def _from_sweeps(takers: Sequence[_Taker]) -> tuple[float, float] | None:
    """kappa and its relative error from how far each order went beyond its own first price (memoryless: Exp(kappa)).

    ``None`` when none took more than one price: then nothing is known beyond the touch.
    """
    n = len(takers)
    beyond = sum(abs(taker.deepest - taker.nearest) / taker.nearest for taker in takers)
    if n < MIN_SWEEPS or beyond <= 0.0:
        return None
    # n - 1: n over the sum of n exponentials is too large by n / (n - 1).
    return (n - 1) / beyond, 1.0 / math.sqrt(n)


def _takers(fills: Iterable[PublicFill]) -> Sequence[_Taker]:
    """Fills of one millisecond and side are one taker order, from its best price to its worst. Oldest first."""
    groups: dict[tuple[int, bool], tuple[float, float]] = {}
    for fill in fills:
        if not (fill.price > 0.0 and math.isfinite(fill.price)):
            continue
        key = (fill.at_ms, fill.taker_buys)
        low, high = groups.get(key, (fill.price, fill.price))
        groups[key] = min(low, fill.price), max(high, fill.price)
    rows = sorted(groups.items(), key=lambda item: item[0][0])
    return [_Taker(at, *((low, high) if buys else (high, low)), buys) for (at, buys), (low, high) in rows]


class WarmStart:
    """What a book starts from: sigma at once, kappa when there is a spread to hold the trades against.

    waiting: trades are there but no two-sided market has been seen yet.
    """

    def __init__(self, candles: Sequence[CandleClose] = (), fills: Sequence[PublicFill] = ()) -> None:
        self._sigma = warm_sigma(candles)
        self._fills: Sequence[PublicFill] | None = fills or None
        self._intensity: WarmIntensity | None = None

    @property
    def waiting(self) -> bool:
        return self._fills is not None

    def complete(self, live: Estimates, half_spread: float | None, mid: float | None) -> Estimates:
        """``live`` with what it does not know yet filled in: sigma until it is ready, kappa while its verdict is NO.

        Args:
            half_spread: relative, ``None`` when there is no two-sided market now. mid: counter per base.
        """
        if self._fills is not None and half_spread is not None:
            self._intensity = warm_intensity(self._fills, half_spread)
            self._fills = None
        known = live
        if known.sigma is None and self._sigma is not None:
            known = replace(known, sigma=self._sigma.sigma, sigma_se=self._sigma.error, sigma_source="warm")
        at = live.mid if live.mid is not None else mid
        if live.verdict is Verdict.NO and self._intensity is not None and at is not None:
            fit, sample, window_s = self._intensity
            reason = f"warm: {sample} recent trades against the spread of the start"
            known = replace(
                with_fit(known, fit, at, "warm"),
                sample=sample,
                window_s=window_s,
                touch_share=None,
                verdict=Verdict.THIN,
                reason=f"{reason} (live: {live.reason})" if live.reason else reason,
            )
        return known
