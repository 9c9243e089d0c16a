"""Sigma, kappa and A in a few lines, as every screen with a market shows them (light: ``status`` starts with it)."""

from __future__ import annotations

import math

from rich.text import Text

from lunomm.market.records import Estimates
from lunomm.views import palette
from lunomm.views.screen import Fact, status_word
from lunomm.views.text import UNKNOWN, bp, interval, number, percent, safe, with_unit

DAY_S = 86_400.0


def sigma_daily(sigma: float | None) -> float | None:
    """Relative per sqrt(second) as relative per sqrt(day)."""
    return None if sigma is None else sigma * math.sqrt(DAY_S)


def inverse_kappa(kappa: float | None, mid: float | None) -> float | None:
    """The mean depth 1/kappa (kappa in 1/price) as a fraction of ``mid``."""
    return None if kappa is None or mid is None or kappa <= 0 or mid <= 0 else 1.0 / (kappa * mid)


def estimate_facts(estimates: Estimates, mid: float | None, *, wide: bool = True) -> list[Fact]:
    """Label-figure rows of sigma, 1/kappa and A with errors, sources and the verdict."""
    sigma = percent(sigma_daily(estimates.sigma), 2)
    if estimates.sigma is not None:
        if estimates.sigma_se is not None and estimates.sigma > 0:
            sigma += f" ± {number(196 * estimates.sigma_se / estimates.sigma, 0)} %"
        sigma += f" {safe(estimates.sigma_source or '', 8)}".rstrip()
    depth = bp(inverse_kappa(estimates.kappa, mid), 1)
    rate = with_unit(estimates.intensity, "/s a side", 4 if wide else 3)
    if wide:
        low, high = inverse_kappa(estimates.kappa_high, mid), inverse_kappa(estimates.kappa_low, mid)
        depth = joined(depth, interval(scaled(low, 1e4), scaled(high, 1e4), 1))
        rate = joined(rate, interval(estimates.intensity_low, estimates.intensity_high, 4))
    if estimates.kappa is not None and estimates.kappa_source not in (None, "live"):
        depth += f" {safe(estimates.kappa_source, 8)}"
    return [
        ("σ a day", sigma),
        ("1/κ depth", depth),
        ("A", rate),
        ("verdict", verdict_text(estimates)),
    ]


def verdict_text(estimates: Estimates, *, reason: bool = True) -> Text:
    """GO, THIN or NO with its shape, the sample and the reason."""
    text = status_word(estimates.verdict.value, palette.verdict_style(estimates.verdict))
    text.append(f" n={number(estimates.sample)}", palette.PLAIN)
    if reason and estimates.reason:
        text.append(f" {safe(estimates.reason, 80)}", palette.MUTED)
    return text


def scaled(value: float | None, by: float) -> float | None:
    """In another unit; what is unknown stays so."""
    return None if value is None else value * by


def joined(figure: str, *more: str) -> str:
    """A figure followed by what is known of it; only a dash when it is unknown itself."""
    return figure if figure == UNKNOWN else " ".join([figure, *(part for part in more if part not in ("", UNKNOWN))])
