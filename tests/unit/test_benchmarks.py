"""The harness of the benchmarks: what it tells does not depend on the machine, so it is tested; times never are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_harness", FOLDER / "harness.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_harness"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


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
    (line,) = harness.regressions(outcome, {"name": {"a": 1.0, "b": 1.0, "gone": 1.0}, "other": {"a": 0.1}})
    assert line.startswith("name: b is 1.31, 31% above 1")
    assert harness.regressions(outcome, {}) == []
    text = harness.report(outcome)
    assert "a: 1.3 (1.29-1.31)" in text and "left out   nothing" in text


def test_an_unknown_name_is_one_line_and_code_2() -> None:
    done = subprocess.run([sys.executable, str(FOLDER), "nope"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench: no benchmark 'nope'. There are: book_hot_path, peers, exchange_serves, ")
    assert done.stderr.count("\n") == 1
