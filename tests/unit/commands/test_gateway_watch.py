"""Gates that close on a wrong clock and on too many 429s, and requests that lie beside the journal."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lunomm.commands.gateway_watch import REFUSALS, Watch, check_clock
from lunomm.errors import ConfigError
from lunomm.journal.request import FileRequest, request_path, write_request
from lunomm.journal.store import Journal, open_journal
from lunomm.luno.budget import CallBudget
from lunomm.luno.transport import Skew
from lunomm.trading import events as ev


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path / "j.sqlite3", account="a", venue="v")


class Rest:
    """A venue whose clock is so far ahead, as each new answer shows."""

    def __init__(self, offset_ms: float) -> None:
        self.offset_ms, self.asked = offset_ms, 0

    def skew(self) -> Skew:
        return Skew(self.offset_ms, 510.0)

    async def balances(self) -> list[Any]:
        self.asked += 1
        return []


def watching(journal: Journal, rest: Rest, budget: CallBudget) -> tuple[Watch, list[ev.Event]]:
    told: list[ev.Event] = []
    bus = SimpleNamespace(mixed_builds=lambda: None)
    piece: Any = SimpleNamespace(last_error=None, pairs=(), bus=bus)
    return Watch(piece, rest, budget, journal, told.append), told  # type: ignore[arg-type]


async def looks(watch: Watch, times: int) -> None:
    for _ in range(times):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch._look(), 0.01)


async def test_more_than_three_refusals_in_a_minute_close_the_gate(journal: Journal) -> None:
    budget = CallBudget()
    watch, told = watching(journal, Rest(0), budget)
    for _ in range(REFUSALS):
        budget.refused(time.monotonic_ns())
    await looks(watch, 1)
    assert told == []
    budget.refused(time.monotonic_ns())
    await looks(watch, 3)
    (gate,) = told
    assert isinstance(gate, ev.Gate)
    assert (gate.name, gate.open) == ("rate", False)
    budget._refusals.clear()
    await looks(watch, 1)
    assert told[1:] == [ev.Gate("rate", True)]


async def test_a_wrong_clock_closes_the_gate_until_it_is_set(journal: Journal) -> None:
    rest = Rest(-4_000)
    watch, told = watching(journal, rest, CallBudget())
    await looks(watch, 3)
    (gate,) = told
    assert isinstance(gate, ev.Gate)
    assert (gate.name, gate.open) == ("clock", False)
    assert "4.0 s ahead of" in gate.reason
    rest.offset_ms = 0
    await looks(watch, 5)
    assert told[1:] == [ev.Gate("clock", True)]


async def test_pieces_of_two_builds_close_the_gate(journal: Journal) -> None:
    watch, told = watching(journal, Rest(0), CallBudget())
    both = ["QUOTES is written by lunomm 9.9.9, this is 0.1.0"]
    watch._piece.bus.mixed_builds = lambda: both[0] if both else None  # type: ignore[method-assign]
    await looks(watch, 2)
    both.clear()
    await looks(watch, 2)
    assert told == [
        ev.Gate("build", False, "QUOTES is written by lunomm 9.9.9, this is 0.1.0"),
        ev.Gate("build", True),
    ]


async def test_a_start_with_a_wrong_clock_asks_a_few_times_and_says_by_how_much() -> None:
    wrong, right = Rest(86_400_000), Rest(300)
    with pytest.raises(ConfigError, match=r"86400\.0 s behind"):
        await check_clock(wrong)  # type: ignore[arg-type]
    assert wrong.asked == 4
    await check_clock(right)  # type: ignore[arg-type]
    assert right.asked == 0


def test_requests_of_the_file_are_told_once_and_go_when_the_journal_shows_them_done(journal: Journal) -> None:
    watch, told = watching(journal, Rest(0), CallBudget())
    write_request(journal.path, FileRequest(request_id="r1", verb="resume", who="ann@host", reason="looked"))
    for _ in range(3):
        watch.hear_file()
    assert told == [ev.ResumeAsked("r1", "", "ann@host", "looked")]
    assert request_path(journal.path).exists()
    journal.commit([ev.SaveNote("", "last_request", "r1")])
    watch.hear_file()
    assert not request_path(journal.path).exists()
    write_request(journal.path, FileRequest(request_id="h1", verb="halt", who="ann@host"))
    watch.hear_file()
    assert isinstance(told[-1], ev.HaltAsked)
    journal.commit([ev.SaveHalt("ASKED", 1)])
    watch.hear_file()
    assert not request_path(journal.path).exists()
