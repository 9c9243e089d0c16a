"""The whole pipeline read from the bus: every channel of every pair, every heartbeat, as one frozen picture.

Ages are judged by this process's monotonic clock: a heartbeat or a tick is as old as the time since it last *changed*
here. Only for the first look, where nothing can have changed yet, the writer's wall clock is believed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, TypeVar

from lunomm.bus.census import census
from lunomm.bus.channels import (
    ACCOUNT,
    FILLS,
    HALT,
    HEALTH,
    LOB,
    ORDERS,
    PARAMS,
    QUOTES,
    RULES,
    VENUE,
    Channel,
    health_key,
)
from lunomm.bus.client import Bus
from lunomm.bus.clock import Clock
from lunomm.bus.venue import VenueInfo, this_host, venue_in
from lunomm.commands import venue_finder
from lunomm.errors import BadMessage, BusError
from lunomm.market.presence import OURS, HaltMark, Health
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Account
from lunomm.quoting.intents import WantedQuotes
from lunomm.views.pipeline import PairView, PieceView, PipelineView

T = TypeVar("T")

PIECES = ("book", "calibrate", "quote", "gateway")
"""What a whole pipeline has; shown as not running when there is no heartbeat."""

KEYS: tuple[Channel[Any], ...] = (LOB, RULES, QUOTES, ACCOUNT, PARAMS, HALT)
"""What is read of every pair by its key, in the order of `PipelineReader._pair`'s arguments."""

FILLS_SHOWN = 10
MIDS_KEPT = 600
ASK_S = 0.12
TURN_S = 0.01
ASK_EVERY_NS = 5_000_000_000


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``, waited for so long as ``seconds`` take a machine that is not busy.

    Counted in short sleeps: where this process gets its turns late, so do those it waits for, and a wall clock would
    call them dead.

    Raises:
        TimeoutError: it took longer.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(max(round(seconds / TURN_S), 1)):
            done, _ = await asyncio.wait((task,), timeout=TURN_S)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
    raise TimeoutError


class PipelineReader:
    """Reads the bus into :class:`PipelineView`; keeps only what ages and the mid's path need.

    pairs: what to show; empty = whatever is found on this Redis. keep: a pair once found stays, though nothing of it is
    left, and so does a piece that fell silent before it was gone: whoever watches must miss them. One that says goodbye
    takes its heartbeat with it.
    """

    def __init__(self, bus: Bus, pairs: Sequence[str] = (), *, keep: bool = False) -> None:
        self._bus = bus
        self._kept: set[str] | None = set() if keep else None
        self._missed: set[tuple[str, str]] = set()
        self._wanted = tuple(pairs)
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        self._mids: dict[str, deque[float | None]] = {}
        self._mid_at_ns = 0
        self._asked: dict[str, tuple[int, bool]] = {}
        self.last = PipelineView("", bus.address.url, 0)

    async def read(self) -> PipelineView:
        """The pipeline now.

        Raises:
            BusError: Redis does not answer.
        """
        known = await census(self._bus)
        pairs = self._wanted or known.pairs
        if self._kept is not None:
            self._kept.update(pairs)
            pairs = tuple(sorted(self._kept))
        problems: list[str] = []
        venues = await self._venues(pairs, problems)
        clock = Clock() if not venues else clock_of(venues[0][0])
        asking = [asyncio.create_task(self._answers(venue), name="status:exchange") for venue, _ in venues]
        try:
            views: list[PairView] = []
            pieces: list[PieceView] = []
            groups: list[tuple[VenueInfo | None, Sequence[str]]] = [*venues] or [(None, pairs)]
            for claimed, of in groups:
                # What the bus decodes is compared with the venue of the pairs that are read.
                self._bus.venue = claimed
                found = await self._pictures(
                    of, {*known.pieces, *self._missed}, clock if claimed is None else clock_of(claimed)
                )
                views += found[0]
                pieces += found[1]
        except BaseException:
            for task in asking:
                task.cancel()
            raise
        for (venue, _), task in zip(venues, asking, strict=True):
            if not await task:
                problems.append(f"the {venue_finder.WORDS[venue.mode]} exchange at {venue.url} does not answer")
        place = {pair: number for number, pair in enumerate(pairs)}
        views.sort(key=lambda view: place[view.pair])
        pieces.sort(key=lambda piece: place[piece.pair])
        if self._kept is not None:
            self._missed -= {(piece.piece, piece.pair) for piece in pieces if piece.beats}
            self._missed |= {
                (piece.piece, piece.pair) for piece in pieces if piece.health is not None and not piece.beats
            }
        self._keep_mids(views)
        self.last = PipelineView(
            venue="; ".join(venue.title for venue, _ in venues) or "no venue is claimed",
            redis=self._bus.address.url,
            now_ms=clock.exchange_ms(),
            pairs=tuple(views),
            pieces=tuple(pieces),
            problems=tuple(problems),
        )
        return self.last

    async def _venues(self, pairs: Sequence[str], problems: list[str]) -> list[tuple[VenueInfo, tuple[str, ...]]]:
        """Each venue on this Redis with its pairs, one after another as the pairs are; empty where none is claimed.

        A pair that nothing claims goes with the first.
        """
        found: dict[str, tuple[VenueInfo, list[str]]] = {}
        unclaimed: list[str] = []
        if not pairs:
            return []
        rows = await self._bus.call(self._bus.redis.mget([VENUE.key(pair) for pair in pairs]))
        for pair, raw in zip(pairs, rows, strict=True):
            try:
                venue = venue_in(raw, pair)
            except BadMessage as error:
                problems.append(str(error))
                venue = None
            if venue is None:
                unclaimed.append(pair)
            else:
                found.setdefault(venue.stamp, (venue, []))[1].append(pair)
        if found:
            next(iter(found.values()))[1].extend(unclaimed)
        return [(venue, tuple(of)) for venue, of in found.values()]

    async def _pictures(
        self, pairs: Sequence[str], heard: Collection[tuple[str, str]], clock: Clock
    ) -> tuple[tuple[PairView, ...], tuple[PieceView, ...]]:
        """Every pair and every piece, in as few round trips as there are kinds of keys: the server may be far away."""
        names = {(piece, pair) for piece in PIECES for pair in pairs}
        names |= {(piece, pair) for piece, pair in heard if pair in pairs}
        order = {piece: place for place, piece in enumerate(PIECES)}
        every = sorted(names, key=lambda name: (name[1], order.get(name[0], 9), name[0]))
        keys: list[tuple[Channel[Any], str, str]] = [(channel, pair, pair) for pair in pairs for channel in KEYS]
        keys += [(HEALTH, pair, health_key(piece, pair)) for piece, pair in every]
        if not keys:
            return (), ()
        found = await self._bus.get_many(keys)
        views = []
        for at, pair in enumerate(pairs):
            values = found[at * len(KEYS) : (at + 1) * len(KEYS)]
            views.append(await self._pair(pair, clock, *values))
        beats = found[len(pairs) * len(KEYS) :]
        pieces = [self._piece(piece, pair, health) for (piece, pair), health in zip(every, beats, strict=True)]
        return tuple(views), tuple(pieces)

    async def _pair(
        self,
        pair: str,
        clock: Clock,
        tick: Tick | None,
        rules: PairRules | None,
        quotes: WantedQuotes | None,
        account: Account | None,
        params: Params | None,
        halt: HaltMark | None,
    ) -> PairView:
        bus = self._bus
        orders, fills = await asyncio.gather(bus.hash_get(ORDERS, pair), bus.read_last(FILLS, pair, FILLS_SHOWN))
        wall_ms, exchange_ms = clock.wall_ms(), clock.exchange_ms()
        return PairView(
            pair=pair,
            tick=tick,
            tick_age_ms=None if tick is None else self._age_ms("LOB", pair, tick.beat, wall_ms - tick.ts),
            rules=rules,
            quotes=quotes,
            quotes_age_ms=(
                None
                if quotes is None
                else self._age_ms("QUOTES", pair, quotes.number + quotes.epoch, exchange_ms - quotes.ts_ms)
            ),
            account=account,
            account_age_ms=(
                None if account is None else self._age_ms("ACCOUNT", pair, account.ts_ms, exchange_ms - account.ts_ms)
            ),
            orders=tuple(orders.values()),
            fills=tuple(fill for _, fill in fills),
            params=params,
            params_age_ms=None if params is None else float(max(exchange_ms - params.at_ms, 0)),
            halt=halt,
            mids=tuple(self._mids.get(pair, ())),
        )

    def _piece(self, piece: str, pair: str, health: Health | None) -> PieceView:
        if health is None:
            self._seen.pop((piece, pair), None)
            return PieceView(piece, pair)
        wall_ms = time.time_ns() // 1_000_000
        return PieceView(piece, pair, health, self._age_ms(piece, pair, health.beat, wall_ms - health.ts_ms))

    def _age_ms(self, name: str, pair: str, mark: float, first_ms: float) -> float:
        """Time since ``mark`` last changed here; at first sight ``first_ms`` by the writer's clock."""
        now_ns = time.monotonic_ns()
        seen = self._seen.get((name, pair))
        if seen is None:
            since_ns = now_ns - int(min(max(first_ms, 0.0), 86_400_000.0) * 1e6)
            self._seen[name, pair] = (mark, since_ns)
        elif seen[0] != mark:
            since_ns = now_ns
            self._seen[name, pair] = (mark, since_ns)
        else:
            since_ns = seen[1]
        return (now_ns - since_ns) / 1e6

    async def _answers(self, venue: VenueInfo) -> bool:
        """Whether an exchange of ours on this machine answers; anything else is not ours to judge."""
        if venue.mode not in OURS or venue.host != this_host():
            return True
        now_ns = time.monotonic_ns()
        asked_ns, answered = self._asked.get(venue.url, (None, False))
        if asked_ns is not None and now_ns - asked_ns < ASK_EVERY_NS:
            return answered
        try:
            alive = await within(ASK_S, venue_finder.ask(venue.url)) is not None
        except TimeoutError:
            alive = False
        self._asked = {url: was for url, was in self._asked.items() if now_ns - was[0] < ASK_EVERY_NS}
        self._asked[venue.url] = (now_ns, alive)
        return alive

    def _keep_mids(self, views: Sequence[PairView]) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._mid_at_ns < 1_000_000_000:
            return
        self._mid_at_ns = now_ns
        for view in views:
            mid = None if view.tick is None or view.tick.mid_price is None else float(view.tick.mid_price)
            self._mids.setdefault(view.pair, deque(maxlen=MIDS_KEPT)).append(mid)

    def silent(self, error: BusError) -> PipelineView:
        """The last picture with the reason why there is no newer one."""
        view = self.last
        return PipelineView(view.venue, view.redis, view.now_ms, view.pairs, (), (str(error),), view.notes)


def clock_of(venue: VenueInfo) -> Clock:
    """Exchange time as the venue's anchors say."""
    return Clock(venue.speed, venue.anchor_wall_ms * 1_000_000, venue.anchor_exchange_ms * 1_000_000)
