"""The paper account on disk: the rows of ``paper_log.py`` in one SQLite file, written before anybody hears of them.

What a client was told of (a reply, a user message) is on disk before, so a power cut or a kill loses nothing he knows.
What the market did while the exchange was away is unknown and not in it; see ``PaperMarket`` on gaps.

It is compacted (``paper_compact``) when it is opened and whenever it has doubled since: in one transaction of SQLite's,
so that a crash leaves the old rows or the new ones whole, under the lock that the file has all along.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from lunomm.errors import InstanceError, JournalError
from lunomm.tape.paper_compact import compacted
from lunomm.tape.paper_log import Row, decoded, encoded

FORMAT = "1"

LEAST_ROWS = 5_000
"""A file with fewer is not compacted while it is in use: some tens of milliseconds of the exchange's time."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS header (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
"""


class PaperState:
    """One account's file, held alone. run_id: of all lives of this account.

    Raises:
        InstanceError: another process holds it. JournalError: it cannot be opened, or is not what it should be.
    """

    def __init__(self, path: Path, upstream: str) -> None:
        self.path = path
        self._pending: list[str] = []
        self._rows = self._after = 0
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            try:
                self.run_id = self._open(upstream)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InstanceError(f"{path} is used by another exchange. Use that, or stop it: lunomm down") from error
            self._damaged(str(error))
        except sqlite3.DatabaseError as error:
            self._damaged(str(error))

    def _open(self, upstream: str) -> str:
        db = self._db
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        db.executescript(_SCHEMA)  # commits what was begun
        self.path.chmod(0o600)
        header = {str(name): str(value) for name, value in db.execute("SELECT name, value FROM header")}
        if not header:
            header = {"format": FORMAT, "upstream": upstream, "run_id": secrets.token_hex(4)}
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO header VALUES (?, ?)", list(header.items()))
            db.execute("COMMIT")
        if header.get("format") != FORMAT or not header.get("run_id"):
            self._damaged(f"format {header.get('format', 'missing')[:20]}, not {FORMAT}")
        if header.get("upstream") != upstream:
            self._damaged(f"it is about {header.get('upstream', '')[:60]}, not {upstream}")
        return header["run_id"]

    def rows(self) -> list[Row]:
        """Everything so far.

        Raises:
            JournalError: it cannot be read.
        """
        try:
            found = [decoded(str(body)) for (body,) in self._db.execute("SELECT body FROM rows ORDER BY n")]
            self._rows = len(found)
            return found
        except (sqlite3.DatabaseError, msgspec.MsgspecError, UnicodeError) as error:
            self._damaged(str(error))

    def write(self, row: Row) -> None:
        """To be on disk with the next :meth:`commit`."""
        self._pending.append(encoded(row))

    def compact(self, rows: Sequence[Row]) -> list[Row]:
        """Keep of ``rows``, which are all it has, what is needed; returns that. Also gives the disk back what is free.

        Raises:
            JournalError: it cannot be written.
        """
        fresh = compacted(rows)
        try:
            if fresh != list(rows):
                self._replace([encoded(row) for row in fresh])
                self._db.execute("VACUUM")
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path}: cannot be written: {str(error)[:120]}", code="PAPER_STATE") from error
        self._rows = self._after = len(fresh)
        return fresh

    def _replace(self, bodies: Sequence[str]) -> None:
        """All rows, whole or not at all."""
        self._insert(bodies, anew=True)

    def commit(self) -> None:
        """What was written is on disk when this returns.

        Raises:
            JournalError: it is not (a full disk): nobody may be told of it.
        """
        if not self._pending:
            return
        try:
            self._insert(self._pending)
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path}: cannot be written: {str(error)[:120]}", code="PAPER_STATE") from error
        self._rows += len(self._pending)
        self._pending.clear()
        if self._rows >= max(2 * self._after, LEAST_ROWS):
            self._halve()

    def _insert(self, bodies: Sequence[str], *, anew: bool = False) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if anew:
                self._db.execute("DELETE FROM rows")
            self._db.executemany("INSERT INTO rows (body) VALUES (?)", [(body,) for body in bodies])
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.DatabaseError):
                self._db.execute("ROLLBACK")
            raise

    def _halve(self) -> None:
        """Compact while in use; a disk that has no room for that has not lost anything yet."""
        try:
            fresh = compacted(self.rows())
            self._replace([encoded(row) for row in fresh])
            self._rows = len(fresh)
        except sqlite3.DatabaseError:
            pass  # as it was; the next row that does not fit on the disk says so
        self._after = self._rows

    def close(self) -> None:
        self._db.close()

    def _damaged(self, why: str) -> NoReturn:
        raise JournalError(
            f"the paper account {self.path}: {why[:160]}. Move it away to begin anew", code="PAPER_STATE"
        )


def state_path(folder: Path, upstream: str) -> Path:
    """The file of the account that trades on this upstream's market."""
    name = "".join(char if char.isalnum() else "-" for char in upstream.partition("://")[2])
    return folder / f"paper-{name[:80]}.sqlite3"
