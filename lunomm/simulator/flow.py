"""The house: everybody who is not a visitor, as a seeded sequence of actions on the matching engine (pure).

A latent mid walks without drift (``walk.py``). Every step (0.2 s) the touch follows it, ladders of resting orders stand
behind both sides of the touch, and some resting orders are replaced. Takers come:

- where the profile has a kappa (``theory``), as a Poisson process: an immediate-or-cancel order with a limit Exp(kappa)
  from the house's mid, just large enough to sweep everything up to the limit, visitors' orders included. One more maker
  appears at the limit itself in the same instant, so that the deepest fill *is* the limit, however coarse the ladder:
  then the arrivals that reach distance d from the mid are exactly Poisson with A exp(-kappa d) a side. A limit inside
  the spread finds nobody (an empty frame).
- else (look-alikes), in bursts: an order of a drawn size, which reaches a little behind the touch. Some takers know
  where the latent mid will be a while later, and take that side. A crowd (``crowd.py``) stands about them.

What was swept stands again in the same instant, so the mid does not bounce. When the latent mid moves through a
visitor's order, a taker takes that order first: a stale quote is picked off, as it would be.

Nothing a visitor does changes a random number: price path, taker times, sides and reaches are streams of their own, and
sizes are looked up by place and time, not drawn in turn. Time is only ever handed in.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

from lunomm.market.rules import Side
from lunomm.simulator import recorded
from lunomm.simulator.crowd import Crowd
from lunomm.simulator.draws import Draws
from lunomm.simulator.matching import Engine, TimeInForce
from lunomm.simulator.order_ids import OrderIds
from lunomm.simulator.profiles import Market, Profile
from lunomm.simulator.walk import STEP_S, Walk

_EVERYTHING = 2**62
"""More lots than any book holds."""

_SLACK = 8
"""Ladder levels added at once at the far end, and kept beyond the depth before they are pruned."""

_BID, _ASK = Side.BID, Side.ASK


class _Wall:
    """The house's own orders on one side: the touch, and ladder levels ``first..last`` counted outward.

    Prices are ``sign`` x ticks for asks (+1) and bids (-1) alike, so that larger is always further out.
    """

    __slots__ = ("first", "last", "levels", "side", "sign", "touch", "touch_id")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = -side.sign
        self.touch = 0
        self.touch_id = ""
        self.first = 0
        self.last = -1
        self.levels: dict[int, str] = {}


class Flow:
    """The house of one market.

    Args:
        engine: An empty book.
        walk: The latent mid's; it looks ahead as far as the profile's informed takers do.
        start_ns: The exchange's time at which the book is filled (by the first ``act``).
    """

    def __init__(
        self, profile: Profile, market: Market, engine: Engine, draws: Draws, walk: Walk, start_ns: int
    ) -> None:
        self.profile = profile
        self._market = market
        self.engine = engine
        self.takers = 0
        """Taker orders so far."""
        self._draws = draws
        self._walk = walk
        self._ids = OrderIds(draws.ids)
        rules = market.rules
        price = float(market.price) * 10.0**rules.price_scale
        self._gap = max(2, round(profile.gap * price))
        self._requote = profile.requote * price
        self._step_ns = round(STEP_S * 1e9)
        retail = rules.floor_lots(market.retail)
        least = max(1, rules.ceil_lots(rules.min_volume))

        def lots(median: float, deviation: float, normal: float) -> int:
            return max(least, round(retail * median * math.exp(deviation * normal)))

        self._lots = lots
        self._sizes = [lots(*profile.size, normal) for normal in draws.sizes]
        # A ladder of equal gaps would look like a ruler: each level stands a fixed fraction of a gap off its place.
        self._offsets = [int((self._gap - 1) * (0.5 + 0.5 * math.sin(12.9898 * k))) for k in range(1024)]
        self._latent = price
        self._quoted = -math.inf
        self._steps = 0
        self._bids = _Wall(_BID)
        self._asks = _Wall(_ASK)
        self._next_step = start_ns
        self._next_taker = start_ns + self._wait()
        self._crowd = Crowd(profile, engine, draws, retail, least, self._rest, self._id)
        self.next_ns = start_ns
        """Exchange time of the next action."""
        self._refreshes = profile.refresh_rate * STEP_S

    @property
    def mid_ticks(self) -> float:
        """The latent mid."""
        return self._latent

    def reopened(self, at_ms: int = 0, *, factor: float = 1.0) -> Flow:
        """The same flow over the same, now empty, book under its engine's new rules; the price goes on.

        Its deep book stays away: thousands of orders in one instant would be a flood to whoever listens.
        at_ms: not before then. factor: of the price, for a jump.
        """
        latent = Decimal(repr(self._latent * factor)).scaleb(-self._market.rules.price_scale)
        market = replace(self._market, rules=self.engine.rules, price=latent)
        start_ns = max(self.next_ns, at_ms * 1_000_000)
        return Flow(replace(self.profile, depth_beyond=(0, 0)), market, self.engine, self._draws, self._walk, start_ns)

    def act(self, now_ns: int) -> None:
        """Perform the action due at ``next_ns``, stamped with that time (``now_ns`` only says that it has come).

        Raises:
            ValueError: called before the action is due.
        """
        due = self.next_ns
        if now_ns < due:
            raise ValueError(f"next action is due at {due}, not at {now_ns}")
        now_ms = due // 1_000_000
        if due == self._next_step:
            self._next_step += self._step_ns
            self._step(due)
        elif due == self._next_taker:
            self._next_taker += self._wait()
            self._take(now_ms)
        else:
            self._crowd.act({_BID: self._bids.touch, _ASK: self._asks.touch}, self._latent)
        self.next_ns = min(self._next_step, self._next_taker, self._crowd.next_ns)

    def run_until(self, now_ns: int, limit: int) -> bool:
        """Up to ``limit`` due actions; whether none is left due."""
        for _ in range(limit):
            if self.next_ns > now_ns:
                return True
            self.act(now_ns)
        return self.next_ns > now_ns

    def repair(self, now_ms: int) -> None:
        """Put back what a visitor took from the house, in the same instant."""
        if self._steps:
            self._refill(self._bids, now_ms)
            self._refill(self._asks, now_ms)

    # --- the book --------------------------------------------------------------------------------------------------

    def _wait(self) -> int:
        share, after_s = self.profile.burst
        mean_s = after_s if share and self._draws.bursts.next() < share else self.profile.lone_gap_s
        return max(1, int(self._draws.waits.next() * mean_s * 1e9))

    def _size(self, place: int) -> int:
        return self._sizes[(place * 31 + self._steps * 17) & 4095]

    def _place(self, wall: _Wall, distance: int, lots: int, now_ms: int) -> str:
        """Rest a house order; whoever stands in its way (a visitor) is taken out first."""
        price = distance * wall.sign
        engine = self.engine
        if engine.would_trade(wall.side, price):
            self._sweep(wall.side, price, now_ms)
        return engine.place(now_ms, None, wall.side, price, lots, order_id=self._id()).order_id

    def _rest(self, side: Side, price: int, lots: int, now_ms: int) -> str:
        """As ``_place``, at a plain price."""
        return self._place(self._bids if side is _BID else self._asks, -side.sign * price, lots, now_ms)

    def _sweep(self, side: Side, price: int, now_ms: int) -> None:
        found = self.engine.fillable(side, price, _EVERYTHING)
        self.engine.place(
            now_ms, None, side, price, found or self._size(price), tif=TimeInForce.IOC, order_id=self._id()
        )

    def _id(self) -> str:
        order_id = self._ids.next()
        while order_id in self.engine.orders:
            order_id = self._ids.next()
        return order_id

    def _ladder(self, level: int) -> int:
        """Distance (sign x ticks) of ladder level ``level``."""
        return level * self._gap + self._offsets[level & 1023]

    def _step(self, due: int) -> None:
        now_ms = due // 1_000_000
        first = not self._steps
        self._steps += 1
        self._latent *= math.exp(self._walk.next())
        spreads = self.profile.half_spreads
        if first or abs(self._latent - self._quoted) >= self._requote:
            half = recorded.quantile(spreads, self._draws.spreads.next() if len(spreads) > 1 else 0.0) * self._latent
            width = max(1, round(2 * half))
            bid = max(1, round(self._latent - width / 2))
            if first:
                ladder_end = self.profile.depth * self._gap / self._latent
                self._crowd.open(due, {_BID: -bid, _ASK: bid + width}, ladder_end)
                for wall, touch in ((self._bids, -bid), (self._asks, bid + width)):
                    self._open(wall, touch, now_ms)
            else:
                moves = [(self._bids, -bid), (self._asks, bid + width)]
                # The side that backs off goes first: the house never meets itself.
                moves.sort(key=lambda move: move[1] <= move[0].touch)
                for wall, touch in moves:
                    self._move(wall, touch, now_ms)
            self._quoted = self._latent
        self._refresh(now_ms)

    def _open(self, wall: _Wall, touch: int, now_ms: int) -> None:
        wall.touch = touch
        wall.touch_id = self._place(wall, touch, self._size(0), now_ms)
        wall.first = touch // self._gap
        while self._ladder(wall.first) <= touch:
            wall.first += 1
        wall.last = wall.first - 1
        self._extend(wall, now_ms)

    def _extend(self, wall: _Wall, now_ms: int) -> None:
        """Keep the far end of the ladder where it should be, moving it seldom and by several levels."""
        count = wall.last - wall.first + 1
        if count < self.profile.depth:
            for level in range(wall.last + 1, wall.first + self.profile.depth + _SLACK):
                distance = self._ladder(level)
                if distance * wall.sign <= 0:
                    break
                wall.levels[level] = self._place(wall, distance, self._size(level), now_ms)
                wall.last = level
        elif count > self.profile.depth + 2 * _SLACK:
            for level in range(wall.first + self.profile.depth + _SLACK, wall.last + 1):
                self.engine.cancel(now_ms, wall.levels.pop(level))
            wall.last = wall.first + self.profile.depth + _SLACK - 1

    def _move(self, wall: _Wall, touch: int, now_ms: int) -> None:
        """Carry the touch to a new price: the new order first, then the old one goes, so no level flashes empty."""
        if touch == wall.touch:
            return
        engine = self.engine
        if touch > wall.touch:
            self._crowd.make_way(wall.side, touch, now_ms)
        while wall.first <= wall.last and self._ladder(wall.first) <= touch:
            engine.cancel(now_ms, wall.levels.pop(wall.first))
            wall.first += 1
        old, wall.touch = wall.touch_id, touch
        wall.touch_id = self._place(wall, touch, self._size(0), now_ms)
        engine.cancel(now_ms, old)
        while self._ladder(wall.first - 1) > touch:
            wall.first -= 1
            wall.levels[wall.first] = self._place(wall, self._ladder(wall.first), self._size(wall.first), now_ms)
        self._extend(wall, now_ms)

    def _refresh(self, now_ms: int) -> None:
        """Replace some resting orders by fresh ones at the same price, most of them near the touch."""
        draw = self._draws.refreshes.next
        count = int(self._refreshes) + (draw() < self._refreshes % 1)
        for _ in range(count):
            wall = self._bids if draw() < 0.5 else self._asks
            level = wall.first - 1 + int(-math.log1p(-draw()) * self.profile.nearness)
            if level > wall.last:
                continue
            if level < wall.first:
                old, wall.touch_id = wall.touch_id, self._place(wall, wall.touch, self._size(level), now_ms)
            else:
                old = wall.levels[level]
                wall.levels[level] = self._place(wall, self._ladder(level), self._size(level), now_ms)
            self.engine.cancel(now_ms, old)

    # --- takers ----------------------------------------------------------------------------------------------------

    def _take(self, now_ms: int) -> None:
        self.takers += 1
        buys = self._draws.coins.next() < 0.5
        if self.profile.informed and self._draws.informed.next() < self.profile.informed:
            buys = self._walk.ahead > 0
        reach = self._draws.reaches.next()
        wall = self._asks if buys else self._bids
        side = _BID if buys else _ASK
        if self.profile.kappa is None:
            price = max(1, (wall.touch + int(reach * self.profile.slip * self._latent)) * wall.sign)
            lots = self._lots(*self.profile.taker_size, self._draws.taker_sizes.next())
            self.engine.place(now_ms, None, side, price, lots, tif=TimeInForce.IOC, order_id=self._id())
        else:
            # Both distances as sign x ticks: the mid seen from this side, and the last tick that the limit allows.
            mid = (self._asks.touch - self._bids.touch) / 2 * wall.sign
            limit = math.floor(mid + reach * abs(mid) / self.profile.kappa)
            if limit > wall.touch and limit * wall.sign > 0:
                self._place(wall, limit, self._size(limit), now_ms)
            self._sweep(side, max(1, limit * wall.sign), now_ms)
        self._refill(wall, now_ms)

    def _refill(self, wall: _Wall, now_ms: int) -> None:
        """Restore the house's orders from the touch outward until one is found untouched."""
        orders = self.engine.orders
        missing = wall.touch_id not in orders
        if missing:
            wall.touch_id = self._place(wall, wall.touch, self._size(0), now_ms)
        for level in range(wall.first, wall.last + 1):
            if wall.levels[level] in orders:
                break
            wall.levels[level] = self._place(wall, self._ladder(level), self._size(level), now_ms)
