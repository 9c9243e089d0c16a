"""``lunomm backtest``: the command line in, the report out, the same bytes whatever the hashes are."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lunomm import cli
from lunomm.simulator.exchange import seeded
from lunomm.simulator.messages import MarketFrame
from lunomm.tape.lines import Provenance, Sidecar, frame_line, header_line

START_NS = 1_790_000_000_000_000_000
PAIR = "XBTMYR"
QUOTING = (
    "--order-size", "0.002", "--kappa-prior", "0.0013", "--order-refresh-rate-s", "5", "--filled-order-delay-s", "2",
    "--horizon-s", "600",
)  # fmt: skip


def write_tape(path: Path, seconds: int, *, start_ns: int = START_NS, seed: int = 5) -> Path:
    """A market of the simulator, recorded: nobody of ours in it."""
    exchange = seeded([PAIR], profile="theory", seed=seed, fee_tier=0, start_ns=start_ns)
    rules = exchange.venue.engine(PAIR).rules
    provenance = Provenance(source="test", mode="sim", maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.002"))
    sidecar = Sidecar(
        tape=path.name, pair=PAIR, started_ns=start_ns, rules=rules, provenance=provenance, begun="stream"
    )
    lines = [header_line(sidecar), frame_line(start_ns, exchange.snapshot_raw(PAIR))]
    while not exchange.run_until(start_ns + seconds * 10**9, 10_000):
        pass
    for frame in exchange.venue.drain():
        if isinstance(frame, MarketFrame) and frame.pair == PAIR:
            lines.append(frame_line(frame.timestamp_ms * 1_000_000, frame.raw))
    path.write_bytes(gzip.compress(b"".join(line.rstrip(b"\n") + b"\n" for line in lines), 1))
    return path


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tape(tmp_path_factory.mktemp("tapes") / "market.jsonl.gz", 120)


def backtest(capsys: pytest.CaptureFixture[str], *args: object) -> Any:
    assert cli.run(["backtest", *map(str, args), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "backtest"
    return told["data"]


def test_the_report_says_everything_asked_of_it(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    data = backtest(capsys, tape, *QUOTING, "--html", page)
    assert list(data["lanes"]) == ["strategy", "fixed spread"]
    found = data["lanes"]["strategy"]
    assert found["fills"] > 3
    pnl = {name: Decimal(value) for name, value in found["pnl"].items()}
    assert pnl["total"] == pnl["spread"] + pnl["inventory"] - pnl["fees"]
    assert pnl["fees"] > 0  # the tape's own
    assert [row["horizon_s"] for row in found["markouts"]] == [1, 5, 30, 60, 300]
    for name in ("fill_ratio", "uptime", "at_touch_bid", "max_inventory", "max_drawdown", "turnover", "beyond_holding"):
        assert found[name] is not None
    assert found["sharpe"] is None  # two minutes: not thirty intervals of anything
    bracket = {name: Decimal(found["bracket"][name]) for name in ("pessimistic", "queue", "optimistic")}
    assert bracket["pessimistic"] <= bracket["queue"] <= bracket["optimistic"]
    assert any("out of sample" in note for note in data["notes"])
    html = page.read_text()
    assert data["hash"] in html and html.count("<svg") == 1
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import", html)


def test_the_summary_on_a_terminal(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["backtest", str(tape), *QUOTING]) == 0
    shown = capsys.readouterr().out
    assert "spread capture" in shown and "fixed spread" in shown and "report hash" in shown
    assert max(len(line) for line in shown.splitlines()) <= 110


def test_the_same_bytes_in_processes_that_hash_differently(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = [sys.executable, "-m", "lunomm", "backtest", str(tape), *QUOTING, "--json"]
    told = set()
    for seed in ("0", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "LUNOMM_GAMMA": "7"}
        told.add(subprocess.run(call, env=env, capture_output=True, check=True, timeout=60).stdout)
    assert len(told) == 1
    # And no variable of the environment has changed anything.
    assert json.loads(told.pop())["data"] == backtest(capsys, tape, *QUOTING)


def test_what_was_learned_from_the_tape_itself_is_called_in_sample(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_tape(tmp_path / "other.jsonl.gz", 60, start_ns=START_NS - 10**12, seed=6)
    for teacher, word in ((tape, "in-sample"), (other, "out of sample")):
        data = backtest(capsys, tape, *QUOTING, "--calibrate", teacher)
        assert any("calibrated on" in note and word in note for note in data["notes"])


def test_several_tapes_are_one_run_with_a_gap_between(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = write_tape(tmp_path / "later.jsonl.gz", 60, start_ns=START_NS + 600 * 10**9, seed=6)
    data = backtest(capsys, later, tape, *QUOTING)
    assert data["gaps"] == 1
    assert data["duration_s"] == pytest.approx(660, abs=2)
    assert data["left_out"] == {"frames": 0, "seconds": pytest.approx(480, abs=2)}


@pytest.mark.parametrize("trouble", ["gap", "swapped", "contradiction"])
def test_what_a_gap_cost_is_said(trouble: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frames after a gap, without a new snapshot, have no book: the report must not look like one of the whole tape."""
    lines = gzip.decompress(tape.read_bytes()).splitlines(keepends=True)
    cut = len(lines) // 2
    if trouble == "gap":
        lines = [*lines[:cut], *lines[cut + 1 :]]
    elif trouble == "swapped":
        lines[cut : cut + 2] = lines[cut + 1], lines[cut]
    else:
        none, somebody = rb"delete_update\":null", rb"delete_update\":{\"order_id\":\"NOBODYS\"}"
        cut = next(number for number in range(cut, len(lines)) if none in lines[number])
        lines[cut] = lines[cut].replace(none, somebody)
    path = tmp_path / f"{trouble}.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines)))
    data = backtest(capsys, path, *QUOTING)
    left_out = data["left_out"]
    assert (data["frames"], left_out["frames"]) == (cut - 1, len(lines) - cut)
    assert left_out["seconds"] == pytest.approx(120 - data["duration_s"], abs=1)
    (note,) = [note for note in data["notes"] if "left out" in note]
    assert f"{left_out['frames']} of {len(lines) - 1} frames" in note and f"{left_out['seconds']:.1f} s" in note
    # A sweep over it says so too.
    table = tmp_path / "t.csv"
    assert cli.run(["backtest", str(path), *QUOTING, "--sweep", "gamma=4", "--workers", "1", "--out", str(table),
                    "--json"]) == 0  # fmt: skip
    assert note in json.loads(capsys.readouterr().out)["data"]["notes"]


def test_a_book_that_came_back_cost_the_time_between(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frame is missing in the middle; the next snapshot is a minute after the end of the others."""
    first = gzip.decompress(tape.read_bytes()).splitlines(keepends=True)
    later = write_tape(tmp_path / "later.jsonl.gz", 60, start_ns=START_NS + 180 * 10**9, seed=6)
    second = gzip.decompress(later.read_bytes()).splitlines(keepends=True)[1:]
    cut = len(first) // 2
    path = tmp_path / "gap.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join([*first[:cut], *first[cut + 1 :], *second])))
    data = backtest(capsys, path, *QUOTING)
    assert data["left_out"]["frames"] == len(first) - cut - 1
    assert data["frames"] == cut - 1 + len(second)
    assert data["left_out"]["seconds"] == pytest.approx(120, abs=5)


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("missing", "TAPE_MISSING", "no such tape"),
        ("empty", "TAPE_EMPTY", "is empty"),
        ("foreign", "TAPE_FOREIGN", "line 1"),
        ("pair", "TAPE_PAIR", "not of ETHMYR"),
        ("twice", "TAPE_OVERLAP", "overlap in time"),
        ("damaged", "TAPE_DAMAGED", "line 3"),
    ],
)
def test_a_tape_that_is_none_is_refused(
    case: str, code: str, words: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.jsonl"
    arguments: list[object] = [path]
    if case == "empty":
        path.touch()
    elif case == "foreign":
        path.write_text("hello\nworld\n")
        arguments += ["--pair", PAIR]
    elif case == "pair":
        arguments = [tape, "--pair", "ETHMYR"]
    elif case == "twice":
        arguments = [tape, tape]
    elif case == "damaged":
        lines = gzip.decompress(tape.read_bytes()).splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:2], b'{"recv_ns": 1, "frame": "{}"}\n', *lines[3:9]]))
    assert cli.run(["backtest", *map(str, arguments), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == code and words in error["message"]


def test_a_torn_tape_is_used_as_far_as_it_is_whole(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(tape.read_bytes()[:-5000])
    data = backtest(capsys, torn, *QUOTING)
    assert any("torn.jsonl.gz was cut" in note for note in data["notes"])
    assert 0 < data["frames"] < backtest(capsys, tape, *QUOTING)["frames"]
