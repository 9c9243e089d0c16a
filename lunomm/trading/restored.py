"""What the journal hands back at a start."""

from __future__ import annotations

from dataclasses import dataclass, field

from lunomm.quoting.inputs import Fill
from lunomm.trading.events import Flow
from lunomm.trading.orders import Order


@dataclass(frozen=True, slots=True)
class RestoredPair:
    """One pair's record.

    orders: those that may be live, whose fills are not all booked, or that ended a short while ago. used: every intent
    id ever journaled. entries: fills and flows in the order they were booked. notes: durable facts by name.
    """

    orders: tuple[Order, ...] = ()
    used: frozenset[str] = frozenset()
    entries: tuple[Fill | Flow, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """The whole record.

    Notes: the account's own facts. number: of the last ORDER_UPDATES message. halt: reason, or None.
    """

    pairs: dict[str, RestoredPair] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    number: int = 0
    halt: str | None = None
