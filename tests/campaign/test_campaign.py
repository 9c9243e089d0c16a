"""A hundred runs of the whole system under every fault: nothing that must never happen did, and every fault was met."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from campaign.faults import ALL, RARE

ROOT = Path(__file__).parents[2]
SEEDS = 100


def campaign(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """``bash scripts.sh soak`` without the shell: a process of its own, as its clocks are not the tests'."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "campaign", *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def hundred() -> subprocess.CompletedProcess[str]:
    return campaign("--seeds", str(SEEDS), "--seed-from", "0", "--short")


@pytest.mark.timeout(900)
def test_a_hundred_seeds_break_nothing(hundred: subprocess.CompletedProcess[str]) -> None:
    broken = [line for line in hundred.stdout.splitlines() if line.startswith("seed ")]
    assert not broken, broken
    assert hundred.returncode == 0, hundred.stderr[-2000:]
    assert f"seeds {SEEDS}, violations 0, rate" in hundred.stdout.splitlines()[-1]


@pytest.mark.timeout(900)
def test_every_fault_is_reached(hundred: subprocess.CompletedProcess[str]) -> None:
    reached = {m[1] for line in hundred.stdout.splitlines() if (m := re.match(r"  ([a-z]+\.?[a-z_]*) +[0-9]+ ", line))}
    assert set(ALL) - reached <= RARE


@pytest.mark.timeout(300)
def test_the_same_seed_is_the_same_run_whatever_the_hashes() -> None:
    told = [campaign("replay", "7", "--short", PYTHONHASHSEED=seed).stdout for seed in ("1", "4242")]
    assert re.fullmatch(r"trace [0-9a-f]{16}, .* orders, .* fills, .* steps", told[0].splitlines()[-1])
    assert told[0] == told[1]
    assert campaign("replay", "8", "--short").stdout.splitlines()[-1] != told[0].splitlines()[-1]
