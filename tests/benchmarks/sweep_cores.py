"""A sweep by one worker and by one a core, each a cold `lunomm backtest --sweep` over the same tape."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from backtest_cost import simulated
from harness import Outcome, Skipped, Spread, spread
from running import LUNOMM

ROUNDS = 3
SWEEP = ("--sweep", "gamma=0.3,1,3,10", "--sweep", "eta=-0.005,-0.5")
CORES = os.cpu_count() or 1

WORK = (
    "`lunomm backtest` of a quarter of an hour of the simulated XBTZAR look-alike, eight sets of options and the fixed "
    f"spread, by one worker and by {CORES}: a cold process each time, by the wall"
)
LEAVES_OUT = "nothing: the start of the processes and the one reading of the tape are in it"


def run() -> Outcome:
    if CORES == 1:
        raise Skipped("this machine has one core")
    with tempfile.TemporaryDirectory(prefix="lunomm-bench-") as name:
        folder = Path(name)
        tape = simulated(folder)
        found: dict[int, list[dict[str, Any]]] = {1: [], CORES: []}
        for number in range(ROUNDS):
            for workers in (1, CORES) if number % 2 else (CORES, 1):
                found[workers].append(_swept(folder, tape, workers))
            if found[1][-1]["table"] != found[CORES][-1]["table"]:
                raise RuntimeError("the two tables differ")
    whole = [many["took_s"] / one["took_s"] for one, many in zip(found[1], found[CORES], strict=True)]
    traded = [_traded_s(many) / _traded_s(one) for one, many in zip(found[1], found[CORES], strict=True)]
    return Outcome(
        "sweep_cores",
        WORK,
        LEAVES_OUT,
        {f"{workers} at a time": spread([one["took_s"] * 1e6 for one in rows]) for workers, rows in found.items()},
        {f"{CORES} workers / 1, all of it": spread(whole), f"{CORES} workers / 1, the runs alone": spread(traded)},
        {
            "speed-up": f"{_inverse(spread(whole)).text()} with reading, {_inverse(spread(traded)).text()} of the runs "
            f"alone, on {CORES} cores",
            "processor time of the runs": f"{_spent(found[CORES]) / _spent(found[1]):.2f} times one worker's",
        },
    )


def _swept(folder: Path, tape: Path, workers: int) -> dict[str, Any]:
    table = folder / "table.csv"
    table.unlink(missing_ok=True)
    told = subprocess.run(
        [*LUNOMM, "backtest", tape, "--order-size", "0.002", "--kappa-prior", "0.0013", *SWEEP, "--workers",
         str(workers), "--out", table, "--json"],
        cwd=folder, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    data: dict[str, Any] = json.loads(told)["data"]
    return data | {"table": table.read_bytes()}


def _traded_s(data: dict[str, Any]) -> float:
    return float(data["took_s"] - data["read_s"])


def _spent(rows: list[dict[str, Any]]) -> float:
    return sum(float(row["spent_s"]) for row in rows)


def _inverse(of: Spread) -> Spread:
    return Spread(1 / of.median, 1 / of.most, 1 / of.least)
