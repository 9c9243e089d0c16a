"""One tape under way: lines compressed into a file, and its sidecar beside it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from lunomm.market.own import OwnIntent
from lunomm.quoting.looks import Looks
from lunomm.tape.lines import Sidecar, Warmth, frame_line, header_line, looks_line, lost_line, own_line, sidecar_name

_LEVEL: Final = 6
_GZIP: Final = 31


class TapeFile:
    """A tape being written.

    Args:
        folder: where. about: the sidecar as it stands at the beginning; ``about.tape`` is the file's name.

    Raises:
        FileExistsError: there is such a file. OSError: the disk's, by every method but `abandon`.
    """

    def __init__(self, folder: Path, about: Sidecar) -> None:
        self.path = folder / about.tape
        self.about = about
        self.size = 0
        self._beside = folder / sidecar_name(about.tape)
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._digest = hashlib.sha256()
        self._out = self.path.open("xb", buffering=0)
        self._pending = False
        self._note()
        self._put(header_line(about))

    def add_frame(self, recv_ns: int, raw: str, sequence: int, *, snapshot: bool) -> None:
        about = self.about
        about.frames += 1
        about.snapshots += snapshot
        about.first_sequence = sequence if about.first_sequence is None else about.first_sequence
        about.last_sequence, about.ended_ns = sequence, recv_ns
        self._put(frame_line(recv_ns, raw))

    def add_own(self, recv_ns: int, own: Iterable[OwnIntent]) -> None:
        self.about.own_changes += 1
        self._put(own_line(recv_ns, own, self.about.rules))

    def add_lost(self, recv_ns: int, why: str) -> None:
        self.about.gaps += 1
        self._put(lost_line(recv_ns, why))

    def add_looks(self, recv_ns: int, looks: Looks) -> None:
        self._put(looks_line(recv_ns, looks))

    def warmed(self, warm: Warmth) -> None:
        """The book was told of the past."""
        self.about.warm = warm
        self._note()

    def _put(self, line: bytes) -> None:
        self._pending = True
        self._out_all(self._deflate.compress(line))

    def flush(self) -> None:
        """Everything so far into the file as a whole block, readable even if no byte follows."""
        if self._pending:
            self._pending = False
            self._out_all(self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def _out_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._out.write(view)
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]

    def close(self, why: str) -> None:
        """End the file, and say so beside it."""
        self._out_all(self._deflate.flush(zlib.Z_FINISH))
        self._out.close()
        self.about.closed, self.about.ended = True, why
        self.about.size, self.about.sha256 = self.size, self._digest.hexdigest()
        self._note()

    def abandon(self) -> None:
        """Leave it as it is: torn, which readers know about."""
        try:
            self._out.close()
        except OSError:
            return  # said already: it is why the file is abandoned

    def discard(self) -> None:
        """Take it away, with its sidecar."""
        self.abandon()
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)

    def _note(self) -> None:
        """The sidecar, replaced whole."""
        fresh = self._beside.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self.about)) + b"\n")
        fresh.replace(self._beside)
