"""A sidecar is believed where it agrees with its tape."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from made_tapes import WHOLE, write

from lunomm.tape.beside import contradictions, read_sidecar
from lunomm.tape.lines import Sidecar, sidecar_name
from lunomm.tape.reader import read_tape
from lunomm.tape.splice import cut


def test_nothing_beside(tmp_path: Path) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", WHOLE))
    assert read_sidecar(tape.path) is None and contradictions(tape, None, 15) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 5}, "5 bytes"),
        ({"sha256": "0" * 64}, "checksum"),
        ({"frames": 7}, "7 frames, 6 can be read"),
        ({"last_sequence": 16}, "sequence 16, the tape at 15"),
        ({"pair": "ETHMYR"}, "of ETHMYR"),
        ({}, None),
        ({"closed": False, "size": 5, "frames": 1}, None),
    ],
)
def test_what_it_says_and_what_is(tmp_path: Path, changes: dict[str, object], words: str | None) -> None:
    path = cut(read_tape(write(tmp_path / "t.jsonl.gz", WHOLE)), tmp_path / "c.jsonl.gz", None, None).path
    beside = tmp_path / sidecar_name(path.name)
    said = msgspec.structs.replace(msgspec.json.decode(beside.read_bytes(), type=Sidecar), **changes)
    beside.write_bytes(msgspec.json.encode(said))
    found = contradictions(read_tape(path), read_sidecar(path), 15)
    assert found == [] if words is None else len(found) == 1 and words in found[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"v":1}', b"[" * 100_000])
def test_no_sidecar(tmp_path: Path, content: bytes) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", WHOLE))
    (tmp_path / sidecar_name("t.jsonl.gz")).write_bytes(content)
    said = read_sidecar(tape.path)
    assert isinstance(said, str) and contradictions(tape, said, 15) == [said] and len(said) < 200
