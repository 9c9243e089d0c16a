"""One gateway an account on one machine: an advisory lock on a file beside the journal, gone with its process.

The lock, not Redis, is what makes a second gateway impossible here; Redis' lease tells people on other machines. The
file holds the owner's process id for the message and is never removed (removing it would let two processes lock two
files of one name). A gateway's guardian inherits the lock: it outlasts a gateway that was killed until none of its
orders is left.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lunomm.errors import InstanceError, JournalError

HEIR = "guardian"
"""What the file says before the process id once the guardian of a dead gateway holds the lock."""


def lock_owner(journal: Path) -> str:
    """What the lock file says: a process id, ``guardian`` and one, or nothing."""
    try:
        return journal.with_suffix(".lock").read_bytes()[:40].decode("ascii", "replace").strip()
    except OSError:
        return ""


class JournalLock:
    """Held from construction until :meth:`release` or the end of the process and of those that inherited ``fd``.

    Raises:
        InstanceError: another process holds it; says which.
        JournalError: the file cannot be made.
    """

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_suffix(".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fd: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise JournalError(f"lock {self.path}: cannot be made: {e.strerror}. Fix the folder's permissions") from e
        if not _try_lock(self.fd):
            owner = lock_owner(journal)
            os.close(self.fd)
            self.fd = None
            who = f"process {owner}" if owner.isdigit() else "another process"
            raise InstanceError(
                f"gateway: {who} serves this account already. Stop that one first", code="JOURNAL_LOCKED"
            )
        os.ftruncate(self.fd, 0)
        os.write(self.fd, str(os.getpid()).encode())

    def release(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> bool:
        try:
            # A byte far behind the text, so that the owner can still be read.
            os.lseek(fd, 1 << 20, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
