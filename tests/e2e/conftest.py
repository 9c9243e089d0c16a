"""One fixture: a user's machine, empty at the start, checked empty at the end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import Desk, free_port, left_behind


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path, free_port())
    (tmp_path / "state").mkdir()
    yield one
    one.stop()
    left = left_behind(tmp_path)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"processes left behind: {left}"
