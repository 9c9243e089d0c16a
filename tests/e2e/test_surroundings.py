"""Odd surroundings: the same one line and exit code whatever locale, folder, home, terminal or limit there is."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SURROUNDINGS: dict[str, dict[str, str | None]] = {
    "locale of 1970": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no such locale": {"LANG": "xx_YY.nonsense", "LC_ALL": "xx_YY.nonsense"},
    "ascii only": {"PYTHONIOENCODING": "ascii"},
    "no such zone": {"TZ": "Mars/Olympus_Mons"},
    "no home": {"HOME": None, "XDG_STATE_HOME": None},
    "dumb terminal": {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "1", "LINES": "1", "PYTHONHASHSEED": "0"},
    "no temporary folder": {"TMPDIR": "/none/such", "TMP": "/none/such", "TEMP": "/none/such"},
    "other certificates": {"SSL_CERT_FILE": "/none/such", "REQUESTS_CA_BUNDLE": "/none/such"},
}


def status(
    folder: Path,
    port: int,
    changes: dict[str, str | None],
    *,
    code: int = 4,
    prepare: Callable[[], None] | None = None,
) -> str:
    """The line of a ``lunomm status`` that finds no Redis (or, ``prepare`` having run, ends with ``code``)."""
    here = folder / "here"
    here.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LUNOMM_STATE_DIR": str(folder / "state")}
    wanted = {**environment, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), **changes}

    done = subprocess.run(
        [sys.executable, "-m", "lunomm", "status"],
        cwd=here,
        env={name: value for name, value in wanted.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=prepare,
    )
    shown = done.stderr.decode()
    assert done.returncode == code, shown
    assert done.stdout == b""
    assert shown.startswith("lunomm: ") and shown.count("\n") == 1, shown
    return shown


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_same_line_everywhere(tmp_path: Path, free_port: int, name: str) -> None:
    assert f"127.0.0.1:{free_port}" in status(tmp_path, free_port, SURROUNDINGS[name])


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "lunomm", "status"],
        cwd=gone,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=gone.rmdir,
    )
    assert done.returncode == 3
    assert done.stderr.decode().startswith("lunomm: the working directory is gone")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        (resource.RLIMIT_NOFILE, 16, "open files: 16 allowed: lunomm needs 64"),
        (resource.RLIMIT_AS, 32 * 2**20, "memory: 32 MB allowed"),
    ],
    ids=["sixteen open files", "32 MB of memory"],
)
def test_too_little_room_is_said(tmp_path: Path, free_port: int, limit: int, value: int, words: str) -> None:
    shown = status(tmp_path, free_port, {}, code=3, prepare=lambda: resource.setrlimit(limit, (value, value)))
    assert words in shown and "ulimit -" in shown


@pytest.mark.parametrize("words", [["simulate", "--runs", "2"], ["exchange", "--fault", "list"]])
def test_output_that_goes_nowhere_is_no_crash(tmp_path: Path, words: list[str]) -> None:
    """A closed stdout is done quietly; a full one says what to do, in one line."""
    command = [sys.executable, "-m", "lunomm", *words]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    closed = subprocess.run(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, timeout=60, preexec_fn=lambda: os.close(1)
    )
    assert (closed.returncode, closed.stderr) == (0, b"")
    with Path("/dev/full").open("wb") as nowhere:
        full = subprocess.run(command, cwd=tmp_path, env=env, stdout=nowhere, stderr=subprocess.PIPE, timeout=60)
    said = full.stderr.decode()
    assert full.returncode == 1, said
    assert said.startswith("lunomm: No space left on device") and said.count("\n") == 1 and "Make room" in said


def test_a_paper_market_that_is_out_of_reach_is_code_4(tmp_path: Path, free_port: int) -> None:
    """Nothing listens at the upstream: said with its address and what to do next, after three tries."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LUNOMM_STATE_DIR": str(tmp_path / "state")}
    with socket.socket() as bound:  # and does not listen: no other program can take the port meanwhile
        bound.bind(("127.0.0.1", 0))
        done = _up_on_paper(tmp_path, {**environment, "REDIS_PORT": str(free_port)}, nowhere := bound.getsockname()[1])
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert (done.returncode, error["exit_code"], error["code"]) == (4, 4, "UNREACHABLE"), done.stderr.decode()
    assert f"127.0.0.1:{nowhere}" in error["message"] and "Check the connection" in error["message"]


def _up_on_paper(folder: Path, environment: dict[str, str], port: int) -> subprocess.CompletedProcess[bytes]:
    words = ["up", "--mode", "paper", "--upstream", f"http://127.0.0.1:{port}", "--json"]
    return subprocess.run(
        [sys.executable, "-m", "lunomm", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
