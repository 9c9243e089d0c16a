"""The paper account on disk: the rows of ``paper_log.py`` in one SQLite file, written before anybody hears of them.

What a client was told of (a reply, a user message) is on disk before, so a power cut or a kill loses nothing he knows.
What the market did while the exchange was away is unknown and not in it; see ``PaperMarket`` on gaps.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from pathlib import Path
from typing import NoReturn

import msgspec

from lunomm.errors import InstanceError, JournalError
from lunomm.tape.paper_log import Row, decoded, encoded

FORMAT = "1"

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
            return [decoded(str(body)) for (body,) in self._db.execute("SELECT body FROM rows ORDER BY n")]
        except (sqlite3.DatabaseError, msgspec.MsgspecError, UnicodeError) as error:
            self._damaged(str(error))

    def write(self, row: Row) -> None:
        """To be on disk with the next :meth:`commit`."""
        self._pending.append(encoded(row))

    def commit(self) -> None:
        """What was written is on disk when this returns.

        Raises:
            JournalError: it is not (a full disk): nobody may be told of it.
        """
        if not self._pending:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT INTO rows (body) VALUES (?)", [(body,) for body in self._pending])
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.DatabaseError):
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path}: cannot be written: {str(error)[:120]}", code="PAPER_STATE") from error
        self._pending.clear()

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
