"""A disk that is full where the words go: a documented exit code, no order left, and the journal whole."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from terminals import Desk, wait_until


def gateway(desk: Desk, *, stdout: bool) -> subprocess.Popen[str]:
    """A gateway whose stderr, and where asked its stdout, is on a full disk."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 (opened to be handed over)
        child = subprocess.Popen(
            [sys.executable, "-m", "lunomm", "gateway", "--json", "--for", "600"],
            cwd=desk.folder,
            env=desk.env(),
            stdin=subprocess.DEVNULL,
            stdout=full if stdout else subprocess.DEVNULL,
            stderr=full,
            text=True,
            start_new_session=True,
        )
    desk.children.append(child)
    return child


def journal_is_whole(desk: Desk) -> bool:
    (path,) = (desk.folder / "state").glob("journal-*.sqlite3")
    with closing(sqlite3.connect(path)) as journal:
        return bool(journal.execute("PRAGMA integrity_check").fetchone() == ("ok",))


@pytest.mark.timeout(600)  # three starts, on machines that may be busy
def test_a_gateway_whose_log_is_full_ends_with_a_documented_code_and_its_journal_whole(desk: Desk) -> None:
    desk.spawn("book", "XBTMYR")
    desk.spawn("quote")
    # With nothing but its stderr gone it trades as ever.
    trading = gateway(desk, stdout=False)
    wait_until(desk.two_sided, 300, "a bid and an ask on the exchange")
    trading.send_signal(signal.SIGINT)
    assert trading.wait(120) == 0, desk.logs()
    assert desk.open_orders() == [] and journal_is_whole(desk)
    # Its stdout is what it is asked for: without it it ends, and the journal is as it was.
    assert gateway(desk, stdout=True).wait(180) == 1, desk.logs()
    assert desk.open_orders() == [] and journal_is_whole(desk)
    told = desk.run("audit", "XBTMYR", "--mode", "sim")
    assert told.code == 0, told.err


def test_an_error_that_cannot_be_told_keeps_its_code(desk: Desk) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "lunomm", "status", "--mode", "dreaming"]
        done = subprocess.run(command, cwd=desk.folder, env=desk.env(), stdout=full, stderr=full, timeout=60)
    assert done.returncode == 2
