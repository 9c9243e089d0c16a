"""The frames of the user stream as text (pure). One message has exactly one payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec

from lunomm.luno.wire import WireBalanceUpdate, WireOrderFill, WireOrderStatus, WireUserMessage
from lunomm.simulator.ledger import Row
from lunomm.simulator.order_ids import RandomBits
from lunomm.simulator.visitor_orders import Fill, VisitorOrder, money_text

AnyFrame = TypeVar("AnyFrame")


class UserFrame(NamedTuple):
    """One message for every user stream of an account. timestamp_ms: the exchange's clock."""

    owner: str
    raw: str
    timestamp_ms: int


def balance_message(row: Row, now_ms: int) -> UserFrame:
    payload = WireBalanceUpdate(
        account_id=row.account_id,
        row_index=row.row_index,
        balance=money_text(row.balance),
        balance_delta=money_text(row.balance_delta),
        available=money_text(row.available),
        available_delta=money_text(row.available_delta),
    )
    return _frame(row.owner, WireUserMessage("balance_update", now_ms, None, None, payload))


def status_message(order: VisitorOrder, now_ms: int) -> UserFrame:
    """The order's present status."""
    request = order.request
    payload = WireOrderStatus(order.order_id, request.client_order_id, request.pair, order.status)
    return _frame(order.owner, WireUserMessage("order_status", now_ms, payload, None, None))


def fill_message(fill: Fill) -> UserFrame:
    """A fill just booked on its order: the order's amounts are the cumulative ones, the fill's the deltas."""
    order, text = fill.order, fill.order.text
    payload = WireOrderFill(
        order_id=order.order_id,
        client_order_id=order.request.client_order_id,
        market_id=order.request.pair,
        base_fill=text.volume(order.filled_lots),
        counter_fill=text.counter(order.counter),
        base_delta=text.volume(fill.lots),
        counter_delta=text.counter(fill.price * fill.lots),
        base_fee=money_text(order.fee_base),
        counter_fee=money_text(order.fee_counter),
        base_fee_delta=money_text(fill.fee_base),
        counter_fee_delta=money_text(fill.fee_counter),
    )
    return _frame(order.owner, WireUserMessage("order_fill", fill.timestamp_ms, None, payload, None))


def shuffled(frames: Sequence[AnyFrame], source: RandomBits) -> list[AnyFrame]:
    """The same frames, the user messages of each instant in any order among their places."""
    mixed = list(frames)
    places: dict[int, list[int]] = {}
    for place, frame in enumerate(frames):
        if isinstance(frame, UserFrame):
            places.setdefault(frame.timestamp_ms, []).append(place)
    for same in places.values():
        for last in range(len(same) - 1, 0, -1):
            other = same[source.getrandbits(32) % (last + 1)]
            mixed[same[last]], mixed[other] = mixed[other], mixed[same[last]]
    return mixed


def _frame(owner: str, message: WireUserMessage) -> UserFrame:
    return UserFrame(owner, msgspec.json.encode(message).decode(), message.timestamp)
