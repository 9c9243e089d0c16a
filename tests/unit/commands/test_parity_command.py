"""``lunomm parity``: a session on the matching engine, its journal and its tape; the replay is the session."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import virtual_market as vm

from lunomm import cli
from lunomm.commands.gateway_loops import GATEWAY
from lunomm.commands.quote import asked
from lunomm.journal.store import open_journal
from lunomm.market.clock import Now
from lunomm.options.quote import QuoteOptions
from lunomm.tape.latency import Fixed
from lunomm.tape.lines import Provenance, Sidecar, tape_name
from lunomm.tape.writer import TapeFile
from lunomm.trading import events as ev
from lunomm.trading.desk import ASKED
from lunomm.trading.reconciler import Reconciler

ONE_WAY_MS = 7
QUOTE = QuoteOptions(
    order_size=Decimal("0.002"), order_size_explicit=True, order_refresh_rate_s=5.0, filled_order_delay_s=2.0,
    horizon_s=600.0, kappa_prior=0.0013, inventory_target="50%",
)  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder as a session leaves it."""
    folder = tmp_path_factory.mktemp("state")
    steps: list[list[Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        step = Reconciler.step

        def journaled(core: Reconciler, event: ev.Event, now: Now) -> list[ev.Action]:
            actions = step(core, event, now)
            steps.append([action for action in actions if isinstance(action, ev.SAVES)])
            return actions

        patch.setattr(Reconciler, "step", journaled)
        session = vm.run(3, 160, Fixed(ONE_WAY_MS))
    journal = open_journal(folder / "journal-sim-run1-account.sqlite3", account="account", venue="sim-run1")
    epoch = vm.START_NS // vm.MS
    journal.commit(
        [
            ev.SaveNote(vm.PAIR, f"{ASKED}{epoch}", asked(QUOTE)),
            ev.SaveNote(vm.PAIR, GATEWAY, json.dumps({"update_balance_interval_s": 2.0})),
        ]
    )
    for saves in steps:
        journal.commit(saves)
    journal.close()
    tapes = folder / "tapes"
    tapes.mkdir()
    about = Sidecar(
        tape=tape_name(vm.PAIR, vm.START_NS, "run", 1), pair=vm.PAIR, rules=session.rules, begun="stream",
        provenance=Provenance(source="test", mode="sim", run_id="run1"), started_ns=vm.START_NS,
    )  # fmt: skip
    file = TapeFile(tapes, about)
    file.add_frame(vm.START_NS, session.opening, 1, snapshot=True)
    for recv_ns, item in session.tape[1:]:
        if isinstance(item, vm.BookUpdate):
            file.add_frame(recv_ns, session.raw[item.sequence], item.sequence, snapshot=False)
        else:
            file.add_own(recv_ns, item)  # type: ignore[arg-type]
    file.close("closed")
    return folder


def parity(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> Any:
    monkeypatch.setenv("LUNOMM_STATE_DIR", str(state))
    code = cli.run(["parity", *args, "--json"])
    told = json.loads(capsys.readouterr().out)
    return told["data"] if code == 0 else told["error"]


def test_the_replay_is_the_session(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = parity(state, capsys, monkeypatch)
    assert found["orders"]["session"] >= 20 and found["fills"]["session"] >= 5
    assert found["orders"]["precision"] == found["orders"]["recall"] == 1.0
    assert found["orders"]["same_price"] == 1.0
    assert found["unmatched_fills"] == [] and found["grade"] == "A"
    assert found["profit"]["session"] is not None
    assert json.loads(found["parameters"])["kappa_prior"] == 0.0013


def test_other_parameters_are_another_session(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "state"
    shutil.copytree(state, other)
    journal = open_journal(other / "journal-sim-run1-account.sqlite3", account="account", venue="sim-run1")
    wider = '{"order_size":"0.002","kappa_prior":0.0004}'
    journal.commit([ev.SaveNote(vm.PAIR, f"{ASKED}{vm.START_NS // vm.MS}", wider)])
    journal.close()
    found = parity(other, capsys, monkeypatch)
    assert found["grade"] == "D"
    assert len(found["unmatched_fills"]) >= 5
    assert all(one["cause"] for one in found["unmatched_fills"])


def test_a_journal_that_does_not_say_its_parameters_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = parity(tmp_path, capsys, monkeypatch)
    assert error["code"] == "NO_JOURNAL"
