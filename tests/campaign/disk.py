"""The disk of the machine: journals that outlive their process with what was committed, and the locks on them.

The journal's own code and SQLite run, on a database in memory; a step that was not committed when the process died is
gone. A commit may fail, take its time, or be the last thing a process does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from campaign.loop import PROCESS, Process
from lunomm.errors import InstanceError, JournalError
from lunomm.journal import store
from lunomm.journal.store import Journal
from lunomm.trading.events import Save, SaveFill, SaveHalt, SaveNote, SaveOrder, SaveResume, SaveUpdate
from lunomm.trading.ledger import FIRST_MS, SHARE

if TYPE_CHECKING:
    from campaign.world import World


class Killed(BaseException):
    """The process died here; nothing of it runs again."""


class Lock:
    """Stands for `JournalLock`: held by its process and by who inherited it, gone with the last of them."""

    def __init__(self, journal: Path) -> None:
        process = PROCESS.get()
        assert process is not None
        disk: Disk = process.world.disk
        held = disk.locks.get(journal)
        if held is not None and held.holders():
            raise InstanceError(
                f"gateway: process {held.text} serves this account already. Stop that one first", code="JOURNAL_LOCKED"
            )
        self._holders = [process]
        self.text = str(process.pid)
        disk.locks[journal] = self
        disk.descriptors.append(self)
        self.fd = len(disk.descriptors) - 1
        process.world.checker.sources.lock_taken()

    def holders(self) -> list[Process]:
        self._holders = [process for process in self._holders if not process.dead]
        return self._holders

    def inherit(self, process: Process) -> None:
        self._holders.append(process)

    def release(self) -> None:
        process = PROCESS.get()
        self._holders = [holder for holder in self._holders if holder is not process]


class Disk:
    """sent: client ids whose intent is durable."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.locks: dict[Path, Lock] = {}
        self.descriptors: list[Lock] = []
        self.databases: dict[Path, sqlite3.Connection] = {}
        self.sent: set[str] = set()

    def lock_owner(self, journal: Path) -> str:
        """Stands for `lunomm.journal.lock.lock_owner`."""
        held = self.locks.get(journal)
        return "" if held is None else held.text

    def served_by(self, process: Process) -> bool:
        return any(process in held.holders() for held in self.locks.values())

    def open_journal(self, path: Path, *, account: str, venue: str, fold_beside: bool) -> Journal:
        """Stands for `lunomm.journal.store.open_journal`."""
        db = self.databases.get(path)
        if db is None:
            db = self.databases[path] = sqlite3.connect(":memory:", isolation_level=None)
        if db.in_transaction:
            db.execute("ROLLBACK")
        store._check(path, db, account, venue)
        return SimJournal(path, db)

    def journal(self) -> Journal | None:
        """What a successor would read now, None before the first gateway."""
        for path, db in self.databases.items():
            return Journal(path, db)
        return None

    def close(self) -> None:
        for db in self.databases.values():
            db.close()


class SimJournal(Journal):
    """The journal on that disk."""

    def commit(self, saves: Sequence[Save]) -> None:
        if not saves:
            return
        process = PROCESS.get()
        assert process is not None
        world = process.world
        fires = world.faults.fires
        if fires("kill.before_commit"):
            world.kill(process, "before a commit")
            raise Killed
        if fires("disk.full"):
            raise JournalError(f"journal {self.path}: cannot be written: disk full. Free the disk, then start again")
        super().commit(saves)
        for save in saves:
            if isinstance(save, SaveOrder):
                world.disk.sent.add(save.order.client_order_id)
                world.checker.records.journaled(process, save.order)
            elif isinstance(save, SaveNote) and save.name == SHARE:
                world.checker.share = Decimal(save.value)
            elif isinstance(save, SaveNote) and save.name == FIRST_MS:
                world.checker.records.first_ms = int(save.value) - process.skew_ns // 1_000_000
            elif isinstance(save, SaveHalt):
                world.checker.records.halt_saved(save.reason)
            elif isinstance(save, SaveResume):
                world.checker.records.resume_saved()
            elif isinstance(save, SaveFill):
                world.checker.records.booked(save.fill)
            elif isinstance(save, SaveUpdate):
                world.checker.records.update_saved(save.update)
        if fires("disk.slow"):
            # The loop is blocked while the disk works: what the step begins begins late.
            world.loop.pause(process, world.rng.uniform(0.2, 5.0))
            world.checker.sources.gateway_hurt()
        if fires("kill.after_commit"):
            world.kill(process, "after a commit")
            raise Killed

    def close(self) -> None:
        """The file stays."""
