"""Journals seen from outside, while a gateway may hold them: read only, a few facts, nothing of orders."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from lunomm.errors import JournalError
from lunomm.market.presence import OURS


@dataclass(frozen=True, slots=True)
class Glance:
    """venue: as the journal's header has it. halted: the reason of the standing halt, None without one. pairs: served
    by it so far."""

    path: Path
    account: str
    venue: str
    halted: str | None
    pairs: tuple[str, ...]

    @property
    def mode(self) -> str:
        return self.venue.partition("-")[0]

    @property
    def run_id(self) -> str:
        """Of the exchange of ours it is about; empty for a live venue's."""
        return self.venue.partition("-")[2] if self.mode in OURS else ""


def glance(path: Path) -> Glance:
    """Look at one journal.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            header = {str(name): str(value) for name, value in db.execute("SELECT name, value FROM header")}
            halts = db.execute("SELECT reason FROM halts WHERE ended_ms IS NULL ORDER BY since_ms").fetchall()
            pairs = db.execute("SELECT DISTINCT pair FROM notes WHERE pair <> '' ORDER BY pair").fetchall()
        finally:
            db.close()
    except (sqlite3.Error, UnicodeError) as e:
        raise JournalError(f"journal {path}: cannot be read: {str(e)[:120]}. See what the gateway says of it") from e
    return Glance(
        path,
        header.get("account", ""),
        header.get("venue", ""),
        str(halts[0][0]) if halts else None,
        tuple(str(pair) for (pair,) in pairs),
    )


def glances(folder: Path) -> list[Glance]:
    """Every journal in the state folder that can be read, by name; those that cannot are left to their gateway."""
    found = []
    for path in sorted(folder.glob("journal-*.sqlite3")):
        try:
            found.append(glance(path))
        except JournalError:
            continue
    return found
