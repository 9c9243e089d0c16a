"""A backtest on a terminal and as a page: what was earned beside the baseline, and what the figures rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.market.intensity import Fit
from lunomm.market.reach import ReachPoint
from lunomm.tape.attribution import Attribution
from lunomm.tape.outcome import LaneOutcome, Outcome
from lunomm.views import palette
from lunomm.views.attribution import attribution_panels, attribution_table, html_page
from lunomm.views.calibration_plot import intensity_panel
from lunomm.views.chart import Kind, Panel, Series, svg
from lunomm.views.text import age, number, percent, safe

REASONS_SHOWN = 4
DIGEST_SHOWN = 16


@dataclass(frozen=True)
class BacktestView:
    """tapes: their names. options: what was not left at its default. notes: what a reader must know, a sentence each.

    fit, reached: the takers of the whole tape against the model (in-sample by nature).
    """

    outcome: Outcome
    tapes: Sequence[str]
    options: Sequence[str] = ()
    notes: Sequence[str] = ()
    fit: Fit | None = None
    reached: Sequence[ReachPoint] = ()


def backtest_screen(view: BacktestView) -> RenderableType:
    """The summary for a terminal."""
    outcome = view.outcome
    parts: list[RenderableType] = [Text(_head(view), palette.STRONG), Text(_what(view), palette.MUTED), Text()]
    judged = _judged(outcome)
    if judged:
        parts += [attribution_table(judged), Text()]
    parts += [_lanes(outcome), Text()]
    parts += [Text(safe(note, 400), palette.MUTED) for note in view.notes]
    parts.append(Text(f"report hash {outcome.digest[:DIGEST_SHOWN]}", palette.MUTED))
    return Group(*parts)


def _head(view: BacktestView) -> str:
    outcome = view.outcome
    gaps = f", {number(outcome.gaps)} gaps" if outcome.gaps else ""
    return (
        f"backtest {safe(outcome.rules.pair, 20)}: {age(outcome.duration_s * 1000)}, {number(outcome.frames)} frames"
        f"{gaps}, {number(len(outcome.takers))} taker orders"
    )


def _what(view: BacktestView) -> str:
    tapes = ", ".join(safe(name, 80) for name in view.tapes[:3]) + (" ..." if len(view.tapes) > 3 else "")
    return f"{tapes}{'; ' if view.options else ''}{', '.join(safe(option, 60) for option in view.options)}"


def _judged(outcome: Outcome) -> dict[str, Attribution]:
    return {lane.name: lane.attribution for lane in outcome.lanes if lane.attribution is not None}


def _lanes(outcome: Outcome) -> RenderableType:
    """What the attribution does not say: the bracket, and why a side was away."""
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    table.add_column("")
    for lane in outcome.lanes:
        table.add_column(safe(lane.name, 40), justify="right")
    for label, cells in lane_rows(outcome):
        table.add_row(Text(f"  {label}"), *cells)
    return table


def lane_rows(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """Rows for both lanes."""
    base = safe(outcome.rules.base, 8)
    rows: list[tuple[str, list[str]]] = [
        ("orders placed", [number(lane.placed) for lane in outcome.lanes]),
        (f"filled, strict trade-through, {base}", [_amount(lane.bracket_base[0]) for lane in outcome.lanes]),
        (f"filled, by the queue, {base}", [_amount(lane.bracket_base[1]) for lane in outcome.lanes]),
        (f"filled, at touch, {base}", [_amount(lane.bracket_base[2]) for lane in outcome.lanes]),
        ("a side away because", [_reasons(lane, outcome.duration_s) for lane in outcome.lanes]),
        ("refused", [", ".join(f"{code} {count}" for code, count in lane.refusals.items()) or "0"
                     for lane in outcome.lanes]),
    ]  # fmt: skip
    if any(lane.halts for lane in outcome.lanes):
        rows.append(("halted", ["; ".join(safe(halt, 80) for halt in lane.halts) or "no" for lane in outcome.lanes]))
    return rows


def _amount(value: Decimal) -> str:
    return number(value.normalize() if value else Decimal(0))


def _reasons(lane: LaneOutcome, duration_s: float) -> str:
    away = sorted(lane.absent_s.items(), key=lambda row: (-row[1], row[0]))[:REASONS_SHOWN]
    whole = 2 * duration_s
    return ", ".join(f"{why} {percent(seconds / whole, 1)}" for why, seconds in away if whole > 0) or "never"


# --- the page --------------------------------------------------------------------------------------------------------


def backtest_html(view: BacktestView) -> str:
    """The whole file."""
    outcome = view.outcome
    judged = _judged(outcome)
    if not judged:
        return html_page(_head(view), _what(view), {}, [], view.notes)
    strategy = outcome.strategy
    pictures = [(strategy.name, svg(_head(view), _panels(view), subtitle=_what(view)))]
    notes = [*view.notes, *(f"{label}: {' | '.join(cells)}" for label, cells in lane_rows(outcome))]
    return html_page(_head(view), f"{_what(view)}; report hash {outcome.digest}", judged, pictures, notes)


def _panels(view: BacktestView) -> list[Panel]:
    outcome = view.outcome
    strategy = outcome.strategy
    assert strategy.attribution is not None
    profit, position, market, markouts = attribution_panels(strategy.attribution, strategy.fills)
    equity = [*profit.series]
    for lane in outcome.lanes[1:]:
        if lane.attribution is not None:
            curve = lane.attribution.curve
            minutes = [(ns - outcome.start_ns) / 60e9 for ns in curve.ts_ns]
            equity.append(Series(safe(lane.name, 20), minutes, curve.equity, "muted", Kind.STEP, dashed=True))
    at = [(ns - outcome.start_ns) / 60e9 for ns in strategy.quoted.ts_ns]
    quotes = [
        *market.series,
        Series("bid", at, strategy.quoted.bid, "bid", Kind.STEP),
        Series("ask", at, strategy.quoted.ask, "ask", Kind.STEP),
    ]
    return [
        Panel("Profit", profit.y_label, equity, profit.x_label),
        position,
        Panel("Quotes against the mid, and fills", market.y_label, quotes, market.x_label),
        markouts,
        intensity_panel(view.fit, view.reached),
    ]
