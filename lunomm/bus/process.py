"""What a process may know of others on this machine: whether one runs, whether it is ours, a lock between commands."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

from lunomm.errors import BusError, ConfigError

_PROC = Path("/proc")
"""The process table as files, where the system has one."""


def is_running(pid: int) -> bool:
    """Whether process ``pid`` of this machine runs (a dead one not yet collected by its parent does not)."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return not _status(pid).startswith("Z")


def is_ours(pid: int) -> bool:
    """Whether ``pid`` runs and its command line names lunomm or the server: a reused pid is never signalled."""
    return is_running(pid) and any(word in _command(pid) for word in ("lunomm", "valkey-server", "redis-server"))


def _status(pid: int) -> str:
    if (_PROC / "self" / "stat").exists():
        try:
            # The name in parentheses may hold spaces: the state follows the last one.
            return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].strip()[:1]
        except OSError:
            return ""
    return _ps(pid, "stat=")


def _command(pid: int) -> str:
    if (_PROC / "self" / "stat").exists():
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return _ps(pid, "command=")


def _ps(pid: int, what: str) -> str:
    try:
        return subprocess.run(
            ["ps", "-o", what, "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def user() -> str:
    """The user's name for screens, ``?`` where there is none."""
    try:
        return getpass.getuser()[:40]
    except (OSError, KeyError):
        return "?"


def state_folder(path: Path) -> Path:
    """Make the state folder (0700) if it is not there.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise ConfigError(f"state folder {path}: {e.strerror}. Set LUNOMM_STATE_DIR to a folder you may write") from e
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"state folder {path}: not writable. Set LUNOMM_STATE_DIR to a folder you may write")
    return path


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never half."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


@contextlib.asynccontextmanager
async def locked(path: Path, *, within_s: float = 30.0) -> AsyncIterator[None]:
    """Hold an exclusive file lock: of two commands that start at once, one starts a service and the other finds it.

    Raises:
        BusError: another process holds it for longer than ``within_s``.
    """
    try:
        import fcntl
    except ImportError:  # Windows: nothing embedded is started there, so there is nothing to lock
        yield
        return
    deadline = time.monotonic() + within_s
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusError(f"{path}: another lunomm command holds this lock. Wait for it or end it") from None
                await asyncio.sleep(0.05)
        yield
