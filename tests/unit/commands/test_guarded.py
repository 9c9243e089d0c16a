"""A gateway and its guardian's word, when both are late."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from lunomm.commands import guarded
from lunomm.commands.guarded import Guarded
from lunomm.luno.hosts import ApiKey
from lunomm.trading.events import Event, Gate


def a_guarded(told: list[Event], folder: Path) -> Guarded:
    return Guarded(
        url="", key=ApiKey("id", "secret"), pairs=("XBTMYR",), settle_ns=1, lock_fd=None, log=folder / "guardian.log",
        alive=lambda: True, tell=told.append,
    )  # fmt: skip


async def test_a_guardian_that_was_not_ready_in_time_shuts_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "FIRST_S", 0.01)
    told: list[Event] = []
    await a_guarded(told, tmp_path).first_ready()
    assert [gate.open for gate in told if isinstance(gate, Gate)] == [False]


async def test_a_gateway_that_was_held_does_not_shut_out_a_guardian_that_has_come_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On waking, the end of the wait and the guardian's word are both due; shut last, the gate would stay shut."""
    monkeypatch.setattr(guarded, "FIRST_S", 0.01)
    told: list[Event] = []
    watched = a_guarded(told, tmp_path)

    def comes_up() -> None:
        watched._was_ready.set()
        told.append(Gate("guardian", True))

    waiting = asyncio.create_task(watched.first_ready())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.011, comes_up)
    time.sleep(0.03)  # noqa: ASYNC251 (the whole process was held)
    await waiting
    assert [gate.open for gate in told if isinstance(gate, Gate)][-1]
