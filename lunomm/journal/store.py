"""The durable record of one account at one venue: intent before POST, every status, every fill, the halt.

A SQLite file in the state folder (WAL, synchronous=FULL, mode 0600), named by venue and account. A step of the
reconciler is one transaction: it survives whole or not at all, and it is on the disk before the step's calls begin. A
file of another account, another venue, a newer program, or one that is damaged is refused with advice: its fills cannot
be made up.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from lunomm.errors import JournalError
from lunomm.journal import schema
from lunomm.journal.fold import LONGEST_LOG_PAGES, Fold
from lunomm.journal.rows import fill_of, fill_row, flow_of, order_of, order_row, whole
from lunomm.journal.schema import FILLS, FLOWS, HALTS, HEADER, NOTES, ORDERS, REQUESTS, UPDATES, Table, checksum
from lunomm.market.presence import OURS
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState, OrderUpdate
from lunomm.trading import throttle
from lunomm.trading.events import (
    Flow,
    Save,
    SaveFill,
    SaveFlow,
    SaveHalt,
    SaveNote,
    SaveOrder,
    SaveRequest,
    SaveResume,
    SaveUpdate,
)
from lunomm.trading.orders import Order
from lunomm.trading.restored import Restored, RestoredPair
from lunomm.trading.shared import REMEMBER_MS

T = TypeVar("T")

UPDATES_KEPT = 10_000
"""ORDER_UPDATES kept for publishing again; their stream holds as many."""

DAY = "day"
"""Note of a pair: the day its loss is counted for; a day that is over begins the count anew."""

PRUNE_EVERY = 500

REQUESTS_KEPT = 10_000

_ENDED_WORDS = ", ".join(f"'{state.value}'" for state in OrderState if state.terminal)
_OVER = f"state IN ({_ENDED_WORDS}) AND updated_ms <= ? AND filled_base = booked_base"
"""Orders that need no more looking at. Amounts are compared as text: written otherwise, one is merely looked at."""

_MAGIC = b"SQLite format 3\0"
_UNREADABLE = (sqlite3.Error, UnicodeError)
"""What sqlite3 raises for a damaged file: a message that quotes a damaged name cannot even be decoded."""


class Journal:
    """An open journal. Made by :func:`open_journal`; used by one process at a time (see ``lock``)."""

    def __init__(self, path: Path, db: sqlite3.Connection, fold: Fold | None = None) -> None:
        self.path = path
        self.fold = fold
        self._db = db
        self._place = 1 + max(
            self._number("SELECT max(place) FROM fills"), self._number("SELECT max(place) FROM flows")
        )
        self._since_prune = 0

    def close(self) -> None:
        """Fold the log into the file and let go of both."""
        if self.fold is not None:
            self.fold.close()
        try:
            try:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._db.close()
        except sqlite3.Error as e:
            raise JournalError(f"journal {self.path}: cannot be closed: {e}") from e

    def close_reading(self) -> None:
        """Let go of a journal that was only read."""
        self._db.close()

    # --- writing ---------------------------------------------------------------------------------------------------

    def commit(self, saves: Sequence[Save]) -> None:
        """Make one step durable, whole.

        Raises:
            JournalError: it could not be written (disk full, file gone): nothing of it may be acted on.
        """
        if not saves:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for save in saves:
                    self._save(save)
                self._prune(saves)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            raise JournalError(
                f"journal {self.path}: cannot be written: {e}. Free the disk or fix its permissions, then start again"
            ) from e
        if self.fold is not None:
            self.fold.committed()

    def _save(self, save: Save) -> None:
        if isinstance(save, SaveOrder):
            self._put(ORDERS.upsert, order_row(save.order))
        elif isinstance(save, SaveFill):
            self._put(FILLS.insert, (*fill_row(save.fill), self._next_place()))
        elif isinstance(save, SaveFlow):
            flow = save.flow
            mark = None if flow.mark is None else format(flow.mark, "f")
            row = (flow.pair, flow.ref, format(flow.base, "f"), format(flow.counter, "f"), flow.ts_ms, mark)
            self._put(FLOWS.insert, (*row, self._next_place()))
        elif isinstance(save, SaveNote):
            self._put(NOTES.upsert, (save.pair, save.name, save.value))
        elif isinstance(save, SaveUpdate):
            self._put(UPDATES.insert, (save.update.number, msgspec.json.encode(save.update).decode()))
            self._since_prune += 1
        elif isinstance(save, SaveHalt):
            self._put(HALTS.upsert, (save.ts_ms, save.reason, None, None))
        elif isinstance(save, SaveResume):
            self._end_halts(save.who, save.ts_ms)
        elif isinstance(save, SaveRequest):
            self._put(REQUESTS.upsert, (save.request_id, save.step, save.pair, save.ts_ms, save.who, save.words))
            oldest = "(SELECT max(rowid) FROM requests) - ?"
            self._db.execute(f"DELETE FROM requests WHERE rowid <= {oldest}", (REQUESTS_KEPT,))

    def _put(self, statement: str, row: Sequence[object]) -> None:
        self._db.execute(statement, (*row, checksum(row)))

    def _next_place(self) -> int:
        self._place += 1
        return self._place - 1

    def _prune(self, saves: Sequence[Save]) -> None:
        if self._since_prune < PRUNE_EVERY:
            return
        self._since_prune = 0
        newest = max(s.update.number for s in saves if isinstance(s, SaveUpdate))
        self._db.execute("DELETE FROM updates WHERE number <= ?", (newest - UPDATES_KEPT,))

    def resume(self, who: str, now_ms: int) -> bool:
        """End a standing halt, and let every count begin anew, each pair's of the day's loss too; False when there is
        none."""
        standing = self.halted()
        pairs = [str(pair) for pair, name, _ in self._rows(NOTES) if name == DAY]
        anew = [SaveNote("", throttle.NOTE, ""), *(SaveNote(pair, DAY, "-1") for pair in pairs)]
        self.commit([SaveResume(who, now_ms), *anew])
        return standing is not None

    def _end_halts(self, who: str, now_ms: int) -> None:
        for since_ms, reason, _, _ in self._rows(HALTS, "WHERE ended_ms IS NULL"):
            self._put(HALTS.upsert, (since_ms, reason, now_ms, who))

    def halted(self) -> str | None:
        """The reason of the standing halt, None when there is none."""
        halts = [str(row[1]) for row in self._rows(HALTS, "WHERE ended_ms IS NULL ORDER BY since_ms")]
        return halts[0] if halts else None

    # --- reading ---------------------------------------------------------------------------------------------------

    def restore(self, now_ms: int) -> Restored:
        """Everything a successor must know.

        Args:
            now_ms: exchange time; orders that ended long before it are not handed back (their ids are).
        """
        used: dict[str, set[str]] = {}
        orders: dict[str, list[Order]] = {}
        # A week has hundreds of thousands of orders: of those that are over, the name is enough.
        long_ago = (now_ms - REMEMBER_MS,)
        for row in self._each(ORDERS, f"WHERE NOT ({_OVER})", long_ago):
            order = self._read(order_of, row)
            used.setdefault(order.pair, set()).add(order.intent_id)
            orders.setdefault(order.pair, []).append(order)
        names = f"SELECT pair, intent_id FROM {ORDERS.name} WHERE {_OVER}"
        for pair, intent_id in self._select(ORDERS, names, long_ago):
            used.setdefault(str(pair), set()).add(str(intent_id))
        entries: dict[str, list[tuple[int, Fill | Flow]]] = {}
        for row in self._each(FILLS):
            entries.setdefault(str(row[0]), []).append((whole(row[-1]), self._read(fill_of, row)))
        for row in self._each(FLOWS):
            entries.setdefault(str(row[0]), []).append((whole(row[-1]), self._read(flow_of, row)))
        notes: dict[str, dict[str, str]] = {}
        for pair, name, value in self._rows(NOTES):
            notes.setdefault(str(pair), {})[str(name)] = str(value)
        pairs = {
            pair: RestoredPair(
                tuple(orders.get(pair, ())),
                frozenset(used.get(pair, ())),
                tuple(entry for _, entry in sorted(entries.get(pair, []), key=lambda item: item[0])),
                notes.get(pair, {}),
            )
            for pair in used.keys() | entries.keys() | (notes.keys() - {""})
        }
        last = self._number("SELECT max(number) FROM updates") or now_ms
        return Restored(pairs, notes.get("", {}), last, self.halted())

    def fills(self, pair: str, after: tuple[int, int] | None = None) -> list[Fill]:
        """Fills of a pair by (sequence, 0 for BID | 1 for ASK), those after ``after``."""
        found = [self._read(fill_of, row) for row in self._rows(FILLS, "WHERE pair = ?", (pair,))]
        found.sort(key=fill_key)
        return [fill for fill in found if after is None or fill_key(fill) > after]

    def last_fills(self, pair: str, count: int) -> list[Fill]:
        """The newest ``count`` of `fills`, in the same order."""
        # ASK before BID: downwards, as `fill_key` has it.
        newest = "WHERE pair = ? ORDER BY sequence DESC, side LIMIT ?"
        return [self._read(fill_of, row) for row in reversed(self._rows(FILLS, newest, (pair, count)))]

    def note(self, name: str, pair: str = "") -> str | None:
        """One durable fact, None when it was never written."""
        rows = self._rows(NOTES, "WHERE pair = ? AND name = ?", (pair, name))
        return str(rows[0][2]) if rows else None

    def requests(self) -> list[tuple[object, ...]]:
        """What people asked and what became of it, oldest first: id, step, pair, Unix ms, who, words."""
        return self._rows(REQUESTS, "ORDER BY rowid")

    def updates(self, after: int) -> list[OrderUpdate]:
        """ORDER_UPDATES messages numbered above ``after``, oldest first."""
        rows = self._rows(UPDATES, "WHERE number > ? ORDER BY number", (after,))
        return [self._read(lambda r: msgspec.json.decode(str(r[1]), type=OrderUpdate), row) for row in rows]

    def _rows(self, table: Table, where: str = "", values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return list(self._each(table, where, values))

    def _each(self, table: Table, where: str = "", values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
        for row in self._select(table, f"{table.select} {where}", values):
            if checksum(row[:-1]) != row[-1]:
                _damaged(self.path, f"a row of {table.name} does not match its checksum")
            yield row[:-1]

    def _select(self, table: Table, query: str, values: Sequence[object]) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._db.execute(query, values)
        except _UNREADABLE as e:
            _damaged(self.path, f"{table.name} cannot be read: {e}")

    def _read(self, make: Callable[[Sequence[object]], T], row: Sequence[object]) -> T:
        try:
            return make(row)
        except (ValueError, ArithmeticError, TypeError, msgspec.MsgspecError) as e:
            _damaged(self.path, f"a row cannot be understood: {type(e).__name__}")

    def _number(self, query: str) -> int:
        try:
            value = self._db.execute(query).fetchone()[0]
        except _UNREADABLE as e:
            _damaged(self.path, str(e))
        return whole(value) if value is not None else 0


def fill_key(fill: Fill) -> tuple[int, int]:
    """Where a fill stands in FILLS::<pair>: its stream id is ``<sequence>-<0|1>``."""
    return fill.sequence, 0 if fill.side is Side.BID else 1


def venue_name(mode: str, *, host: str = "", run_id: str = "") -> str:
    """What one journal is about: a host, or one run of an exchange of ours (another run is another world)."""
    return f"{mode}-{run_id}" if mode in OURS else f"{mode}-{host}"


def journal_path(folder: Path, venue: str, account: str) -> Path:
    """The file of one account at one venue. venue: anything printable; only letters and digits of it are used."""
    return folder / f"journal-{re.sub(r'[^A-Za-z0-9]+', '-', venue).strip('-')[:80]}-{account}.sqlite3"


def open_journal(path: Path, *, account: str, venue: str, fold_beside: bool = False) -> Journal:
    """Open, or make, the journal of one account at one venue.

    Args:
        account: hash of the account's smallest id. venue: the venue's key; both must be what the file says.
        fold_beside: a thread folds the log, not the commit that makes it long.

    Raises:
        JournalError: another account's or venue's, a newer program's, damaged, or not writable. Says what to do.
    """
    try:
        _create(path)
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
        if head not in (b"", _MAGIC):
            _damaged(path, "it is no database")
        db = sqlite3.connect(path, isolation_level=None, timeout=5)
    except (OSError, sqlite3.Error) as e:
        raise JournalError(f"journal {path}: cannot be opened: {e}. Fix the folder's permissions") from e
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        _check(path, db, account, venue)
        db.execute(REQUESTS.create.replace("TABLE", "TABLE IF NOT EXISTS", 1))
        if not fold_beside:
            return Journal(path, db)
        db.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG_PAGES}")
        return Journal(path, db, Fold(path))
    except _UNREADABLE as e:
        db.close()
        _damaged(path, str(e))
    except JournalError:
        db.close()
        raise


def read_journal(path: Path, *, account: str, venue: str) -> Journal:
    """The journal as it is on the disk now, for reading only, beside the gateway that writes it.

    End it with :meth:`Journal.close_reading`.

    Raises:
        JournalError: as :func:`open_journal`.
    """
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
        # One moment of it: what is written while it is read belongs to the next look.
        db.execute("BEGIN")
        _check(path, db, account, venue)
        return Journal(path, db)
    except _UNREADABLE as e:
        raise JournalError(f"journal {path}: cannot be read: {e}") from e


def _create(path: Path) -> None:
    """The file exists and is its owner's alone; its log files inherit that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _check(path: Path, db: sqlite3.Connection, account: str, venue: str) -> None:
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        if db.execute("PRAGMA page_count").fetchone()[0] > 1:
            _damaged(path, "its tables are gone")
        _fill_new(db, account, venue)
        return
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise JournalError(f"journal {path}: another program's file. Move it away, or set LUNOMM_STATE_DIR elsewhere")
    if db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        _damaged(path, "its integrity check fails")
    header = dict(db.execute("SELECT name, value FROM header").fetchall())
    if any(checksum(row[:-1]) != row[-1] for row in db.execute(HEADER.select)):
        _damaged(path, "its header does not match its checksum")
    version = header.get("schema", "")
    if not version.isdigit() or int(version) != schema.SCHEMA:
        raise JournalError(
            f"journal {path}: schema {version[:8] or 'unknown'}, this program writes {schema.SCHEMA}. "
            "Use the lunomm version that wrote it, or move the file away"
        )
    for name, mine in (("account", account), ("venue", venue)):
        if header.get(name) != mine:
            raise JournalError(
                f"journal {path}: is of {name} {header.get(name, 'unknown')[:80]}, this gateway serves {mine[:80]}. "
                "Move the file away, or set LUNOMM_STATE_DIR elsewhere"
            )


def _fill_new(db: sqlite3.Connection, account: str, venue: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    for table in schema.TABLES:
        db.execute(table.create)
    for row in (("schema", str(schema.SCHEMA)), ("account", account), ("venue", venue)):
        db.execute(HEADER.insert, (*row, checksum(row)))
    db.execute("COMMIT")


def _damaged(path: Path, why: str) -> NoReturn:
    raise JournalError(
        f"journal {path}: damaged: {why[:120]}. It cannot be trusted: check open orders on the exchange, move the file "
        "(and its -wal and -shm) away, then start again",
        code="JOURNAL_DAMAGED",
    )
