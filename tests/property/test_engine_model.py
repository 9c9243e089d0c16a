"""The simulated exchange against a slow obvious model: orders in a list sorted for each match, money in Decimal."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lunomm.luno.wire import WireUserMessage, decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.ledger import FeeRates, from_units
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError

BID, ASK = Side.BID, Side.ASK
PAIR = "XBTMYR"
RULES = PairRules(
    pair=PAIR,
    base="XBT",
    counter="MYR",
    price_scale=1,
    volume_scale=3,
    min_price=Decimal("0.1"),
    max_price=Decimal(1000),
    min_volume=Decimal("0.001"),
    max_volume=Decimal(100),
    fee_scale=4,
)
TICK, LOT = Decimal("0.1"), Decimal("0.001")
RATES = {
    "ann": FeeRates(Decimal("-0.0013"), Decimal("0.0061")),
    "bob": FeeRates(Decimal("0.0035"), Decimal("0.006")),
}
START = {"XBT": Decimal("0.05"), "MYR": Decimal("0.5")}
OWNERS = (None, "ann", "bob")

owners = st.sampled_from(OWNERS)
visitors = st.sampled_from(("ann", "bob"))
sides = st.sampled_from((BID, ASK))
prices = st.integers(95, 105)
lots = st.integers(1, 12)
tifs = st.sampled_from((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))


class Slow:
    """An order as the model keeps it."""

    def __init__(self, order_id: str, owner: str | None, side: Side, price: int, left: int, arrival: int) -> None:
        self.order_id, self.owner, self.side, self.price = order_id, owner, side, price
        self.left, self.arrival = left, arrival


class Model:
    def __init__(self) -> None:
        self.orders: list[Slow] = []
        self.arrivals = 0
        self.totals = {owner: dict(START) for owner in RATES}
        self.status = MarketStatus.ACTIVE

    def queue(self, side: Side) -> list[Slow]:
        return sorted((o for o in self.orders if o.side is side), key=lambda o: (-o.price * side.sign, o.arrival))

    def met(self, side: Side, price: int | None) -> list[Slow]:
        """What an order would meet, in the order it would."""
        return [o for o in self.queue(side.other) if price is None or (price - o.price) * side.sign >= 0]

    def reserved(self, owner: str) -> dict[str, Decimal]:
        held = {"XBT": Decimal(0), "MYR": Decimal(0)}
        for order in self.orders:
            if order.owner == owner:
                if order.side is BID:
                    held["MYR"] += order.price * TICK * order.left * LOT
                else:
                    held["XBT"] += order.left * LOT
        return held

    def free(self, owner: str, side: Side) -> Decimal:
        asset = "MYR" if side is BID else "XBT"
        return self.totals[owner][asset] - self.reserved(owner)[asset]

    def pay(self, owner: str | None, side: Side, price: int, traded: int, *, maker: bool) -> None:
        if owner is None:
            return
        base, counter = traded * LOT, price * TICK * traded * LOT
        rate = RATES[owner].maker if maker else RATES[owner].taker
        got = base if side is BID else counter
        fee = (got * rate).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)
        wallet = self.totals[owner]
        if side is BID:
            wallet["XBT"] += base - fee
            wallet["MYR"] -= counter
        else:
            wallet["XBT"] -= base
            wallet["MYR"] += counter - fee

    def trade(self, maker: Slow, taker: str | None, traded: int) -> tuple[str, int, int]:
        self.pay(maker.owner, maker.side, maker.price, traded, maker=True)
        self.pay(taker, maker.side.other, maker.price, traded, maker=False)
        maker.left -= traded
        if not maker.left:
            self.orders.remove(maker)
        return maker.order_id, maker.price, traded

    def match(
        self, owner: str | None, side: Side, price: int | None, left: int
    ) -> tuple[list[tuple[str, int, int]], int]:
        trades = []
        for maker in self.met(side, price):
            if left:
                traded = min(left, maker.left)
                trades.append(self.trade(maker, owner, traded))
                left -= traded
        return trades, left

    def rest(self, order_id: str, owner: str | None, side: Side, price: int, left: int) -> None:
        self.arrivals += 1
        self.orders.append(Slow(order_id, owner, side, price, left, self.arrivals))


class EngineAgainstModel(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 3))
    def start(self, seed: int) -> None:
        self.venue = Venue(
            [MarketSpec(RULES, 10)],
            [AccountSpec(owner, START, other_fees=rates) for owner, rates in RATES.items()],
            random.Random(seed),
        )
        self.engine = self.venue.engine(PAIR)
        self.model = Model()
        self.now = 1000
        self.book = Book(RULES)
        self.book.load(self.engine.snapshot())
        self.rows: dict[int, tuple[int, Decimal, Decimal]] = {}
        self.done: dict[str, Decimal] = {}

    def expect(
        self, owner: str | None, side: Side, price: int | None, size: int, tif: TimeInForce
    ) -> tuple[list[tuple[str, int, int]], int]:
        """(trades, what rests) of an order that reaches the engine, by the model; the model then has traded."""
        met = self.model.met(side, price)
        barred = self.model.status is MarketStatus.DISABLED or (met and self.model.status is not MarketStatus.ACTIVE)
        if barred or (tif is TimeInForce.FOK and sum(order.left for order in met) < size):
            return [], 0
        trades, left = self.model.match(owner, side, price, size)
        return trades, left if tif is TimeInForce.GTC else 0

    def last_trades(self, frames: list[MarketFrame]) -> list[tuple[str, int, int]]:
        return [(trade.maker_id, trade.price, trade.lots) for frame in frames for trade in frame.trades]

    def heard(self) -> list[MarketFrame]:
        """Apply what the streams say, as a client would; the market frames of this action."""
        frames = []
        for frame in self.venue.drain():
            if isinstance(frame, MarketFrame):
                event = decode_market_frame(frame.raw, RULES)
                assert isinstance(event, BookUpdate) and event == frame.event()
                self.book.apply(event)
                frames.append(frame)
            else:
                assert isinstance(frame, UserFrame)
                self.listen(msgspec.json.decode(frame.raw, type=WireUserMessage))
        return frames

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
            assert Decimal(fill.base_fill) == self.done.get(fill.order_id, Decimal(0)) + Decimal(fill.base_delta)
            assert Decimal(fill.base_delta) > 0
            self.done[fill.order_id] = Decimal(fill.base_fill)
        if status is not None and status.status == "COMPLETE":
            order = self.venue.orders(live=False)
            assert any(done.order_id == status.order_id for done in order)

    @rule(side=sides, price=prices, size=lots, tif=tifs, post_only=st.booleans())
    def house_places(self, side: Side, price: int, size: int, tif: TimeInForce, post_only: bool) -> None:
        self.now += 1
        post_only = post_only and tif is TimeInForce.GTC
        barred = post_only and bool(self.model.met(side, price))
        trades, rest = ([], 0) if barred else self.expect(None, side, price, size, tif)
        placed = self.engine.place(self.now, None, side, price, size, tif=tif, post_only=post_only)
        if rest:
            self.model.rest(placed.order_id, None, side, price, rest)
        assert placed.resting_lots == rest
        frames = self.heard()
        assert len(frames) == 1 and self.last_trades(frames) == trades

    @rule(owner=visitors, side=sides, price=prices, size=lots, tif=tifs, post_only=st.booleans())
    def visitor_places(self, owner: str, side: Side, price: int, size: int, tif: TimeInForce, post_only: bool) -> None:
        self.now += 1
        post_only = post_only and tif is TimeInForce.GTC
        cost = size * LOT * (price * TICK if side is BID else 1)
        status = self.model.status
        expected = None
        if status is MarketStatus.DISABLED:
            expected = "ErrMarketUnavailable"
        elif status is MarketStatus.POSTONLY and not post_only:
            expected = "ErrPostOnlyMode"
        elif cost > self.model.free(owner, side):
            expected = "ErrInsufficientFunds"
        elif post_only and self.model.met(side, price):
            expected = "ErrOrderCanceled"
        order = {"pair": PAIR, "type": side.value, "volume": str(size * LOT), "price": str(price * TICK)}
        if expected is not None:
            with pytest.raises(VenueError) as caught:
                self.venue.postorder(self.now, owner, **order, post_only=post_only, time_in_force=tif.value)
            assert caught.value.code == expected
            assert len(self.heard()) == (expected == "ErrOrderCanceled")
            return
        trades, rest = self.expect(owner, side, price, size, tif)
        order_id = self.venue.postorder(self.now, owner, **order, post_only=post_only, time_in_force=tif.value).order_id
        if rest:
            self.model.rest(order_id, owner, side, price, rest)
        assert self.last_trades(self.heard()) == trades
        assert self.venue.order_v2(owner, order_id).status == ("PENDING" if rest else "COMPLETE")

    @rule(owner=visitors, size=lots)
    def visitor_sells_at_market(self, owner: str, size: int) -> None:
        self.now += 1
        possible = (
            self.model.status is MarketStatus.ACTIVE
            and sum(order.left for order in self.model.queue(BID)) >= size
            and size * LOT <= self.model.free(owner, ASK)
        )
        call = {"pair": PAIR, "type": "SELL", "base_volume": str(size * LOT)}
        if not possible:
            with pytest.raises(VenueError):
                self.venue.marketorder(self.now, owner, **call)
            return
        trades, left = self.model.match(owner, ASK, None, size)
        self.venue.marketorder(self.now, owner, **call)
        assert left == 0 and self.last_trades(self.heard()) == trades

    @rule(owner=visitors, units=st.integers(1, 1200))
    def visitor_buys_at_market(self, owner: str, units: int) -> None:
        self.now += 1
        money = units * TICK * LOT
        try:
            order_id = self.venue.marketorder(
                self.now, owner, pair=PAIR, type="BUY", counter_volume=str(money)
            ).order_id
        except VenueError as error:
            assert error.code in (
                "ErrNotEnoughLiquidity",
                "ErrVolumeTooLow",
                "ErrInsufficientFunds",
                "ErrPostOnlyMode",
                "ErrMarketUnavailable",
            )
            assert self.heard() == []
            return
        bought = self.venue.order_v2(owner, order_id)
        size = int(Decimal(bought.base) / LOT)
        trades, left = self.model.match(owner, BID, None, size)
        assert left == 0 and self.last_trades(self.heard()) == trades
        change = money - Decimal(bought.counter)
        asks = self.model.queue(ASK)
        assert change >= 0 and (not change or change < asks[0].price * TICK * LOT)

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        self.now += 1
        order = data.draw(st.sampled_from(self.model.orders))
        self.model.orders.remove(order)
        if order.owner is None:
            assert self.engine.cancel(self.now, order.order_id) is not None
        else:
            other = "bob" if order.owner == "ann" else "ann"
            with pytest.raises(VenueError):
                self.venue.stoporder(self.now, other, order.order_id)
            assert self.venue.stoporder(self.now, order.owner, order.order_id).success
        (frame,) = self.heard()
        assert frame.delete_id == order.order_id

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data(), size=lots)
    def a_tape_fills_a_maker(self, data: st.DataObject, size: int) -> None:
        self.now += 1
        order = data.draw(st.sampled_from(self.model.orders))
        traded = self.model.trade(order, None, min(size, order.left))
        self.engine.reduce(self.now, order.order_id, size, "BXTAPETAKER")
        assert self.last_trades(self.heard()) == [traded]

    @rule(status=st.sampled_from((MarketStatus.ACTIVE, MarketStatus.ACTIVE, *MarketStatus)))
    def status_changes(self, status: MarketStatus) -> None:
        self.now += 1
        changed = status is not self.model.status
        self.model.status = status
        self.venue.set_status(self.now, PAIR, status)
        assert len(self.heard()) == changed

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "engine"):
            return
        found = self.engine.snapshot()
        for side, rows in ((BID, found.bids), (ASK, found.asks)):
            assert list(rows) == [(o.order_id, o.price, o.left) for o in self.model.queue(side)]
            assert self.book.orders(side) == list(rows)
        assert self.book.sequence == found.sequence and self.book.status is found.status
        bid, ask = self.engine.best_bid(), self.engine.best_ask()
        assert bid is None or ask is None or bid < ask
        assert isinstance(found, BookSnapshot) and decode_market_frame(self.engine.snapshot_raw(), RULES) == found

    @invariant()
    def the_money_agrees(self) -> None:
        if not hasattr(self, "engine"):
            return
        for asset in ("XBT", "MYR"):
            assert self.venue.ledger.drift(asset) == 0
        for owner in RATES:
            reserved = self.model.reserved(owner)
            for row in self.venue.balance(owner).balance:
                assert Decimal(row.balance) == self.model.totals[owner][row.asset]
                assert Decimal(row.reserved) == reserved[row.asset]
                if int(row.account_id) in self.rows:
                    _, balance, available = self.rows[int(row.account_id)]
                    assert (balance, balance - available) == (Decimal(row.balance), Decimal(row.reserved))
        for order in self.venue.orders():
            assert order.filled_lots <= order.request.lots
            assert order.live == (order.order_id in self.engine.orders)


EngineAgainstModel.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngineAgainstModel = EngineAgainstModel.TestCase


@pytest.mark.parametrize("seed", [1, 2])
def test_tens_of_thousands_of_steps_conserve_every_asset(seed: int) -> None:
    rng = random.Random(seed)
    venue = Venue(
        [MarketSpec(RULES)],
        [
            AccountSpec(owner, {"XBT": Decimal(5), "MYR": Decimal(50)}, other_fees=rates)
            for owner, rates in RATES.items()
        ],
        random.Random(seed),
    )
    engine = venue.engine(PAIR)
    refused = 0
    for now in range(15_000):
        owner = rng.choice(OWNERS)
        side, price, size = rng.choice((BID, ASK)), 100 + rng.randint(-7, 7), rng.randint(1, 30)
        if rng.random() < 0.3 and engine.orders:
            order = rng.choice(list(engine.orders.values()))
            if order.owner is None:
                engine.cancel(now, order.order_id)
            else:
                venue.stoporder(now, order.owner, order.order_id)
        elif owner is None:
            engine.place(now, None, side, price, size, tif=rng.choice(list(TimeInForce)))
        else:
            try:
                venue.postorder(
                    now,
                    owner,
                    pair=PAIR,
                    type=side.value,
                    volume=str(size * LOT),
                    price=str(price * TICK),
                    time_in_force=rng.choice(("GTC", "IOC", "FOK")),
                )
            except VenueError:
                refused += 1
        bid, ask = engine.best_bid(), engine.best_ask()
        assert bid is None or ask is None or bid < ask
        if now % 100 == 0:
            venue.drain()
            assert [venue.ledger.drift(asset) for asset in ("XBT", "MYR")] == [0, 0]
            for wallet in venue.ledger.wallets():
                held = sum(
                    from_units(order.reserved)
                    for order in venue.orders(wallet.owner, live=True)
                    if (wallet.asset == "MYR") == (order.request.side is BID)
                )
                assert from_units(wallet.reserved) == held
    assert engine.next_trade > 1000 and refused < 12_000
