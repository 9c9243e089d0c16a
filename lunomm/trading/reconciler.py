"""One account's gateway as a pure state machine: `step(event, now) -> actions`.

Start and crash recovery are one path. The venue is read first (rules, fees, balances, market, open orders, trades,
every order the journal leaves open), then the quoter's key; orders that are still wanted stay, the rest are cancelled;
only then is anything placed. While it runs the same reads come back in their own time, so an orphan, a lost message or
money moved by other hands is found. Stopping is wanting nothing: every order down, each end read, then two empty
listings.

Nothing here waits or calls: the process around it performs each step's saves in one transaction, then the rest, and
hands back what came of it as events. That is what lets thousands of fault-injected runs drive this very object on a
virtual clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lunomm.errors import OrderStateError
from lunomm.market.clock import Now
from lunomm.quoting.inputs import OrderState
from lunomm.quoting.intents import WantedQuotes
from lunomm.trading import report, requests
from lunomm.trading.balances import Balances
from lunomm.trading.chores import SECOND, Chore
from lunomm.trading.desk import COUNTED, FEES_NS, Desk
from lunomm.trading.events import (
    Action,
    Answer,
    BadMessage,
    BalanceSeen,
    BalancesRead,
    CancelReturned,
    Event,
    FeesRead,
    FillSeen,
    Gate,
    HaltAsked,
    Halted,
    LimitsAsked,
    OpenOrdersRead,
    OrderRead,
    Place,
    Posted,
    PostRejected,
    PostUnknown,
    PublishAccount,
    QuotesSeen,
    ReadBalances,
    ReadFailed,
    ReadFees,
    ReadOpenOrders,
    ReadReference,
    ReadRules,
    ReferenceRead,
    RequestSeen,
    ResumeAsked,
    Resumed,
    RulesRead,
    SaveFill,
    SaveFlow,
    SaveNote,
    SaveRequest,
    SaveResume,
    SaveUpdate,
    StatusSeen,
    Stop,
    TradesRead,
    UserStream,
)
from lunomm.trading.money import Money
from lunomm.trading.orders import Order
from lunomm.trading.restored import Restored, RestoredPair
from lunomm.trading.shared import Settings, Shared
from lunomm.trading.throttle import MINUTE, NOTE, Repeat

_TOLD = (SaveUpdate, SaveFill, SaveFlow, Halted)
"""What changes ACCOUNT."""

ACCOUNT_NS = SECOND
"""Longest time between two ACCOUNT messages."""

IDLE_NS = SECOND // 4
"""Longest sleep between two steps."""

BOOK_LAST_NS = 3 * SECOND
"""How long a stopping gateway waits for the trade rows of its last fills."""

CLEAN_LISTINGS = 2

ASLEEP_NS = 2 * SECOND
"""A longer gap between two steps than this, and the process or the machine slept: what it knew is old."""

CLOCK_SET, CLOCK_SET_NS = "clock set", 2 * SECOND
"""The gate that a jump of our own clock shuts in the very step that sees it, and for how long; by then who compares it
with the venue's has shut another."""

LAST_REQUEST = "last_request"
"""Note of the account: the last request that was answered."""


class Reconciler:
    """All pairs of one account.

    Args:
        legs: pair -> (base, counter). settings: limits and times. restored: the journal's record. now: the start.
    """

    def __init__(self, legs: Mapping[str, tuple[str, str]], settings: Settings, restored: Restored, now: Now) -> None:
        balances = Balances({asset for both in legs.values() for asset in both}, settings.accounts)
        for asset in balances.assets:
            if (kept := restored.notes.get(f"expected:{asset}")) is not None:
                # Before any answer: a fill that is read before the first balances must move what we expect.
                balances.anchor(asset, Decimal(kept))
        self.shared = Shared(settings, balances, restored.number, restored.halt)
        self.shared.legs = dict(legs)
        self.shared.orders = self.live
        self.shared.counted = {
            name.removeprefix(COUNTED): pair for name, pair in restored.notes.items() if name.startswith(COUNTED)
        }
        self.shared.stream_down_ns = now.mono_ns
        self.shared.throttle.restore(restored.notes.get(NOTE, ""), _placed_before(restored, now))
        self.desks = {
            pair: Desk(pair, base, counter, self.shared, restored.pairs.get(pair, RestoredPair()), now)
            for pair, (base, counter) in legs.items()
        }
        self._notes = dict(restored.notes)
        self._money = Money(self.shared, self.desks, self._notes)
        self.shared.wants = self._money.wants
        self._balances_chore = Chore(due_ns=now.mono_ns)
        self._account_ns: int | None = None
        self._untold = False
        self._clean: dict[str, int] = {}
        self._flat_ns: int | None = None
        self._told_halt = False
        self._clocks = now
        self._clock_set_ns = 0

    # --- what the process asks ---

    def live(self) -> list[Order]:
        """Every order that may rest on the venue."""
        return [order for desk in self.desks.values() for order in desk.working.live()]

    @property
    def ready(self) -> bool:
        return all(desk.ready for desk in self.desks.values())

    @property
    def done(self) -> bool:
        """Stopped and verified: no live order, and each pair listed empty twice since."""
        shared = self.shared
        return shared.stopping and self._flat_ns is not None and all(
            self._clean.get(pair, 0) >= CLEAN_LISTINGS for pair in self.desks
        )  # fmt: skip

    def wake_ns(self, now: Now, idle_ns: int = IDLE_NS) -> int:
        """Own monotonic time of the next step, if nothing happens before; ``idle_ns``: longest sleep."""
        times = [now.mono_ns + idle_ns]
        for desk in self.desks.values():
            chores = [
                desk.working.trades,
                desk.working.listing,
                desk.rules_chore,
                desk.fees_chore,
                desk.reference_chore,
            ]
            for cid, track in desk.working.tracks.items():
                if track.read.due_ns is None and track.cancel.due_ns is None:
                    continue
                order = desk.working.orders.get(cid)
                # A wish to cancel outlives its order; nobody acts on it then, so it must not wake anybody either.
                chores += [track.read] if order is not None and not order.live else [track.read, track.cancel]
            times += [at for chore in chores if (at := chore.wake_ns()) is not None]
            expires = desk.wanted.expires_ns()
            if expires is not None and expires > now.mono_ns:
                times.append(expires)
        return max(min(times), now.mono_ns + SECOND // 1000)

    # --- the machine ---

    def step(self, event: Event, now: Now) -> list[Action]:
        """Take one event, bring the venue closer to what is wanted, and return what to do for it, saves first."""
        shared = self.shared
        self._slept(now)
        try:
            self._take(event, now)
        except OrderStateError as error:
            shared.halt(f"VENUE_CONTRADICTS: {error}", now)
        except Exception as error:  # noqa: BLE001  # nobody knows what state that left: stop, and cancel
            shared.halt(f"INTERNAL: {type(error).__name__} while taking {type(event).__name__}: {error}", now)
        if shared.halted is not None and not self._told_halt:
            self._told_halt = True
            if not any(isinstance(action, Halted) for action in shared.out):
                shared.out.append(Halted(shared.halted, now.exchange_ms))
        try:
            self._money.judge(now)
        except Exception as error:  # noqa: BLE001  # an exception in a check is a trip
            shared.halt(f"LIMIT_CHECK: {type(error).__name__} while judging the account: {error}", now)
        for desk in self.desks.values():
            desk.act(now, may_place=desk.ready and shared.may_place)
            desk.ask_trades(now)
        self._ask(now)
        self._settle_stop(now)
        self._money.save()
        if (counts := shared.throttle.news()) is not None:
            shared.out.append(SaveNote("", NOTE, counts))
        self._report(now)
        out, shared.out = shared.out, []
        return out

    def _take(self, event: Event, now: Now) -> None:
        shared = self.shared
        if isinstance(event, BalancesRead):
            self._balances_chore.done()
            self._balances_chore.want(now.mono_ns + shared.settings.balance_ns)
            for asset in shared.balances.load(event.balances, event.asked_mono_ns, now.mono_ns):
                self._money.tell(asset, now)
        elif isinstance(event, BalanceSeen):
            seen = shared.balances.see(event.account_id, event.row_index, event.total, event.available, now.mono_ns)
            if seen is not None:
                self._money.tell(seen, now)
            if shared.balances.gap:
                # A row of the account's ledger was missed: what else was?
                shared.balances.gap = False
                self._read_again(now)
        elif isinstance(event, UserStream):
            self._stream(event, now)
        elif isinstance(event, Gate):
            if event.open:
                shared.closed.pop(event.name, None)
            else:
                shared.closed[event.name] = event.reason
        elif isinstance(event, HaltAsked):
            shared.halt(event.reason, now)
        elif isinstance(event, ResumeAsked):
            self._resume(event, now)
        elif isinstance(event, RequestSeen):
            self._journal(event, now)
        elif isinstance(event, LimitsAsked):
            requests.lower_limits(shared, self.desks, event, now)
        elif isinstance(event, BadMessage):
            shared.repeat(Repeat.UNREADABLE, now, event.what)
        elif isinstance(event, Stop):
            self._stop(now)
        elif isinstance(event, ReadFailed):
            self._failed(event, now)
        else:
            pair = getattr(event, "pair", None)
            desk = self.desks.get(pair) if pair is not None else None
            if desk is not None:
                self._take_for(desk, event, now)

    def _age_ns(self, quotes: WantedQuotes | None, now: Now) -> int:
        """Of a message, in time of ours."""
        if quotes is None:
            return 0
        return int((now.exchange_ms - quotes.ts_ms) * 1_000_000 / self.shared.settings.speed)

    def _take_for(self, desk: Desk, event: Event, now: Now) -> None:
        """An event of one pair."""
        working = desk.working
        if isinstance(event, QuotesSeen):
            if desk.wanted.offer(event.quotes, now.mono_ns, self._age_ns(event.quotes, now)):
                desk.see_quotes(now)
            elif desk.wanted.unmeant is not None:
                self.shared.repeat(Repeat.BAD_QUOTES, now, desk.wanted.unmeant)
        elif isinstance(event, Posted):
            working.posted(event.client_order_id, event.order_id, now)
        elif isinstance(event, PostRejected):
            working.rejected(event.client_order_id, event.code, event.message, now)
        elif isinstance(event, PostUnknown):
            working.unknown(event.client_order_id, now)
        elif isinstance(event, CancelReturned):
            working.cancel_returned(event.client_order_id, now)
        elif isinstance(event, OrderRead):
            working.read(event.client_order_id, event.order, now)
        elif isinstance(event, OpenOrdersRead):
            found = working.listed(event.orders, now)
            if self._flat_ns is not None and working.listed_ns >= self._flat_ns:
                self._clean[desk.pair] = self._clean.get(desk.pair, 0) + 1 if found == 0 else 0
        elif isinstance(event, TradesRead):
            desk.traded(event.trades, now)
        elif isinstance(event, StatusSeen):
            working.status_seen(event, now)
        elif isinstance(event, FillSeen):
            working.fill_seen(event, now)
        elif isinstance(event, RulesRead):
            desk.see_rules(event.rules, now)
        elif isinstance(event, FeesRead):
            desk.fees = (event.maker, event.taker)
            desk.fees_chore.done()
            desk.fees_chore.want(now.mono_ns + FEES_NS)
        elif isinstance(event, ReferenceRead):
            desk.see_price(event.price, now)

    def _stream(self, event: UserStream, now: Now) -> None:
        shared, up = self.shared, event.up
        if up and not shared.stream_up:
            # Nothing on the stream tells the present state: orders, trades and balances are read.
            self._read_again(now)
        if not up and shared.stream_up:
            # A half-open stream is found out late: it has been of no use since its last byte.
            shared.stream_down_ns = now.mono_ns if event.heard_ns is None else event.heard_ns
        shared.stream_up = up
        shared.stream_heard |= up

    def _read_again(self, now: Now) -> None:
        for desk in self.desks.values():
            desk.working.listing.want(now.mono_ns)
            desk.working.trades.want(now.mono_ns)
        self._balances_chore.want(now.mono_ns)

    def _slept(self, now: Now) -> None:
        """The process was stopped, or the machine slept: everything is read again. Or its clock was set."""
        shared, before, self._clocks = self.shared, self._clocks, now
        passed_ns = now.mono_ns - before.mono_ns
        # An order stamped by a clock that is ahead has no end by its time to live: it could be accepted days later.
        jump_ns = now.exchange_ns - before.exchange_ns - int(passed_ns * shared.settings.speed)
        if abs(jump_ns) > shared.settings.skew_ms * 1_000_000:
            self._clock_set_ns = now.mono_ns
            shared.closed[CLOCK_SET] = f"this machine's clock was set by {jump_ns / 1e9:.1f} s"
        elif CLOCK_SET in shared.closed and now.mono_ns - self._clock_set_ns > CLOCK_SET_NS:
            del shared.closed[CLOCK_SET]
        if passed_ns > ASLEEP_NS:
            self._read_again(now)
            for desk in self.desks.values():
                desk.reference_chore.want(now.mono_ns)
                for order in desk.working.live():
                    desk.working.tracks[order.client_order_id].read.want(now.mono_ns)

    def _resume(self, event: ResumeAsked, now: Now) -> None:
        """A person ends the halt: journaled, counts begin anew, and the venue is read before anything is placed."""
        shared = self.shared
        if self._notes.get(LAST_REQUEST) == event.request_id:
            return
        self._notes[LAST_REQUEST] = event.request_id
        shared.out.append(SaveNote("", LAST_REQUEST, event.request_id))
        reason, who = shared.halted, f"{event.who[:80]}: {event.reason[:120]}" if event.reason else event.who[:80]
        if reason is None:
            shared.out.append(Answer(event.request_id, event.pair, False, "nothing is halted", now.exchange_ms))
            return
        shared.halted, self._told_halt = None, False
        shared.throttle.reset()
        for desk in self.desks.values():
            desk.daily.forgive()
        self._read_again(now)
        shared.out += [SaveResume(who, now.exchange_ms), Resumed()]
        shared.out.append(Answer(event.request_id, event.pair, True, f"resumed after {reason}", now.exchange_ms))

    def _journal(self, event: RequestSeen, now: Now) -> None:
        """Another piece does it; here it is written down, and said that it is."""
        out = self.shared.out
        out.append(SaveRequest(event.request_id, event.step, event.pair, event.who, event.words, now.exchange_ms))
        if event.step == requests.ASKED:
            out.append(Answer(event.request_id, event.pair, True, "journaled", now.exchange_ms))

    def _stop(self, now: Now) -> None:
        self.shared.stopping = True
        for desk in self.desks.values():
            desk.working.listing.want(now.mono_ns)

    def _failed(self, event: ReadFailed, now: Now) -> None:
        """A read gave nothing: it comes again after a while, growing with each failure."""
        desk = self.desks.get(event.pair)
        chore: Chore | None = None
        if event.kind == "ReadBalances":
            chore = self._balances_chore
        elif desk is not None and event.kind == "ReadOrder":
            track = desk.working.tracks.get(event.key)
            chore = track.read if track is not None else None
        elif desk is not None:
            chore = {
                "ReadOpenOrders": desk.working.listing,
                "ReadTrades": desk.working.trades,
                "ReadRules": desk.rules_chore,
                "ReadFees": desk.fees_chore,
                "ReadReference": desk.reference_chore,
            }.get(event.kind)
        if chore is not None:
            chore.failed(now.mono_ns, event.retry_after_s)

    # --- recurring reads, the end, the report ---

    def _ask(self, now: Now) -> None:
        shared = self.shared
        if shared.balances_wanted:
            shared.balances_wanted = False
            # Not more than twice a second, whoever asks.
            self._balances_chore.want(max(now.mono_ns, self._balances_chore.asked_ns + SECOND // 2))
        if self._balances_chore.start(now.mono_ns):
            shared.out.append(ReadBalances())
        for pair, desk in self.desks.items():
            if pair in shared.rules_wanted:
                shared.rules_wanted.discard(pair)
                desk.rules_chore.want(max(now.mono_ns, desk.rules_chore.asked_ns + SECOND))
            if desk.working.listing.start(now.mono_ns):
                shared.out.append(ReadOpenOrders(pair))
            if not shared.stopping:
                if desk.rules_chore.start(now.mono_ns):
                    shared.out.append(ReadRules(pair))
                if desk.fees_chore.start(now.mono_ns):
                    shared.out.append(ReadFees(pair))
                if desk.reference_chore.start(now.mono_ns):
                    shared.out.append(ReadReference(pair))
            desk.working.forget(now)

    def _settle_stop(self, now: Now) -> None:
        """While stopping: once nothing is live and its fills are booked, list until it was seen empty twice."""
        if not self.shared.stopping:
            return
        if self.live():
            self._flat_ns = None
            self._clean.clear()
            return
        if self._flat_ns is None:
            self._flat_ns = now.mono_ns
        booked = not any(desk.working.owes for desk in self.desks.values())
        if not booked and now.mono_ns - self._flat_ns < BOOK_LAST_NS:
            self._clean.clear()
            return
        for pair, desk in self.desks.items():
            if self._clean.get(pair, 0) < CLEAN_LISTINGS:
                desk.working.listing.want(now.mono_ns)
                if desk.working.listing.start(now.mono_ns):
                    self.shared.out.append(ReadOpenOrders(pair))

    def _report(self, now: Now) -> None:
        """ACCOUNT once a second, and at once when anything in it changed: after the orders of this step have left."""
        out = self.shared.out
        self._untold |= any(isinstance(action, _TOLD) for action in out)
        if any(isinstance(action, Place) for action in out):
            return
        told, self._untold = self._untold, False
        if not told and self._account_ns is not None and now.mono_ns - self._account_ns < ACCOUNT_NS:
            return
        lost = self._money.lost()
        for desk in self.desks.values():
            account = report.account(desk, lost[desk.counter], now)
            if account is not None:
                self._account_ns = now.mono_ns
                self.shared.out.append(PublishAccount(account))


def _placed_before(restored: Restored, now: Now) -> list[int]:
    """Own monotonic times at which the last gateway placed, within the last minute, oldest first."""
    ages = (
        now.exchange_ns - order.created_ms * 1_000_000
        for record in restored.pairs.values()
        for order in record.orders
        if order.state is not OrderState.REJECTED
    )
    return sorted(now.mono_ns - age for age in ages if 0 <= age < MINUTE)
