"""The life of one order of ours, as a table; nothing about it is ever guessed.

An order is made as INTENT, made durable, and SENT. What comes back is one of: acknowledged (WORKING), proven rejected
(REJECTED), or nothing (UNKNOWN). UNKNOWN counts as live in every limit until the venue is asked by client id: found, it
is WORKING; absent after its time to live and the clock's skew have passed, and absent again, it is DEAD. An order is
CANCELLING from the request until a read says it has left the book; how much of it filled is known only then.

Replies, the user stream and reads arrive in any order and more than once, so most events are legal in most states and
change nothing there. FILLED and CANCELLED rest on the venue's own word and never become live again. REJECTED and DEAD
rest on an inference (a refusal, an absence): if the venue shows the order alive after all, it becomes CANCELLING and is
taken down, because nobody wants it any more. A fill after the end is always booked; CANCELLED turns FILLED if it
completes the order. What the table does not list is a contradiction: it raises and changes nothing.

Rejected design: an amount-based machine (``state = f(filled, open)``): it cannot tell UNKNOWN from WORKING, which is
the one difference that costs money.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from decimal import Decimal

from lunomm.errors import OrderStateError
from lunomm.market.rules import EXACT, Side
from lunomm.quoting.inputs import OrderState

PREFIX = "lm1"
"""Of every client order id of ours."""

ZERO = Decimal(0)


class OrderEvent(enum.StrEnum):
    """What can happen to an order."""

    SEND = "SEND"  # the POST starts
    ACK = "ACK"  # the POST's reply: created
    LOST = "LOST"  # the POST's outcome is not known (time-out, reset, 5xx; also a restart between journal and reply)
    REJECT = "REJECT"  # the venue proved that the POST created nothing, or it was provably never sent
    OPEN = "OPEN"  # seen alive: stream, read or listing
    CANCEL = "CANCEL"  # a cancel is asked for
    DONE = "DONE"  # a read: left the book with a rest
    FULL = "FULL"  # its whole volume is filled
    ABSENT = "ABSENT"  # proven absent: looked up twice after timestamp + ttl + skew


_S, _E = OrderState, OrderEvent

TABLE: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _S.INTENT: {
        _E.SEND: _S.SENT,
        _E.LOST: _S.UNKNOWN,
        _E.REJECT: _S.REJECTED,
    },
    _S.SENT: {
        _E.ACK: _S.WORKING,
        _E.OPEN: _S.WORKING,
        _E.LOST: _S.UNKNOWN,
        _E.REJECT: _S.REJECTED,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
    },
    _S.UNKNOWN: {
        _E.ACK: _S.WORKING,
        _E.OPEN: _S.WORKING,
        _E.LOST: _S.UNKNOWN,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
        _E.ABSENT: _S.DEAD,
    },
    _S.WORKING: {
        _E.ACK: _S.WORKING,
        _E.OPEN: _S.WORKING,
        _E.LOST: _S.WORKING,
        # The venue creates first and matches after: a refusal may follow a sighting. A read decides.
        _E.REJECT: _S.WORKING,
        _E.CANCEL: _S.CANCELLING,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
    },
    _S.CANCELLING: {
        _E.ACK: _S.CANCELLING,
        _E.OPEN: _S.CANCELLING,
        _E.LOST: _S.CANCELLING,
        _E.REJECT: _S.CANCELLING,
        _E.CANCEL: _S.CANCELLING,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
    },
    _S.FILLED: dict.fromkeys((_E.ACK, _E.OPEN, _E.LOST, _E.REJECT, _E.DONE, _E.FULL), _S.FILLED),
    _S.CANCELLED: {
        **dict.fromkeys((_E.ACK, _E.OPEN, _E.LOST, _E.REJECT, _E.DONE), _S.CANCELLED),
        _E.FULL: _S.FILLED,
    },
    _S.REJECTED: {
        _E.ACK: _S.CANCELLING,
        _E.OPEN: _S.CANCELLING,
        _E.LOST: _S.REJECTED,
        _E.REJECT: _S.REJECTED,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
    },
    _S.DEAD: {
        _E.ACK: _S.CANCELLING,
        _E.OPEN: _S.CANCELLING,
        _E.LOST: _S.DEAD,
        _E.ABSENT: _S.DEAD,
        _E.DONE: _S.CANCELLED,
        _E.FULL: _S.FILLED,
    },
}
"""What is not listed is illegal."""


_ENDED = frozenset(state for state in OrderState if state.terminal)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an order traded: base and counter gross and positive, fees in their own currency (negative: a rebate)."""

    base: Decimal = ZERO
    counter: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_counter: Decimal = ZERO

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            EXACT.add(self.base, other.base),
            EXACT.add(self.counter, other.counter),
            EXACT.add(self.fee_base, other.fee_base),
            EXACT.add(self.fee_counter, other.fee_counter),
        )

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(
            EXACT.subtract(self.base, other.base),
            EXACT.subtract(self.counter, other.counter),
            EXACT.subtract(self.fee_base, other.fee_base),
            EXACT.subtract(self.fee_counter, other.fee_counter),
        )

    def net_base(self, side: Side) -> Decimal:
        """Change of the base balance."""
        return EXACT.subtract(self.base if side is Side.BID else -self.base, self.fee_base)

    def net_counter(self, side: Side) -> Decimal:
        """Change of the counter balance."""
        return EXACT.subtract(-self.counter if side is Side.BID else self.counter, self.fee_counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of ours.

    price: counter per base; volume: base. timestamp_ms, ttl_ms: as sent, exchange time.
    filled: cumulative, by the best evidence so far; booked: the part of it that stands in the journal as fills with a
    trade sequence. orphan: found on the venue, unknown to the journal; only ever cancelled.
    """

    pair: str
    intent_id: str
    client_order_id: str
    side: Side
    level: int
    price: Decimal
    volume: Decimal
    created_ms: int
    timestamp_ms: int
    ttl_ms: int
    updated_ms: int
    state: OrderState = OrderState.INTENT
    order_id: str | None = None
    filled: Amounts = Amounts()
    booked: Amounts = Amounts()
    version: int = 0
    code: str | None = None
    orphan: bool = False

    @property
    def live(self) -> bool:
        """May rest on the venue, as far as we can prove."""
        return self.state not in _ENDED

    @property
    def leaves(self) -> Decimal:
        """Base that may still trade; 0 at the end."""
        return max(EXACT.subtract(self.volume, self.filled.base), ZERO) if self.live else ZERO

    @property
    def owes(self) -> bool:
        """Whether some of it is filled and not yet in the journal as trades."""
        return self.filled.base != self.booked.base


def client_order_id(pair: str, intent_id: str) -> str:
    return f"{PREFIX}-{pair}-{intent_id}"


def intent_of(client_id: str, pair: str) -> str | None:
    """The intent id inside one of our client order ids; None for an alien's or another pair's."""
    head = f"{PREFIX}-{pair}-"
    return client_id[len(head) :] if client_id.startswith(head) and len(client_id) > len(head) else None


def is_ours(client_id: str, pair: str) -> bool:
    """Whether an order of ``pair`` carries our prefix, readable or not: what a clean-up takes down."""
    return client_id.startswith(f"{PREFIX}-{pair}-")


def level_of(intent_id: str) -> int:
    """``<epoch>-<counter>-<B|A><level>``; 0 where that cannot be read."""
    tail = intent_id.rpartition("-")[2]
    return int(tail[1:]) if tail[1:].isascii() and tail[1:].isdigit() and len(tail) <= 3 else 0


def move(
    order: Order, event: OrderEvent, now_ms: int, *, order_id: str | None = None, code: str | None = None
) -> Order:
    """The order after one event.

    Raises:
        OrderStateError: the table does not list it, or the venue gave the order a second id. Nothing changes.
    """
    target = TABLE[order.state].get(event)
    if target is None:
        raise OrderStateError(f"{order.client_order_id}: {event.value} is not possible in {order.state.value}")
    if order_id is not None and order.order_id is not None and order_id != order.order_id:
        raise OrderStateError(f"{order.client_order_id}: is order {order.order_id}, and now {order_id[:40]} too")
    new_id = order.order_id if order.order_id is not None else order_id
    if target is order.state and new_id == order.order_id and (code is None or code == order.code):
        return order
    return replace(
        order,
        state=target,
        order_id=new_id,
        code=code if code is not None else order.code,
        updated_ms=now_ms,
        version=order.version + 1,
    )


def fill_to(order: Order, total: Amounts, now_ms: int) -> Order:
    """The order after a report of its *cumulative* fill. A report that is not news (a replay, an older one) changes
    nothing.

    Raises:
        OrderStateError: more than the order's volume, or less money for more base: the venue contradicts itself.
    """
    if total.base <= order.filled.base:
        return order
    if total.base > order.volume or total.counter < order.filled.counter:
        raise OrderStateError(
            f"{order.client_order_id}: cumulative fill {total.base} for {total.counter} of {order.volume} base"
            f" contradicts {order.filled.base} for {order.filled.counter}"
        )
    grown = replace(order, filled=total, updated_ms=now_ms, version=order.version + 1)
    if total.base == order.volume:
        return move(grown, OrderEvent.FULL, now_ms)
    return grown


def book(order: Order, trade: Amounts, now_ms: int) -> Order:
    """The order after one of its trades was journaled (each exactly once: the caller keys them by sequence).

    Trades are evidence of filling too: where they run ahead of every report, ``filled`` follows.

    Raises:
        OrderStateError: the trades add up to more than the order's volume.
    """
    booked = order.booked + trade
    if booked.base > order.volume:
        raise OrderStateError(f"{order.client_order_id}: its trades add up to {booked.base} of {order.volume} base")
    after = replace(order, booked=booked, updated_ms=now_ms, version=order.version + 1)
    if booked.base > after.filled.base:
        return fill_to(after, booked, now_ms)
    # The trade rows are the exact account of fees; the stream's cumulative ones may have been rounded or lost.
    return replace(after, filled=booked) if booked.base == after.filled.base else after
