"""How late the market's frames come, as far as the newest one says it (pure).

A snapshot says nothing of it: it is dated by the last change of the book, which on a quiet market is long ago. A frame
that came late says it for a while only: once a ping that was sent after it has been answered, what it waited for is
over, and a quiet market sends no frame to prove it.
"""

from __future__ import annotations

from typing import Final

STALE_LAG_MS: Final = 3_000.0
"""Arrival minus exchange time, above which the market is not traded on."""

STANDS_NS: Final = 10_000_000_000
"""Of a late frame: a ping leaves at most five seconds after it, and is answered within five or the connection ends."""


class FrameLag:
    """Of one stream."""

    def __init__(self) -> None:
        self._ms: float | None = None
        self._seen_ns = 0

    def seen(self, lag_ms: float | None, at_ns: int, *, snapshot: bool) -> None:
        """A frame came. lag_ms: its arrival minus exchange time, None if not judged. at_ns: the reader's clock."""
        self._ms, self._seen_ns = None if snapshot else lag_ms, at_ns

    def lose(self) -> None:
        """The stream was interrupted."""
        self._ms = None

    def ms(self, now_ns: int) -> float | None:
        """The newest frame's; None where nothing says how late frames come now. now_ns: as ``at_ns``."""
        if self._ms is not None and self._ms > STALE_LAG_MS and now_ns - self._seen_ns > STANDS_NS:
            return None
        return self._ms
