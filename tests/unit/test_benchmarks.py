"""The harness of the benchmarks: what it tells does not depend on the machine, so it is tested; times never are."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name: str) -> ModuleType:
    """A module of that folder, which is no package, under the name that the others there import it by."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    return load("harness")


@pytest.fixture(scope="module")
def kept(harness: ModuleType) -> ModuleType:
    return load("kept")


def names() -> tuple[str, ...]:
    """Of all benchmarks, in their order."""
    source = (FOLDER / "__main__.py").read_text()
    found: dict[str, Any] = {}
    exec(source[source.index("NAMES = (") : source.index(")", source.index("NAMES = (")) + 1], found)
    return tuple(found["NAMES"])


def test_subjects_take_turns_and_the_first_round_does_not_count(harness: ModuleType) -> None:
    now, calls = 0.0, []

    def subject(name: str, seconds: float) -> Callable[[], Callable[[], int]]:
        def work() -> int:
            nonlocal now
            calls.append(name)
            now += seconds * (10 if len(calls) <= 2 else 1)
            return 4

        return lambda: work

    subjects = {"floor": subject("floor", 1e-6), "ours": subject("ours", 3e-6)}
    found = harness.side_by_side(subjects, rounds=3, clock=lambda: now)
    assert calls == ["floor", "ours", "ours", "floor"] * 2
    assert found["floor"] == pytest.approx([0.25] * 3) and found["ours"] == pytest.approx([0.75] * 3)
    assert harness.ratio(found["ours"], found["floor"]).median == pytest.approx(3)


def test_only_a_ratio_that_grew_by_more_than_thirty_percent_is_a_regression(harness: ModuleType) -> None:
    ratios = {"a": harness.spread([1.29, 1.3, 1.31]), "b": harness.spread([1.31]), "new": harness.spread([9.0])}
    outcome = harness.Outcome("name", "work", "nothing", ratios=ratios)
    ratios_kept = {"a": {"median": 1.0}, "b": {"median": 1.0}, "gone": {"median": 1.0}}
    baseline = {"name": {"ratios": ratios_kept}, "other": {"ratios": {"a": {"median": 0.1}}}}
    (line,) = harness.regressions(outcome, baseline)
    assert line.startswith("name: b is 1.31, 31% above 1")
    assert harness.regressions(outcome, {}) == []
    text = harness.report(outcome)
    assert "a: 1.3 (1.29-1.31)" in text and "left out   nothing" in text


def test_a_ratio_says_what_was_wanted_of_it_and_whether_it_is(harness: ModuleType) -> None:
    ratios = {"good": harness.spread([1.5]), "bad": harness.spread([2.5]), "free": harness.spread([9.0])}
    text = harness.report(harness.Outcome("name", "work", "", ratios=ratios, wanted={"good": 2, "bad": 2}))
    assert "good: 1.5 (1.5-1.5), wanted at most 2\n" in text
    assert "bad: 2.5 (2.5-2.5), wanted at most 2: NOT reached\n" in text
    assert text.endswith("free: 9 (9-9)")


# --- what is kept, and the README's table -----------------------------------------------------------------------------

BOX = {"cpu": "Some CPU", "cores": 2, "system": "Linux x86_64", "python": "3.11.2"}
RUN = {"run": "2026-01-02 03:04 UTC", "machine": BOX, "commit": "abc", "command": "bash scripts.sh bench --keep"}


def test_the_readme_has_the_table_that_is_made_of_what_was_kept(kept: ModuleType) -> None:
    text = kept.README.read_text()
    assert kept.with_table(text, kept.table(kept.read(), names())) == text, "bash scripts.sh bench --readme"
    assert set(kept.read()) <= set(names())


def test_a_row_for_each_ratio_and_a_sentence_for_each_run(harness: ModuleType, kept: ModuleType) -> None:
    ratios = {"a / floor": harness.spread([1.23456, 1.0, 3.0]), "b / floor": harness.spread([12.0])}
    outcome = harness.Outcome("one", "work", "", ratios=ratios, wanted={"a / floor": 2, "b / floor": 10})
    one = kept.entry(outcome, **RUN, load=[0.25, 1.75])
    assert kept.table({"one": one | {"figures": {"rate": "7/s"}}}, ("one",)).endswith(
        "meanwhile.\n\n- `one`, rate: 7/s"
    )
    two = kept.entry(harness.Outcome("two", "work", "", ratios={"c": harness.spread([0.5])}), **RUN, load=[3.0, 0.5])
    assert one["ratios"]["a / floor"] == {"median": 1.235, "least": 1.0, "most": 3.0}
    assert json.loads(json.dumps(one)) == one
    assert kept.table({"two": two, "one": one, "gone": one}, ("one", "never", "two")).splitlines() == [
        "| benchmark | what / against what | median [least-most] | wanted |",
        "|---|---|---|---|",
        "| `one` | a / floor | 1.24 [1-3] | at most 2 |",
        "| `one` | b / floor | 12 [12-12] | at most 10, not reached |",
        "| `two` | c | 0.5 [0.5-0.5] |  |",
        "",
        "2026-01-02 03:04 UTC: commit abc, `bash scripts.sh bench --keep`, on Some CPU, 2 cores, Linux x86_64, "
        "Python 3.11.2; load average 0.2 to 3.0 meanwhile.",
    ]
    later = {"one": one, "two": two | {"run": "2026-02-02 03:04 UTC", "commit": None}}
    first, second = kept.table(later, ("one", "two")).splitlines()[-2:]
    assert first.startswith("`one`: 2026-01-02 03:04 UTC: commit abc, `bash")
    assert second.startswith("`two`: 2026-02-02 03:04 UTC: `bash scripts.sh bench --keep`, on Some CPU")


def test_a_table_has_one_place_and_nothing_around_it_changes(kept: ModuleType) -> None:
    text = f"before\n{kept.BEGIN}\nold\n{kept.END}\nafter\n"
    once = kept.with_table(text, "new")
    assert once == f"before\n{kept.BEGIN}\nnew\n{kept.END}\nafter\n"
    assert kept.with_table(once, "new") == once
    for bad in ("nothing", f"{kept.END}\n{kept.BEGIN}", kept.BEGIN):
        with pytest.raises(ValueError, match="no place"):
            kept.with_table(bad, "new")


def test_an_unknown_name_is_one_line_and_code_2() -> None:
    done = subprocess.run([sys.executable, str(FOLDER), "nope"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench: no benchmark 'nope'. There are: book_hot_path, peers, exchange_serves, ")
    assert done.stderr.count("\n") == 1
