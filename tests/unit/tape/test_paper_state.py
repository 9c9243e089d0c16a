"""The paper account's file: what is committed is there again, and nothing that cannot be trusted is taken."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lunomm.errors import InstanceError, JournalError
from lunomm.tape.paper_log import Finished, Opened, Row, Working
from lunomm.tape.paper_state import PaperState, state_path

UPSTREAM = "https://api.luno.com"
ROWS: list[Row] = [Opened("sim", {"XBT": "0.1"}), Working("BX1", 5), Finished("BX1", 6, 6)]


def test_what_was_committed_is_there_again_and_nothing_else(tmp_path: Path) -> None:
    path = state_path(tmp_path, UPSTREAM)
    assert path.name == "paper-api-luno-com.sqlite3"
    state = PaperState(path, UPSTREAM)
    for row in ROWS:
        state.write(row)
    state.commit()
    state.write(Working("BX2", 7))
    run_id = state.run_id
    state.close()
    again = PaperState(path, UPSTREAM)
    assert (again.rows(), again.run_id) == (ROWS, run_id)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(InstanceError, match="used by another exchange"):
        PaperState(path, UPSTREAM)
    again.close()


def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "paper.sqlite3"
    state = PaperState(path, UPSTREAM)
    state.write(ROWS[0])
    state.commit()
    state.close()
    with pytest.raises(JournalError, match="it is about https"):
        PaperState(path, "http://127.0.0.1:1")
    with sqlite3.connect(path) as db:
        db.execute('UPDATE rows SET body = \'{"type":"Nonsense"}\'')
    db.close()
    broken = PaperState(path, UPSTREAM)
    with pytest.raises(JournalError, match="Move it away"):
        broken.rows()
    broken.close()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="Move it away"):
        PaperState(path, UPSTREAM)


def test_a_commit_that_fails_says_so_and_keeps_the_rows_for_another_try(tmp_path: Path) -> None:
    state = PaperState(tmp_path / "paper.sqlite3", UPSTREAM)
    state.write(ROWS[0])
    state._db.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalError, match="cannot be written"):
        state.commit()
    state._db.execute("PRAGMA query_only=OFF")
    state.commit()
    assert state.rows() == [ROWS[0]]
    state.close()
