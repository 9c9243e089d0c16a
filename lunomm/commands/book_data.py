"""What ``book --json`` prints of one pair: the tick, the counts, and the estimates with their errors."""

from __future__ import annotations

from typing import Any

import msgspec

from lunomm.views.book import BookView
from lunomm.views.estimates import inverse_kappa, sigma_daily

Z95 = 1.96


def book_data(view: BookView, *, fills: int, takers: int) -> dict[str, Any]:
    """The tick's fields as plain JSON types, with counts, and sigma, kappa and A with their errors and verdict.

    kappa, alpha of the tick are null while the verdict is NO; kappa, A here are the estimates whatever the verdict.
    """
    tick = view.tick
    if tick is None:
        return {"pair": view.pair, "state": "WAITING", "note": view.note, "fills": fills, "taker_orders": takers}
    data: dict[str, Any] = msgspec.to_builtins(tick)
    known = tick.estimates
    error = None if known.sigma is None or known.sigma_se is None else Z95 * known.sigma_se
    depth = inverse_kappa(known.kappa, known.mid)
    return {
        **data,
        "fills": fills,
        "taker_orders": takers,
        "resyncs": view.resyncs,
        "frames_per_s": view.frames_per_s,
        "note": view.note,
        "sigma": known.sigma,
        "sigma_low": None if known.sigma is None or error is None else max(known.sigma - error, 0.0),
        "sigma_high": None if known.sigma is None or error is None else known.sigma + error,
        "sigma_daily_percent": None if known.sigma is None else 100 * (sigma_daily(known.sigma) or 0.0),
        "kappa": known.kappa,
        "kappa_low": known.kappa_low,
        "kappa_high": known.kappa_high,
        "inv_kappa_bp": None if depth is None else depth * 1e4,
        "A": known.intensity,
        "A_low": known.intensity_low,
        "A_high": known.intensity_high,
        "verdict": known.verdict.value,
        "reason": known.reason,
    }
