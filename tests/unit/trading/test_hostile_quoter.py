"""Ten thousand wanted states of a hostile quoter through the machine itself: nothing outside the limits is ever sent.

The venue here answers at random (acknowledged, lost, refused, filled in part), and a person resumes after every halt,
so that the machine cannot win by stopping. What is sent is judged by this test's own arithmetic, from the venue's side.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import replace
from decimal import Decimal as D

import pytest
from hostile import states
from trading_driver import PAIR, Driver, make, trade

from lunomm.market.rules import Side
from lunomm.trading import events as ev
from lunomm.trading import situation
from lunomm.trading.limits import Limits
from lunomm.trading.orders import Amounts, Order

MID = 300_000
MOST = {"position": D("0.012"), "order": D(2_900), "open": D(3_000)}
LIMITS = Limits(MOST["position"], MOST["order"], D(100_000), max_open_value=MOST["open"])
REFUSALS = (
    "ErrOrderCanceled",
    "ErrInsufficientBalance",
    "ErrVolumeTooLow",
    "ErrPriceDenominationNotAllowed",
    "NOT_SENT",
)


class Breach(Exception):
    """Something outside the limits was sent."""


class Venue:
    """The truth: what was accepted, what rests, what is held."""

    def __init__(self, seed: int) -> None:
        self.d: Driver = make(LIMITS).started()
        self.random = random.Random(seed)
        self.orders: dict[str, Order] = {}
        self.filled: dict[str, D] = {}
        self.resting: set[str] = set()
        self.rows: list[ev.VenueTrade] = []
        self.base, self.counter = D("0.1"), D(30_000)
        self.posts: deque[int] = deque()
        self.last: dict[Side, int] = {}
        self.counts: Counter[str] = Counter()

    # --- what a user was promised, in this test's own words ---

    def judge(self, order: Order) -> None:
        now, sign = self.d.mono_ns, order.side.sign
        assert order.pair == PAIR
        assert order.client_order_id not in self.orders, "an id is used once"
        assert order.price == int(order.price)
        assert order.volume == round(order.volume, 6)
        assert D("0.0001") <= order.volume <= 100
        assert abs(order.price - MID) <= MID * 5 // 100
        assert order.price * order.volume <= MOST["order"]
        assert (order.timestamp_ms, order.ttl_ms) == (self.d.exchange_ms, 3_000)
        resting = [self.orders[cid] for cid in self.resting]
        mine = [o for o in resting if o.side is order.side]
        assert not any((o.level, o.side) == (order.level, order.side) for o in mine), "one a slot"
        assert all(sign * order.price < sign * o.price for o in resting if o.side is not order.side), "our own side"
        left = order.volume + sum((o.volume - self.filled[o.client_order_id] for o in mine), D(0))
        target = situation.target(self.d.core.desks[PAIR])
        assert target is not None
        assert sign * (self.base - target) + left <= MOST["position"]
        assert (
            sum(o.price * (o.volume - self.filled.get(o.client_order_id, D(0))) for o in (*resting, order))
            <= MOST["open"]
        )
        assert now - self.last.get(order.side, -(10**12)) >= 500_000_000, "one a side in half a second"
        self.last[order.side] = now
        self.posts.append(now)
        while self.posts[0] <= now - 60_000_000_000:
            self.posts.popleft()
        assert len(self.posts) <= 60, "sixty a minute"
        assert self.d.core.shared.halted is None

    # --- answers ---

    def settle(self) -> None:
        """Answer everything that was asked, until nothing is."""
        d, r = self.d, self.random
        for _ in range(20):
            actions, d.actions = d.actions, []
            if not actions:
                return
            for action in actions:
                if isinstance(action, ev.Place):
                    self._post(action.order)
                elif isinstance(action, ev.Cancel):
                    if r.random() < 0.4:
                        self.resting.discard(action.client_order_id)
                    d.step(ev.CancelReturned(PAIR, action.client_order_id))
                elif isinstance(action, ev.ReadOrder):
                    d.step(ev.OrderRead(PAIR, action.client_order_id, self._seen(action.client_order_id)))
                elif isinstance(action, ev.ReadOpenOrders):
                    found = [self._seen(cid) for cid in self.resting]
                    d.step(ev.OpenOrdersRead(PAIR, tuple(o for o in found if o is not None)))
                elif isinstance(action, ev.ReadTrades):
                    d.step(ev.TradesRead(PAIR, tuple(self.rows[-50:])))
                elif isinstance(action, ev.ReadBalances):
                    self._balances()
                elif isinstance(action, ev.ReadReference):
                    d.step(ev.ReferenceRead(PAIR, D(MID)))
                elif isinstance(action, ev.ReadRules):
                    rules = d.core.desks[PAIR].rules
                    assert rules is not None
                    d.step(ev.RulesRead(PAIR, rules))
                elif isinstance(action, ev.ReadFees):
                    d.step(ev.FeesRead(PAIR, D(0), D(0)))
        raise AssertionError("never quiet")

    def _post(self, order: Order) -> None:
        try:
            self.judge(order)
        except AssertionError as error:
            raise Breach(str(error)) from error
        self.counts["posts"] += 1
        d, cid, luck = self.d, order.client_order_id, self.random.random()
        if luck < 0.25:
            d.step(ev.PostRejected(PAIR, cid, self.random.choice(REFUSALS)))
            return
        if luck < 0.9:
            self.orders[cid], self.filled[cid] = order, D(0)
            self.resting.add(cid)
        if luck < 0.8:
            d.step(ev.Posted(PAIR, cid, self._id(cid)))
        else:
            self.counts["unknown"] += 1
            d.step(ev.PostUnknown(PAIR, cid))

    def _id(self, cid: str) -> str:
        return f"BX{cid}"[-40:]

    def _seen(self, cid: str) -> ev.VenueOrder | None:
        order = self.orders.get(cid)
        if order is None:
            return None
        open_, base = cid in self.resting, self.filled[cid]
        return ev.VenueOrder(
            order_id=self._id(cid), client_order_id=cid, pair=PAIR, side=order.side, price=order.price,
            volume=order.volume, open=open_, filled=Amounts(base, base * order.price), created_ms=order.timestamp_ms,
            completed_ms=0 if open_ else order.timestamp_ms + 1,
        )  # fmt: skip

    def _balances(self) -> None:
        reserved = {Side.BID: D(0), Side.ASK: D(0)}
        for cid in self.resting:
            order = self.orders[cid]
            left = order.volume - self.filled[cid]
            reserved[order.side] += left if order.side is Side.ASK else left * order.price
        self.d.balances(str(self.base), str(self.counter), str(reserved[Side.ASK]), str(reserved[Side.BID]))

    def trade(self) -> None:
        """Somebody takes part of a resting order; the stream tells it most of the time."""
        cid = self.random.choice(sorted(self.resting))
        order = self.orders[cid]
        part = min(order.volume - self.filled[cid], D(self.random.randint(1, 40)) * D("0.0001"))
        self.filled[cid] += part
        self.base += order.side.sign * part
        self.counter -= order.side.sign * part * order.price
        if self.filled[cid] == order.volume:
            self.resting.discard(cid)
        row = trade(order, len(self.rows) + 1, str(part), order_id=self._id(cid), ts_ms=self.d.exchange_ms)
        self.rows.append(replace(row, client_order_id=cid))
        self.counts["trades"] += 1
        if self.random.random() < 0.9:
            total = self.filled[cid]
            self.d.step(
                ev.FillSeen(
                    PAIR, self._id(cid), cid, Amounts(total, total * order.price), Amounts(part, part * order.price)
                )
            )


@pytest.mark.parametrize(
    "broken",
    ["limits._grid", "limits._value", "limits._collar", "limits._position", "limits._open_value", "limits._own_side",
     "desk.SIDE_PACE_NS", "throttle.ORDERS_A_MINUTE"],
)  # fmt: skip
def test_the_judge_has_teeth(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one limit switched off, something outside of it is sent, and found."""
    worth = 0 if broken.endswith("_NS") else 10**6 if broken.endswith("_MINUTE") else lambda *_: None
    monkeypatch.setattr(f"lunomm.trading.{broken}", worth)
    if broken == "throttle.ORDERS_A_MINUTE":
        monkeypatch.setattr("lunomm.trading.desk.SIDE_PACE_NS", 600_000_000)
    with pytest.raises(Breach):
        for seed in range(1, 6):
            flood(seed, 2_000, sane=broken in ("throttle.ORDERS_A_MINUTE", "desk.SIDE_PACE_NS"))


@pytest.mark.parametrize(("seed", "count", "sane"), [(1, 7_000, False), (2, 3_000, True)])
def test_nothing_outside_the_limits_is_sent(seed: int, count: int, sane: bool) -> None:
    venue, halts = flood(seed, count, sane)
    assert venue.counts["posts"] > 100
    assert venue.counts["unknown"] > 5
    assert venue.counts["trades"] > 5
    if not sane:
        assert halts["BAD_QUOTES"] > 50
    assert not {"LIMIT_CHECK", "INTERNAL", "VENUE_CONTRADICTS"} & halts.keys(), halts
    # Quiet: the machine's account of everything is the venue's.
    d = venue.d
    d.epoch = 1_000_000
    d.want_nothing()
    for _ in range(60):
        d.pass_s(0.5, step=0.5)
        venue.settle()
    assert not venue.resting
    assert d.core.live() == []
    assert d.core.shared.balances.expected("XBT") == venue.base
    assert d.core.shared.balances.expected("MYR") == venue.counter


def flood(seed: int, count: int, sane: bool) -> tuple[Venue, Counter[str]]:
    """So many wanted states, and why it halted how often."""
    venue = Venue(seed)
    d = venue.d
    d.actions.clear()
    halts: Counter[str] = Counter()
    for n, message in enumerate(states(seed, count, MID, sane_only=sane)):
        leap = venue.random.choice((0, 1, 5, 20, 100, 300))
        d.mono_ns += leap * 1_000_000
        d.exchange_ms += leap
        pair = message.pair if message.pair in d.core.desks else PAIR
        # Every twentieth was written three seconds ago, or will be.
        message.ts_ms = d.exchange_ms + (0 if n % 20 else 3_000 if n % 40 else -3_000)
        meant = d.core.desks[pair].wanted.last()
        out = d.step(ev.QuotesSeen(pair, message))
        placed = {action.order.intent_id for action in out if isinstance(action, ev.Place)}
        assert n % 20 or placed <= {intent.id for intent in (meant.intents if meant is not None else ())}, "too old"
        venue.settle()
        if venue.resting and venue.random.random() < 0.1:
            venue.trade()
            venue.settle()
        if d.core.shared.halted is not None:
            halts[d.core.shared.halted.partition(":")[0]] += 1
            if not halts.total() % 2:
                # Sticky for a while: nothing is sent, whatever is wanted.
                d.quote()
                assert not d.take(ev.Place)
            d.step(ev.ResumeAsked(f"r{n}", PAIR, "ann@host"))
            venue.settle()
    return venue, halts
