"""A tape's sidecar, and whether what it says is so."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from lunomm.errors import BookError
from lunomm.tape.lines import Sidecar, sidecar_name
from lunomm.tape.reader import Tape

_BLOCK = 2**20


def read_sidecar(tape: Path) -> Sidecar | str | None:
    """What lies beside a tape; None: nothing. A text: why it cannot be read."""
    path = tape.with_name(sidecar_name(tape.name))
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sidecar)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BookError) as error:
        return f"{path.name} is no sidecar: {str(error)[:120]}"


def contradictions(tape: Tape, said: Sidecar | str | None, last_sequence: int | None) -> list[str]:
    """Where a tape is not what its sidecar says; nothing of one that was never finished but its pair and rules.

    Raises:
        OSError: the tape cannot be read.
    """
    if said is None:
        return []
    if isinstance(said, str):
        return [said]
    wrong: list[str] = []
    if said.pair != tape.pair:
        return [f"its sidecar is of {said.pair[:20]}"]
    if said.rules.grid != tape.rules.grid:
        wrong.append("its sidecar states other rules")
    if not said.closed:
        return wrong
    size, digest = _hashed(tape.path)
    if said.size is not None and size != said.size:
        wrong.append(f"its sidecar says {said.size} bytes, it has {size}")
    elif said.sha256 is not None and digest != said.sha256:
        wrong.append("its checksum is not the one in its sidecar")
    if said.frames != tape.frames:
        wrong.append(f"its sidecar says {said.frames} frames, {tape.frames} can be read")
    elif said.last_sequence != last_sequence:
        wrong.append(f"its sidecar ends at sequence {said.last_sequence}, the tape at {last_sequence}")
    return wrong


def _hashed(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
