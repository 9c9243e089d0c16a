"""From records to numbers: sigma, kappa and A of one pair, with errors and a verdict.

`Calibrator` is fed taker orders and grid rows and nothing else; the live book feeds it as they come, `calibrate` from
storage. Estimates refer to the end of the newest row, so both see the same window and give the same numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np

from lunomm.errors import ModelError
from lunomm.market.grid import MAX_HOLE_NS, ROW_NS
from lunomm.market.intensity import (
    GO_SAMPLE,
    GO_WIDTH,
    KS_5_PERCENT,
    THIN_SAMPLE,
    Z95,
    Exposure,
    Fit,
    Floats,
    exposure_fit,
    merge_exposure,
    stephens,
    variation,
)
from lunomm.market.records import Estimates, GridRow, Params, TakerOrder, Verdict
from lunomm.market.rules import PairRules
from lunomm.market.trades import depth_reached
from lunomm.market.volatility import TwoScaleVol

LOOKBACK_S: Final = 1200.0
VOL_WINDOW_S: Final = 600.0
MAX_LOOKBACK_MS: Final = 86_400_000
"""A window with fewer than ``GO_SAMPLE`` orders grows backwards, to a day at most."""

TICK_MATTERS: Final = 0.02
"""From this kappa x tick on, half a tick is added to every depth: flooring to the grid biases kappa by half of it."""

HALF_AT_TOUCH: Final = 0.5
"""With a larger share of orders that took the touch only, lambda inside the spread is an extrapolation."""

_ROW_MS: Final = ROW_NS // 1_000_000


class _Reach(NamedTuple):
    at_ms: int
    depth: float
    half_spread: float
    tick: float
    """All three relative to the mid."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """kappa and A over one window, relative to the mid; ``fit`` is ``None`` where kappa is not identified.

    sample: taker orders used. own_hits: left out, they met only our own orders (A is then a lower bound).
    window_s: span of the window. touch_share: share of orders that went no deeper than the touch. ks: Stephens' T* of
    the excesses, ks_rejects at 5 %. arrival_cv: coefficient of variation of the times between orders.
    """

    fit: Fit | None
    sample: int
    own_hits: int
    window_s: float
    touch_share: float | None
    ks: float | None
    ks_rejects: bool | None
    arrival_cv: float | None
    verdict: Verdict
    reason: str


class Calibrator:
    """The estimators of one pair, fed record by record.

    Args:
        lookback_s: window for kappa and A, seconds.
        vol_window_s: tau of the volatility, seconds.
        prior_kappa: 1/price, believed beforehand; worth five taker orders.

    Raises:
        ModelError: a window or a prior that is not positive.
    """

    def __init__(
        self,
        rules: PairRules,
        *,
        lookback_s: float = LOOKBACK_S,
        vol_window_s: float = VOL_WINDOW_S,
        prior_kappa: float | None = None,
    ) -> None:
        for name, value in (
            ("lookback", lookback_s),
            ("volatility window", vol_window_s),
            ("prior kappa", prior_kappa),
        ):
            if value is not None and not 0.0 < value < 1e300:
                raise ModelError(f"the {name} must be positive and finite, not {value}")
        self.vol = TwoScaleVol(window_s=vol_window_s)
        self.end_ms: int | None = None
        """Exchange time up to which the estimates know everything: the end of the newest row."""
        self.mid: float | None = None
        """The newest mid of the rows, counter per base."""
        self._tick = rules.price_float(1)
        self._lookback_ms = round(lookback_s * 1000)
        self._prior = prior_kappa
        self._reached: list[_Reach] = []
        self._own_ms: list[int] = []
        self._rows: list[tuple[int, Floats]] = []

    def on_trade(self, order: TakerOrder) -> None:
        """One taker order. Used once a row covers its time; left out when it met only our own orders or no market."""
        if order.own_only:
            _insert(self._own_ms, order.exchange_ms)
            return
        reached = depth_reached(order)
        if reached is None or order.mid is None:
            return
        entry = _Reach(order.exchange_ms, reached.depth, reached.half_spread, self._tick / order.mid)
        if self._reached and entry.at_ms < self._reached[-1].at_ms:
            self._reached.insert(bisect_left(self._reached, entry.at_ms, key=_at), entry)
        else:
            self._reached.append(entry)

    def on_row(self, row: GridRow) -> None:
        """One grid row, oldest first. After a gap the returns start afresh; what was learned stays."""
        if row.gap or self.end_ms is None or row.start_ms < self.end_ms:
            self.vol.clear_ring()
        elif row.start_ms > self.end_ms:
            if (row.start_ms - self.end_ms) * 1_000_000 > MAX_HOLE_NS:
                self.vol.clear_ring()
            else:
                self.vol.skip(round((row.start_ms - self.end_ms) / (row.step_s * 1000)))
        for mid in row.mids:
            self.vol.push(mid)
            if mid is not None:
                self.mid = mid
        if row.exposure:
            self._rows.append((row.start_ms, np.asarray(row.exposure, dtype=float)))
        self.end_ms = row.start_ms + round(len(row.mids) * row.step_s * 1000)
        self._forget(self.end_ms - MAX_LOOKBACK_MS)

    def _forget(self, before_ms: int) -> None:
        if self._rows and self._rows[0][0] < before_ms:
            self._rows = [row for row in self._rows if row[0] >= before_ms]
        if self._reached and self._reached[0].at_ms < before_ms:
            self._reached = [entry for entry in self._reached if entry.at_ms >= before_ms]
        if self._own_ms and self._own_ms[0] < before_ms:
            self._own_ms = [at for at in self._own_ms if at >= before_ms]

    def intensity(self) -> Intensity:
        """kappa and A over the lookback, grown backwards until it holds ``GO_SAMPLE`` orders (a day at most)."""
        if self.end_ms is None or not self._rows:
            return Intensity(None, 0, 0, 0.0, None, None, None, None, Verdict.NO, "no spread history yet")
        end = self.end_ms
        last = bisect_left(self._reached, end, key=_at)
        start = end - self._lookback_ms
        first = bisect_left(self._reached, start, key=_at)
        if last - first < GO_SAMPLE:
            start = end - MAX_LOOKBACK_MS
            if last >= GO_SAMPLE:
                # Back to the start of the row of the 50th newest order: whole rows, or its waiting time is not seen.
                at = self._reached[last - GO_SAMPLE].at_ms
                start = max(start, min(at - at % _ROW_MS, end - self._lookback_ms))
            first = bisect_left(self._reached, start, key=_at)
        rows = [row for row in self._rows if start <= row[0] < end]
        exposure = merge_exposure([exposure for _, exposure in rows])
        own_hits = bisect_left(self._own_ms, end) - bisect_left(self._own_ms, start)
        if exposure is None:
            return Intensity(None, 0, own_hits, 0.0, None, None, None, None, Verdict.NO, "no spread history yet")
        window_s = (end - max(start, min(at for at, _ in rows))) / 1000
        return self._judge(self._reached[first:last], exposure, own_hits, window_s)

    def _judge(self, reached: list[_Reach], exposure: Exposure, own_hits: int, window_s: float) -> Intensity:
        n = len(reached)
        if n == 0:
            reason = f"no taker order in {window_s:.0f} s, {THIN_SAMPLE} needed"
            return Intensity(None, 0, own_hits, window_s, None, None, None, None, Verdict.NO, reason)
        depths = np.array([entry.depth for entry in reached])
        ticks = np.array([entry.tick for entry in reached])
        excesses = np.array([max(entry.depth - entry.half_spread, 0.0) for entry in reached])
        # Depths lie on the grid of ticks: less than a quarter tick beyond the touch is the touch, written in floats.
        at_touch = excesses < 0.25 * ticks
        excesses[at_touch] = 0.0
        touch_share = float(at_touch.mean())
        fit = None
        if touch_share < 1.0:
            prior = self._prior * self.mid if self._prior is not None and self.mid is not None else None
            fit = exposure_fit(depths, exposure, prior_kappa=prior)
            if fit is not None and fit.kappa * float(ticks.mean()) > TICK_MATTERS:
                fit = exposure_fit(depths + 0.5 * ticks, exposure, prior_kappa=prior)
        ks = stephens(excesses)
        rejects = ks > KS_5_PERCENT if ks is not None else None
        gaps = np.diff(np.array([entry.at_ms for entry in reached], dtype=float))
        verdict, reason = _verdict(fit, n, window_s)
        if verdict is not Verdict.NO:
            reason = "; ".join(filter(None, [reason, *_flags(touch_share, rejects, own_hits, self._prior)]))
        return Intensity(fit, n, own_hits, window_s, touch_share, ks, rejects, variation(gaps), verdict, reason)

    def estimates(self) -> Estimates:
        """Everything as one record, kappa per price at the newest mid. sigma is ``None`` until it is ready."""
        return self.describe(self.intensity())

    def describe(self, intensity: Intensity) -> Estimates:
        sigma = self.vol.sigma() if self.vol.ready else None
        error = self.vol.relative_error()
        known = Estimates(
            sigma=sigma,
            sigma_se=sigma * error if sigma is not None and error is not None else None,
            sigma_source="live" if sigma is not None else None,
            sample=intensity.sample,
            window_s=intensity.window_s,
            touch_share=intensity.touch_share,
            mid=self.mid,
            verdict=intensity.verdict,
            reason=intensity.reason,
        )
        if intensity.fit is None or self.mid is None:
            return known
        return with_fit(known, intensity.fit, self.mid, "live")


def with_fit(base: Estimates, fit: Fit, mid: float, source: str) -> Estimates:
    """``base`` with kappa (per price at ``mid``) and A from ``fit``."""
    kappa_low, kappa_high = fit.kappa_interval
    a_low, a_high = fit.a_interval
    return msgspec.structs.replace(
        base,
        kappa=fit.kappa / mid,
        kappa_low=kappa_low / mid,
        kappa_high=kappa_high / mid,
        intensity=fit.a,
        intensity_low=a_low,
        intensity_high=a_high,
        kappa_source=source,
        mid=mid,
    )


def calibrate(
    trades: Iterable[TakerOrder],
    grid: Iterable[GridRow],
    rules: PairRules,
    *,
    lookback_s: float = LOOKBACK_S,
    prior_kappa: float | None = None,
    vol_window_s: float = VOL_WINDOW_S,
    provenance: str = "records",
    in_sample: bool = False,
) -> Params:
    """Sigma, kappa and A from stored records, as of the end of the newest grid row.

    Args:
        trades, grid: in any order; each record once (a repeated one would count twice).
        lookback_s: window for kappa and A, seconds; grows to a day while it holds fewer than 50 orders.
        prior_kappa: 1/price, or ``None``.

    Returns: numbers with 95 % intervals (sigma +- 1.96 se; kappa and A on the log scale), Stephens' T*, sample, verdict
        with its reason. Without any record: verdict NO, every number ``None``, at_ms 0.
    """
    calibrator = Calibrator(rules, lookback_s=lookback_s, vol_window_s=vol_window_s, prior_kappa=prior_kappa)
    fills = 0
    for order in sorted(trades, key=lambda order: (order.exchange_ms, order.sequence)):
        calibrator.on_trade(order)
        fills += order.fills
    for row in sorted(grid, key=lambda row: row.start_ms):
        calibrator.on_row(row)
    intensity = calibrator.intensity()
    estimates = calibrator.describe(intensity)
    low = high = None
    if estimates.sigma is not None and estimates.sigma_se is not None:
        low = max(estimates.sigma - Z95 * estimates.sigma_se, 0.0)
        high = estimates.sigma + Z95 * estimates.sigma_se
    return Params(
        pair=rules.pair,
        at_ms=calibrator.end_ms or 0,
        provenance=provenance,
        in_sample=in_sample,
        mid=calibrator.mid,
        estimates=estimates,
        sigma_low=low,
        sigma_high=high,
        ks=intensity.ks,
        ks_rejects=intensity.ks_rejects,
        arrival_cv=intensity.arrival_cv,
        fills=fills,
        own_hits=intensity.own_hits,
    )


def _verdict(fit: Fit | None, n: int, window_s: float) -> tuple[Verdict, str]:
    if fit is None:
        return Verdict.NO, f"kappa is not identified: {n} taker orders, none clearly beyond the touch"
    if n < THIN_SAMPLE:
        return Verdict.NO, f"{n} taker orders in {window_s:.0f} s, {THIN_SAMPLE} needed"
    for name, (low, high), value in (("kappa", fit.kappa_interval, fit.kappa), ("A", fit.a_interval, fit.a)):
        if n >= GO_SAMPLE and (high > value * (1 + GO_WIDTH) or low < value * (1 - GO_WIDTH)):
            return Verdict.THIN, f"{name} is only known to -{1 - low / value:.0%} +{high / value - 1:.0%}"
    if n < GO_SAMPLE:
        width = fit.kappa_interval[1] / fit.kappa - 1
        return Verdict.THIN, f"only {n} taker orders ({GO_SAMPLE} for GO): kappa is known to about {width:.0%}"
    return Verdict.GO, ""


def _flags(touch_share: float, ks_rejects: bool | None, own_hits: int, prior: float | None) -> list[str]:
    flags = []
    if touch_share > HALF_AT_TOUCH:
        flags.append(f"{touch_share:.0%} took the touch only: inside the spread this is an extrapolation")
    if ks_rejects:
        flags.append("depths beyond the touch are not exponential")
    if own_hits:
        flags.append(f"{own_hits} met only our own orders and are left out: A is a lower bound")
    if prior is not None:
        flags.append("with a prior kappa")
    return flags


def _at(entry: _Reach) -> int:
    return entry.at_ms


def _insert(times: list[int], at_ms: int) -> None:
    times.insert(bisect_left(times, at_ms), at_ms)
