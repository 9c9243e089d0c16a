"""A table of numbers as coloured cells, self-contained SVG: what a sweep of two options came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from lunomm.views.text import number, safe

CELL_WIDTH, CELL_HEIGHT = 92, 34
LEFT, TOP, FOOT = 150, 64, 30
MOST = 40
"""Rows or columns drawn."""

_GOOD, _BAD = (26, 138, 95), (210, 105, 30)
_STYLE = (
    "svg{background:#fff;font:12px ui-sans-serif,system-ui,sans-serif}text{fill:#333}.t{font-size:14px;font-weight:600}"
    "@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#ddd}}"
)


def heat_map(
    title: str,
    columns: tuple[str, Sequence[str]],
    rows: tuple[str, Sequence[str]],
    values: Mapping[tuple[int, int], float],
) -> str:
    """Green is above zero, orange below, the stronger the further.

    Args:
        columns, rows: what varies, and its values as text. values: by (row, column); a missing one is an empty cell.
    """
    across, down = list(columns[1])[:MOST], list(rows[1])[:MOST]
    width = LEFT + max(len(across), 2) * CELL_WIDTH + 20
    height = TOP + len(down) * CELL_HEIGHT + FOOT
    most = max((abs(value) for value in values.values()), default=0.0) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<text x="10" y="22" class="t">{escape(safe(title, 120))}</text>',
        _text(LEFT + len(across) * CELL_WIDTH / 2, 40, columns[0], "middle"),
    ]
    for index, name in enumerate(across):
        parts.append(_text(LEFT + (index + 0.5) * CELL_WIDTH, TOP - 6, name, "middle"))
    for place, name in enumerate(down):
        y = TOP + place * CELL_HEIGHT
        parts.append(_text(LEFT - 8, y + CELL_HEIGHT / 2 + 4, f"{rows[0]} {name}".strip(), "end"))
        for index in range(len(across)):
            value = values.get((place, index))
            if value is not None:
                parts.append(_cell(LEFT + index * CELL_WIDTH, y, value, value / most))
    parts.append("</svg>")
    return "".join(parts)


def _cell(x: float, y: float, value: float, share: float) -> str:
    red, green, blue = _GOOD if share >= 0 else _BAD
    opacity = 0.12 + 0.78 * abs(share)
    box = (
        f'<rect x="{x:g}" y="{y:g}" width="{CELL_WIDTH - 2}" height="{CELL_HEIGHT - 2}" '
        f'fill="rgb({red},{green},{blue})" fill-opacity="{opacity:.2f}"/>'
    )
    return box + _text(x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2 + 4, number(value, 2, sign=True), "middle")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(safe(text, 40))}</text>'
