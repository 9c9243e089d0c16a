"""Orders, fills and flows as rows of the journal, and back (pure). Amounts are decimal text.

What makes one of a row raises ValueError, ArithmeticError or TypeError where the row cannot be understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState
from lunomm.trading.events import Flow
from lunomm.trading.orders import Amounts, Order


def order_row(o: Order) -> tuple[object, ...]:
    """The columns of ``schema.ORDERS``."""
    amounts = [
        format(value, "f")
        for part in (o.filled, o.booked)
        for value in (part.base, part.counter, part.fee_base, part.fee_counter)
    ]
    return (
        o.client_order_id, o.pair, o.intent_id, o.side.value, o.level, format(o.price, "f"), format(o.volume, "f"),
        o.state.value, o.order_id, o.code, int(o.orphan), o.created_ms, o.timestamp_ms, o.ttl_ms, o.updated_ms,
        o.version, *amounts,
    )  # fmt: skip


def order_of(r: Sequence[object]) -> Order:
    """Of a row of ``schema.ORDERS``."""
    amounts = [Decimal(str(value)) for value in r[16:24]]
    return Order(
        client_order_id=str(r[0]),
        pair=str(r[1]),
        intent_id=str(r[2]),
        side=Side(str(r[3])),
        level=whole(r[4]),
        price=Decimal(str(r[5])),
        volume=Decimal(str(r[6])),
        state=OrderState(str(r[7])),
        order_id=_text(r[8]),
        code=_text(r[9]),
        orphan=bool(r[10]),
        created_ms=whole(r[11]),
        timestamp_ms=whole(r[12]),
        ttl_ms=whole(r[13]),
        updated_ms=whole(r[14]),
        version=whole(r[15]),
        filled=Amounts(*amounts[:4]),
        booked=Amounts(*amounts[4:]),
    )


def fill_row(f: Fill) -> tuple[object, ...]:
    """The columns of ``schema.FILLS`` but its place."""
    return (
        f.pair, f.sequence, f.side.value, f.intent_id, f.client_order_id, f.order_id, format(f.price, "f"),
        format(f.volume, "f"), format(f.counter, "f"), format(f.fee_base, "f"), format(f.fee_counter, "f"),
        int(f.maker), f.ts_ms, None if f.fair is None else repr(f.fair),
    )  # fmt: skip


def fill_of(r: Sequence[object]) -> Fill:
    """Of a row of ``schema.FILLS``."""
    return Fill(
        pair=str(r[0]),
        sequence=whole(r[1]),
        side=Side(str(r[2])),
        intent_id=_text(r[3]),
        client_order_id=_text(r[4]),
        order_id=str(r[5]),
        price=Decimal(str(r[6])),
        volume=Decimal(str(r[7])),
        counter=Decimal(str(r[8])),
        fee_base=Decimal(str(r[9])),
        fee_counter=Decimal(str(r[10])),
        maker=bool(r[11]),
        ts_ms=whole(r[12]),
        fair=None if r[13] is None else float(str(r[13])),
    )


def flow_of(r: Sequence[object]) -> Flow:
    """Of a row of ``schema.FLOWS``."""
    return Flow(
        pair=str(r[0]),
        ref=str(r[1]),
        base=Decimal(str(r[2])),
        counter=Decimal(str(r[3])),
        ts_ms=whole(r[4]),
        mark=None if r[5] is None else Decimal(str(r[5])),
    )


def whole(value: object) -> int:
    """A column that holds a whole number."""
    if not isinstance(value, int):
        raise TypeError("not an integer")
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
