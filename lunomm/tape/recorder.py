"""Writes tapes beside a running book, which never waits for a disk.

The book hands every applied frame over to a queue (an append, some tenths of a microsecond); a thread of its own
compresses and writes once a second, each time to a whole block, so that a killed process loses a second or two and a
torn last line, which the reader cuts off. A file ends when it is large enough or the UTC day is over; the next starts
with a snapshot of the book. The oldest recordings are deleted so that all together stay within a bound, and recording
ends, with one error and never with the book's, when a file cannot be written, the disk is nearly full, or the queue
grows beyond its bound.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lunomm.errors import LunommError, UsageError
from lunomm.market.events import BookSnapshot
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules
from lunomm.quoting.looks import Looks
from lunomm.tape.lines import (
    Provenance,
    Sidecar,
    StoredFile,
    Warmth,
    is_full,
    is_ours,
    sidecar_name,
    snapshot_frame,
    surplus,
    tape_name,
)
from lunomm.tape.writer import TapeFile

FLUSH_S: Final = 1.0
MEGABYTE: Final = 2**20
ROTATE_BYTES: Final = 64 * MEGABYTE
MAX_QUEUE: Final = 64 * MEGABYTE
"""Bytes of frames waiting for the disk: an hour of the busiest market."""

MIN_FREE: Final = 256 * MEGABYTE
"""The journal lives on the same disk, as a rule, and an order must never wait for a tape."""

_NO_ROOM: Final = f"less than {MIN_FREE // MEGABYTE} MB are free, which are left to the journal"
GROWS_S: Final = 2 * 86_400.0
"""A file that is not closed and was not touched for so long is a killed recorder's."""

CLOSE_S: Final = 5.0


class _Frame(NamedTuple):
    recv_ns: int
    raw: str
    sequence: int
    first: bool
    """Whether it is a snapshot."""


class _Restart(NamedTuple):
    recv_ns: int
    snapshot: BookSnapshot


class _Own(NamedTuple):
    recv_ns: int
    own: tuple[OwnIntent, ...]


class _Lost(NamedTuple):
    recv_ns: int
    why: str


class _Looked(NamedTuple):
    recv_ns: int
    looks: Looks


_Item = _Frame | _Restart | _Own | _Lost | _Looked | Warmth


class Recorder:
    """Records one pair into ``folder`` until closed. All times: exchange clock at receipt, Unix ns.

    Args:
        max_bytes: of all recordings in the folder, every pair's.
        rotate_bytes: size at which a file ends; at most a quarter of ``max_bytes``.
        free: bytes free on the folder's disk (a test's own in tests).

    Attributes:
        trouble: why recording ended, or nothing. wants_snapshot: a file is full, and `restart` is awaited.

    Raises:
        UsageError: the folder cannot be made or written.
    """

    def __init__(
        self,
        folder: Path,
        rules: PairRules,
        provenance: Provenance,
        *,
        max_bytes: int,
        rotate_bytes: int = ROTATE_BYTES,
        free: Callable[[Path], int] | None = None,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{rules.pair}-{time.time_ns()}.probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"tapes: {folder}: {error.strerror}. Give --record or --into a folder that can be written"
            ) from None
        self._folder = folder
        self._rules = rules
        self._provenance = provenance
        self._max_bytes = max_bytes
        self._rotate_bytes = max(1, min(rotate_bytes, max_bytes // 4))
        self._free = free or _free
        self._queue: deque[_Item] = deque()
        # Two counters, each written by one thread only: a shared one would need a lock on the hot path.
        self._put = 0
        self._done = 0
        self._end = threading.Event()
        self.trouble = ""
        self.wants_snapshot = False
        self._file: TapeFile | None = None
        self._own: _Own | None = None
        self._warm: Warmth | None = None
        self._lost = False
        self._number = 0
        self._run = _base36(time.time_ns() // 1_000_000)
        self._previous: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"recorder {rules.pair}", daemon=True)
        self._thread.start()

    # --- the book's side: none of these waits or raises --------------------------------------------------------------

    def frame(self, recv_ns: int, raw: str, sequence: int, *, snapshot: bool) -> None:
        """A frame that was applied."""
        if self.trouble:
            return
        self._put += len(raw)
        if self._put - self._done > MAX_QUEUE:
            self._give_up(f"the disk does not keep up: {MAX_QUEUE // MEGABYTE} MB are waiting")
            return
        self._queue.append(_Frame(recv_ns, raw, sequence, snapshot))

    def restart(self, recv_ns: int, snapshot: BookSnapshot) -> None:
        """The book as it stands, to begin the next file with: what ``wants_snapshot`` asked for."""
        self.wants_snapshot = False
        if not self.trouble:
            self._queue.append(_Restart(recv_ns, snapshot))

    def own(self, recv_ns: int, own: tuple[OwnIntent, ...]) -> None:
        """Our own orders are these from here on."""
        if not self.trouble:
            self._queue.append(_Own(recv_ns, own))

    def looked(self, recv_ns: int, looks: Looks) -> None:
        """Our quoter says when it looked."""
        if not self.trouble:
            self._queue.append(_Looked(recv_ns, looks))

    def warm(self, warm: Warmth) -> None:
        """What the book begins from."""
        if not self.trouble:
            self._queue.append(warm)

    def lost(self, recv_ns: int, why: str) -> None:
        """The stream was lost or the book dropped: the next frame is a snapshot."""
        if not self.trouble:
            self._queue.append(_Lost(recv_ns, why))

    @property
    def path(self) -> Path | None:
        """The file being written."""
        file = self._file
        return None if file is None else file.path

    @property
    def size(self) -> int:
        """Bytes of it on the disk."""
        file = self._file
        return 0 if file is None else file.size

    def close(self) -> None:
        """Write what is left and end the file; waits for a few seconds at most."""
        self._end.set()
        self._thread.join(CLOSE_S)

    def _give_up(self, why: str) -> None:
        if not self.trouble:
            self.trouble = f"recording stopped: {why}"
        self._queue.clear()

    # --- the thread's side -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        ending = False
        while not ending:
            ending = self._end.wait(FLUSH_S)
            try:
                self._drain()
                if self._file is not None:
                    self._file.flush()
                    if self._free(self._folder) < MIN_FREE:
                        self._give_up(_NO_ROOM)
                if ending or self.trouble:
                    self._close("closed" if not self.trouble else self.trouble)
            except OSError as error:
                self._give_up(f"{self._folder}: {error.strerror or type(error).__name__}")
                self._abandon()
            if self.trouble:
                return

    def _drain(self) -> None:
        while self._queue:
            try:
                item = self._queue.popleft()
            except IndexError:
                return  # given up meanwhile
            self._write(item)

    def _write(self, item: _Item) -> None:
        if isinstance(item, Warmth):
            self._warm = item
            if self._file is not None:
                self._file.warmed(item)
            return
        if isinstance(item, _Own):
            self._own = item
            if self._file is not None:
                self._file.add_own(*item)
            return
        if isinstance(item, _Looked):
            if self._file is not None:
                self._file.add_looks(*item)
            return
        if isinstance(item, _Restart):
            # Frames queued before the last one asked once more, of the file that it has ended since.
            if self._file is not None and not self._full(item.recv_ns):
                return
            self._close("the file was full")
            self._begin(item.recv_ns, "book")
            raw = snapshot_frame(item.snapshot, self._rules)
            self._add(_Frame(item.recv_ns, raw, item.snapshot.sequence, True))
            return
        if isinstance(item, _Lost):
            if self._file is not None and not self._lost:
                self._file.add_lost(*item)
            self._lost = True
            return
        self._done += len(item.raw)
        if self._file is None and not item.first:
            return
        if self._file is None or (item.first and self._full(item.recv_ns)):
            self._close("the file was full")
            self._previous = None  # a new snapshot of the stream follows no file without a gap
            self._begin(item.recv_ns, "stream")
        self._lost = False
        self._add(item)

    def _full(self, now_ns: int) -> bool:
        file = self._file
        return file is not None and is_full(file.size, file.about.started_ns, now_ns, self._rotate_bytes)

    def _begin(self, now_ns: int, begun: str) -> None:
        self._make_room()
        self._number += 1
        name = tape_name(self._rules.pair, now_ns, self._run, self._number)
        about = Sidecar(
            tape=name,
            pair=self._rules.pair,
            provenance=self._provenance,
            rules=self._rules,
            begun=begun,
            continues=self._previous if begun == "book" else None,
            started_ns=now_ns,
            warm=self._warm,
        )
        self._file = TapeFile(self._folder, about)
        if self._own is not None:
            self._file.add_own(now_ns, self._own.own)

    def _add(self, frame: _Frame) -> None:
        file = self._file
        assert file is not None
        file.add_frame(frame.recv_ns, frame.raw, frame.sequence, snapshot=frame.first)
        if not self.wants_snapshot and not frame.first and self._full(frame.recv_ns):
            self.wants_snapshot = True

    def _close(self, why: str) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._previous = file.about.tape
            file.close(why)

    def _abandon(self) -> None:
        """A file that cannot be written is left as it is: its end is torn, which readers know about."""
        file, self._file = self._file, None
        if file is not None:
            file.abandon()

    def _make_room(self) -> None:
        stored, growing = [], []
        for path in self._folder.iterdir():
            if is_ours(path.name):
                beside = self._folder / sidecar_name(path.name)
                stored.append(StoredFile(path.name, _size(path) + _size(beside)))
                if _grows(path, beside):
                    growing.append(path.name)
        # Room for what is still being written as well, or the bound would be passed while it grows.
        reserved = self._rotate_bytes * (1 + len(growing))
        for name in surplus(stored, max(0, self._max_bytes - reserved), growing):
            (self._folder / name).unlink(missing_ok=True)
            (self._folder / sidecar_name(name)).unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _grows(tape: Path, beside: Path) -> bool:
    """Whether some recorder, of this process or another, is still writing a tape."""
    try:
        about = msgspec.json.decode(beside.read_bytes(), type=Sidecar)
        return not about.closed and time.time() - tape.stat().st_mtime < GROWS_S
    except (OSError, msgspec.DecodeError, LunommError):
        return False


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
