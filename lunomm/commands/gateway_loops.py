"""The loops around one reconciler: events in, one step after another, actions out, and a verified end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from lunomm.bus.channels import QUOTES
from lunomm.bus.venue import VenueReplaced
from lunomm.commands.control import session_of
from lunomm.commands.gateway_calls import Calls
from lunomm.commands.gateway_out import Publisher
from lunomm.commands.gateway_view import Window
from lunomm.commands.gateway_watch import Watch
from lunomm.commands.guarded import Guarded
from lunomm.commands.piece import Piece
from lunomm.commands.take_down import take_down
from lunomm.errors import BusError, CredentialsError, JournalError, LunommError, OrdersMayBeLive, OrderStateError
from lunomm.journal.lock import JournalLock
from lunomm.journal.store import Journal
from lunomm.luno import as_events
from lunomm.market.presence import OURS
from lunomm.options.gateway import GatewayOptions
from lunomm.quoting.inputs import Account, Fill
from lunomm.quoting.intents import WantedQuotes
from lunomm.settable import text_of
from lunomm.trading import events as ev
from lunomm.trading.events import SaveNote
from lunomm.trading.lag import LoopLag
from lunomm.trading.limits import Limits
from lunomm.trading.reconciler import Reconciler
from lunomm.trading.requests import LOWERED, NAMES, with_lowered
from lunomm.trading.restored import Restored
from lunomm.trading.shared import Settings
from lunomm.views.gateway import GatewayView, gateway_data, gateway_line, gateway_screen
from lunomm.views.orders import Trading

if TYPE_CHECKING:
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.rest import LunoRest
    from lunomm.luno.user_stream import UserStream

GATEWAY = "gateway"
"""Note of a pair: the options of the gateway that served it last."""

POLL_S = 0.5
"""Between two reads of QUOTES; the channel only wakes us sooner."""

BUS_S = 2.0
"""Without Redis for longer, nothing is wanted until it is back and carries our venue."""

LEASED_S = 3.0
"""Of the lease, before anything is wanted again after a Redis loss: a shorter one leaves an order no time to live."""

BALANCE_S = 1.0
"""Shortest time between two reads of the balances: more would eat the calls that orders need."""

STOP_S = 15.0
"""Longest wait for the verified end: a POST of unknown outcome needs five seconds, a venue under load a few more."""

HEARD = ("QUOTES", "CONTROL")
UNREADABLE = ("SIZE", "MALFORMED", "NUMBER", "SCHEMA")
"""Reasons to drop a message that no mix-up of pairs or venues explains."""

ALIVE_S = 2.0
"""A core that has not worked for so long is not alive to its guardian: it works at least four times a second."""


class Gateway:
    """The loops around one reconciler."""

    def __init__(
        self,
        piece: Piece,
        rest: LunoRest,
        budget: CallBudget,
        options: GatewayOptions,
        legs: dict[str, tuple[str, str]],
        accounts: dict[str, int],
        journal: Journal,
        restored: Restored,
        lock: JournalLock,
    ) -> None:
        self._piece, self._rest, self._budget = piece, rest, budget
        clock = piece.clock
        session = session_of(piece.common)
        given = Limits(
            options.max_position,
            options.max_order_value,
            options.max_daily_loss,
            max_open_value=options.max_open_value,
        )
        settings = Settings(
            limits=with_lowered(given, journal.note(LOWERED), session),
            session=session,
            ttl_ms=clock.ttl_ms(),
            ttl_ns=clock.ttl_ns(),
            skew_ms=int(1_000 * max(1.0, clock.speed)),
            speed=clock.speed,
            accounts=accounts,
            balance_ns=int(max(options.update_balance_interval_s, BALANCE_S) * 1e9),
        )
        self.core = Reconciler(legs, settings, restored, clock.now())
        limits = msgspec.json.encode(options).decode()
        journal.commit([SaveNote(pair, GATEWAY, limits) for pair in piece.pairs])
        self._show_limits()
        self._publisher = Publisher(piece.bus, journal, piece.pairs)
        self._calls = Calls(piece, rest, budget, journal, self._publisher, self._tell, legs, accounts)
        self._events: asyncio.Queue[ev.Event | str] = asyncio.Queue()
        self._quotes: dict[str, WantedQuotes | None] = {}
        self._accounts: dict[str, Account] = {}
        self._fills: dict[str, deque[Fill]] = {
            pair: deque(journal.last_fills(pair, 20), maxlen=20) for pair in piece.pairs
        }
        self._stream_up = False
        self._user: UserStream | None = None
        self._window = Window(piece)
        self._stepped_at = asyncio.get_running_loop().time()
        self._lag = LoopLag()
        assert piece.key is not None and piece.venue is not None
        self._guarded = Guarded(
            url="" if piece.endpoint.is_luno else piece.endpoint.rest,
            key=piece.common.guardian_key or piece.key if piece.common.mode == "live" else piece.key,
            pairs=piece.pairs,
            settle_ns=settings.ttl_ns + settings.skew_ns + 1_000_000_000,
            lock_fd=lock.fd,
            log=piece.common.state_dir / "guardian.log",
            alive=lambda: asyncio.get_running_loop().time() - self._stepped_at < ALIVE_S,
            tell=self._tell,
            simulated=piece.common.mode in OURS,
        )
        self._journal = journal
        self._watch = Watch(piece, rest, budget, journal, self._tell)
        self._unreadable: dict[str, int] = {}

    async def serve(self) -> dict[str, Any]:
        """Trade until stopped, then end flat; the summary of what was done."""
        piece = self._piece
        piece.on_abandon = self._abandoned
        piece.count = self._count
        piece.bus.on_drop = self._dropped
        piece.bus.one_build = True
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        piece.start(self._publisher.run(), "publisher")
        piece.start(self._guarded.keep(), "guardian")
        # Until it is up, or clearly late, nothing is decided: orders of before are adopted, not cancelled without it.
        await self._guarded.first_ready()
        core = piece.start(self._run(), "core")
        self._watch.start()
        piece.start(self._follow_user(), "user stream")
        for pair in piece.pairs:
            piece.start(self._listen(pair), f"quotes {pair}")
            piece.start(self._poll(pair), f"poll {pair}")
        piece.start(self._window.watch(), "window")
        piece.present(
            lambda: gateway_screen(self.view()), lambda: gateway_line(self.view()), lambda: gateway_data(self.view())
        )
        try:
            await piece.wait()
        except VenueReplaced:
            await self._guarded.dismiss()
            raise  # that exchange and its orders are gone: nothing is left to cancel
        except BaseException as error:
            self._trip(error)
            await self._end(core, error)
            raise
        await self._end(core, None)
        return gateway_data(self.view())

    # --- events in -------------------------------------------------------------------------------------------------

    def _tell(self, event: ev.Event) -> None:
        self._events.put_nowait(event)

    def _dropped(self, channel: str, why: str, data: object) -> None:
        """A message could not be read; the same one under its key again is no news."""
        if channel not in HEARD or why not in UNREADABLE:
            return
        same = hash(data) if isinstance(data, str) else 0
        if self._unreadable.get(channel) != same:
            self._unreadable[channel] = same
            self._tell(ev.BadMessage(f"{channel}:{why}"))

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nobody awaited has failed: the same as a task of ours."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._piece.fail(error)
        else:
            self._piece.last_error = str(context.get("message", "the event loop complained"))[:200]

    def _trip(self, error: BaseException) -> None:
        """An error nobody foresaw, or a key that is no longer accepted, halts: no restart goes on as if nothing was."""
        foreseen = isinstance(error, LunommError) and not isinstance(error, CredentialsError | OrderStateError)
        if foreseen or not isinstance(error, Exception) or self.core.shared.halted is not None:
            return
        kind = "KEY_REFUSED" if isinstance(error, CredentialsError) else f"UNHANDLED: {type(error).__name__}"
        now = self._piece.clock.now()
        self.core.shared.halt(f"{kind}: {error}", now)
        try:
            self._journal.commit([ev.SaveHalt(self.core.shared.halted or kind, now.exchange_ms)])
        except JournalError as lost:
            self._piece.last_error = str(lost)

    def _offer(self, pair: str, quotes: WantedQuotes | None) -> None:
        """Only the newest quotes of a pair wait: however fast they come, one step takes them."""
        waiting = pair in self._quotes
        if quotes is not None or not waiting:
            self._quotes[pair] = quotes
        if not waiting:
            self._events.put_nowait(pair)

    async def _run(self) -> None:
        """The core: one event, one step, for ever (until it is done)."""
        clock = self._piece.clock
        before_ns = clock.mono_ns()
        while not self.core.done:
            now = clock.now()
            self._stepped_at = asyncio.get_running_loop().time()
            wait_ns = max(self.core.wake_ns(now) - now.mono_ns, 0)
            event = await self._next(wait_ns / 1e9)
            # From the last turn's event on: what that one took, and what this one overslept.
            now_ns = clock.mono_ns()
            # A start imports, reads and adopts in jerks; until it is done nothing is placed anyway.
            gate = self._lag.took(now_ns - before_ns - wait_ns, now_ns) if self.core.ready else None
            before_ns = now_ns
            if gate is not None:
                self._step(gate)
            self._step(event)

    def _step(self, event: ev.Event) -> None:
        actions = self.core.step(event, self._piece.clock.now())
        self._calls.perform(actions)
        self._remember(actions)

    async def _next(self, seconds: float) -> ev.Event:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                event = await self._events.get()
        except TimeoutError:
            return ev.Wake()
        if isinstance(event, str):
            return ev.QuotesSeen(event, self._quotes.pop(event))
        return event

    async def _listen(self, pair: str) -> None:
        async for quotes in self._piece.bus.listen(QUOTES, pair):
            self._offer(pair, quotes)

    async def _poll(self, pair: str) -> None:
        """Read the quoter's key, as long as the pair's venue on Redis is ours; without either, nothing is wanted."""
        clock = asyncio.get_running_loop().time
        good_at, shut = clock(), False
        while True:
            try:
                await self._calls.check_venue(pair)
                quotes = await self._piece.bus.get(QUOTES, pair)
            except BusError as e:
                # The last message dies by itself after three seconds. The gate stays shut until VENUE is back too:
                # what the quoter wants until then would only be refused.
                self._offer(pair, None)
                self._piece.last_error = str(e)
                if not shut and clock() - good_at > BUS_S:
                    shut = True
                    self._tell(ev.Gate(f"bus:{pair}", False, str(e)))
            else:
                self._offer(pair, quotes)
                good_at = clock()
                if shut and self._piece.lease_left_s() > LEASED_S:
                    shut = False
                    self._piece.last_error = None
                    self._tell(ev.Gate(f"bus:{pair}", True))
            await asyncio.sleep(POLL_S)

    async def _follow_user(self) -> None:
        from lunomm.luno.user_stream import Lost, Up, UserStream

        assert self._piece.key is not None
        stream = self._user = UserStream(self._piece.endpoint, self._piece.key)
        async for item in stream:
            if isinstance(item, Up | Lost):
                self._stream_up = isinstance(item, Up)
                now_ns = self._piece.clock.mono_ns()
                age_ms = stream.age_ms(now_ns)
                self._tell(ev.UserStream(self._stream_up, None if age_ms is None else now_ns - int(age_ms * 1e6)))
                continue
            event = as_events.user_event(item)
            if event is not None:
                self._tell(event)

    def _remember(self, actions: Sequence[ev.Action]) -> None:
        """For the screen and the heartbeat."""
        shared, piece = self.core.shared, self._piece
        for action in actions:
            if isinstance(action, ev.PublishAccount):
                self._accounts[action.account.pair] = action.account
            elif isinstance(action, ev.SaveFill):
                self._fills[action.fill.pair].append(action.fill)
        if shared.settings.limits is not self._limits:
            self._show_limits()
        if not piece.stop.is_set():
            piece.state = "HALTED" if shared.halted is not None else "OK" if self.core.ready else "STARTING"

    def _count(self) -> None:
        """For the heartbeat."""
        shared, piece = self.core.shared, self._piece
        late_ns = self._lag.worst_ns(piece.clock.mono_ns())
        piece.counters.update(
            {
                "open_orders": float(len(self.core.live())),
                "fills": float(sum(account.fills for account in self._accounts.values())),
                "calls": float(self._budget.used(piece.clock.mono_ns())),
                "user_stream": "up" if self._stream_up else "down",
                "quotes_refused": float(sum(sum(desk.wanted.dropped.values()) for desk in self.core.desks.values())),
                "halted": shared.halted,
                "guardian": self._guarded.state.lower(),
                "late_ms": None if late_ns is None else late_ns / 1e6,
            }
        )

    def _show_limits(self) -> None:
        self._limits = self.core.shared.settings.limits
        self._piece.settings = {name: text_of(getattr(self._limits, name)) for name in NAMES}

    # --- the end ---------------------------------------------------------------------------------------------------

    async def _end(self, core: asyncio.Task[Any], error: BaseException | None) -> None:
        """Take everything down and verify it.

        Raises:
            OrdersMayBeLive: it could not be verified in time.
        """
        if not core.done():
            self._tell(ev.Stop())
            await asyncio.wait((core,), timeout=STOP_S)
        if not self.core.done:
            core.cancel()
            left, verified = await take_down(self._rest, self._piece.pairs)
            left += [name for name in self._names_unknown() if name not in left]
            if not verified and not left:
                left = [order.order_id or order.client_order_id for order in self.core.live()] or ["not known"]
            if left:
                why = f" ({error})" if isinstance(error, LunommError) else ""
                raise OrdersMayBeLive(
                    f"{len(left)} orders may be live: {', '.join(left)[:400]}{why}. "
                    f"The guardian (process {self._guarded.pid}) goes on cancelling; look at the exchange",
                    left,
                ) from (error if isinstance(error, Exception) else None)
        await self._guarded.dismiss()
        try:
            async with asyncio.timeout(2):
                await self._publisher.flush()
                await self._publisher.withdraw()
        except (BusError, TimeoutError) as e:
            self._piece.last_error = f"the last messages did not reach Redis: {e}"
        self._publisher.keep_place()

    def _names_unknown(self) -> list[str]:
        """Orders whose POST may still arrive: no listing can rule them out yet."""
        return [order.client_order_id for order in self.core.live() if order.order_id is None]

    def _abandoned(self) -> tuple[str, int]:
        """What a second Ctrl-C leaves behind."""
        live = [order.order_id or order.client_order_id for order in self.core.live()]
        if not live:
            return "left at once", 0 if self.core.done else 8
        return f"left at once: orders may be live: {', '.join(live)[:400]}", 8

    def _late(self) -> str:
        late_ns = self._lag.worst_ns(self._piece.clock.mono_ns())
        return "" if late_ns is None else f"held up for {late_ns / 1e6:.0f} ms: this machine is busy"

    # --- the screen ------------------------------------------------------------------------------------------------

    def view(self) -> GatewayView:
        """What the screen shows, as of now."""
        core, clock = self.core, self._piece.clock
        pairs = tuple(
            Trading(
                pair=pair,
                rules=desk.rules,
                account=self._accounts.get(pair),
                orders=desk.working.views(),
                fills=tuple(self._fills[pair]),
                held={side.value: code for side, code in desk.waits.items()},
                ready=desk.ready,
                quoter_alive=desk.wanted.current(clock.mono_ns()) is not None,
                quotes=desk.wanted.last(),
            )
            for pair, desk in core.desks.items()
        )
        view = GatewayView(
            pairs=pairs,
            now_ms=clock.exchange_ms(),
            mode=self._piece.common.mode,
            stream_up=self._stream_up,
            halted=core.shared.halted,
            stopping=core.shared.stopping,
            calls=self._budget.used(clock.mono_ns()),
            problem=self._piece.last_error or self._late(),
        )
        age_ms = None if self._user is None else self._user.age_ms(clock.mono_ns())
        return self._window.dress(
            view, user_age_ms=age_ms, guardian=self._guarded.state.lower(), now_ms=clock.wall_ms()
        )
