"""A session beside its replay: which orders and fills are the same, and why others are not (pure).

An order of the replay is the session's when it is of the same side and level and was placed within two seconds of it,
nearest first; how far the prices are apart is told beside. A fill has a partner when both are of one side, within a
second on the exchange's clock (several fills of one order in that time count as one), a basis point and a tenth of the
volume; how many are the same to the digit is told beside. A fill without a partner is listed with the cause, as far as
the records show it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.orders import Order

APART_MS: Final = 2_000
FILL_APART_MS: Final = 1_000
FILL_APART: Final = Decimal("0.0001")
"""Of the price."""

VOLUME_APART: Final = Decimal("0.1")


class Grade(enum.StrEnum):
    """A: at least 95 % of the orders both ways and every fill. B: 90 % of both. C: 75 % of both. D: less."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True)
class Matched:
    """One order of the session and the replay's for it. late_ms: replay's minus session's time."""

    real: Order
    simulated: Order

    @property
    def late_ms(self) -> int:
        return self.simulated.created_ms - self.real.created_ms

    @property
    def apart(self) -> Decimal:
        """Prices, counter."""
        return abs(self.simulated.price - self.real.price)


@dataclass(frozen=True)
class Traded:
    """What one order traded in one moment. base, price: as booked."""

    side: Side
    price: Decimal
    base: Decimal
    ts_ms: int
    client_order_id: str


@dataclass(frozen=True)
class Unmatched:
    """A fill without a partner. where: ``session`` or ``replay``."""

    where: str
    fill: Traded
    cause: str


@dataclass(frozen=True, kw_only=True)
class Parity:
    """precision: share of the replay's orders that the session has; recall: of the session's that the replay has; the
    same of fills. None: there were none."""

    matched: tuple[Matched, ...]
    real_orders: int
    simulated_orders: int
    real_fills: int
    simulated_fills: int
    matched_fills: int
    exact_fills: int
    unmatched: tuple[Unmatched, ...]

    @property
    def precision(self) -> float | None:
        return len(self.matched) / self.simulated_orders if self.simulated_orders else None

    @property
    def recall(self) -> float | None:
        return len(self.matched) / self.real_orders if self.real_orders else None

    @property
    def fill_precision(self) -> float | None:
        return self.matched_fills / self.simulated_fills if self.simulated_fills else None

    @property
    def fill_recall(self) -> float | None:
        return self.matched_fills / self.real_fills if self.real_fills else None

    @property
    def same_price(self) -> float | None:
        """Share of the matched orders at the very same price."""
        return sum(not each.apart for each in self.matched) / len(self.matched) if self.matched else None

    @property
    def furthest(self) -> Decimal | None:
        """Largest difference of a price, counter."""
        return max((each.apart for each in self.matched), default=None)

    @property
    def grade(self) -> Grade:
        orders = min(self.precision or 0.0, self.recall or 0.0)
        fills = [share for share in (self.fill_precision, self.fill_recall) if share is not None]
        filled = min(fills, default=1.0)
        if orders >= 0.95 and filled == 1.0:
            return Grade.A
        least = min(orders, filled)
        return Grade.B if least >= 0.9 else Grade.C if least >= 0.75 else Grade.D


def compare(
    real: Sequence[Order],
    simulated: Sequence[Order],
    real_fills: Iterable[Fill],
    simulated_fills: Iterable[Fill],
    lost: Sequence[tuple[int, int]] = (),
) -> Parity:
    """Args: orders that reached the venue, by time. lost: stretches in which the tape knew nothing, Unix ms."""
    matched = _orders(real, simulated)
    ours, theirs = _moments(real_fills), _moments(simulated_fills)
    partner_of: dict[str, Matched] = {}
    for each in matched:
        partner_of[each.real.client_order_id] = partner_of[f"~{each.simulated.client_order_id}"] = each
    unmatched: list[Unmatched] = []
    free = list(theirs)
    same = exact = 0
    for fill in ours:
        twin = min(
            (other for other in free if _same(fill, other)),
            key=lambda other: abs(other.ts_ms - fill.ts_ms),
            default=None,
        )
        if twin is not None:
            free.remove(twin)
            same += 1
            exact += (twin.price, twin.base) == (fill.price, fill.base)
            continue
        pair = partner_of.get(fill.client_order_id)
        cause = _cause(fill, pair, None if pair is None else pair.simulated, theirs, "replay", lost)
        unmatched.append(Unmatched("session", fill, cause))
    for fill in free:
        pair = partner_of.get(f"~{fill.client_order_id}")
        cause = _cause(fill, pair, None if pair is None else pair.real, ours, "session", lost)
        unmatched.append(Unmatched("replay", fill, cause))
    return Parity(
        matched=tuple(matched),
        real_orders=len(real),
        simulated_orders=len(simulated),
        real_fills=len(ours),
        simulated_fills=len(theirs),
        matched_fills=same,
        exact_fills=exact,
        unmatched=tuple(sorted(unmatched, key=lambda one: (one.fill.ts_ms, one.where))),
    )


def _orders(real: Sequence[Order], simulated: Sequence[Order]) -> list[Matched]:
    """Nearest in time first, each once."""
    pairs = [
        (abs(other.created_ms - order.created_ms), order.price != other.price, i, j)
        for i, order in enumerate(real)
        for j, other in enumerate(simulated)
        if (order.side, order.level) == (other.side, other.level)
        and abs(other.created_ms - order.created_ms) <= APART_MS
    ]
    used_real: set[int] = set()
    used_simulated: set[int] = set()
    found = []
    for _, _, i, j in sorted(pairs):
        if i not in used_real and j not in used_simulated:
            used_real.add(i)
            used_simulated.add(j)
            found.append((i, Matched(real[i], simulated[j])))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _moments(fills: Iterable[Fill]) -> list[Traded]:
    """Fills of one order at one price within a moment are one: a taker's sweep may be told in parts."""
    found: list[Traded] = []
    for fill in sorted(fills, key=lambda fill: (fill.ts_ms, fill.sequence)):
        name = fill.client_order_id or fill.order_id
        last = found[-1] if found else None
        if last is not None and last.client_order_id == name and fill.ts_ms - last.ts_ms <= FILL_APART_MS:
            found[-1] = Traded(last.side, last.price, last.base + fill.volume, last.ts_ms, name)
        else:
            found.append(Traded(fill.side, fill.price, fill.volume, fill.ts_ms, name))
    return found


def _same(one: Traded, other: Traded) -> bool:
    near = one.side is other.side and abs(one.ts_ms - other.ts_ms) <= FILL_APART_MS
    prices = abs(one.price - other.price) <= FILL_APART * one.price
    return near and prices and abs(one.base - other.base) <= VOLUME_APART * one.base


def _cause(
    fill: Traded,
    pair: Matched | None,
    partner: Order | None,
    others: Sequence[Traded],
    there: str,
    lost: Sequence[tuple[int, int]],
) -> str:
    """Why the other side has no such fill."""
    if any(begin <= fill.ts_ms <= end for begin, end in lost):
        return "the tape knew nothing of the market then"
    if pair is None or partner is None:
        return f"the {there} placed no such order"
    if pair.apart:
        return f"the {there}'s order stood at another price, {partner.price:f}"
    theirs = [other for other in others if other.client_order_id == partner.client_order_id]
    if theirs:
        amounts = ", ".join(f"{other.base:f} after {other.ts_ms - fill.ts_ms} ms" for other in theirs[:3])
        return f"the {there}'s order traded otherwise: {amounts}"
    if pair.real.volume != pair.simulated.volume:
        return f"the {there}'s order was of another size, {partner.volume:f}"
    return f"the {there}'s order, placed {pair.late_ms} ms apart, was not reached: its queue or its life were others"
