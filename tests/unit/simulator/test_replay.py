"""A recording re-enacted: byte for byte while nobody visits, in step with the recording whatever a visitor does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from lunomm.errors import UsageError
from lunomm.luno.wire import decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.draws import draws
from lunomm.simulator.exchange import OWNER
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.profiles import CATALOGUE
from lunomm.simulator.replay import END_AFTER_NS, Recorded, Replay
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue
from lunomm.tape.reader import TapeFrame, read_tape

OURS = Path(__file__).parents[2] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"
REAL = Path(__file__).parents[3].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
RULES = CATALOGUE["XBTZAR"].rules
T = 1_626_199_457_000


def venue_of(rules: PairRules) -> Venue:
    account = AccountSpec(OWNER, {rules.base: Decimal(1000), rules.counter: Decimal(10**9)})
    return Venue([MarketSpec(rules)], [account], draws(1, "ids").ids)


def recorded(path: Path, pair: str | None = None) -> tuple[PairRules, list[Recorded]]:
    tape = read_tape(path, pair)
    return tape.rules, [Recorded(item.raw, item.event) for item in tape if isinstance(item, TapeFrame)]


def play(replay: Replay) -> None:
    while (due := replay.next_ns) is not None:
        replay.act(due)


# --- small recordings, written by hand --------------------------------------------------------------------------------


def snapshot(bids: Iterable[tuple[str, int, str]], asks: Iterable[tuple[str, int, str]], sequence: int = 100) -> str:
    def rows(side: Iterable[tuple[str, int, str]]) -> list[dict[str, str]]:
        return [{"id": i, "price": f"{p}.00000000", "volume": v} for i, p, v in side]

    return json.dumps(
        {"sequence": str(sequence), "asks": rows(asks), "bids": rows(bids), "timestamp": T, "status": "ACTIVE"}
    )


def update(
    sequence: int,
    *,
    trades: Iterable[tuple[str, str, str, int]] = (),
    create: tuple[str, str, int, str] | None = None,
    delete: str | None = None,
    status: str | None = None,
) -> str:
    """trades: (taker, maker, base, price)."""
    return json.dumps(
        {
            "sequence": str(sequence),
            "trade_updates": [
                {
                    "base": base,
                    "counter": str(Decimal(base) * price),
                    "maker_order_id": maker,
                    "taker_order_id": taker,
                    "order_id": maker,
                }
                for taker, maker, base, price in trades
            ],
            "create_update": None
            if create is None
            else dict(
                zip(("order_id", "type", "price", "volume"), (*create[:2], f"{create[2]}.00", create[3]), strict=True)
            ),
            "delete_update": None if delete is None else {"order_id": delete},
            "status_update": None if status is None else {"status": status},
            "timestamp": T + (sequence - 100) * 100,
        }
    )


BIDS = [("BXB1", 990, "0.50"), ("BXB2", 980, "1.00")]
ASKS = [("BXA1", 1010, "0.50"), ("BXA2", 1010, "0.25"), ("BXA3", 1020, "2.00")]


def scene(*lines: str, bids: Iterable[tuple[str, int, str]] = BIDS) -> tuple[Venue, Replay]:
    raws = [snapshot(bids, ASKS), *lines]
    frames = []
    for raw in raws:
        event = decode_market_frame(raw, RULES)
        assert isinstance(event, BookSnapshot | BookUpdate)
        frames.append(Recorded(raw, event))
    venue = venue_of(RULES)
    return venue, Replay(venue, "XBTZAR", frames)


def post(venue: Venue, side: str, price: int, volume: str, *, post_only: bool = True) -> str:
    return venue.postorder(
        T, OWNER, pair="XBTZAR", type=side, volume=volume, price=str(price), post_only=post_only
    ).order_id


def lots(venue: Venue) -> dict[str, float]:
    return {i: o.lots / 1e6 for i, o in venue.engine("XBTZAR").orders.items()}


def book_lots(book: Book) -> dict[str, int]:
    return {order.order_id: order.lots for side in Side for order in book.orders(side)}


def market_frames(venue: Venue) -> list[str]:
    return [frame.raw for frame in venue.drain() if getattr(frame, "pair", None) == "XBTZAR"]


TAKER = update(101, trades=[("BXT1", "BXA1", "0.50", 1010), ("BXT1", "BXA2", "0.10", 1010)])


def test_recorded_frames_go_out_as_they_are_and_the_end_disables_the_market() -> None:
    lines = [TAKER, update(102, delete="BXB2"), update(103), update(104, create=("BXC1", "BID", 991, "0.10"))]
    venue, replay = scene(*lines)
    assert replay.opening_raw == snapshot(BIDS, ASKS)
    play(replay)
    out = market_frames(venue)
    assert out[:-1] == lines
    assert json.loads(out[-1])["status_update"] == {"status": "DISABLED"}
    assert json.loads(out[-1])["sequence"] == "105"
    assert venue.engine("XBTZAR").status is MarketStatus.DISABLED
    assert lots(venue) == {"BXB1": 0.5, "BXA2": 0.15, "BXA3": 2.0, "BXC1": 0.1}
    assert replay.next_ns is None and replay.opening_raw is None


def test_actions_are_due_at_the_recordings_own_times() -> None:
    _venue, replay = scene(TAKER, update(103, delete="BXB2"))
    assert replay.next_ns == (T + 100) * 1_000_000
    with pytest.raises(ValueError, match="due"):
        replay.act(replay.next_ns - 1)
    replay.act(replay.next_ns)
    assert replay.next_ns == (T + 300) * 1_000_000
    replay.act(replay.next_ns)
    assert replay.next_ns == (T + 300) * 1_000_000 + END_AFTER_NS


def test_the_public_may_read_the_trades_replayed_so_far() -> None:
    venue, replay = scene(TAKER)
    assert venue.trades(T, "XBTZAR").trades == []
    play(replay)
    assert [(t.price, t.volume, t.is_buy) for t in venue.trades(T + 5000, "XBTZAR").trades] == [
        ("1010.00", "0.10", True),
        ("1010.00", "0.50", True),
    ]


@pytest.mark.parametrize(
    ("price", "filled", "left"),
    [
        # We stand before the recorded makers: we fill, and they are reduced as recorded all the same.
        (1009, 0.2, {"BXA2": 0.15, "BXA3": 2.0}),
        # Behind them at their price: the taker was used up by them.
        (1010, 0.0, {"BXA2": 0.15, "BXA3": 2.0}),
        # Deeper than it ever went.
        (1015, 0.0, {"BXA2": 0.15, "BXA3": 2.0}),
    ],
)
def test_a_visitors_ask_fills_where_the_recorded_taker_reaches_it(
    price: int, filled: float, left: dict[str, float]
) -> None:
    venue, replay = scene(TAKER)
    order_id = post(venue, "ASK", price, "0.20")
    play(replay)
    assert float(venue.order_v2(OWNER, order_id).base) == pytest.approx(filled)
    found = lots(venue)
    found.pop(order_id, None)
    assert found == {"BXB1": 0.5, "BXB2": 1.0, **left}


def test_with_a_visitor_the_engines_frames_go_out_and_a_client_stays_in_step() -> None:
    lines = [TAKER, update(102, delete="BXB2"), update(103), update(104, create=("BXC1", "BID", 991, "0.10"))]
    venue, replay = scene(*lines)
    book = Book(RULES)
    book.load(venue.engine("XBTZAR").snapshot())
    post(venue, "ASK", 1009, "0.20")
    play(replay)
    sequences = []
    for raw in market_frames(venue):
        event = decode_market_frame(raw, RULES)
        assert isinstance(event, BookUpdate)
        book.apply(event)
        sequences.append(event.sequence)
    assert sequences == list(range(101, 101 + len(sequences)))
    assert {i: n / 1e6 for i, n in book_lots(book).items()} == lots(venue)
    assert replay.visited


def test_a_refused_post_only_order_is_a_visit_too_for_it_takes_a_sequence_number() -> None:
    venue, replay = scene(TAKER)
    with pytest.raises(Exception, match="post-only"):
        post(venue, "BID", 1010, "0.20")
    play(replay)
    frames = [json.loads(raw) for raw in market_frames(venue)]
    assert [frame["sequence"] for frame in frames] == [str(101 + k) for k in range(len(frames))]


def test_a_recorded_order_that_meets_a_visitors_trades_with_it_and_rests_the_remainder() -> None:
    venue, replay = scene(update(101, create=("BXC1", "BID", 1005, "0.30")))
    order_id = post(venue, "ASK", 1005, "0.20")
    play(replay)
    assert float(venue.order_v2(OWNER, order_id).base) == pytest.approx(0.2)
    assert lots(venue)["BXC1"] == pytest.approx(0.1)


def test_what_a_visitor_took_is_gone_for_the_recording() -> None:
    venue, replay = scene(TAKER, update(102, delete="BXA2"), update(103, delete="BXA3"))
    bought = post(venue, "BID", 1010, "0.75", post_only=False)
    assert float(venue.order_v2(OWNER, bought).base) == pytest.approx(0.75)
    play(replay)
    assert lots(venue) == {"BXB1": 0.5, "BXB2": 1.0}


def test_a_taker_that_rests_its_remainder_does_so_again() -> None:
    line = update(
        101,
        trades=[("BXT1", "BXA1", "0.50", 1010), ("BXT1", "BXA2", "0.25", 1010)],
        create=("BXT1", "BID", 1010, "0.40"),
    )
    for visiting in (False, True):
        venue, replay = scene(line)
        if visiting:
            post(venue, "ASK", 1019, "0.20")
        play(replay)
        assert lots(venue)["BXT1"] == pytest.approx(0.4)


def test_a_second_snapshot_is_reached_by_deletes_and_creates() -> None:
    venue, replay = scene(
        TAKER, snapshot([("BXN1", 992, "0.30"), ("BXB2", 980, "1.00")], [("BXA3", 1020, "1.50")], sequence=500)
    )
    book = Book(RULES)
    book.load(venue.engine("XBTZAR").snapshot())
    play(replay)
    for raw in market_frames(venue):
        event = decode_market_frame(raw, RULES)
        assert isinstance(event, BookUpdate)
        book.apply(event)
    assert lots(venue) == {"BXN1": 0.3, "BXB2": 1.0, "BXA3": 1.5}


def test_a_tape_without_a_snapshot_is_refused() -> None:
    event = decode_market_frame(TAKER, RULES)
    assert isinstance(event, BookUpdate)
    for frames in ([], [Recorded(TAKER, event)]):
        with pytest.raises(UsageError, match="snapshot"):
            Replay(venue_of(RULES), "XBTZAR", frames)


# --- whole recordings -------------------------------------------------------------------------------------------------


def tapes() -> list[object]:
    real = pytest.param(
        REAL, "XBTZAR", marks=pytest.mark.skipif(not REAL.is_file(), reason="the recorded Luno frames are not here")
    )
    return [pytest.param(OURS, "XBTMYR"), real]


@pytest.mark.parametrize(("path", "pair"), tapes())
def test_a_whole_recording_is_passed_on_byte_for_byte_and_the_engine_agrees_at_its_end(path: Path, pair: str) -> None:
    rules, frames = recorded(path, pair)
    venue = venue_of(rules)
    replay = Replay(venue, pair, frames)
    assert replay.opening_raw == frames[0].raw
    play(replay)
    assert [frame.raw for frame in venue.drain() if not isinstance(frame, MarketFrame)] == [f.raw for f in frames[1:]]
    book = Book(rules)
    assert isinstance(frames[0].event, BookSnapshot)
    book.load(frames[0].event)
    for frame in frames[1:]:
        assert isinstance(frame.event, BookUpdate)
        book.apply(frame.event)
    for side in Side:
        assert venue.engine(pair).levels(side, 10**6) == book.levels(side, 10**6)


@pytest.mark.parametrize(("path", "pair"), tapes())
def test_with_a_visitor_the_recordings_own_orders_stand_as_recorded_at_every_frame(path: Path, pair: str) -> None:
    """A visitor quoting beside the touch all the time, never taking: nothing of the recording changes but his fills."""
    rules, frames = recorded(path, pair)
    venue = venue_of(rules)
    engine = venue.engine(pair)
    replay = Replay(venue, pair, frames)
    client, truth = Book(rules), Book(rules)
    assert isinstance(frames[0].event, BookSnapshot)
    client.load(engine.snapshot())
    truth.load(frames[0].event)
    ours: list[str] = []
    for number, frame in enumerate(frames[1:]):
        now_ms = (replay.next_ns or 0) // 1_000_000
        if number % 200 == 0:
            for order_id in ours:
                if order_id in engine.orders:
                    venue.stoporder(now_ms, OWNER, order_id)
            bid, ask = engine.best_bid(), engine.best_ask()
            assert bid is not None and ask is not None
            ours = [
                venue.postorder(
                    now_ms,
                    OWNER,
                    pair=pair,
                    type=side,
                    volume="0.01",
                    price=f"{rules.price(price)}",
                    post_only=True,
                ).order_id
                for side, price in (("BID", min(bid + 1, ask - 1)), ("ASK", max(ask - 1, bid + 2)))
            ]
        assert replay.next_ns is not None
        replay.act(replay.next_ns)
        assert isinstance(frame.event, BookUpdate)
        truth.apply(frame.event)
        for sent in venue.drain():
            if getattr(sent, "pair", None) == pair:
                event = decode_market_frame(sent.raw, rules)
                assert isinstance(event, BookUpdate)
                client.apply(event)
    fills = venue.listtrades(OWNER, pair, limit=1000).trades
    assert fills
    house = {order_id: order.lots for order_id, order in engine.orders.items() if order.owner is None}
    recorded_orders = book_lots(truth)
    # A recorded order may be smaller here (it met the visitor's on arrival), never larger, and none is left over.
    assert set(house) <= set(recorded_orders)
    assert all(house[order_id] <= recorded_orders[order_id] for order_id in house)
    assert len(recorded_orders) - len(house) <= len(fills)
    assert book_lots(client) == {order_id: order.lots for order_id, order in engine.orders.items()}
