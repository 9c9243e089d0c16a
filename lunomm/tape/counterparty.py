"""The venue as a gateway on a virtual clock meets it: calls that take their way, and a user stream (pure).

Every call of the gateway becomes one of the venue's own private calls, made when it arrives there; the answer, and what
the user stream says, come back later by the same way. The venue may be the simulator's, or the paper venue over a tape:
both answer the same calls.

Which frames stand before an order in the queue is decided on the venue's clock: a call that arrives at ``a`` is made
before the first frame of a later millisecond than ``a``, after every frame of that millisecond or an earlier one. Where
frames come to us later than the answer to such a call could (``behind_ns``), the answer waits for them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import NamedTuple

from lunomm.errors import LunommError
from lunomm.luno import as_events
from lunomm.luno.wire import WireError, decode_user_frame
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import Venue, VenueError
from lunomm.tape.attention import Limited
from lunomm.tape.latency import Latency
from lunomm.trading import events as ev
from lunomm.trading.orders import intent_of
from lunomm.trading.working import RATE_LIMITED

MS = 1_000_000
TRADES_PAGE = 100


class _Sent(NamedTuple):
    """A call under way: when it arrives, in which order it was sent, what it is, when it was sent and is answered."""

    arrives_ns: int
    number: int
    action: ev.Place | ev.Cancel | ev.Read
    sent_ns: int
    back_ns: int


class _Due(NamedTuple):
    at_ns: int
    number: int
    event: ev.Event


class Counterparty:
    """One account at one venue, some way off.

    Args:
        venue: answers the private calls. drain: user messages of the venue since the last call. limited: which orders
            are turned away for too many calls, as a session's were; None: none.
    """

    def __init__(
        self,
        venue: Venue,
        drain: Callable[[], Iterable[UserFrame]],
        owner: str,
        latency: Latency,
        limited: Limited | None = None,
    ) -> None:
        self._venue, self._drain, self._owner = venue, drain, owner
        self._latency, self._limited = latency, limited
        self._sent: list[_Sent] = []
        self._due: list[_Due] = []
        self._number = 0
        self.calls = 0
        self.behind_ns = 0
        """How long after its moment the newest frame came: what happened since may still be on its way to us."""

    # --- in time ------------------------------------------------------------------------------------------------------

    @property
    def next_arrival_ns(self) -> int | None:
        """When the next call reaches the venue, its clock."""
        return self._sent[0].arrives_ns if self._sent else None

    def next_ns(self) -> int | None:
        """Our time of the next answer or message; a call counts with its answer."""
        times = [self._known_ns(self._sent[0])] if self._sent else []
        if self._due:
            times.append(self._due[0].at_ns)
        return min(times, default=None)

    def send(self, action: ev.Place | ev.Cancel | ev.Read, now_ns: int) -> None:
        """A call starts on its way."""
        ways = self._latency.ways(now_ns)
        arrives = now_ns + ways.out_ns
        heapq.heappush(self._sent, _Sent(arrives, self._turn(), action, now_ns, arrives + ways.back_ns))
        self.calls += 1

    def arrive_before(self, frame_ns: int) -> None:
        """Make every call that reaches the venue in an earlier millisecond than a frame of ``frame_ns``."""
        while self._sent and self._sent[0].arrives_ns // MS < frame_ns // MS:
            self._make(heapq.heappop(self._sent))

    def answered(self, now_ns: int) -> ev.Event | None:
        """The next event that is here by ``now_ns``; None when there is no more."""
        while self._sent and self._known_ns(self._sent[0]) <= now_ns:
            # No frame came that would have told when it arrived: it arrived in the quiet.
            self._make(heapq.heappop(self._sent))
        if self._due and self._due[0].at_ns <= now_ns:
            return heapq.heappop(self._due).event
        return None

    @property
    def waiting(self) -> bool:
        """Whether the venue has anything to say."""
        return self._venue.waiting

    def hear(self, at_ns: int) -> bool:
        """Take what the user stream says now; it is here at ``at_ns``. Whether there was anything."""
        heard = False
        for frame in self._drain():
            message = decode_user_frame(frame.raw)
            if message is None or isinstance(message, WireError):
                continue
            event = as_events.user_event(message)
            if event is not None:
                heapq.heappush(self._due, _Due(at_ns, self._turn(), event))
                heard = True
        return heard

    def _known_ns(self, sent: _Sent) -> int:
        """Our time at which a call can have been answered, and every frame before its arrival be here."""
        return max(sent.back_ns, sent.arrives_ns + self.behind_ns)

    def _turn(self) -> int:
        self._number += 1
        return self._number

    # --- at the venue -------------------------------------------------------------------------------------------------

    def _make(self, sent: _Sent) -> None:
        heapq.heappush(self._due, _Due(sent.back_ns, self._turn(), self._answer(sent)))
        self.hear(sent.back_ns)

    def _answer(self, sent: _Sent) -> ev.Event:
        action, now_ms = sent.action, sent.arrives_ns // MS
        if isinstance(action, ev.Place):
            return self._placed(action, now_ms, sent.sent_ns)
        if isinstance(action, ev.Cancel):
            try:
                self._venue.stoporder(now_ms, self._owner, action.order_id)
            except VenueError:
                pass  # not live any more: like every other outcome, a read decides
            return ev.CancelReturned(action.pair, action.client_order_id)
        try:
            return self._read(action, now_ms, sent)
        except (VenueError, LunommError) as error:
            key = action.client_order_id if isinstance(action, ev.ReadOrder) else getattr(action, "pair", "")
            return ev.ReadFailed(type(action).__name__, getattr(action, "pair", ""), key, error.code)

    def _placed(self, action: ev.Place, now_ms: int, sent_ns: int) -> ev.Event:
        order = action.order
        if self._limited is not None and self._limited.at(order.side, sent_ns):
            return ev.PostRejected(order.pair, order.client_order_id, RATE_LIMITED, "too many calls, as then")
        try:
            reply = self._venue.postorder(
                now_ms,
                self._owner,
                pair=order.pair,
                type=order.side.value,
                volume=f"{order.volume:f}",
                price=f"{order.price:f}",
                post_only=True,
                client_order_id=order.client_order_id,
                timestamp_ms=order.timestamp_ms,
                ttl_ms=order.ttl_ms,
            )
        except VenueError as error:
            return ev.PostRejected(order.pair, order.client_order_id, error.code, str(error))
        return ev.Posted(order.pair, order.client_order_id, reply.order_id)

    def _read(self, action: ev.Read, now_ms: int, sent: _Sent) -> ev.Event:
        venue, owner = self._venue, self._owner
        if isinstance(action, ev.ReadOrder):
            try:
                if action.order_id is not None:
                    found = venue.order_v3(owner, order_id=action.order_id)
                else:
                    found = venue.order_v3(owner, client_order_id=action.client_order_id)
            except VenueError as error:
                if error.status != 404:
                    raise
                return ev.OrderRead(action.pair, action.client_order_id, None)
            return ev.OrderRead(action.pair, action.client_order_id, as_events.venue_order(found))
        if isinstance(action, ev.ReadOpenOrders):
            rows = venue.listorders_v2(owner, pair=action.pair).orders or ()
            ours = [row for row in rows if intent_of(row.client_order_id, action.pair) is not None]
            return ev.OpenOrdersRead(action.pair, tuple(as_events.venue_order(row) for row in ours))
        if isinstance(action, ev.ReadTrades):
            return ev.TradesRead(action.pair, self._trades(action))
        if isinstance(action, ev.ReadBalances):
            return ev.BalancesRead(as_events.venue_balances(venue.balance(owner).balance or ()), sent.sent_ns)
        if isinstance(action, ev.ReadRules):
            return ev.RulesRead(action.pair, (venue.markets((action.pair,)).markets or [])[0].rules())
        if isinstance(action, ev.ReadFees):
            return ev.FeesRead(action.pair, *venue.fee_info(owner, action.pair, now_ms).rates())
        return ev.ReferenceRead(action.pair, as_events.mid(venue.ticker(now_ms, action.pair)))

    def _trades(self, action: ev.ReadTrades) -> tuple[ev.VenueTrade, ...]:
        """Every page."""
        found: dict[tuple[int, str], ev.VenueTrade] = {}
        after, since = action.after_seq, action.since_ms
        while True:
            page = self._venue.listtrades(
                self._owner, action.pair, after_seq=after, since_ms=since, limit=TRADES_PAGE
            ).trades or ()  # fmt: skip
            before = len(found)
            for row in page:
                found[(row.sequence, row.type)] = as_events.venue_trade(row)
            if len(page) < TRADES_PAGE or len(found) == before:
                return tuple(found.values())
            after, since = max(row.sequence for row in page), None
