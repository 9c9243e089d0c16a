"""The simulated exchange and a whole quoter with its gateway on one virtual clock: a session, and its tape."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from lunomm.luno.wire import decode_market_frame
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import Exchange, seeded
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue_specs import FREE, AccountSpec
from lunomm.tape.backtest import Backtest
from lunomm.tape.counterparty import Counterparty
from lunomm.tape.lane import Lane
from lunomm.tape.latency import Latency
from lunomm.tape.paper import paper_venue
from lunomm.tape.trial import show_own
from lunomm.trading.limits import Limits
from lunomm.trading.shared import Settings

PAIR, OWNER = "XBTMYR", "sim"
START_NS = 1_790_000_000_000_000_000
MS = 1_000_000
Item = tuple[int, BookSnapshot | BookUpdate | tuple[OwnIntent, ...]]

QUOTING: dict[str, Any] = {
    "order_size": Decimal("0.002"), "order_refresh_rate_s": 5.0, "filled_order_delay_s": 2.0, "horizon_s": 600.0,
    "kappa_prior": 0.0013, "inventory_target": "50%",
}  # fmt: skip


@dataclass
class Session:
    """What happened. tape: what a recorder at our place would have kept, our own orders with it; opening, raw: the
    texts of its frames, by sequence."""

    rules: PairRules
    lane: Lane
    exchange: Exchange
    tape: list[Item] = field(default_factory=list)
    opening: str = ""
    raw: dict[int, str] = field(default_factory=dict)


def rules_of(exchange: Exchange) -> PairRules:
    return exchange.venue.engine(PAIR).rules


def make_quoter(**options: Any) -> Quoter:
    return Quoter(PAIR, QuoterOptions(**{**QUOTING, **options}), epoch_ms=START_NS // MS)


def settings() -> Settings:
    return Settings(limits=Limits())


def run(seed: int, seconds: float, latency: Latency, profile: str = "theory", **options: Any) -> Session:
    """Trade on the matching engine itself, every call and message under way for as long as ``latency`` says."""
    exchange = seeded([PAIR], profile=profile, seed=seed, fee_tier=0, start_ns=START_NS)
    venue, house = exchange.venue, exchange.houses[PAIR]
    rules = rules_of(exchange)
    user: list[UserFrame] = []
    market: list[Any] = []

    def pull() -> None:
        for frame in venue.drain():
            (user if isinstance(frame, UserFrame) else market).append(frame)

    def drained() -> list[UserFrame]:
        pull()
        heard = list(user)
        user.clear()
        return heard

    observer = Observer(rules)
    driver = Backtest(rules, observer, latency.back_ns)
    now = Now(START_NS, START_NS)
    far = Counterparty(venue, drained, OWNER, latency)
    lane = Lane("sim", rules, make_quoter(**options), far, settings(), driver.look, now)
    driver.add(lane, lambda event, applied: None, lambda: None)
    session = Session(rules, lane, exchange)
    session.opening = exchange.snapshot_raw(PAIR)
    snapshot = decode_market_frame(session.opening, rules)
    assert isinstance(snapshot, BookSnapshot)
    driver.frame(START_NS, snapshot)
    session.tape.append((START_NS, snapshot))
    known: tuple[OwnIntent, ...] = ()
    coming: deque[BookUpdate] = deque()

    def make() -> None:
        pull()
        for frame in market:
            event = decode_market_frame(frame.raw, rules)
            assert isinstance(event, BookUpdate)
            session.raw[event.sequence] = frame.raw
            coming.append(event)
        market.clear()

    end_ns = START_NS + int(seconds * 1e9)
    while True:
        # One clock for both ends. Within a millisecond: the house, then calls that arrive, frames that do, and our own.
        due, at = house.next_ns or end_ns, far.next_arrival_ns
        frame_ns = coming[0].exchange_ns + latency.back_ns if coming else None
        times = [(due // MS * MS, 0), (lane.next_ns, 3)]
        times += [(at // MS * MS, 1)] if at is not None else []
        times += [(frame_ns, 2)] if frame_ns is not None else []
        now_ns, what = min(times)
        if now_ns > end_ns:
            break
        if what == 0:
            house.act(due)
            lane.hear(now_ns + latency.back_ns)
            make()
        elif what == 1:
            far.arrive_before(now_ns + MS)
            house.repair(now_ns // MS)
            make()
        elif what == 2:
            event = coming.popleft()
            driver.frame(event.exchange_ns, event)
            session.tape.append((driver.now_ns, event))
            own = _own(lane, rules)
            if own != known:
                known = own
                driver.own(driver.now_ns, own)
                session.tape.append((driver.now_ns, own))
        else:
            lane.run_before(now_ns + 1)
    driver.finish()
    return session


def replayed(session: Session, latency: Latency, **options: Any) -> Lane:
    """The session's tape through the paper venue, with the same options; its own orders of then taken out."""
    rules, tape = session.rules, session.tape
    own = {intent.order_id for _, item in tape if _is_own(item) for intent in item}  # type: ignore[union-attr]
    observer = Observer(rules)
    driver = Backtest(rules, observer, latency.back_ns, frozenset(name for name in own if name is not None))
    money = {w.asset: Decimal(w.total).scaleb(-18) for w in _wallets()}
    paper = paper_venue(
        [rules], [AccountSpec(OWNER, money, {PAIR: FREE})], draws(1, "ids").ids, books={PAIR: driver.book}
    )
    far = Counterparty(paper.venue, paper.drain, OWNER, latency)
    show = partial(show_own, paper.market(PAIR), rules)
    lane = Lane(
        "paper", rules, make_quoter(**options), far, settings(), driver.look, Now(START_NS, START_NS),
        show_own=lambda tick: show(lane.live(), tick),
    )  # fmt: skip
    driver.add(lane, partial(paper.feed, PAIR), partial(paper.lost, PAIR))
    for recv_ns, item in tape:
        if _is_own(item):
            driver.own(recv_ns, item)  # type: ignore[arg-type]
        else:
            driver.frame(recv_ns, item)  # type: ignore[arg-type]
    driver.finish()
    return lane


def _wallets() -> list[Any]:
    """As the account was before the session."""
    return seeded([PAIR], profile="theory", seed=1, fee_tier=0, start_ns=START_NS).venue.ledger.wallets(OWNER)


def _is_own(item: object) -> bool:
    return isinstance(item, tuple) and (not item or isinstance(item[0], OwnIntent))


def _own(lane: Lane, rules: PairRules) -> tuple[OwnIntent, ...]:
    return tuple(
        OwnIntent(
            order.intent_id, order.order_id, order.side,
            rules.price_ticks(f"{order.price:f}"), rules.volume_lots(f"{order.leaves:f}"),
        )
        for order in lane.live()
    )  # fmt: skip


def told(lane: Lane) -> Iterator[tuple[Any, ...]]:
    """Every order and fill of a lane, comparable between venues."""
    for order in lane.record.placed:
        last = lane.record.orders[order.client_order_id]
        yield order.client_order_id, order.side, order.price, order.volume, order.created_ms, last.state, last.filled
    for entry in lane.record.entries:
        yield entry.ts_ms, getattr(entry, "client_order_id", None), getattr(entry, "volume", None)
