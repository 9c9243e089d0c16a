"""What a session's quoter attended to, replayed: it looks when it looked, at the same pictures, knowing as much (pure).

A recorded session knows each of its quoter's looks (`quoting.looks`): the tick it was of, and the last order update
heard by then. Laid beside the journal's own times they also tell how long each word of the gateway took to the quoter,
and each new quote to the gateway. Between two looks the market may move as it likes; whether a quoter wakes within two
milliseconds of a sweep is chance, and only the session knows how it fell.

What is decided at a look is not taken from the session: it is the replay's own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import itemgetter
from typing import Final

import msgspec

from lunomm.market.clock import Now
from lunomm.market.records import Params, Tick
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, OrderUpdate
from lunomm.quoting.looks import Look, Looks, counter_of
from lunomm.trading.orders import Order
from lunomm.trading.working import RATE_LIMITED

MS: Final = 1_000_000


class Delays:
    """How long something took, over time. Args: rows: when it began and how long it took, ns."""

    def __init__(self, rows: Iterable[tuple[int, int]]) -> None:
        self._rows = sorted(rows)

    def at(self, ns: int) -> int:
        """What took the last one that began by then; before the first, what that took; 0 where there is none."""
        if not self._rows:
            return 0
        return self._rows[max(bisect_right(self._rows, ns, key=itemgetter(0)) - 1, 0)][1]

    @property
    def median(self) -> int | None:
        took = sorted(delay for _, delay in self._rows)
        return took[len(took) // 2] if took else None


class Limited:
    """Which of a session's orders were turned away because too many calls had been made by then.

    An order of the replay fares as the nearest one of its side: who else used up the account's calls is not known.
    """

    def __init__(self, orders: Iterable[Order]) -> None:
        self._sent: dict[Side, list[tuple[int, bool]]] = {side: [] for side in Side}
        for order in orders:
            self._sent[order.side].append((order.created_ms * MS, order.code == RATE_LIMITED))
        for rows in self._sent.values():
            rows.sort()

    def at(self, side: Side, ns: int) -> bool:
        rows = self._sent[side]
        i = bisect_left(rows, ns, key=itemgetter(0))
        return min(rows[max(i - 1, 0) : i + 1], key=lambda row: abs(row[0] - ns), default=(0, False))[1]


@dataclass(frozen=True)
class Attention:
    """One quoter's looks, in order, exchange ns.

    params: calibrations, from when on it had them. gaps: stretches without a record. hears: from the gateway's word to
    the quoter. reaches: from the look at which a quote was made to the gateway's first move for it. limited: what was
    not let through.
    """

    looks: tuple[Look, ...]
    params: tuple[tuple[int, Params], ...]
    gaps: tuple[tuple[int, int], ...]
    hears: Delays
    reaches: Delays
    limited: Limited

    def covers(self, ns: int) -> bool:
        """Whether the record says when the quoter looked next."""
        if not self.looks or ns > self.looks[-1].at_ns:
            return False
        return not any(begin < ns < end for begin, end in self.gaps)

    @property
    def quoted_from_ns(self) -> int | None:
        """When it first wanted anything."""
        return next((look.at_ns for look in self.looks if look.made), None)


def attention_of(
    messages: Iterable[Looks], epoch_ms: int, orders: Sequence[Order], updates: Iterable[OrderUpdate]
) -> Attention | None:
    """What the quoter of that start attended to; None where nobody recorded it."""
    told = sorted((m for m in messages if m.epoch == epoch_ms and m.looks), key=lambda m: m.number)
    if not told:
        return None
    gaps = [
        (before.looks[-1].at_ns, after.looks[0].at_ns)
        for before, after in pairwise(told)
        if after.number != before.number + 1
    ]
    looks = sorted((look for message in told for look in message.looks), key=lambda look: look.at_ns)
    known = list(updates)
    return Attention(
        tuple(looks),
        tuple((m.params_ns, m.params) for m in told if m.params is not None),
        tuple(gaps),
        Delays(_heard(looks, known)),
        Delays(_reached(looks, orders, known)),
        Limited(orders),
    )


def _heard(looks: Sequence[Look], updates: Iterable[OrderUpdate]) -> list[tuple[int, int]]:
    rows = []
    for update in updates:
        i = bisect_left(looks, update.number, key=lambda look: look.heard)
        if 0 < i < len(looks):
            said_ns = update.ts_ms * MS
            rows.append((said_ns, max(0, looks[i].at_ns - said_ns)))
    return rows


def _reached(looks: Sequence[Look], orders: Sequence[Order], updates: Iterable[OrderUpdate]) -> list[tuple[int, int]]:
    """The gateway's first move for a new quote is to cancel the order in its place, or else to place it."""
    cancelled = {
        update.client_order_id: update.ts_ms * MS for update in updates if update.state is OrderState.CANCELLING
    }
    rows = []
    last: dict[tuple[str, int], Order] = {}
    for order in sorted(orders, key=lambda order: order.created_ms):
        slot = (order.side.value, order.level)
        before, last[slot] = last.get(slot), order
        i = bisect_left(looks, counter_of(order.intent_id), key=lambda look: look.made)
        if i == len(looks):
            continue
        made_ns = looks[i].at_ns
        moved_ns = order.created_ms * MS
        if before is not None and (gone_ns := cancelled.get(before.client_order_id, 0)) >= made_ns // MS * MS:
            moved_ns = min(moved_ns, gone_ns)
        rows.append((made_ns, max(0, moved_ns - made_ns)))
    return rows


class Attending:
    """The looks gone through once.

    Args:
        draw: the market as it stands now.
    """

    def __init__(self, attention: Attention, draw: Callable[[Now], Tick]) -> None:
        self.attention = attention
        self._draw = draw
        self._next = self._calibrated = 0
        self._sequence: int | None = None
        self._kept: deque[tuple[int, Tick]] = deque()

    @property
    def next_ns(self) -> int | None:
        """When the quoter looks next, our clock."""
        looks = self.attention.looks
        return looks[self._next].at_ns if self._next < len(looks) else None

    def due(self, now_ns: int) -> Look | None:
        """A look that is due by now, each once."""
        looks = self.attention.looks
        if self._next == len(looks) or looks[self._next].at_ns > now_ns:
            return None
        look = looks[self._next]
        self._next += 1
        self._sequence = look.sequence
        return look

    def calibration(self, now_ns: int) -> Params | None:
        """The newest one that is news by now."""
        found = None
        while self._calibrated < len(self.attention.params) and self.attention.params[self._calibrated][0] <= now_ns:
            found = self.attention.params[self._calibrated][1]
            self._calibrated += 1
        return found

    def before(self, sequence: int, now_ns: int) -> None:
        """A frame is here, and not applied yet: a look to come may still be of the market without it."""
        to_come = islice(self.attention.looks, self._next, None)
        wanted = next((look.sequence for look in to_come if look.sequence is not None), sequence)
        if wanted < sequence:
            self._kept.append((sequence, self._draw(Now(now_ns, now_ns))))

    def picture(self, now: Now) -> Tick:
        """The market as the last look had it."""
        seen = self._sequence
        if seen is None or not self.attention.covers(now.exchange_ns):
            return self._draw(now)
        while self._kept and self._kept[0][0] <= seen:
            self._kept.popleft()
        # A copy: what a lane shows in it is of one look.
        return msgspec.structs.replace(self._kept[0][1]) if self._kept else self._draw(now)
