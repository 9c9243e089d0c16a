"""What the calls with many parameters are given: one structure each, from the request to whoever looks at it (pure).

Amounts are the text of the request; an empty text, or None for a number, is an absent parameter, and so is a name that
is not there.
"""

from __future__ import annotations

from typing import Required, TypedDict


class Envelope(TypedDict, total=False):
    """What every order carries. timestamp_ms, ttl_ms: until when it may arrive."""

    pair: Required[str]
    type: Required[str]
    base_account_id: int | None
    counter_account_id: int | None
    timestamp_ms: int | None
    ttl_ms: int | None
    client_order_id: str


class LimitOrder(Envelope, total=False):
    """``postorder``. type: BID or ASK. held: a fault, the order never leaves AWAITING."""

    volume: Required[str]
    price: Required[str]
    post_only: bool
    time_in_force: str
    stop_price: str
    stop_direction: str
    held: bool


class MarketOrder(Envelope, total=False):
    """``marketorder``. type: BUY (counter_volume) or SELL (base_volume)."""

    base_volume: str
    counter_volume: str


class FillsAsked(TypedDict, total=False):
    """``listtrades``. since_ms and after_seq include their value, the others do not.

    Ascending from the lower bound, or the newest ``limit`` where there is none; newest first with ``before_ms`` or
    ``sort_desc``.
    """

    since_ms: int | None
    before_ms: int | None
    after_seq: int | None
    before_seq: int | None
    sort_desc: bool
    limit: int | None


class OrdersAsked(TypedDict, total=False):
    """``listorders``. pair "": all markets; created_before_ms: exclusive."""

    pair: str
    created_before_ms: int | None
    limit: int | None
