"""How volatility and order flow ran: by hour of the last day, and volatility row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from lunomm.market.calibration import VOL_WINDOW_S, feed_row
from lunomm.market.records import GridRow, TakerOrder
from lunomm.market.volatility import TwoScaleVol

HOUR_MS: Final = 3_600_000
DAY_HOURS: Final = 24

_FOREVER_S: Final = 1e7
"""A memory so long that an hour's returns weigh the same."""


class Hour(NamedTuple):
    """One hour of exchange time.

    start_ms: Unix ms, on the hour, UTC. observed_s: time with an open two-sided market. sigma, sigma_se: relative,
    1/sqrt(s), ``None`` with less than ten minutes. half_spread: relative, time mean. orders: taker orders, our own hits
    left out; per_hour: their rate while observed.
    """

    start_ms: int
    observed_s: float
    sigma: float | None
    sigma_se: float | None
    half_spread: float | None
    orders: int
    per_hour: float | None


class VolPoint(NamedTuple):
    """sigma, sigma_se: relative, 1/sqrt(s), at the end of a row; ``None`` until there is one."""

    at_ms: int
    sigma: float | None
    sigma_se: float | None


MIN_SIGMA_S: Final = 600.0


def by_hour(trades: Iterable[TakerOrder], grid: Iterable[GridRow]) -> list[Hour]:
    """The 24 clock hours up to the newest row, oldest first, those without a row left out."""
    rows = sorted(grid, key=lambda row: row.start_ms)
    if not rows:
        return []
    newest = rows[-1].start_ms // HOUR_MS
    hours: dict[int, list[GridRow]] = {}
    for row in rows:
        if newest - row.start_ms // HOUR_MS < DAY_HOURS:
            hours.setdefault(row.start_ms // HOUR_MS, []).append(row)
    orders = dict.fromkeys(hours, 0)
    for order in trades:
        hour = order.exchange_ms // HOUR_MS
        if hour in orders and order.mid is not None and not order.own_only:
            orders[hour] += 1
    return [_hour(hour, rows, orders[hour]) for hour, rows in hours.items()]


def _hour(hour: int, rows: Sequence[GridRow], orders: int) -> Hour:
    vol = TwoScaleVol(window_s=_FOREVER_S)
    end_ms: int | None = None
    observed = weighted = 0.0
    for row in rows:
        feed_row(vol, row, end_ms)
        end_ms = row.start_ms + round(len(row.mids) * row.step_s * 1000)
        for half_spread, seconds in row.exposure:
            observed += seconds
            weighted += half_spread * seconds
    sigma, error = (vol.sigma(), vol.relative_error()) if vol.points * vol.step_s >= MIN_SIGMA_S else (None, None)
    return Hour(
        start_ms=hour * HOUR_MS,
        observed_s=observed,
        sigma=sigma,
        sigma_se=sigma * error if sigma is not None and error is not None else None,
        half_spread=weighted / observed if observed > 0.0 else None,
        orders=orders,
        per_hour=orders * 3600 / observed if observed > 0.0 else None,
    )


def vol_path(grid: Iterable[GridRow], *, window_s: float = VOL_WINDOW_S) -> list[VolPoint]:
    """sigma as it was known at the end of every row, with its standard error."""
    vol = TwoScaleVol(window_s=window_s)
    end_ms: int | None = None
    path = []
    for row in sorted(grid, key=lambda row: row.start_ms):
        feed_row(vol, row, end_ms)
        end_ms = row.start_ms + round(len(row.mids) * row.step_s * 1000)
        sigma, error = (vol.sigma(), vol.relative_error()) if vol.ready else (None, None)
        path.append(VolPoint(end_ms, sigma, sigma * error if sigma is not None and error is not None else None))
    return path
