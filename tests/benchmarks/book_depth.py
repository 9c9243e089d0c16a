"""Whether an update costs the same on a book of a thousand orders and of a hundred thousand."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from harness import Outcome, Subject, ratio, side_by_side, spread

from lunomm.market.clock import Now
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.rules import MarketStatus, PairRules, Side

WORK = "book + every field of the tick as published text, for each of 20,000 creates and deletes"
LEAVES_OUT = (
    "decoding; orders stand four to a price, as deep as their number takes them; the rest of the updates anywhere"
)
DEPTHS = (1_000, 10_000, 100_000)
UPDATES = 20_000
BEST = 10_000_000
STEP_NS = 50_000_000


def rules() -> PairRules:
    none, all_of_it = Decimal(0), Decimal(10**9)
    return PairRules(
        pair="XBTZAR",
        base="XBT",
        counter="ZAR",
        price_scale=0,
        volume_scale=6,
        min_price=none,
        max_price=all_of_it,
        min_volume=none,
        max_volume=all_of_it,
    )


def session(count: int) -> tuple[BookSnapshot, list[BookUpdate]]:
    """A book of ``count`` orders, and updates that leave it about as large."""
    draw = random.Random(count)
    levels = count // 8
    sides: dict[Side, list[BookOrder]] = {Side.BID: [], Side.ASK: []}
    for side, rows in sides.items():
        for place in range(count // 2):
            price = BEST - side.sign * (1 + 2 * (place // 4))
            rows.append(BookOrder(f"{side.value}{place}", price, draw.randrange(1, 10**6)))
    snapshot = BookSnapshot(1, tuple(sides[Side.BID]), tuple(sides[Side.ASK]), MarketStatus.ACTIVE, STEP_NS)
    alive = [order.order_id for rows in sides.values() for order in rows]
    updates = []
    for number in range(UPDATES):
        sequence, at_ns = number + 2, (number + 2) * STEP_NS
        if number % 2:
            place = draw.randrange(len(alive))
            alive[place], alive[-1] = alive[-1], alive[place]
            updates.append(BookUpdate(sequence, (), None, alive.pop(), None, at_ns))
            continue
        side = draw.choice((Side.BID, Side.ASK))
        deep = draw.randrange(12) if number % 4 else draw.randrange(2 * levels)
        create = BookCreate(f"n{number}", side, BEST - side.sign * (1 + deep), draw.randrange(1, 10**6))
        alive.append(create.order_id)
        updates.append(BookUpdate(sequence, (), create, None, None, at_ns))
    return snapshot, updates


def at_depth(count: int) -> Subject:
    pair, (snapshot, updates) = rules(), session(count)

    def prepare() -> Callable[[], int]:
        observer = Observer(pair)
        observer.on_snapshot(snapshot, Now(snapshot.exchange_ns, 0))

        def work() -> int:
            for update in updates:
                now = Now(update.exchange_ns, 0)
                observer.on_update(update, now)
                observer.written(now, beat=1, wall_ms=1.0, stream_age_ms=1.0, lag_ms=1.0)
            return len(updates)

        return work

    return prepare


def run() -> Outcome:
    subjects = {f"{count:,} orders": at_depth(count) for count in DEPTHS}
    found = side_by_side(subjects)
    least = found[f"{DEPTHS[0]:,} orders"]
    return Outcome(
        "book_depth",
        WORK,
        LEAVES_OUT,
        {name: spread(times) for name, times in found.items()},
        {f"{name} / {DEPTHS[0]:,} orders": ratio(found[name], least) for name in list(found)[1:]},
        wanted={f"{name} / {DEPTHS[0]:,} orders": 2 for name in list(found)[1:]},
    )
