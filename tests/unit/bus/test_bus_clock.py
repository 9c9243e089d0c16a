"""The process's clock: exact at its anchor, as fast as the venue, ttls within Luno's bound."""

from __future__ import annotations

import pytest

from lunomm.bus import clock as module
from lunomm.bus.clock import Clock
from lunomm.market.clock import Now

WALL = 1_700_000_000_000_000_123


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time_ns", lambda: WALL)
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: 77)


def test_exchange_time_is_wall_time_without_a_tape() -> None:
    clock = Clock()
    assert clock.now() == Now(WALL, 77)
    assert clock.exchange_ms() == clock.wall_ms() == WALL // 1_000_000
    assert clock.mono_ns() == 77


def test_a_tape_runs_from_its_anchor() -> None:
    clock = Clock(speed=10.0, anchor_wall_ns=WALL - 2_000_000_000, anchor_exchange_ns=5_000_000_000)
    assert clock.exchange_ns() == 25_000_000_000
    assert Clock(1.0, WALL, 42).exchange_ns() == 42


@pytest.mark.parametrize(("speed", "ttl"), [(1.0, 3000), (2.0, 6000), (0.5, 1500), (100.0, 10_000)])
def test_ttl(speed: float, ttl: int) -> None:
    assert Clock(speed).ttl_ms() == ttl


def test_lag_is_judged_at_speed_one_only() -> None:
    assert Clock().lag_ms(WALL // 1_000_000 - 250) == pytest.approx(250, abs=1)
    assert Clock(speed=2.0).lag_ms(0) is None
