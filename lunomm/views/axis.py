"""The quoter's prices on one axis: fair, reservation, bid and ask, with the touch and the break-even marked.

◆ BID 299,418        reservation 299,812.5   ◆ ASK 300,207
◆──────────┼────────────────────R─────────F┼─◆
           even 299,250                    touch 299,999
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from lunomm.views import palette

MARGIN = 0.04
"""Room at either end of the axis, as a share of what it spans."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One price. glyph: on the axis. label: beside it, with the price. above: where the label stands.

    strength: the greater, the sooner its label is placed and the later its glyph is covered.
    """

    price: float
    glyph: str
    label: str
    style: str = palette.PLAIN
    above: bool = True
    strength: int = 0


def axis(marks: Sequence[Mark], width: int) -> list[Text]:
    """Three rows: labels, the axis, labels. Empty without two different prices; labels that do not fit are left out."""
    sound = [mark for mark in marks if math.isfinite(mark.price) and mark.price > 0]
    low, high = min((m.price for m in sound), default=0.0), max((m.price for m in sound), default=0.0)
    if not high > low or width < 20:
        return []
    margin = MARGIN * (high - low)
    span = high - low + 2 * margin
    places = {id(mark): round((mark.price - low + margin) / span * (width - 1)) for mark in sound}
    ordered = sorted(sound, key=lambda mark: mark.strength)
    cells: list[tuple[str, str]] = [("─", palette.MUTED)] * width
    for mark in ordered:
        cells[places[id(mark)]] = (mark.glyph, mark.style)
    line = Text(no_wrap=True, overflow="crop")
    for glyph, style in cells:
        line.append(glyph, style)
    strongest = ordered[::-1]
    above = _labels([mark for mark in strongest if mark.above], places, width)
    below = _labels([mark for mark in strongest if not mark.above], places, width)
    return [above, line, below]


def _labels(marks: Sequence[Mark], places: dict[int, int], width: int) -> Text:
    """One row of labels, each as near to its mark as those placed before it allow."""
    taken: list[tuple[int, int, Mark]] = []
    for mark in marks:
        size = cell_len(mark.label)
        start = _free(places[id(mark)] - size // 2, size, [(a, b) for a, b, _ in taken], width)
        if start is not None:
            taken.append((start, start + size, mark))
    row = Text(no_wrap=True, overflow="crop")
    for start, _, mark in sorted(taken, key=lambda each: each[0]):
        row.append(" " * (start - cell_len(row.plain)))
        row.append(mark.label, mark.style)
    return row


def _free(wish: int, size: int, taken: Sequence[tuple[int, int]], width: int) -> int | None:
    """The start nearest to ``wish`` where ``size`` cells and a gap are free; None when there is none near."""
    for off in range(size):
        for start in (wish - off, wish + off):
            inside = start >= 0 and start + size <= width
            if inside and all(start + size + 2 <= a or b + 2 <= start for a, b in taken):
                return start
    start = min(max(wish, 0), width - size)
    clear = start >= 0 and all(start + size + 2 <= a or b + 2 <= start for a, b in taken)
    return start if clear else None
