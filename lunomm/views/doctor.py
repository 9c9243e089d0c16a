"""What doctor found: settings with where each came from, a line a check, the next step below those that need one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from lunomm.checks.settings import Setting
from lunomm.checks.verdicts import Level, Verdict, exit_code
from lunomm.views import palette
from lunomm.views.screen import status_word
from lunomm.views.text import counted, safe

STYLES = {Level.PASS: palette.GOOD, Level.WARN: palette.WARN, Level.FAIL: palette.BAD}
LEVEL_WIDTH, CHECK_WIDTH = 8, 19
LONGEST = 400


@dataclass(frozen=True, slots=True)
class DoctorView:
    """build: version, Python and system."""

    pair: str
    mode: str
    build: str
    settings: Sequence[Setting]
    verdicts: Sequence[Verdict]

    def count(self, level: Level) -> int:
        return sum(verdict.level is level for verdict in self.verdicts)


def doctor_screen(view: DoctorView) -> RenderableType:
    """Printed once, as high as it must be; long lines are wrapped below themselves."""
    head = Text.assemble(
        ("DOCTOR", palette.STRONG), f"  {safe(view.pair, 20)}  mode {safe(view.mode, 8)}  ", (view.build, palette.MUTED)
    )
    found = [part for verdict in view.verdicts for part in verdict_lines(verdict)]
    foot = Text(summary(view), palette.STRONG)
    return Group(head, Text(), *_settings(view.settings), Text(), *found, Text(), foot)


def _settings(settings: Sequence[Setting]) -> list[RenderableType]:
    names = [safe(each.name, 30) for each in settings]
    values = [safe(each.value, 80) for each in settings]
    wide_name, wide_value = max(map(len, names), default=0), min(max(map(len, values), default=0), 50)
    rows: list[RenderableType] = []
    for each, name, value in zip(settings, names, values, strict=True):
        row = Text.assemble((f"{name:{wide_name}}  ", palette.MUTED), f"{value:{wide_value}}  ", each.source)
        if each.variable:
            row.append(f" ({safe(each.variable, 60)})", palette.MUTED)
        rows.append(row)
    return rows


def verdict_lines(verdict: Verdict) -> list[RenderableType]:
    """One check, and below it what to do next."""
    style = STYLES[verdict.level]
    head = status_word(f"{verdict.level.value:{LEVEL_WIDTH - 2}}", style)
    head.append(f"{verdict.check:{CHECK_WIDTH}}", palette.STRONG)
    indent = LEVEL_WIDTH + CHECK_WIDTH
    # Hanging: what does not fit a row goes on below its own text.
    grid = _hanging(head, Text(safe(verdict.text, LONGEST)))
    if not verdict.step:
        return [grid]
    return [grid, Padding(Text.assemble(("next: ", palette.MUTED), safe(verdict.step, LONGEST)), (0, 0, 0, indent))]


def _hanging(head: Text, text: Text) -> RenderableType:
    from rich.table import Table

    grid = Table.grid()
    grid.add_column(width=LEVEL_WIDTH + CHECK_WIDTH, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(head, text)
    return grid


def summary(view: DoctorView) -> str:
    """One line: how many of each."""
    passed, warnings, failures = (view.count(level) for level in Level)
    words = f"{passed} passed, {counted(warnings, 'warning')}, {failures} failed"
    if failures:
        return f"{words}: do what stands below each, then run doctor again"
    return f"{words}: nothing stands in the way of mode {safe(view.mode, 8)}"


def doctor_data(view: DoctorView) -> dict[str, Any]:
    """What ``--json`` prints; the process ends with ``exit_code``."""
    return {
        "pair": view.pair,
        "mode": view.mode,
        "build": view.build,
        "settings": [
            {"name": s.name, "value": s.value, "source": s.source, "variable": s.variable or None}
            for s in view.settings
        ],
        "checks": [
            {"check": v.check, "level": v.level.value, "text": v.text, "next": v.step or None} for v in view.verdicts
        ],
        "passed": view.count(Level.PASS),
        "warnings": view.count(Level.WARN),
        "failed": view.count(Level.FAIL),
        "exit_code": exit_code(view.verdicts),
    }
