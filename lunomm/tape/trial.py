"""One set of options on one recorded market: what is traded, and what it came to (pure but for seeded order ids).

Beside the strategy always runs the same pipeline with a fixed spread and no skew, on the same market, through the same
queue: the figures of the strategy mean something only against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from lunomm.errors import UsageError
from lunomm.market.clock import Now
from lunomm.market.observer import Observer
from lunomm.market.records import OwnOrder, Tick
from lunomm.market.rules import PairRules
from lunomm.market.warm import CandleClose, PublicFill
from lunomm.quoting import fair_price
from lunomm.quoting.fair_price import FairPrice
from lunomm.quoting.inputs import Fill
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator import profiles
from lunomm.simulator.draws import draws
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.venue import AccountSpec
from lunomm.tape.attention import Attending
from lunomm.tape.attribution import Attribution, OrderLife, Session, attribute
from lunomm.tape.backtest import Backtest, with_own
from lunomm.tape.counterparty import Counterparty
from lunomm.tape.decoded import Frame, Item
from lunomm.tape.lane import Lane
from lunomm.tape.lines import Warmth
from lunomm.tape.outcome import LaneOutcome, Outcome, QuoteLog, digest_of
from lunomm.tape.paper import PaperMarket, PaperVenue, paper_venue
from lunomm.tape.reader import TapeOwn
from lunomm.tape.script import Replayed, Script
from lunomm.tape.setup import Setup, baseline_options
from lunomm.trading.orders import Order
from lunomm.trading.shared import Settings

OWNER: Final = "backtest"
STRATEGY, BASELINE = "strategy", "fixed spread"
RETAIL_COUNTER: Final = Decimal(30_000)
"""Counter money at the start where the simulated exchange's account knows none of the currency."""

REMEMBER_MS: Final = 10_000
"""No message is repeated here: an ended order is of no interest for long."""


def run_trial(
    rules: PairRules,
    items: Iterable[Item],
    setup: Setup,
    *,
    own: frozenset[str] = frozenset(),
    price: FairPrice | None = None,
    tell: Callable[[int], None] | None = None,
    scripts: dict[object, Script] | None = None,
    before: Iterable[Item] = (),
) -> Outcome:
    """Run the strategy, and the baseline beside it.

    Args:
        own: ids of our own orders of old in the tape. price: what to quote around, for a function of the user's.
        tell: is told the number of frames now and then. scripts: kept between runs over the same items: what the first
            made of the market serves the others.
        before: what precedes the items on their tape, where they are a part of it: the market is watched from there on,
            nobody trades.

    Raises:
        UsageError: the tape has no snapshot.
        ModelError: options no model can price.
    """
    trial = _Trial(rules, setup, own, price, scripts, before)
    warm, attending = setup.warm, trial.attending
    for count, item in enumerate(items):
        if setup.end_ns is not None and item.recv_ns > setup.end_ns:
            break
        if warm is not None and item.recv_ns >= warm.at_ns:
            trial.warm(warm)
            warm = None
        if type(item) is Frame:
            if attending is not None:
                attending.before(item.event.sequence, item.recv_ns)
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
        before: Iterable[Item],
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
            watch = Backtest(rules, observer, back_ns)
            for item in before:
                watch.take(item)
            self.backtest = Backtest(rules, observer, back_ns, own)
            self._script = self.backtest.note(observer) if plain else None
        self.backtest.begin, self.backtest.begin_ns = self._begin, setup.start_ns
        self.attending = None if setup.attention is None else Attending(setup.attention, self.backtest.look)
        self._venues: list[PaperVenue] = []
        self._quoted: list[QuoteLog] = []

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
        venue.venue.desk.unfilled_kept = None  # each is looked at when the tape is over
        limited = None if setup.attention is None else setup.attention.limited
        far = Counterparty(venue.venue, venue.drain, OWNER, setup.latency, limited)
        quoter = Quoter(rules.pair, options, epoch_ms=setup.epoch_ms, fair_price=self._price)
        settings = Settings(
            limits=setup.limits,
            balance_ns=round(setup.balance_s * 1e9),
            remember_ms=REMEMBER_MS,
            limit_use=False,  # nobody watches: a seventh of what the gateway costs
        )
        market = venue.market(rules.pair)

        log = QuoteLog()
        lane = Lane(
            name, rules, quoter, far, settings, self.backtest.look, Now(now_ns, now_ns),
            show_own=None if setup.unseen else lambda tick: show_own(market, rules, lane.live(), tick),
            params=setup.params, moved=log.note,
            attending=self.attending if name == STRATEGY else None, quote_from_ns=setup.quote_from_ns,
            opening=setup.opening,
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
            void=backtest.void,
            start_ns=start_ns,
            end_ns=end_ns,
            lanes=lanes,
            digest=digest_of((backtest.frames, backtest.gaps, backtest.path.start_ns, backtest.path.end_ns), lanes),
            takers=tuple(backtest.takers),
            rows=tuple(backtest.rows),
        )

    def _outcome_of(self, lane: Lane, venue: PaperVenue, log: QuoteLog) -> LaneOutcome:
        rules, record, path = self.rules, lane.record, self.backtest.path
        entries = [
            msgspec.structs.replace(entry, fair=self.backtest.fair_before.get(entry.ts_ms))
            if isinstance(entry, Fill)
            else entry
            for entry in record.entries
        ]
        summed = venue.market(rules.pair).brackets.sum()
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
