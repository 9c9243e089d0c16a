"""From records to numbers: sigma, kappa and A of one pair, with errors and a verdict.

`Calibrator` is fed taker orders and grid rows and nothing else; the live book feeds it as they come, `calibrate` from
storage. Estimates refer to the end of the newest row, so both see the same window and give the same numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec

from lunomm.errors import ModelError
from lunomm.market.grid import MAX_HOLE_NS, ROW_NS
from lunomm.market.intensity import GO_SAMPLE, Z95, Fit
from lunomm.market.judgement import Intensity, Method, Orders, Reached, Sample, Window, compare, judge, sample_of, sides
from lunomm.market.records import Estimates, GridRow, Params, SideFit, TakerOrder
from lunomm.market.rules import PairRules, Side
from lunomm.market.spread_history import SpreadHistory
from lunomm.market.trades import depth_reached
from lunomm.market.volatility import TwoScaleVol

DEFAULT_METHOD: Final = Method()
LOOKBACK_S: Final = 1200.0
VOL_WINDOW_S: Final = 600.0
MAX_LOOKBACK_MS: Final = 86_400_000
"""A window with fewer than ``GO_SAMPLE`` orders grows backwards, to a day at most."""

_ROW_MS: Final = ROW_NS // 1_000_000


class Calibrator:
    """The estimators of one pair, fed record by record.

    Args:
        lookback_s: window for kappa and A, seconds.
        vol_window_s: tau of the volatility, seconds.
        method: how kappa and A are found.

    Raises:
        ModelError: a window or a prior that is not positive.
    """

    def __init__(
        self,
        rules: PairRules,
        *,
        lookback_s: float = LOOKBACK_S,
        vol_window_s: float = VOL_WINDOW_S,
        method: Method = DEFAULT_METHOD,
    ) -> None:
        for name, value in (
            ("lookback", lookback_s),
            ("volatility window", vol_window_s),
            ("prior kappa", method.prior_kappa),
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
        self.method = method
        self._reached: list[Reached] = []
        self._own_ms: list[int] = []
        self._holes_ms: list[int] = []
        self._spreads = SpreadHistory()
        self._gone = 0
        """Orders that ``_reached`` held once, before its first."""
        self._turns = 0
        """Grows when orders already counted may be others, or lie on other sides of a hole."""
        self._chosen: tuple[tuple[int, int, int], Orders] | None = None
        self._sample: Sample | None = None

    def on_trade(self, order: TakerOrder) -> None:
        """One taker order. Used once a row covers its time; left out without a two-sided market.

        One that met only our own orders is left out where these stood inside the others' touch: nobody else would have
        been hit. At the touch or beyond, others stood at that price too, and it counts like any other.
        """
        reached = depth_reached(order)
        if reached is None or order.mid is None:
            if order.own_only:
                _insert(self._own_ms, order.exchange_ms)
            return
        tick = self._tick / order.mid
        if order.own_only and reached.depth < reached.half_spread - 0.25 * tick:
            _insert(self._own_ms, order.exchange_ms)
            return
        entry = Reached(
            order.exchange_ms,
            reached.depth,
            reached.half_spread,
            tick,
            float(order.volume),
            order.side is Side.BID,
        )
        if self._reached and entry.at_ms < self._reached[-1].at_ms:
            self._reached.insert(bisect_left(self._reached, entry.at_ms, key=_at), entry)
            self._turns += 1
        else:
            self._reached.append(entry)

    def on_row(self, row: GridRow) -> None:
        """One grid row, oldest first. After a gap the returns start afresh; what was learned stays."""
        if row.gap or row.start_ms != self.end_ms:
            _insert(self._holes_ms, row.start_ms)  # in order, though the exchange's clock was set back
            self._turns += 1
        feed_row(self.vol, row, self.end_ms)
        for mid in row.mids:
            if mid is not None:
                self.mid = mid
        if row.exposure:
            self._spreads.add(row.start_ms, row.exposure)
        self.end_ms = row.start_ms + round(len(row.mids) * row.step_s * 1000)
        self._forget(self.end_ms)

    def _forget(self, end_ms: int) -> None:
        """Drop what no window will reach again: its start never goes back, but for the row that it begins in.

        Where the clock ran ahead and is set back it does; what is gone by then is missing, in orders and rows alike.
        """
        before_ms = self._start_ms(end_ms) - _ROW_MS
        self._spreads.forget(before_ms)
        gone = bisect_left(self._reached, before_ms, key=_at)
        del self._reached[:gone]
        self._gone += gone
        del self._own_ms[: bisect_left(self._own_ms, before_ms)]
        # A hole older than every window parts no two orders of one.
        del self._holes_ms[: bisect_left(self._holes_ms, end_ms - MAX_LOOKBACK_MS)]

    def _start_ms(self, end_ms: int) -> int:
        """Of the lookback that ends there, grown backwards until it holds ``GO_SAMPLE`` orders (a day at most)."""
        start_ms = end_ms - self._lookback_ms
        last = bisect_left(self._reached, end_ms, key=_at)
        if last - bisect_left(self._reached, start_ms, key=_at) >= GO_SAMPLE:
            return start_ms
        if last < GO_SAMPLE:
            return end_ms - MAX_LOOKBACK_MS
        # Back to the start of the row of the 50th newest order: whole rows, or its waiting time is not seen.
        at_ms = self._reached[last - GO_SAMPLE].at_ms
        return max(end_ms - MAX_LOOKBACK_MS, min(at_ms - at_ms % _ROW_MS, start_ms))

    def window(self) -> Window | None:
        """The lookback, grown backwards until it holds ``GO_SAMPLE`` orders (a day at most).

        Returns: ``None`` while there is no spread history in it.
        """
        if self.end_ms is None:
            return None
        end = self.end_ms
        start = self._start_ms(end)
        first, last = (bisect_left(self._reached, at, key=_at) for at in (start, end))
        found = self._spreads.between(start, end)
        if found is None:
            return None
        exposure, earliest = found
        own_hits = bisect_left(self._own_ms, end) - bisect_left(self._own_ms, start)
        window_s = (end - max(start, earliest)) / 1000
        return Window(self._orders(first, last), exposure, own_hits, window_s, tuple(self._holes_ms), self.mid)

    def _orders(self, first: int, last: int) -> Orders:
        """The same object while they are the same orders, with the same holes between them."""
        key = (self._gone + first, self._gone + last, self._turns)
        if self._chosen is None or self._chosen[0] != key:
            self._chosen = (key, Orders.of(self._reached[first:last]))
        return self._chosen[1]

    def intensity(self) -> Intensity:
        """kappa and A over the window, judged."""
        return self.judged(self.window())

    def judged(self, window: Window | None) -> Intensity:
        if window is None:
            return Intensity(reason="no spread history yet")
        if self._sample is None or self._sample.orders is not window.reached:
            self._sample = sample_of(window, self.method) if len(window.reached) else None
        return judge(window, self.method, self._sample)

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
        if self.mid is None:
            return known
        if intensity.fit is not None:
            return with_fit(known, intensity.fit, self.mid, "live")
        if intensity.curve is not None:
            kappa, a = intensity.curve
            # The document's a is an amount, not a rate.
            rate = a if self.method.estimator != "seed" else None
            return msgspec.structs.replace(known, kappa=kappa / self.mid, intensity=rate, kappa_source="live")
        return known


def feed_row(vol: TwoScaleVol, row: GridRow, end_ms: int | None) -> None:
    """Ten seconds of mids. end_ms: where the row before ended. Short holes are bridged, long ones start afresh."""
    if row.gap or end_ms is None or row.start_ms < end_ms:
        vol.clear_ring()
    elif row.start_ms > end_ms:
        if (row.start_ms - end_ms) * 1_000_000 > MAX_HOLE_NS:
            vol.clear_ring()
        else:
            vol.skip(round((row.start_ms - end_ms) / (row.step_s * 1000)))
    for mid in row.mids:
        vol.push(mid)


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


def fed(
    trades: Iterable[TakerOrder],
    grid: Iterable[GridRow],
    rules: PairRules,
    *,
    lookback_s: float = LOOKBACK_S,
    method: Method = DEFAULT_METHOD,
    vol_window_s: float = VOL_WINDOW_S,
) -> Calibrator:
    """A calibrator that has seen stored records, each once, in any order."""
    calibrator = Calibrator(rules, lookback_s=lookback_s, vol_window_s=vol_window_s, method=method)
    for order in sorted(trades, key=lambda order: (order.exchange_ms, order.sequence)):
        calibrator.on_trade(order)
    for row in sorted(grid, key=lambda row: row.start_ms):
        calibrator.on_row(row)
    return calibrator


def calibrate(
    trades: Iterable[TakerOrder],
    grid: Iterable[GridRow],
    rules: PairRules,
    *,
    lookback_s: float = LOOKBACK_S,
    method: Method = DEFAULT_METHOD,
    vol_window_s: float = VOL_WINDOW_S,
    provenance: str = "records",
    in_sample: bool = False,
) -> Params:
    """Sigma, kappa and A from stored records, as of the end of the newest grid row.

    Args:
        trades, grid: in any order; each record once (a repeated one would count twice).
        lookback_s: window for kappa and A, seconds; grows to a day while it holds fewer than 50 orders.
        method: estimator, weight and prior.

    Returns: numbers with 95 % intervals (sigma +- 1.96 se; kappa and A on the log scale), Stephens' T*, sample, verdict
        with its reason. Without any record: verdict NO, every number ``None``, at_ms 0.
    """
    trades = tuple(trades)
    calibrator = fed(trades, grid, rules, lookback_s=lookback_s, method=method, vol_window_s=vol_window_s)
    window = calibrator.window()
    intensity = calibrator.judged(window)
    bid, ask = sides(window, method) if window is not None else (None, None)
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
        arrival_ks=intensity.arrival_ks,
        arrival_rejects=intensity.arrival_rejects,
        estimator=method.estimator,
        weight=method.weight,
        bid=_side(bid, calibrator.mid),
        ask=_side(ask, calibrator.mid),
        others=_others(window, calibrator.mid),
        fills=sum(order.fills for order in trades),
        own_hits=intensity.own_hits,
    )


def _side(fit: Fit | None, mid: float | None) -> SideFit | None:
    if fit is None or mid is None:
        return None
    kappa, rate = fit.kappa_interval, fit.a_interval
    return SideFit(
        kappa=fit.kappa / mid,
        kappa_low=kappa[0] / mid,
        kappa_high=kappa[1] / mid,
        intensity=fit.a,
        intensity_low=rate[0],
        intensity_high=rate[1],
    )


def _others(window: Window | None, mid: float | None) -> dict[str, float]:
    if window is None or mid is None:
        return {}
    return {name: curve.kappa / mid for name, curve in compare(window).items()}


def _at(entry: Reached) -> int:
    return entry.at_ms


def _insert(times: list[int], at_ms: int) -> None:
    times.insert(bisect_left(times, at_ms), at_ms)
