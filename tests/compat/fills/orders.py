"""The orders both venues are given, and what ours makes of them.

Every second of the recording, on each side: one order a tick better than the best where the spread has room, one at the
best price, one at the second and one at the fifth level, each of the smallest size. Every other one is cancelled after
half a minute. Each is alone in a paper venue of its own, as hftbacktest's orders do not meet each other.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lunomm.market.book import Applied, AppliedTrade, Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import PairRules, Side
from lunomm.simulator.refusals import VenueError
from lunomm.simulator.venue import AccountSpec
from lunomm.tape.paper import PaperVenue, paper_venue
from lunomm.tape.reader import Tape, TapeFrame

EVERY_NS = 1_000_000_000
LIFE_NS = 30_000_000_000
LATENCY_NS = 10_500_000
"""From sent to arrived. Frames are on whole milliseconds: nothing arrives together with one."""

OWNER = "compat"
RICH = Decimal(10) ** 9


@dataclass
class Planned:
    """One order. at_ns: sent; cancel_ns: the cancel is sent, 0 never. refused: why ours never let it rest.

    filled_ns: when ours filled it, 0 never; beyond: the taker had gone on to a worse price, or its rest came to rest at
    or through ours. queue_ns: the first frame in which an order behind it at its very price traded, or an order of the
    other side came to rest at or through it, 0 never: what hftbacktest's queues (2.4.4) fill by. frame: at filled_ns.
    """

    number: int
    side: Side
    ticks: int
    at_ns: int
    cancel_ns: int
    filled_ns: int = 0
    queue_ns: int = 0
    beyond: bool = False
    refused: str = ""
    frame: str = ""

    @property
    def arrives_ns(self) -> int:
        return self.at_ns + LATENCY_NS

    @property
    def gone_ns(self) -> int:
        """When the cancel arrives; 0 never."""
        return self.cancel_ns + LATENCY_NS if self.cancel_ns else 0


def frames(tape: Tape) -> Iterator[TapeFrame]:
    return (item for item in tape if isinstance(item, TapeFrame))


def plan(tape: Tape) -> list[Planned]:
    """Prices as they stand when an order is sent, so that only latency can make one cross."""
    book, found = Book(tape.rules), list[Planned]()
    due = 0
    for frame in frames(tape):
        event = frame.event
        if isinstance(event, BookSnapshot):
            book.load(event)
            due = due or event.exchange_ns + EVERY_NS
            continue
        while due < event.exchange_ns:
            for side in Side:
                for ticks in prices(book, side):
                    number = len(found) + 1
                    found.append(Planned(number, side, ticks, due, due + LIFE_NS if number % 2 else 0))
            due += EVERY_NS
        book.apply(event)
    return found


def prices(book: Book, side: Side) -> list[int]:
    levels = [price for price, _ in book.levels(side, 5)]
    other = book.side(side.other).best()
    better = levels[0] + side.sign
    inside = [better] if other is not None and side.sign * better < side.sign * other else []
    return [*inside, levels[0], *levels[1:2], *levels[4:5]]


@dataclass
class _Alone:
    """One order and its venue. over: ours is done with it."""

    order: Planned
    venue: PaperVenue
    order_id: str = ""
    over: bool = False


def run(tape: Tape) -> list[Planned]:
    """Every planned order through a paper venue."""
    planned = plan(tape)
    book, came = Book(tape.rules), dict[str, int]()
    waiting, live = deque(planned), list[_Alone]()
    for frame in frames(tape):
        event = frame.event
        if isinstance(event, BookSnapshot):
            book.load(event)
            continue
        while waiting and waiting[0].arrives_ns < event.exchange_ns:
            alone = _Alone(waiting.popleft(), _venue(tape.rules, book))
            _post(alone, tape.rules)
            live += [] if alone.order.refused else [alone]
        live = [alone for alone in live if not 0 < alone.order.gone_ns < event.exchange_ns]
        applied = book.apply(event)
        if event.create is not None:
            came[event.create.order_id] = event.exchange_ns
        for alone in live:
            if not alone.over:
                _feed(alone, tape.rules.pair, event, applied)
            _queue(alone.order, event, applied, came)
        live = [alone for alone in live if not (alone.over and alone.order.queue_ns)]
    return planned


def _venue(rules: PairRules, book: Book) -> PaperVenue:
    account = AccountSpec(OWNER, {rules.base: RICH, rules.counter: RICH})
    venue = paper_venue([rules], [account], random.Random(1), books={rules.pair: book})
    # A venue that joins late sees the book as it is, by a snapshot, as a client would.
    venue.feed(rules.pair, book.snapshot())
    return venue


def _post(alone: _Alone, rules: PairRules) -> None:
    order = alone.order
    arguments: dict[str, Any] = {
        "pair": rules.pair,
        "type": order.side.value,
        "volume": f"{rules.min_volume:f}",
        "price": f"{rules.price(order.ticks):f}",
        "post_only": True,
    }
    try:
        alone.order_id = str(alone.venue.venue.postorder(order.arrives_ns // 1_000_000, OWNER, **arguments).order_id)
    except VenueError as error:
        order.refused = error.code
        return
    if alone.order_id not in alone.venue.market(rules.pair).orders:
        order.refused = "post-only"


def _feed(alone: _Alone, pair: str, event: BookUpdate, applied: Applied) -> None:
    alone.venue.feed(pair, event, applied)
    market = alone.venue.market(pair)
    if alone.order_id in market.orders:
        return
    order = alone.order
    order.filled_ns, alone.over = event.exchange_ns, True
    order.beyond = crossing(order, event) or any(
        order.side.sign * trade.price < order.side.sign * order.ticks for trade in met(order, applied)
    )
    order.frame = described(event, applied)


def _queue(order: Planned, event: BookUpdate, applied: Applied, came: dict[str, int]) -> None:
    """Whether this frame fills the order in a queue of its price alone."""
    if order.queue_ns:
        return
    behind = any(
        trade.price == order.ticks and came.get(trade.maker_id, 0) > order.arrives_ns for trade in met(order, applied)
    )
    if behind or crossing(order, event):
        order.queue_ns = event.exchange_ns


def met(order: Planned, applied: Applied) -> list[AppliedTrade]:
    """The trades of a frame with makers of the order's side."""
    return [trade for trade in applied.trades if trade.maker_side is order.side]


def crossing(order: Planned, event: BookUpdate) -> bool:
    """Whether an order of the other side comes to rest at the order's price or through it."""
    made = event.create
    return made is not None and made.side is order.side.other and order.side.sign * (order.ticks - made.price) >= 0


def described(event: BookUpdate, applied: Applied) -> str:
    """A frame in words."""
    trades = [f"{trade.lots} lots at {trade.price} of a {trade.maker_side.value}" for trade in applied.trades]
    rest = (
        f"a {event.create.side.value} of {event.create.lots} lots comes to rest at {event.create.price}"
        if event.create
        else ""
    )
    return "; ".join([*trades, *([rest] if rest else [])]) or "nothing traded"
