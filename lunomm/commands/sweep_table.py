"""The table of a sweep: one row a run, written as each is done, so that a sweep that was stopped goes on.

CSV, with a first line that names the sweep; Parquet where the name ends so and pyarrow is installed.
"""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from lunomm.errors import UsageError
from lunomm.tape.sweep import BASELINE_NUMBER, Row, Value, value_of

FIGURES: Final = (
    "start_ms", "end_ms", "placed", "fills", "turnover", "profit", "spread", "inventory", "fees", "beyond_holding",
    "markout_30s_bp", "fill_ratio", "uptime", "max_inventory", "max_drawdown", "sharpe", "halted", "hash",
)  # fmt: skip
_WHOLE: Final = ("start_ms", "end_ms", "placed", "fills")
_EXACT: Final = ("turnover", "profit", "spread", "inventory", "fees", "beyond_holding")
_TEXTS: Final = ("halted", "hash")


class Table:
    """Args: path: ``.csv`` or ``.parquet``. axes: names of what is swept. fingerprint: of the sweep.

    Raises:
        UsageError: Parquet without pyarrow.
    """

    def __init__(self, path: Path, axes: Sequence[str], fingerprint: str) -> None:
        self.path = path
        self._axes, self._mark = list(axes), f"# lunomm sweep {fingerprint}"
        self._parquet = path.suffix == ".parquet"
        # Parquet is written at the end; what is going on is kept beside it.
        self._rows = path.with_suffix(".rows.csv") if self._parquet else path
        if self._parquet:
            try:
                importlib.import_module("pyarrow.parquet")
            except ImportError:
                raise UsageError(
                    "--out: Parquet needs pyarrow, which is not installed. Install it with: pip install pyarrow, or "
                    "name a .csv"
                ) from None

    @property
    def _columns(self) -> list[str]:
        return ["run", "segment", *self._axes, *FIGURES]

    def read(self) -> dict[tuple[int, int], Row]:
        """The runs that are there already; a torn last line is made again.

        Raises:
            UsageError: the file is not this sweep's.
        """
        try:
            text = self._rows.read_text(encoding="utf-8")
        except FileNotFoundError:
            self._put(f"{self._mark}\n{_line(self._columns)}")
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--out: cannot read {self._rows}: {error}. Give another file") from None
        lines = text.splitlines(keepends=True)
        if not lines or lines[0].rstrip("\n") != self._mark or len(lines) < 2 or lines[1] != _line(self._columns):
            raise UsageError(
                f"--out: {self._rows} is of another sweep (other tapes, options or ranges). Give another file with "
                "--out, or move it away"
            )
        whole = lines if lines[-1].endswith("\n") else lines[:-1]
        if len(whole) < len(lines):
            self._put("".join(whole))
        rows = [self._row(cells) for cells in csv.reader(whole[2:])]
        return {row.key: row for row in rows}

    def append(self, row: Row) -> None:
        """Keep one more."""
        try:
            with self._rows.open("a", encoding="utf-8", newline="") as file:
                file.write(_line(self._cells(row)))
        except OSError as error:
            raise UsageError(f"--out: cannot write {self._rows}: {error.strerror}. Give another file") from None

    def write(self, rows: Sequence[Row]) -> None:
        """The whole table, in its own order, whatever order the rows came in."""
        self._put("".join([f"{self._mark}\n", _line(self._columns), *(_line(self._cells(row)) for row in rows)]))
        if self._parquet:
            arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
            cells = [self._cells(row) for row in rows]
            columns = {name: [row[index] for row in cells] for index, name in enumerate(self._columns)}
            parquet.write_table(arrow.table(columns), str(self.path))

    def _put(self, text: str) -> None:
        try:
            with self._rows.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise UsageError(f"--out: cannot write {self._rows}: {error.strerror}. Give another file") from None

    def _cells(self, row: Row) -> list[str]:
        name = "baseline" if row.number == BASELINE_NUMBER else str(row.number)
        axes = [_text(row.point.get(axis)) for axis in self._axes]
        return [name, str(row.segment), *axes, *(_text(row.figures.get(figure)) for figure in FIGURES)]

    def _row(self, cells: Sequence[str]) -> Row:
        try:
            number = BASELINE_NUMBER if cells[0] == "baseline" else int(cells[0])
            first = 2 + len(self._axes)
            point: dict[str, Value] = {
                name: value_of(name, cell) for name, cell in zip(self._axes, cells[2:first], strict=True) if cell
            }
            figures = {name: _figure(name, cell) for name, cell in zip(FIGURES, cells[first:], strict=True)}
            return Row(number, int(cells[1]), point, figures)
        except (ValueError, ArithmeticError, IndexError):
            raise UsageError(f"--out: {self._rows} has a line that is no row: {','.join(cells)[:80]!a}") from None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _figure(name: str, cell: str) -> Any:
    if name in _TEXTS:
        return cell
    if not cell:
        return None
    if name in _WHOLE:
        return int(cell)
    return Decimal(cell) if name in _EXACT else float(cell)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
