"""What is being found out about one order: reads and cancels under way, and the proof of its absence as it grows."""

from __future__ import annotations

from dataclasses import dataclass, field

from lunomm.trading.chores import SECOND, Chore
from lunomm.trading.orders import Order
from lunomm.trading.shared import Settings

AWAITING_NS = 5 * SECOND
"""How long an order may be with the venue and not in its book before it is taken back."""

REPEAT_NS = SECOND
"""Between two cancels of the same order, and between two lookups of an unknown one."""

LAGGING_NS = 10 * SECOND
"""How far a read may lag behind what was reported before; asked later than this, less filled contradicts it."""

LONGEST_WAY_NS = 60 * SECOND
"""No request is under way for longer. A timestamp by a clock that was ahead would keep an order unknown for as long as
the clock was wrong, up to days: then this has to do."""


@dataclass(slots=True)
class Track:
    """since_ns: own monotonic clock when the POST was made, or this process started, whichever is later.

    asked_late: the read under way was asked after the order's time to live and the skew. absences: such reads that
    found nothing; unlisted: such a listing without it; both are needed to call it DEAD. forgotten: reads that did not
    find an acknowledged order. awaiting_ns: since when the venue has it without putting it into the book; in_book: it
    was seen there; checked: asked about for want of either. duplicate: the venue refused its id as known. order_id:
    where the order itself is not held yet. grown_ns: when its fill last grew. outlawed: approved under a limit that is
    lower now; it leaves as soon as it can.
    """

    since_ns: int
    read: Chore = field(default_factory=Chore)
    cancel: Chore = field(default_factory=Chore)
    asked_late: bool = False
    absences: int = 0
    unlisted: bool = False
    forgotten: int = 0
    duplicate: bool = False
    awaiting_ns: int | None = None
    in_book: bool = False
    checked: bool = False
    order_id: str | None = None
    grown_ns: int = 0
    outlawed: bool = False

    def may_lag(self, asked_ns: int) -> bool:
        """Whether an answer to a question of then may not know the newest fill yet."""
        return asked_ns - max(self.grown_ns, self.since_ns) <= LAGGING_NS

    def placed_where(self, awaiting: bool, mono_ns: int) -> None:
        """A report says where the open order is."""
        if not awaiting:
            self.in_book, self.awaiting_ns = True, None
        elif not self.in_book and self.awaiting_ns is None:
            self.awaiting_ns = mono_ns
            # Its way into the book may be reported to nobody: look once more before taking it back.
            self.read.want(mono_ns + AWAITING_NS - SECOND)

    def stuck(self, mono_ns: int) -> bool:
        return self.awaiting_ns is not None and mono_ns - self.awaiting_ns >= AWAITING_NS

    def is_late(self, order: Order, settings: Settings, mono_ns: int, exchange_ms: int) -> bool:
        """Whether the venue can no longer accept this order's POST, by both clocks."""
        if mono_ns > self.since_ns + LONGEST_WAY_NS:
            return True
        return (
            exchange_ms > order.timestamp_ms + order.ttl_ms + settings.skew_ms
            and mono_ns > self.since_ns + settings.ttl_ns + settings.skew_ns
        )
