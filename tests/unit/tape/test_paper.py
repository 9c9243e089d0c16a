"""The paper venue, rule by rule: places in the queue, what reaches us, gaps, the bracket."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lunomm.errors import BookError, SequenceGap
from lunomm.market.book import Book
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.venue import AccountSpec, VenueError
from lunomm.tape.paper import Counts, PaperVenue, bracket_sum, paper_venue

PAIR = "XBTMYR"
RULES = PairRules(
    pair=PAIR,
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
FEES = {PAIR: FeeRates(Decimal("0.001"), Decimal("0.002"))}
BID, ASK = Side.BID, Side.ASK
NOW = 1_790_000_000_000


class Upstream:
    """A market told frame by frame, and the paper venue beside it. Prices and lots are plain numbers."""

    def __init__(self, *, given: bool = False) -> None:
        self.sequence, self.given = 100, Book(RULES) if given else None
        account = AccountSpec("sim", {"XBT": Decimal(100), "MYR": Decimal(100_000)}, FEES)
        books = None if self.given is None else {PAIR: self.given}
        self.paper = paper_venue([RULES], [account], random.Random(7), books=books)
        self.market = self.paper.market(PAIR)

    def snapshot(self, bids: list[tuple[str, int, int]], asks: list[tuple[str, int, int]]) -> None:
        self.sequence += 10
        event = BookSnapshot(
            self.sequence,
            tuple(BookOrder(*row) for row in bids),
            tuple(BookOrder(*row) for row in asks),
            MarketStatus.ACTIVE,
            NOW * 1_000_000,
        )
        if self.given is not None:
            self.given.load(event)
        self.paper.feed(PAIR, event)

    def frame(
        self,
        trades: tuple[tuple[str, int], ...] = (),
        create: tuple[str, Side, int, int] | None = None,
        delete: str | None = None,
        status: MarketStatus | None = None,
    ) -> None:
        self.sequence += 1
        rows = []
        for maker, lots in trades:
            order = self.market.book.order(maker)
            assert order is not None
            counter = Decimal(lots * order.price).scaleb(-2)
            rows.append(BookTrade(maker, "TAKER", lots, str(counter), None))
        made = None if create is None else BookCreate(*create)
        event = BookUpdate(self.sequence, tuple(rows), made, delete, status, NOW * 1_000_000)
        self.paper.feed(PAIR, event, None if self.given is None else self.given.apply(event))

    def order(self, side: Side, price: int, lots: int, **given: Any) -> str:
        reply = self.paper.venue.postorder(
            NOW, "sim", pair=PAIR, type=side.value, price=str(price), volume=str(Decimal(lots).scaleb(-2)), **given
        )
        return reply.order_id

    def filled(self, order_id: str) -> int:
        return next(o.filled_lots for o in self.paper.venue.orders() if o.order_id == order_id)


@pytest.fixture(params=[False, True], ids=["its own book", "somebody else's book"])
def up(request: pytest.FixtureRequest) -> Upstream:
    upstream = Upstream(given=request.param)
    upstream.snapshot([("A", 100, 40), ("B", 99, 50)], [("X", 103, 30), ("Y", 104, 60)])
    return upstream


def test_an_order_joins_behind_and_moves_up_by_id(up: Upstream) -> None:
    mine = up.order(BID, 100, 30, post_only=True)
    up.frame(create=("C", BID, 100, 70))
    assert up.market.queue_ahead(mine) == (40, 1)
    up.frame(trades=(("A", 15),))
    assert up.market.queue_ahead(mine) == (25, 1) and up.filled(mine) == 0
    up.frame(delete="C")
    assert up.market.queue_ahead(mine) == (25, 1)
    up.frame(delete="A")
    assert up.market.queue_ahead(mine) == (0, 0) and up.filled(mine) == 0


def test_a_taker_that_reaches_past_us_fills_us_exactly_as_far(up: Upstream) -> None:
    mine = up.order(BID, 100, 30)
    up.frame(create=("C", BID, 100, 70))
    up.frame(trades=(("A", 40), ("C", 12)))
    assert up.filled(mine) == 12
    up.frame(trades=(("C", 58), ("B", 50)))
    assert up.filled(mine) == 30
    assert up.market.book.order("C") is None, "our size does not consume the others'"
    [bracket] = up.market.brackets.values()
    assert (bracket.pessimistic, bracket.queue, bracket.optimistic) == (30, 30, 30)


def test_money_and_messages_are_the_exchanges(up: Upstream) -> None:
    mine = up.order(BID, 100, 30)
    up.frame(delete="A")
    up.frame(create=("S", ASK, 100, 10))
    fills = up.paper.venue.listtrades("sim", PAIR).trades or []
    assert [(f.order_id, f.price, f.volume, f.fee_base) for f in fills] == [(mine, "100.00", "0.10", "0.0001")]
    balances = {row.asset: row for row in up.paper.venue.balance("sim").balance}
    assert (balances["MYR"].balance, balances["MYR"].reserved) == ("99990.00", "20.00")
    kinds = [msgspec.json.decode(frame.raw)["type"] for frame in up.paper.drain()]
    assert kinds[:2] == ["balance_update", "order_status"] and "order_fill" in kinds
    assert up.market.counts == Counts(fills=1, crossings=1)


def test_an_order_that_crosses_us_trades_with_us_at_our_price_and_rests_in_the_shadow(up: Upstream) -> None:
    mine, deeper = up.order(BID, 102, 30), up.order(BID, 101, 30)
    up.frame(create=("S", ASK, 101, 45))
    assert (up.filled(mine), up.filled(deeper)) == (30, 15)
    assert up.market.book.best_ask() == 101
    assert up.market.fillable(BID, 101, 100) == 0, "what traded with us cannot be taken again"


def test_our_takers_fill_at_the_makers_prices_without_consuming_them(up: Upstream) -> None:
    mine = up.order(BID, 104, 50)
    assert up.filled(mine) == 50
    assert up.market.book.levels(ASK, 2) == [(103, 30), (104, 60)]
    again = up.order(BID, 104, 100, time_in_force="IOC")
    assert up.filled(again) == 40, "the lots taken before are not there twice"
    up.frame(delete="X")
    assert up.market.fillable(BID, 104, 100) == 0


def test_post_only_fok_and_the_status_of_the_market(up: Upstream) -> None:
    with pytest.raises(VenueError) as refused:
        up.order(BID, 103, 10, post_only=True)
    assert refused.value.code == "ErrOrderCanceled"
    killed = up.order(BID, 103, 31, time_in_force="FOK")
    assert up.filled(killed) == 0 and not up.market.orders
    up.frame(status=MarketStatus.POSTONLY)
    with pytest.raises(VenueError, match="post-only"):
        up.order(BID, 90, 10)


def test_through_a_gap_the_place_is_known_by_id_and_the_trades_are_not(up: Upstream) -> None:
    mine, crossed = up.order(BID, 100, 30), up.order(ASK, 103, 30)
    up.paper.lost(PAIR)
    with pytest.raises(VenueError) as refused:
        up.order(BID, 90, 10)
    assert refused.value.code == "ErrMarketUnavailable"
    up.snapshot([("N", 104, 20), ("A", 100, 15), ("M", 100, 99)], [("Y", 110, 60)])
    assert up.market.queue_ahead(mine) == (15, 1), "M came while nobody looked: behind us"
    assert (up.filled(mine), up.filled(crossed)) == (0, 20)
    assert up.market.counts == Counts(fills=1, crossings=1, gaps=1, uncertain=2)
    assert bracket_sum(up.market.brackets.values()).uncertain == 2
    up.paper.lost(PAIR)
    assert up.paper.venue.stoporder(NOW, "sim", mine).success


def test_a_snapshot_out_of_turn_is_a_gap_too(up: Upstream) -> None:
    up.order(BID, 100, 30)
    up.snapshot([("A", 100, 40)], [])
    assert up.market.counts.gaps == 1


def test_the_same_crossing_order_trades_with_us_once(up: Upstream) -> None:
    mine = up.order(BID, 102, 60)
    up.frame(create=("S", ASK, 101, 45))
    up.snapshot([("A", 100, 40)], [("S", 101, 45), ("T", 102, 10)])
    assert up.filled(mine) == 55


def test_the_bracket_of_an_order_at_the_touch_and_of_one_cancelled(up: Upstream) -> None:
    mine = up.order(BID, 100, 30)
    up.frame(trades=(("A", 5),))
    up.paper.venue.stoporder(NOW + 5, "sim", mine)
    up.frame(trades=(("A", 35), ("B", 50)))
    bracket = up.market.brackets[mine]
    assert (bracket.pessimistic, bracket.queue, bracket.optimistic, bracket.ended_ms) == (0, 0, 30, NOW + 5)


def test_a_frame_that_does_not_fit_is_said_and_nothing_is_filled() -> None:
    up = Upstream()
    with pytest.raises(BookError, match="without a snapshot"):
        up.frame(create=("S", ASK, 100, 10))
    up.snapshot([("A", 100, 40)], [])
    mine = up.order(BID, 101, 5)
    up.sequence += 1
    with pytest.raises(SequenceGap):
        up.frame(create=("S", ASK, 100, 10))
    assert up.filled(mine) == 0


def test_stop_orders_watch_the_upstreams_trades(up: Upstream) -> None:
    stop = up.order(BID, 104, 10, stop_price="103", stop_direction="ABOVE")
    assert up.filled(stop) == 0
    up.frame(trades=(("X", 1),))
    assert up.filled(stop) == 10


def test_two_venues_of_one_seed_are_the_same(up: Upstream) -> None:
    other = Upstream()
    other.snapshot([("A", 100, 40)], [])
    ids = [made.order(BID, 90, 10) for made in (up, other)]
    assert ids[0] == ids[1]
    assert isinstance(up.paper, PaperVenue)
