"""What `bench --keep` keeps in ``baseline.json``, and the README's table, which is made of that and of nothing else.

Each benchmark is kept whole, with the machine, the moment, the commit, the command and the machine's load beside it: a
benchmark that is measured alone, or skipped, leaves the others as they were, and the table says which is from when.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import Outcome

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BASELINE = Path(__file__).with_name("baseline.json")
BEGIN = "<!-- bench: begin. Made by `bash scripts.sh bench --readme` from tests/benchmarks/baseline.json -->"
END = "<!-- bench: end -->"
DIGITS = 4
"""Significant ones of what is kept: the machines are noisier than that."""

Kept = dict[str, dict[str, Any]]


def read() -> Kept:
    """By benchmark."""
    found: Kept = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    return found


def write(kept: Kept) -> None:
    part = BASELINE.with_suffix(".part")
    part.write_text(json.dumps(kept, indent=1) + "\n")
    part.replace(BASELINE)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    """The processor's own name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit that is measured; with a ``+`` where files differ from it, except those written here; None: no git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        name = git("rev-parse", "--short=10", "HEAD")
        own = (f":!{path.relative_to(ROOT)}" for path in (README, BASELINE))
        return name + ("+" if git("status", "--porcelain", "--untracked-files=no", "--", ".", *own) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def entry(outcome: Outcome, **circumstances: Any) -> dict[str, Any]:
    """One benchmark as it is kept."""
    return _rounded({**outcome.data(), **circumstances})  # type: ignore[no-any-return]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(each) for each in value]
    return value


# --- the README -------------------------------------------------------------------------------------------------------


def table(kept: Kept, order: Sequence[str]) -> str:
    """What stands between the README's marks. order: of the benchmarks; one that was never kept has no row."""
    names = [name for name in order if name in kept]
    rows = ["| benchmark | what / against what | median [least-most] | wanted |", "|---|---|---|---|"]
    for name in names:
        wanted = kept[name].get("wanted", {})
        for what, found in kept[name]["ratios"].items():
            goal = wanted.get(what)
            late = goal is not None and found["median"] > goal
            said = "" if goal is None else f"at most {goal:g}" + (", not reached" if late else "")
            spread = f"{found['median']:.3g} [{found['least']:.3g}-{found['most']:.3g}]"
            rows.append(f"| `{name}` | {what.replace('|', '/')} | {spread} | {said} |")
    figures = [f"- `{name}`, {what}: {told}" for name in names for what, told in kept[name].get("figures", {}).items()]
    return "\n".join([*rows, "", *_circumstances(kept, names), "", *figures]).rstrip()


def _circumstances(kept: Kept, names: Sequence[str]) -> list[str]:
    """A sentence for each run that is in the table."""
    runs: dict[str, list[str]] = {}
    for name in names:
        one = kept[name]
        box = one["machine"]
        where = f"{box['cpu']}, {box['cores']} cores, {box['system']}, Python {box['python']}"
        what = f"commit {one['commit']}, " if one["commit"] else ""
        runs.setdefault(f"{one['run']}: {what}`{one['command']}`, on {where}", []).append(name)
    lines = []
    for run, members in runs.items():
        loads = [load for name in members for load in kept[name]["load"]]
        whose = "" if len(runs) == 1 else ", ".join(f"`{name}`" for name in members) + ": "
        lines.append(f"{whose}{run}; load average {min(loads):.1f} to {max(loads):.1f} meanwhile.")
    return lines


def write_readme(order: Sequence[str]) -> None:
    """Raises: ValueError: the README has no place for it."""
    README.write_text(with_table(README.read_text(), table(read(), order)))


def with_table(text: str, made: str) -> str:
    """The README's text with this table in its place.

    Raises:
        ValueError: it has no place for it.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the table: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"
