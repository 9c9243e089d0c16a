"""How long a request takes to the venue and its answer back: one fixed time, or as a session measured it (pure).

A round trip measured at one end says nothing about its two halves; each is taken for half of it, unless something else
tells them apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lunomm.errors import ModelError

MILLISECOND = 1_000_000


class Ways(NamedTuple):
    """out_ns: from us to the venue. back_ns: from the venue to us."""

    out_ns: int
    back_ns: int


class Latency(Protocol):
    """A source of latencies; the same calls in the same order give the same answers."""

    @property
    def back_ns(self) -> int:
        """The usual way back: the market's own messages take it too, where their arrival was not recorded."""
        ...

    def ways(self, sent_ns: int) -> Ways:
        """Of a request sent at ``sent_ns``, our clock."""
        ...


class Fixed:
    """Args: one_way_ms: each way, >= 0."""

    def __init__(self, one_way_ms: float) -> None:
        if not 0 <= one_way_ms <= 60_000:
            raise ModelError(f"a latency must be from 0 to 60000 ms: {one_way_ms:g}")
        self._ways = Ways(round(one_way_ms * MILLISECOND), round(one_way_ms * MILLISECOND))

    @property
    def back_ns(self) -> int:
        return self._ways.back_ns

    def ways(self, sent_ns: int) -> Ways:
        return self._ways


class RoundTrip(NamedTuple):
    """One request of a session: when it was sent, our clock, and how long until its answer was here.

    out_ns: of that, the way there, where the session shows it.
    """

    sent_ns: int
    took_ns: int
    out_ns: int | None = None


class Measured:
    """A session's own round trips. Within its time each request takes what the last one before it took; at another
    time they are gone through in their order, again and again.

    Raises:
        ModelError: none given, or a negative one.
    """

    def __init__(self, trips: Sequence[RoundTrip]) -> None:
        if not trips or min(trip.took_ns for trip in trips) < 0:
            raise ModelError("no round trip was measured" if not trips else "a round trip shorter than nothing")
        self._trips = sorted(trips, key=lambda trip: trip[:2])
        self._times = [trip.sent_ns for trip in self._trips]
        self._next = 0
        took = sorted(trip.took_ns for trip in trips)
        self.median_ns = took[len(took) // 2]

    @property
    def back_ns(self) -> int:
        return self.median_ns // 2

    def ways(self, sent_ns: int) -> Ways:
        if self._times[0] <= sent_ns <= self._times[-1]:
            trip = self._trips[bisect_right(self._times, sent_ns) - 1]
        else:
            trip = self._trips[self._next % len(self._trips)]
            self._next += 1
        out = trip.took_ns // 2 if trip.out_ns is None else min(trip.out_ns, trip.took_ns)
        return Ways(out, trip.took_ns - out)
