"""The book, and every field of the tick, against a naive one: Decimals in dictionaries, sorted afresh at every look.

``LUNOMM_SOAK_TICKS`` says how many of the random frames have their tick compared: 5,000, or all of them (100000).
"""

from __future__ import annotations

import json
import os
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from naive_market import NaiveBook, rules

from lunomm.errors import BookError, MarketDataError, SequenceGap
from lunomm.luno.wire import decode_market_frame
from lunomm.market.book import Book
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, Side
from lunomm.market.written import written

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
TICKS = int(os.environ.get("LUNOMM_SOAK_TICKS", "5000"))


def assert_same_top(book: Book, naive: NaiveBook, depth: int = 10) -> None:
    pair = book.rules
    for side in Side:
        expected = naive.top(side.value, depth)
        assert [(pair.price(p), pair.volume(v)) for p, v in book.levels(side, depth)] == expected
        assert pair.volume(book.side(side).top_lots) == sum(volume for _, volume in expected)
    assert book.sequence == naive.sequence
    assert book.status == naive.status
    assert book.order_count == len(naive.orders)
    assert book.level_count == len(naive.volumes["BID"]) + len(naive.volumes["ASK"])


def assert_same_whole(book: Book, naive: NaiveBook) -> None:
    pair = book.rules
    mine = {
        order.order_id: (side.value, pair.price(order.price), pair.volume(order.lots))
        for side in Side
        for order in book.orders(side)
    }
    assert mine == naive.orders
    for side in Side:
        assert book.side(side).keys == sorted(book.side(side).lots)


class Own:
    """Some resting orders taken for ours, others now and then."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids: dict[str, str] = {}

    def choose(self, observer: Observer, naive: NaiveBook) -> None:
        """Two near the touch, one anywhere, or none at all."""
        self.ids = {}
        if naive.orders and self.random.random() < 0.8:
            best = [order.order_id for side in Side for order in observer.book.orders(side)[:2]]
            chosen = [*self.random.sample(best, min(2, len(best))), self.random.choice(list(naive.orders))]
            self.ids = {order_id: f"run-{number}" for number, order_id in enumerate(dict.fromkeys(chosen))}
        observer.set_own([OwnIntent(intent, order_id, Side.BID, 1, 1) for order_id, intent in self.ids.items()])


def assert_same_tick(observer: Observer, naive: NaiveBook, own: dict[str, str]) -> None:
    """The text, straight from what was kept of the last one, against the naive picture and against the drawn tick."""
    moment: dict[str, Any] = {"beat": naive.sequence, "wall_ms": 1.5, "stream_age_ms": 2.5, "lag_ms": None}
    now = Now(observer.book.exchange_ns, 0)
    text = observer.written(now, **moment)
    found = msgspec.json.decode(b"{" + text)
    expected = naive.tick(observer.rules, own)
    assert {name: found[name] for name in expected if name != "order_imbalance"} == {
        name: value for name, value in expected.items() if name != "order_imbalance"
    }
    if expected["order_imbalance"] is None:
        assert found["order_imbalance"] is None
    else:
        assert found["order_imbalance"] == pytest.approx(expected["order_imbalance"], rel=1e-15)
    assert text == written(observer.tick(now, **moment))


def test_every_recorded_frame() -> None:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED.name} is not here: recorded data that is not ours to ship")
    pair = rules("XBTZAR", 0, 6)
    observer, own = Observer(pair), Own(5)
    book = observer.book
    naive: NaiveBook | None = None
    fills, takers = 0, set()
    with RECORDED.open() as lines:
        for number, line in enumerate(lines):
            event = decode_market_frame(line, pair)
            frame = json.loads(line)
            if isinstance(event, BookSnapshot):
                observer.on_snapshot(event, Now(event.exchange_ns, 0))
                naive = NaiveBook(frame)
                assert_same_whole(book, naive)
                continue
            assert isinstance(event, BookUpdate) and naive is not None
            applied = observer.on_update(event, Now(event.exchange_ns, 0))
            naive.apply(frame)
            fills += len(applied.trades)
            takers |= {trade.taker_id for trade in applied.trades}
            if number > 2500 and number % 50 == 0:
                own.choose(observer, naive)
            assert_same_tick(observer, naive, own.ids)
            if number % 1000 == 0:
                assert_same_whole(book, naive)
    assert naive is not None
    assert_same_whole(book, naive)
    assert (book.sequence, fills, len(takers)) == (398542598, 25, 15)


class FrameSource:
    """Random frames, mostly legal, over a book of some fifty orders; a few break one rule each."""

    def __init__(self, seed: int, pair: PairRules) -> None:
        self.random = random.Random(seed)
        self.pair = pair
        self.count = 0
        self.trade_sequence = 0

    def order_id(self) -> str:
        self.count += 1
        return f"BX{self.count}"

    def volume(self) -> Decimal:
        return self.pair.volume(self.random.choice((1, 2, 3, 10, 250, 4_000)))

    def price(self, naive: NaiveBook, side: str) -> Decimal:
        """Near the other side's best, never meeting it."""
        other = naive.top("ASK" if side == "BID" else "BID", 1)
        steps = self.random.choice((1, 1, 2, 3, 5, 8, 13, 21, 34, 55))
        edge = other[0][0] if other else self.pair.price(1000)
        return max(edge + steps * self.pair.tick_size * (1 if side == "ASK" else -1), self.pair.tick_size)

    def create(self, naive: NaiveBook, side: str) -> dict[str, str]:
        return self.created(self.order_id(), side, self.price(naive, side), self.volume())

    @staticmethod
    def created(order_id: str, side: str, price: Decimal, volume: Decimal) -> dict[str, str]:
        return {"order_id": order_id, "type": side, "price": f"{price:.8f}", "volume": f"{volume:.8f}"}

    def frame(self, naive: NaiveBook, **parts: Any) -> dict[str, Any]:
        return {
            "sequence": str(naive.sequence + 1),
            "trade_updates": [],
            "create_update": None,
            "delete_update": None,
            "status_update": None,
            "timestamp": 1_700_000_000_000 + naive.sequence,
        } | parts

    def trade(self, maker_id: str, taker_id: str, price: Decimal, base: Decimal) -> dict[str, Any]:
        self.trade_sequence += 1
        return {
            "sequence": self.trade_sequence,
            "base": str(base),
            "counter": str(base * price),
            "maker_order_id": maker_id,
            "taker_order_id": taker_id,
            "order_id": maker_id,
        }

    def sweep(self, naive: NaiveBook) -> dict[str, Any]:
        """A taker through up to five makers, best first; what it wanted beyond them may rest."""
        side = self.random.choice(("BID", "ASK"))
        queue = [(price, i, volume) for i, (s, price, volume) in naive.orders.items() if s == side]
        queue.sort(key=lambda row: -row[0] if side == "BID" else row[0])
        taker, trades = self.order_id(), []
        for price, maker_id, volume in queue[: self.random.randint(1, 5)]:
            whole = self.random.random() < 0.7
            base = volume if whole else self.pair.volume(self.random.randint(1, int(volume / self.pair.lot_size)))
            trades.append(self.trade(maker_id, taker, price, base))
            if base < volume:
                break
        else:
            if trades and self.random.random() < 0.3:
                gone = {trade["maker_order_id"] for trade in trades}
                rest = [price for price, maker_id, _ in queue if maker_id not in gone]
                price = Decimal(trades[-1]["counter"]) / Decimal(trades[-1]["base"])
                if not rest or rest[0] != price:
                    other = "ASK" if side == "BID" else "BID"
                    return self.frame(
                        naive, trade_updates=trades, create_update=self.created(taker, other, price, self.volume())
                    )
        return self.frame(naive, trade_updates=trades)

    def legal(self, naive: NaiveBook) -> dict[str, Any]:
        draw = self.random.random()
        if draw < 0.01:
            return self.frame(naive, status_update={"status": self.random.choice(("ACTIVE", "POSTONLY"))})
        if draw < 0.03:
            return self.frame(naive, trade_updates=self.random.choice(([], None)))
        if draw < 0.12:
            return self.sweep(naive)
        side = self.random.choice(("BID", "ASK"))
        if naive.orders and self.random.random() < len(naive.orders) / 100:
            gone = {"order_id": self.random.choice(list(naive.orders))}
            if self.random.random() < 0.02:
                return self.frame(naive, delete_update=gone, create_update=self.create(naive, side))
            return self.frame(naive, delete_update=gone)
        return self.frame(naive, create_update=self.create(naive, side))

    def illegal(self, naive: NaiveBook) -> tuple[dict[str, Any], str] | None:
        """A frame that must be refused, most with a legal part in front of the fault, and its code."""
        if not naive.orders:
            return None
        kind = self.random.randrange(8)
        some = self.random.choice(list(naive.orders))
        side, price, volume = naive.orders[some]
        if kind == 0:
            ahead = self.random.choice((-5, -1, 0, 2, 900))
            return self.frame(naive, sequence=str(max(naive.sequence + ahead, 1))), "SEQUENCE_GAP"
        good = self.trade(some, "T", price, volume)
        if kind == 1:
            bad = self.trade("BXnobody", "T", price, volume)
            return self.frame(naive, trade_updates=[good, bad]), "UNKNOWN_MAKER"
        if kind == 2:
            more = self.trade(some, "T", price, volume + self.pair.lot_size)
            return self.frame(naive, trade_updates=[more]), "OVERFILL"
        if kind == 3:
            return self.frame(naive, trade_updates=[good, good]), "DUPLICATE_TRADE"
        if kind == 4:
            wrong = good | {"counter": str(volume * price + self.pair.lot_size * self.pair.tick_size)}
            return self.frame(naive, trade_updates=[wrong]), "BAD_TRADE_PRICE"
        if kind == 5:
            again = self.created(some, side, price, volume)
            return self.frame(naive, create_update=again), "DUPLICATE_ID"
        if kind == 6:
            parts = {"create_update": self.create(naive, side), "delete_update": {"order_id": "BXnobody"}}
            return self.frame(naive, **parts), "UNKNOWN_DELETE"
        other = "ASK" if side == "BID" else "BID"
        best = naive.top(side, 1)[0][0]
        return self.frame(naive, create_update=self.created(self.order_id(), other, best, volume)), "CROSSED"


def test_a_hundred_thousand_random_frames() -> None:
    pair = rules("ABCDEF", 2, 4)
    source = FrameSource(20_260_922, pair)
    own = Own(8)
    first = {"sequence": "1", "asks": [], "bids": [], "timestamp": 1_700_000_000_000, "status": "ACTIVE"}
    observer, naive = Observer(pair), NaiveBook(first)
    book = observer.book
    snapshot = decode_market_frame(json.dumps(first), pair)
    assert isinstance(snapshot, BookSnapshot)
    observer.on_snapshot(snapshot, Now(snapshot.exchange_ns, 0))
    refused: dict[str, int] = {}
    for number in range(100_000):
        if source.random.random() < 0.03:
            bad = source.illegal(naive)
            if bad is not None:
                frame, code = bad
                event = decode_market_frame(json.dumps(frame), pair)
                assert isinstance(event, BookUpdate)
                with pytest.raises(MarketDataError) as error:
                    book.apply(event)
                assert error.value.code == code
                assert isinstance(error.value, SequenceGap if code == "SEQUENCE_GAP" else BookError)
                refused[code] = refused.get(code, 0) + 1
                assert_same_top(book, naive)
        frame = source.legal(naive)
        # Compact, as the venue writes: the short way of the usual frame is taken too.
        event = decode_market_frame(json.dumps(frame, separators=(",", ":")), pair)
        assert isinstance(event, BookUpdate)
        observer.on_update(event, Now(event.exchange_ns, 0))
        naive.apply(frame)
        if number % 97 == 0:
            own.choose(observer, naive)
        # In runs, as they are published, with holes between, as ticks are conflated.
        if number % 1000 < TICKS // 100:
            assert_same_tick(observer, naive, own.ids)
        else:
            assert_same_top(book, naive)
        if number % 50 == 0:
            assert_same_whole(book, naive)
    assert_same_whole(book, naive)
    assert min(refused.values()) > 50 and len(refused) == 8
