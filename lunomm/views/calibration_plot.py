"""A calibration drawn: the intensity against its fit, the volatility's path, and the hours of the day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lunomm.market.hours import Hour, VolPoint
from lunomm.market.intensity import Fit
from lunomm.market.reach import ReachPoint
from lunomm.market.records import Params
from lunomm.market.volatility import daily_percent
from lunomm.views.chart import Kind, Panel, Series, svg
from lunomm.views.estimates import inverse_kappa, sigma_daily
from lunomm.views.text import bp, number, percent

DISTANCES = 120
"""Points of the fitted curve."""

Z95 = 1.96


def calibration_svg(
    params: Params, fit: Fit | None, reached: Sequence[ReachPoint], path: Sequence[VolPoint], hours: Sequence[Hour]
) -> str:
    """The whole file.

    Args:
        fit: relative to the mid, ``None`` where the estimator has none. reached: the empirical intensity.
        path: volatility row by row.
    """
    known = params.estimates
    panels = [intensity_panel(fit, reached), _volatility(path)]
    if len(hours) > 1:
        panels.append(_flow(hours))
    depth = bp(inverse_kappa(known.kappa, params.mid), 1)
    subtitle = (
        f"{known.verdict.value}: 1/kappa {depth}, A {number(known.intensity, 4)}"
        f" /s a side, sigma {percent(sigma_daily(known.sigma), 2)} a day, {known.sample} taker orders in"
        f" {number(known.window_s / 60, 0)} min, {params.provenance}"
    )
    return svg(f"{params.pair} calibration", panels, subtitle=subtitle)


def intensity_panel(fit: Fit | None, reached: Sequence[ReachPoint]) -> Panel:
    """The empirical intensity against its fit (relative to the mid; None where there is none)."""
    series: list[Series] = []
    if fit is not None and reached:
        distances = np.linspace(0.0, reached[-1].distance, DISTANCES)
        low, high = zip(*(fit.rate_interval(float(d)) for d in distances), strict=True)
        x = [float(d) * 1e4 for d in distances]
        series.append(Series("95 % of the fit", x, low, "bid", Kind.BAND, upper=high))
        series.append(Series("A exp(-kappa d)", x, [fit.rate(float(d)) for d in distances], "bid"))
    x = [point.distance * 1e4 for point in reached]
    series.append(Series("seen", x, [point.rate for point in reached], "ask", Kind.POINTS))
    return Panel(
        "How often takers reach a distance from the mid",
        "per second and side",
        series,
        "distance from the mid, bp",
        log=True,
    )


def _volatility(path: Sequence[VolPoint]) -> Panel:
    end_ms = path[-1].at_ms if path else 0
    x = [(point.at_ms - end_ms) / 60_000 for point in path]
    low = [_daily(point, -Z95) for point in path]
    high = [_daily(point, Z95) for point in path]
    return Panel(
        "Volatility",
        "percent a day",
        [
            Series("95 %", x, low, "good", Kind.BAND, upper=high),
            Series("two-scale sigma", x, [_daily(point, 0.0) for point in path], "good"),
        ],
        "minutes before the end",
    )


def _daily(point: VolPoint, errors: float) -> float | None:
    if point.sigma is None or point.sigma_se is None:
        return None
    return daily_percent(max(point.sigma + errors * point.sigma_se, 0.0))


def _flow(hours: Sequence[Hour]) -> Panel:
    first = hours[0].start_ms
    x = [first // 3_600_000 % 24 + (hour.start_ms - first) / 3_600_000 for hour in hours]
    rates = [hour.per_hour for hour in hours]
    x.append(x[-1] + 1)  # the last hour has a width too
    return Panel(
        "Taker orders by hour",
        "an hour",
        [
            Series("taker orders", x, [*rates, rates[-1]], "ask", Kind.STEP),
        ],
        "hour of the day, UTC (past 24: the next day)",
    )
