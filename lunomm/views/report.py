"""A session's report for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from lunomm.tape.attribution import Attribution
from lunomm.tape.moments import moment
from lunomm.views import palette
from lunomm.views.attribution import attribution_table
from lunomm.views.text import age, number, safe


@dataclass(frozen=True, slots=True)
class ReportView:
    """One pair of one journal. halted: the reason of the standing halt, None without one. notes: sentences."""

    found: Attribution
    mode: str
    journal: str
    halted: str | None
    tapes: Sequence[str]
    notes: Sequence[str]


def report_screen(view: ReportView) -> RenderableType:
    """Printed once, as high as it must be."""
    found = view.found
    head = Text.assemble((f"REPORT {safe(found.pair, 20)}", palette.STRONG), f"  {safe(view.mode, 10)}")
    span = f"{moment(found.start_ns)} to {moment(found.end_ns)}, {age(found.duration_s * 1000)}"
    marks = f"marked at {_short(found.opening_mark)} and {_short(found.closing_mark)} {safe(found.counter, 8)}"
    held = f"held {_short(found.opening)} and {_short(found.closing)} {safe(found.base, 8)}"
    rows: list[RenderableType] = [
        head,
        Text(f"{span}; {safe(view.journal, 100)}", palette.MUTED),
        Text(f"{held}, {marks}", palette.MUTED),
    ]
    if view.halted is not None:
        rows.append(Text(f"halted: {safe(view.halted, 160)}", palette.BAD))
    rows += [Text(), attribution_table({view.mode: found}), Text()]
    rows += [Text(f"{len(view.tapes)} tapes: {safe(', '.join(view.tapes), 200)}", palette.MUTED)] if view.tapes else []
    rows += [Text(safe(note, 300), palette.WARN) for note in view.notes]
    foot = (
        "± one standard error, clustered by minute. Markouts re-sort the inventory's profit by fill; do not add them."
    )
    return Group(*rows, Text(foot, palette.MUTED))


def _short(value: Decimal) -> str:
    """Without trailing zeros."""
    return number(value.normalize())
