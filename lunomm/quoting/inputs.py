"""What the quoter is told about ourselves. `trading` makes these; they are bus messages.

Amounts are Decimal (base or counter as named), times exchange-clock Unix ms.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from lunomm.market.rules import Side
from lunomm.market.stamp import Stamped


class OrderState(enum.StrEnum):
    """Life of one order of ours; see ``trading/orders.py`` for the table."""

    INTENT = "INTENT"  # durable in the journal, not sent
    SENT = "SENT"  # POST under way
    UNKNOWN = "UNKNOWN"  # POST's outcome not known: counts as live
    WORKING = "WORKING"  # the venue has it (AWAITING or PENDING)
    CANCELLING = "CANCELLING"  # cancel asked, not yet confirmed by a read
    FILLED = "FILLED"  # terminal: wholly filled
    CANCELLED = "CANCELLED"  # terminal: left the book with a rest
    REJECTED = "REJECTED"  # terminal: the venue proved that no order exists
    DEAD = "DEAD"  # terminal: proven absent after timestamp + ttl + skew

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset((OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.DEAD))


class OrderView(Stamped, kw_only=True):
    """One field of the hash ORDERS::<pair> (keyed by intent id): a working or intended order.

    volume, filled: base. version: grows with each change of this order.
    """

    intent_id: str
    client_order_id: str
    order_id: str | None
    side: Side
    level: int
    price: Decimal
    volume: Decimal
    filled: Decimal
    state: OrderState
    created_ms: int
    updated_ms: int
    version: int = 0


class UpdateKind(enum.StrEnum):
    STATUS = "STATUS"
    FILL = "FILL"
    REFUSAL = "REFUSAL"
    BALANCE = "BALANCE"


class OrderUpdate(Stamped, kw_only=True):
    """ORDER_UPDATES: one event of one order (or a balance change), each once, in order of ``number``.

    kind FILL: last_volume (base), last_counter, last_fee_base, last_fee_counter are this event's; filled is cumulative.
    kind REFUSAL: code is the venue's or the limit's, message is cleaned text.
    kind BALANCE: asset, total, reserved.
    """

    number: int
    kind: UpdateKind
    ts_ms: int
    intent_id: str | None = None
    client_order_id: str | None = None
    order_id: str | None = None
    side: Side | None = None
    level: int | None = None
    price: Decimal | None = None
    volume: Decimal | None = None
    filled: Decimal | None = None
    state: OrderState | None = None
    last_volume: Decimal | None = None
    last_counter: Decimal | None = None
    last_fee_base: Decimal | None = None
    last_fee_counter: Decimal | None = None
    code: str | None = None
    message: str | None = None
    asset: str | None = None
    total: Decimal | None = None
    reserved: Decimal | None = None


class Fill(Stamped, kw_only=True):
    """FILLS::<pair>: one fill, exactly once, keyed by the venue's trade sequence (and side, for a self-trade).

    volume: base, counter: volume x price, both gross. Fees each in its own currency, negative for rebates.
    fair: the fair price we knew at the fill, None if none.
    """

    sequence: int
    intent_id: str | None
    client_order_id: str | None
    order_id: str
    side: Side
    price: Decimal
    volume: Decimal
    counter: Decimal
    fee_base: Decimal
    fee_counter: Decimal
    maker: bool
    ts_ms: int
    fair: float | None = None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One asset: total = reserved + free."""

    asset: str
    total: Decimal
    reserved: Decimal

    @property
    def free(self) -> Decimal:
        return self.total - self.reserved


class Pnl(msgspec.Struct, frozen=True, kw_only=True):
    """Profit since the opening, counter; total = spread + inventory - fees exactly (theory G).

    holding: of ``inventory``, what the opening position alone would have made; total - holding is what trading made.
    """

    total: Decimal
    spread: Decimal
    inventory: Decimal
    fees: Decimal
    holding: Decimal = Decimal(0)


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one limit is used. limit: None = none was given.

    name: ``position`` (base: the furthest from the target it can get by what rests and travels), ``order value``
    (counter: the largest open order), ``open value`` (counter: all open orders), ``loss today`` (counter: of all pairs
    in this currency, never negative).
    """

    name: str
    used: Decimal
    limit: Decimal | None = None


class Account(Stamped, kw_only=True):
    """ACCOUNT::<pair>: what we own and may do.

    position: base we hold in this pair (the base balance's total). opening: position at the first start.
    inventory_target: base we want to hold. max_position: base, largest |position - inventory_target| allowed.
    maker_fee, taker_fee: fractions. calls_used / calls_limit: in the last minute.
    fills: number since the journal began; traded_counter: their counter sum. mark: fair price used for pnl.
    quote_uptime: share of this gateway's time with a bid and an ask working, None before the first.
    quoter_epoch: the newest quoter the gateway believed; an older one is never believed again.
    limits: every limit with what is used of it, empty while that is not known.
    """

    ts_ms: int
    base: Balance
    counter: Balance
    position: Decimal
    opening: Decimal
    inventory_target: Decimal
    max_position: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    calls_used: int
    calls_limit: int
    pnl: Pnl | None = None
    mark: float | None = None
    fills: int = 0
    traded_counter: Decimal = Decimal(0)
    quote_uptime: float | None = None
    quoter_epoch: int | None = None
    halted: str | None = None
    limits: list[LimitUse] = []
