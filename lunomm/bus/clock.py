"""This process's clocks: the venue's (maybe faster than life, on a tape), the wall's, and the monotonic one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lunomm.market.clock import Now

MAX_TTL_MS = 10_000
"""Luno's own bound on the ``ttl`` of an order."""

USUAL_TTL_MS = 3_000
"""How long an order may travel, in exchange milliseconds at speed 1."""


@dataclass(frozen=True)
class Clock:
    """Exchange time from the wall clock: exact at one anchor, then ``speed`` times as fast.

    Args:
        speed: exchange seconds per wall second, > 0.
        anchor_wall_ns, anchor_exchange_ns: one instant on both clocks, Unix nanoseconds.
    """

    speed: float = 1.0
    anchor_wall_ns: int = 0
    anchor_exchange_ns: int = 0

    def now(self) -> Now:
        return Now(self.exchange_ns(), time.monotonic_ns())

    def exchange_ns(self) -> int:
        since = time.time_ns() - self.anchor_wall_ns
        # Integers at speed 1: a float holds Unix nanoseconds only to about 200 ns.
        return self.anchor_exchange_ns + (since if self.speed == 1.0 else int(since * self.speed))

    def exchange_ms(self) -> int:
        return self.exchange_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def ttl_ms(self) -> int:
        """The ``ttl`` to send with an order, exchange milliseconds."""
        return min(MAX_TTL_MS, int(USUAL_TTL_MS * self.speed))

    def ttl_ns(self) -> int:
        """The same in time of ours, nanoseconds."""
        return int(self.ttl_ms() * 1_000_000 / self.speed)

    def lag_ms(self, exchange_ms: int) -> float | None:
        """Arrival minus exchange time, ms; None where it cannot be judged (any speed but 1)."""
        return None if self.speed != 1.0 else self.exchange_ns() / 1e6 - exchange_ms
