"""The orders of one pair and the evidence about them: every event moves them by the table, and nothing is guessed.

Replies, the user stream, reads and listings all end here. Amounts are cumulative, so a repeated or late report changes
nothing. An order leaves the live ones by the venue's word (a read of its end, its whole volume filled, a proven
refusal) or by proof of absence: two lookups and one listing, all asked after its time to live and the clock's skew.
What contradicts the journal stops the gateway (`Shared.halt`): a foreign order under our id, an id refused as known
that we never sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lunomm.errors import OrderStateError
from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Balance, OrderState, OrderView, UpdateKind
from lunomm.trading.chores import SECOND, Chore
from lunomm.trading.events import FillSeen, SaveOrder, StatusSeen, VenueOrder
from lunomm.trading.orders import Amounts, Order, OrderEvent, fill_to, intent_of, level_of, move
from lunomm.trading.restored import RestoredPair
from lunomm.trading.shared import Shared
from lunomm.trading.throttle import Repeat
from lunomm.trading.tracking import REPEAT_NS, Track
from lunomm.trading.used_ids import UsedIds

LISTING_NS = 30 * SECOND
"""Between two listings of the open orders: the longest life of an order nobody knows of."""

DUPLICATE = "ErrDuplicateClientOrderID"
RATE_LIMITED = "RATE_LIMITED"
POST_ONLY_MISS = "ErrOrderCanceled"
NOT_SENT = ("NOT_SENT", RATE_LIMITED)
"""Refusals of our own, or of a venue that asks us to slow down: nobody's mistake."""

_BALANCE_CODES = ("ErrInsufficientFunds", "ErrInsufficientBalance")
_RULE_CODES = (
    "ErrPriceDenominationNotAllowed", "ErrVolumeDenominationNotAllowed", "ErrPostOnlyMode", "ErrPriceTooHigh",
    "ErrPriceTooLow", "ErrVolumeTooHigh", "ErrVolumeTooLow",
)  # fmt: skip
_CLOSED_CODES = ("ErrUnderMaintenance", "ErrMarketUnavailable")

CLOSED_NS = 30 * SECOND
"""How long nothing is placed after the venue said that it, or the market, is closed."""


POOR_NS = 60 * SECOND
"""How long a side that was refused twice for want of money is left alone while the balance stays as it is."""

MISS_MS = 250
"""A post-only order that would trade is complete as soon as the venue looks at it. One that lived longer was taken
down: by our guardian after a crash, by `panic`, by hand."""

_NOT_CANCELLED_BY_US = (OrderState.SENT, OrderState.UNKNOWN, OrderState.WORKING)


@dataclass(frozen=True, slots=True)
class Poor:
    """The venue refused a side for want of money: how often in a row, when, and what we held by then."""

    tries: int
    at_ns: int
    balance: Balance


class Working:
    """All orders of one pair that are live, or ended a short while ago.

    Args:
        pair, base, counter: names. shared: the account's common state. restored: the journal's record of the pair.
        now_ns: own monotonic clock at the start.
    """

    def __init__(self, pair: str, base: str, counter: str, shared: Shared, restored: RestoredPair, now_ns: int) -> None:
        self.pair, self.base, self.counter = pair, base, counter
        self.shared = shared
        self.orders: dict[str, Order] = {}
        # Of all that is kept in mind for the stream's replays, the few that each step looks at.
        self._live: dict[str, Order] = {}
        self._owed: dict[str, Order] = {}
        self._forget_ns = now_ns
        self.used = UsedIds(restored.used)
        self.tracks: dict[str, Track] = {}
        self.trades = Chore(due_ns=now_ns)
        self.listing = Chore(due_ns=now_ns)
        self.dirty = True
        self.rules_doubted = False
        self.closed_until_ns = 0
        self.listed_ns = 0
        self.poor: dict[Side, Poor] = {}
        self._first_looks: set[str] = set()
        self.strangers: dict[str, Amounts] = {}
        for order in restored.orders:
            self._restore(order, now_ns)

    def _restore(self, order: Order, now_ns: int) -> None:
        """An order from the journal.

        What was under way when we stopped is unknown, all that may live is asked about.
        """
        self.used.add(order.intent_id)
        # The proof of absence waits from this start: whatever the wall clock did, the POST is older than that.
        track = self.tracks[order.client_order_id] = Track(since_ns=now_ns)
        if order.state in (OrderState.INTENT, OrderState.SENT):
            order = move(order, OrderEvent.LOST, order.updated_ms)
        if order.live:
            track.read.want(now_ns)
            self._first_looks.add(order.client_order_id)
        self._keep(order)

    def _keep(self, order: Order) -> None:
        cid = order.client_order_id
        self.orders[cid] = order
        for index, belongs in ((self._live, order.live), (self._owed, order.owes)):
            if belongs:
                index[cid] = order
            else:
                index.pop(cid, None)

    # --- what others ask ---

    def live(self) -> list[Order]:
        return list(self._live.values())

    @property
    def looked(self) -> bool:
        """Whether the venue was read since the start: open orders, trades, and every order left from before."""
        return self.listing.answered and self.trades.answered and not self._first_looks

    @property
    def owes(self) -> bool:
        """Whether any order has fills that no trade row accounts for yet."""
        return bool(self._owed)

    @property
    def unbooked(self) -> list[Order]:
        """Orders with fills that no trade row accounts for yet."""
        return list(self._owed.values())

    def views(self) -> tuple[OrderView, ...]:
        return tuple(
            OrderView(
                pair=self.pair,
                intent_id=o.intent_id,
                client_order_id=o.client_order_id,
                order_id=o.order_id,
                side=o.side,
                level=o.level,
                price=o.price,
                volume=o.volume,
                filled=o.filled.base,
                state=o.state,
                created_ms=o.created_ms,
                updated_ms=o.updated_ms,
                version=o.version,
            )
            for o in self.live()
        )

    def add(self, order: Order, now_ns: int) -> None:
        """A new order, not yet said or saved (`put` does that with its first move)."""
        self.tracks[order.client_order_id] = Track(since_ns=now_ns)
        self.used.add(order.intent_id)

    # --- events about orders ---

    def posted(self, cid: str, order_id: str, now: Now) -> None:
        self.shared.accepted()
        self.event(cid, OrderEvent.ACK, now, order_id=order_id)

    def rejected(self, cid: str, code: str, message: str, now: Now) -> None:
        order = self.orders.get(cid)
        if code == DUPLICATE:
            if order is None or order.orphan:
                self.shared.halt(f"DUPLICATE_ID: the venue knows {cid[:80]}, which this journal never sent", now)
                return
            # Somebody's order carries this id: ours, if a proxy sent it twice; a read must show it is.
            self.tracks[cid].duplicate = True
            self.unknown(cid, now)
            return
        if code == RATE_LIMITED:
            self.shared.rate_limited(now.mono_ns, None)
        elif code in _BALANCE_CODES:
            self.shared.balances_wanted = True
        elif code in _RULE_CODES:
            self.shared.rules_wanted.add(self.pair)
            self.rules_doubted = True
        elif code in _CLOSED_CODES:
            self.closed_until_ns = now.mono_ns + CLOSED_NS
            self.shared.rules_wanted.add(self.pair)
        if code not in NOT_SENT:
            self.shared.repeat(Repeat.POST_ONLY if code == POST_ONLY_MISS else Repeat.REJECTS, now, code)
        if order is None:
            return
        if code in _BALANCE_CODES:
            self._refused_for_money(order, now)
        after = self.event(cid, OrderEvent.REJECT, now, code=code[:60])
        if after is not None and after.state is OrderState.REJECTED:
            self.shared.tell_order(UpdateKind.REFUSAL, after, now, message=message[:200] or None)
        else:
            self.tracks[cid].read.want(now.mono_ns)

    def _refused_for_money(self, order: Order, now: Now) -> None:
        asset = self.base if order.side is Side.ASK else self.counter
        before = self.poor.get(order.side)
        balance = self.shared.balances.balance(asset)
        tries = before.tries + 1 if before is not None and before.balance == balance else 1
        self.poor[order.side] = Poor(tries, now.mono_ns, balance)

    def lacks_money(self, side: Side, now: Now) -> bool:
        """Whether the venue refused this side for want of money, and nothing says that it would not again: after a
        first refusal until the balance is read, after a second until it changes or a minute has passed."""
        poor = self.poor.get(side)
        if poor is None:
            return False
        asset = self.base if side is Side.ASK else self.counter
        held = self.shared.balances.held(asset)
        read = held is not None and held.read_mono_ns > poor.at_ns
        if self.shared.balances.balance(asset) != poor.balance or (poor.tries < 2 and read):
            return False
        if read and now.mono_ns - poor.at_ns >= POOR_NS:
            return False
        self.shared.balances_wanted |= not read
        return True

    def unknown(self, cid: str, now: Now) -> None:
        if self.event(cid, OrderEvent.LOST, now) is not None:
            self.tracks[cid].read.want(now.mono_ns)

    def cancel_returned(self, cid: str, now: Now) -> None:
        track = self.tracks.get(cid)
        if track is not None:
            track.cancel.done()
            track.read.want(now.mono_ns)

    def read(self, cid: str, seen: VenueOrder | None, now: Now) -> None:
        """One order was read by its id or client id."""
        track, order = self.tracks.get(cid), self.orders.get(cid)
        if track is None:
            return
        asked_ns = track.read.done()
        self._first_looks.discard(cid)
        if seen is not None:
            self._see(seen, now, asked_ns)
        elif order is None:
            self.tracks.pop(cid)
        elif order.state is OrderState.UNKNOWN:
            self._absent(order, track, now)
        elif order.live and order.order_id is not None:
            # The venue acknowledged it and now does not know it. Reads may lag; for longer than this they do not.
            track.forgotten += 1
            track.read.want(now.mono_ns + 2 * SECOND)
            if track.forgotten >= 4:
                self.shared.halt(f"VENUE_FORGOT: the venue does not know order {order.order_id} any more", now)

    def _absent(self, order: Order, track: Track, now: Now) -> None:
        """A lookup found nothing. Only what was asked after the order's time to live and the skew proves anything."""
        if track.asked_late:
            track.absences += 1
        if track.absences >= 2 and track.unlisted:
            if track.duplicate:
                self.shared.halt(
                    f"DUPLICATE_ID: the venue refused {order.client_order_id} as known, yet has no such order", now
                )
            self.event(order.client_order_id, OrderEvent.ABSENT, now)
            return
        if track.absences and not track.unlisted:
            self.listing.want(now.mono_ns)
        track.read.want(now.mono_ns + (SECOND // 5 if track.absences else REPEAT_NS))

    def listed(self, orders: Iterable[VenueOrder], now: Now) -> int:
        """All open orders were listed; returns how many are ours. What we think is open and is not there is read."""
        asked_ns = self.listed_ns = self.listing.done()
        self.listing.want(now.mono_ns + LISTING_NS)
        found = set()
        for seen in orders:
            if intent_of(seen.client_order_id, self.pair) is not None and seen.pair == self.pair:
                found.add(seen.client_order_id)
                self._see(seen, now, asked_ns)
        for order in self.live():
            track = self.tracks[order.client_order_id]
            if order.client_order_id in found:
                self._first_looks.discard(order.client_order_id)
            elif order.state is OrderState.UNKNOWN:
                if track.is_late(order, self.shared.settings, asked_ns, now.exchange_ms):
                    track.unlisted = True
            elif order.order_id is not None and track.since_ns < asked_ns:
                track.read.want(now.mono_ns)
        return len(found)

    def status_seen(self, event: StatusSeen, now: Now) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            self._stranger(event.client_order_id, event.order_id, now)
        elif event.open:
            self.tracks[order.client_order_id].placed_where(event.awaiting, now.mono_ns)
            self.event(order.client_order_id, OrderEvent.OPEN, now, order_id=event.order_id)
        elif order.live or order.owes:
            # COMPLETE says neither how nor with how much: a read does. It also proves that the order exists.
            self.event(order.client_order_id, OrderEvent.OPEN, now, order_id=event.order_id)
            self.tracks[order.client_order_id].read.want(now.mono_ns)

    def fill_seen(self, event: FillSeen, now: Now) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            self._stranger(event.client_order_id, event.order_id, now)
            self.trades.want(now.mono_ns)
            return
        if order.order_id is None:
            self.event(order.client_order_id, OrderEvent.OPEN, now, order_id=event.order_id)
        self._fill(order.client_order_id, event.total, now)

    def _stranger(self, cid: str, order_id: str, now: Now) -> None:
        """The stream speaks of an order we do not hold.

        With our prefix it is read (and taken down if alive), else let be.
        """
        if intent_of(cid, self.pair) is None:
            self.trades.want(now.mono_ns)
            self.shared.balances_wanted = True
        elif cid not in self.tracks:
            self.tracks[cid] = Track(since_ns=now.mono_ns, order_id=order_id)
            self.tracks[cid].read.want(now.mono_ns)

    # --- evidence ---

    def _see(self, seen: VenueOrder, now: Now, asked_ns: int) -> None:
        """One order as the venue shows it to a question of then."""
        cid = seen.client_order_id
        order = self.orders.get(cid)
        if order is None:
            order = self._orphan(seen, now)
            if order is None:
                return
        track = self.tracks[cid]
        track.absences = track.forgotten = 0
        if (order.side, order.price, order.volume) != (seen.side, seen.price, seen.volume):
            self.shared.halt(f"FOREIGN_ORDER: {cid[:80]} at the venue is not the order this journal sent", now)
            return
        if track.duplicate and seen.created_ms < order.timestamp_ms - self.shared.settings.skew_ms:
            # It stops, and goes on looking: whose order it was does not matter any more for taking it down.
            self.shared.halt(f"DUPLICATE_ID: {cid[:80]} was placed before this journal sent it", now)
        track.duplicate = False
        if seen.filled.base < order.filled.base and not (seen.open and track.may_lag(asked_ns)):
            how = "is open" if seen.open else "ended"
            raise OrderStateError(
                f"{cid[:80]}: {how} with {seen.filled.base} filled, {order.filled.base} was reported before"
            )
        finished = not seen.open and seen.completed_ms > 0
        if seen.open:
            track.placed_where(seen.awaiting, now.mono_ns)
        if not finished or order.order_id is None:
            self.event(cid, OrderEvent.OPEN, now, order_id=seen.order_id)
        self._fill(cid, seen.filled, now)
        if finished and self.orders[cid].state is not OrderState.FILLED:
            at_once = seen.completed_ms - seen.created_ms <= MISS_MS
            if self.orders[cid].state in _NOT_CANCELLED_BY_US and not seen.filled.base and at_once:
                self.shared.repeat(Repeat.POST_ONLY, now, "complete with nothing filled")
            self.event(cid, OrderEvent.DONE, now, order_id=seen.order_id)
        elif not seen.open and not finished:
            track.read.want(now.mono_ns + SECOND // 2)

    def _orphan(self, seen: VenueOrder, now: Now) -> Order | None:
        """An open order with our prefix that this journal does not hold: it is taken over only to be cancelled."""
        intent_id = intent_of(seen.client_order_id, self.pair)
        if seen.filled.base:
            self.trades.want(now.mono_ns)
        if intent_id is None or not seen.open:
            self.tracks.pop(seen.client_order_id, None)
            return None
        order = Order(
            pair=self.pair,
            intent_id=intent_id,
            client_order_id=seen.client_order_id,
            side=seen.side,
            level=level_of(intent_id),
            price=seen.price,
            volume=seen.volume,
            created_ms=seen.created_ms,
            timestamp_ms=seen.created_ms,
            ttl_ms=0,
            updated_ms=now.exchange_ms,
            state=OrderState.UNKNOWN,
            orphan=True,
            filled=self.strangers.get(seen.client_order_id, Amounts()),
            booked=self.strangers.pop(seen.client_order_id, Amounts()),
        )
        self.tracks.setdefault(order.client_order_id, Track(since_ns=now.mono_ns))
        self.used.add(intent_id)
        self._keep(order)
        return order

    def event(
        self, cid: str, event: OrderEvent, now: Now, *, order_id: str | None = None, code: str | None = None
    ) -> Order | None:
        order = self.orders.get(cid)
        if order is None:
            return None
        return self.put(order, move(order, event, now.exchange_ms, order_id=order_id, code=code), now)

    def _fill(self, cid: str, total: Amounts, now: Now) -> None:
        order = self.orders[cid]
        self.put(order, fill_to(order, total, now.exchange_ms), now)

    def put(self, before: Order, after: Order, now: Now) -> Order:
        """Keep the order as it is now; say and save what changed."""
        if after is before:
            return after
        shared = self.shared
        self._keep(after)
        shared.out.append(SaveOrder(after))
        shared.changed_ns = now.mono_ns
        self.dirty = True
        delta = after.filled - before.filled
        shared.balances.shift(self.base, delta.net_base(after.side), now.mono_ns)
        shared.balances.shift(self.counter, delta.net_counter(after.side), now.mono_ns)
        if delta.base:
            if (track := self.tracks.get(after.client_order_id)) is not None:
                track.grown_ns = now.mono_ns
            shared.halt_if(shared.throttle.filled(self.pair, after.side, after.client_order_id, now), now)
            shared.tell_order(
                UpdateKind.FILL,
                after,
                now,
                last_volume=delta.base,
                last_counter=delta.counter,
                last_fee_base=delta.fee_base,
                last_fee_counter=delta.fee_counter,
            )
        if after.owes:
            self.trades.want(now.mono_ns)
        if after.state is not before.state or after.order_id != before.order_id:
            shared.tell_order(UpdateKind.STATUS, after, now)
        return after

    def drop(self, cid: str) -> None:
        """An order that was never sent; its intent stays used."""
        self.orders.pop(cid, None)
        self._live.pop(cid, None)
        self._owed.pop(cid, None)
        self.tracks.pop(cid, None)

    def forget(self, now: Now) -> None:
        """Drop ended orders from mind once all their fills are booked and the stream cannot replay them any more."""
        if now.mono_ns < self._forget_ns:
            return
        self._forget_ns = now.mono_ns + SECOND
        for cid, order in list(self.orders.items()):
            old = now.exchange_ms - order.updated_ms > self.shared.settings.remember_ms
            if old and cid not in self._live and cid not in self._owed:
                del self.orders[cid]
                self.tracks.pop(cid, None)
