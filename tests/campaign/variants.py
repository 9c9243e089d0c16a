"""Broken gateways: one decision each, as others got it wrong. The campaign has to catch every one of them.

Each is the real code but for one method; what is wrong in it happened to a program people traded with, or to one of
Luno's own peculiarities taken lightly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lunomm.commands.gateway as gateway
import lunomm.trading.desk as desk
import lunomm.trading.working as working
from campaign.disk import Lock
from campaign.loop import PROCESS
from lunomm.commands.guarded import Guarded
from lunomm.commands.piece import Piece
from lunomm.market.clock import Now
from lunomm.quoting.intents import Intent
from lunomm.trading.desk import Desk
from lunomm.trading.events import FillSeen
from lunomm.trading.orders import Amounts, Order, OrderEvent, fill_to
from lunomm.trading.tracking import Track
from lunomm.trading.used_ids import UsedIds
from lunomm.trading.working import Working

Swap = tuple[object, str, object]


def _failed(self: Working, cid: str, now: Now) -> None:
    self.rejected(cid, "TIMEOUT", "", now)


class _But(UsedIds):
    """All ids but one, until it is used again."""

    def __init__(self, ids: UsedIds, freed: str) -> None:
        self._ids, self._freed = ids, freed

    def add(self, intent_id: str) -> None:
        self._freed = "" if intent_id == self._freed else self._freed
        self._ids.add(intent_id)

    def __contains__(self, intent_id: str) -> bool:
        return intent_id != self._freed and intent_id in self._ids


def _retry(self: Working, cid: str, now: Now) -> None:
    order = self.orders.get(cid)
    self.rejected(cid, "TIMEOUT", "", now)
    if order is not None:
        self.used = _But(self.used, order.intent_id)
        _TRIES[order.intent_id] = _TRIES.get(order.intent_id, 0) + 1


_TRIES: dict[str, int] = {}


def _new_id(pair: str, intent_id: str) -> str:
    epoch, number, tail = intent_id.rsplit("-", 2)
    tries = _TRIES.get(intent_id, 0)
    return f"lm1-{pair}-{epoch}-{int(number) + 100_000 * tries}-{tail}"


def _cancelled(self: Working, cid: str, now: Now) -> None:
    track = self.tracks.get(cid)
    if track is not None:
        track.cancel.done()
        self.event(cid, OrderEvent.DONE, now)


def _cumulative(order: Order, total: Amounts, now_ms: int) -> Order:
    return fill_to(order, order.filled + total, now_ms)


def _delta(self: Working, event: FillSeen, now: Now) -> None:
    order = self.orders.get(event.client_order_id)
    if order is not None:
        if order.order_id is None:
            self.event(order.client_order_id, OrderEvent.OPEN, now, order_id=event.order_id)
        self._fill(order.client_order_id, order.filled + event.delta, now)


def _acknowledged(self: Working) -> list[Order]:
    return [order for order in self._live.values() if order.order_id is not None]


_WANT, _LIVE = Desk._want, Working.live


def _want_blindly(self: Desk, intent: Intent, wanted: set[str], now: Now) -> None:
    """Everything else still sees the orders that nobody acknowledged; permission does not."""
    Working.live = _acknowledged  # type: ignore[method-assign]
    try:
        _WANT(self, intent, wanted, now)
    finally:
        Working.live = _LIVE  # type: ignore[method-assign]


def _restore_nothing(self: Working, order: Order, now_ns: int) -> None:
    self.used.add(order.intent_id)


def _believed(self: Working, order: Order, track: Track, now: Now) -> None:
    self.event(order.client_order_id, OrderEvent.ABSENT, now)


async def _unguarded(self: Guarded) -> None:
    """Says that there is one, and starts none."""
    self._was_ready.set()
    await asyncio.Event().wait()


_HOLD = Piece.hold


async def _hold_nothing(self: Piece, of: Sequence[str], *, piece: str | None = None) -> None:
    if self.name != "gateway":
        await _HOLD(self, of, piece=piece)
        return
    self.announced = True
    await self.beat_once()


async def _lock_of_its_own(_: Piece, path: Path) -> Lock:
    process = PROCESS.get()
    assert process is not None
    return Lock(path.with_suffix(f".{process.pid}"))


VARIANTS: dict[str, tuple[Swap, ...]] = {
    "time-out = failed": ((Working, "unknown", _failed),),
    "retry with a new id": ((Working, "unknown", _retry), (desk, "client_order_id", _new_id)),
    "cancel time-out = cancelled": ((Working, "cancel_returned", _cancelled),),
    "cumulative used as size": ((working, "fill_to", _cumulative),),
    "replayed deltas added": ((Working, "fill_seen", _delta),),
    "limits ignoring in-flight": ((Desk, "_want", _want_blindly),),
    "start without reconciling": (
        (Working, "_restore", _restore_nothing),
        (Working, "looked", property(lambda self: True)),
    ),
    "not-found believed at once": ((Working, "_absent", _believed),),
    "no guardian": ((Guarded, "keep", _unguarded),),
    "two gateways": ((gateway, "lock_journal", _lock_of_its_own), (Piece, "hold", _hold_nothing)),
}
"""What is wrong, and what is put in whose place for it."""


@contextmanager
def built(variant: str) -> Iterator[None]:
    """Inside, every gateway is that one."""
    _TRIES.clear()
    swaps = VARIANTS[variant]
    before = [(where, name, getattr(where, name)) for where, name, _ in swaps]
    for where, name, what in swaps:
        setattr(where, name, what)
    try:
        yield
    finally:
        for where, name, what in before:
            setattr(where, name, what)


def first_caught(variant: str, seeds: range, run: Callable[[int], Any]) -> tuple[int, str] | None:
    """The first of the seeds in which the campaign catches the variant, and by what."""
    with built(variant):
        for seed in seeds:
            outcome = run(seed)
            if outcome.violations:
                return seed, outcome.violations[0]
    return None
