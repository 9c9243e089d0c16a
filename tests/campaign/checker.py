"""What must never happen, checked against the exchange's own truth after everything it does.

The checker knows every request the exchange received, every order and trade of its engine, the money in its ledger, and
(`campaign.records`) what the journal and the streams say. It never asks the gateway what it thinks. The first breach
ends the run. The numbers in its words name the invariant; here, at each request, order and trade:

INV-01 no order without a durable intent. INV-02 one order an intent, and one that was wanted. INV-03 one live order a
side and level. INV-04 own bid below own ask, no trade with ourselves. INV-05 post-only, on the grid, inside limits and
collar. INV-06 timestamp and ttl. INV-08 nothing that was called absent appears. INV-09 the owner's other orders are let
be. INV-10 worst-case position. INV-11 order value. INV-12 calls a minute. INV-27 no order before the account is opened.
At the end INV-28: quotes come back by themselves.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from campaign.loop import Process
from campaign.market import BASE, COUNTER, PAIR, PREFIX
from campaign.records import Records
from campaign.shown import names
from campaign.sources import REST_S, Sources
from lunomm.market.rules import Side
from lunomm.simulator.exchange import OWNER
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.visitor_orders import VisitorOrder

if TYPE_CHECKING:
    from campaign.world import World

CALLS_A_MINUTE = 280
"""Of one process; of all that use the key, what Luno allows."""

CALLS_OF_ALL = 280
COLLAR = Decimal("0.05")
REFERENCE_S = 75.0
"""How old the price may be that the gateway compares with: 60 s of its life, and the way."""

CONVERGE_S = 60.0
RESUMED_S = 10.0
"""From a halt's end to what the gateway publishes, what the quoter makes of that, and the order."""

ALIEN_S = 20.0
OFF_MID = Decimal("1.01")
ONE_SIDED = 10
INTENT = re.compile(r"[a-z0-9]+-[0-9]+-[AB][0-9]")


SIDE_WHY = re.compile(r'"side":"(?:BID|ASK)","why":"(\w+)","detail":"([^"]*)"')


class Violation(AssertionError):
    """An invariant was broken."""


def priced_out(quotes: str) -> bool:
    """Whether the quoter's newest word is that neither side has a price which can be meant."""
    sides = SIDE_WHY.findall(quotes)
    out = [why in ("MODEL", "PRICE_BOUNDS") or (why == "REFUSED" and "COLLAR" in detail) for why, detail in sides]
    # A side that was just filled, or has no room to the position's limit, says that instead.
    return any(out) and all(
        is_out or why in ("COOLDOWN", "POSITION_LIMIT") for is_out, (why, _) in zip(out, sides, strict=True)
    )


class Checker:
    """orders, fills, orphans: so far. accepted_by: client id -> whose order. share: of the account's worth to hold in
    base, as its opening says. injected_s: orphans of the world's own making, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[str] = []
        self.orders = self.fills = self.orphans = 0
        self.accepted_by: dict[str, Process] = {}
        self.injected_s: dict[str, float] = {}
        self.share: Decimal | None = None
        self.sources, self.records = Sources(self, world), Records(self, world)
        self._calls: dict[Process | None, deque[float]] = {}
        self._cancels: set[str] = set()
        self._mids: deque[tuple[float, Decimal]] = deque()
        self._aliens: deque[tuple[float, Decimal]] = deque()
        self._row: tuple[Side, set[str]] | None = None
        self._calm_s: float | None = None

    def broken(self, what: str) -> None:
        """The run ends here."""
        self.guard(what)
        raise Violation(what)

    def guard(self, what: str) -> None:
        """The run ends as soon as this step is over: whose code is running must not have it raised into it."""
        self.world.trace("checker", f"BROKEN {what}")
        self.violations.append(what)
        self.world.loop.stop()

    @property
    def now_s(self) -> float:
        return self.world.loop.time()

    # --- orders at the exchange -------------------------------------------------------------------------------------

    def called(self, process: Process, path: str) -> None:
        now = self.now_s
        for who, most in ((process, CALLS_A_MINUTE), (None, CALLS_OF_ALL)):
            calls = self._calls.setdefault(who, deque())
            calls.append(now)
            while calls[0] <= now - 60.0:
                calls.popleft()
            if len(calls) > most:
                self.broken(f"INV-12: {len(calls)} calls of {who or 'all'} within a minute")

    def posted(self, process: Process, given: dict[str, str]) -> dict[str, str]:
        """A request for an order as it arrives; what the exchange is to look at."""
        world = self.world
        cid = given.get("client_order_id", "")
        if given.get("post_only") != "true" or given.get("pair") != PAIR:
            self.broken(f"INV-05: not post-only, or not of {PAIR}: {given}")
        if not given.get("timestamp") or not 1 <= int(given.get("ttl", 0)) <= 3_000:
            self.broken(f"INV-06: timestamp or ttl missing or too long: {given}")
        if not cid.startswith(PREFIX) or not INTENT.fullmatch(cid[len(PREFIX) :]):
            self.broken(f"INV-02: an order of no intent: {cid}")
        if cid[len(PREFIX) :] not in self.records.intents:
            self.broken(f"INV-02: nobody ever wanted {cid}")
        if cid not in world.disk.sent:
            self.broken(f"INV-01: {cid} was sent before its intent was durable")
        return given

    def refused(self, path: str, code: str) -> None:
        reach = self.world.faults.reach
        if code == "ErrOrderCanceled":
            reach("natural.post_only_miss")
        elif code == "ErrDeadlineExceeded":
            reach("natural.too_late")
        elif code == "ErrCannotStopUnknownOrNonPendingOrder":
            reach("natural.cancel_of_gone")

    def accepted(self, process: Process, given: Mapping[str, str], order_id: str) -> None:
        """The exchange has taken an order of ours."""
        self.orders += 1
        cid = given["client_order_id"]
        order = self.world.market.order(order_id)
        assert order is not None
        if cid in self.accepted_by:
            self.broken(f"INV-02: two orders for {cid}")
        if cid in self.records.ended:
            self.broken(f"INV-08: {cid} was accepted after the journal called it {self.records.ended[cid]}")
        self.accepted_by[cid] = process
        self._check_price(order, given)
        self._check_book(order)
        self._check_position(order)

    def _check_price(self, order: VisitorOrder, given: Mapping[str, str]) -> None:
        rules = self.world.market.rules
        price, size = Decimal(given["price"]), Decimal(given["volume"])
        if not rules.min_volume <= size <= rules.max_volume or not rules.min_price <= price <= rules.max_price:
            self.broken(f"INV-05: {size} at {price} is outside the market's limits")
        low, high = self._prices()
        if not low * (1 - COLLAR) <= price <= high * (1 + COLLAR):
            self.broken(f"INV-05: {price} is outside the collar around {low:.0f} to {high:.0f}")
        if price * size > (self.world.limits.max_order_value or price * size):
            self.broken(f"INV-11: {size} at {price} is worth too much")

    def _prices(self) -> tuple[Decimal, Decimal]:
        """Lowest and highest mid that the gateway may be looking at."""
        self.note_mid()
        mids = [mid for _, mid in self._mids]
        return min(mids), max(mids)

    def note_mid(self) -> None:
        mids, now, mid = self._mids, self.now_s, self.world.market.mid()
        if mid is not None and (not mids or mids[-1][1] != mid):
            mids.append((now, mid))
        while len(mids) > 1 and mids[1][0] < now - REFERENCE_S:
            mids.popleft()

    def _check_book(self, new: VisitorOrder) -> None:
        live = [o for o in self.world.market.live() if o.request.client_order_id not in self.injected_s]
        slots = Counter((o.request.side, o.request.client_order_id[-1]) for o in live)
        for (side, level), count in slots.items():
            if count > 1:
                self.broken(f"INV-03: {count} live {side.value} orders of level {level}: {names(live)}")
        bids = [o.request.price or 0 for o in live if o.request.side is Side.BID]
        asks = [o.request.price or 0 for o in live if o.request.side is Side.ASK]
        if bids and asks and max(bids) >= min(asks):
            self.broken(f"INV-04: own bid {max(bids)} at or above own ask {min(asks)}: {names(live)}")

    def _check_position(self, new: VisitorOrder) -> None:
        """Everything of ours that may still trade on this side, worst case, from the target."""
        market, limit = self.world.market, self.world.limits.max_position
        assert limit is not None
        total, money = market.total(BASE), market.total(COUNTER)
        low, high = self._prices()
        share = self.share
        if share is None:
            self.broken("INV-27: an order before the account was opened")
            return
        targets = [share * (total + money / price) for price in (low, high)]
        now = self.now_s
        # What others did is learnt from the stream, else by reads; where these fail too, it takes their time-outs.
        late_s = 40.0 if now - self.sources.rest_hurt_s < REST_S else 0.0
        while self._aliens and self._aliens[0][0] < now - ALIEN_S - late_s - self._user_bad_for():
            self._aliens.popleft()
        # Money that others moved a moment ago cannot be known yet, nor what its fee and a price off the mid did to the
        # target; the gateway's target lies on the lot step.
        slack = sum((abs(amount) for _, amount in self._aliens), Decimal(0)) * OFF_MID + market.rules.volume(1)
        scale = market.rules.volume_scale
        open_base = Decimal(0)
        for order in market.live():
            # An orphan of the world's own making is found by the next listing: how long it may rest is INV-01's.
            known = order.request.client_order_id not in self.injected_s
            if order.request.side is new.request.side and known:
                open_base += Decimal(order.request.lots - order.filled_lots).scaleb(-scale)
        bid = new.request.side is Side.BID
        worst = total + open_base - min(targets) if bid else max(targets) - (total - open_base)
        if worst > limit + slack + max(targets) - min(targets):
            self.broken(
                f"INV-10: worst case {worst:.6f} off, limit {limit:f}, slack {slack:.6f}: {new.request.side.value}"
                f" {new.request.client_order_id}, total {total}, open {open_base}, target {min(targets):.6f} to"
                f" {max(targets):.6f}, share {share:.4f}"
            )

    def _user_bad_for(self) -> float:
        since = self.sources.bad.get("user")
        return 0.0 if since is None else self.now_s - since

    def cancel_sent(self, order_id: str) -> None:
        self._cancels.add(order_id)

    def cancel_asked(self, process: Process, order_id: str) -> None:
        order = self.world.market.order(order_id)
        if order is None:
            return
        cid = order.request.client_order_id
        if not cid.startswith(PREFIX):
            self.broken(f"INV-09: {process} cancels {order_id}, which is not ours")

    def frame(self, frame: MarketFrame) -> None:
        """Everything the engine does; each state of the book may be the one that a ticker or a tick shows."""
        self.note_mid()
        if not frame.trades:
            return
        market = self.world.market
        for trade in frame.trades:
            sides = [
                order
                for owner, order_id in ((trade.maker_owner, trade.maker_id), (trade.taker_owner, trade.taker_id))
                if owner == OWNER and (order := market.order(order_id)) is not None
            ]
            for order in sides:
                self.world.trace(
                    "trade",
                    f"{trade.sequence} {order.order_id} {order.request.side.value} {trade.lots} at {trade.price}",
                )
            ours = [order for order in sides if order.request.client_order_id.startswith(PREFIX)]
            if len(ours) == 2:
                self.broken(f"INV-04: we traded with ourselves: {names(ours)}")
            for order in ours:
                self.fills += 1
                if self._row is None or self._row[0] is not order.request.side:
                    self._row = (order.request.side, set())
                self._row[1].add(order.order_id)
                if order.order_id == trade.taker_id:
                    self.broken(f"INV-05: an order of ours took: {order.order_id}")
                if order.filled_lots < order.request.lots:
                    self.world.faults.reach("natural.partial_fill")
                if order.order_id in self._cancels:
                    self.world.faults.reach("natural.fill_while_cancelling")
            for order in sides:
                if order not in ours:
                    size = Decimal(trade.lots).scaleb(-market.rules.volume_scale)
                    self._aliens.append((self.now_s, size))

    def injected(self, cid: str, order_id: str) -> None:
        self.injected_s[cid] = self.now_s
        order = self.world.market.order(order_id)
        assert order is not None
        self._aliens.append((self.now_s, Decimal(order.request.lots).scaleb(-self.world.market.rules.volume_scale)))

    # --- the end ----------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        self._calm_s = self.now_s

    def converged(self) -> None:
        """After the calm: quotes are back, and everybody says the same."""
        world = self.world
        assert self._calm_s is not None
        journal = world.disk.journal()
        if journal is None:
            self.broken("INV-28: no gateway ever got as far as its journal")
            return
        if self.records.halted or self.now_s - self.records.resumed_s < RESUMED_S:
            # For a good reason, or the run had ended there; the operator had not come yet, or only just.
            return
        if self._row is not None and len(self._row[1]) >= ONE_SIDED:
            # Its side rests for ten minutes, and the other may be at the position's limit: rightly no quotes.
            world.faults.reach("natural.one_sided")
            return
        if world.redis.server.state_of(f"LOB::{PAIR}") == "DOUBT":
            # A book that was late too often is not traded on for an hour; a person looks.
            world.faults.reach("natural.doubt")
            return
        if priced_out(str(world.redis.server._get(f"QUOTES::{PAIR}"))):
            # After jumps by a third: no price that covers such a risk is within 5 % of the market.
            world.faults.reach("natural.priced_out")
            return
        if not any(at > self._calm_s + CONVERGE_S for at in self.sources.quotes_at):
            for name in (
                f"QUOTES::{PAIR}",
                f"LOB::{PAIR}",
                f"ACCOUNT::{PAIR}",
                f"HEALTH::gateway::{PAIR}",
                f"ORDERS::{PAIR}",
            ):
                world.trace("redis", f"{name} {str(world.redis.server._get(name))[:4000]}")
            self.broken("INV-28: no quote rests in the second minute of calm")
