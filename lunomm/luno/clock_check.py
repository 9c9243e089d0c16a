"""Whether this machine's clock agrees with Luno's, from the Date header of its answers (pure).

Orders carry a timestamp and a time to live: with a wrong clock they are refused, or accepted late. The header is cut
to the second, a server may keep it for another, and it was written somewhere between asking and hearing, so a single
one proves little: the middle of the last ones is judged, and may be off by half a second and half the time a call
takes before it counts. Nothing here corrects a clock; that is the user's to do.
"""

from __future__ import annotations

from collections import deque

from lunomm.luno.transport import Skew

MAX_SKEW_MS = 1_000
KEPT = 5
ENOUGH = 3
"""Comparisons that a judgement needs."""

LIFE_NS = 30_000_000_000
STEP_NS = 1_000_000_000
"""A wall clock that moves this much against the monotonic one was set by somebody."""


class ClockCheck:
    """The last few comparisons."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, Skew]] = deque(maxlen=KEPT)
        self._clocks: tuple[int, int] | None = None
        self._set = False

    def add(self, skew: Skew | None, mono_ns: int) -> None:
        """One comparison; the same one again (by identity) is no news."""
        if skew is not None and not (self._seen and self._seen[-1][1] is skew):
            self._seen.append((mono_ns, skew))

    def look(self, wall_ns: int, mono_ns: int) -> None:
        """Both own clocks: when the wall clock was set, what was learned by it is void, and nothing is right yet."""
        before, self._clocks = self._clocks, (wall_ns, mono_ns)
        if before is not None and abs((wall_ns - before[0]) - (mono_ns - before[1])) > STEP_NS:
            self._seen.clear()
            self._set = True

    def suspicious(self) -> bool:
        """Whether the last comparison alone looks wrong: worth asking a few more times."""
        return bool(self._seen) and _beyond(self._seen[-1][1].offset_ms, self._seen[-1][1].error_ms - 500) > 0

    def problem(self, mono_ns: int) -> str | None:
        """What is wrong with the clock, None when nothing can be shown to be.

        A clock that was set while we ran is wrong until it is shown to be right.
        """
        while self._seen and self._seen[0][0] < mono_ns - LIFE_NS:
            self._seen.popleft()
        if len(self._seen) < ENOUGH:
            return "this machine's clock was set, and is not compared with the exchange's yet" if self._set else None
        self._set = False
        offset = _middle([skew.offset_ms for _, skew in self._seen])
        travel = _middle([max(skew.error_ms - 500, 0.0) for _, skew in self._seen])
        if _beyond(offset, travel) <= 0:
            return None
        where = "behind" if offset > 0 else "ahead of"
        return f"this machine's clock is {abs(offset) / 1000:.1f} s {where} the exchange's (1 s is allowed)"


def _beyond(offset_ms: float, travel_ms: float) -> float:
    return abs(offset_ms) - 500 - travel_ms - MAX_SKEW_MS


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
