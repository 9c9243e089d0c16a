"""One quoter with its gateway against one venue, on a clock that is handed in: what trades, and nothing else (pure).

The very `Quoter` and `Reconciler` of the pipeline; only the processes between them are left out: what the one says is
with the other at once. The calls to the venue take the time of the latency model (`tape.counterparty`).

The quoter is asked when something can change what it wants: an order event, its own clock, the fair price further off
than it re-prices at, a state of the market. In between its last word is repeated, as the process does, so that it does
not expire. The gateway is woken as often as the process wakes it while anything is under way, else once in two seconds.

Where a session says when its quoter looked and how long words took (`tape.attention`), that is when it is asked and how
long they take: its own looks include those its clock and the market made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from lunomm.market.clock import Now
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Account, Fill, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.quoting.intents import WantedQuotes, Why
from lunomm.quoting.quoter import Quoter
from lunomm.tape.attention import Attending
from lunomm.tape.counterparty import Counterparty
from lunomm.trading import events as ev
from lunomm.trading.orders import Order
from lunomm.trading.reconciler import IDLE_NS, Reconciler
from lunomm.trading.restored import Restored, RestoredPair
from lunomm.trading.shared import Settings

SECOND: Final = 1_000_000_000
REPEAT_NS: Final = 2 * SECOND
"""The quoter's last word is repeated this often; it would expire after three seconds."""

QUIET_NS: Final = 2 * SECOND
"""Longest sleep of a gateway with nothing under way: a longer one would count as a machine that slept."""

MS: Final = 1_000_000
FAR_NS: Final = 1 << 62
STOP_NS: Final = 15 * SECOND
MOST_TURNS: Final = 50
"""Turns between quoter and gateway within one instant; more is a quarrel, and the next instant goes on with it."""

Look = Callable[[Now], Tick]
_Word = OrderUpdate | dict[str, OrderView] | Account

_CALLS: Final = (
    ev.Cancel, ev.ReadOrder, ev.ReadOpenOrders, ev.ReadTrades, ev.ReadBalances, ev.ReadRules, ev.ReadFees,
    ev.ReadReference,
)  # fmt: skip


@dataclass
class Record:
    """What a lane did. entries: fills and flows as the gateway booked them. halts: reasons. why: seconds during which
    a side wanted nothing, by reason. orders: in their last state, by client order id; placed: their first sending."""

    entries: list[Fill | ev.Flow] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    placed: list[Order] = field(default_factory=list)
    halts: list[str] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    absent_ns: dict[Why, int] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    estimates_from: dict[str, int] = field(default_factory=dict)
    looks: int = 0


class Lane:
    """One account that quotes one pair.

    Args:
        look: the market's picture now. own: our orders as they rest, for the picture; None: it shows them itself.
        params: a calibration to start from. moved: is told what is wanted, each time it was asked, and when.
        attending: when to look, as a session did. quote_from_ns: before, the quoter is paused.
        opening: a session's own, as notes of its journal; None: what the account holds.
    """

    def __init__(
        self,
        name: str,
        rules: PairRules,
        quoter: Quoter,
        venue: Counterparty,
        settings: Settings,
        look: Look,
        now: Now,
        *,
        show_own: Callable[[Tick], None] | None = None,
        params: Params | None = None,
        moved: Callable[[WantedQuotes, int], None] | None = None,
        attending: Attending | None = None,
        quote_from_ns: int = 0,
        opening: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.pair, self.quoter, self.venue = name, rules.pair, quoter, venue
        self.record = Record()
        self.account: Account | None = None
        self.first_account: Account | None = None
        self.wanted: WantedQuotes | None = None
        self._told = moved
        self._look, self._show_own, self._rules = look, show_own, rules
        kept = Restored({rules.pair: RestoredPair(notes=dict(opening or {}))})
        self._gateway = Reconciler({rules.pair: (rules.base, rules.counter)}, settings, kept, now)
        self._working = self._gateway.desks[rules.pair].working
        self._number = 0
        self._gist: object = None
        self._mid: float | None = None
        self._tick: Tick | None = None
        self._beats = 0
        self._stirred = True
        self._told_ns = self._counted_ns = now.mono_ns
        self._ask_ns = self._wake_ns = now.mono_ns
        self._attending, self._resume_ns = attending, quote_from_ns
        self._words: deque[tuple[int, _Word]] = deque()
        self._shelf: dict[type, _Word] = {}
        self._posted: deque[tuple[int, WantedQuotes]] = deque()
        if quote_from_ns > now.mono_ns:
            quoter.pause()
        quoter.on_rules(rules, now)
        if params is not None:
            quoter.on_params(params, now)
        self._step(ev.UserStream(True), now)
        self._step(ev.QuotesSeen(self.pair, None), now)
        self.next_ns = now.mono_ns

    # --- driven by the tape -------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Stopped and verified flat."""
        return self._gateway.done

    def live(self) -> list[Order]:
        return self._gateway.live()

    def run_before(self, at_ns: int) -> None:
        """Everything that happens before ``at_ns``."""
        while self.next_ns < at_ns:
            self._turn(Now(self.next_ns, self.next_ns))

    def arrive_before(self, frame_ns: int, now_ns: int) -> None:
        """Calls that reach the venue before a frame are made; what it answers may be here now."""
        self.venue.arrive_before(frame_ns)
        if (due := self.venue.next_ns()) is not None:
            self.next_ns = min(self.next_ns, max(due, now_ns))

    def hear(self, now_ns: int) -> None:
        """The venue may have said something with the frame that is here now."""
        if self.venue.hear(now_ns):
            self.next_ns = min(self.next_ns, now_ns)

    def stir(self, now_ns: int) -> None:
        """The market looks different in a way that the quoter must see."""
        if self._told_when(now_ns) is not None:
            return
        self._stirred = True
        self._mid = None
        self.next_ns = min(self.next_ns, now_ns)

    def heed(self, fair_mid: float, now_ns: int) -> None:
        """The fair mid moved: does the quoter have to look?"""
        if self._told_when(now_ns) is not None:
            return
        self._mid = fair_mid
        if not self._stirred and not self.quoter.unmoved_by(fair_mid, Now(now_ns, now_ns)):
            self._stirred = True
            self.next_ns = min(self.next_ns, now_ns)

    def stop(self, now_ns: int) -> None:
        """Take everything down, as at the end of a session, with no more frames to come."""
        now = Now(now_ns, now_ns)
        self.quoter.stop()
        self._ask(now)
        self._step(ev.Stop(), now)
        self._plan(now)
        while not self.done and self.next_ns < now_ns + STOP_NS:
            self._turn(Now(self.next_ns, self.next_ns))

    # --- one instant --------------------------------------------------------------------------------------------------

    def _turn(self, now: Now) -> None:
        if self._attending is not None:
            self._attend(self._attending, now)
        if 0 < self._resume_ns <= now.mono_ns:
            self._resume_ns = 0
            self.quoter.resume()
            self._stirred = True
        while (event := self.venue.answered(now.mono_ns)) is not None:
            self._step(event, now)
        if now.mono_ns - self._told_ns >= REPEAT_NS and not self._stirred:
            self._repeat(now)
        while self._posted and self._posted[0][0] <= now.mono_ns:
            self._step(ev.QuotesSeen(self.pair, self._posted.popleft()[1]), now)
        if now.mono_ns >= self._wake_ns:
            self._step(ev.Wake(), now)
        for _ in range(MOST_TURNS):
            if self._stirred or now.mono_ns >= self._ask_ns:
                self._ask(now)
            if not self._stirred:
                break
        self._plan(now)

    def _told_when(self, now_ns: int) -> Attending | None:
        """Who says when to look and how long words take; None where nobody does."""
        attending = self._attending
        return attending if attending is not None and attending.attention.covers(now_ns) else None

    def _attend(self, attending: Attending, now: Now) -> None:
        """What a session's quoter heard by now, and whether it looked."""
        told = self._told_when(now.mono_ns) is not None
        while self._words and self._words[0][0] <= now.mono_ns:
            word = self._words.popleft()[1]
            if isinstance(word, OrderUpdate) or not told:
                self._hear(word, now)
            else:
                self._shelf[type(word)] = word
        while (look := attending.due(now.mono_ns)) is not None:
            self._stirred = True
            if look.polled:
                for word in self._shelf.values():
                    self._hear(word, now)
                self._shelf.clear()
        if (params := attending.calibration(now.mono_ns)) is not None:
            self.quoter.on_params(params, now)

    def _repeat(self, now: Now) -> None:
        """The quoter's last word again, unless it may have another by now."""
        if self.wanted is None or self._mid is None or not self.quoter.unmoved_by(self._mid, now):
            self._stirred = True
            return
        if self._tick is not None:
            # A sign of life only: whenever it decides, it is shown the market first.
            self._beats += 1
            self.quoter.on_tick(msgspec.structs.replace(self._tick, beat=-self._beats), now)
        self._tell(self.wanted, now)
        self._wake_ns = now.mono_ns + IDLE_NS  # the gateway has just been awake

    def _plan(self, now: Now) -> None:
        """When to be driven next."""
        idle = QUIET_NS if self._quiet() else IDLE_NS
        self._wake_ns = self._gateway.wake_ns(now, idle)
        times = [self._wake_ns, self._told_ns + REPEAT_NS]
        attending = self._told_when(now.mono_ns)
        if attending is not None:
            self._ask_ns = FAR_NS
            times += [FAR_NS if attending.next_ns is None else attending.next_ns]
        elif (asked := self.quoter.wake_ns(now)) is not None:
            self._ask_ns = asked
            times.append(asked)
        if (due := self.venue.next_ns()) is not None:
            times.append(due)
        if self._words:
            times.append(self._words[0][0])
        if self._posted:
            times.append(self._posted[0][0])
        if self._resume_ns:
            times.append(self._resume_ns)
        self.next_ns = max(min(times), now.mono_ns + 1)

    def _quiet(self) -> bool:
        """Whether nothing is under way that the gateway looks after by the clock alone."""
        wanted, working = self.wanted, self._working
        if any(order.state is not OrderState.WORKING for order in working.live()):
            return False
        return wanted is None or all(intent.id in working.used for intent in wanted.intents)

    def _ask(self, now: Now) -> None:
        """Show the quoter the market, and tell the gateway what it wants now."""
        self._stirred = False
        attending = self._told_when(now.mono_ns)
        self._tick = tick = self._look(now) if attending is None else attending.picture(now)
        if self._show_own is not None:
            self._show_own(tick)
        self.quoter.on_tick(tick, now)
        wanted = self.quoter.wanted(now)
        self.record.looks += 1
        self._count(now)
        self.wanted = wanted
        if wanted.estimates_from is not None:
            self.record.estimates_from.setdefault(wanted.estimates_from, now.exchange_ns)
        for text in wanted.warnings:
            self.record.warnings.setdefault(text)
        if self._told is not None:
            self._told(wanted, now.exchange_ns)
        gist = (*(intent.id for intent in wanted.intents), *((report.side, report.why) for report in wanted.sides))
        if gist != self._gist or now.mono_ns - self._told_ns >= REPEAT_NS:
            self._gist = gist
            self._tell(wanted, now)

    def _tell(self, wanted: WantedQuotes, now: Now) -> None:
        # Numbered and dated here: a repeated word is a new message.
        self._number += 1
        wanted.number, wanted.ts_ms = self._number, now.exchange_ms
        self._told_ns = now.mono_ns
        attending = self._told_when(now.mono_ns)
        if attending is None:
            self._step(ev.QuotesSeen(self.pair, wanted), now)
            return
        due = now.mono_ns + attending.attention.reaches.at(now.mono_ns)
        # One after the other, as on any connection; its number is its own.
        due = max(due, self._posted[-1][0]) if self._posted else due
        self._posted.append((due, msgspec.structs.replace(wanted)))

    def _count(self, now: Now) -> None:
        """The time until now counts for what was said before."""
        if self.wanted is not None:
            for report in self.wanted.sides:
                if report.why is not None:
                    absent = self.record.absent_ns
                    absent[report.why] = absent.get(report.why, 0) + now.mono_ns - self._counted_ns
        self._counted_ns = now.mono_ns

    # --- the gateway --------------------------------------------------------------------------------------------------

    def _step(self, event: ev.Event, now: Now) -> None:
        record = self.record
        for action in self._gateway.step(event, now):
            if isinstance(action, ev.SaveOrder):
                record.orders[action.order.client_order_id] = action.order
            elif isinstance(action, ev.SaveFill):
                record.entries.append(action.fill)
            elif isinstance(action, ev.SaveFlow):
                record.entries.append(action.flow)
            elif isinstance(action, ev.SaveUpdate):
                self._say(action.update, now)
                if (code := action.update.code) is not None:
                    record.refusals[code] = record.refusals.get(code, 0) + 1
            elif isinstance(action, ev.PublishOrders):
                self._say({view.intent_id: view for view in action.views}, now)
            elif isinstance(action, ev.PublishAccount):
                self.first_account = self.first_account or action.account
                self._say(action.account, now)
            elif isinstance(action, ev.Halted):
                record.halts.append(action.reason)
            elif isinstance(action, ev.Place):
                record.placed.append(action.order)
                self.venue.send(action, now.mono_ns)
            elif isinstance(action, _CALLS):
                self.venue.send(action, now.mono_ns)

    def _say(self, word: _Word, now: Now) -> None:
        """The gateway tells the quoter."""
        attending = self._told_when(now.mono_ns)
        if attending is None:
            self._hear(word, now)
            return
        said_ns = now.mono_ns // MS * MS
        due = said_ns + attending.attention.hears.at(said_ns)
        self._words.append((max(due, self._words[-1][0]) if self._words else due, word))

    def _hear(self, word: _Word, now: Now) -> None:
        if isinstance(word, OrderUpdate):
            self.quoter.on_order_update(word, now)
            # On its way to the book or out of it an order changes nothing that is wanted.
            ended = word.state is not None and word.state.terminal
            self._stirred |= ended or word.kind in (UpdateKind.FILL, UpdateKind.REFUSAL)
        elif isinstance(word, Account):
            before, self.account = self.account, word
            self.quoter.on_account(word, now)
            # Only what the quoter prices and sizes with; the rest of it changes with every second.
            self._stirred |= before is None or _bearing(before) != _bearing(word)
        else:
            self.quoter.on_orders(word, now)


def _bearing(account: Account) -> tuple[Decimal | str | None, ...]:
    return (
        account.position, account.inventory_target, account.max_position, account.base.total, account.counter.total,
        account.maker_fee, account.halted,
    )  # fmt: skip
