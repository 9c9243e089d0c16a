"""Charts as self-contained SVG: panels one above the other, lines, steps, bands, points and levels on numbered axes.

A file that any browser opens, with no script, no font and no address in it, readable on a light and a dark page. What
is unknown (None) is a gap, never zero. Long series are thinned to the extremes of each pixel column, so a day of ticks
makes a small file that still shows every spike.

Rejected: a plotting library. The smallest is ten times this program's own size to install, and the few kinds of chart
needed here are a page of arithmetic.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lunomm.views.text import number, safe

WIDTH, PANEL, GAP = 960, 250, 34
LEFT, RIGHT, HEAD, FOOT = 86, 20, 62, 34
TICKS = 6
COLUMNS = WIDTH - LEFT - RIGHT

_COLOURS = {
    "bid": "#1f7fd6",
    "ask": "#d2691e",
    "own": "#9350c9",
    "good": "#1a8a5f",
    "warn": "#a98300",
    "muted": "#8a8a8a",
}
_STYLE = (
    "svg{background:#fff;font:12px ui-sans-serif,system-ui,sans-serif}text{fill:#333}.t{font-size:16px;font-weight:600}"
    ".h{font-size:13px;font-weight:600}.g{stroke:#ddd;stroke-width:1}.f{fill:none;stroke:#999}"
    "@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#ddd}.g{stroke:#33363d}.f{stroke:#666}}"
)


class Kind(enum.StrEnum):
    """BAND fills between ``y`` and ``upper``; LEVEL is one horizontal line over the whole panel at ``y[0]``."""

    LINE = "line"
    STEP = "step"
    POINTS = "points"
    BAND = "band"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Series:
    """One curve. colour: bid, ask, own, good, warn or muted. x and y of one length; upper: for a band only."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    colour: str = "bid"
    kind: Kind = Kind.LINE
    upper: Sequence[float | None] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes. log: a logarithmic y axis, on which only positive values are drawn."""

    title: str
    y_label: str
    series: Sequence[Series]
    x_label: str = ""
    log: bool = False


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a value stands in the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    top: float
    log: bool

    def x(self, value: float) -> float:
        return LEFT + (value - self.x_low) / (self.x_high - self.x_low) * COLUMNS

    def y(self, value: float) -> float:
        at = math.log10(value) if self.log else value
        return self.top + PANEL - (at - self.y_low) / (self.y_high - self.y_low) * PANEL

    def shows(self, value: float | None) -> bool:
        return value is not None and math.isfinite(value) and (value > 0 or not self.log)


def svg(title: str, panels: Sequence[Panel], *, subtitle: str = "") -> str:
    """The whole file.

    Panels without anything known in them say so. Texts may come from outside: they are cleaned here.
    """
    height = HEAD + len(panels) * (PANEL + GAP + FOOT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<style>{_STYLE}</style><title>{_words(title)}</title>",
        _text(LEFT, 24, title, cls="t"),
        _text(LEFT, 42, subtitle),
    ]
    for index, panel in enumerate(panels):
        parts.append(_panel(panel, HEAD + GAP / 2 + index * (PANEL + GAP + FOOT)))
    return "\n".join([*(part for part in parts if part), "</svg>", ""])


def ticks(low: float, high: float, about: int = TICKS) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) from ``low`` to ``high``."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-12))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _panel(panel: Panel, top: float) -> str:
    axes = _axes(panel, top)
    frame = f'<rect class="f" x="{LEFT}" y="{top:.1f}" width="{COLUMNS}" height="{PANEL}"/>'
    head = _text(LEFT, top - 8, panel.title, cls="h") + _text(WIDTH - RIGHT, top - 8, panel.y_label, anchor="end")
    if axes is None:
        return head + frame + _text(LEFT + COLUMNS / 2, top + PANEL / 2, "nothing known yet", anchor="middle")
    parts = [head, *_grid(axes), frame]
    parts += [_draw(series, axes) for series in panel.series]
    parts.append(_legend(panel.series, top))
    parts.append(_text(LEFT + COLUMNS / 2, top + PANEL + 30, panel.x_label, anchor="middle"))
    return "\n".join(part for part in parts if part)


def _axes(panel: Panel, top: float) -> _Axes | None:
    probe = _Axes(0, 1, 0, 1, top, panel.log)
    ys = [v for s in panel.series for v in (*s.y, *s.upper) if v is not None and probe.shows(v)]
    xs = [x for s in panel.series if s.kind is not Kind.LEVEL for x in s.x if math.isfinite(x)]
    if not ys or not xs:
        return None
    if panel.log:
        ys = [math.log10(y) for y in ys]
    (x_low, x_high), (y_low, y_high) = _wide(min(xs), max(xs), 0.0), _wide(min(ys), max(ys), 0.06)
    return _Axes(x_low, x_high, y_low, y_high, top, panel.log)


def _wide(low: float, high: float, margin: float) -> tuple[float, float]:
    if high <= low:
        around = abs(low) * 0.01 or 1.0
        return low - around, high + around
    return low - margin * (high - low), high + margin * (high - low)


def _grid(axes: _Axes) -> Iterable[str]:
    if axes.log:
        decades = range(math.ceil(axes.y_low), math.floor(axes.y_high) + 1)
        marks = [10.0**k for k in decades] if len(decades) > 1 else [10.0**v for v in ticks(axes.y_low, axes.y_high)]
    else:
        marks = ticks(axes.y_low, axes.y_high)
    for value in marks:
        y = axes.y(value)
        yield f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 6, y + 4, _figure(value), anchor="end")
    for value in ticks(axes.x_low, axes.x_high, 8):
        x = axes.x(value)
        yield f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top:.1f}" y2="{axes.top + PANEL:.1f}"/>'
        yield _text(x, axes.top + PANEL + 15, _figure(value), anchor="middle")


def _figure(value: float) -> str:
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.3g}"
    text = number(value, 8)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _draw(series: Series, axes: _Axes) -> str:
    colour = _COLOURS[series.colour]
    dash = ' stroke-dasharray="6 4"' if series.dashed else ""
    stroke = f'fill="none" stroke="{colour}" stroke-width="1.5"{dash}'
    if series.kind is Kind.LEVEL:
        if not axes.shows(series.y[0]):
            return ""
        y = axes.y(float(series.y[0] or 0.0))
        return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" {stroke}/>'
    if series.kind is Kind.POINTS:
        found = [
            (axes.x(x), axes.y(y)) for x, y in zip(series.x, series.y, strict=True) if y is not None and axes.shows(y)
        ]
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in found)
    if series.kind is Kind.BAND:
        rows = zip(series.x, series.y, series.upper, strict=True)
        known = [
            (x, lo, hi) for x, lo, hi in rows if lo is not None and hi is not None and axes.shows(lo) and axes.shows(hi)
        ]
        edge = [(axes.x(x), axes.y(lo)) for x, lo, _ in known] + [
            (axes.x(x), axes.y(hi)) for x, _, hi in reversed(known)
        ]
        return f'<polygon points="{_joined(edge)}" fill="{colour}" fill-opacity="0.18"/>' if edge else ""
    runs = _runs(series, axes)
    return "".join(f'<polyline points="{_joined(run)}" {stroke} stroke-linejoin="round"/>' for run in runs)


def _runs(series: Series, axes: _Axes) -> list[list[tuple[float, float]]]:
    """Polylines between the gaps, thinned."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if y is None or not axes.shows(y):
            runs.append([])
            continue
        point = (axes.x(x), axes.y(y))
        if series.kind is Kind.STEP and runs[-1]:
            runs[-1].append((point[0], runs[-1][-1][1]))
        runs[-1].append(point)
    return [_thinned(run) for run in runs if run]


def _thinned(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """First, lowest, highest and last of each pixel column, in their order."""
    if len(run) <= 4 * COLUMNS:
        return run
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in run:
        columns.setdefault(int(point[0]), []).append(point)
    kept: list[tuple[float, float]] = []
    for points in columns.values():
        wanted = {0, len(points) - 1}
        wanted.add(min(range(len(points)), key=lambda i, p=points: p[i][1]))  # type: ignore[misc]
        wanted.add(max(range(len(points)), key=lambda i, p=points: p[i][1]))  # type: ignore[misc]
        kept += [points[i] for i in sorted(wanted)]
    return kept


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _legend(series: Sequence[Series], top: float) -> str:
    parts, x = [], LEFT + 8.0
    for one in series:
        if not one.name:
            continue
        parts.append(f'<rect x="{x:.1f}" y="{top + 8:.1f}" width="12" height="4" fill="{_COLOURS[one.colour]}"/>')
        parts.append(_text(x + 16, top + 14, one.name))
        x += 30 + 6.6 * len(one.name)
    return "".join(parts)


def _text(x: float, y: float, words: str, *, cls: str = "", anchor: str = "") -> str:
    if not words:
        return ""
    extra = (f' class="{cls}"' if cls else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{_words(words)}</text>'


def _words(text: str) -> str:
    return escape(safe(text, 160))
