"""Whether the market's last picture may be traded on (design 4): beats by our own monotonic clock, state, stream age,
lag.

Never by the time since the last *change*: quiet pairs are quiet.
"""

from __future__ import annotations

from lunomm.market.clock import Now
from lunomm.market.records import BookState, Tick
from lunomm.quoting.holdings import plausible
from lunomm.quoting.intents import Why

STALE_NS = 3_000_000_000
"""No new beat for so long: the book process is dead, hung or cut off."""

MAX_STREAM_AGE_MS = 10_000
"""No byte from the venue, pongs included, for so long."""

MAX_LAG_MS = 3_000
"""Frames arrive this much after they were sent."""

MAX_AGE_MS = 3_000
"""A tick older than this by the wall clock was kept waiting on its way: by a bus, or by our own sleep."""

_UNSURE = (BookState.RESYNC, BookState.STALE, BookState.DOUBT)
"""States in which book does not know the market; the others say that the market itself cannot be quoted."""


def too_old(tick: Tick, wall_ms: int) -> bool:
    """Whether a tick was published too long ago to be the market. wall_ms: this machine's clock, Unix ms."""
    return wall_ms - tick.ts > MAX_AGE_MS


class Freshness:
    """The newest tick and when, by our monotonic clock, its beat was new."""

    def __init__(self) -> None:
        self.tick: Tick | None = None
        self._beat_mono_ns = 0

    def on_tick(self, tick: Tick, now: Now, age_ns: int = 0) -> None:
        """age_ns: since it was published. A tick that was late on its way prolongs nothing by that."""
        # A restarted book counts from anew: any other beat is a new one.
        if self.tick is None or tick.beat != self.tick.beat:
            self._beat_mono_ns = max(self._beat_mono_ns, now.mono_ns - max(age_ns, 0))
        self.tick = tick

    def stale_in_ns(self, now: Now) -> int | None:
        """Monotonic time until the picture goes stale by itself; None when there is none."""
        return None if self.tick is None else max(0, self._beat_mono_ns + STALE_NS - now.mono_ns)

    def trouble(self, now: Now) -> tuple[Why, str] | None:
        """Why the market may not be quoted on, or None."""
        tick = self.tick
        if tick is None:
            return Why.STALE_BOOK, "no tick from book yet"
        if now.mono_ns - self._beat_mono_ns >= STALE_NS:
            return Why.STALE_BOOK, f"no beat from book for {(now.mono_ns - self._beat_mono_ns) / 1e9:.0f} s"
        if tick.state in _UNSURE:
            return Why.STALE_BOOK, f"the book is {tick.state}"
        if tick.state is not BookState.OK:
            return Why.MARKET_STATE, f"the market is {tick.state}"
        if tick.stream_age_ms is not None and not tick.stream_age_ms <= MAX_STREAM_AGE_MS:
            return Why.STALE_BOOK, f"no byte from the exchange for {tick.stream_age_ms / 1000:.0f} s"
        if tick.lag_ms is not None and not tick.lag_ms <= MAX_LAG_MS:
            return Why.STALE_BOOK, f"frames arrive {tick.lag_ms / 1000:.1f} s late"
        bid, ask = tick.fair_best_bid, tick.fair_best_ask
        if tick.fair_mid is None or bid is None or ask is None:
            return Why.MARKET_STATE, "without our own orders the book is one-sided"
        if not all(plausible(price) for price in (bid, ask, tick.fair_mid)):
            return Why.MODEL, "a price from book is not a number"
        if not 0 < bid < ask:
            return Why.MARKET_STATE, "without our own orders the book is crossed"
        return None
