"""The two clocks every pure core is handed, never reads."""

from __future__ import annotations

import msgspec


class Now(msgspec.Struct, frozen=True, gc=False):
    """One instant on both clocks.

    exchange_ns: the venue's clock, Unix nanoseconds: estimators, horizons and the quoter's timers.
    mono_ns: the reader's own monotonic clock, arbitrary origin: staleness, leases and times to live.
    """

    exchange_ns: int
    mono_ns: int

    @property
    def exchange_ms(self) -> int:
        return self.exchange_ns // 1_000_000
