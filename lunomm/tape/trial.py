"""One set of options on one recorded market: what is traded, and what it came to (pure but for seeded order ids).

Beside the strategy always runs the same pipeline with a fixed spread and no skew, on the same market, through the same
queue: the figures of the strategy mean something only against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from lunomm.errors import UsageError
from lunomm.market.clock import Now
from lunomm.market.observer import Observer
from lunomm.market.records import GridRow, OwnOrder, Params, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.market.warm import CandleClose, PublicFill
from lunomm.quoting import fair_price
from lunomm.quoting.fair_price import FairPrice
from lunomm.quoting.inputs import Fill
from lunomm.quoting.intents import WantedQuotes
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator import profiles
from lunomm.simulator.draws import draws
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.venue import AccountSpec
from lunomm.tape.attribution import Attribution, OrderLife, Session, attribute, attribution_data
from lunomm.tape.backtest import Backtest, with_own
from lunomm.tape.counterparty import Counterparty
from lunomm.tape.decoded import Frame, Item
from lunomm.tape.lane import Lane
from lunomm.tape.latency import Fixed, Latency, Measured, RoundTrip
from lunomm.tape.lines import Warmth
from lunomm.tape.paper import BracketSum, PaperMarket, PaperVenue, bracket_sum, paper_venue
from lunomm.tape.reader import TapeOwn
from lunomm.tape.script import Replayed, Script
from lunomm.trading.limits import Limits
from lunomm.trading.orders import Order
from lunomm.trading.shared import Settings

OWNER: Final = "backtest"
STRATEGY, BASELINE = "strategy", "fixed spread"
BASELINE_SPREAD: Final = 0.002
"""Whole spread of the baseline, fraction of the fair price: 10 bp a side, as everywhere in the toolkit."""

RETAIL_COUNTER: Final = Decimal(30_000)
"""Counter money at the start where the simulated exchange's account knows none of the currency."""

REMEMBER_MS: Final = 10_000
"""No message is repeated here: an ended order is of no interest for long."""

QUOTES_KEPT: Final = 20_000
DEPTH: Final = 10


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything a run depends on but the tape.

    base, counter: what the account begins with; None: as the simulated exchange's. maker_fee, taker_fee: fractions;
    None: the tape's, else none. one_way_ms: latency each way; trips: a session's instead. fair_price: a built-in's
    name. params: a calibration to start from. epoch_ms: names the intents. seed: of the order ids. start_ns, end_ns:
    our clock, when the lanes begin and end; 0 and None: with the tape. warm: what the book began from.
    bus_ms: from gateway to quoter. quote_from_ns: our clock, when the quoter begins.
    """

    quoter: QuoterOptions = field(default_factory=QuoterOptions)
    fair_price: str = "mid"
    vol_window_s: float = 600.0
    kappa_lookback_s: float = 1200.0
    vol_price: str = "mid"
    depth: int = DEPTH
    limits: Limits = field(default_factory=Limits)
    balance_s: float = 30.0
    base: Decimal | None = None
    counter: Decimal | None = None
    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)
    one_way_ms: float = 50.0
    trips: tuple[RoundTrip, ...] = ()
    params: Params | None = None
    baseline: bool = True
    epoch_ms: int = 1
    seed: int = 1
    start_ns: int = 0
    end_ns: int | None = None
    warm: Warmth | None = None
    bus_ms: float = 0.0
    quote_from_ns: int = 0

    @property
    def watched(self) -> tuple[float, float, str, int]:
        """What the observer's work depends on: runs that agree in it share what the first made of the market."""
        return self.vol_window_s, self.kappa_lookback_s, self.vol_price, self.depth

    @property
    def latency(self) -> Latency:
        """A new one each time: a session's round trips are gone through in turn."""
        return Measured(self.trips) if self.trips else Fixed(self.one_way_ms)

    @property
    def back_ns(self) -> int:
        return self.latency.back_ns


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """The quotes of level 0 over time (exchange ns), prices in counter; None where a side wants none."""

    ts_ns: tuple[int, ...]
    bid: tuple[float | None, ...]
    ask: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class LaneOutcome:
    """What one lane came to. attribution None: no market was ever seen to trade in. bracket: base filled under strict
    trade-through, by the queue, and at touch. absent_s: seconds a side wanted nothing, by reason, both sides together.
    estimates_from: sources of kappa and sigma, and seconds from the start until each was first used."""

    name: str
    attribution: Attribution | None
    placed: int
    bracket: BracketSum
    bracket_base: tuple[Decimal, Decimal, Decimal]
    halts: tuple[str, ...]
    refusals: dict[str, int]
    absent_s: dict[str, float]
    warnings: tuple[str, ...]
    estimates_from: dict[str, float]
    fills: tuple[Fill, ...]
    orders: tuple[Order, ...]
    quoted: Quoted
    looks: int
    calls: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A whole run. digest: SHA-256 of every order, fill and figure of both lanes."""

    rules: PairRules
    frames: int
    gaps: int
    start_ns: int
    end_ns: int
    lanes: tuple[LaneOutcome, ...]
    digest: str
    takers: tuple[TakerOrder, ...]
    rows: tuple[GridRow, ...]

    @property
    def strategy(self) -> LaneOutcome:
        return self.lanes[0]

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def run_trial(
    rules: PairRules,
    items: Iterable[Item],
    setup: Setup,
    *,
    own: frozenset[str] = frozenset(),
    price: FairPrice | None = None,
    tell: Callable[[int], None] | None = None,
    scripts: dict[object, Script] | None = None,
) -> Outcome:
    """Run the strategy, and the baseline beside it.

    Args:
        own: ids of our own orders of old in the tape. price: what to quote around, for a function of the user's.
        tell: is told the number of frames now and then. scripts: kept between runs over the same items: what the first
            made of the market serves the others.

    Raises:
        UsageError: the tape has no snapshot.
        ModelError: options no model can price.
    """
    trial = _Trial(rules, setup, own, price, scripts)
    warm = setup.warm
    for count, item in enumerate(items):
        if setup.end_ns is not None and item.recv_ns > setup.end_ns:
            break
        if warm is not None and item.recv_ns >= warm.at_ns:
            trial.warm(warm)
            warm = None
        if type(item) is Frame:
            trial.backtest.frame(item.recv_ns, item.event)
        elif isinstance(item, TapeOwn):
            trial.backtest.own(item.recv_ns, item.own)
        elif not isinstance(item, Frame):
            trial.backtest.lost(item.recv_ns, item.why)
        if tell is not None and count % 4096 == 0:
            tell(count)
    return trial.outcome()


class _Trial:
    def __init__(
        self,
        rules: PairRules,
        setup: Setup,
        own: frozenset[str],
        price: FairPrice | None,
        scripts: dict[object, Script] | None,
    ) -> None:
        self.rules, self.setup = rules, setup
        self._price = fair_price.BUILT_IN[setup.fair_price] if price is None else price
        self._scripts, self._script = scripts, None
        # Our orders in it, or a price made of more than the touch: then the market must be watched anew.
        plain = scripts is not None and not own and self._price is fair_price.mid
        known = scripts.get(setup.watched) if scripts is not None and plain else None
        back_ns = setup.back_ns
        if known is not None:
            self.backtest = Backtest(rules, Replayed(rules, known, setup.depth), back_ns)
        else:
            observer = Observer(
                rules,
                vol_window_s=setup.vol_window_s,
                kappa_lookback_s=setup.kappa_lookback_s,
                vol_price=setup.vol_price,
                depth=setup.depth,
            )
            self.backtest = Backtest(rules, observer, back_ns, own)
            self._script = self.backtest.note(observer) if plain else None
        self.backtest.begin, self.backtest.begin_ns = self._begin, setup.start_ns
        self._venues: list[PaperVenue] = []
        self._quoted: list[_QuoteLog] = []

    def warm(self, told: Warmth) -> None:
        """The venue tells a book that has just started of its past."""
        if isinstance(self.backtest.observer, Observer):
            self.backtest.observer.warm(
                [CandleClose(*candle) for candle in told.candles], [PublicFill(*fill) for fill in told.fills]
            )

    def _begin(self, now_ns: int) -> None:
        """The first frame is here: the lanes start their clocks with it."""
        self._lane(STRATEGY, self.setup.quoter, now_ns)
        if self.setup.baseline:
            self._lane(BASELINE, baseline_options(self.setup.quoter), now_ns)

    def _lane(self, name: str, options: QuoterOptions, now_ns: int) -> None:
        rules, setup = self.rules, self.setup
        spec = AccountSpec(
            OWNER,
            {
                rules.base: setup.base
                if setup.base is not None
                else profiles.WALLET.get(rules.base, 1000 * rules.min_volume),
                rules.counter: setup.counter
                if setup.counter is not None
                else profiles.WALLET.get(rules.counter, RETAIL_COUNTER),
            },
            {rules.pair: FeeRates(setup.maker_fee, setup.taker_fee)},
        )
        venue = paper_venue([rules], [spec], draws(setup.seed, "ids").ids, books={rules.pair: self.backtest.book})
        far = Counterparty(venue.venue, venue.drain, OWNER, setup.latency)
        quoter = Quoter(rules.pair, options, epoch_ms=setup.epoch_ms, fair_price=self._price)
        settings = Settings(limits=setup.limits, balance_ns=round(setup.balance_s * 1e9), remember_ms=REMEMBER_MS)
        market = venue.market(rules.pair)

        log = _QuoteLog()
        lane = Lane(
            name, rules, quoter, far, settings, self.backtest.look, Now(now_ns, now_ns),
            show_own=lambda tick: show_own(market, rules, lane.live(), tick), params=setup.params, moved=log.note,
            bus_ns=round(setup.bus_ms * 1e6), quote_from_ns=setup.quote_from_ns,
        )  # fmt: skip
        self._venues.append(venue)
        self._quoted.append(log)
        self.backtest.add(lane, market.on_event, partial(venue.lost, rules.pair))

    # --- the end ------------------------------------------------------------------------------------------------------

    def outcome(self) -> Outcome:
        backtest = self.backtest
        if not backtest.lanes:
            raise UsageError("the tape has no snapshot of the book: nothing can be traded on it", code="TAPE_EMPTY")
        backtest.finish()
        if self._scripts is not None and self._script is not None:
            self._scripts[self.setup.watched] = self._script
        lanes = tuple(
            self._outcome_of(lane, venue, log)
            for lane, venue, log in zip(backtest.lanes, self._venues, self._quoted, strict=True)
        )
        start_ns, end_ns = backtest.path.start_ns or 0, backtest.path.end_ns or 0
        return Outcome(
            rules=self.rules,
            frames=backtest.frames,
            gaps=backtest.gaps,
            start_ns=start_ns,
            end_ns=end_ns,
            lanes=lanes,
            digest=_digest(backtest, lanes),
            takers=tuple(backtest.takers),
            rows=tuple(backtest.rows),
        )

    def _outcome_of(self, lane: Lane, venue: PaperVenue, log: _QuoteLog) -> LaneOutcome:
        rules, record, path = self.rules, lane.record, self.backtest.path
        entries = [
            msgspec.structs.replace(entry, fair=self.backtest.fair_before.get(entry.ts_ms))
            if isinstance(entry, Fill)
            else entry
            for entry in record.entries
        ]
        brackets = venue.market(rules.pair).brackets.values()
        summed = bracket_sum(brackets)
        return LaneOutcome(
            name=lane.name,
            attribution=self._attribution(lane, venue, entries),
            placed=len(record.placed),
            bracket=summed,
            bracket_base=(
                rules.volume(summed.pessimistic), rules.volume(summed.queue), rules.volume(summed.optimistic)
            ),
            halts=tuple(record.halts),
            refusals=dict(sorted(record.refusals.items())),
            absent_s={why.value: ns / 1e9 for why, ns in sorted(record.absent_ns.items())},
            warnings=tuple(record.warnings),
            estimates_from={
                name: (ns - (path.start_ns or 0)) / 1e9 for name, ns in record.estimates_from.items()
            },
            fills=tuple(entry for entry in entries if isinstance(entry, Fill)),
            orders=tuple(record.orders[order.client_order_id] for order in record.placed),
            quoted=log.quoted(),
            looks=record.looks,
            calls=lane.venue.calls,
        )  # fmt: skip

    def _attribution(self, lane: Lane, venue: PaperVenue, entries: list[Any]) -> Attribution | None:
        rules, path, account = self.rules, self.backtest.path, lane.first_account
        start_ns, end_ns = path.start_ns, path.end_ns
        opening, closing = self.backtest.first_mid, self.backtest.last_mid
        if account is None or start_ns is None or end_ns is None or opening is None or closing is None:
            return None
        lives = [
            OrderLife(
                side=order.request.side,
                price=rules.price(order.request.price or 0),
                volume=rules.volume(order.request.lots),
                filled=rules.volume(order.filled_lots),
                working_ns=order.created_ms * 1_000_000,
                ended_ns=order.completed_ms * 1_000_000 or None,
            )
            for order in venue.venue.orders(OWNER, rules.pair)
        ]
        mark = Decimal(repr(opening))
        target = lane.wanted.inventory_target if lane.wanted is not None else None
        return attribute(
            Session(
                rules=rules,
                start_ns=start_ns,
                end_ns=end_ns,
                opening=account.opening,
                opening_mark=mark,
                closing_mark=Decimal(repr(closing)),
                entries=entries,
                lives=lives,
                path=path,
                target=target if target is not None else account.inventory_target,
                capital=account.base.total * mark + account.counter.total,
            )
        )


def show_own(market: PaperMarket, rules: PairRules, orders: Iterable[Order], tick: Tick) -> None:
    """Put a lane's orders into a picture, with their places in the queue."""
    own = [
        OwnOrder(
            order_id=order.order_id,
            intent_id=order.intent_id,
            side=order.side,
            price=order.price,
            volume=rules.volume(market.orders[order.order_id].lots),
            volume_ahead=rules.volume(ahead[0]),
            orders_ahead=ahead[1],
        )
        for order in orders
        if order.order_id is not None and order.order_id in market.orders
        for ahead in (market.queue_ahead(order.order_id),)
    ]
    if own:
        with_own(tick, own)


class _QuoteLog:
    """Level 0's wanted prices whenever they change."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, float | None, float | None]] = []

    def note(self, wanted: WantedQuotes, ns: int) -> None:
        prices = {intent.side: float(intent.price) for intent in wanted.intents if intent.level == 0}
        row = (prices.get(Side.BID), prices.get(Side.ASK))
        if not self._rows or self._rows[-1][1:] != row:
            self._rows.append((ns, *row))

    def quoted(self) -> Quoted:
        step = -(-len(self._rows) // QUOTES_KEPT) or 1
        rows = self._rows[::step]
        return Quoted(
            ts_ns=tuple(row[0] for row in rows), bid=tuple(row[1] for row in rows), ask=tuple(row[2] for row in rows)
        )


def baseline_options(options: QuoterOptions) -> QuoterOptions:
    """A fixed spread about the mid, no skew, the same lot, renewed every minute whatever the price does."""
    return QuoterOptions(
        order_size=options.order_size,
        gamma=0.0,
        eta=0.0,
        min_spread=BASELINE_SPREAD,
        max_spread=BASELINE_SPREAD,
        reprice_at=0.0,
        inventory_target=options.inventory_target,
        kappa_prior=options.kappa_prior,
        ignore_fees=True,
    )


def lane_data(lane: LaneOutcome) -> dict[str, Any]:
    """The lane's part of the JSON object."""
    found = lane.attribution
    data: dict[str, Any] = {} if found is None else attribution_data(found)
    pessimistic, queue, optimistic = lane.bracket_base
    data |= {
        "placed": lane.placed,
        "bracket": {"pessimistic": pessimistic, "queue": queue, "optimistic": optimistic,
                    "orders": lane.bracket.orders, "uncertain": lane.bracket.uncertain},
        "halts": list(lane.halts),
        "refusals": lane.refusals,
        "absent_s": lane.absent_s,
        "estimates_from_s": lane.estimates_from,
        "warnings": list(lane.warnings),
        "calls": lane.calls,
    }  # fmt: skip
    return data


def _digest(backtest: Backtest, lanes: tuple[LaneOutcome, ...]) -> str:
    """Of everything that was done, by order and to the last digit."""
    digest = hashlib.sha256()
    encode = msgspec.json.encode
    digest.update(encode([backtest.frames, backtest.gaps, backtest.path.start_ns, backtest.path.end_ns]))
    for lane, found in zip(backtest.lanes, lanes, strict=True):
        for order in lane.record.placed:
            last = lane.record.orders[order.client_order_id]
            row = (order.client_order_id, order.price, order.volume, order.created_ms, last.state, last.filled.base)
            digest.update(encode(row))
        digest.update(encode(lane_data(found)))
        digest.update(encode(found.fills))
    return digest.hexdigest()
