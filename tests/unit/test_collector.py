"""What a piece keeps as long as it runs is looked through once."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lunomm.collector import paused, settle


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_looked_through_while_modules_are_read() -> None:
    for on in (True, False):
        (gc.enable if on else gc.disable)()
        try:
            with paused():
                assert not gc.isenabled()
            assert gc.isenabled() is on
        finally:
            gc.enable()


def test_what_there_is_is_left_alone_from_then_on_and_garbage_of_later_is_not() -> None:
    kept = [[number] for number in range(10_000)]
    settle()
    assert gc.get_freeze_count() > len(kept)
    assert len(gc.get_objects()) < len(kept)
    round_and_round: list[object] = []
    round_and_round.append(round_and_round)
    del round_and_round
    assert gc.collect() >= 1
