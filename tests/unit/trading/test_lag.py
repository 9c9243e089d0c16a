"""A loop that is late: said from a quarter of a second on, and from a second on nothing rests until it is punctual."""

from __future__ import annotations

from lunomm.trading.chores import SECOND
from lunomm.trading.events import Gate
from lunomm.trading.lag import CALM_NS, GATE, SHOWN_NS, LoopLag


def test_a_late_turn_is_said_and_a_very_late_one_shuts_the_gate_until_calm() -> None:
    lag = LoopLag()
    now = 100 * SECOND
    assert lag.took(SECOND // 5, now) is None
    assert lag.worst_ns(now) is None
    assert lag.took(SECOND // 2, now) is None
    assert lag.worst_ns(now) == SECOND // 2
    shut = lag.took(SECOND + 200_000_000, now)
    assert shut == Gate(GATE, False, "the gateway was held up for 1.2 s")
    assert lag.took(3 * SECOND, now + SECOND) is None, "shut already"
    assert lag.took(0, now + CALM_NS) is None, "calm since the last one only"
    assert lag.took(0, now + SECOND + CALM_NS) == Gate(GATE, True)
    assert lag.took(0, now + SECOND + 2 * CALM_NS) is None


def test_the_worst_of_the_last_moments_is_shown() -> None:
    lag = LoopLag()
    lag.took(SECOND, 0)
    lag.took(SECOND // 2, SECOND)
    assert lag.worst_ns(SECOND) == SECOND
    assert lag.worst_ns(SHOWN_NS + 1) is None
    lag.took(SECOND // 2, 2 * SHOWN_NS)
    assert lag.worst_ns(2 * SHOWN_NS) == SECOND // 2
