"""Sigma, kappa and A as a person reads them: per day, in basis points, with their intervals, sample and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import Params, Verdict
from lunomm.market.rules import PairRules
from lunomm.views import palette
from lunomm.views.estimates import inverse_kappa, joined, scaled, sigma_daily, verdict_text
from lunomm.views.screen import Fact, Sized, facts, line, rule, stack
from lunomm.views.text import UNKNOWN, age, bar, bp, counted, interval, number, percent, safe, with_unit

if TYPE_CHECKING:  # a picture does not wait for numpy
    from lunomm.market.hours import Hour

GO_SAMPLE = 50
"""Taker orders from which a verdict can be GO (theory F)."""


@dataclass(frozen=True, slots=True)
class CalibrateView:
    """A calibration, under way or done.

    source: where the data comes from, our words. elapsed_s and limit_s: of collecting, None when nothing is collected.
    at_age_ms: since it was computed.
    """

    pair: str
    source: str
    params: Params | None = None
    counter: str = ""
    elapsed_s: float | None = None
    limit_s: float | None = None
    at_age_ms: float | None = None
    note: str = ""
    hours: tuple[Hour, ...] = ()
    rules: PairRules | None = None


def calibrate_screen(view: CalibrateView) -> Sized:
    """The whole calibration with every number's unit, sample and window."""
    return Sized(lambda width, height: _draw(view, width, height))


def calibrate_line(view: CalibrateView) -> str:
    """One plain line: the verdict, or how far collecting has come."""
    if view.params is None:
        return f"{safe(view.pair, 20)}  collecting from {view.source}  {_progress_words(view, 0)}"
    estimates = view.params.estimates
    head = f"{safe(view.pair, 20)}  {estimates.verdict.value}  n {estimates.sample}"
    figures = (
        f"sigma {percent(sigma_daily(estimates.sigma), 2)} a day  "
        f"1/kappa {bp(inverse_kappa(estimates.kappa, view.params.mid), 1)}  "
        f"A {with_unit(estimates.intensity, '/s', 4)}"
    )
    tail = _progress_words(view, estimates.sample) if view.elapsed_s is not None else safe(estimates.reason, 100)
    return f"{head}  {figures}  {tail}".rstrip()


def _draw(view: CalibrateView, width: int, height: int) -> RenderableType:
    params = view.params
    head: list[str | Text | tuple[str, str]] = [(safe(view.pair, 20), palette.STRONG), "calibration"]
    if params is not None:
        head.append(verdict_text(params.estimates, reason=False))
    blocks: list[RenderableType] = [line(*head), line(("from " + safe(view.source, 120), palette.MUTED))]
    if view.elapsed_s is not None:
        blocks.append(_progress(view, width))
    blocks.append(rule("", width))
    if params is None:
        blocks.append(line(("nothing measured yet", palette.MUTED)))
    else:
        blocks.append(facts(_rows(params, view), label_width=12))
    if len(view.hours) > 1:
        blocks += [rule("", width), *_hours(view.hours)]
    if view.note:
        blocks.append(line((safe(view.note, 200), palette.WARN)))
    return stack(blocks[:height])


def _rows(params: Params, view: CalibrateView) -> list[Fact]:
    estimates, mid = params.estimates, params.mid
    counter = safe(view.counter, 8)
    per_price = f"1/{counter}" if counter else "1/price"
    sigma_low, sigma_high = sigma_daily(params.sigma_low), sigma_daily(params.sigma_high)
    low, high = inverse_kappa(estimates.kappa_high, mid), inverse_kappa(estimates.kappa_low, mid)
    kappa = with_unit(estimates.kappa, per_price)
    ks = number(params.ks, 2)
    if params.ks is not None and params.ks_rejects is not None:
        ks += ", the exponential is rejected at 5 %" if params.ks_rejects else ", an exponential is not rejected at 5 %"
    kappa_words = kappa if params.estimator == "exposure" else f"{kappa} by {safe(params.estimator, 10)}"
    if params.weight == "size":
        kappa_words += ", weighted by size"
    rows: list[Fact] = [
        (
            "σ a day",
            joined(
                percent(sigma_daily(estimates.sigma), 3),
                interval(scaled(sigma_low, 100), scaled(sigma_high, 100), 3),
                safe(estimates.sigma_source or "", 8),
            ),
        ),
        ("σ", with_unit(estimates.sigma, "/√s")),
        (
            "1/κ depth",
            joined(
                bp(inverse_kappa(estimates.kappa, mid), 2),
                interval(scaled(low, 1e4), scaled(high, 1e4), 2),
                safe(estimates.kappa_source or "", 8),
            ),
        ),
        ("κ", joined(kappa_words, interval(estimates.kappa_low, estimates.kappa_high))),
        (
            "A",
            joined(
                with_unit(estimates.intensity, "/s a side", 4),
                interval(estimates.intensity_low, estimates.intensity_high, 4),
            ),
        ),
        ("sample", f"{counted(estimates.sample, 'taker order')}, {counted(params.fills, 'fill')}"),
        ("window", age(estimates.window_s * 1000) if estimates.window_s else UNKNOWN),
        ("touch share", percent(estimates.touch_share, 0)),
        ("KS", ks),
        ("at mid", with_unit(mid, counter)),
    ]
    rows += _extra_rows(params)
    if params.own_hits:
        rows.append(("own hits", f"{number(params.own_hits)} left out: A is a lower bound"))
    if estimates.reason:
        style = palette.verdict_style(estimates.verdict)
        style = style if estimates.verdict is not Verdict.GO else palette.PLAIN
        for index, part in enumerate(safe(estimates.reason, 400).split("; ")):
            rows.append(("why" if index == 0 else "", part, style))
    if params.in_sample:
        rows.append(("note", "same file, in-sample", palette.WARN))
    if view.at_age_ms is not None:
        rows.append(("age", age(view.at_age_ms)))
    return rows


def _extra_rows(params: Params) -> list[Fact]:
    """The two sides apart, how takers came, and what other estimators say."""
    mid = params.mid
    rows: list[Fact] = []
    sides = [
        f"{side} {bp(inverse_kappa(fit.kappa, mid), 1)}"
        f" ({_range_bp(fit.kappa_high, fit.kappa_low, mid)}), A {number(fit.intensity, 4)}"
        for side, fit in (("bids", params.bid), ("asks", params.ask))
        if fit is not None
    ]
    for index, words in enumerate(sides):
        rows.append(("1/κ a side" if index == 0 else "", words))
    if params.arrival_cv is not None:
        words = f"CV {number(params.arrival_cv, 2)} of the times between"
        if params.arrival_rejects is not None:
            words += ", Poisson is rejected at 5 %" if params.arrival_rejects else ", Poisson is not rejected at 5 %"
        rows.append(("arrivals", words))
    named = [(name, kappa) for name, kappa in params.others.items() if name != params.estimator]
    if named:
        words = ", ".join(f"{safe(name, 10)} {bp(inverse_kappa(kappa, mid), 1)}" for name, kappa in named)
        rows.append(("1/κ others", words, palette.MUTED))
    return rows


def _range_bp(high: float, low: float, mid: float | None) -> str:
    near, far = inverse_kappa(high, mid), inverse_kappa(low, mid)
    return f"{number(scaled(near, 1e4), 1)} to {number(scaled(far, 1e4), 1)}"


def _hours(hours: tuple[Hour, ...]) -> list[RenderableType]:
    """A line an hour: sigma and flow, each with a bar against the busiest."""
    most_sigma = max((hour.sigma or 0.0 for hour in hours), default=0.0)
    most_flow = max((hour.per_hour or 0.0 for hour in hours), default=0.0)
    lines: list[RenderableType] = [line(("by hour (UTC)   σ a day          taker orders an hour", palette.MUTED))]
    for hour in hours:
        at = f"{hour.start_ms // 3_600_000 % 24:02d}:00"
        sigma = bar(hour.sigma / most_sigma, 8) if hour.sigma and most_sigma else " " * 8
        flow = bar(hour.per_hour / most_flow, 8) if hour.per_hour and most_flow else " " * 8
        lines.append(
            line(
                f"{at}         ",
                f"{percent(sigma_daily(hour.sigma), 2):>8}",
                (sigma, palette.BID),
                f"{number(hour.per_hour, 0):>7}",
                (flow, palette.ASK),
            )
        )
    return lines


def _progress(view: CalibrateView, width: int) -> Text:
    sample = view.params.estimates.sample if view.params is not None else 0
    done = min(sample / GO_SAMPLE, 1.0)
    if view.elapsed_s is not None and view.limit_s:
        done = max(done, min(view.elapsed_s / view.limit_s, 1.0))
    words = _progress_words(view, sample)
    return line((bar(done, max(min(30, width - len(words) - 4), 5)), palette.BID), words)


def _progress_words(view: CalibrateView, sample: int) -> str:
    words = f"{number(sample)} of {GO_SAMPLE} taker orders"
    if view.elapsed_s is not None:
        words += f", {age(view.elapsed_s * 1000)}"
        words += f" of {age(view.limit_s * 1000)}" if view.limit_s else ""
    return words
