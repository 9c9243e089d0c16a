"""``lunomm backtest --sweep``: one table, whoever made its rows and however often it was begun."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_backtest_command import QUOTING, write_tape

from lunomm import cli

SWEEP = ("--sweep", "gamma=0.5,4", "--sweep", "horizon-s=300,600")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tape(tmp_path_factory.mktemp("tapes") / "market.jsonl.gz", 150)


def sweep(capsys: pytest.CaptureFixture[str], *args: object, code: int = 0) -> Any:
    assert cli.run(["backtest", *map(str, args), "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    return told["data"] if code == 0 else told["error"]


def test_every_core_makes_the_same_table_and_it_is_gone_on_with(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, page = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "map.html"
    asked = (tape, *QUOTING, *SWEEP, "--walk-forward", 1)
    data = sweep(capsys, *asked, "--out", one, "--workers", 1, "--html", page)
    assert data["runs"] == 2 * 5 and data["segments"] == 2
    sweep(capsys, *asked, "--out", two, "--workers", 2)
    assert one.read_bytes() == two.read_bytes()
    # Stopped in the middle of a line, it goes on with what is missing.
    whole = one.read_text()
    lines = whole.splitlines(keepends=True)
    one.write_text("".join(lines[:5]) + lines[5][:20])
    again = sweep(capsys, *asked, "--out", one, "--workers", 1)
    assert again["runs"] == 10 - 3
    assert one.read_text() == whole
    # The runs differ, and the page shows both sides of the split.
    assert len({row["hash"] for row in data["rows"]}) >= 8
    html = page.read_text()
    assert "In-sample" in html and "Out-of-sample" in html and html.count("<svg") == 3
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import", html)
    (fold,) = data["walk_forward"]
    best = max((r for r in data["rows"] if r["segment"] == 0 and r["run"] is not None),
               key=lambda r: (float(r["beyond_holding"]), -r["run"]))  # fmt: skip
    assert fold["chosen"] == best["point"] and fold["inside"] == float(best["beyond_holding"])
    later = next(r for r in data["rows"] if r["segment"] == 1 and r["run"] == best["run"])
    assert fold["outside"] == float(later["beyond_holding"])


def test_one_run_of_a_sweep_is_the_backtest_of_its_options(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = sweep(capsys, tape, *QUOTING, "--sweep", "gamma=4", "--out", tmp_path / "t.csv", "--workers", 1)
    swept = next(row for row in data["rows"] if row["run"] == 0)
    alone = sweep(capsys, tape, *QUOTING, "--gamma", 4)["lanes"]["strategy"]
    assert (swept["fills"], swept["placed"]) == (alone["fills"], alone["placed"])
    assert swept["profit"] == alone["pnl"]["total"]
    plain = next(row for row in data["rows"] if row["run"] is None)
    baseline = sweep(capsys, tape, *QUOTING)["lanes"]["fixed spread"]
    assert plain["profit"] == baseline["pnl"]["total"]


def test_what_is_drawn_is_drawn_again(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = (tape, *QUOTING, "--sweep", "gamma=0.1:10", "--random", 3, "--workers", 1)
    points = [
        [row["point"] for row in sweep(capsys, *asked, "--seed", seed, "--out", tmp_path / f"{n}.csv")["rows"]]
        for n, seed in enumerate((7, 7, 8))
    ]
    assert points[0] == points[1] != points[2]
    assert all(0.1 <= point["gamma"] <= 10 for point in points[0] if point)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sweep", "gamm=1"), "not an option of quote"),
        (("--sweep", "gamma=one"), "not a plain number"),
        (("--sweep", "gamma=1,1"), "each once"),
        (("--sweep", "gamma=1:2"), "--random N"),
        (("--sweep", "gamma=-1"), "out of range"),
        (("--sweep", "gamma=1", "--sweep", "gamma=2"), "given twice"),
        (("--random", "3"), "belongs to --sweep"),
    ],
)
def test_what_cannot_be_swept_is_said_before_anything_runs(
    arguments: tuple[str, ...], words: str, tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in sweep(capsys, tape, *arguments, code=2)["message"]


def test_another_sweeps_table_is_not_touched(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    sweep(capsys, tape, *QUOTING, "--sweep", "gamma=4", "--out", table, "--workers", 1)
    before = table.read_bytes()
    error = sweep(capsys, tape, "--sweep", "gamma=4", "--out", table, "--workers", 1, code=2)
    assert "another sweep" in error["message"]
    assert table.read_bytes() == before


def test_a_parquet_table_has_the_cells_of_the_csv(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install pyarrow")
    asked = (tape, *QUOTING, "--sweep", "gamma=0.5,4", "--workers", 1)
    sweep(capsys, *asked, "--out", tmp_path / "t.csv")
    data = sweep(capsys, *asked, "--out", tmp_path / "t.parquet")
    assert data["table"] == str(tmp_path / "t.parquet")
    columns = parquet.read_table(tmp_path / "t.parquet").to_pydict()
    with (tmp_path / "t.csv").open(newline="") as file:
        _, head, *rows = csv.reader(file)
    assert list(columns) == head
    assert [list(row) for row in zip(*columns.values(), strict=True)] == rows


def test_without_pyarrow_it_says_what_to_install_before_anything_runs(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    table = tmp_path / "t.parquet"
    error = sweep(capsys, tape, *QUOTING, "--sweep", "gamma=4", "--out", table, code=2)
    assert "pip install pyarrow" in error["message"]
    assert not list(tmp_path.glob("t.*"))


def test_a_table_is_of_what_its_other_files_say_not_of_their_names(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, learned = tmp_path / "t.csv", tmp_path / "learn.jsonl.gz"
    learned.write_bytes(tape.read_bytes())
    asked = (tape, *QUOTING, "--sweep", "gamma=4", "--out", table, "--workers", 1, "--calibrate")
    sweep(capsys, *asked, learned)
    moved = learned.rename(tmp_path / "moved.jsonl.gz")
    assert sweep(capsys, *asked, moved)["runs"] == 0
    write_tape(moved, 60, seed=9)
    assert "another sweep" in sweep(capsys, *asked, moved, code=2)["message"]


# --- as processes ---

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds its workers in Linux's /proc")


@contextmanager
def long_sweep(tape: Path, table: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """One of 4,000 runs, once the first of them is in the table; with its two workers' ids."""
    command = [sys.executable, "-m", "lunomm", "backtest", str(tape), *QUOTING, "--sweep", "gamma=0.1:10",
               "--random", "4000", "--workers", "2", "--out", str(table)]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        until(lambda: table.exists() and len(table.read_text().splitlines()) > 2)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [int(child) for child in children]
        assert len(workers) == 2
        yield process, workers
        until(lambda: not any(map(alive, workers)))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_proc
def test_a_killed_worker_is_said_and_what_is_done_is_kept(tape: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with long_sweep(tape, table) as (process, workers):
        os.kill(workers[0], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
    assert "a worker was killed" in said and "--workers" in said and "Traceback" not in said
    kept = len(table.read_text().splitlines()) - 2
    assert kept >= 1 and f"{kept} of 4001 runs are kept" in said


@needs_proc
@pytest.mark.parametrize("to", ["all", "parent"])
def test_ctrl_c_ends_all_of_it_at_once(to: str, tape: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with long_sweep(tape, table) as (process, _):
        if to == "all":  # as a terminal does
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0 and "Traceback" not in said
    assert len(table.read_text().splitlines()) < 4000


@needs_proc
def test_workers_do_not_outlive_a_killed_sweep(tape: Path, tmp_path: Path) -> None:
    with long_sweep(tape, tmp_path / "t.csv") as (process, _):
        process.kill()
