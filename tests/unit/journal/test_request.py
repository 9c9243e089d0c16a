"""The file beside a journal: taken whole, done once, and a halt when it cannot be understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunomm.journal.request import FileRequest, read_request, remove_request, request_path, write_request


def test_a_request_is_read_back_and_is_its_owners_alone(tmp_path: Path) -> None:
    journal = tmp_path / "journal-sim-x.sqlite3"
    assert read_request(journal) is None
    asked = FileRequest(request_id="r1", verb="resume", who="ann@host", reason="looked")
    write_request(journal, asked)
    assert read_request(journal) == asked
    assert request_path(journal).stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [request_path(journal).name]
    remove_request(journal)
    remove_request(journal)
    assert read_request(journal) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"halt",
        b"[1]",
        b'{"request_id":"r","verb":"dance","who":"x"}',
        b'{"request_id":"","verb":"resume","who":"x"}',
        b'{"request_id":"' + b"x" * 65 + b'","verb":"resume","who":"x"}',
        b'{"request_id":"r","verb":"resume","who":"x"}' + b" " * 5000 + b"}",
        b"[" * 4000,
    ],
)
def test_what_cannot_be_understood_is_a_halt(tmp_path: Path, raw: bytes) -> None:
    journal = tmp_path / "j.sqlite3"
    request_path(journal).write_bytes(raw)
    request = read_request(journal)
    assert request is not None
    assert request.verb == "halt"


def test_a_folder_in_its_place_is_a_halt(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite3"
    request_path(journal).mkdir()
    request = read_request(journal)
    assert request is not None
    assert request.verb == "halt"
