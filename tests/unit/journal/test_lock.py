"""One holder at a time, gone with its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lunomm.errors import InstanceError, JournalError
from lunomm.journal.lock import JournalLock


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    lock = JournalLock(tmp_path / "j.sqlite3")
    with pytest.raises(InstanceError, match=str(os.getpid())) as error:
        JournalLock(tmp_path / "j.sqlite3")
    assert error.value.exit_code == 6
    JournalLock(tmp_path / "other.sqlite3").release()
    lock.release()
    lock.release()
    JournalLock(tmp_path / "j.sqlite3").release()


def test_it_is_gone_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from lunomm.journal.lock import JournalLock\n"
        f"lock = JournalLock(Path({str(tmp_path / 'j.sqlite3')!r})); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InstanceError, match=str(holder.pid)):
            JournalLock(tmp_path / "j.sqlite3")
        holder.kill()
        holder.wait()
    JournalLock(tmp_path / "j.sqlite3").release()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        JournalLock(tmp_path / "file" / "j.sqlite3")
