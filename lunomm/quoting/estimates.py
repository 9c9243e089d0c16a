"""Which sigma and kappa to price with, how they are called, and what is missing when there are none.

The tick's own while ready and their verdict is GO or THIN; else the last calibration of the same venue, younger than
a day; else the kappa the user gave; else none. Kappa is relative to the price it was measured at, so an old one is
rescaled.
"""

from __future__ import annotations

from dataclasses import dataclass

from lunomm.market.records import Estimates, Params, Tick, Verdict

PARAMS_MAX_AGE_MS = 86_400_000
"""A calibration older than a day says nothing about today's flow."""

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
    if live.sigma is not None and live.kappa is not None and live.verdict in USABLE:
        origin = "warm" if "warm" in (live.kappa_source, live.sigma_source) else live.kappa_source or "live"
        warnings = _thin(live, "the order flow seen so far") if live.verdict is Verdict.THIN else ()
        return InUse(live.sigma, live.kappa, live.intensity, origin, warnings)
    stored = params if params is not None and _recent(params, now_ms) else None
    # A live sigma is a fresher fact than yesterday's; only kappa and A need the calibration's trades.
    sigma = live.sigma if live.sigma is not None else (stored.estimates.sigma if stored is not None else None)
    if stored is not None and sigma is not None:
        found, at = stored.estimates, stored.mid
        if found.kappa is not None and found.verdict in USABLE:
            kappa = found.kappa * at / fair if at else found.kappa
            said = ["calibrated on this very file (in-sample)"] if stored.in_sample else []
            said += _thin(found, "the stored calibration") if found.verdict is Verdict.THIN else []
            return InUse(sigma, kappa, found.intensity, "calibration", tuple(said))
    if kappa_prior is not None and sigma is not None:
        return InUse(sigma, kappa_prior, None, "prior", (f"kappa {kappa_prior:g} is the prior you gave, not measured",))
    missing = [] if sigma is not None else ["sigma (about a minute of prices)"]
    if stored is None or stored.estimates.kappa is None or stored.estimates.verdict not in USABLE:
        seen = f"{live.sample} of 10 taker orders seen" if live.sample < 10 else live.reason or "the verdict is NO"
        missing.append(f"kappa ({seen})")
    return Missing(
        "waiting for " + " and ".join(missing) + ("" if kappa_prior is not None else "; or give --kappa-prior")
    )


def _thin(found: Estimates, what: str) -> tuple[str, ...]:
    why = f": {found.reason}" if found.reason else ""
    return (f"verdict THIN for {what} ({found.sample} taker orders){why}",)


def _recent(params: Params, now_ms: int) -> bool:
    # A calibration of the very file being replayed is of this market at this time, whatever clock stamped it.
    return params.in_sample or abs(now_ms - params.at_ms) < PARAMS_MAX_AGE_MS
