"""Which sigma and kappa to price with, how they are called, and what is missing when there are none.

The tick's own while its verdict is GO. While it is THIN or warm, the last calibration of the same venue, younger than a
day, where that is clearly more exact (a restarted book quotes from the last good calibration at once). Then the kappa
the user gave; else none. Sigma is chosen apart: the live one as soon as its standard error is no larger than the stored
one's, aged. Kappa is relative to the price it was measured at, so an old one is rescaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lunomm.market.records import Estimates, Params, Tick, Verdict
from lunomm.market.volatility import steadier

PARAMS_MAX_AGE_MS = 86_400_000
"""A calibration older than a day says nothing about today's flow."""

CLEARLY = 0.8
"""A stored kappa is used for a THIN one only with an interval this much narrower: the two must not take turns."""

USABLE = (Verdict.GO, Verdict.THIN)


@dataclass(frozen=True)
class InUse:
    """sigma: relative, 1/sqrt(s). kappa: 1/price at the present fair. origin: ``live``, ``warm``, ``calibration`` or
    ``prior``."""

    sigma: float
    kappa: float
    intensity: float | None
    origin: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """Nothing to price with yet; what is missing, for people."""

    what: str


def choose(tick: Tick, params: Params | None, kappa_prior: float | None, fair: float, now_ms: int) -> InUse | Missing:
    """The estimates to use now.

    Args:
        kappa_prior: 1/price, as the user gave it.
        fair: Fair price now, counter per base.
        now_ms: Exchange time.
    """
    live = tick.estimates
    stored = params if params is not None and _recent(params, now_ms) else None
    sigma = _sigma(live, stored, now_ms)
    found = stored.estimates if stored is not None else None
    if sigma is not None and live.kappa is not None and live.verdict in USABLE and not _clearly_better(found, live):
        origin = "warm" if "warm" in (live.kappa_source, live.sigma_source) else live.kappa_source or "live"
        warnings = _thin(live, "the order flow seen so far") if live.verdict is Verdict.THIN else ()
        return InUse(sigma, live.kappa, live.intensity, origin, warnings)
    if stored is not None and found is not None and found.kappa is not None and found.verdict in USABLE and sigma:
        kappa = found.kappa * stored.mid / fair if stored.mid else found.kappa
        said = ["calibrated on this very file (in-sample)"] if stored.in_sample else []
        said += _thin(found, "the stored calibration") if found.verdict is Verdict.THIN else []
        return InUse(sigma, kappa, found.intensity, "calibration", tuple(said))
    if kappa_prior is not None and sigma is not None:
        return InUse(sigma, kappa_prior, None, "prior", (f"kappa {kappa_prior:g} is the prior you gave, not measured",))
    missing = [] if sigma is not None else ["sigma (about a minute of prices)"]
    if stored is None or stored.estimates.kappa is None or stored.estimates.verdict not in USABLE:
        seen = f"{live.sample} of 10 taker orders seen" if live.sample < 10 else live.reason or "the verdict is NO"
        if params is not None and stored is None:
            seen += f"; the stored calibration is {_age(params, now_ms)} old and not used"
        missing.append(f"kappa ({seen})")
    return Missing(
        "waiting for " + " and ".join(missing) + ("" if kappa_prior is not None else "; or give --kappa-prior")
    )


def _sigma(live: Estimates, stored: Params | None, now_ms: int) -> float | None:
    if stored is None or stored.estimates.sigma is None:
        return live.sigma
    age_s = 0.0 if stored.in_sample else abs(now_ms - stored.at_ms) / 1000
    if live.sigma is not None and steadier(_sigma_error(live), _sigma_error(stored.estimates), age_s):
        return live.sigma
    return stored.estimates.sigma


def _sigma_error(found: Estimates) -> float | None:
    return found.sigma_se / found.sigma if found.sigma and found.sigma_se is not None else None


def _clearly_better(stored: Estimates | None, live: Estimates) -> bool:
    if stored is None or stored.kappa is None or stored.verdict not in USABLE or live.verdict is Verdict.GO:
        return False
    known, seen = _kappa_error(stored), _kappa_error(live)
    return known is not None and (seen is None or known < CLEARLY * seen)


def _kappa_error(found: Estimates) -> float | None:
    """Width of the interval on the log scale: a standard error but for a factor."""
    if not found.kappa_low or not found.kappa_high:
        return None
    return math.log(found.kappa_high / found.kappa_low)


def _age(params: Params, now_ms: int) -> str:
    return f"{abs(now_ms - params.at_ms) / 3_600_000:.0f} h"


def _thin(found: Estimates, what: str) -> tuple[str, ...]:
    why = f": {found.reason}" if found.reason else ""
    return (f"verdict THIN for {what} ({found.sample} taker orders){why}",)


def _recent(params: Params, now_ms: int) -> bool:
    # A calibration of the very file being replayed is of this market at this time, whatever clock stamped it.
    return params.in_sample or abs(now_ms - params.at_ms) < PARAMS_MAX_AGE_MS
