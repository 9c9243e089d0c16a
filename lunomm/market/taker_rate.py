"""How often takers come, for people to read: orders a minute over the lookback."""

from __future__ import annotations

from collections import deque


class TakerRate:
    """Taker orders of the last ``lookback_s`` seconds, or since the start while that is shorter; exchange time, ms."""

    def __init__(self, lookback_s: float) -> None:
        self._lookback_ms = round(lookback_s * 1000)
        self._started_ms: int | None = None
        self._times: deque[int] = deque()

    def start(self, at_ms: int) -> None:
        """The market is watched from here on; the first call counts."""
        if self._started_ms is None:
            self._started_ms = at_ms

    def add(self, at_ms: int) -> None:
        """One taker order."""
        self._times.append(at_ms)

    def per_minute(self, now_ms: int) -> float | None:
        """``None`` before the start and in the first second after it."""
        started_ms = self._started_ms
        if started_ms is None:
            return None
        times, lookback_ms = self._times, self._lookback_ms
        while times and times[0] < now_ms - lookback_ms:
            times.popleft()
        span_ms = now_ms - started_ms
        if span_ms > lookback_ms:
            span_ms = lookback_ms
        return len(times) * 60_000 / span_ms if span_ms >= 1000 else None
