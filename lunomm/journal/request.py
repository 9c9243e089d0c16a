"""The ``halt`` file: how a command speaks to the gateway that holds the journal when Redis cannot carry it.

It lies beside the journal, holds one request, and is written whole or not at all. The gateway looks at its start and
once a second, does what it says, and removes it once the journal shows that it was done. A file that cannot be
understood is a halt: whoever wrote it wanted something of a gateway that trades.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lunomm.errors import JournalError

MAX_BYTES = 4096


class FileRequest(msgspec.Struct, kw_only=True):
    """verb: halt or resume. who: user@host. request_id: each is done once."""

    request_id: str
    verb: str
    who: str
    reason: str = ""
    ts_ms: int = 0


def request_path(journal: Path) -> Path:
    return journal.with_suffix(".halt")


def write_request(journal: Path, request: FileRequest) -> None:
    """Put the request beside the journal, its owner's alone, replacing one that was not taken.

    Raises:
        JournalError: it cannot be written.
    """
    path = request_path(journal)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(request))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as e:
        raise JournalError(f"{path}: cannot be written: {e.strerror}. Fix the folder's permissions") from e


def read_request(journal: Path) -> FileRequest | None:
    """The request that lies there, None when there is none; what cannot be read is a halt."""
    path = request_path(journal)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        return FileRequest(request_id="", verb="halt", who="?", reason=f"{path.name} cannot be read: {e.strerror}")
    try:
        request = msgspec.json.decode(raw if len(raw) <= MAX_BYTES else b"", type=FileRequest)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return FileRequest(request_id="", verb="halt", who="?", reason=f"{path.name} holds no request")
    if request.verb not in ("halt", "resume") or not 0 < len(request.request_id) <= 64:
        return FileRequest(request_id="", verb="halt", who="?", reason=f"{path.name} holds an unknown request")
    return request


def remove_request(journal: Path) -> None:
    """Take the file away.

    Raises:
        JournalError: it cannot be.
    """
    try:
        request_path(journal).unlink(missing_ok=True)
    except OSError as e:
        raise JournalError(f"{request_path(journal)}: cannot be removed: {e.strerror}. Remove it by hand") from e
