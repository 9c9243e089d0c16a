"""What every piece does around its own work: find Redis and the venue, hold its lease, beat, show itself, stop.

    async with open_piece("book", common, pairs, lease=True) as piece:
        piece.start(follow_the_market(piece), "stream")
        piece.present(render, line, data)
        await piece.wait()

Redis may go away and come back under a running piece: heartbeat, venue and lease are put back. A venue of another kind
or a lease taken over ends the piece; a simulated exchange that was replaced starts it over (:func:`run_again`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import RenderableType

from lunomm.bus import embedded
from lunomm.bus.channels import HEALTH, health_key
from lunomm.bus.client import Bus
from lunomm.bus.clock import Clock
from lunomm.bus.lease import Lease, acquire, settle
from lunomm.bus.process import is_running, state_folder, user
from lunomm.bus.venue import VenueInfo, VenueReplaced, claim, peek, refresh, release, this_host
from lunomm.commands import venue_finder
from lunomm.commands.present import Presenter, last_words, say
from lunomm.config import Common, environment
from lunomm.errors import BusError, ConnectivityError, LunommError
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.market.presence import OURS, Health

if TYPE_CHECKING:
    from lunomm.options.exchange import ExchangeOptions

BEAT_S = 1.0
WATCH_S = 2.0
CLOSE_S = 5.0
SAME_SIGNAL_S = 0.5
"""A wrapper such as ``timeout`` signals the process and its group: two within this long are one."""
GONE_AFTER_S = 5.0
"""A simulated exchange that did not answer for so long is started again (under ``up``: by ``up``)."""


class PairHealth(NamedTuple):
    """What one pair's heartbeat says, where a piece serves several."""

    state: str
    last_error: str | None
    counters: dict[str, float | str | None]


class Piece:
    """One running piece; made by :func:`open_piece`.

    Attributes:
        bus: connected, stamping with the venue. venue: what all pieces of the pairs talk about (None only for a piece
            opened with ``exchange=False`` before one is there). key: what to log in with. clock: the venue's time.
        pairs: in the order given. stop: set when the piece is to end (signal, ``--for``, ``up`` gone).
        counters: shown in HEALTH and by status. count: brings them up to date, before each beat.
        state: one word, likewise. last_error: likewise.
        settings: what `lunomm set` may change of this piece, as it is now.
        follows: goes on when the exchange is restarted (``up``, which restarts it); others start over.
        of_pair: what HEALTH says of a pair instead of state, last_error and counters, where pairs differ.
        on_abandon: what a second Ctrl-C says may remain, and the exit code; None = nothing remains.
    """

    def __init__(self, name: str, common: Common, pairs: Sequence[str], bus: Bus) -> None:
        self.name = name
        self.common = common
        self.pairs = tuple(pairs)
        self.bus = bus
        self.venue: VenueInfo | None = None
        self.clock = Clock()
        self.stop = asyncio.Event()
        self.counters: dict[str, float | str | None] = {}
        self.count: Callable[[], None] | None = None
        self.follows = False
        self.state = "OK"
        self.last_error: str | None = None
        self.on_abandon: Callable[[], tuple[str, int]] | None = None
        self.presenter: Presenter | None = None
        self.of_pair: dict[str, PairHealth] = {}
        self.settings: dict[str, str] = {}
        self.started_ms = time.time_ns() // 1_000_000
        # Silent until its lease is held: a second instance must not speak, or clean up, in the first one's name.
        self.announced = False
        self._beat = 0
        self._leases: list[Lease] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadline = None if common.for_s is None else time.monotonic() + common.for_s

    @property
    def endpoint(self) -> Endpoint:
        """Where the venue's REST and streams are.

        Raises:
            ConnectivityError: no venue is there yet.
        """
        if self.venue is None or self.venue.mode == "tape":
            raise ConnectivityError("no exchange is there. Start one: lunomm exchange")
        return endpoint(self.venue.url)

    @property
    def key(self) -> ApiKey | None:
        """The user's key in live mode, sim/sim else: a user's key goes to the venue he named only."""
        return self.common.key if self.common.mode == "live" else venue_finder.SIM_KEY

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run ``work`` beside the rest; if it raises, the piece ends and raises the same."""
        task = asyncio.create_task(work, name=f"{self.name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the piece with this error; the first one stays."""
        if not self._failed.done():
            self._failed.set_exception(error)

    def present(
        self,
        render: Callable[[], RenderableType],
        line: Callable[[], str],
        data: Callable[[], dict[str, Any] | list[dict[str, Any]]],
    ) -> None:
        """Show this piece until it ends: a live screen, a plain line every 5 s, or with ``--json`` a line a second."""
        self.presenter = Presenter(self.name, self.common.json, render, line, data)
        self.start(self.presenter.run(self.stop), "screen")

    async def wait(self) -> None:
        """Until asked to stop, ``--for`` has passed, or something started here raised (then raises that)."""
        stop = asyncio.create_task(self.stop.wait())
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        try:
            await asyncio.wait((stop, self._failed), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        self.stop.set()
        self.state = "STOPPING"
        if self._failed.done():
            self._failed.result()

    # --- what runs beside every piece ------------------------------------------------------------------------------

    async def join(self, venue: VenueInfo) -> None:
        """Claim the venue for every pair and stamp with it."""
        joined = venue
        for pair in self.pairs:
            joined = await claim(self.bus, pair, joined)
        self._adopt(joined)

    def _adopt(self, venue: VenueInfo) -> None:
        self.venue = self.bus.venue = venue
        self.clock = Clock(venue.speed, venue.anchor_wall_ms * 1_000_000, venue.anchor_exchange_ms * 1_000_000)

    async def hold(self, of: Sequence[str], *, piece: str | None = None) -> None:
        """Take and keep a lease for each of ``of`` (pairs, or an account).

        Raises:
            InstanceError: another instance holds one.
        """
        for name in of:
            lease = await acquire(self.bus, piece or self.name, name)
            self._leases.append(lease)
            if self.name == "gateway":
                await settle(lease)
        self.announced = True
        await self.beat_once()

    def lease_words(self, now_ms: int) -> str:
        """Who holds the first lease and since when, for a screen; empty before it is held. now_ms: wall clock."""
        if not self._leases:
            return ""
        info = self._leases[0].info
        return f"process {info.pid} for {(now_ms - info.since_ms) / 60_000:.0f} min"

    def lease_left_s(self) -> float:
        """Seconds for which no other instance can hold any of our leases, as far as Redis tells."""
        return min((lease.left_s() for lease in self._leases), default=0.0)

    async def beat_once(self) -> None:
        """Heartbeat, venue and leases, once."""
        self._beat += 1
        if self.count is not None:
            self.count()
        for pair in self.pairs:
            await self._keep_venue(pair)
            if not self.announced:
                continue
            of_pair = self.of_pair.get(pair)
            health = Health(
                pair=pair,
                piece=self.name,
                pid=os.getpid(),
                host=this_host(),
                user=user(),
                started_ms=self.started_ms,
                ts_ms=self.clock.wall_ms(),
                beat=self._beat,
                mode=self.venue.mode if self.venue else self.common.mode,
                state=self.state if of_pair is None or self.stop.is_set() else of_pair.state,
                last_error=self.last_error if of_pair is None else of_pair.last_error or self.last_error,
                counters={
                    **(self.counters if of_pair is None else of_pair.counters),
                    "dropped": float(sum(self.bus.dropped.values())),
                },
                settings=self.settings,
            )
            await self.bus.put(HEALTH, health, name=health_key(self.name, pair))
        for lease in self._leases:
            await lease.renew()
        if not self._leases:
            await self.bus.check_master()

    async def _keep_venue(self, pair: str) -> None:
        """Keep the claim; a piece without a venue, or one that only follows, takes the one that is there."""
        if self.venue is not None:
            try:
                await refresh(self.bus, pair, self.venue)
            except VenueReplaced:
                if not self.follows:
                    raise
            else:
                return
        found = await peek(self.bus, pair)
        if found is not None:
            self._adopt(found)

    async def _beats(self) -> None:
        lost_since: float | None = None
        while True:
            try:
                await self.beat_once()
            except BusError as e:
                self.last_error = str(e)
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > GONE_AFTER_S:
                    await self._revive_redis()
            else:
                self.last_error = None if lost_since else self.last_error
                lost_since = None
            self.last_error = self.bus.mixed_builds() or self.last_error
            if self.common.supervised is not None and os.getppid() != self.common.supervised:
                self.stop.set()  # `up` is gone: nobody watches over this piece any more
            await asyncio.sleep(BEAT_S)

    async def _revive_redis(self) -> None:
        """Start the embedded server again when it was ours and died (never a server of the user's own)."""
        if embedded.was_ours(self.common.redis, self.common.state_dir):
            try:
                await embedded.ensure(self.common.redis, self.common.state_dir, environment(), say)
            except LunommError as e:
                self.last_error = str(e)

    async def _watch_exchange(self) -> None:
        """At an exchange of ours: start over when it is another run, or gone."""
        gone_since: float | None = None
        while True:
            await asyncio.sleep(WATCH_S)
            if self.stop.is_set() or self.venue is None or self.venue.mode not in OURS:
                continue
            info = await venue_finder.ask(self.venue.url)
            if info is not None and info.run_id != self.venue.run_id:
                raise VenueReplaced(f"the exchange at {self.venue.url} was restarted (run {info.run_id})")
            noted = venue_finder.noted_exchange(self.common.state_dir, self.venue.mode)
            slow = noted is not None and noted.run_id == self.venue.run_id and is_running(noted.pid)
            if info is not None or slow:
                gone_since = None
                continue
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > GONE_AFTER_S and self.common.url is None:
                raise VenueReplaced(f"the {venue_finder.WORDS[self.venue.mode]} exchange at {self.venue.url} is gone")

    def background(self) -> None:
        """Start what runs beside every piece."""
        self.start(self._beats(), "heartbeat")
        if self.common.mode in OURS and not self.follows:
            self.start(self._watch_exchange(), "exchange")

    async def close(self) -> None:
        """End what was started, give back lease, heartbeat and venue."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        if self._failed.done():
            self._failed.exception()  # read, or asyncio warns about it
        try:
            async with asyncio.timeout(CLOSE_S):
                for lease in self._leases:
                    await lease.release()
                for pair in self.pairs:
                    if self.announced:
                        await self.bus.clear(HEALTH, health_key(self.name, pair))
                    if self.venue is not None:
                        await release(self.bus, pair, self.venue)
        except (BusError, TimeoutError):
            self.last_error = "Redis was gone at the end; lease and heartbeat run out by themselves"


@asynccontextmanager
async def open_piece(
    name: str,
    common: Common,
    pairs: Sequence[str],
    *,
    lease: bool | None,
    exchange: bool = True,
    venue: VenueInfo | None = None,
    options: ExchangeOptions | None = None,
    follows: bool = False,
) -> AsyncIterator[Piece]:
    """A piece with everything it needs, ended cleanly whatever happens.

    Args:
        lease: hold ``LEASE::<name>::<pair>`` for each pair. None: the command takes its own with :meth:`Piece.hold`
            (a gateway its account's), if any, and is silent until then. False: it needs none.
        exchange: start the simulated exchange when none runs (status only looks).
        venue: talk about this one (a tape's) instead of looking for one.
        options: how to start the exchange if it must be.
        follows: see :class:`Piece`.

    Raises:
        BusError, ExchangeError (4), RefusedError (5), InstanceError (6), UsageError (2) for a pair nobody lists.
    """
    state_folder(common.state_dir)
    await embedded.ensure(common.redis, common.state_dir, environment(), say)
    async with Bus(common.redis, name) as bus:
        await bus.ping()
        piece = Piece(name, common, pairs, bus)
        piece.follows = follows
        signals = _Signals(piece)
        try:
            found = venue or await _find_venue(piece, exchange=exchange, options=options)
            if found is not None:
                await piece.join(found)
            if lease:
                await piece.hold(pairs)
            piece.announced = lease is not None
            await piece.beat_once()
            piece.background()
            yield piece
        finally:
            await piece.close()
            signals.restore()
            if piece.presenter is not None:
                piece.presenter.finish()


async def _find_venue(piece: Piece, *, exchange: bool, options: ExchangeOptions | None) -> VenueInfo | None:
    common, pairs = piece.common, piece.pairs
    if common.mode == "live":
        return venue_finder.live_venue(common)
    if common.url is not None:
        info: venue_finder.SimInfo | None = await venue_finder.sim_at(common.url, common.mode)
    else:
        info = await _claimed_exchange(piece)
        if info is None:
            wanted = options or venue_finder.own_exchange(common, tuple(pairs))
            if common.supervised:
                info = await venue_finder.wait_for(common.state_dir, common.mode)
            else:
                info = await venue_finder.find_or_start(common.state_dir, wanted, say, start=exchange, key=common.key)
    if info is None:
        return None
    venue_finder.check_pairs(info, pairs)
    return venue_finder.sim_venue(info)


async def _claimed_exchange(piece: Piece) -> venue_finder.SimInfo | None:
    """The exchange another piece of this Redis already talks to, when it runs here and answers."""
    for pair in piece.pairs:
        there = await peek(piece.bus, pair)
        if there is not None and there.mode == piece.common.mode and there.host == this_host():
            info = await venue_finder.ask(there.url)
            if info is not None and info.run_id == there.run_id:
                return info
    return None


class _Signals:
    """Ctrl-C, SIGTERM and a closed terminal ask the piece to stop; a second one leaves at once."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._loop = asyncio.get_running_loop()
        self._asked_at: float | None = None
        self._held = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
        for number in self._held:
            try:
                self._loop.add_signal_handler(number, self._asked_to_stop)
            except (NotImplementedError, RuntimeError, ValueError):
                self._held = []  # Windows, or not the main thread: the default handling stays
                break

    def _asked_to_stop(self) -> None:
        self._piece.stop.set()
        now = time.monotonic()
        self._asked_at = self._asked_at or now
        if now - self._asked_at > SAME_SIGNAL_S:
            text, code = self._piece.on_abandon() if self._piece.on_abandon else ("left at once", 0)
            last_words(text)
            sys.stderr.flush()
            os._exit(code)

    def restore(self) -> None:
        for number in self._held:
            self._loop.remove_signal_handler(number)


async def run_again(work: Callable[[Common], Coroutine[Any, Any, dict[str, Any] | None]], common: Common) -> Any:
    """Run a command; when the simulated exchange was replaced under it, run it anew for the time that is left.

    Raises:
        LunommError: whatever the command raises otherwise.
    """
    end = None if common.for_s is None else time.monotonic() + common.for_s
    while True:
        try:
            return await work(common)
        except VenueReplaced as e:
            if end is not None and time.monotonic() >= end - 0.5:
                return None
            say(f"{e}; starting over")
            if end is not None:
                common = replace(common, for_s=end - time.monotonic())
