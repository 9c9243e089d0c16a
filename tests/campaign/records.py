"""What is written down: the journal on disk and the streams on Redis, against the exchange.

INV-08 (an end in the journal is the exchange's too), INV-13 (nothing is sent while halted), INV-15 (each fill once),
INV-16 (position = journal = exchange, to the last digit), INV-26 (no halt without a reason), INV-30 (the streams: in
order, nothing twice, nothing missing), INV-37 (the exchange itself makes no money).
"""

from __future__ import annotations

import itertools
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from campaign.loop import Process
from campaign.market import BASE, COUNTER, PAIR, PREFIX
from campaign.shown import names
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState, OrderUpdate, UpdateKind
from lunomm.trading.orders import Order

if TYPE_CHECKING:
    from campaign.checker import Checker
    from campaign.redis_store import Entry
    from campaign.world import World

LAWFUL = ("REJECTS", "POST_ONLY", "BAD_QUOTES", "UNREADABLE", "ALIEN", "ONE_SIDED", "KEY_REFUSED")
"""Halts that our faults bring about rightly; the operator resumes them."""

CLOCK_S = 90.0
_IDS = re.compile(r'"id":"([^"]+)"')


class Records:
    """halted: the reason of the standing halt. ended: how the journal ended orders that the exchange never had.

    intents: ids that any quoter ever wanted.
    """

    def __init__(self, checker: Checker, world: World) -> None:
        self._checker, self._world = checker, world
        self.halted = ""
        self.resumed_s = -math.inf
        """True time of the last halt's end."""
        self.first_ms = 0
        """True time of the account's first start."""
        self.ended: dict[str, str] = {}
        self.intents: set[str] = set()
        self._rows: set[tuple[int, Side]] = set()
        self._streams: dict[str, tuple[int, int]] = {}
        self._saved: dict[int, OrderUpdate] = {}
        self._seams: set[int] = set()

    # --- as it is written -------------------------------------------------------------------------------------------

    def journaled(self, process: Process, order: Order) -> None:
        """The journal says what became of an order: an end must be the exchange's too."""
        cid = order.client_order_id
        if order.state is OrderState.SENT and order.version <= 1 and self.halted:
            self._checker.guard(f"INV-13: {cid} is sent while halted: {self.halted}")
        if order.live:
            self.ended.pop(cid, None)
            return
        there = self._world.market.by_client_id(cid)
        if there is not None and there.live:
            self._checker.guard(f"INV-08: the journal calls {cid} {order.state.value}, and it rests at the exchange")
        if cid not in self._checker.accepted_by:
            self.ended[cid] = order.state.value

    def halt_saved(self, reason: str) -> None:
        """Some halts are what trouble must lead to; any other says that something was believed that is not so."""
        self._world.trace("checker", f"halted: {reason}")
        self.halted = reason
        kind = reason.partition(":")[0]
        # By a wrong clock an order of ours seems placed before we sent it: it stops, which is safe.
        clock = kind == "DUPLICATE_ID" and self._checker.now_s - self._checker.sources.clock_s < CLOCK_S
        if kind in LAWFUL or clock:
            self._world.faults.reach("natural.halt")
            self._world.resume_soon()
        else:
            self._checker.guard(f"INV-26: halted for no good reason: {reason}")

    def resume_saved(self) -> None:
        self.halted, self.resumed_s = "", self._checker.now_s

    def booked(self, fill: Fill) -> None:
        key = (fill.sequence, fill.side)
        if key in self._rows:
            self._checker.guard(f"INV-15: trade {fill.sequence} {fill.side.value} is booked twice")
        self._rows.add(key)
        order = self._world.market.order(fill.order_id)
        if order is None or not order.request.client_order_id.startswith(PREFIX):
            self._checker.guard(f"INV-15: a fill of {fill.order_id}, which is no order of ours")

    def update_saved(self, update: OrderUpdate) -> None:
        if update.number in self._saved:
            self._checker.guard(f"INV-30: two updates of number {update.number}")
        self._saved[update.number] = update
        if update.kind is UpdateKind.REFUSAL:
            self._world.trace("journal", f"refused {update.intent_id}: {update.code} {update.message or ''}")

    # --- the streams on Redis ---------------------------------------------------------------------------------------

    def wanted(self, data: str) -> None:
        self.intents.update(_IDS.findall(data))

    def stream_entry(self, key: str, entry: Entry, life: int) -> None:
        """ORDER_UPDATES and FILLS as they grow: in order, nothing twice, nothing missing."""
        if key != "ORDER_UPDATES":
            return
        update = msgspec.json.decode(entry[1]["d"], type=OrderUpdate)
        before = self._streams.get(key)
        self._streams[key] = (life, update.number)
        saved = self._saved.get(update.number)
        if saved is None:
            self._checker.guard(f"INV-30: ORDER_UPDATES {update.number} is not in the journal")
        if before is None or before[0] != life:
            self._seams.add(update.number)
        elif update.number != before[1] + 1:
            self._checker.guard(f"INV-30: ORDER_UPDATES {update.number} follows {before[1]}")

    # --- at the end --------------------------------------------------------------------------------------------------

    def final(self) -> None:
        """Everything has stopped: the journal is the exchange, to the last digit."""
        world, market = self._world, self._world.market
        if world.alive("gateway"):
            self._checker.broken("INV-25: the gateway was asked to end, and did not within 30 s")
        if live := market.live():
            self._checker.broken(f"INV-25: the gateway has ended, and {names(live)} rest")
        journal = world.disk.journal()
        assert journal is not None
        restored = journal.restore(world.true_ms)
        pair = restored.pairs[PAIR]
        for order in pair.orders:
            if order.live:
                self._checker.broken(f"INV-08: the journal still holds {order.client_order_id} as {order.state.value}")
        self._compare_fills(journal.fills(PAIR))
        self._compare_money(restored.notes, pair.notes, list(pair.entries))
        self._compare_streams(journal.fills(PAIR))
        self._compare_manual()
        for asset in (BASE, COUNTER):
            if market.venue.ledger.drift(asset):
                self._checker.broken(f"INV-37: the exchange itself made or lost {asset}")
        if world.loop.errors:
            self._checker.broken(f"INV-35: {world.loop.errors[0]}")

    def _compare_fills(self, fills: list[Fill]) -> None:
        market = self._world.market
        booked: dict[str, list[Fill]] = {}
        for fill in fills:
            booked.setdefault(fill.order_id, []).append(fill)
        for order in market.ours():
            rows = booked.pop(order.order_id, [])
            there = (
                Decimal(order.text.volume(order.filled_lots)), Decimal(order.text.counter(order.counter)),
                Decimal(order.fee_base).scaleb(-18), Decimal(order.fee_counter).scaleb(-18),
            )  # fmt: skip
            here = tuple(
                sum((getattr(row, name) for row in rows), Decimal(0))
                for name in ("volume", "counter", "fee_base", "fee_counter")
            )
            if there != here:
                self._checker.broken(f"INV-15: {order.request.client_order_id}: exchange {there}, journal {here}")
        if booked:
            self._checker.broken(f"INV-15: fills of unknown orders: {sorted(booked)[:3]}")

    def _compare_money(self, account: dict[str, str], notes: dict[str, str], entries: list[object]) -> None:
        market = self._world.market
        for asset in (BASE, COUNTER):
            here, there = Decimal(account.get(f"expected:{asset}", "0")), market.total(asset)
            if here != there:
                self._checker.broken(f"INV-16: {asset}: the exchange has {there}, the journal expects {here}")
        position = Decimal(notes["opening"])
        for entry in entries:
            if isinstance(entry, Fill):
                if entry.ts_ms < self.first_ms:
                    continue  # an order of a journal before this one: the opening has its fill
                gross = entry.volume if entry.side is Side.BID else -entry.volume
                position += gross - entry.fee_base
            else:
                position += entry.base  # type: ignore[attr-defined]
        if position != market.total(BASE):
            self._checker.broken(f"INV-16: opening and entries make {position}, the exchange has {market.total(BASE)}")

    def _compare_streams(self, fills: list[Fill]) -> None:
        """What is published at the end: every fill once, in order; every update of this stream's life."""
        server = self._world.redis.server
        said = [
            (fill.sequence, fill.side)
            for _, fields in server.xrange(f"FILLS::{PAIR}")
            for fill in [msgspec.json.decode(fields["d"], type=Fill)]
        ]
        if said != [(fill.sequence, fill.side) for fill in fills]:
            self._checker.broken(
                f"INV-30: FILLS holds {len(said)} entries, the journal {len(fills)} fills, or in another order"
            )
        rows = server.xrange("ORDER_UPDATES")
        numbers = [msgspec.json.decode(fields["d"], type=OrderUpdate).number for _, fields in rows]
        newest = max(self._saved, default=0)
        # After a flush or a fall-back it goes on with the next update, where one comes: nothing is said twice.
        untouched = self._streams.get("ORDER_UPDATES", (server.life, 0))[0] != server.life
        if numbers and numbers[-1] != newest and not untouched:
            self._checker.broken(f"INV-30: ORDER_UPDATES ends with {numbers[-1]}, the journal with {newest}")
        pairs = itertools.pairwise(numbers)
        if any(after != before + 1 and not (after in self._seams and after > before) for before, after in pairs):
            self._checker.broken("INV-30: ORDER_UPDATES has a hole, or an entry twice")

    def _compare_manual(self) -> None:
        market = self._world.market
        for order_id, order in market.manual.items():
            whole = order.filled_lots == order.request.lots
            if not order.live and not whole and order_id not in market.withdrawn:
                self._checker.broken(f"INV-09: the owner's own order {order_id} is gone")
