"""Many sets of options over the same tapes: which ones, over which stretches of time, and what the table says.

A sweep's best is chosen on the data it is judged on: that is in-sample, and flatters. With a walk-forward split each
stretch of time is judged by the options that were best on the stretch before it, which had not seen it: the difference
is what was over-fitted.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from lunomm.errors import UsageError
from lunomm.options import show
from lunomm.options.quote import QuoteOptions

MAX_RUNS: Final = 100_000
OBJECTIVE: Final = "beyond_holding"
"""What "best" means: the profit beyond what holding the opening position would have made."""

_TEXTS: Final = ("spread_formula", "size_rule", "min_size_policy", "model", "gamma_ref", "target_skew",
                 "inventory_target", "fair_price")  # fmt: skip
_FLAGS: Final = ("no_improve", "ignore_fees")
_WHOLE: Final = ("levels", "tolerance_ticks")
_NAMES: Final = {field.name for field in fields(QuoteOptions)} - {"order_size_explicit", "reference"}

Value = float | int | str | bool | Decimal


class Axis(NamedTuple):
    """One option that varies. values: to be tried; or, to be drawn from, low to high."""

    name: str
    values: tuple[Value, ...]
    low: float | None = None
    high: float | None = None


def axis(text: str) -> Axis:
    """``gamma=0.3,1,3``, or ``gamma=0.1:10`` for drawing.

    Raises:
        UsageError: no such option, or nothing of its kind.
    """
    name, equals, given = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    if not equals or name not in _NAMES:
        known = ", ".join(sorted(_NAMES))
        raise UsageError(f"--sweep: {show(text)}: not an option of quote with values. Say NAME=A,B,C of: {known}")
    if ":" in given and name not in (*_TEXTS, *_FLAGS):
        low, high = (_number(name, part) for part in given.split(":", 1))
        if not low < high:
            raise UsageError(f"--sweep: {show(text)}: a range goes from a smaller to a larger number")
        return Axis(name, (), low, high)
    values = tuple(value_of(name, part.strip()) for part in given.split(",") if part.strip())
    if not values or len(set(values)) != len(values):
        raise UsageError(f"--sweep: {show(text)}: give one or more values, each once")
    return Axis(name, values)


def value_of(name: str, text: str) -> Value:
    """A value of an option as its text says it. Raises UsageError: not one of its kind."""
    if name in _TEXTS:
        return text
    if name in _FLAGS:
        if text not in ("true", "false"):
            raise UsageError(f"--sweep: {name}={show(text)}: say true or false")
        return text == "true"
    if name == "order_size":
        try:
            return Decimal(text)
        except InvalidOperation:
            raise UsageError(f"--sweep: {name}={show(text)}: not an amount") from None
    number = _number(name, text)
    if name in _WHOLE:
        if number != int(number):
            raise UsageError(f"--sweep: {name}={show(text)}: not a whole number")
        return int(number)
    return number


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise UsageError(f"--sweep: {name}={show(text)}: not a plain number")
    return number


Point = Mapping[str, Value]


def grid(axes: Sequence[Axis]) -> list[Point]:
    """Every combination, the last axis fastest.

    Raises:
        UsageError: too many, an axis twice, or a range without ``--random``.
    """
    _check(axes)
    for each in axes:
        if not each.values:
            raise UsageError(f"--sweep: {each.name} is a range: say how many to draw with --random N, or list values")
    count = math.prod(len(each.values) for each in axes)
    if count > MAX_RUNS:
        raise UsageError(f"--sweep: {count} combinations, above {MAX_RUNS}. Give fewer values, or --random N")
    return [
        dict(zip((each.name for each in axes), chosen, strict=True))
        for chosen in itertools.product(*(each.values for each in axes))
    ]


def drawn(axes: Sequence[Axis], count: int, seed: int) -> list[Point]:
    """``count`` combinations: from a list each value is as likely, from a range each magnitude (each number, where the
    range reaches zero).

    Raises:
        UsageError: an axis twice, or too many.
    """
    _check(axes)
    if not 1 <= count <= MAX_RUNS:
        raise UsageError(f"--random: {count}: out of range. Give a whole number from 1 to {MAX_RUNS}")
    rng = random.Random(seed)
    return [{each.name: _draw(each, rng) for each in axes} for _ in range(count)]


def _draw(each: Axis, rng: random.Random) -> Value:
    if each.low is None or each.high is None:
        return rng.choice(each.values)
    low, high = each.low, each.high
    if low > 0:
        number = math.exp(rng.uniform(math.log(low), math.log(high)))
    elif high < 0:
        number = -math.exp(rng.uniform(math.log(-high), math.log(-low)))
    else:
        number = rng.uniform(low, high)
    number = float(f"{number:.6g}")
    if each.name in _WHOLE:
        return round(number)
    return Decimal(repr(number)) if each.name == "order_size" else number


def _check(axes: Sequence[Axis]) -> None:
    names = [each.name for each in axes]
    if len(set(names)) != len(names):
        raise UsageError("--sweep: an option is given twice. Put its values into one list")


def applied(options: QuoteOptions, point: Point) -> QuoteOptions:
    """Raises UsageError: a value out of its range."""
    return replace(options, **point)  # type: ignore[arg-type]  # the names are its own


class Row(NamedTuple):
    """One run. point: what was swept (empty: the baseline). segment: which stretch of time. figures: by name, None for
    what is not known."""

    number: int
    segment: int
    point: Point
    figures: Mapping[str, Any]

    @property
    def key(self) -> tuple[int, int]:
        return self.number, self.segment

    @property
    def objective(self) -> float | None:
        found = self.figures.get(OBJECTIVE)
        return None if found is None else float(found)


BASELINE_NUMBER: Final = -1


@dataclass(frozen=True)
class Fold:
    """One step of the walk-forward: chosen on ``seen``, judged on ``unseen``, the stretch after it.

    inside, outside: objective (counter) of the chosen one there. median, baseline: outside, of all runs and of the
    fixed spread."""

    seen: int
    unseen: int
    chosen: Row
    inside: float
    outside: float | None
    median: float | None
    baseline: float | None


def folds(rows: Sequence[Row]) -> list[Fold]:
    """Every step that the rows allow, in order of time."""
    by_segment: dict[int, dict[int, Row]] = {}
    for row in rows:
        by_segment.setdefault(row.segment, {})[row.number] = row
    found = []
    for seen in sorted(by_segment)[:-1]:
        inside = [row for row in _tried(by_segment[seen]) if row.objective is not None]
        after = by_segment.get(seen + 1, {})
        if not inside or not after:
            continue
        best = max(inside, key=lambda row: (row.objective or 0.0, -row.number))
        outside = [value for row in _tried(after) if (value := row.objective) is not None]
        later, plain = after.get(best.number), after.get(BASELINE_NUMBER)
        found.append(
            Fold(
                seen,
                seen + 1,
                best,
                best.objective or 0.0,
                later.objective if later is not None else None,
                statistics.median(outside) if outside else None,
                plain.objective if plain is not None else None,
            )
        )
    return found


def _tried(rows: Mapping[int, Row]) -> list[Row]:
    return [row for number, row in sorted(rows.items()) if number != BASELINE_NUMBER]


def means(rows: Sequence[Row], segments: Sequence[int]) -> dict[int, float]:
    """Mean objective of each run over some stretches; those without a figure in one of them are left out."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row.segment in segments and row.objective is not None:
            found.setdefault(row.number, []).append(row.objective)
    return {number: statistics.fmean(values) for number, values in found.items() if len(values) == len(segments)}


def agreement(one: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    """Spearman's rank correlation between two stretches over the runs both know; None below three."""
    common = sorted((set(one) & set(other)) - {BASELINE_NUMBER})
    if len(common) < 3:
        return None
    first, second = (_ranks([each[number] for number in common]) for each in (one, other))
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return statistics.correlation(first, second)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranks = [0.0] * len(values)
    for _, group in itertools.groupby(enumerate(order), key=lambda pair: values[pair[1]]):
        tied = list(group)
        mean = statistics.fmean(position for position, _ in tied)
        for _, index in tied:
            ranks[index] = mean
    return ranks
