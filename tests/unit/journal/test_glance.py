"""Journals seen from outside while somebody writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunomm.errors import JournalError
from lunomm.journal.glance import glance, glances
from lunomm.journal.store import open_journal
from lunomm.trading.events import SaveHalt, SaveNote


def test_what_is_seen_of_an_open_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal-sim-r7-abc.sqlite3"
    journal = open_journal(path, account="abc", venue="sim-r7")
    journal.commit([SaveNote("XBTMYR", "day", "5"), SaveNote("", "x", "y")])
    seen = glance(path)
    assert (seen.account, seen.mode, seen.run_id, seen.halted, seen.pairs) == ("abc", "sim", "r7", None, ("XBTMYR",))
    journal.commit([SaveHalt("too much", 5), SaveHalt("later", 6)])
    assert glance(path).halted == "too much"
    assert journal.resume("ann@host", 7)
    assert glance(path).halted is None
    assert journal.note("day", "XBTMYR") == "-1", "the day's loss counts anew"
    assert not journal.resume("ann@host", 8)
    journal.close()
    live = open_journal(tmp_path / "journal-live-x-abc.sqlite3", account="abc", venue="live-api.luno.com")
    live.close()
    (tmp_path / "journal-broken.sqlite3").write_bytes(b"no database at all")
    assert [(g.mode, g.run_id) for g in glances(tmp_path)] == [("live", ""), ("sim", "r7")]


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        glance(tmp_path / "journal-none.sqlite3")
