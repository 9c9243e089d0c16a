"""The paper venue against the matching engine: the same orders at the same moments, once in the market, once beside it.

*Truth*: a market of the simulator in which a visitor's orders rest, trade and are cancelled. Its frames are recorded as
the upstream would have sent them had the visitor not been there: his creates and deletes are taken out, and the volume
that takers brought him is kept: as more of what came to rest of the taker, or else as a trade with an order that
appears where the taker ended, behind everybody, in the instant before. What he took himself stays in the book until its
order leaves. *Paper*: that recording through the paper venue, and the visitor's requests again where they fell.

    bash scripts.sh soak paper [--seeds N] [--seed-from N] [--workers N]
"""
# ruff: noqa: T201 (a campaign prints)

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from lunomm.market.events import BookCreate, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator import profiles
from lunomm.simulator.draws import draws
from lunomm.simulator.flow import Flow
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.matching import Engine, TimeInForce
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError
from lunomm.simulator.walk import STEP_S, Walk
from lunomm.tape.paper import Bracket, paper_venue
from lunomm.tape.paper_log import Scribe, decoded, encoded, restore

OWNER = "ann"
START_MS = 1_790_000_000_000
NS = 1_000_000
GRID = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=2,
    min_price=Decimal(1),
    max_price=Decimal(100_000),
    min_volume=Decimal("0.01"),
    max_volume=Decimal(1000),
    fee_scale=8,
)
FEES = FeeRates(Decimal("0.0035"), Decimal("0.006"))


class Call(NamedTuple):
    """A request of the visitor's. name: his word for the order; cancel: take it back. given: of ``postorder``."""

    at_ms: int
    name: str
    cancel: bool
    given: dict[str, Any]


class Fill(NamedTuple):
    """maker, taker: the visitor's word for his order, "" for the others'."""

    maker: str
    taker: str
    side: Side
    price: int
    lots: int


@dataclass
class Told:
    """What the visitor saw of his session. answers: one a call, "" or the refusal."""

    fills: list[Fill] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Order id -> his word."""


class Visitor:
    """Makes the visitor's calls at a venue and writes down what comes of them."""

    def __init__(self, venue: Venue, pair: str) -> None:
        self.venue, self.told = venue, Told()
        self._calling = ""
        matcher = venue.matcher(pair)
        settle = matcher.listener
        assert settle is not None

        def listen(frame: MarketFrame) -> None:
            for t in frame.trades:
                if t.maker_owner is not None or t.taker_owner is not None:
                    maker = self._word(t.maker_id) if t.maker_owner is not None else ""
                    taker = self._word(t.taker_id) if t.taker_owner is not None else ""
                    self.told.fills.append(Fill(maker, taker, t.maker_side, t.price, t.lots))
            settle(frame)

        matcher.listener = listen

    def _word(self, order_id: str) -> str:
        return self.told.names.get(order_id, self._calling)

    def call(self, call: Call) -> None:
        self._calling = call.name
        answer = ""
        try:
            if call.cancel:
                ids = [order_id for order_id, name in self.told.names.items() if name == call.name]
                self.venue.stoporder(call.at_ms, OWNER, ids[0] if ids else "none")
            else:
                reply = self.venue.postorder(call.at_ms, OWNER, client_order_id=call.name, **call.given)
                self.told.names[reply.order_id] = call.name
        except VenueError as error:
            answer = error.code or str(error)
        self.told.answers.append(answer)

    def money(self) -> list[tuple[str, int, int]]:
        return [(w.asset, w.total, w.reserved) for w in self.venue.ledger.wallets(OWNER)]


class Recorder:
    """The frames of the truth as the upstream would have sent them without the visitor."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sequence = engine.sequence
        self.ghosts = 0
        self.debt: dict[str, int] = {}
        """Lots that the visitor took of an order which still rests."""

    def others(self, frame: MarketFrame) -> list[BookUpdate]:
        at_ms, rows, events = frame.timestamp_ms, [], []
        plain = frame.event()
        create = plain.create
        his = sum(t.lots for t in frame.trades if t.maker_owner is not None)
        used_up = [t.maker_id for t in frame.trades if not t.maker_left and self.debt.pop(t.maker_id, 0)]
        rests = create is not None and not used_up
        if create is not None and rests and his:
            # A taker with a rest: without him so much more of it would have come to rest.
            create = replace(create, lots=create.lots + his)
            self.debt[create.order_id] = his
        for t, row in zip(frame.trades, plain.trades, strict=True):
            if t.maker_owner is None:
                rows.append(row)
            elif not rests:
                # Where the taker ended: nobody but him was reached there, and he would have gone on from there.
                self.ghosts += 1
                price = frame.trades[-1].price
                row = row._replace(maker_id=f"GHOST{self.ghosts}", counter=self.engine.text.counter(t.lots * price))
                events.append(self._update(at_ms, create=BookCreate(row.maker_id, t.maker_side, price, t.lots)))
                rows.append(row)
        gone = frame.delete_id
        self.debt.pop(gone or "", None)
        if used_up:
            # What he took of them must be gone before the taker's rest can stand: one moment in two frames.
            events.append(self._update(at_ms, tuple(rows)))
            events += [self._update(at_ms, delete=order_id) for order_id in used_up]
            rows = []
        events.append(self._update(at_ms, tuple(rows), create, gone, plain.status))
        return events

    def ours(self, frame: MarketFrame) -> list[BookUpdate]:
        events = []
        for t in frame.trades:
            if t.maker_owner is None:
                self.debt[t.maker_id] = self.debt.get(t.maker_id, 0) + t.lots
                if not t.maker_left:
                    del self.debt[t.maker_id]
                    events.append(self._update(frame.timestamp_ms, delete=t.maker_id))
        return events

    def _update(
        self,
        at_ms: int,
        trades: tuple[BookTrade, ...] = (),
        create: BookCreate | None = None,
        delete: str | None = None,
        status: MarketStatus | None = None,
    ) -> BookUpdate:
        self.sequence += 1
        return BookUpdate(self.sequence, trades, create, delete, status, at_ms * NS)


@dataclass
class Session:
    """One market with a visitor, recorded. log: calls, and the upstream's frames of a moment, as they fell."""

    seed: int
    rules: PairRules
    accounts: list[AccountSpec]
    opening: BookSnapshot
    log: list[list[BookUpdate] | Call]
    truth: Visitor
    ahead: list[list[tuple[str, int]]]
    """After each call: his resting orders and how many orders of the others stand before them."""


class Stage:
    """Runs a market with its visitor and records it."""

    def __init__(self, seed: int, rules: PairRules, money: dict[str, Decimal], fees: FeeRates) -> None:
        self.seed, self.rules = seed, rules
        self.accounts = [AccountSpec(OWNER, money, {rules.pair: fees})]
        self.venue = Venue([MarketSpec(rules)], self.accounts, draws(seed, "ids").ids)
        self.engine = self.venue.engine(rules.pair)
        self.log: list[list[BookUpdate] | Call] = []
        self.ahead: list[list[tuple[str, int]]] = []
        self.acting = False

    def open(self) -> None:
        """From here on everything is recorded."""
        self.venue.drain()
        self.visitor = Visitor(self.venue, self.rules.pair)
        self.opening = self.engine.snapshot()
        self.recorder = Recorder(self.engine)
        settle = self.engine.listener
        assert settle is not None

        def listen(frame: MarketFrame) -> None:
            self.log.append((self.recorder.ours if self.acting else self.recorder.others)(frame))
            settle(frame)

        self.engine.listener = listen

    def call(self, call: Call) -> None:
        self.log.append(call)
        self.acting = True
        self.visitor.call(call)
        self.acting = False
        self.ahead.append(places(self.visitor.told, self._stands_before))

    def _stands_before(self, order_id: str) -> int | None:
        order = self.engine.orders.get(order_id)
        if order is None:
            return None
        count = 0
        for other in self.engine.resting(order.side):
            if other is order:
                break
            count += other.price == order.price and other.owner is None
        return count

    def session(self) -> Session:
        return Session(self.seed, self.rules, self.accounts, self.opening, self.log, self.visitor, self.ahead)


def places(told: Told, before: Callable[[str], int | None]) -> list[tuple[str, int]]:
    found = [(name, before(order_id)) for order_id, name in told.names.items()]
    return [(name, count) for name, count in found if count is not None]


# --- two kinds of market ----------------------------------------------------------------------------------------------


def dense(seed: int, steps: int = 600) -> Session:
    """Thirteen prices, small orders, takers with rests: everything meets everything."""
    rng = random.Random(seed)
    stage = Stage(seed, GRID, {"XBT": Decimal(400), "MYR": Decimal(40_000)}, FEES)
    engine, now_ms = stage.engine, START_MS
    for price in (*range(94, 99), *range(102, 107)):
        engine.place(now_ms, None, Side.BID if price < 100 else Side.ASK, price, rng.randint(1, 900))
    stage.open()
    words = 0
    for _ in range(steps):
        now_ms += rng.randint(0, 3)
        if rng.random() < 0.25:
            words += 1
            stage.call(_request(rng, now_ms, words, engine, GRID, spread=3, most=600))
            continue
        side = rng.choice((Side.BID, Side.ASK))
        drawn = rng.random()
        houses = [order for order in engine.orders.values() if order.owner is None]
        if drawn < 0.30 and len(houses) > 4:
            engine.cancel(now_ms, rng.choice(houses).order_id)
        elif drawn < 0.97:
            lots = rng.choice((rng.randint(1, 400), rng.randint(1, 3000)))
            tif = rng.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))
            price = 100 - side.sign * rng.randint(-4, 6)
            engine.place(now_ms, None, side, price, lots, tif=tif, post_only=tif is TimeInForce.GTC and drawn < 0.4)
        else:
            engine.set_status(now_ms, rng.choice((MarketStatus.ACTIVE, *MarketStatus)))
        if engine.status is not MarketStatus.ACTIVE and rng.random() < 0.2:
            engine.set_status(now_ms, MarketStatus.ACTIVE)
    return stage.session()


MIXES = [
    (pair, name) for name in profiles.PROFILES for pair, market in profiles.CATALOGUE.items() if market.profile == name
]
MIXES.append(("XBTMYR", "XBTMYR"))


def flowing(seed: int, seconds: int = 30) -> Session:
    """One of the simulator's own markets under one of its profiles."""
    pair, name = MIXES[seed % len(MIXES)]
    market, profile = profiles.CATALOGUE[pair], profiles.PROFILES[name]
    rules, rng = market.rules, random.Random(seed)
    money = {rules.base: market.retail * 50, rules.counter: market.retail * market.price * 50}
    stage = Stage(seed, rules, money, profiles.fees(seed % 2, rules.counter, rules.base))
    walk = Walk(seed, rules.base, rules.counter, round(profile.horizon_s / STEP_S))
    flow = Flow(profile, market, stage.engine, draws(seed, pair), walk, START_MS * NS)
    flow.act(flow.next_ns)
    stage.open()
    next_ns, words = START_MS * NS, 0
    while flow.next_ns <= START_MS * NS + seconds * 1_000_000_000:
        if next_ns <= flow.next_ns:
            now_ms = flow.next_ns // NS
            next_ns = flow.next_ns + int(rng.expovariate(2.0) * 1e9)
            words += 1
            retail = rules.floor_lots(market.retail)
            best = stage.engine.best_bid() or 1
            stage.call(_request(rng, now_ms, words, stage.engine, rules, spread=max(3, best // 1000), most=2 * retail))
            flow.repair(now_ms)
        flow.act(flow.next_ns)
        stage.venue.drain()
    return stage.session()


def _request(
    rng: random.Random, now_ms: int, words: int, engine: Engine, rules: PairRules, *, spread: int, most: int
) -> Call:
    if words > 1 and rng.random() < 0.3:
        return Call(now_ms, f"o{rng.randint(max(1, words - 12), words - 1)}", True, {})
    side = rng.choice((Side.BID, Side.ASK))
    best = (engine.best_bid() if side is Side.BID else engine.best_ask()) or 100
    joins = rng.random() < 0.5
    ticks = max(1, best if joins else best + side.sign * round(rng.triangular(-1, 1, -0.2) * spread))
    lots = max(rules.ceil_lots(rules.min_volume), rng.randint(1, most))
    kind = rng.choice(
        ({}, {"post_only": True}, {"post_only": True}, {"time_in_force": "IOC"}, {"time_in_force": "FOK"})
    )
    given = {
        "pair": rules.pair,
        "type": side.value,
        "price": str(rules.price(ticks)),
        "volume": str(rules.volume(lots)),
        **kind,
    }
    return Call(now_ms, f"o{words}", False, given)


# --- the same again on paper ------------------------------------------------------------------------------------------


class Life:
    """A paper venue that may be ended and begun again from its rows, or lose the upstream for an instant."""

    def __init__(self, session: Session) -> None:
        self.session, self.pair = session, session.rules.pair
        self.rows: list[str] = []
        self.brackets: list[Bracket] = []
        self.visitor = self._begin(session.opening, Told())

    def _begin(self, book: BookSnapshot, told: Told) -> Visitor:
        session = self.session
        self.paper = paper_venue([session.rules], session.accounts, random.Random(len(self.rows)))
        restore(self.paper, [decoded(row) for row in self.rows])
        Scribe(self.paper, lambda row: self.rows.append(encoded(row)), [self.pair] if self.rows else [])
        self.market = self.paper.market(self.pair)
        visitor = Visitor(self.paper.venue, self.pair)
        visitor.told = told
        self.paper.feed(self.pair, book)
        return visitor

    def again(self) -> None:
        self.visitor = self._begin(self.market.book.snapshot(), self.visitor.told)

    def gap(self) -> None:
        book = self.market.book.snapshot()
        self.paper.lost(self.pair)
        self.paper.feed(self.pair, book)

    def before(self, order_id: str) -> int | None:
        return self.market.queue_ahead(order_id)[1] if order_id in self.market.orders else None


def on_paper(session: Session, breaks: float = 0.0) -> tuple[Life, list[list[tuple[str, int]]]]:
    """breaks: before this share of the entries the venue is begun again, before as many it loses the stream."""
    life, ahead, rng = Life(session), list[list[tuple[str, int]]](), random.Random(session.seed)
    for entry in session.log:
        drawn = rng.random() if breaks else 1.0
        if drawn < breaks:
            life.again()
        elif drawn < 2 * breaks:
            life.gap()
        if isinstance(entry, Call):
            life.visitor.call(entry)
            ahead.append(places(life.visitor.told, life.before))
            continue
        for event in entry:
            life.paper.feed(session.rules.pair, event)
    return life, ahead


@dataclass
class Outcome:
    """What one seed came to. wrong: the first difference, "" for none. reached: what was there to differ."""

    seed: int
    wrong: str
    reached: Counter[str]


def check(session: Session, breaks: float = 0.0) -> Outcome:
    """Everything the visitor sees is the same on paper, and the bracket holds the truth."""
    life, ahead = on_paper(session, breaks)
    truth = session.truth
    brackets = list(life.market.brackets.values())
    reached = Counter(
        frames=sum(len(entry) for entry in session.log if isinstance(entry, list)),
        calls=len(truth.told.answers),
        refused=sum(bool(answer) for answer in truth.told.answers),
        makes=sum(bool(fill.maker) for fill in truth.told.fills),
        takes=sum(bool(fill.taker) for fill in truth.told.fills),
        oneself=sum(bool(fill.maker and fill.taker) for fill in truth.told.fills),
        partial=sum(0 < b.queue < b.lots for b in brackets),
        pessimistic=sum(b.pessimistic for b in brackets),
        queue=sum(b.queue for b in brackets),
        optimistic=sum(b.optimistic for b in brackets),
        brackets_open=sum(b.pessimistic < b.queue < b.optimistic for b in brackets),
    )
    return Outcome(session.seed, _difference(session, life.visitor, ahead, [] if breaks else brackets), reached)


def _difference(session: Session, visitor: Visitor, ahead: list[list[tuple[str, int]]], brackets: list[Bracket]) -> str:
    truth, told = session.truth.told, visitor.told
    for what, here, there in (
        ("answer", truth.answers, told.answers),
        ("fill", truth.fills, told.fills),
        ("places", session.ahead, ahead),
        ("money", session.truth.money(), visitor.money()),
    ):
        for number, (one, other) in enumerate(zip(here, there, strict=False)):
            if one != other:
                return f"{what} {number}: {one} in the market, {other} on paper"
        if len(here) != len(there):
            return f"{len(here)} x {what} in the market, {len(there)} on paper"
    made: Counter[str] = Counter()
    for fill in truth.fills:
        if fill.maker:
            made[fill.maker] += fill.lots
    for b in brackets:
        real = made[told.names[b.order_id]]
        if not b.pessimistic <= real <= b.optimistic or b.queue != real:
            return f"order {told.names[b.order_id]}: {b} does not hold {real}"
    return ""


def run_seed(seed: int) -> Outcome:
    """One seed: three dense markets to one of the simulator's own; every other one with a venue that is interrupted."""
    return check(dense(seed) if seed % 4 else flowing(seed // 4), breaks=0.01 * (seed // 2 % 2))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bash scripts.sh soak paper", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--seed-from", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(argv)
    began_s, totals, wrong = time.monotonic(), Counter[str](), 0
    seeds = range(args.seed_from, args.seed_from + args.seeds)
    with concurrent.futures.ProcessPoolExecutor(args.workers, multiprocessing.get_context("fork")) as pool:
        for outcome in pool.map(run_seed, seeds, chunksize=8):
            totals.update(outcome.reached)
            if outcome.wrong:
                wrong += 1
                print(f"seed {outcome.seed}: {outcome.wrong}", flush=True)
    print(", ".join(f"{name} {count}" for name, count in totals.items()))
    print(f"seeds {args.seeds}, differences {wrong}, {time.monotonic() - began_s:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
