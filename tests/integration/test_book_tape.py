"""`book --tape` and `calibrate --tape` as a user types them: recorded frames, no venue, no Redis."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lunomm import cli
from lunomm.commands.tape_calibration import replayed
from lunomm.market.calibration import Calibrator, calibrate
from lunomm.market.records import GridRow, TakerOrder
from lunomm.tape.reader import read_tape

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
needs_recording = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded XBTZAR frames are not on this machine")

SNAPSHOT = {
    "sequence": "100",
    "asks": [{"id": "A1", "price": "101.00", "volume": "1.00"}, {"id": "A2", "price": "102.00", "volume": "2.00"}],
    "bids": [{"id": "B1", "price": "99.00", "volume": "3.00"}],
    "timestamp": 1_700_000_000_000,
    "status": "ACTIVE",
}


def update(sequence: int, at_s: float, **changes: Any) -> dict[str, Any]:
    frame = {"sequence": str(sequence), "trade_updates": [], "create_update": None, "delete_update": None}
    return {**frame, "status_update": None, "timestamp": 1_700_000_000_000 + int(at_s * 1000), **changes}


def trade(maker: str, taker: str, base: str, counter: str) -> dict[str, str]:
    return {"base": base, "counter": counter, "maker_order_id": maker, "taker_order_id": taker, "order_id": maker}


FRAMES = [
    SNAPSHOT,
    update(101, 1, create_update={"order_id": "B2", "type": "BID", "price": "99.50", "volume": "0.50"}),
    update(102, 2, trade_updates=[trade("A1", "T1", "1.00", "101.00"), trade("A2", "T1", "0.50", "51.00")]),
    update(103, 3, delete_update={"order_id": "B2"}),
    update(104, 25),
]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUNO_KEY_ID", "LUNO_KEY_SECRET", "LUNOMM_PAIR", "LUNOMM_MODE", "LUNOMM_JSON"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REDIS_HOST", "redis.invalid")  # whoever would ask it fails
    monkeypatch.setenv("LUNOMM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    path.write_text("".join(json.dumps(frame) + "\n" for frame in FRAMES))
    return path


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, list[str], str]:
    code = cli.run([str(arg) for arg in args])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def data(lines: list[str]) -> dict[str, Any]:
    envelope = json.loads(lines[-1])
    assert envelope["v"] == 1
    found: dict[str, Any] = envelope["data"]
    return found


@needs_recording
def test_the_recorded_file_ends_with_its_last_tick_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = run(capsys, "book", "XBTZAR", "--tape", RECORDED, "--json")
    assert (code, err) == (0, "")
    last = data(lines)
    assert last["sequence"] == 398542598
    assert (last["fills"], last["taker_orders"], last["gaps"]) == (25, 15, 0)
    assert (last["best_bid"], last["best_ask"], last["mid_price"]) == ("492513", "492594", "492553.5")
    assert last["vamp"] == "492309.119383"
    assert (last["orders"], last["frames"]) == (15186, 5001)
    assert last["verdict"] == "THIN" and last["reason"]
    assert last["sigma_low"] < last["sigma"] < last["sigma_high"]
    assert last["kappa_low"] < last["kappa"] < last["kappa_high"]
    assert last["A_low"] < last["A"] < last["A_high"]
    assert len(last["bids"]) == len(last["asks"]) == 10


@needs_recording
def test_calibrating_the_recorded_file_says_thin_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = run(capsys, "calibrate", "XBTZAR", "--tape", RECORDED, "--json")
    assert code == 0
    found = data(lines)
    asked = "kappa kappa_low kappa_high inv_kappa_bp intensity intensity_low intensity_high sigma sigma_daily_percent"
    for name in (*asked.split(), "taker_orders", "fills", "touch_share", "ks", "verdict", "reason"):
        assert found[name] is not None, name
    assert (found["taker_orders"], found["fills"], found["verdict"]) == (15, 25, "THIN")
    assert found["touch_share"] > 0.5 and found["ks_rejects"]
    code, lines, _ = run(capsys, "calibrate", "XBTZAR", "--tape", RECORDED)
    assert code == 0
    assert "THIN" in lines[0] and any(line.startswith("touch share  73 %") for line in lines)
    code, lines, _ = run(capsys, "book", "XBTZAR", "--tape", RECORDED, "--json")
    assert data(lines)["kappa"] == found["kappa"], "the book and calibrate are one estimator"


@needs_recording
def test_the_recorded_file_in_two_parts_is_the_file_in_one() -> None:
    """An observer stopped in the middle and fed on gives the same digits; 25 fills, 15 taker orders, no gap."""
    tape = read_tape(RECORDED, "XBTZAR")
    whole = [record for records in replayed(tape) for record in records]
    orders = [record for record in whole if isinstance(record, TakerOrder)]
    rows = [record for record in whole if isinstance(record, GridRow)]
    assert (sum(order.fills for order in orders), len(orders)) == (25, 15)
    assert [row.start_ms for row in rows if row.gap] == [rows[0].start_ms], "only the beginning"
    known = calibrate(orders, rows, tape.rules, lookback_s=86_400.0)
    carried = Calibrator(tape.rules, lookback_s=86_400.0)
    for record in whole[: len(whole) // 2]:
        again = msgspec.json.decode(msgspec.json.encode(record), type=type(record))
        carried.on_trade(again) if isinstance(again, TakerOrder) else carried.on_row(again)
    assert carried.intensity().sample < 15
    for record in whole[len(whole) // 2 :]:
        carried.on_trade(record) if isinstance(record, TakerOrder) else carried.on_row(record)
    assert carried.estimates() == known.estimates


def test_a_recorded_market_calibrated_every_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Our own recording: every estimator, size weights, a prior, a plot; what is for comparison says so."""
    tape, plot = Path(__file__).parents[1] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz", tmp_path / "c.svg"
    kappas = {}
    for name in ("exposure", "touch", "depth", "loglin", "seed"):
        _, lines, err = run(capsys, "calibrate", "--tape", tape, "--estimator", name, "--json")
        found = data(lines)
        assert err == "" and found["estimator"] == name and len(lines) == 1
        kappas[name] = found["kappa"]
        assert found["others"].get(name, {"kappa": found["kappa"]})["kappa"] == found["kappa"]
    assert kappas["exposure"] is not None and len(set(kappas.values())) >= 3
    _, lines, _ = run(capsys, "calibrate", "--tape", tape, "--weight", "size", "--json")
    assert data(lines)["kappa"] != kappas["exposure"] and data(lines)["weight"] == "size"
    _, lines, _ = run(capsys, "calibrate", "--tape", tape, "--kappa-prior", "0.1", "--json")
    assert data(lines)["kappa"] > kappas["exposure"]
    err = run(capsys, "calibrate", "--tape", tape, "--plot", plot)[2]
    assert plot.read_text().startswith("<svg") and f"wrote {plot}" in err


def test_orders_that_would_count_twice_are_refused(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "calibrate", "--tape", tape, "--tape", tape)
    assert code == 2 and "twice" in err


@pytest.mark.parametrize(
    "options",
    [
        ("--estimator", "guess"),
        ("--weight", "age"),
        ("--weight", "size", "--estimator", "seed"),
        ("--kappa-prior", "0.1", "--estimator", "touch"),
        ("--plot", "no/such/folder/c.svg"),
        ("--plot", "c.svg", "--watch"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tape: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    code, _, err = run(capsys, "calibrate", "--tape", tape, *options)
    assert code == 2 and err.count("\n") == 1


def test_a_small_tape(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = run(capsys, "book", "xbtmyr", "--tape", tape, "--json")
    assert (code, err) == (0, "")
    last = data(lines)
    assert (last["sequence"], last["fills"], last["taker_orders"], last["orders"]) == (104, 2, 1, 2)
    assert (last["best_bid"], last["best_ask"], last["state"]) == ("99.0", "102.0", "OK")
    assert last["best_ask_size"] == "1.5"
    assert last["alpha"] is None and last["verdict"] == "NO", "the tick offers nothing to trade on"


def test_without_json_it_prints_the_book_and_the_counts(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", tape)
    assert code == 0
    assert lines[0].startswith("XBTMYR  100.5")
    assert any("ASK 102" in line for line in lines) and any("BID  99" in line for line in lines)
    assert lines[-1] == "5 frames, 2 fills by 1 taker order, 0 gaps, 25 s"


def test_a_tape_of_ours_is_known_by_its_header(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = tmp_path / "ours.jsonl.gz"
    start = 1_700_000_000_000_000_000
    rows: list[dict[str, Any]] = [{"v": 1, "pair": "XBTMYR", "started_ns": start, "source": "test"}]
    for index, frame in enumerate(FRAMES):
        rows.append({"recv_ns": start + index * 10**9, "frame": json.dumps(frame)})
    rows.insert(3, {"recv_ns": start + 10**9, "own": {"B2": ["BID", "99.5", "0.5"]}})
    with gzip.open(recorded, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", recorded, "--json")
    assert code == 0
    assert data(lines)["sequence"] == 104
    code, _, err = run(capsys, "book", "ETHMYR", "--tape", recorded)
    assert code == 2 and "XBTMYR" in err


def test_a_gap_voids_the_book_until_the_next_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gap.jsonl"
    later = {**SNAPSHOT, "sequence": "200", "timestamp": 1_700_000_010_000}
    frames = [SNAPSHOT, update(101, 1), update(103, 3), update(104, 4), later, update(201, 11)]
    path.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", path, "--json")
    assert code == 0
    last = data(lines)
    assert (last["sequence"], last["gaps"], last["state"], last["frames"]) == (201, 1, "OK", 4)
    path.write_text("".join(json.dumps(frame) + "\n" for frame in frames[:4]))
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", path, "--json")
    last = data(lines)
    assert last["state"] == "RESYNC" and last["mid_price"] is None and "103" in last["note"]


def test_calibrating_several_tapes_counts_all(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = tmp_path / "later.jsonl"
    hour = 3_600_000
    frames = [{**frame, "timestamp": frame["timestamp"] + hour} for frame in FRAMES]
    second.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    code, lines, _ = run(capsys, "calibrate", "XBTMYR", "--tape", second, "--tape", tape, "--json")
    found = data(lines)
    assert code == 1, "verdict NO"
    assert (found["verdict"], found["fills"]) == ("NO", 4)
    assert found["provenance"] == "tape small.jsonl, later.jsonl"


@pytest.mark.parametrize(
    ("text", "code"),
    [("", 2), ("not a tape\n", 2), ('{"sequence":"1"}\n', 2), (json.dumps(FRAMES[1]) + "\n", 2), ("\x00\x1b[31m\n", 2)],
)
@pytest.mark.parametrize("command", ["book", "calibrate"])
def test_a_file_that_is_no_tape_is_one_line(
    command: str, text: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(text)
    got, lines, err = run(capsys, command, "XBTMYR", "--tape", path)
    assert got == code
    assert lines == [] and len(err.strip().splitlines()) == 1
    assert "\x1b" not in err


def test_several_pairs_on_one_tape_are_refused(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "book", "XBTMYR", "ETHMYR", "--tape", tape)
    assert code == 2 and "one pair" in err


def test_a_torn_tape_is_cut_and_said(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = tape.read_text()
    tape.write_text(whole[:-30])
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", tape, "--json")
    assert code == 0
    assert data(lines)["sequence"] == 103 and data(lines)["torn"]


def test_speed_paces_and_for_bounds_it(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", tape, "--speed", "100", "--json")
    assert code == 0 and data(lines)["sequence"] == 104
    code, lines, _ = run(capsys, "book", "XBTMYR", "--tape", tape, "--speed", "1", "--for", "0.2", "--json")
    assert code == 0
    last = data(lines)
    assert last["sequence"] == 100 and "before the tape's end" in last["note"]
