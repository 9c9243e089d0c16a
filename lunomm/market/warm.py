"""First estimates for a book that has just started, from what the venue remembers.

Rough on purpose and labelled so: they let a quoter begin within seconds and are replaced by live estimates as those
become ready. The verdict is THIN at best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from lunomm.market.calibration import with_fit
from lunomm.market.intensity import THIN_SAMPLE, Fit
from lunomm.market.records import Estimates, Verdict
from lunomm.market.volatility import TwoScaleVol, steadier

CANDLE_S: Final = 60
MAX_CANDLES: Final = 60
"""The last hour."""

CANDLE_SCALE: Final = 5
"""Slow returns of five minutes: closes are trades, so they bounce between bid and ask."""

MIN_ORDERS: Final = THIN_SAMPLE
MIN_BEYOND: Final = 5
MAX_EXPONENT: Final = 50.0
"""kappa x half-spread beyond which A would be no number anyone can use."""


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


def warm_intensity(fills: Iterable[PublicFill], half_spread: float) -> WarmIntensity | None:
    """kappa and A from recent public trades against the present half-spread.

    The mids of the past are unknown, but not needed for kappa: a taker's first fill was at the touch of its moment, so
    what it reached beyond is its deepest fill less its first, exponential with kappa whatever the spread was. A is the
    rate of takers, carried from the present touch to the mid.

    Args:
        half_spread: relative to the mid, as it stands now; assumed to have stood so before.

    Returns: ``None`` with fewer than ``MIN_ORDERS`` taker orders, or ``MIN_BEYOND`` of them beyond the touch.
    """
    reaches = _reaches(fills)
    if not reaches or not 0.0 < half_spread < 1.0:
        return None
    # The venue lists a fixed number of trades: of the oldest order some fills may be missing. It only starts the clock.
    started_ms = reaches[0].at_ms
    reaches = reaches[1:]
    n = len(reaches)
    beyond = sum(reach.excess > 0.0 for reach in reaches)
    if n < MIN_ORDERS or beyond < MIN_BEYOND or reaches[-1].at_ms <= started_ms:
        return None
    # n - 1: n over the sum of n exponentials is too large by n / (n - 1).
    kappa = (n - 1) / math.fsum(reach.excess for reach in reaches)
    if kappa * half_spread > MAX_EXPONENT:
        return None
    # The orders at the touch say how many went beyond, not how far: the error is that of those that did.
    se = 1.0 / math.sqrt(beyond)
    seconds = (reaches[-1].at_ms - started_ms) / 1000
    a = (n - 1) / (2.0 * seconds) * math.exp(kappa * half_spread)
    return WarmIntensity(Fit(kappa, se, a, math.sqrt(1.0 / n + (half_spread * kappa * se) ** 2)), n, seconds)


class _Reach(NamedTuple):
    """One taker order. excess: deepest beyond first fill, relative to the price."""

    at_ms: int
    excess: float


def _reaches(fills: Iterable[PublicFill]) -> list[_Reach]:
    """Fills of one millisecond and side are one taker order. Oldest first."""
    groups: dict[tuple[int, bool], tuple[float, float]] = {}
    for fill in fills:
        if not (fill.price > 0.0 and math.isfinite(fill.price)):
            continue
        key = (fill.at_ms, fill.taker_buys)
        low, high = groups.get(key, (fill.price, fill.price))
        groups[key] = (min(low, fill.price), max(high, fill.price))
    return [_Reach(at, 2.0 * (high - low) / (high + low)) for (at, _), (low, high) in sorted(groups.items())]


class WarmStart:
    """What a book starts from: sigma at once, kappa when there is a spread to hold the trades against.

    waiting: trades are there but no two-sided market has been seen yet.
    """

    def __init__(self, candles: Sequence[CandleClose] = (), fills: Sequence[PublicFill] = ()) -> None:
        self._sigma = warm_sigma(candles)
        self._fills = fills
        self.waiting = bool(fills)
        self._intensity: WarmIntensity | None = None

    def complete(self, live: Estimates, half_spread: float | None, mid: float | None) -> Estimates:
        """``live`` with what it does not know well yet filled in: kappa while its verdict is NO; sigma until the live
        one's standard error is no larger than the warm one's (half an hour old on average): after some one and a half
        minutes, not after the first minute, when it is known to 40 %.

        Args:
            half_spread: relative, ``None`` when there is no two-sided market now. mid: counter per base.
        """
        if self.waiting and half_spread is not None:
            self._intensity = warm_intensity(self._fills, half_spread)
            self._fills, self.waiting = (), False
        known = live
        if self._sigma is not None and not self._live_is_steadier(known):
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

    def _live_is_steadier(self, live: Estimates) -> bool:
        if live.sigma is None or live.sigma_se is None or self._sigma is None:
            return False
        warm = self._sigma.error / self._sigma.sigma
        return steadier(live.sigma_se / live.sigma, warm, MAX_CANDLES * CANDLE_S / 2)
