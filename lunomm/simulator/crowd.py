"""The crowd of a look-alike market: the deep book, and the short-lived orders behind the touch (pure).

Nine in ten of the frames a real market sends are orders placed somewhere behind the touch and gone a second later. Here
they come as a renewal process (gaps Erlang-2: programs act more evenly than chance), each with a side, a distance from
the touch of that side, a size and a life drawn from the recorded quantiles, scaled by the profile. The touch itself is
not theirs: an order the touch moves away from is withdrawn, so the crowd never narrows the spread or meets the house.

The deep book is thousands of orders that stand still until the touch comes to them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lunomm.market.events import BookOrder, BookSnapshot
from lunomm.market.rules import Side
from lunomm.simulator import recorded
from lunomm.simulator.draws import Draws
from lunomm.simulator.matching import Engine
from lunomm.simulator.profiles import Profile

Place = Callable[[Side, int, int, int], str]
"""(side, ticks, lots, now_ms) -> id: rest an order of the house."""

_NEVER = 2**63

_LIVES_S = (*recorded.LIVES_S, 250.0, 600.0)
"""The longest twentieth lives up to ten minutes: assumed, the recording saw four."""

_HASTE = 1.15
"""The recorded lives are everybody's; touch and ladder live longer than most, so the crowd lives a little less."""

_ROUND_BEYOND = 0.05
"""People who place orders this far away name round prices (three digits)."""


class _Standing(NamedTuple):
    distance: int
    order_id: str


class Crowd:
    """One market's crowd.

    Args:
        retail, least: Lots of a retail order, and of the smallest that the market accepts.
        place: How an order of the house rests. new_id: Ids of the deep book.
    """

    def __init__(
        self,
        profile: Profile,
        engine: Engine,
        draws: Draws,
        retail: int,
        least: int,
        place: Place,
        new_id: Callable[[], str],
    ) -> None:
        self._profile = profile
        self._engine = engine
        self._draws = draws
        self._retail = retail
        self._least = least
        self._place = place
        self._new_id = new_id
        self._gap_ns = 1e9 / profile.crowd_rate if profile.crowd_rate else 0.0
        self._next_create = _NEVER
        self._ends: list[tuple[int, int, Side, str]] = []
        """(when, number, side, order): a heap of the orders' ends; the number keeps ties in order of birth."""
        self._born = 0
        self._standing: dict[Side, dict[str, int]] = {Side.BID: {}, Side.ASK: {}}
        """Distance (sign x ticks, larger further out) of each order."""
        self._deep: dict[Side, list[_Standing]] = {Side.BID: [], Side.ASK: []}
        """Furthest first."""
        self.next_ns = _NEVER
        """Exchange time of the crowd's next action."""

    def open(self, now_ns: int, touches: dict[Side, int], ladder_end: float) -> None:
        """Load the deep book, beyond ``ladder_end`` (fraction of the price), into an empty engine; start the clock."""
        if self._profile.depth_beyond != (0, 0) and not self._engine.orders:
            rows = {
                side: self._deep_rows(side, touches[side], ladder_end, count)
                for side, count in zip((Side.BID, Side.ASK), self._profile.depth_beyond, strict=True)
            }
            engine = self._engine
            book = BookSnapshot(engine.sequence, rows[Side.BID], rows[Side.ASK], engine.status, now_ns)
            engine.load(book)
            for side, orders in rows.items():
                self._deep[side] = [_Standing(-side.sign * order.price, order.order_id) for order in reversed(orders)]
        if self._gap_ns:
            self._next_create = now_ns + self._gap()
            self.next_ns = self._next_create

    def act(self, touches: dict[Side, int], latent: float) -> None:
        """Perform what is due at ``next_ns``. touches: sign x ticks of either side."""
        due = self.next_ns
        if due == self._next_create:
            self._next_create = due + self._gap()
            self._create(due, touches, latent)
        else:
            _, _, side, order_id = heapq.heappop(self._ends)
            if self._standing[side].pop(order_id, None) is not None:
                self._engine.cancel(due // 1_000_000, order_id)
        ends = self._ends
        self.next_ns = ends[0][0] if ends and ends[0][0] < self._next_create else self._next_create

    def make_way(self, side: Side, touch: int, now_ms: int) -> None:
        """Withdraw what would stand before a touch that moves out to ``touch`` (sign x ticks)."""
        standing = self._standing[side]
        for order_id in [order_id for order_id, distance in standing.items() if distance < touch]:
            del standing[order_id]
            self._engine.cancel(now_ms, order_id)
        deep = self._deep[side]
        while deep and deep[-1].distance <= touch:
            self._engine.cancel(now_ms, deep.pop().order_id)

    def _gap(self) -> int:
        return max(1, int(self._draws.crowd_gaps.next() * self._gap_ns))

    def _create(self, due: int, touches: dict[Side, int], latent: float) -> None:
        draw = self._draws.crowd.next
        side = Side.BID if draw() < 0.5 else Side.ASK
        away = recorded.quantile(recorded.DISTANCES, draw()) * self._profile.distance_scale
        size = recorded.quantile(recorded.LOTS, draw()) / recorded.RETAIL_LOTS
        life_s = recorded.quantile(_LIVES_S, draw() ** _HASTE) * self._profile.life_scale
        distance = touches[side] + int(away * latent)
        price = -side.sign * distance
        if price <= 0:
            return
        lots = max(self._least, round(size * self._retail))
        order_id = self._place(side, price, lots, due // 1_000_000)
        self._standing[side][order_id] = distance
        self._born += 1
        heapq.heappush(self._ends, (due + max(1, int(life_s * 1e9)), self._born, side, order_id))

    def _deep_rows(self, side: Side, touch: int, ladder_end: float, count: int) -> tuple[BookOrder, ...]:
        away = recorded.BID_DEEP if side is Side.BID else recorded.ASK_DEEP
        sizes = recorded.BID_DEEP_LOTS if side is Side.BID else recorded.ASK_DEEP_LOTS
        best = abs(touch)
        rows: list[BookOrder] = []
        grid = np.linspace(0.0, 1.0, len(away))
        share, rank = self._draws.deep.random((2, count))
        distances, lots_each = ladder_end + np.interp(share, grid, away), np.interp(rank, grid, sizes)
        for distance, size in zip(distances.tolist(), lots_each.tolist(), strict=True):
            price = round(best * (1 - side.sign * distance))
            if distance > _ROUND_BEYOND and price > 1000:
                unit = 10 ** (len(str(price)) - 3)
                price = price // unit * unit
            lots = max(self._least, round(size / recorded.RETAIL_LOTS * self._retail))
            rows.append(BookOrder(self._new_id(), max(1, price), lots))
        rows.sort(key=lambda row: -side.sign * row.price)
        return tuple(rows)
