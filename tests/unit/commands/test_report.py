"""`lunomm report`: the right journal, the right tapes, and files that a person can use."""

from __future__ import annotations

import csv
import json
import os
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lunomm import cli
from lunomm.commands.report import csv_row
from lunomm.journal.store import journal_path, open_journal
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState
from lunomm.tape.lines import Provenance, Sidecar, sidecar_name
from lunomm.tape.reader import read_tape
from lunomm.trading.events import SaveFill, SaveNote, SaveOrder
from lunomm.trading.orders import Amounts, Order

PAIR = "XBTMYR"
TAPE = Path(__file__).parents[2] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"
T0_MS = 1_790_000_000_000
NAME = "XBTMYR-20260921T130000Z-abc-0001.jsonl.gz"


def fill(sequence: int, at_s: float, side: Side, price: str, **changes: Any) -> Fill:
    counter = D(price) * D("0.01")
    made = Fill(
        pair=PAIR, sequence=sequence, intent_id="i", client_order_id=f"lm1-{PAIR}-i", order_id=f"BX{sequence}",
        side=side, price=D(price), volume=D("0.01"), counter=counter, fee_base=D(0), fee_counter=D("0.5"),
        maker=True, ts_ms=T0_MS + round(at_s * 1000), fair=300_000.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def order(number: int) -> Order:
    amounts = Amounts(D("0.01"), D(3000))
    return Order(
        pair=PAIR, intent_id=f"i{number}", client_order_id=f"c{number}", side=Side.BID, level=0, price=D(299_900),
        volume=D("0.01"), created_ms=T0_MS + 1000, timestamp_ms=0, ttl_ms=0, updated_ms=T0_MS + 30_000,
        state=OrderState.FILLED, order_id=f"BX{number}", filled=amounts, booked=amounts,
    )  # fmt: skip


def journal(folder: Path, venue: str, *, at: float, fills: int = 2, pair: str = PAIR) -> Path:
    """A journal as a gateway leaves it, last changed at ``at``."""
    path = journal_path(folder, venue, "acc")
    book = open_journal(path, account="acc", venue=venue)
    notes = {"first_start_ms": str(T0_MS), "opening": "0.1", "opening_mark": "300000", "target_share": "0.5"}
    sides = [(Side.BID, "299900"), (Side.ASK, "300100")]
    rows = [fill(n, 10 + 10 * n, *sides[n % 2], pair=pair) for n in range(fills)]
    book.commit([SaveNote(pair, name, value) for name, value in notes.items()])
    book.commit([*(SaveFill(row) for row in rows), SaveOrder(order(1))])
    book.close()
    os.utime(path, (at, at))
    return path


def recorded(folder: Path, **about: Any) -> None:
    """The shipped tape, as a recorder of that run would have left it."""
    tape = read_tape(TAPE)
    (folder / "tapes").mkdir(exist_ok=True)
    (folder / "tapes" / NAME).write_bytes(TAPE.read_bytes())
    said = Sidecar(
        tape=NAME, pair=PAIR, provenance=Provenance(source="x", **{"mode": "sim", "run_id": "r1", **about}),
        rules=tape.rules, begun="stream", started_ns=tape.started_ns,
    )  # fmt: skip
    (folder / "tapes" / sidecar_name(NAME)).write_bytes(msgspec.json.encode(said))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUNOMM_STATE_DIR", str(tmp_path))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert cli.run(["report", *words, "--json"]) == 0
    return [json.loads(line)["data"] for line in capsys.readouterr().out.splitlines()]


def test_with_the_tape_of_that_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(folder, "sim-r1", at=1e9)
    recorded(folder)
    (data,) = run(capsys)
    assert (data["venue"], data["pair"], data["fills"], data["tapes"], data["notes"]) == ("sim-r1", PAIR, 2, [NAME], [])
    assert data["pnl"]["spread"] == "2" and data["pnl"]["fees"] == "1"
    assert D(data["pnl"]["total"]) == D(data["pnl"]["spread"]) + D(data["pnl"]["inventory"]) - D(data["pnl"]["fees"])
    assert [row["fills"] for row in data["markouts"]] == [2, 2, 2, 0, 0]
    assert data["at_touch_bid"] is not None and data["uptime"] == 0.0 and data["one_sided"] > 0.9
    assert cli.run(["report"]) == 0
    assert "REPORT XBTMYR" in capsys.readouterr().out


def test_a_paper_session(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(folder, "paper-p1", at=1e9)
    recorded(folder, mode="paper", run_id="p1")
    (data,) = run(capsys, "--mode", "paper")
    assert (data["mode"], data["fills"], data["tapes"]) == ("paper", 2, [NAME])


@pytest.mark.parametrize("about", [{"run_id": "r2"}, {"mode": "live"}])
def test_another_runs_tape_is_not_used(folder: Path, capsys: pytest.CaptureFixture[str], about: dict[str, str]) -> None:
    journal(folder, "sim-r1", at=1e9)
    recorded(folder, **about)
    (data,) = run(capsys)
    assert data["tapes"] == [] and any("no tape" in note for note in data["notes"])
    assert all(row["markout_bp"] is None for row in data["markouts"]) and data["sharpe"] is None
    (data,) = run(capsys, "--tape", str(TAPE))
    assert data["tapes"] == [TAPE.name] and data["markouts"][0]["fills"] == 2


def test_a_damaged_tape_found_is_said_and_one_named_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal(folder, "sim-r1", at=1e9)
    recorded(folder)
    path = folder / "tapes" / NAME
    path.write_bytes(b"not a tape at all\n" * 9)
    (data,) = run(capsys)
    assert data["tapes"] == [] and any(note.startswith("a tape is not used") for note in data["notes"])
    assert cli.run(["report", "--tape", str(path)]) == 2


def test_the_journal_that_changed_last_unless_said_otherwise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = journal(folder, "live-api-luno-com", at=1e9, fills=4)
    journal(folder, "sim-r1", at=2e9)
    journal(folder, "sim-r2", at=1.5e9, pair="ETHMYR", fills=0)
    assert [row["venue"] for row in run(capsys)] == ["sim-r1"]
    assert [row["mode"] for row in run(capsys, "--mode", "live")] == ["live"]
    assert [row["fills"] for row in run(capsys, "--journal", old.name)] == [4]
    for words in (("XBTZAR",), ("--mode", "paper"), ("--journal", "none")):
        assert cli.run(["report", *words]) == 2
        assert "no journal" in capsys.readouterr().err


def test_a_window(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(folder, "sim-r1", at=1e9)
    (data,) = run(capsys, "--since", "2026-09-21T14:13:35", "--no-tape")
    assert data["fills"] == 1 and data["opening"] == "0.11"
    assert cli.run(["report", "--since", "2030-01-01"]) == 2


def test_the_csv_of_fills(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(folder, "sim-r1", at=1e9)
    run(capsys, "--csv", "fills.csv")
    rows = list(csv.DictReader((folder / "fills.csv").read_text().splitlines()))
    assert [(row["side"], row["price"], row["value"], row["fee_counter"], row["counter"]) for row in rows] == [
        ("BUY", "299900", "2999.00", "0.5", "MYR"),
        ("SELL", "300100", "3001.00", "0.5", "MYR"),
    ]
    assert rows[0]["time"] == "2026-09-21T14:13:30.000Z"
    hostile = fill(1, 0, Side.BID, "1", order_id="=cmd|' /C calc'!A0", client_order_id="\x1b@x")
    assert csv_row(hostile, "XBT", "MYR")[-2:] == ["'=cmd|' /C calc'!A0", "?@x"]
    assert cli.run(["report", "--csv", "no/where.csv"]) == 2


def test_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(folder, "sim-r1", at=1e9)
    recorded(folder)
    run(capsys, "--html", "r.html")
    text = (folder / "r.html").read_text()
    assert (
        text.count("<svg") == 1
        and "spread capture" in text
        and "<script" not in text
        and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    )
