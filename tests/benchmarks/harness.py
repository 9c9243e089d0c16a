"""How every benchmark here is measured and told: ratios of one run, never absolute times.

Machines are noisy and unlike each other, so what is compared stands side by side: in each round every subject does the
same work once, in an order that turns with the round, and a ratio is taken inside the round. The median over the rounds
is told with the smallest and the largest. A ratio is a cost (smaller is better); one that is more than 30 % above the
ratio kept in ``baseline.json`` is reported as a regression. Nothing here ever fails by timing.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REGRESSION = 1.3
ROUNDS = 9


@dataclass(frozen=True)
class Spread:
    """median, least, most of a figure over the rounds."""

    median: float
    least: float
    most: float

    def text(self, unit: str = "") -> str:
        return f"{self.median:.3g}{unit} ({self.least:.3g}-{self.most:.3g})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Outcome:
    """What a benchmark found. times: microseconds of CPU for one piece of work. ratios: costs, by name.

    wanted: the most that a ratio should be, by its name. figures: everything else that was measured, as text.
    profile: where the time goes.
    """

    name: str
    work: str
    leaves_out: str
    times: Mapping[str, Spread] = field(default_factory=dict)
    ratios: Mapping[str, Spread] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    profile: Sequence[str] = ()
    wanted: Mapping[str, float] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        return asdict(self)


class Skipped(Exception):
    """What the benchmark needs is not here."""


Subject = Callable[[], Callable[[], int]]
"""Prepares, untimed, and returns the timed work, which returns how many pieces it did."""


def side_by_side(
    subjects: Mapping[str, Subject], *, rounds: int = ROUNDS, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Microseconds for one piece of each subject's work, a value for each round (after one that does not count)."""
    names = list(subjects)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            work = subjects[name]()
            gc.collect()
            gc.freeze()
            begin = clock()
            pieces = work()
            took = clock() - begin
            gc.unfreeze()
            if number:
                found[name].append(took / pieces * 1e6)
    return found


def ratio(costs: Sequence[float], floor: Sequence[float]) -> Spread:
    """Round by round."""
    return spread([cost / least for cost, least in zip(costs, floor, strict=True)])


def regressions(outcome: Outcome, baseline: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for every ratio that is more than 30 % above the one kept; baseline: as `kept.entry` makes it."""
    ratios = baseline.get(outcome.name, {}).get("ratios", {})
    kept = {name: found["median"] for name, found in ratios.items()}
    return [
        f"{outcome.name}: {name} is {found.median:.3g}, {found.median / kept[name] - 1:.0%} above {kept[name]:.3g}"
        for name, found in outcome.ratios.items()
        if name in kept and found.median > REGRESSION * kept[name]
    ]


def report(outcome: Outcome) -> str:
    """One benchmark as text."""
    lines = [outcome.name, f"  work       {outcome.work}", f"  left out   {outcome.leaves_out}"]
    lines += [f"  time       {name}: {found.text(' us')}" for name, found in outcome.times.items()]
    lines += [f"  ratio      {name}: {found.text()}{_goal(outcome, name)}" for name, found in outcome.ratios.items()]
    lines += [f"  figure     {name}: {value}" for name, value in outcome.figures.items()]
    lines += [f"  profile    {line}" for line in outcome.profile]
    return "\n".join(lines)


def _goal(outcome: Outcome, name: str) -> str:
    wanted = outcome.wanted.get(name)
    if wanted is None:
        return ""
    return f", wanted at most {wanted:g}" + (": NOT reached" if outcome.ratios[name].median > wanted else "")
