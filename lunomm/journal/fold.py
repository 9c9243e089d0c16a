"""The journal's log folded into its file beside the loop.

SQLite folds the log in the commit that makes it long, and syncs the file as well as the log: one commit in some
hundreds takes many times as long, with an order waiting for it. Here a thread with a connection of its own does it
between commits (``wal_checkpoint(PASSIVE)`` waits for nobody); what is durable is not changed by it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

FOLD_AFTER: Final = 100
"""Commits between two folds: a few hundred pages of log."""

LONGEST_LOG_PAGES: Final = 20_000
"""The commit itself folds a log this long (80 MB): the thread is then long behind, or cannot write."""


class Fold:
    """Folds the log of one file.

    Attributes:
        done: folds so far. problem: why the last one failed, None where it did not. A log that is not folded is longer,
            and no less durable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = threading.Event()
        self._ending = False
        self._commits = 0
        self.done = 0
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="journal fold", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """One more commit is in the log."""
        self._commits += 1
        if self._commits >= FOLD_AFTER:
            self._commits = 0
            self._due.set()

    def close(self) -> None:
        """End, after the fold under way."""
        self._ending = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        while True:
            self._due.wait()
            self._due.clear()
            if self._ending:
                break
            try:
                if db is None:
                    db = sqlite3.connect(self._path, isolation_level=None, timeout=0)
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self.done, self.problem = self.done + 1, None
            except sqlite3.Error as error:
                # The next one tries again; a disk that takes nothing is said by the next commit.
                self.problem = str(error)
        if db is not None:
            db.close()
