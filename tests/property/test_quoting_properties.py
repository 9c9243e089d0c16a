"""The model's invariances, and what no input may make the quoter do."""

from __future__ import annotations

import math
from decimal import Decimal as D

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lunomm.errors import ModelError
from lunomm.market.clock import Now
from lunomm.market.records import BookState, Estimates, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.avellaneda_stoikov import SpreadFormula, evaluate, intensity_half_spread
from lunomm.quoting.inputs import Account, Balance, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.quoting.intents import WantedQuotes, Why
from lunomm.quoting.pricing import Touch, half_spread, price_sides
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.sizing import MinSizePolicy, SizeRule, effective_lot, shape, to_steps

PAIR = "XBTMYR"
DAY = 86_400.0

fairs = st.floats(1e-3, 1e7)
inventories = st.floats(-10, 10)
gammas = st.one_of(st.just(0.0), st.floats(1e-9, 100))
dailies = st.floats(0.001, 0.04)
inverse_bps = st.floats(0.5, 500)
scales = st.floats(1e-4, 1e4)
formulas = st.sampled_from(SpreadFormula)


def model(fair, n, gamma, daily, inv_bp, *, tau=DAY, formula=SpreadFormula.PAPER):
    try:
        return evaluate(
            fair=fair,
            n=n,
            gamma=gamma,
            sigma_relative=daily / math.sqrt(DAY),
            kappa=1e4 / (inv_bp * fair),
            tau=tau,
            formula=formula,
        )
    except ModelError:
        assume(False)
        raise


def rules(price_scale: int = 0, **changes) -> PairRules:
    known = {
        "pair": PAIR,
        "base": "XBT",
        "counter": "MYR",
        "price_scale": price_scale,
        "volume_scale": 6,
        "min_price": D(0),
        "max_price": D(10**9),
        "min_volume": D("0.0005"),
        "max_volume": D(100),
    }
    return PairRules(**{**known, **changes})


@settings(deadline=None, max_examples=200)
@given(fairs, inventories, gammas, dailies, inverse_bps, scales, formulas)
def test_price_unit_changes_nothing_but_the_unit(fair, n, gamma, daily, inv_bp, scale, formula):
    here = model(fair, n, gamma, daily, inv_bp, formula=formula)
    there = model(fair * scale, n, gamma, daily, inv_bp, formula=formula)
    assert there.reservation == pytest.approx(scale * here.reservation, rel=1e-9)
    assert there.half_spread == pytest.approx(scale * here.half_spread, rel=1e-9)
    assert there.spread_bps == pytest.approx(here.spread_bps, rel=1e-9)
    assert there.shift_bps == pytest.approx(here.shift_bps, rel=1e-9)


@settings(deadline=None, max_examples=200)
@given(fairs, inventories, gammas, dailies, inverse_bps, st.floats(0.01, 100))
def test_time_unit_changes_nothing(fair, n, gamma, daily, inv_bp, scale):
    sigma = daily / math.sqrt(DAY)
    here = model(fair, n, gamma, daily, inv_bp)
    there = evaluate(
        fair=fair,
        n=n,
        gamma=gamma,
        sigma_relative=sigma / math.sqrt(scale),
        kappa=1e4 / (inv_bp * fair),
        tau=DAY * scale,
    )
    assert there.reservation == pytest.approx(here.reservation, rel=1e-9)
    assert there.half_spread == pytest.approx(here.half_spread, rel=1e-9)


@settings(deadline=None, max_examples=200)
@given(fairs, inventories, gammas, dailies, inverse_bps, formulas)
def test_mirror(fair, n, gamma, daily, inv_bp, formula):
    long, short = (model(fair, sign * n, gamma, daily, inv_bp, formula=formula) for sign in (1, -1))
    assert long.half_spread == short.half_spread
    assert long.reservation + short.reservation == pytest.approx(2 * fair, rel=1e-12)


@settings(deadline=None, max_examples=200)
@given(fairs, inventories, gammas, dailies, inverse_bps)
def test_shift_is_linear_in_inventory_and_the_spread_independent_of_it(fair, n, gamma, daily, inv_bp):
    flat, held = model(fair, 0.0, gamma, daily, inv_bp), model(fair, n, gamma, daily, inv_bp)
    assert held.half_spread == flat.half_spread
    assert flat.reservation == fair
    assert fair - held.reservation == pytest.approx(n * flat.shift, rel=1e-6, abs=1e-9 * fair)
    more = model(fair, n + 1.0, gamma, daily, inv_bp)
    assert more.reservation <= held.reservation  # skew is monotone


@settings(deadline=None, max_examples=200)
@given(st.floats(1e-9, 1e6), st.floats(1e-9, 1e6), st.floats(1e-3, 1e3))
def test_everything_depends_on_ratios_only(gamma_p, kappa, scale):
    one = intensity_half_spread(gamma_p, kappa) * kappa
    other = intensity_half_spread(gamma_p * scale, kappa * scale) * kappa * scale
    assert one == pytest.approx(other, rel=1e-9)
    assert 0.0 < one <= 1.0 + 1e-12  # risk aversion only shortens the order-flow term


@settings(deadline=None, max_examples=300)
@given(
    fairs,
    inventories,
    gammas,
    dailies,
    inverse_bps,
    st.floats(-0.001, 0.01),
    st.floats(0, 0.05),
    st.integers(0, 6),
    formulas,
    st.one_of(st.none(), st.tuples(st.floats(0.9, 1.1), st.floats(0, 0.01))),
)
def test_prices(fair, n, gamma, daily, inv_bp, fee, min_spread, scale, formula, touch):
    grid = rules(scale)
    found = model(fair, n, gamma, daily, inv_bp, formula=formula)
    if touch is None:
        others = Touch()
    else:
        best_bid = grid.bid_ticks(fair * touch[0])
        others = Touch(best_bid, best_bid + 1 + grid.bid_ticks(fair * touch[1]))
    sides = price_sides(found, grid, others, maker_fee=fee, min_spread=min_spread)
    bid, ask = sides
    half = half_spread(found, fee, min_spread)
    for side in sides:
        assert (side.ticks is None) is (side.why is not None)
        assert all(math.isfinite(step.price) for step in side.steps)
        assert len(side.steps) == 8
    if bid.ticks is not None:
        assert grid.price(bid.ticks) <= D(repr(found.reservation - half))  # rounding never tightens
        assert grid.price(bid.ticks) > 0
        assert others.ask is None or bid.ticks < others.ask
    if ask.ticks is not None:
        assert grid.price(ask.ticks) >= D(repr(found.reservation + half))
        assert others.bid is None or ask.ticks > others.bid
    if bid.ticks is not None and ask.ticks is not None:
        assert bid.ticks < ask.ticks


@settings(deadline=None, max_examples=200)
@given(
    st.decimals("1e-7", "1000", allow_nan=False, places=7),
    st.decimals("0", "5000", places=6),
    st.decimals("0", "5000", places=6),
    st.integers(-3, 3),
)
def test_size_unit_changes_nothing_and_the_lot_stays_inside_its_bounds(order_size, worth, target, power):
    grid = rules()
    lot = effective_lot(order_size, grid, worth=worth, target=target).size
    assert grid.min_volume <= lot <= max(grid.min_volume, min(order_size, grid.max_volume))
    assert lot == grid.volume(grid.floor_lots(lot))
    scale = D(10) ** power
    other = rules(volume_scale=6 - power, min_volume=grid.min_volume * scale, max_volume=grid.max_volume * scale)
    scaled = effective_lot(order_size * scale, other, worth=worth * scale, target=target * scale).size
    assert scaled == lot * scale


@settings(deadline=None, max_examples=200)
@given(inventories, st.floats(1e-4, 10), st.floats(-5, 5))
def test_decay_never_exceeds_the_lot_and_mirrors(n, lot, eta):
    bid, ask = shape(n, lot, eta, SizeRule.DECAY)
    assert 0.0 <= bid <= lot and 0.0 <= ask <= lot
    assert max(bid, ask) == lot
    assert shape(-n, lot, eta, SizeRule.DECAY) == (ask, bid)
    steps = to_steps(bid, rules(), MinSizePolicy.SKIP).steps
    assert rules().volume(steps) <= D(repr(bid))


# --- the quoter under any sequence of events -----------------------------------------------------------------------

numbers = st.one_of(st.none(), st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e308, 5e-324]), st.floats(1e-6, 1e-3))
steps = st.lists(
    st.tuples(
        st.sampled_from(["tick", "wait", "fill", "part", "refuse", "cancel", "account", "orders", "state", "estimate"]),
        st.integers(0, 10_000),
        numbers,
    ),
    min_size=5,
    max_size=60,
)


def tick(beat: int, mid: int, state: BookState, estimates: Estimates) -> Tick:
    return Tick(
        pair=PAIR,
        ts=0.0,
        exchange_ts=None,
        sequence=beat,
        state=state,
        beat=beat,
        fair_mid=D(mid),
        fair_best_bid=D(mid - 3),
        fair_best_ask=D(mid + 3),
        estimates=estimates,
    )


def account(position: D, counter: D, max_position: D, ts_ms: int) -> Account:
    return Account(
        pair=PAIR,
        ts_ms=ts_ms,
        base=Balance(asset="XBT", total=position, reserved=D(0)),
        counter=Balance(asset="MYR", total=counter, reserved=D(0)),
        position=position,
        opening=D(0),
        inventory_target=D("0.1"),
        max_position=max_position,
        maker_fee=D("0.001"),
        taker_fee=D(0),
        calls_used=0,
        calls_limit=300,
    )


class World:
    """A careless world around a quoter: it checks after every event what must always hold."""

    def __init__(self) -> None:
        self.quoter = Quoter(PAIR, QuoterOptions(order_size=D("0.02")), epoch_ms=1_800_000_000_000)
        self.rules = rules()
        self.ns, self.beat, self.mid = 0, 0, 300_000
        self.state = BookState.OK
        self.estimates = Estimates(sigma=8.5e-5, kappa=1 / 300, verdict=Verdict.GO, sample=80)
        self.account = account(D("0.1"), D(30_000), D("0.1"), 0)
        self.seen: dict[str, tuple[D, D]] = {}
        self.born: dict[Side, list[int]] = {side: [] for side in Side}
        self.previous: set[str] = set()
        self.gone: set[str] = set()
        self.quoter.on_rules(self.rules, self.now)
        self.give_account()
        self.give_tick()

    @property
    def now(self) -> Now:
        return Now(1_800_000_000_000_000_000 + self.ns, self.ns)

    def give_tick(self) -> None:
        self.beat += 1
        self.quoter.on_tick(tick(self.beat, self.mid, self.state, self.estimates), self.now)

    def give_account(self) -> None:
        given = account(
            self.account.position, self.account.counter.total, self.account.max_position, self.now.exchange_ms
        )
        self.account = given
        self.quoter.on_account(given, self.now)

    def tell(self, kind: str, amount: int, number: float | None) -> None:
        intents = self.quoter.wanted(self.now).intents
        self.ns += 10_000_000
        if kind == "wait":
            self.ns += amount * 10_000_000
            self.give_tick()
            self.give_account()
        elif kind == "tick":
            self.mid = 290_000 + 2 * amount
            self.give_tick()
        elif kind == "state":
            self.state = BookState.OK if amount % 3 else BookState.RESYNC
            self.give_tick()
        elif kind == "estimate":
            sigma = 8.5e-5 if amount % 2 else number
            self.estimates = Estimates(sigma=sigma, kappa=number, verdict=Verdict.GO, sample=80)
            self.give_tick()
            self.estimates = Estimates(sigma=8.5e-5, kappa=1 / 300, verdict=Verdict.GO, sample=80)
        elif kind == "account":
            self.account = account(D(amount) / 20_000, D(amount * 7 % 60_000), D("0.1"), self.now.exchange_ms)
            self.give_account()
        elif intents:
            self.happen(kind, amount, intents)

    def happen(self, kind, amount, intents):
        intent = intents[amount % len(intents)]
        given = {
            "pair": PAIR,
            "number": amount,
            "ts_ms": self.now.exchange_ms,
            "intent_id": intent.id,
            "side": intent.side,
            "volume": intent.size,
        }
        if kind == "refuse":
            update = OrderUpdate(kind=UpdateKind.REFUSAL, code="X", **given)
        elif kind == "cancel":
            update = OrderUpdate(kind=UpdateKind.STATUS, state=OrderState.CANCELLED, **given)
        elif kind == "orders":
            view = OrderView(
                pair=PAIR,
                intent_id=intent.id,
                client_order_id="c",
                order_id="B",
                side=intent.side,
                level=0,
                price=intent.price,
                volume=intent.size,
                filled=D(0),
                state=list(OrderState)[amount % 9],
                created_ms=0,
                updated_ms=self.now.exchange_ms,
            )
            self.quoter.on_orders({intent.id: view} if amount % 5 else {}, self.now)
            return
        else:
            part = intent.size if kind == "fill" else intent.size / 2
            update = OrderUpdate(kind=UpdateKind.FILL, filled=part, last_volume=part, **given)
        self.quoter.on_order_update(update, self.now)

    def check(self, wanted: WantedQuotes) -> None:
        by_side = {intent.side: intent for intent in wanted.intents}
        assert len(by_side) == len(wanted.intents)
        if len(by_side) == 2:
            assert by_side[Side.BID].price < by_side[Side.ASK].price
        for intent in wanted.intents:
            assert self.seen.setdefault(intent.id, (intent.price, intent.size)) == (intent.price, intent.size)
            assert intent.price == self.rules.price(self.rules.bid_ticks(intent.price)) > 0
            assert intent.size == self.rules.volume(self.rules.floor_lots(intent.size)) >= self.rules.min_volume
            if intent.id not in self.previous:
                assert not self.born[intent.side] or self.ns - self.born[intent.side][-1] >= 500_000_000
                self.born[intent.side].append(self.ns)
                self.check_money(intent)
        new = {intent.id for intent in wanted.intents}
        assert not new & self.gone, "an id came back"
        self.gone |= self.previous - new
        self.previous = new
        for report in wanted.sides:
            assert (report.side in by_side) or report.why is not None
            assert all(math.isfinite(step.price) for step in report.steps)
        figures = (wanted.fair, wanted.reservation, wanted.half_spread, wanted.spread_bps, wanted.lots, wanted.n_flip)
        assert all(figure is None or math.isfinite(figure) for figure in figures)
        if self.state is not BookState.OK:
            assert not wanted.intents
            assert {report.why for report in wanted.sides} == {Why.STALE_BOOK}

    def check_money(self, intent):
        if intent.side is Side.ASK:
            assert intent.size <= self.account.base.total
        else:
            assert intent.size * intent.price <= self.account.counter.total


@settings(deadline=None, max_examples=150)
@given(steps)
def test_whatever_happens(events):
    world = World()
    world.check(world.quoter.wanted(world.now))
    for kind, amount, number in events:
        world.tell(kind, amount, number)
        world.check(world.quoter.wanted(world.now))
    wake = world.quoter.wake_ns(world.now)
    assert wake is None or wake > world.now.exchange_ns


@settings(deadline=None, max_examples=50)
@given(steps)
def test_the_same_events_give_the_same_messages(events):
    def told() -> list[WantedQuotes]:
        world = World()
        messages = []
        for event in events:
            world.tell(*event)
            messages.append(world.quoter.wanted(world.now))
        return messages

    assert told() == told()
