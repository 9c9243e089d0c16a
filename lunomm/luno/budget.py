"""How many calls Luno may still be sent (pure: the time is handed in, the waiting is the caller's).

Luno allows 300 calls a minute and does not say how it counts. A bucket of ``burst`` calls that refills at
``(limit - burst) / per_s`` never lets more than ``limit`` through in any window of that length, however it is cut; a
bucket holding the whole minute would let twice as many through after a rest, and a count of the last minute would leave
a burst with nothing, not even a cancel, until the minute is over. The last ``reserve`` calls of the bucket are for
urgent ones: cancels and the reads that settle what became of an order.
"""

from __future__ import annotations

from collections import deque

from lunomm.errors import ConfigError

SECOND = 1_000_000_000
MAX_BACKOFF_S = 60


class CallBudget:
    """One account's calls.

    Args:
        limit: calls allowed in any ``per_s`` seconds, over all callers of the key; 280 leaves Luno's 300 some air.
        reserve: calls of the bucket that only urgent ones may use.
        burst: size of the bucket.
    """

    __slots__ = (
        "_calls",
        "_capacity",
        "_filled_ns",
        "_level",
        "_per_call",
        "_quiet_until_ns",
        "_refusals",
        "_reserve",
        "_row",
        "_window_ns",
        "limit",
    )

    def __init__(self, limit: int = 280, per_s: int = 60, reserve: int = 10, burst: int = 40) -> None:
        if not (0 <= reserve < burst < limit and per_s > 0):
            raise ConfigError(f"call budget: 0 <= reserve ({reserve}) < burst ({burst}) < limit ({limit}) must hold")
        self.limit = limit
        self._window_ns = per_s * SECOND
        # The bucket's level is kept in nanoseconds of refill, whole numbers that cannot drift.
        self._per_call = -(-self._window_ns // (limit - burst))
        self._capacity = burst * self._per_call
        self._reserve = reserve * self._per_call
        self._level = self._capacity
        self._filled_ns: int | None = None
        self._calls: deque[int] = deque()
        self._refusals: deque[int] = deque()
        self._quiet_until_ns = 0
        self._row = 0

    def take(self, now_ns: int, urgent: bool = False) -> int:
        """Take one call, or say how long to wait before asking again.

        Args:
            now_ns: monotonic; never earlier than the time given before (an earlier one counts as no time passed).

        Returns: 0 when the call may go now, and is counted; else nanoseconds, > 0, and nothing was taken. Whoever asks
            first then gets it: an urgent caller is never behind one that is not.
        """
        self._refill(now_ns)
        floor = 0 if urgent else self._reserve
        wait = floor + self._per_call - self._level
        if not urgent:
            wait = max(wait, self._quiet_until_ns - now_ns)
        if wait > 0:
            return wait
        self._level -= self._per_call
        self._calls.append(now_ns)
        return 0

    def refused(self, now_ns: int, retry_after_s: float | None = None, jitter: float = 0.0) -> None:
        """Luno answered 429: calls that are not urgent stop for what it asked, else for 1, 2, 4 ... 60 s in a row.

        Urgent calls go on at the bucket's pace, from an empty bucket. jitter: 0 to 1, lengthens a pause of our own by
        up to a quarter, so that many clients do not come back at once.
        """
        self._refill(now_ns)
        self._level = 0
        own = min(MAX_BACKOFF_S, 2 ** min(self._row, 6) * (1 + jitter / 4))
        pause = own if retry_after_s is None else retry_after_s
        self._quiet_until_ns = max(self._quiet_until_ns, now_ns + int(pause * SECOND))
        self._row += 1
        self._refusals.append(now_ns)

    def accepted(self) -> None:
        """Luno answered with anything but 429: the row of refusals is over."""
        self._row = 0

    def used(self, now_ns: int) -> int:
        """Calls sent in the last window."""
        return self._recent(self._calls, now_ns)

    def refusals(self, now_ns: int) -> int:
        """Answers 429 in the last window."""
        return self._recent(self._refusals, now_ns)

    def _recent(self, times: deque[int], now_ns: int) -> int:
        while times and times[0] <= now_ns - self._window_ns:
            times.popleft()
        return len(times)

    def _refill(self, now_ns: int) -> None:
        if self._filled_ns is not None and now_ns > self._filled_ns:
            self._level = min(self._capacity, self._level + now_ns - self._filled_ns)
        self._filled_ns = now_ns if self._filled_ns is None else max(self._filled_ns, now_ns)
        self._recent(self._calls, now_ns)
        self._recent(self._refusals, now_ns)
