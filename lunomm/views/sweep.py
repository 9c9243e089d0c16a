"""A sweep on a terminal and as a page: the best, what they were worth unseen, and a map."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.tape.sweep import BASELINE_NUMBER, OBJECTIVE, Fold, Row, agreement, folds, means
from lunomm.views import palette
from lunomm.views.attribution import html_page
from lunomm.views.chart import Kind, Panel, Series, svg
from lunomm.views.heat_map import heat_map
from lunomm.views.text import UNKNOWN, number, percent, safe

SHOWN = 10
MONEY = 2


@dataclass(frozen=True)
class SweepView:
    """rows: all of the table. segments: stretches of time. runs: made now; took_s: on the wall, of that read_s before
    the first run; spent_s: processor time of the trading alone, all processes. where: who ran them."""

    pair: str
    counter: str
    tapes: Sequence[str]
    axes: Sequence[str]
    rows: Sequence[Row]
    segments: int
    table: str
    runs: int
    took_s: float
    read_s: float
    spent_s: float
    where: str
    notes: Sequence[str] = ()

    @property
    def points(self) -> dict[int, Mapping[str, Any]]:
        return {row.number: row.point for row in self.rows if row.number != BASELINE_NUMBER}


def sweep_data(view: SweepView) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "pair": view.pair,
        "tapes": list(view.tapes),
        "axes": list(view.axes),
        "objective": OBJECTIVE,
        "segments": view.segments,
        "table": view.table,
        "rows": [
            {
                "run": None if row.number == BASELINE_NUMBER else row.number,
                "segment": row.segment,
                "point": dict(row.point),
                **row.figures,
            }
            for row in view.rows
        ],
        "walk_forward": [
            {
                "seen": fold.seen,
                "unseen": fold.unseen,
                "chosen": dict(fold.chosen.point),
                "inside": fold.inside,
                "outside": fold.outside,
                "median": fold.median,
                "baseline": fold.baseline,
            }
            for fold in folds(view.rows)
        ],
        "agreement": _agreement(view),
        "runs": view.runs,
        "took_s": view.took_s,
        "read_s": view.read_s,
        "spent_s": view.spent_s,
        "speed_up": _speed_up(view),
        "notes": list(view.notes),
    }


def _speed_up(view: SweepView) -> float | None:
    """How many times faster than one core trading all the runs; reading, which is done once, is no part of it, the
    start of the processes is."""
    traded_s = view.took_s - view.read_s
    return view.spent_s / traded_s if view.runs and traded_s > 0 else None


def _agreement(view: SweepView) -> float | None:
    """Mean rank correlation of neighbouring stretches: whether what was good stays good."""
    found = [
        value
        for segment in range(view.segments - 1)
        if (value := agreement(means(view.rows, [segment]), means(view.rows, [segment + 1]))) is not None
    ]
    return statistics.fmean(found) if found else None


def sweep_screen(view: SweepView) -> RenderableType:
    """The summary for a terminal."""
    parts: list[RenderableType] = [
        Text(_head(view), palette.STRONG),
        Text(", ".join(safe(name, 60) for name in view.tapes[:3]), palette.MUTED),
        Text(),
        _best(view),
        Text(),
    ]
    steps = folds(view.rows)
    if steps:
        parts += [_forward(view, steps), Text(_verdict(view, steps), palette.WARN), Text()]
    else:
        parts += [Text("The best of many is chosen on what it is judged on: in-sample. --walk-forward K judges it on "
                       "what it has not seen.", palette.WARN), Text()]  # fmt: skip
    parts += [Text(safe(note, 400), palette.MUTED) for note in view.notes]
    parts.append(Text(_speed(view), palette.MUTED))
    return Group(*parts)


def _head(view: SweepView) -> str:
    what = ", ".join(safe(axis, 30) for axis in view.axes)
    stretches = f" on {view.segments} stretches" if view.segments > 1 else ""
    return f"sweep {safe(view.pair, 20)}: {number(len(view.points))} sets of {what}{stretches}"


def _speed(view: SweepView) -> str:
    speed = _speed_up(view)
    faster = "" if speed is None else f", {speed:.2f} times one core's trading"
    traded_s = view.took_s - view.read_s
    return (
        f"read in {view.read_s:.1f} s, then {view.runs} runs in {traded_s:.1f} s by {safe(view.where, 60)}{faster}; "
        f"table {safe(view.table, 120)}"
    )


def _best(view: SweepView) -> Table:
    """The first ten by their mean objective."""
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    for axis in view.axes:
        table.add_column(safe(axis, 20), justify="right")
    for name in (f"beyond holding, {safe(view.counter, 8)}", "profit", "spread", "fills", "uptime", "drawdown"):
        table.add_column(name, justify="right")
    for label, figures in best_rows(view):
        table.add_row(*label, *figures)
    return table


def best_rows(view: SweepView) -> list[tuple[list[str], list[str]]]:
    """(values, figures) of the best runs, then of the baseline; figures are means over the stretches."""
    averages = means(view.rows, range(view.segments))
    order = sorted((n for n in averages if n != BASELINE_NUMBER), key=lambda n: (-averages[n], n))
    found = []
    for each in [*order[:SHOWN], *([BASELINE_NUMBER] if BASELINE_NUMBER in averages else [])]:
        rows = [row for row in view.rows if row.number == each]
        if each == BASELINE_NUMBER:
            label = ["fixed spread", *[""] * (len(view.axes) - 1)]
        else:
            label = [str(rows[0].point.get(axis, "")) for axis in view.axes]
        share = _mean(rows, "uptime")
        figures = [
            number(averages[each], MONEY, sign=True),
            number(_mean(rows, "profit"), MONEY, sign=True),
            number(_mean(rows, "spread"), MONEY, sign=True),
            number(_mean(rows, "fills"), 1),
            UNKNOWN if share is None else percent(share, 1),
            number(_mean(rows, "max_drawdown"), MONEY),
        ]
        found.append((label, figures))
    return found


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = [float(value) for row in rows if (value := row.figures.get(name)) is not None]
    return statistics.fmean(values) if values else None


def _forward(view: SweepView, steps: Sequence[Fold]) -> Table:
    table = Table(box=None, pad_edge=False, header_style=palette.MUTED)
    for name in (
        "chosen on",
        "judged on",
        ", ".join(view.axes),
        "in-sample",
        "out-of-sample",
        "median run",
        "baseline",
    ):
        table.add_column(safe(name, 40), justify="right")
    for cells in forward_rows(view, steps):
        table.add_row(*cells)
    return table


def forward_rows(view: SweepView, steps: Sequence[Fold]) -> list[list[str]]:
    """One row a step of the walk-forward."""
    return [
        [
            str(fold.seen + 1),
            str(fold.unseen + 1),
            ", ".join(str(fold.chosen.point.get(axis, "")) for axis in view.axes),
            number(fold.inside, MONEY, sign=True),
            number(fold.outside, MONEY, sign=True),
            number(fold.median, MONEY, sign=True),
            number(fold.baseline, MONEY, sign=True),
        ]
        for fold in steps
    ]


def _verdict(view: SweepView, steps: Sequence[Fold]) -> str:
    known = [(fold.inside, fold.outside) for fold in steps if fold.outside is not None]
    if not known:
        return "Nothing was judged out of sample."
    inside, outside = (statistics.fmean(pair[side] for pair in known) for side in (0, 1))
    rank = _agreement(view)
    ranks = "" if rank is None else f"; rank correlation between neighbouring stretches {rank:+.2f}"
    return (
        f"The chosen made {number(inside, MONEY, sign=True)} where they were chosen and "
        f"{number(outside, MONEY, sign=True)} on the stretch after it ({safe(view.counter, 8)}, means){ranks}."
    )


# --- the page --------------------------------------------------------------------------------------------------------


def sweep_html(view: SweepView) -> str:
    """The whole file."""
    steps = folds(view.rows)
    pictures: list[tuple[str, str]] = []
    if len(view.axes) >= 2:
        pictures += _maps(view)
    else:
        pictures.append((f"By {view.axes[0]}", svg(_head(view), [_line(view)])))
    if view.segments > 1:
        pictures.append(("In-sample against out-of-sample", svg("Does it last?", [_scatter(view)])))
    notes = [*view.notes, _speed(view)]
    notes += [_verdict(view, steps)] if steps else ["In-sample: the best of many is chosen on what it is judged on."]
    notes += [f"{', '.join(label)}: {' | '.join(figures)}" for label, figures in best_rows(view)]
    return html_page(_head(view), ", ".join(view.tapes), {}, pictures, notes)


def _maps(view: SweepView) -> list[tuple[str, str]]:
    """The first two options; over the others, and over the stretches, the mean."""
    across, down = view.axes[0], view.axes[1]
    columns = _values(view, across)
    rows = _values(view, down)
    maps = [("All stretches" if view.segments > 1 else "All of the tape: in-sample", range(view.segments))]
    if view.segments > 1:
        maps = [
            ("In-sample: the stretches chosen on", range(view.segments - 1)),
            ("Out-of-sample: the stretches after them", range(1, view.segments)),
        ]
    pictures = []
    for title, segments in maps:
        cells: dict[tuple[int, int], list[float]] = {}
        for number_, value in means(view.rows, segments).items():
            point = view.points.get(number_)
            if point is not None:
                place = rows.index(str(point[down])), columns.index(str(point[across]))
                cells.setdefault(place, []).append(value)
        averages = {place: statistics.fmean(values) for place, values in cells.items()}
        what = f"{title}: profit beyond holding, {view.counter}"
        pictures.append(("", heat_map(what, (across, columns), (down, rows), averages)))
    return pictures


def _values(view: SweepView, axis: str) -> list[str]:
    values = {point[axis] for point in view.points.values()}
    plain = sorted(values, key=lambda value: (isinstance(value, str), value))
    return [str(value) for value in plain]


def _line(view: SweepView) -> Panel:
    axis = view.axes[0]
    averages = means(view.rows, range(view.segments))
    pairs = sorted(
        (float(point[axis]), averages[number_])
        for number_, point in view.points.items()
        if number_ in averages and not isinstance(point[axis], str)
    )
    series = [Series("mean over the stretches", [x for x, _ in pairs], [y for _, y in pairs], "own")]
    if BASELINE_NUMBER in averages and pairs:
        series.append(
            Series("fixed spread", [pairs[0][0]], [averages[BASELINE_NUMBER]], "muted", Kind.LEVEL, dashed=True)
        )
    return Panel("Profit beyond holding", safe(view.counter, 8), series, safe(axis, 30))


def _scatter(view: SweepView) -> Panel:
    inside, outside = means(view.rows, range(view.segments - 1)), means(view.rows, range(1, view.segments))
    common = sorted(set(inside) & set(outside) - {BASELINE_NUMBER})
    x, y = [inside[n] for n in common], [outside[n] for n in common]
    return Panel(
        "Each run: where it was chosen, and on the stretches after",
        f"out-of-sample, {safe(view.counter, 8)}",
        [Series("runs", x, y, "own", Kind.POINTS)],
        f"in-sample, {safe(view.counter, 8)}",
    )
