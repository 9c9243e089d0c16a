"""The exchange of the world: the simulator's own, one market under a light seeded flow, and who else trades there.

The account's owner also places orders by hand (aliens to the gateway), other hands cancel ours, the price jumps. The
checker is told of everything that the exchange accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from campaign.loop import Process
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator import profiles
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.calls import CALLS, Request
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import OWNER, Exchange, Setting
from lunomm.simulator.flow import Flow
from lunomm.simulator.history import past_hour
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.parameters import Parameters
from lunomm.simulator.profiles import Profile
from lunomm.simulator.refusals import VenueError
from lunomm.simulator.reply_style import error_json, reply_json
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue
from lunomm.simulator.visitor_orders import VisitorOrder
from lunomm.simulator.walk import Walk

if TYPE_CHECKING:
    from campaign.world import World

PAIR = "XBTMYR"
BASE, COUNTER = "XBT", "MYR"
PREFIX = f"lm1-{PAIR}-"
BATCH = 10_000

LIGHT = Profile(
    name="campaign",
    title="few frames, many takers that reach the quotes",
    source="made for these runs",
    kappa=400.0,
    intensity=0.35,
    taker_rate=0.7,
    half_spreads=(3e-4,),
    requote=2e-4,
    gap=20e-4,
    depth=4,
    refresh_rate=0.1,
    nearness=2.0,
    size=(0.5, 0.6),
)

_BY_PATH = {(call.method, call.path): call for call in CALLS}


class MarketPlace:
    """One exchange and what is done to it."""

    def __init__(self, world: World, seed: int, behaviour: Behaviour) -> None:
        self.world = world
        self.behaviour = behaviour
        listed = profiles.CATALOGUE[PAIR]
        self.listed = listed
        streams = draws(seed, PAIR)
        money = {BASE: Decimal("0.1"), COUNTER: Decimal(30_000)}
        # Fees that need every decimal the ledger has.
        fees = {PAIR: FeeRates(Decimal("0.0010"), Decimal("0.0035"))}
        self.venue = Venue(
            [MarketSpec(listed.rules, 1_000, 50_000)],
            [AccountSpec(OWNER, money, fees)],
            draws(seed, "ids").ids,
            behaviour,
        )
        start_ns = world.true_ns
        past = past_hour(LIGHT, listed, streams.past, seed, start_ns // 1_000_000, 50_000)
        self.venue.seed_history(PAIR, past.trades, past.minutes)
        flow = Flow(LIGHT, listed, self.venue.engine(PAIR), streams, Walk(seed, BASE, COUNTER), start_ns)
        flow.act(flow.next_ns)
        self.exchange = Exchange(self.venue, {PAIR: flow}, Setting(seed, None, None, 0, {}))
        self.venue.drain()
        self.one_way: Side | None = None
        self.manual: dict[str, VisitorOrder] = {}
        self.withdrawn: set[str] = set()
        self.frozen = False

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def flow(self) -> Flow:
        house = self.exchange.houses[PAIR]
        assert isinstance(house, Flow)
        return house

    def run(self) -> float | None:
        """Perform what is due; seconds until the next thing is."""
        if self.frozen:
            return None
        now_ns = self.world.true_ns
        self.exchange.run_until(now_ns, BATCH)
        if self.one_way is not None:
            self.market_order(self.one_way, house=True)
        self.world.pump()
        due = self.exchange.next_ns
        return None if due is None else max((due - now_ns) / 1e9, 0.0)

    # --- REST -------------------------------------------------------------------------------------------------------

    def call(self, process: Process, method: str, path: str, given: Mapping[str, str]) -> tuple[int, bytes]:
        """One call as the server answers it."""
        world = self.world
        if not self.frozen:
            self.exchange.run_until(world.true_ns, BATCH)
        world.pump()
        call = _BY_PATH[(method, path)]
        now_ms = world.true_ms
        placed = path == "/api/1/postorder"
        if placed:
            given = world.checker.posted(process, dict(given))
        elif path == "/api/1/stoporder":
            world.checker.cancel_asked(process, given.get("order_id", ""))
        request = Request(now_ms, OWNER, Parameters({name: [value] for name, value in given.items()}))
        try:
            reply = call.answer(self.exchange, request)
        except VenueError as refused:
            self.exchange.visited(PAIR, now_ms)
            world.trace(process, f"{path} {_shown(given)} -> {refused.code}")
            world.checker.refused(path, refused.code)
            world.pump()
            return refused.status, error_json(refused.body(), self.behaviour)
        if call.acts:
            if placed:
                world.checker.accepted(process, given, reply.order_id)  # type: ignore[union-attr]
            self.exchange.visited(PAIR, now_ms)
            world.trace(process, f"{path} {_shown(given)} -> {reply}")
            world.pump()
        return 200, reply_json(reply, self.behaviour)

    # --- reading, for the checker -----------------------------------------------------------------------------------

    def order(self, order_id: str) -> VisitorOrder | None:
        return self.venue._desk.order(OWNER, order_id)

    def by_client_id(self, cid: str) -> VisitorOrder | None:
        return self.venue._desk.by_client_id(OWNER, cid)

    def live(self) -> list[VisitorOrder]:
        """Orders of ours in the book."""
        return [
            order
            for order in self.venue._desk._live.values()
            if order.live and order.request.client_order_id.startswith(PREFIX)
        ]

    def ours(self) -> list[VisitorOrder]:
        """Every order of ours there ever was."""
        return [o for o in self.venue._desk._orders.values() if o.request.client_order_id.startswith(PREFIX)]

    @property
    def rules(self) -> PairRules:
        return self.venue.engine(PAIR).rules

    def mid(self) -> Decimal | None:
        engine = self.venue.engine(PAIR)
        bid, ask = engine.best_bid(), engine.best_ask()
        return None if bid is None or ask is None else Decimal(bid + ask).scaleb(-self.rules.price_scale) / 2

    def snapshot(self) -> str:
        return self.exchange.snapshot_raw(PAIR)

    def bent_snapshot(self, *, crossed: bool) -> str:
        """A first frame with no asks, or with asks below the bids."""
        whole = msgspec.json.decode(self.snapshot())
        if crossed:
            for row in whole["asks"][:1]:
                row["price"] = whole["bids"][-1]["price"] if whole["bids"] else row["price"]
        else:
            whole["asks"] = []
        return msgspec.json.encode(whole).decode()

    def contradiction(self, raw: str) -> str:
        """The same frame about something else: an order nobody placed, or one placed twice."""
        frame = msgspec.json.decode(raw)
        if self.world.rng.random() < 0.5:
            frame["delete_update"] = {"order_id": "BXNOBODY"}
        else:
            volume = "99999.00"
            some = next(iter(self.venue.engine(PAIR).orders), "BXNOBODY")
            frame["trade_updates"] = [
                {"base": volume, "counter": "1.00", "maker_order_id": some, "taker_order_id": "BXT", "order_id": some}
            ]
        return msgspec.json.encode(frame).decode()

    # --- other hands ------------------------------------------------------------------------------------------------

    def manual_order(self, side: Side, share: Decimal, away: Decimal) -> None:
        """A limit order of the account's owner, ``away`` (a fraction) from the mid, for a share of what is free."""
        mid, rules = self.mid(), self.rules
        if mid is None:
            return
        price = rules.price(max(1, round(mid * (1 - side.sign * away) * 10**rules.price_scale)))
        free = self.free(BASE if side is Side.ASK else COUNTER)
        size = rules.volume(rules.floor_lots(free * share / (Decimal(1) if side is Side.ASK else price)))
        if size < rules.min_volume:
            return
        try:
            reply = self.venue.postorder(
                self.world.true_ms, OWNER, pair=PAIR, type=side.value, volume=f"{size:f}", price=f"{price:f}",
                post_only=True,
            )  # fmt: skip
        except VenueError:
            return
        self._acted()
        order = self.order(reply.order_id)
        assert order is not None
        self.manual[order.order_id] = order
        self.world.trace("owner", f"places {side.value} {size} at {price}: {order.order_id}")

    def market_order(self, side: Side, *, house: bool) -> None:
        """A taker: the account's owner by hand, or somebody of the house."""
        engine, now_ms, rng = self.venue.engine(PAIR), self.world.true_ms, self.world.rng
        if house:
            best = engine.best_ask() if side is Side.BID else engine.best_bid()
            if best is not None:
                reach = max(1, round(best * (1 + side.sign * rng.uniform(0, 0.004))))
                flow = self.flow
                flow._sweep(side, reach, now_ms)
                flow.repair(now_ms)
            return
        given: dict[str, str] = {"base_volume" if side is Side.ASK else "counter_volume": ""}
        amount = self.free(BASE if side is Side.ASK else COUNTER) * Decimal(rng.randint(1, 10)) / 100
        given = dict.fromkeys(given, f"{amount:.2f}" if side is Side.BID else f"{amount:.4f}")
        try:
            self.venue.marketorder(now_ms, OWNER, pair=PAIR, type="BUY" if side is Side.BID else "SELL", **given)  # type: ignore[arg-type]
        except VenueError:
            return
        self._acted()
        self.world.trace("owner", f"takes: {side.value} {given}")

    def withdraw_manual(self, order: VisitorOrder) -> None:
        if order.live:
            self.withdrawn.add(order.order_id)
            self.venue.stoporder(self.world.true_ms, OWNER, order.order_id)
            self._acted()

    def cancel_one_of_ours(self) -> bool:
        live = self.live()
        if not live:
            return False
        order = self.world.rng.choice(live)
        self.venue.stoporder(self.world.true_ms, OWNER, order.order_id)
        self._acted()
        self.world.trace("venue", f"cancels {order.order_id}")
        return True

    def orphan(self, cid: str, side: Side) -> str | None:
        """An order under our prefix that no journal knows."""
        mid, rules = self.mid(), self.rules
        if mid is None:
            return None
        price = rules.price(max(1, round(mid * (1 - side.sign * Decimal("0.01")) * 10**rules.price_scale)))
        try:
            reply = self.venue.postorder(
                self.world.true_ms, OWNER, pair=PAIR, type=side.value, volume=f"{rules.min_volume:f}",
                price=f"{price:f}", post_only=True, client_order_id=cid,
            )  # fmt: skip
        except VenueError:
            return None
        self._acted()
        self.world.trace("orphan", f"{side.value} at {price}: {reply.order_id} {cid}")
        return reply.order_id

    def jump(self, share: float) -> None:
        """The latent price jumps; the house follows at its next step, takers take what is stale."""
        self.flow._latent *= 1 + share
        self.world.trace("venue", f"price jumps by {share:.4f}")

    def set_status(self, status: MarketStatus) -> None:
        self.venue.set_status(self.world.true_ms, PAIR, status)
        self.world.trace("venue", f"market {status.value}")
        self.world.pump()

    def change_rules(self, **changes: object) -> None:
        rules = replace_rules(self.rules, **changes)
        self.exchange.change_rules(self.world.true_ms, PAIR, rules)
        self.withdrawn.update(self.manual)
        self.world.trace("venue", f"new rules: {changes}")
        self.world.pump()

    def change_fees(self, maker: Decimal) -> None:
        rates, other = self.venue._desk._rates[OWNER]
        self.venue._desk._rates[OWNER] = ({**rates, PAIR: replace_fee(rates[PAIR], maker)}, other)

    def free(self, asset: str) -> Decimal:
        wallet = self.venue.ledger.wallet(OWNER, asset)
        return Decimal(wallet.available).scaleb(-18)

    def total(self, asset: str) -> Decimal:
        return Decimal(self.venue.ledger.wallet(OWNER, asset).total).scaleb(-18)

    def _acted(self) -> None:
        self.exchange.visited(PAIR, self.world.true_ms)
        self.world.pump()

    def drain(self) -> list[MarketFrame | UserFrame]:
        return self.venue.drain()  # type: ignore[return-value]


def replace_rules(rules: PairRules, **changes: object) -> PairRules:
    return msgspec.structs.replace(rules, **changes) if isinstance(rules, msgspec.Struct) else replace(rules, **changes)


def replace_fee(rates: FeeRates, maker: Decimal) -> FeeRates:
    return rates._replace(maker=maker)


def _shown(given: Mapping[str, str]) -> str:
    return " ".join(given.get(name, "") for name in ("type", "volume", "price", "client_order_id", "order_id")).strip()
