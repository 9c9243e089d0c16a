"""A session's figures as a table, as chart panels, and as a page of its own; a report and a backtest look the same.

A column a lane (the strategy, what it is compared with), a row a figure. What is not known is a dash, and a standard
error stands beside every mean that has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.tape.attribution import Attribution, Markout
from lunomm.views import palette
from lunomm.views.chart import Kind, Panel, Series
from lunomm.views.text import UNKNOWN, age, number, percent, safe, with_unit

MONEY = 2
BASE = 8


class Row(NamedTuple):
    """One figure of every lane. strong: the one of its group to look at first. group: its heading."""

    group: str
    label: str
    values: tuple[str, ...]
    strong: bool = False


def attribution_rows(lanes: Mapping[str, Attribution]) -> list[Row]:
    """Every figure, in the order people read them."""
    found = list(lanes.values())
    columns = [_figures(lane) for lane in found]
    labels = [(group, label) for group, label, _ in columns[0]] if columns else []
    return [
        Row(group, label, tuple(column[index][2] for column in columns), label == "total")
        for index, (group, label) in enumerate(labels)
    ]


def _figures(a: Attribution) -> list[tuple[str, str, str]]:
    money = f"profit, {safe(a.counter, 8)}"
    pnl = a.pnl
    rows = [
        (money, "total", number(pnl.total, MONEY, sign=True)),
        (money, "spread capture", number(pnl.spread, MONEY, sign=True)),
        (money, "inventory", number(pnl.inventory, MONEY, sign=True)),
        (money, "fees", number(-pnl.fees, MONEY, sign=True)),
        (money, "holding the opening would have made", number(pnl.holding, MONEY, sign=True)),
        (money, "beyond holding", number(a.beyond_holding, MONEY, sign=True)),
        (money, "holding the target would have made", number(a.target_holding, MONEY, sign=True)),
        ("fills", "fills (of them maker)", f"{number(a.fills)} ({number(a.maker_fills)})"),
        ("fills", "turnover", with_unit(a.turnover, safe(a.counter, 8), MONEY)),
        ("fills", "bought, sold", f"{_base(a.bought)}, {_base(a.sold)} {safe(a.base, 8)}"),
        ("fills", "fees as charged", _fees(a)),
        ("fills", "round trips", _trips(a)),
        ("orders", "orders (of them filled)", f"{number(a.orders)} ({number(a.orders_filled)})"),
        ("orders", "fill ratio, by volume", f"{percent(a.fill_ratio)}, {percent(a.volume_ratio)}"),
        ("orders", "both sides quoted, one side", f"{percent(a.uptime)}, {percent(a.one_sided)}"),
        ("orders", "bid, ask at the touch", f"{percent(a.at_touch_bid)}, {percent(a.at_touch_ask)}"),
    ]
    rows += [("markouts, bp", f"after {row.horizon_s} s (drift)", _markout(row)) for row in a.markouts]
    rows += [
        ("risk", "largest, mean inventory", f"{_base(a.max_inventory)}, {_base(a.mean_inventory)} {safe(a.base, 8)}"),
        ("risk", "deepest drawdown", _drawdown(a)),
        ("risk", "Sharpe, a year", _sharpe(a)),
    ]
    return rows


def _base(value: Decimal | float) -> str:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return number(round(exact, BASE).normalize() if exact else Decimal(0))


def _fees(a: Attribution) -> str:
    return f"{_base(a.fees_base)} {safe(a.base, 8)}, {_base(a.fees_counter)} {safe(a.counter, 8)}"


def _trips(a: Attribution) -> str:
    trips = a.round_trips
    if trips is None:
        return UNKNOWN
    earned = number(trips.profit_per_base, MONEY, sign=True)
    return f"{number(trips.count)}, {earned} {safe(a.counter, 8)} a {safe(a.base, 8)}, {age(trips.held_s * 1000)}"


def _markout(row: Markout) -> str:
    if row.markout_bp is None:
        return UNKNOWN
    error = UNKNOWN if row.se_bp is None else number(row.se_bp, 2)
    return f"{number(row.markout_bp, 2, sign=True)} ± {error} ({number(row.drift_bp, 2, sign=True)}), n {row.fills}"


def _drawdown(a: Attribution) -> str:
    share = "" if a.max_drawdown_share is None else f" ({percent(a.max_drawdown_share, 2)})"
    return f"{number(a.max_drawdown, MONEY)} {safe(a.counter, 8)}{share}"


def _sharpe(a: Attribution) -> str:
    found = a.sharpe
    if found is None:
        return "n/a"
    intervals = f"{found.intervals} x {age(found.interval_s * 1000)}"
    return f"{number(found.value, 2, sign=True)} (t {number(found.t_stat, 1, sign=True)}, {intervals})"


def attribution_table(lanes: Mapping[str, Attribution]) -> RenderableType:
    """For a terminal."""
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    table.add_column("")
    for name in lanes:
        table.add_column(Text(safe(name, 40)), justify="right")
    group = ""
    for row in attribution_rows(lanes):
        if row.group != group:
            group = row.group
            table.add_row(Text(group, palette.MUTED))
        style = palette.STRONG if row.strong else palette.PLAIN
        table.add_row(Text(f"  {row.label}", style), *(Text(value, style) for value in row.values))
    return Group(table)


def attribution_panels(a: Attribution, fills: Sequence[Fill] = ()) -> list[Panel]:
    """Profit, position, the market with our fills in it, and the markouts; time in minutes from the start."""
    curve, counter = a.curve, safe(a.counter, 8)
    minutes = [_minutes(ns, a) for ns in curve.ts_ns]
    known = [(x, mid) for x, mid in zip(minutes, curve.mid, strict=True) if mid is not None]
    market = [Series("mid", [x for x, _ in known], [mid for _, mid in known], "muted", Kind.STEP)]
    for side, name, colour in ((Side.BID, "bought", "bid"), (Side.ASK, "sold", "ask")):
        ours = [fill for fill in fills if fill.side is side]
        if ours:
            at = [_minutes(fill.ts_ms * 1_000_000, a) for fill in ours]
            market.append(Series(name, at, [float(fill.price) for fill in ours], colour, Kind.POINTS))
    target = Series("target", minutes[:1], [float(a.target)], "muted", Kind.LEVEL, dashed=True)
    return [
        Panel("Profit", counter, [Series("profit", minutes, curve.equity, "good", Kind.STEP)], "minutes"),
        Panel(
            "Position",
            safe(a.base, 8),
            [Series("position", minutes, curve.position, "own", Kind.STEP), target],
            "minutes",
        ),
        Panel("Market and fills", counter, market, "minutes"),
        _markout_panel(a.markouts),
    ]


def _minutes(ns: int, a: Attribution) -> float:
    return (ns - a.start_ns) / 60e9


def _markout_panel(rows: Sequence[Markout]) -> Panel:
    at = [float(row.horizon_s) for row in rows]
    low = [_edge(row, -1.96) for row in rows]
    high = [_edge(row, 1.96) for row in rows]
    return Panel(
        "Markouts",
        "bp",
        [
            Series("95 %", at, low, "own", Kind.BAND, high),
            Series("markout", at, [row.markout_bp for row in rows], "own"),
            Series("of it drift", at, [row.drift_bp for row in rows], "warn", dashed=True),
            Series("", at[:1], [0.0], "muted", Kind.LEVEL),
        ],
        "seconds after the fill",
    )


def _edge(row: Markout, errors: float) -> float | None:
    return None if row.markout_bp is None or row.se_bp is None else row.markout_bp + errors * row.se_bp


_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 ui-sans-serif,system-ui,sans-serif;margin:2rem auto;"
    "max-width:64rem;padding:0 1rem;background:#fff;color:#222}h1{font-size:1.5rem;margin-bottom:0}"
    "h2{font-size:1.1rem;margin-top:2rem}"
    "p{color:#666;margin-top:.3rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.15rem 1.2rem .15rem 0;text-align:right}td:first-child,th:first-child{text-align:left}"
    "th{color:#777;font-weight:500}tr.group td{padding-top:.8rem;color:#777}tr.strong td{font-weight:600}"
    "svg{max-width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}p,th,tr.group td{color:#999}}"
)


def html_page(
    title: str,
    subtitle: str,
    lanes: Mapping[str, Attribution],
    charts: Sequence[tuple[str, str]],
    notes: Sequence[str] = (),
) -> str:
    """A file that any browser opens: no script, no font, no address in it.

    Args:
        charts: headings, and pictures as `chart.svg` makes them. notes: what a reader must know, a paragraph each.
    """
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{_words(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_words(title)}</h1><p>{_words(subtitle, 400)}</p>",
        *(f"<p>{_words(note, 600)}</p>" for note in notes),
        html_table(lanes),
    ]
    for heading, picture in charts:
        parts += [f"<h2>{_words(heading)}</h2>" if heading else "", picture]
    return "\n".join([*parts, "</body></html>", ""])


def html_table(lanes: Mapping[str, Attribution]) -> str:
    """The same rows as in the terminal."""
    head = "".join(f"<th>{_words(name, 40)}</th>" for name in lanes)
    parts, group = [f"<table><thead><tr><th></th>{head}</tr></thead><tbody>"], ""
    for row in attribution_rows(lanes):
        if row.group != group:
            group = row.group
            parts.append(f'<tr class="group"><td colspan="{len(lanes) + 1}">{_words(group)}</td></tr>')
        cells = "".join(f"<td>{escape(value)}</td>" for value in row.values)
        style = ' class="strong"' if row.strong else ""
        parts.append(f"<tr{style}><td>{_words(row.label)}</td>{cells}</tr>")
    return "".join([*parts, "</tbody></table>"])


def _words(text: str, limit: int = 160) -> str:
    return escape(safe(text, limit))
