"""How late the gateway's own loop is (pure): a core that works in jerks trades on what was true a while ago.

Every turn of the loop was to take a known time: what it took beyond that, it was kept from its work, by its own code, a
slow disk, a busy machine or one that slept. More than ``TRIP_NS`` of it shuts the gate: everything comes down, and
quotes return once the loop has been punctual for ``CALM_NS``. A halt, which a person must end, would be wrong for it: a
laptop that was closed for a moment is not out of order.
"""

from __future__ import annotations

from lunomm.trading.chores import SECOND
from lunomm.trading.events import Gate

GATE = "lag"

WARN_NS = SECOND // 4
TRIP_NS = SECOND
CALM_NS = 5 * SECOND
SHOWN_NS = 10 * SECOND


class LoopLag:
    """One loop. All times own monotonic ns."""

    def __init__(self) -> None:
        self._open = True
        self._bad_ns = 0
        self._worst: tuple[int, int] | None = None

    def took(self, late_ns: int, now_ns: int) -> Gate | None:
        """One turn ended ``late_ns`` later than it was to; the gate where it opens or shuts."""
        if late_ns > WARN_NS and (self.worst_ns(now_ns) or 0) <= late_ns:
            self._worst = late_ns, now_ns
        if late_ns > TRIP_NS:
            self._bad_ns = now_ns
            if self._open:
                self._open = False
                return Gate(GATE, False, f"the gateway was held up for {late_ns / SECOND:.1f} s")
        elif not self._open and now_ns - self._bad_ns >= CALM_NS:
            self._open = True
            return Gate(GATE, True)
        return None

    def worst_ns(self, now_ns: int) -> int | None:
        """The longest delay of the last moments, None when none was worth a word."""
        if self._worst is None or now_ns - self._worst[1] > SHOWN_NS:
            return None
        return self._worst[0]
