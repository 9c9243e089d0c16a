"""What the gateway says on the bus: from the journal or the newest state, in order, whenever Redis takes it.

ORDER_UPDATES and FILLS are journaled first and published in the order of their numbers and sequences; after a Redis
loss or a restart they go on after what Redis holds or the journal notes as said, so nothing is missing and nothing
comes twice. ORDERS, ACCOUNT and HALT are states: only the newest matters. Redis being away never blocks an order, a
cancel or the journal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lunomm.bus.channels import ACCOUNT, CONTROL, FILLS, HALT, ORDER_UPDATES, ORDERS, VENUE
from lunomm.bus.client import Bus
from lunomm.bus.process import user
from lunomm.bus.venue import this_host, venue_in
from lunomm.errors import BusError
from lunomm.journal.store import Journal, fill_key
from lunomm.market.presence import Change, ControlRequest, HaltMark, VenueInfo
from lunomm.quoting.inputs import Account, Fill, OrderUpdate, OrderView
from lunomm.trading.events import Answer, SaveNote
from lunomm.trading.shared import copy_update

RETRY_S = 0.25
HALT_EVERY_S = 1.0

ANSWERS = 100
"""Answers to requests kept while Redis is away."""

BACKLOG = 5_000
"""Messages waiting for Redis; beyond it the journal is read again when it is back."""

SAID = "published"
"""Note of the journal: number of the last ORDER_UPDATES message that was published."""

KEEP_EVERY_S = 1.0

TAIL = 2_000
"""Newest entries looked at: of ORDER_UPDATES for our last number, of FILLS for what is missing among them."""

TELLINGS = 5
"""Looks at FILLS before Redis is said not to keep it: it is told what is missing after each."""


ORDERS_FIRST_S = 0.02
"""Longest that what is only told waits for orders on their way out."""


@dataclass
class _Look:
    """One announcement under way. views: told of. read: what stood in VENUE, once it is over; ok: nothing failed."""

    views: tuple[OrderView, ...] | None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    ok: bool = False
    read: object = None


class Publisher:
    """Everything one gateway publishes.

    Args:
        bus: stamping with the venue. journal: where updates and fills are durable. pairs: served.
    """

    def __init__(self, bus: Bus, journal: Journal, pairs: tuple[str, ...]) -> None:
        self._bus, self._journal, self._pairs = bus, journal, pairs
        self._updates: deque[OrderUpdate] = deque()
        self._fills: deque[Fill] = deque()
        self._views: dict[str, tuple[OrderView, ...]] = {}
        self._fields: dict[str, set[str]] = {}
        self._accounts: dict[str, Account] = {}
        self._account_ms: dict[str, int] = {}
        self._torn: set[str] = set()
        self._newest: dict[str, str] = {}
        self._halt: HaltMark | None = None
        # A mirror left by a gateway that is gone says nothing about this one.
        self._halt_ends = True
        self._answers: deque[ControlRequest] = deque(maxlen=ANSWERS)
        self._news = asyncio.Event()
        self._orders_lock = asyncio.Lock()
        self._flushing = asyncio.Lock()
        self._latest: dict[str, tuple[OrderView, ...]] = {}
        self._looks: dict[str, _Look] = {}
        self._leaving: dict[asyncio.Task[Any], None] = {}
        self._synced = False
        self._said = int(journal.note(SAID) or 0)
        self._said_kept = self._said
        self._kept_at = 0.0
        self.failures = 0

    # --- taken from the reconciler's steps ---

    def update(self, update: OrderUpdate) -> None:
        self._take(self._updates, update)

    def fill(self, fill: Fill) -> None:
        self._take(self._fills, fill)

    def _take(self, queue: deque[OrderUpdate] | deque[Fill], message: OrderUpdate | Fill) -> None:
        if len(queue) >= BACKLOG:
            # Redis has been away for long: what is dropped here is durable, and read from the journal when it is back.
            queue.clear()
            self._synced = False
        queue.append(message)  # type: ignore[arg-type]
        self._news.set()

    def orders(self, pair: str, views: tuple[OrderView, ...]) -> None:
        self._views[pair] = self._latest[pair] = views
        self._news.set()

    def account(self, account: Account) -> None:
        self._accounts[account.pair] = account
        self._news.set()

    def halt(self, reason: str, since_ms: int) -> None:
        self._halt, self._halt_ends = HaltMark(pair="", since_ms=since_ms, cause=reason), False
        self._news.set()

    def resumed(self) -> None:
        self._halt, self._halt_ends = None, True
        self._news.set()

    def answer(self, answer: Answer) -> None:
        """Say what became of a request. One from a file needs no words: the file goes, the journal shows it."""
        if not answer.pair:
            return
        self._answers.append(
            ControlRequest(
                pair=answer.pair,
                request_id=f"{answer.request_id}-gateway",
                verb="answer",
                ts_ms=answer.ts_ms,
                who=f"{user()}@{this_host()}",
                answers=answer.request_id,
                accepted=answer.accepted,
                detail=answer.detail[:300],
                changes=[Change(name=name, old=old, new=new) for name, old, new in answer.changes],
                piece="gateway",
            )
        )
        self._news.set()

    def orders_first(self, task: asyncio.Task[Any]) -> None:
        """An order is on its way out: what is only told waits for it, a moment."""
        self._leaving[task] = None
        task.add_done_callback(lambda over: self._leaving.pop(over, None))

    # --- sending ---

    async def run(self) -> None:
        """Publish for ever."""
        halt_at = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            await self._wait(HALT_EVERY_S)
            self._news.clear()
            if self._leaving:
                await asyncio.wait(list(self._leaving), timeout=ORDERS_FIRST_S)
            try:
                await self.flush()
                self.keep_place(clock())
                if self._halt is not None and clock() >= halt_at:
                    halt_at = clock() + HALT_EVERY_S
                    await self._put_halt(self._halt)
            except BusError:
                # Whatever was under way may or may not be there: it is compared with Redis' own state next time.
                self.failures += 1
                self._synced = False
                await asyncio.sleep(RETRY_S)
                self._news.set()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def flush(self) -> None:
        """Send all that waits.

        Raises:
            BusError: Redis does not take it; nothing is lost.
        """
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        for pair in list(self._views):
            await self.put_orders(pair)
        if not self._synced:
            await self._sync()
        while self._updates:
            await self._say(self._updates[0])
            self._updates.popleft()
        while self._fills:
            await self._append(self._fills[0])
            self._fills.popleft()
        if self._halt_ends:
            for pair in self._pairs:
                await self._bus.clear(HALT, pair)
            self._halt_ends = False
        while self._answers:
            await self._bus.append(CONTROL, self._answers[0])
            self._answers.popleft()
        for pair in list(self._accounts):
            account = self._accounts[pair]
            if await self._forgotten(pair):
                self._torn.add(pair)
                await self._sync()
            await self._bus.put(ACCOUNT, account)
            self._account_ms[pair] = account.ts_ms
            if self._accounts.get(pair) is account:
                del self._accounts[pair]

    async def _forgotten(self, pair: str) -> bool:
        """Whether Redis lost what it held, or holds what it held before, though no command of ours failed.

        A flush or a fall-back between two commands. ACCOUNT, rewritten every second, tells: it must be our last one.
        Before the first, which may come long after the start, the newest entry of FILLS does.
        """
        if pair not in self._account_ms:
            return await self._fell_back(pair)
        held = await self._bus.get(ACCOUNT, pair)
        return held is None or held.ts_ms != self._account_ms.pop(pair)

    async def _fell_back(self, pair: str) -> bool:
        """Whether FILLS does not end where we left it."""
        newest = await self._bus.read_last(FILLS, pair, 1)
        return (newest[-1][0] if newest else "") != self._newest.get(pair, "")

    async def announce(self, pair: str) -> VenueInfo | None:
        """Make ORDERS::<pair> what it is now, and read VENUE::<pair>, in one round trip: before every POST.

        Orders of one step share it: it was begun with all of them in it.

        Raises:
            BusError: as `put_orders`; BadMessage: no venue is in that key.
        """
        views = self._latest.get(pair)
        shared = self._looks.get(pair)
        if shared is not None and shared.views is views:
            await shared.over.wait()
            if shared.ok:
                return venue_in(shared.read, pair)
        look = self._looks[pair] = _Look(views)
        try:
            look.read = await self.put_orders(pair, VENUE.key(pair))
            look.ok = True
        finally:
            look.over.set()
            if self._looks.get(pair) is look:
                del self._looks[pair]
        return venue_in(look.read, pair)

    async def put_orders(self, pair: str, beside: str | None = None) -> object:
        """Make ORDERS::<pair> what it is now; returns once it is, with the raw value of the key ``beside``.

        Raises:
            BusError: it may be anything; it is rewritten whole next time.
        """
        async with self._orders_lock:
            views = self._views.get(pair)
            if views is None:
                return await self._bus.hash_put(ORDERS, pair, {}, beside=beside)
            fields = self._fields.pop(pair, None)
            if fields is None:
                await self._bus.clear(ORDERS, pair)
                fields = set()
            wanted = {view.intent_id: view for view in views}
            read = await self._bus.hash_put(ORDERS, pair, wanted, delete=fields - wanted.keys(), beside=beside)
            self._fields[pair] = set(wanted)
            if self._views.get(pair) is views:
                del self._views[pair]
            return read

    async def _say(self, update: OrderUpdate) -> None:
        if update.number > self._said:
            await self._bus.publish(ORDER_UPDATES, copy_update(update))
            self._said = update.number

    def keep_place(self, at: float | None = None) -> None:
        """Note in the journal how far we are: at most once a second, or at once without a time."""
        if self._said != self._said_kept and (at is None or at - self._kept_at >= KEEP_EVERY_S):
            self._journal.commit([SaveNote("", SAID, str(self._said))])
            self._said_kept, self._kept_at = self._said, at or 0.0

    async def _sync(self) -> None:
        """After a start or a Redis loss: go on after what Redis holds, from the journal."""
        self._fields.clear()
        for pair, views in self._latest.items():
            self._views.setdefault(pair, views)
            await self.put_orders(pair)
        for pair in sorted(self._torn):
            # What was added after a fall-back hides what is missing before it.
            await self._bus.clear(FILLS, pair)
            self._torn.discard(pair)
        for pair in self._pairs:
            rows = await self._bus.read_last(ORDER_UPDATES, pair, TAIL)
            self._said = max([self._said, *(update.number for _, update in rows)])
            await self._tell(pair)
        # Durable before they were queued: what waits in the queue is among these, and is said once by its number.
        for update in self._journal.updates(self._said):
            await self._say(update)
        self._synced = True

    async def _append(self, fill: Fill) -> None:
        """Add a fill to the end of its stream; where it does not stand behind the entry we left, tell what is missing.

        Looked at afterwards: a Redis that forgets between a look and the entry would not be noticed.
        """
        name, before = _entry_id(fill), self._newest.get(fill.pair, "")
        if await self._grow(fill):
            end = [told for told, _ in await self._bus.read_last(FILLS, fill.pair, 2)]
            if end == ([before, name] if before else [name]):
                return
        else:
            rows = await self._bus.read(FILLS, fill.pair, after=f"{fill.sequence - 1}-9", count=1)
            if rows and rows[0][0] == name:
                return
        await self._tell(fill.pair)

    async def _tell(self, pair: str) -> None:
        """Make the tail of FILLS what the journal has: go on at its end or, where anything else is amiss, tell it anew.

        A stream only grows at its end, and a trade row can come late, below the newest entry; a gateway can end between
        booking and telling one; Redis can forget at any moment.

        Raises:
            BusError: Redis does not keep what it is told.
        """
        for _ in range(TELLINGS):
            told = [name for name, _ in await self._bus.read_last(FILLS, pair, TAIL)]
            # Of hundreds of thousands, those that can be missing; all of them only where the stream is told anew.
            fills = self._journal.last_fills(pair, 2 * TAIL)
            names = [_entry_id(fill) for fill in fills]
            self._newest[pair] = told[-1] if told else ""
            if told == names[-TAIL:]:
                return
            ends = names.index(told[-1]) + 1 if told and told[-1] in names else 0
            if not ends or told != names[max(ends - TAIL, 0) : ends]:
                await self._bus.clear(FILLS, pair)
                self._newest[pair] = ""
                fills, ends = self._journal.fills(pair), 0
            for fill in fills[ends:]:
                if not await self._grow(fill):
                    # What stands there cannot be read, and is above ours.
                    await self._bus.clear(FILLS, pair)
                    break
        raise BusError(f"Redis does not keep the entries of {FILLS.key(pair)}")

    async def _grow(self, fill: Fill) -> bool:
        name = _entry_id(fill)
        added = await self._bus.append(FILLS, fill, id=name)
        if added:
            self._newest[fill.pair] = name
        return bool(added)

    async def _put_halt(self, mark: HaltMark) -> None:
        for pair in self._pairs:
            await self._bus.put(HALT, HaltMark(pair=pair, since_ms=mark.since_ms, cause=mark.cause))

    async def withdraw(self) -> None:
        """At a clean end: no orders, no account of a gateway that is gone."""
        for pair in self._pairs:
            await self._bus.clear(ORDERS, pair)


def _entry_id(fill: Fill) -> str:
    """A fill's stream id: the venue's trade sequence, then 0 for a BID or 1 for an ASK."""
    return "{}-{}".format(*fill_key(fill))
