"""A short piece of the day of `bash scripts.sh soak day`: the same code, its bound, and what it makes of a leak."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from day_of_flow import verdict

pytestmark = pytest.mark.timeout(600)
TESTS = Path(__file__).parents[1]
SHORT = ["--updates", "6000", "--sample-s", "30", "--warm-s", "60"]
LEAKING = """
import sys
from day_of_flow import Day, main

if __name__ == "__main__":
    kept = []
    said = Day._apply
    def applied(day, now_ns, raw):
        said(day, now_ns, raw)
        kept.append(day._text)
    Day._apply = applied
    sys.exit(main(sys.argv[1:]))
"""


def day(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the memory is that of the pieces and of nothing else."""
    return subprocess.run(
        [sys.executable, *words, *SHORT],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=550,
    )


def test_a_few_minutes_of_flow_stay_within_the_bound_and_trade() -> None:
    done = day("-m", "day_of_flow")
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("6,000 updates, ") and " 0 fills" not in last and "(at most 5)" in last


def test_a_book_that_keeps_every_tick_is_caught(tmp_path: Path) -> None:
    script = tmp_path / "leaking.py"
    script.write_text(LEAKING)
    done = day(str(script))
    assert done.returncode == 1, done.stdout + done.stderr


def test_what_counts_is_the_most_above_the_first_sample_after_the_warm_up() -> None:
    assert verdict([80.0, 84.9, 81.0]) == (
        True,
        "after the warm-up: least 80.00, median 81.00, most 84.90 MB in 3 samples; grown by 4.90 MB (at most 5)",
    )
    assert not verdict([80.0, 85.1, 80.0])[0]
    assert verdict([90.0, 80.0, 84.0])[0], "memory that was given back is no growth"
