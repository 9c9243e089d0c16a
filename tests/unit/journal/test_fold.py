"""The log is folded beside the commits: nothing else about the journal changes by it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_store import PAIR, WHO

from lunomm.journal.fold import FOLD_AFTER, Fold
from lunomm.journal.store import open_journal
from lunomm.trading.events import SaveNote


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def notes(start: int, count: int) -> list[list[SaveNote]]:
    return [[SaveNote(PAIR, f"n{number % 50}", "x" * 500 + str(number))] for number in range(start, start + count)]


def in_file_alone(path: Path, copy: Path) -> set[str]:
    """What a reader finds that has the file and not its log."""
    shutil.copyfile(path, copy)
    db = sqlite3.connect(copy)
    try:
        return {value for (value,) in db.execute("SELECT value FROM notes")}
    finally:
        db.close()


def test_the_file_gets_what_the_log_has_without_a_commit_doing_it(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    journal = open_journal(path, **WHO, fold_beside=True)
    assert journal.fold is not None
    for saves in notes(0, FOLD_AFTER):
        journal.commit(saves)
    until(lambda: journal.fold is not None and journal.fold.done == 1)
    assert journal.fold.problem is None
    newest = notes(FOLD_AFTER - 1, 1)[0][0].value
    assert newest in in_file_alone(path, tmp_path / "copy.sqlite3")
    # A log that was folded whole begins anew: it does not grow with the session.
    log = path.with_name(path.name + "-wal")
    longest = 0
    for round_ in range(1, 20):
        for saves in notes(round_ * FOLD_AFTER, FOLD_AFTER):
            journal.commit(saves)
        until(lambda: journal.fold is not None and journal.fold.done > round_)  # noqa: B023
        longest = max(longest, log.stat().st_size)
    assert longest < 4 * 500 * 4096
    journal.close()
    assert not journal.fold._thread.is_alive()
    again = open_journal(path, **WHO)
    assert again.note(f"n{49}", PAIR) == notes(20 * FOLD_AFTER - 1, 1)[0][0].value
    again.close()


def test_what_was_committed_is_durable_without_any_fold(tmp_path: Path) -> None:
    """As after a kill: nobody closes, and the log alone has the newest."""
    path, copy = tmp_path / "j.sqlite3", tmp_path / "copy" / "j.sqlite3"
    journal = open_journal(path, **WHO, fold_beside=True)
    for saves in notes(0, 10):
        journal.commit(saves)
    copy.parent.mkdir()
    for file in tmp_path.glob("j.sqlite3*"):
        shutil.copyfile(file, copy.parent / file.name)
    left = open_journal(copy, **WHO)
    assert left.note("n9", PAIR) == notes(9, 1)[0][0].value
    left.close()
    journal.close()


def test_a_fold_that_fails_is_kept_in_mind_and_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "j.sqlite3"
    fold = Fold(path)
    for _ in range(FOLD_AFTER):
        fold.committed()
    until(lambda: fold.problem is not None)
    assert fold.done == 0
    path.parent.mkdir()
    sqlite3.connect(path).close()
    for _ in range(FOLD_AFTER):
        fold.committed()
    until(lambda: fold.done == 1)
    assert fold.problem is None
    fold.close()


@pytest.mark.parametrize("commits", [0, 3])
def test_it_ends_at_once(commits: int, tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite3", **WHO, fold_beside=True)
    for saves in notes(0, commits):
        journal.commit(saves)
    assert journal.fold is not None
    thread = journal.fold._thread
    journal.close()
    assert not thread.is_alive()
    assert not list(tmp_path.glob("*-wal"))
