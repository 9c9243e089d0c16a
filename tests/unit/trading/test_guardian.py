"""The guardian's decisions: when it acts, what proves that nothing is left, and that it never gives up."""

from __future__ import annotations

import itertools

import pytest

from lunomm.trading.guardian import (
    HUNG_NS,
    LONGEST_NS,
    SECOND,
    Beat,
    CancelAll,
    Farewell,
    GuardAction,
    GuardEvent,
    Guardian,
    GuardState,
    ListAll,
    Listed,
    ListFailed,
    Orphaned,
    Say,
    Tick,
)

SETTLE = 5 * SECOND


class Night:
    """A guardian on a clock of the test's own; ``venue`` are the orders a listing would show now."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.core = Guardian(self.now, SETTLE)
        self.venue: set[str] = set()
        self.down = False
        self.said: list[str] = []
        self.calls: list[tuple[int, str]] = []

    def tell(self, event: GuardEvent) -> list[GuardAction]:
        actions = self.core.step(event, self.now)
        for action in actions:
            if isinstance(action, Say):
                self.said.append(action.text)
        return actions

    def play(self, event: GuardEvent) -> None:
        """One event and everything it leads to, answered at once."""
        todo = self.tell(event)
        while todo:
            action = todo.pop(0)
            if isinstance(action, ListAll):
                self.calls.append((self.now, "list"))
                todo += self.tell(ListFailed("down") if self.down else Listed(tuple(sorted(self.venue))))
            elif isinstance(action, CancelAll):
                self.calls.append((self.now, "cancel"))
                self.venue -= set(action.order_ids)

    def wait(self, seconds: float, step: int = SECOND // 10) -> None:
        for _ in range(int(seconds * SECOND / step)):
            self.now += step
            self.play(Tick())


def test_it_does_nothing_while_beats_come() -> None:
    night = Night()
    night.venue = {"A"}
    for _ in range(100):
        night.wait(0.5)
        night.play(Beat())
    assert night.venue == {"A"} and night.calls == [] and night.core.state is GuardState.WATCHING


def test_a_gateway_that_died_is_flat_at_once_and_proven_by_two_listings_apart() -> None:
    night = Night()
    night.venue = {"A", "B"}
    night.play(Orphaned())
    assert night.venue == set()
    began = night.now
    night.wait(4.9)
    assert night.core.state is GuardState.CLEARING
    night.wait(4)
    assert night.core.state is GuardState.DONE
    clean = [at for at, what in night.calls if what == "list" and at > began]
    assert clean[-1] - clean[-2] >= SETTLE


def test_an_order_that_arrives_late_starts_the_proof_over() -> None:
    night = Night()
    night.play(Orphaned())
    night.wait(3)
    night.venue = {"LATE"}
    night.wait(3)
    assert night.venue == set() and night.core.state is GuardState.CLEARING
    night.wait(3)
    assert night.core.state is GuardState.CLEARING
    night.wait(4)
    assert night.core.state is GuardState.DONE


def test_a_frozen_gateway_is_cleared_and_watched_again_when_it_thaws() -> None:
    night = Night()
    night.venue = {"A"}
    night.wait(HUNG_NS / SECOND - 0.2)
    assert night.venue == {"A"}
    night.wait(0.5)
    assert night.venue == set()
    night.wait(10)
    assert night.core.state is GuardState.CLEAR
    night.venue = {"STRAY"}
    night.wait(LONGEST_NS / SECOND + 1)
    assert night.venue == set()
    night.play(Beat())
    assert night.core.state is GuardState.WATCHING
    night.venue = {"NEW"}
    night.wait(4)
    assert night.venue == {"NEW"}


def test_one_that_thaws_and_then_dies_is_cleared_from_the_beginning() -> None:
    night = Night()
    night.wait(11)
    assert night.core.state is GuardState.CLEAR
    night.venue = {"LAST"}
    night.play(Orphaned())
    assert night.venue == set() and night.core.state is GuardState.CLEARING
    night.play(Beat())  # read from the pipe before its end was seen
    assert night.core.state is GuardState.CLEARING
    night.wait(8)
    assert night.core.state is GuardState.DONE


def test_a_listing_asked_before_the_death_proves_nothing() -> None:
    night = Night()
    night.now += HUNG_NS
    assert ListAll() in night.tell(Tick())  # it hangs: a listing goes out ...
    night.now += 2 * SECOND
    night.tell(Orphaned())  # ... the gateway dies while it is under way ...
    assert ListAll() in night.tell(Listed(()))  # ... and its answer is of before: asked again
    first = night.now
    night.tell(Listed(()))
    while night.core.state is not GuardState.DONE:
        night.wait(0.1)
    assert night.now - first >= SETTLE


def test_an_exchange_that_is_down_is_asked_for_ever_and_not_too_often() -> None:
    night = Night()
    night.venue, night.down = {"A"}, True
    night.play(Orphaned())
    night.wait(600, step=SECOND // 2)
    assert night.core.state is GuardState.CLEARING
    lists = [at for at, what in night.calls if what == "list"]
    assert 600 / (LONGEST_NS / SECOND) - 5 < len(lists) < 600 / (LONGEST_NS / SECOND) + 15
    assert max(b - a for a, b in itertools.pairwise(lists)) <= LONGEST_NS + SECOND
    alarms = [text for text in night.said if "may be live" in text]
    assert 9 <= len(alarms) <= 12
    night.down = False
    night.wait(LONGEST_NS / SECOND + 1)
    assert night.venue == set()
    night.wait(8)
    assert night.core.state is GuardState.DONE


@pytest.mark.parametrize("before", [[], [Tick()], [Beat()]])
def test_a_farewell_ends_it_without_a_call(before: list[GuardEvent]) -> None:
    night = Night()
    night.venue = {"SOMEBODY"}
    for event in before:
        night.play(event)
    night.play(Farewell())
    night.play(Orphaned())
    assert night.core.state is GuardState.DONE and night.calls == [] and night.venue == {"SOMEBODY"}
