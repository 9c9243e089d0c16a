"""What a gateway's screen shows beside the gateway's own state: our queue places, the streams' ages, guardian, lease.

The book's ticks are read here for the eye alone: once a second, by a loop of its own, and nothing that is decided looks
at them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from lunomm.bus.channels import LOB
from lunomm.commands.piece import Piece
from lunomm.errors import BusError
from lunomm.market.records import BookState, Tick
from lunomm.views.gateway import GatewayView
from lunomm.views.pipeline import PIECE_STALE_MS, drawable

GLANCE_S = 1.0


class Window:
    """The eye's own data. ticks: the newest by pair; one whose beat stands still is shown as stale."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._ticks: dict[str, tuple[Tick, float]] = {}

    async def watch(self) -> None:
        """Read the book's last values, for ever."""
        while True:
            for pair in self._piece.pairs:
                try:
                    tick = await self._piece.bus.get(LOB, pair)
                except BusError:
                    break  # said by those who need Redis; the last tick grows stale
                known = self._ticks.get(pair)
                if tick is not None and drawable(tick) and (known is None or known[0].beat != tick.beat):
                    self._ticks[pair] = (tick, time.monotonic())
            await asyncio.sleep(GLANCE_S)

    def _tick(self, pair: str) -> Tick | None:
        tick, at = self._ticks.get(pair, (None, 0.0))
        if tick is None:
            return None
        old_ms = (time.monotonic() - at) * 1000
        if old_ms <= PIECE_STALE_MS:
            return tick
        return msgspec.structs.replace(tick, state=BookState.STALE, stream_age_ms=old_ms)

    def dress(self, view: GatewayView, *, user_age_ms: float | None, guardian: str, now_ms: int) -> GatewayView:
        """The view with all that is only looked at."""
        ticks: Mapping[str, Tick | None] = {pair.pair: self._tick(pair.pair) for pair in view.pairs}
        return replace(
            view,
            pairs=tuple(replace(pair, tick=ticks[pair.pair]) for pair in view.pairs),
            user_age_ms=user_age_ms,
            guardian=guardian,
            lease=self._piece.lease_words(now_ms),
        )
