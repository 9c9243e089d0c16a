"""A calibration as data: what ``calibrate --json`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lunomm.market.hours import Hour
from lunomm.market.records import Params, SideFit
from lunomm.views.estimates import inverse_kappa, sigma_daily


def params_data(params: Params) -> dict[str, Any]:
    """kappa: 1/price in the pair's counter currency; intensity: 1/s a side; sigma: relative per sqrt(s)."""
    known = params.estimates
    daily = sigma_daily(known.sigma)
    return {
        "pair": params.pair,
        "at_ms": params.at_ms,
        "provenance": params.provenance,
        "in_sample": params.in_sample,
        "estimator": params.estimator,
        "weight": params.weight,
        "mid": params.mid,
        "kappa": known.kappa,
        "kappa_low": known.kappa_low,
        "kappa_high": known.kappa_high,
        "inv_kappa_bp": _inverse_bp(known.kappa, params.mid),
        "intensity": known.intensity,
        "intensity_low": known.intensity_low,
        "intensity_high": known.intensity_high,
        "sigma": known.sigma,
        "sigma_low": params.sigma_low,
        "sigma_high": params.sigma_high,
        "sigma_daily_percent": None if daily is None else daily * 100,
        "taker_orders": known.sample,
        "fills": params.fills,
        "own_hits": params.own_hits,
        "touch_share": known.touch_share,
        "ks": params.ks,
        "ks_rejects": params.ks_rejects,
        "arrival_cv": params.arrival_cv,
        "arrival_ks": params.arrival_ks,
        "arrival_rejects": params.arrival_rejects,
        "bid": _side(params.bid, params.mid),
        "ask": _side(params.ask, params.mid),
        "others": {name: {"kappa": k, "inv_kappa_bp": _inverse_bp(k, params.mid)} for name, k in params.others.items()},
        "window_s": known.window_s,
        "verdict": known.verdict.value,
        "reason": known.reason,
    }


def hours_data(hours: Iterable[Hour]) -> list[dict[str, Any]]:
    """Oldest first; per_hour: taker orders."""
    return [
        {
            **hour._asdict(),
            "sigma_daily_percent": None if hour.sigma is None else (sigma_daily(hour.sigma) or 0.0) * 100,
        }
        for hour in hours
    ]


def _side(fit: SideFit | None, mid: float | None) -> dict[str, float | None] | None:
    if fit is None:
        return None
    return {
        "kappa": fit.kappa,
        "kappa_low": fit.kappa_low,
        "kappa_high": fit.kappa_high,
        "inv_kappa_bp": _inverse_bp(fit.kappa, mid),
        "intensity": fit.intensity,
        "intensity_low": fit.intensity_low,
        "intensity_high": fit.intensity_high,
    }


def _inverse_bp(kappa: float | None, mid: float | None) -> float | None:
    depth = inverse_kappa(kappa, mid)
    return None if depth is None else depth * 1e4
