"""The journal hands back what was committed, whole; anything that is not its own, or damaged, is refused."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path

import pytest

from lunomm.errors import JournalError
from lunomm.journal.store import Journal, journal_path, open_journal
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState, OrderUpdate, UpdateKind
from lunomm.trading.events import Flow, Save, SaveFill, SaveFlow, SaveHalt, SaveNote, SaveOrder, SaveUpdate
from lunomm.trading.orders import Amounts, Order

PAIR = "XBTMYR"
NOW_MS = 1_700_000_000_000
WHO = {"account": "abc", "venue": "sim-1"}


def order(number: int = 1, state: OrderState = OrderState.WORKING, **changes: object) -> Order:
    fields: dict[str, object] = {
        "pair": PAIR,
        "intent_id": f"k-{number}-B0",
        "client_order_id": f"lm1-{PAIR}-k-{number}-B0",
        "side": Side.BID,
        "level": 0,
        "price": D("300000"),
        "volume": D("0.004000"),
        "created_ms": NOW_MS,
        "timestamp_ms": NOW_MS,
        "ttl_ms": 3000,
        "updated_ms": NOW_MS,
        "state": state,
        "order_id": "BX1",
        "filled": Amounts(D("0.001"), D("300"), D("0.0000035"), D("-0.1")),
        "booked": Amounts(D("0.001"), D("300"), D("0.0000035"), D("-0.1")),
        "version": 4,
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


def fill(sequence: int, side: Side = Side.BID) -> Fill:
    return Fill(
        pair=PAIR, sequence=sequence, intent_id="k-1-B0", client_order_id=f"lm1-{PAIR}-k-1-B0", order_id="BX1",
        side=side, price=D("300000"), volume=D("0.001"),
        counter=D("300.000"), fee_base=D("-0.0000035"), fee_counter=D(0),
        maker=True, ts_ms=NOW_MS, fair=300000.1,
    )  # fmt: skip


def update(number: int) -> OrderUpdate:
    return OrderUpdate(pair=PAIR, number=number, kind=UpdateKind.STATUS, ts_ms=NOW_MS, price=D("1.50"))


FLOW = Flow(pair=PAIR, ref="trade-9-BID", base=D("-0.5"), counter=D("7"), ts_ms=NOW_MS, mark=D("300000.00000000"))
EVERYTHING: list[Save] = [
    SaveOrder(order()),
    SaveFill(fill(7)),
    SaveFlow(FLOW),
    SaveFill(fill(5)),
    SaveNote(PAIR, "opening", "0.1"),
    SaveNote("", "expected:XBT", "0.2"),
    SaveUpdate(update(1)),
    SaveUpdate(update(2)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path, "sim-1", "abc")


def full(path: Path) -> Journal:
    journal = open_journal(path, **WHO)
    journal.commit(EVERYTHING)
    return journal


def test_what_was_committed_comes_back_in_the_order_it_was_booked(path: Path) -> None:
    full(path).close()
    journal = open_journal(path, **WHO)
    restored = journal.restore(NOW_MS)
    pair = restored.pairs[PAIR]
    assert pair.orders == (order(),)
    assert pair.used == {"k-1-B0"}
    assert pair.entries == (fill(7), FLOW, fill(5))
    assert pair.notes == {"opening": "0.1"}
    assert (restored.notes, restored.number, restored.halt) == ({"expected:XBT": "0.2"}, 2, None)
    assert [f.sequence for f in journal.fills(PAIR)] == [5, 7]
    assert [f.sequence for f in journal.fills(PAIR, (5, 0))] == [7]
    assert [u.number for u in journal.updates(1)] == [2]
    assert journal.note("opening", PAIR) == "0.1"
    assert journal.note("nothing") is None
    journal.close()


def test_orders_move_and_old_ends_leave_only_their_ids(path: Path) -> None:
    journal = full(path)
    journal.commit([SaveOrder(order(state=OrderState.CANCELLED)), SaveOrder(order(2, OrderState.UNKNOWN))])
    later = journal.restore(NOW_MS + 3_600_000).pairs[PAIR]
    assert [o.intent_id for o in later.orders] == ["k-2-B0"]
    assert later.used == {"k-1-B0", "k-2-B0"}
    # An end whose fills are not all booked is never forgotten.
    journal.commit([SaveOrder(order(state=OrderState.FILLED, booked=Amounts()))])
    assert len(journal.restore(NOW_MS + 3_600_000).pairs[PAIR].orders) == 2
    journal.close()


def test_the_last_fills_are_the_end_of_all(path: Path) -> None:
    journal = open_journal(path, **WHO)
    for n in (5, 9, 7):
        journal.commit([SaveFill(fill(n, Side.ASK)), SaveFill(fill(n, Side.BID))])
    for count in range(8):
        assert journal.last_fills(PAIR, count) == journal.fills(PAIR)[6 - min(count, 6) :]
    assert journal.last_fills("XBTZAR", 3) == []
    journal.close()


def test_a_close_that_fails_lets_the_file_go(path: Path) -> None:
    journal = full(path)
    journal._db.execute("BEGIN IMMEDIATE")  # in which nothing can be folded
    with pytest.raises(JournalError, match="cannot be closed"):
        journal.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        journal._db.execute("SELECT 1")


def test_a_step_is_whole_or_not_at_all(path: Path) -> None:
    journal = full(path)
    with pytest.raises(JournalError):
        journal.commit([SaveOrder(order(3)), SaveFill(fill(7))])
    assert journal.restore(NOW_MS).pairs[PAIR].used == {"k-1-B0"}
    journal.commit([SaveOrder(order(3)), SaveFill(fill(8))])
    assert journal.restore(NOW_MS).pairs[PAIR].used == {"k-1-B0", "k-3-B0"}
    journal.close()


def test_the_same_sequence_on_both_sides_is_two_fills(path: Path) -> None:
    journal = open_journal(path, **WHO)
    journal.commit([SaveFill(fill(7, Side.ASK)), SaveFill(fill(7, Side.BID))])
    assert [f.side for f in journal.fills(PAIR)] == [Side.BID, Side.ASK]
    assert [f.side for f in journal.fills(PAIR, (7, 0))] == [Side.ASK]
    journal.close()


def test_a_halt_stands_until_somebody_ends_it(path: Path) -> None:
    journal = open_journal(path, **WHO)
    journal.commit([SaveHalt("lost too much", NOW_MS)])
    journal.close()
    journal = open_journal(path, **WHO)
    assert journal.restore(NOW_MS).halt == "lost too much"
    assert journal.resume("user@host", NOW_MS + 1)
    assert not journal.resume("user@host", NOW_MS + 2)
    assert journal.restore(NOW_MS).halt is None
    journal.close()


def test_a_kill_between_two_steps_loses_nothing_that_was_committed(path: Path) -> None:
    """A real process, killed as hard as it gets right after its commit returned."""
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_store as t
journal = t.full(Path({str(path)!r}))
journal.commit([t.SaveOrder(t.order(2, t.OrderState.SENT))])
journal._db.execute("BEGIN IMMEDIATE")
journal._db.execute("DELETE FROM orders")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    journal = open_journal(path, **WHO)
    restored = journal.restore(NOW_MS).pairs[PAIR]
    assert {(o.intent_id, o.state) for o in restored.orders} == {
        ("k-1-B0", OrderState.WORKING),
        ("k-2-B0", OrderState.SENT),
    }
    assert len(restored.entries) == 3
    journal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_it_is_its_owners_alone(path: Path) -> None:
    journal = full(path)
    for file in path.parent.glob("journal-*.sqlite3*"):
        assert file.stat().st_mode & 0o777 == 0o600, file
    journal.close()
    path.chmod(0o644)
    open_journal(path, **WHO).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("who", "word"),
    [({"account": "other", "venue": "sim-1"}, "account"), ({"account": "abc", "venue": "live-x"}, "venue")],
)
def test_another_accounts_or_venues_is_refused(path: Path, who: dict[str, str], word: str) -> None:
    full(path).close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=word) as error:
        open_journal(path, **who)
    assert error.value.exit_code == 5
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(path: Path) -> None:
    from lunomm.journal.schema import checksum

    full(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE header SET value = '2', crc = ? WHERE name = 'schema'", (checksum(("schema", "2")),))
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="schema 2"):
        open_journal(path, **WHO)


def test_another_programs_database_is_refused(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE holiday (day)")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="another program"):
        open_journal(path, **WHO)


@pytest.mark.parametrize("content", [b"x", b"not a database" * 1000, bytes(8192)])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError):
        open_journal(path, **WHO)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user who is refused something")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="permissions"):
            open_journal(tmp_path / "j.sqlite3", **WHO)
    finally:
        tmp_path.chmod(0o700)


def restored_or_refused(path: Path) -> object:
    try:
        journal = open_journal(path, **WHO)
    except JournalError:
        return "refused"
    try:
        state = journal.restore(NOW_MS)
        return state, journal.fills(PAIR), journal.updates(0)
    except JournalError:
        return "refused"
    finally:
        journal.close()


def test_a_truncated_or_flipped_file_is_the_same_or_refused(path: Path, tmp_path: Path) -> None:
    journal = full(path)
    journal.commit([SaveOrder(order(n)) for n in range(2, 60)])
    journal.close()
    whole = path.read_bytes()
    good = restored_or_refused(path)
    outcomes = set()
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    for at in range(0, len(whole), 97):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << (at % 8)
        outcomes.add(_outcome(copy, bytes(flipped), good))
    for size in range(1, len(whole), 1531):
        outcomes.add(_outcome(copy, whole[:size], good))
    assert outcomes == {"same", "refused"}


def _outcome(copy: Path, content: bytes, good: object) -> str:
    for old in copy.parent.iterdir():
        old.unlink()
    copy.write_bytes(content)
    found = restored_or_refused(copy)
    return "same" if found == good else "refused" if found == "refused" else "CHANGED"


def test_a_write_that_fails_is_said(path: Path, tmp_path: Path) -> None:
    journal = full(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    journal._db.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(JournalError, match="cannot be written"):
        journal.commit([SaveNote(PAIR, "a", "b")])
    other.execute("ROLLBACK")
    other.close()
    journal.commit([SaveNote(PAIR, "a", "b")])
    journal.close()
    shutil.rmtree(tmp_path)
