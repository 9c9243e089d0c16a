"""One cycle of each fault of the chaos campaign (tests/chaos), on one pipeline of real processes.

The campaign itself is ``bash scripts.sh soak chaos``.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import free_port, left_behind

from tests.chaos.cycles import CYCLES, freeze
from tests.chaos.rig import Rig

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("chaos")
    one = Rig(folder / "rig", free_port(), under_up=False)
    try:
        one.start()
        yield one
    finally:
        one.clean()
        left = left_behind(folder)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert not left, f"processes left behind: {left}"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["guardian", "quote", "book", "double", "gateway", "redis"])
def test_killed(rig: Rig, name: str) -> None:
    assert CYCLES[name](rig, random.Random(name)) == []


@pytest.mark.timeout(180)
def test_frozen_and_then_everything_adds_up(rig: Rig) -> None:
    assert freeze(rig, 12.0) == []
    assert rig.finish() == []
