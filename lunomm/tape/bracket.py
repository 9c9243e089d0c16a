"""What our resting orders would have been filled under two cruder rules, beside what the queue gave them (pure).

Counted for the same orders, while they rested in the paper venue, in lots made (not taken):

- *pessimistic*, strict trade-through: only what the market traded, or brought to rest, strictly beyond our price.
- *queue*: the paper venue's own fills.
- *optimistic*, at touch: the whole order, as soon as anything trades at our price or beyond it.

For every order, at any time, pessimistic <= queue <= optimistic: what trades beyond our price had to pass us, and
nothing reaches us without a trade at our price. How wide the bracket is says how much a simulator without queues would
have had to guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from lunomm.market.rules import Side


@dataclass(slots=True)
class Bracket:
    """One order of ours that rested. price: ticks; lots: what came to rest; the three: lots filled by then.

    gaps: breaks of the stream it rested through: what traded in them is unknown to all three. rested_ms, ended_ms:
    exchange time, Unix ms; ended_ms is None while it rests.
    """

    order_id: str
    side: Side
    price: int
    lots: int
    rested_ms: int
    pessimistic: int = 0
    queue: int = 0
    optimistic: int = 0
    gaps: int = 0
    ended_ms: int | None = None

    def touched(self, beyond: int) -> None:
        """The market traded at our price; ``beyond``: lots past it that no other order of ours got."""
        self.optimistic = self.lots
        self.pessimistic = min(self.lots, self.pessimistic + max(0, beyond))


class BracketSum(NamedTuple):
    """Lots over many orders of one market. uncertain: orders that rested through a gap."""

    orders: int
    lots: int
    pessimistic: int
    queue: int
    optimistic: int
    uncertain: int


KEPT = 10_000
"""Orders of one market that are kept one by one; of those that ended before them the sum is known."""


class Brackets(dict[str, Bracket]):
    """Those of one market by order id, the oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        super().__init__()
        self._kept = kept
        self._folded = BracketSum(0, 0, 0, 0, 0, 0)

    def put(self, bracket: Bracket) -> None:
        self[bracket.order_id] = bracket
        if len(self) >= 2 * self._kept:
            over = [row for row in self.values() if row.ended_ms is not None][: self._kept]
            self._folded = _plus(self._folded, bracket_sum(over))
            for row in over:
                del self[row.order_id]

    def sum(self) -> BracketSum:
        """Of all there ever were."""
        return _plus(self._folded, bracket_sum(self.values()))


def _plus(one: BracketSum, other: BracketSum) -> BracketSum:
    return BracketSum(*map(add, one, other))


def bracket_sum(brackets: Iterable[Bracket]) -> BracketSum:
    rows = list(brackets)
    return BracketSum(
        len(rows),
        sum(row.lots for row in rows),
        sum(row.pessimistic for row in rows),
        sum(row.queue for row in rows),
        sum(row.optimistic for row in rows),
        sum(row.gaps > 0 for row in rows),
    )


class Counts(NamedTuple):
    """What happened in one market. fills: of ours as maker; taken: as taker; crossings: fills as maker by an order that
    came to rest across us; gaps: breaks while an order of ours rested; uncertain: orders of ours that rested through
    one."""

    fills: int = 0
    taken: int = 0
    crossings: int = 0
    gaps: int = 0
    uncertain: int = 0
