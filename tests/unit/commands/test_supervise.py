"""A supervised child: restarted after 1, 2 seconds, down at the third death, ended when asked, killed when deaf."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lunomm.bus.process import is_running
from lunomm.commands import supervise
from lunomm.commands.supervise import Child
from lunomm.errors import (
    ConfigError,
    ExchangeError,
    InstanceError,
    LunommError,
    OrdersMayBeLive,
    RefusedError,
    UsageError,
)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`python -m lunomm ARG` runs ARG as a program here."""
    package = tmp_path / "path" / "lunomm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys\nexec(sys.argv[1])\n")
    monkeypatch.setattr(supervise, "DELAYS_S", (0.01, 0.02, 0.04))


def child(tmp_path: Path, program: str, deaths: list[int] | None = None) -> Child:
    return Child(
        "piece",
        [program],
        tmp_path,
        environment={**os.environ, "PYTHONPATH": str(tmp_path / "path"), "PYTHONSAFEPATH": "1"},
        on_death=None if deaths is None else lambda name, code: deaths.append(code),
    )


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_the_third_death_is_final(tmp_path: Path) -> None:
    deaths: list[int] = []
    piece = child(tmp_path, "import sys; sys.exit('lunomm: it broke\\x1b[2J.')", deaths)
    with pytest.raises(LunommError, match="piece died 3 times within 5 minutes and stays down") as caught:
        await piece.keep()
    assert caught.value.exit_code == 1
    assert "it broke" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert deaths == [1, 1, 1]
    assert piece.restarts == 2


async def test_what_cannot_be_reached_keeps_its_code_and_its_words(tmp_path: Path) -> None:
    program = "import sys; sys.stderr.write('lunomm: GET /markets: refused. Check the connection.\\n'); sys.exit(4)"
    with pytest.raises(
        ExchangeError, match=r"^piece does not reach what it needs: .*Check the connection\. See "
    ) as caught:
        await child(tmp_path, program).keep()
    assert (caught.value.exit_code, caught.value.code) == (4, "UNREACHABLE")


async def test_deaths_long_ago_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "WITHIN_S", 0.0)
    deaths: list[int] = []
    piece = child(tmp_path, "import sys; sys.exit(4)", deaths)
    keeping = asyncio.create_task(piece.keep())
    await until(lambda: len(deaths) > 4)
    await piece.end(within_s=10)
    await keeping


@pytest.mark.parametrize(("code", "error"), [(2, UsageError), (3, ConfigError), (5, RefusedError), (6, InstanceError)])
async def test_an_exit_no_restart_mends(tmp_path: Path, code: int, error: type[LunommError]) -> None:
    program = f"import sys; sys.stderr.write('lunomm: its own words.\\n'); sys.exit({code})"
    with pytest.raises(error, match="its own words"):
        await child(tmp_path, program).keep()


async def test_a_killed_child_comes_back_with_a_session_of_its_own(tmp_path: Path) -> None:
    piece = child(tmp_path, "import time; time.sleep(60)")
    keeping = asyncio.create_task(piece.keep())
    await until(lambda: piece.pid is not None)
    first = piece.pid
    assert first is not None
    assert os.getsid(first) == first
    os.kill(first, signal.SIGKILL)
    await until(lambda: piece.pid != first)
    assert piece.state == "UP"
    assert await piece.end(within_s=10) == -signal.SIGTERM
    await keeping
    assert piece.pid is not None
    assert not is_running(piece.pid)


async def test_a_deaf_child_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    piece = child(tmp_path, program)
    keeping = asyncio.create_task(piece.keep())
    await until(ready.exists)
    assert await piece.end(within_s=0.2) == -signal.SIGKILL
    await keeping


async def test_ending_what_never_ran(tmp_path: Path) -> None:
    piece = child(tmp_path, "pass")
    assert await piece.end(within_s=1) is None
    await piece.keep()
    assert piece.pid is None


async def test_its_words_go_to_a_bounded_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOG_KEPT", 10)
    piece = child(tmp_path, "import sys; print('a' * 100); sys.exit(2)")
    for _ in range(2):
        with pytest.raises(UsageError):
            await piece.keep()
    assert piece.log.read_text().count("a" * 100) == 1
    assert sys.executable


async def test_the_log_of_one_that_never_dies_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOG_KEPT", 2_000)
    monkeypatch.setattr(supervise, "LOG_LOOK_S", 0.05)
    piece = child(
        tmp_path, "import time\nfor n in range(10**6):\n    print(n, 'a' * 90, flush=True)\n    time.sleep(0.001)"
    )
    keeping = asyncio.create_task(piece.keep())
    lines = 0

    def said() -> bool:
        nonlocal lines
        assert not piece.log.exists() or piece.log.stat().st_size < 1_000_000
        rows = piece.log.read_text().splitlines() if piece.log.exists() else []
        lines = int(rows[-1].split()[0]) if rows and rows[-1].split()[0].isdigit() else lines
        return lines > 300  # thirty thousand bytes

    await until(said)
    await until(lambda: piece.log.stat().st_size < 6_000)
    assert "\0" not in piece.log.read_text()  # it goes on at the new end
    await piece.end(within_s=5)
    await keeping


async def test_exit_8_outranks_staying_down(tmp_path: Path) -> None:
    with pytest.raises(OrdersMayBeLive, match="BX1 may be live") as caught:
        await child(tmp_path, "import sys; print('lunomm: BX1 may be live'); sys.exit(8)").keep()
    assert caught.value.exit_code == 8


async def test_a_full_disk_is_said_where_a_log_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(supervise.shutil, "disk_usage", lambda _: usage._replace(free=1024))
    with pytest.raises(LunommError, match=r"disk of .* is full: 1 KB are free\. Make room"):
        await child(tmp_path, "import sys; sys.exit(120)").keep()
