"""The simulated exchange against a slow obvious model: several accounts, two markets that share an asset, every kind of
order, rules that change, and every asset conserved after every step."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive_venue import NaiveOrder, NaiveVenue

from lunomm.luno.wire import WireUserMessage, decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.ledger import FeeRates, from_units
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError

BID, ASK = Side.BID, Side.ASK
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
CENTRES = {"XBTMYR": Decimal(10), "ETHXBT": Decimal("0.10")}
SCALES = {"XBTMYR": [(1, 3, 4), (2, 3, 6), (0, 2, 3)], "ETHXBT": [(3, 2, 5), (4, 2, 3), (2, 3, 8)]}
"""(price, volume, fee) decimals a market may have, the first to begin with."""

ASSETS = ("XBT", "MYR", "ETH")
START = {"XBT": Decimal("0.06"), "MYR": Decimal("0.6"), "ETH": Decimal("0.5")}


def rules_of(pair: str, scales: tuple[int, int, int]) -> PairRules:
    price, volume, fee = scales
    return PairRules(
        pair=pair,
        base=pair[:3],
        counter=pair[3:],
        price_scale=price,
        volume_scale=volume,
        min_price=Decimal(1).scaleb(-price),
        max_price=Decimal(1000),
        min_volume=Decimal(1).scaleb(-volume),
        max_volume=Decimal(100),
        fee_scale=fee,
    )


def rates(maker: str, taker: str) -> FeeRates:
    return FeeRates(Decimal(maker), Decimal(taker))


RATES = {
    "ann": {"XBTMYR": rates("-0.013", "0.061"), "ETHXBT": rates("-0.02", "0.05")},
    "bob": {"XBTMYR": rates("0.035", "0.06"), "ETHXBT": rates("0.04", "0.06")},
    "cyd": {"XBTMYR": rates("0", "0.013"), "ETHXBT": rates("-0.001", "0.005")},
}
"""Tiers with fees, without and with a rebate; ten times Luno's, so that rounding bites."""

pairs = st.sampled_from(("XBTMYR", "XBTMYR", "ETHXBT"))
owners = st.sampled_from(tuple(RATES))
sides = st.sampled_from((BID, ASK))
ticks = st.integers(-5, 5)
lots = st.integers(1, 12)
tifs = st.sampled_from((GTC, GTC, GTC, IOC, FOK))
client_ids = st.sampled_from(("", "", "", "a", "b", "c"))
statuses = st.sampled_from((MarketStatus.ACTIVE, MarketStatus.ACTIVE, *MarketStatus))
posts = st.sampled_from((False, False, False, True))
picks = st.integers(0, 99)
seldom = st.integers(0, 9)


class EngineAgainstModel(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 3), switches=st.tuples(st.booleans(), st.booleans(), st.booleans()))
    def start(self, seed: int, switches: tuple[bool, bool, bool]) -> None:
        given = dict(zip(("self_trade", "sell_fee_base", "truncate_fees"), switches, strict=True))
        rules = {pair: rules_of(pair, scales[0]) for pair, scales in SCALES.items()}
        self.venue = Venue(
            [MarketSpec(rules[pair], 10) for pair in rules],
            [AccountSpec(owner, START, fees) for owner, fees in RATES.items()],
            random.Random(seed),
            Behaviour(**given),
        )
        self.model = NaiveVenue(rules, RATES, START, **given)
        self.now = 1000
        self.books = {pair: self.fresh_book(pair) for pair in rules}
        self.rows: dict[int, tuple[int, Decimal, Decimal]] = {}
        self.told: defaultdict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for pair in rules:
            self.open(pair)

    def open(self, pair: str) -> None:
        """A book of the house's, and a first trade."""
        for place in (1, 3, 4):
            for side in (BID, ASK):
                self.house_places(pair, side, -place * side.sign, 4 * place, GTC, False)
        self.house_places(pair, BID, 1, 2, IOC, False)

    def fresh_book(self, pair: str) -> Book:
        book = Book(self.model.rules[pair])
        book.load(self.venue.engine(pair).snapshot())
        return book

    # --- what is done ----------------------------------------------------------------------------------------------

    @rule(pair=pairs, side=sides, place=ticks, size=lots, tif=tifs, post_only=posts)
    def house_places(self, pair: str, side: Side, place: int, size: int, tif: TimeInForce, post_only: bool) -> None:
        order = NaiveOrder(pair, None, side, self.price(pair, place), self.volume(pair, size), tif)
        order.post_only = post_only and tif is GTC
        rules = self.model.rules[pair]
        self.model.enter(order)
        self.model.trigger()
        placed = self.venue.engine(pair).place(
            self.tick(),
            None,
            side,
            rules.price_ticks(str(order.price)),
            rules.volume_lots(str(order.size)),
            tif=tif,
            post_only=order.post_only,
        )
        self.venue.trigger_stops(self.now)
        order.order_id = placed.order_id
        self.hears()

    @rule(
        owner=owners,
        pair=pairs,
        side=sides,
        place=ticks,
        size=lots,
        tif=tifs,
        post_only=posts,
        client_id=client_ids,
    )
    def visitor_places(
        self,
        owner: str,
        pair: str,
        side: Side,
        place: int,
        size: int,
        tif: TimeInForce,
        post_only: bool,
        client_id: str,
    ) -> None:
        self.post(
            NaiveOrder(pair, owner, side, self.price(pair, place), self.volume(pair, size), tif, post_only, client_id)
        )

    @rule(
        owner=owners,
        pair=pairs,
        side=sides,
        place=ticks,
        stop=ticks,
        size=lots,
        direction=st.sampled_from(("ABOVE", "BELOW", "RELATIVE_LAST_TRADE")),
        tif=tifs,
        post_only=posts,
    )
    def visitor_files_a_stop_order(
        self,
        owner: str,
        pair: str,
        side: Side,
        place: int,
        stop: int,
        size: int,
        direction: str,
        tif: TimeInForce,
        post_only: bool,
    ) -> None:
        order = NaiveOrder(pair, owner, side, self.price(pair, place), self.volume(pair, size), tif, post_only)
        order.stop, order.direction = self.price(pair, stop), direction
        self.post(order)

    @rule(owner=owners, pair=pairs, size=lots, client_id=client_ids)
    def visitor_sells_at_market(self, owner: str, pair: str, size: int, client_id: str) -> None:
        order = NaiveOrder(pair, owner, ASK, None, self.volume(pair, size), IOC, client_id=client_id)
        self.trade_at_market(order, type="SELL", base_volume=str(order.size))

    @rule(owner=owners, pair=pairs, units=st.integers(1, 1500), client_id=client_ids)
    def visitor_buys_at_market(self, owner: str, pair: str, units: int, client_id: str) -> None:
        rules = self.model.rules[pair]
        money = units * rules.tick_size * rules.lot_size
        order = NaiveOrder(pair, owner, BID, None, Decimal(0), IOC, client_id=client_id, money=money)
        self.trade_at_market(order, type="BUY", counter_volume=f"{money:f}")

    @rule(owner=owners, pair=pairs, place=ticks)
    def visitor_sells_all_he_has(self, owner: str, pair: str, place: int) -> None:
        rules = self.model.rules[pair]
        size = int(self.model.free(owner, rules.base) // rules.lot_size)
        if size:
            self.post(NaiveOrder(pair, owner, ASK, self.price(pair, place), self.volume(pair, size)))

    @precondition(lambda self: self.model.live())
    @rule(pick=picks)
    def somebody_cancels(self, pick: int) -> None:
        live = self.model.live()
        order = live[pick % len(live)]
        self.tick()
        if order.owner is not None:
            other = next(owner for owner in RATES if owner != order.owner)
            self.cannot_cancel(other, order)
        self.model.cancel(order)
        if order.owner is None:
            self.venue.engine(order.pair).cancel(self.now, order.order_id)
        else:
            assert self.venue.stoporder(self.now, order.owner, order.order_id).success
            self.cannot_cancel(order.owner, order)
        self.hears()

    @precondition(lambda self: any(order.state == "resting" for order in self.model.orders))
    @rule(pick=picks, size=lots)
    def a_tape_fills_a_maker(self, pick: int, size: int) -> None:
        resting = [order for order in self.model.orders if order.state == "resting"]
        maker = resting[pick % len(resting)]
        self.model.reduce(maker, self.volume(maker.pair, size))
        self.model.trigger()
        self.venue.engine(maker.pair).reduce(self.tick(), maker.order_id, size, "BXTAPETAKER")
        self.venue.trigger_stops(self.now)
        self.hears()

    @rule(pair=pairs, status=statuses)
    def status_changes(self, pair: str, status: MarketStatus) -> None:
        self.model.set_status(pair, status)
        self.venue.set_status(self.tick(), pair, status)
        self.hears()

    @rule(pair=pairs, which=st.integers(0, 2), chance=seldom)
    def rules_change(self, pair: str, which: int, chance: int) -> None:
        if chance < 8:  # or no book would ever grow
            return
        rules = rules_of(pair, SCALES[pair][which])
        self.model.change_rules(rules)
        self.venue.change_rules(self.tick(), pair, rules)
        self.hears()
        self.books[pair] = self.fresh_book(pair)
        self.open(pair)

    # --- means -----------------------------------------------------------------------------------------------------

    def tick(self) -> int:
        self.now += 1
        return self.now

    def price(self, pair: str, place: int) -> Decimal:
        return CENTRES[pair] + place * self.model.rules[pair].tick_size

    def volume(self, pair: str, size: int) -> Decimal:
        return size * self.model.rules[pair].lot_size

    def refused(self, code: str, call: Any, *args: Any, **given: Any) -> None:
        with pytest.raises(VenueError) as caught:
            call(*args, **given)
        assert caught.value.code == code

    def cannot_cancel(self, owner: str, order: NaiveOrder) -> None:
        self.refused("ErrCannotStopUnknownOrNonPendingOrder", self.venue.stoporder, self.now, owner, order.order_id)

    def post(self, order: NaiveOrder) -> None:
        given: dict[str, Any] = {
            "pair": order.pair,
            "type": order.side.value,
            "volume": str(order.size),
            "price": str(order.price),
            "post_only": order.post_only,
            "time_in_force": order.tif.value,
            "client_order_id": order.client_id,
        }
        if order.stop is not None:
            given |= {"stop_price": str(order.stop), "stop_direction": order.direction}
        code = self.model.refusal(order)
        if code is not None:
            self.refused(code, self.venue.postorder, self.tick(), order.owner, **given)
            if code == "ErrOrderCanceled":
                (frame,) = self.frames()
                assert (frame.trades, frame.create, frame.delete_id, frame.status) == ((), None, None, None)
            self.hears()
            return
        self.model.submit(order)
        order.order_id = self.venue.postorder(self.tick(), str(order.owner), **given).order_id
        self.hears()

    def trade_at_market(self, order: NaiveOrder, **given: str) -> None:
        given |= {"pair": order.pair, "client_order_id": order.client_id}
        code = self.model.refusal_of_market(order)
        if code is not None:
            self.refused(code, self.venue.marketorder, self.tick(), order.owner, **given)
        else:
            self.model.submit(order)
            order.order_id = self.venue.marketorder(self.tick(), str(order.owner), **given).order_id
        self.hears()

    def frames(self) -> list[MarketFrame]:
        """Apply what the streams say, as a client would; the market frames of this action."""
        frames = []
        for frame in self.venue.drain():
            if isinstance(frame, MarketFrame):
                event = decode_market_frame(frame.raw, self.books[frame.pair].rules)
                assert isinstance(event, BookUpdate) and event == frame.event()
                self.books[frame.pair].apply(event)
                frames.append(frame)
            else:
                assert isinstance(frame, UserFrame)
                self.listen(msgspec.json.decode(frame.raw, type=WireUserMessage))
        return frames

    def hears(self) -> None:
        """The market streams say what the model says, action by action."""
        heard, expected = self.frames(), self.model.frames
        self.model.frames = []
        assert len(heard) == len(expected)
        for frame, wanted in zip(heard, expected, strict=True):
            rules = self.books[frame.pair].rules
            assert frame.pair == wanted.pair and frame.status is wanted.status
            assert [(t.maker_id, rules.price(t.price), rules.volume(t.lots)) for t in frame.trades] == [
                (maker.order_id, price, size) for maker, price, size in wanted.trades
            ]
            assert frame.delete_id == (None if wanted.deleted is None else wanted.deleted.order_id)
            if frame.create is None:
                assert wanted.created is None
            else:
                assert wanted.created is not None
                order, left = wanted.created
                assert frame.create.order_id == order.order_id and frame.create.side is order.side
                assert (rules.price(frame.create.price), rules.volume(frame.create.lots)) == (order.price, left)

    def listen(self, message: WireUserMessage) -> None:
        row, fill, status = message.balance_update, message.order_fill_update, message.order_status_update
        if row is not None:
            before = self.rows.get(row.account_id)
            if before is not None:
                assert row.row_index == before[0] + 1
                assert Decimal(row.balance) == before[1] + Decimal(row.balance_delta)
                assert Decimal(row.available) == before[2] + Decimal(row.available_delta)
            self.rows[row.account_id] = (row.row_index, Decimal(row.balance), Decimal(row.available))
        if fill is not None:
            told = self.told[fill.order_id]
            for name in ("base_fill", "counter_fill", "base_fee", "counter_fee"):
                delta = Decimal(getattr(fill, f"{name.removesuffix('_fill')}_delta"))
                told[name] += delta
                assert Decimal(getattr(fill, name)) == told[name]
            assert Decimal(fill.base_delta) > 0
        if status is not None and status.status == "COMPLETE":
            assert any(order.order_id == status.order_id for order in self.venue.orders(live=False))

    # --- what holds ------------------------------------------------------------------------------------------------

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "venue"):
            return
        for pair, rules in self.model.rules.items():
            engine, book = self.venue.engine(pair), self.books[pair]
            found = engine.snapshot()
            for side, rows in ((BID, found.bids), (ASK, found.asks)):
                assert [(row.order_id, rules.price(row.price), rules.volume(row.lots)) for row in rows] == [
                    (order.order_id, order.price, order.left) for order in self.model.queue(pair, side)
                ]
                assert book.orders(side) == list(rows)
            assert book.sequence == found.sequence and book.status is found.status is self.model.status[pair]
            bid, ask = engine.best_bid(), engine.best_ask()
            assert bid is None or ask is None or bid < ask
            assert decode_market_frame(engine.snapshot_raw(), rules) == found
            last = self.model.last[pair]
            assert (None if engine.last_trade is None else rules.price(engine.last_trade)) == last

    @invariant()
    def every_asset_is_conserved(self) -> None:
        if not hasattr(self, "venue"):
            return
        ledger = self.venue.ledger
        assert ledger.assets() == set(ASSETS)
        for asset in ASSETS:
            held = sum(Decimal(row.balance) for owner in RATES for row in self.venue.balance(owner, [asset]).balance)
            taken, house = from_units(ledger.fees[asset]), from_units(ledger.house[asset])
            assert held + taken + house == START[asset] * len(RATES) == self.model.total(asset)
            assert (taken, house) == (self.model.fees[asset], self.model.house[asset])
            assert ledger.drift(asset) == 0

    @invariant()
    def the_accounts_agree(self) -> None:
        if not hasattr(self, "venue"):
            return
        for owner in RATES:
            for row in self.venue.balance(owner).balance:
                assert Decimal(row.balance) == self.model.wallets[owner][row.asset]
                assert Decimal(row.reserved) == self.model.reserved(owner, row.asset) <= Decimal(row.balance)
                if int(row.account_id) in self.rows:
                    _, balance, available = self.rows[int(row.account_id)]
                    assert (balance, balance - available) == (Decimal(row.balance), Decimal(row.reserved))
        states = {"waiting": "AWAITING", "resting": "PENDING", "done": "COMPLETE"}
        visitors = [order for order in self.model.orders if order.owner is not None]
        assert len(self.venue.orders()) == len(visitors)
        for order in visitors:
            shown = self.venue.order_v2(str(order.owner), order.order_id)
            assert shown.status == states[order.state]
            amounts = (shown.base, shown.counter, shown.fee_base, shown.fee_counter)
            assert tuple(map(Decimal, amounts)) == (order.filled, order.counter, order.fee_base, order.fee_counter)
            told = self.told[order.order_id]
            assert (told["base_fill"], told["counter_fill"]) == (order.filled, order.counter)
            assert (told["base_fee"], told["counter_fee"]) == (order.fee_base, order.fee_counter)


EngineAgainstModel.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngineAgainstModel = EngineAgainstModel.TestCase


STEPS = 250


@pytest.mark.parametrize("seed", range(8))
def test_seeded_walks_agree_at_every_step(seed: int) -> None:
    """Hypothesis looks for corners; a walk of even chances goes on long enough for all of it to meet."""
    rng = random.Random(seed)
    machine = EngineAgainstModel()
    machine.start(seed, (bool(seed & 1), bool(seed & 2), bool(seed & 4)))
    for _ in range(STEPS):
        pair, owner, side = rng.choice(("XBTMYR", "XBTMYR", "ETHXBT")), rng.choice(list(RATES)), rng.choice((BID, ASK))
        place, size, tif = rng.randint(-5, 5), rng.randint(1, 12), rng.choice((GTC, GTC, GTC, IOC, FOK))
        post_only = rng.random() < 0.2 and tif is GTC
        kind = rng.random()
        if kind < 0.2:
            machine.house_places(pair, side, place, size, tif, post_only)
        elif kind < 0.5:
            machine.visitor_places(owner, pair, side, place, size, tif, post_only, "")
        elif kind < 0.65:
            direction = rng.choice(("ABOVE", "BELOW", "RELATIVE_LAST_TRADE"))
            stop = rng.randint(-5, 5)
            machine.visitor_files_a_stop_order(owner, pair, side, place, stop, size, direction, tif, post_only)
        elif kind < 0.67:
            machine.visitor_sells_all_he_has(owner, pair, place)
        elif kind < 0.73:
            machine.visitor_sells_at_market(owner, pair, size, "")
        elif kind < 0.81:
            machine.visitor_buys_at_market(owner, pair, rng.randint(1, 1500), "")
        elif kind < 0.92 and machine.model.live():
            machine.somebody_cancels(rng.randint(0, 99))
        elif kind < 0.96 and any(order.state == "resting" for order in machine.model.orders):
            machine.a_tape_fills_a_maker(rng.randint(0, 99), size)
        elif kind < 0.99:
            machine.status_changes(pair, rng.choice((*[MarketStatus.ACTIVE] * 6, *MarketStatus)))
        else:
            machine.rules_change(pair, rng.randint(0, 2), 9)
        machine.the_books_agree()
        machine.every_asset_is_conserved()
        machine.the_accounts_agree()
