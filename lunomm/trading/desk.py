"""One pair: what is wanted compared with what is there, by intent id and never by price or size.

For each live order: wanted, it stays; not wanted, it is cancelled and read until the venue says it has left the book;
unknown, it is looked up until found or proven absent. For each wanted intent whose id was never used: once its slot is
proven free and the limits approve, it is journaled and placed, once. What is wanted is the quoter's; whether anything
may be is not (`Shared.may_quote`): halted, stopping, a closed gate, no user stream or no quoter all mean that nothing
is wanted.
"""

from __future__ import annotations

from decimal import Decimal

from lunomm.market.clock import Now
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.quoting.inputs import OrderState, UpdateKind
from lunomm.quoting.intents import Intent
from lunomm.trading import situation
from lunomm.trading.chores import SECOND, Chore
from lunomm.trading.events import (
    Cancel,
    Flow,
    Place,
    PublishOrders,
    ReadOrder,
    ReadTrades,
    SaveFill,
    SaveFlow,
    SaveNote,
    VenueTrade,
)
from lunomm.trading.inventory import Uptime, mark_of
from lunomm.trading.ledger import FIRST_MS, LOOKBACK_MS, Ledger, in_order
from lunomm.trading.limits import Approved, DailyLoss, Held, Refused, Verdict, check
from lunomm.trading.orders import Amounts, Order, OrderEvent, book, client_order_id, intent_of, move
from lunomm.trading.reference import Reference
from lunomm.trading.restored import RestoredPair
from lunomm.trading.shared import Shared
from lunomm.trading.throttle import Repeat
from lunomm.trading.tracking import REPEAT_NS
from lunomm.trading.wanted import Wanted, market_of
from lunomm.trading.working import Working

SIDE_PACE_NS = SECOND // 2
"""At most one new order, or one refusal, a side in this time, however fast the quoter changes its mind."""

NEW_REFERENCE_NS = 3 * SECOND
"""A refusal by the collar needs a reference this new; with an older one it waits for the next."""

REOPEN_NS = 30 * SECOND
"""From the market's return to ACTIVE to the first quote."""

NEW_RULES_NS = 120 * SECOND
"""How long a quoter may take to learn that the market's scales and bounds have changed."""

IN_BOOK_NS = 3 * SECOND
"""An acknowledged order of which no report says where it is, is asked about after this long."""

MEANT_ONLY = ("OFF_GRID", "PRICE_BOUNDS", "VOLUME_BOUNDS", "COLLAR")
"""Refusals of what no sound quoter wants: a few of them halt."""

TRADES_NS = 30 * SECOND
"""Between two looks at the account's trades when nothing is missing."""

LAG_NS = 3 * SECOND
"""Fills known for so long without their trade row: rows are asked for again from the order's beginning."""

REFERENCE_NS = 10 * SECOND
RULES_NS = 60 * SECOND
CLOSED_RULES_NS = 10 * SECOND
"""The same while the market does not trade."""

FEES_NS = 3600 * SECOND


ASKED, MAX_ASKED = "quoter:", 4000
"""Note of a pair: what its quoter of that start was asked, as it said itself."""

COUNTED = "counted:"
"""Note of the account: which pair's profit counts the coins of an asset that were there at the start."""


class Desk:
    """One pair of one account.

    Args:
        pair, base, counter: names. shared: the account's common state. restored: the journal's record of the pair.
        now: the start.
    """

    def __init__(self, pair: str, base: str, counter: str, shared: Shared, restored: RestoredPair, now: Now) -> None:
        self.pair, self.base, self.counter = pair, base, counter
        self.shared = shared
        self.working = Working(pair, base, counter, shared, restored, now.mono_ns)
        self.ledger = Ledger(pair, restored)
        if self.ledger.first_ms is None:
            self.ledger.first_ms = now.exchange_ms
            shared.out.append(SaveNote(pair, FIRST_MS, str(now.exchange_ms)))
        notes = restored.notes
        self._epoch = int(notes["epoch"]) if "epoch" in notes else None
        self.wanted = Wanted(pair, self._epoch)
        day = int(notes["day"]) if "day" in notes else None
        self.daily = DailyLoss(day, Decimal(notes["day_total"]) if "day_total" in notes else None)
        self.uptime = Uptime()
        self.rules: PairRules | None = None
        self.fees: tuple[Decimal, Decimal] | None = None
        self.prices = Reference()
        self.aimed: situation.Aim | None = None
        self.rules_chore, self.fees_chore = Chore(due_ns=now.mono_ns), Chore(due_ns=now.mono_ns)
        self.reference_chore = Chore(due_ns=now.mono_ns)
        self.held: dict[Side, str] = {}
        self.closed: str | None = None
        self._start_ms = now.exchange_ms
        self._reopens_ns = 0
        self._new_rules_ns: int | None = None
        self._placed_ns: dict[Side, int] = {}
        self._missing_ns: int | None = None

    # --- facts ---

    @property
    def ready(self) -> bool:
        """Whether the venue was read as a start must: nothing is placed before."""
        known = self.rules is not None and self.fees is not None and self.wanted.asked
        return known and self.ledger.opened and self.working.looked and self.shared.balances.ready

    @property
    def reference(self) -> Decimal | None:
        """The market by REST, the last one read."""
        return self.prices.price

    def see_rules(self, rules: PairRules, now: Now) -> None:
        """The market's row was read."""
        before, active = self.rules, rules.status == MarketStatus.ACTIVE.value
        if before is not None and (before.status != rules.status):
            self._reopens_ns = now.mono_ns + REOPEN_NS if active else 0
        if before is not None and _grid_of(before) != _grid_of(rules):
            self._new_rules_ns = now.mono_ns
        self.rules, self.working.rules_doubted = rules, False
        self.rules_chore.done()
        self.rules_chore.want(now.mono_ns + (RULES_NS if active else CLOSED_RULES_NS))

    def see_price(self, price: Decimal | None, now: Now) -> None:
        """The ticker was read; None: it is not two-sided."""
        self.reference_chore.done()
        self.prices.read(price, now.mono_ns)
        self.reference_chore.want(now.mono_ns + (SECOND if self.prices.jumping else REFERENCE_NS))

    def see_quotes(self, now: Now) -> None:
        """The newest quotes changed: remember their fair price and their quoter."""
        quotes = self.wanted.last()
        if quotes is None:
            return
        self.prices.seen(market_of(quotes), now.mono_ns)
        if self.prices.jumping:
            self.reference_chore.want(max(now.mono_ns, self.reference_chore.asked_ns + SECOND))
        self.ledger.fairs.add(now.exchange_ms, quotes.fair)
        if quotes.epoch != self._epoch:
            self._epoch = quotes.epoch
            self.shared.out.append(SaveNote(self.pair, "epoch", str(quotes.epoch)))
            if 0 < len(quotes.asked) <= MAX_ASKED:
                self.shared.out.append(SaveNote(self.pair, f"{ASKED}{quotes.epoch}", quotes.asked))

    def traded(self, trades: tuple[VenueTrade, ...], now: Now) -> None:
        """Rows of the account's trades: ours become fills, each once; others' are flows."""
        working, shared = self.working, self.shared
        working.trades.done()
        by_id = {o.order_id: o for o in working.orders.values() if o.order_id is not None}
        for trade in in_order(t for t in trades if t.pair == self.pair):
            order = working.orders.get(trade.client_order_id) or by_id.get(trade.order_id)
            ours = order.client_order_id if order is not None else trade.client_order_id
            if order is None and intent_of(ours, self.pair) is None:
                ours = ""
            entry = self.ledger.take(trade, ours or None)
            if entry is None:
                continue
            if isinstance(entry, Flow):
                self.flowed(entry, now)
                if trade.ts_ms >= self._start_ms:
                    # What a person traded while no gateway ran is his business.
                    shared.halt_if(shared.throttle.alien(trade.order_id, now), now)
                continue
            shared.out.append(SaveFill(entry))
            if order is not None:
                order = working.orders[order.client_order_id]
                working.put(order, book(order, trade.amounts, now.exchange_ms), now)
                continue
            working.strangers[ours] = working.strangers.get(ours, Amounts()) + trade.amounts
            if self.ledger.first_ms is not None and trade.ts_ms < self.ledger.first_ms:
                continue
            shared.balances.shift(self.base, trade.amounts.net_base(trade.side), now.mono_ns)
            shared.balances.shift(self.counter, trade.amounts.net_counter(trade.side), now.mono_ns)
        missing = working.owes
        self._missing_ns = (self._missing_ns or now.mono_ns) if missing else None
        working.trades.want(now.mono_ns + (SECOND // 2 if missing else TRADES_NS))

    def flowed(self, flow: Flow, now: Now) -> None:
        """Money that moved by other hands."""
        self.shared.out.append(SaveFlow(flow))
        self.shared.balances.shift(self.base, flow.base, now.mono_ns)
        self.shared.balances.shift(self.counter, flow.counter, now.mono_ns)

    def ask_trades(self, now: Now) -> None:
        """Ask for trade rows when they are due."""
        if not self.working.trades.start(now.mono_ns):
            return
        late = self._missing_ns is not None and now.mono_ns - self._missing_ns > LAG_NS
        sequence, since = self.ledger.sequence, self.ledger.since_ms(now.exchange_ms)
        if late:
            # A row may have come late, behind a higher sequence: from the oldest unaccounted order on, all again.
            oldest = min((order.created_ms for order in self.working.unbooked), default=since)
            ask = ReadTrades(self.pair, None, oldest - LOOKBACK_MS)
        elif sequence is not None:
            ask = ReadTrades(self.pair, sequence + 1, None)
        else:
            ask = ReadTrades(self.pair, None, since)
        self.shared.out.append(ask)

    def open(self, now: Now) -> None:
        """The account's first start for the pair: keep what it holds and which share of its worth that is."""
        if self.ledger.opened or self.reference is None or not self.shared.balances.ready:
            return
        balances, shared = self.shared.balances, self.shared
        # Coins that several pairs trade are in the profit of one of them, for ever the same.
        counted = shared.counted.setdefault(self.base, self.pair)
        notes = self.ledger.open(
            balances.expected(self.base), balances.expected(self.counter), self.reference, counted == self.pair
        )
        shared.out.append(SaveNote("", f"{COUNTED}{self.base}", counted))
        shared.out += [SaveNote(self.pair, name, value) for name, value in notes.items()]

    def count_loss(self, now: Now) -> None:
        """What the day has cost, as far as the market's price is known."""
        # By the venue's own price: neither a quoter's word nor its silence moves this limit.
        inventory = self.ledger.inventory
        if inventory is None or self.reference is None or not self.prices.fresh(now.mono_ns):
            return
        profit = inventory.pnl(mark_of(self.reference))
        if self.daily.take(profit.total, now.exchange_ms):
            self.shared.out.append(SaveNote(self.pair, "day", str(self.daily.day)))
            self.shared.out.append(SaveNote(self.pair, "day_total", format(profit.total, "f")))

    @property
    def waits(self) -> dict[Side, str]:
        """Why a side waits, where it does."""
        return dict.fromkeys(Side, "QUOTES_LATE") if self.wanted.mistimed else self.held

    # --- acting ---

    def act(self, now: Now, *, may_place: bool) -> None:
        """Cancel, look up and place until the venue matches what is wanted."""
        self._open_or_closed(now)
        may_quote = self.shared.may_quote(now.mono_ns) and self.closed is None
        quotes = self.wanted.current(now.mono_ns) if may_quote else None
        intents = {intent.id: intent for intent in quotes.intents} if quotes is not None else {}
        # Before the quoter's key was read once, nothing is known to be unwanted.
        judged = self.wanted.asked or self.closed is not None or self.shared.halted is not None or self.shared.stopping
        for order in self.working.live():
            unwanted = judged and (order.orphan or order.intent_id not in intents)
            self._tend(order, unwanted or self.working.tracks[order.client_order_id].outlawed, now)
        for cid, track in list(self.working.tracks.items()):
            if track.read.due_ns is not None and track.read.start(now.mono_ns):
                known = self.working.orders.get(cid)
                if known is not None:
                    late = track.is_late(known, self.shared.settings, now.mono_ns, now.exchange_ms)
                    # While an older question is out, the next answer may be the older one's.
                    track.asked_late = late and len(track.read.out) == 1
                self.shared.out.append(ReadOrder(self.pair, cid, known.order_id if known else track.order_id))
        if may_place and intents:
            for intent in intents.values():
                try:
                    self._want(intent, set(intents), now)
                except Exception as error:  # noqa: BLE001  # whatever fails while permission is sought is a trip
                    self._tripped(intent, error, now)
        sides = {order.side for order in self.working.live() if order.state is OrderState.WORKING}
        self.uptime.note(len(sides) == 2, now.mono_ns)
        if self.working.dirty:
            self.working.dirty = False
            self.shared.out.append(PublishOrders(self.pair, self.working.views()))

    def _open_or_closed(self, now: Now) -> None:
        """Whether this pair may be quoted at all; the reason where it may not."""
        working, reason = self.working, None
        if self.rules is not None and self.rules.status != MarketStatus.ACTIVE.value:
            reason = "MARKET_STATUS"
        elif now.mono_ns < max(self._reopens_ns, working.closed_until_ns):
            reason = "REOPENING"
        elif working.listed_ns < working.closed_until_ns:
            # Closed and open again: what became of our orders is read before anything is placed.
            working.listing.want(now.mono_ns)
            reason = "REOPENING"
        elif self.prices.jumping:
            reason = "JUMP"
        if reason is None and self.closed is not None:
            self.held.clear()
        elif reason is not None:
            self.held = dict.fromkeys(Side, reason)
        self.closed = reason

    def _tend(self, order: Order, unwanted: bool, now: Now) -> None:
        """One live order: cancel it when it is not wanted, ask again while its cancel is not confirmed."""
        track = self.working.tracks[order.client_order_id]
        if order.order_id is None:
            if order.state is OrderState.UNKNOWN and track.read.due_ns is None and track.read.busy_ns is None:
                track.read.want(now.mono_ns)
            return
        if not (track.in_book or track.checked or track.awaiting_ns) and now.mono_ns - track.since_ns > IN_BOOK_NS:
            track.checked = True
            track.read.want(now.mono_ns)
        if order.state is OrderState.WORKING and (unwanted or track.stuck(now.mono_ns)):
            order = self.working.event(order.client_order_id, OrderEvent.CANCEL, now) or order
            track.cancel.want(now.mono_ns)
        if order.state is OrderState.CANCELLING:
            if track.cancel.due_ns is None:
                track.cancel.want(track.cancel.asked_ns + REPEAT_NS)
            if track.cancel.start(now.mono_ns):
                self.shared.out.append(Cancel(self.pair, order.client_order_id, order.order_id or ""))

    def _want(self, intent: Intent, wanted: set[str], now: Now) -> None:
        """One wanted intent: place it if its id is new, its slot proven free, and the limits approve."""
        if self.shared.halted is not None:
            return  # an intent before this one tripped a limit in this very step
        slot = (intent.side, intent.level)
        if intent.id in self.working.used or any((o.side, o.level) == slot for o in self.working.live()):
            self.held.pop(intent.side, None)
            return
        if now.mono_ns < max(self.shared.pause_ns, self._placed_ns.get(intent.side, -SIDE_PACE_NS) + SIDE_PACE_NS):
            return
        verdict = self._judge(intent, wanted, now)
        if isinstance(verdict, Held):
            self.held[intent.side] = verdict.code
            self.shared.balances_wanted |= verdict.code == "BALANCE"
            return
        self.held.pop(intent.side, None)
        self._placed_ns[intent.side] = now.mono_ns
        if isinstance(verdict, Refused):
            if verdict.code in MEANT_ONLY and not self._learning(now):
                self.shared.repeat(Repeat.BAD_QUOTES, now, verdict.message)
            order = self._make(intent, now)
            after = self.working.put(order, move(order, OrderEvent.REJECT, now.exchange_ms, code=verdict.code), now)
            self.shared.tell_order(UpdateKind.REFUSAL, after, now, message=verdict.message)
            # It was never sent: nothing will ever be heard of it.
            self.working.drop(after.client_order_id)
            return
        self._place(verdict, now)

    def _place(self, approved: Approved, now: Now) -> None:
        intent = approved.intent
        order = self._make(intent, now)
        order = self.working.put(order, move(order, OrderEvent.SEND, now.exchange_ms), now)
        self.shared.throttle.placed(now)
        self.shared.out.append(Place(order))

    def _learning(self, now: Now) -> bool:
        return self._new_rules_ns is not None and now.mono_ns - self._new_rules_ns < NEW_RULES_NS

    def _make(self, intent: Intent, now: Now) -> Order:
        order = Order(
            pair=self.pair,
            intent_id=intent.id,
            client_order_id=client_order_id(self.pair, intent.id),
            side=intent.side,
            level=intent.level,
            price=intent.price,
            volume=intent.size,
            created_ms=now.exchange_ms,
            timestamp_ms=now.exchange_ms,
            ttl_ms=self.shared.settings.ttl_ms,
            updated_ms=now.exchange_ms,
        )
        self.working.add(order, now.mono_ns)
        return order

    def _judge(self, intent: Intent, wanted: set[str], now: Now) -> Verdict:
        """The limits' word; a check that fails in any way has tripped."""
        try:
            if self.working.lacks_money(intent.side, now):
                return Held("BALANCE")
            if self.working.rules_doubted:
                return Held("RULES")
            facts = situation.of(self, wanted, now)
            verdict = Held("NOT_READY") if facts is None else check(intent, facts, self.shared.settings.limits)
        except Exception as error:  # noqa: BLE001  # an exception in a check is a trip, whatever it is
            return self._tripped(intent, error, now)
        old = now.mono_ns - self.prices.read_ns > NEW_REFERENCE_NS
        if isinstance(verdict, Refused) and verdict.code == "COLLAR" and old:
            verdict = Held("NO_REFERENCE")
        if isinstance(verdict, Held) and verdict.code == "NO_REFERENCE":
            # The last look may have met a market with one side: who wants to quote need not wait for the next turn.
            self.reference_chore.want(max(now.mono_ns, self.reference_chore.asked_ns + SECOND))
        return verdict

    def _tripped(self, intent: Intent, error: Exception, now: Now) -> Held:
        self.shared.halt(f"LIMIT_CHECK: {type(error).__name__} while checking {intent.id[:40]}: {error}", now)
        return Held("LIMIT_CHECK")


def _grid_of(rules: PairRules) -> tuple[object, ...]:
    return (
        rules.price_scale, rules.volume_scale, rules.min_price, rules.max_price, rules.min_volume, rules.max_volume,
    )  # fmt: skip
