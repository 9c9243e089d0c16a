"""Where the market went after our fills: markouts, and what of them was drift against us (pure).

For a fill at price p on side e (+1 bought) with the mid m(t) at its time, at horizon h::

    markout e (m(t+h) - p)  =  effective e (m(t) - p)  +  drift e (m(t+h) - m(t))

in basis points of p, weighted by size. Adverse selection is the drift with its sign turned. Fills come in clusters, so
errors are those of sums by minute, not of single fills: a taker that sweeps three of our orders is one observation.
A markout re-sorts the inventory's profit by fill; it is not to be added to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lunomm.quoting.inputs import Fill
from lunomm.tape.market_path import MarketPath

HORIZONS_S: Final = (1, 5, 30, 60, 300)
CLUSTER_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Markout:
    """One horizon: how many fills had a mid then, the size-weighted means in bp, and their standard errors.

    None: no fill with a mid at that horizon (and at the fill, for the drift); errors: fewer than two minutes with one.
    """

    horizon_s: int
    fills: int
    markout_bp: float | None
    se_bp: float | None
    drift_bp: float | None
    drift_se_bp: float | None


Weighted = tuple[float, float, int]
"""A value, its weight, its cluster."""


def markouts(fills: Sequence[Fill], path: MarketPath | None) -> tuple[Markout, ...]:
    """One row a horizon."""
    return tuple(_at(horizon_s, fills, path) for horizon_s in HORIZONS_S)


def _at(horizon_s: int, fills: Iterable[Fill], path: MarketPath | None) -> Markout:
    whole: list[Weighted] = []
    drift: list[Weighted] = []
    for fill in fills if path is not None else ():
        assert path is not None
        later = path.mid((fill.ts_ms + 1000 * horizon_s) * 1_000_000)
        if later is None:
            continue
        price, weight, cluster = float(fill.price), float(fill.volume), fill.ts_ms // CLUSTER_MS
        whole.append((fill.side.sign * (later - price) / price * 1e4, weight, cluster))
        before = fill.fair if fill.fair is not None else path.mid(fill.ts_ms * 1_000_000 - 1)
        if before is not None:
            drift.append((fill.side.sign * (later - before) / price * 1e4, weight, cluster))
    mean, error = clustered_mean(whole)
    moved, moved_error = clustered_mean(drift)
    return Markout(
        horizon_s=horizon_s,
        fills=len(whole),
        markout_bp=mean,
        se_bp=error,
        drift_bp=moved,
        drift_se_bp=moved_error,
    )


def clustered_mean(rows: Sequence[Weighted]) -> tuple[float | None, float | None]:
    """Weighted mean and its standard error, robust to any dependence inside a cluster.

    Returns: (None, None) without a row; the error None with fewer than two clusters.
    Source: the linearised ratio estimator, variance G/(G-1) * sum over clusters of (sum w (x - mean))^2 / (sum w)^2.
    """
    total = math.fsum(weight for _, weight, _ in rows)
    if not rows or total <= 0:
        return None, None
    mean = math.fsum(value * weight for value, weight, _ in rows) / total
    sums: dict[int, float] = {}
    for value, weight, cluster in rows:
        sums[cluster] = sums.get(cluster, 0.0) + weight * (value - mean)
    groups = len(sums)
    if groups < 2:
        return mean, None
    return mean, math.sqrt(groups / (groups - 1) * math.fsum(s * s for s in sums.values())) / total
