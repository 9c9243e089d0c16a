"""A tick's text from its pieces is the text of the tick: states, scales, own orders, conflation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lunomm.market.clock import Now
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.records import BookAudit, Tick
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.market.signals import exact, plain
from lunomm.market.written import Model, written

MOMENT: dict[str, Any] = {"beat": 7, "wall_ms": 1_700_000_000_000.0, "stream_age_ms": 12.25, "lag_ms": 3e-7}


def rules(price_scale: int, volume_scale: int) -> PairRules:
    return PairRules(
        pair="XBTIDR",
        base="XBT",
        counter="IDR",
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(0),
        max_price=Decimal(10**12),
        min_volume=Decimal(0),
        max_volume=Decimal(10**9),
    )


class Market:
    def __init__(self, pair: PairRules, depth: int = 3) -> None:
        self.observer = Observer(pair, depth=depth)
        self.count = 0
        bids = tuple(BookOrder(f"b{k}", 990 - 10 * k, 1 + k) for k in range(5))
        asks = tuple(BookOrder(f"a{k}", 1010 + 10 * k, 3 + k) for k in range(5))
        self.observer.on_snapshot(BookSnapshot(1, bids, asks, MarketStatus.ACTIVE, 10**18), Now(10**18, 0))

    def send(
        self, create: BookCreate | None = None, delete: str | None = None, status: MarketStatus | None = None
    ) -> None:
        book = self.observer.book
        update = BookUpdate(book.sequence + 1, (), create, delete, status, book.exchange_ns + 10**7)
        self.observer.on_update(update, Now(update.exchange_ns, 0))

    def create(self, side: Side, price: int, lots: int = 2) -> None:
        self.count += 1
        self.send(create=BookCreate(f"n{self.count}", side, price, lots))

    def same(self, **changes: Any) -> dict[str, Any]:
        """Checks the text, byte for byte, and returns it decoded."""
        moment = {**MOMENT, **changes}
        now = Now(self.observer.book.exchange_ns, 0)
        audit = moment.pop("audit", None)
        text = self.observer.written(now, audit=audit, **moment)
        tick = self.observer.tick(now, **moment)
        tick.audit = audit
        assert text == written(tick)
        found: dict[str, Any] = msgspec.json.decode(b"{" + text)
        assert msgspec.convert(found | {"pair": "XBTIDR"}, Tick, strict=False).state == found["state"]
        return found


def test_the_parts_are_the_ticks_own_fields_in_its_order() -> None:
    told = Tick.__struct_fields__
    assert told[-len(Model.__struct_fields__) :] == Model.__struct_fields__


@pytest.mark.parametrize(("price_scale", "volume_scale"), [(0, 6), (2, 4), (-3, 8), (8, 0), (1, 18)])
def test_every_scale(price_scale: int, volume_scale: int) -> None:
    market = Market(rules(price_scale, volume_scale))
    market.same()
    market.create(Side.BID, 1001)
    market.observer.set_own([OwnIntent("i-1", "n1", Side.BID, 1001, 2), OwnIntent('i"2', "b1", Side.BID, 980, 2)])
    found = market.same()
    assert [row["volume_ahead"] for row in found["own"]] == [plain(0, volume_scale)] * 2
    assert found["best_bid"] != found["fair_best_bid"] == plain(990, price_scale)


@pytest.mark.parametrize("scale", [-3, -1, 0, 1, 2, 9, 18])
@pytest.mark.parametrize("units", [0, 1, -1, 9, 10, 999, -1000, 123_456_789_012])
def test_plain_is_the_exact_decimal_written_out(units: int, scale: int) -> None:
    assert plain(units, scale) == f"{exact(units, scale):f}"


def test_a_ladder_follows_levels_that_enter_leave_and_change() -> None:
    market = Market(rules(1, 2))
    for side, best in ((Side.BID, 990), (Side.ASK, 1010)):
        sign = side.sign
        market.same()
        market.create(side, best - 5 * sign)  # a new level inside: the lowest shown leaves
        shown = market.same()
        market.create(side, best - 20 * sign)  # ... grows while it is not shown ...
        assert market.same()["bids" if sign > 0 else "asks"] == shown["bids" if sign > 0 else "asks"]
        market.send(delete=f"n{market.count - 1}")  # ... and comes back
        market.same()
        market.create(side, best)  # more at the touch
        market.same()
        market.create(side, best + sign)
        market.send(delete=f"n{market.count}")  # two changes between two looks that cancel each other
        market.same()
    for order in market.observer.book.orders(Side.BID)[:-1]:
        market.send(delete=order.order_id)
        market.same()
    assert len(market.same()["bids"]) == 1


def test_states() -> None:
    market = Market(rules(1, 2))
    assert market.same(lag_ms=5000.0)["state"] == market.same(stream_age_ms=20_000.0)["state"] == "STALE"
    assert market.same(stream_age_ms=None, lag_ms=None)["state"] == "OK"
    market.send(status=MarketStatus.POSTONLY)
    assert market.same()["state"] == "POSTONLY"
    market.send(status=MarketStatus.ACTIVE)
    assert market.same()["state"] == "OK"
    market.observer.doubt = "twice \x1b wrong"
    assert market.same()["state"] == "DOUBT"
    market.observer.doubt = ""
    for order in market.observer.book.orders(Side.ASK):
        market.send(delete=order.order_id)
    assert market.same()["state"] == "ONE_SIDED"
    market.create(Side.ASK, 1500)
    assert market.same()["state"] == "OK"
    market.observer.on_lost(Now(2 * 10**18, 0), 'the "stream"')
    lost = market.same()
    assert (lost["state"], lost["reason"], lost["mid_price"]) == ("RESYNC", 'the "stream"', None)
    market.observer.on_snapshot(market.observer.book.snapshot(), Now(2 * 10**18, 0))
    assert market.same()["state"] == "OK"


def test_our_orders_come_and_go() -> None:
    market = Market(rules(1, 2))
    own = [OwnIntent("i-1", "b0", Side.BID, 990, 1), OwnIntent("i-2", None, Side.ASK, 1010, 3)]
    market.observer.set_own(own)
    found = market.same()
    assert [row["order_id"] for row in found["own"]] == ["b0", "a0"]
    assert (found["fair_best_bid"], found["fair_best_ask"]) == ("98.0", "102.0")
    market.create(Side.BID, 990)
    assert market.same()["fair_best_bid"] == "99.0"
    market.send(delete="b0")
    assert [row["order_id"] for row in market.same()["own"]] == ["a0"]
    market.observer.set_own([])
    assert market.same()["own"] == []


def test_an_audit_is_told() -> None:
    market = Market(rules(1, 2))
    first = BookAudit(at_ms=5, drift=0.0, checks=1)
    assert market.same(audit=first)["audit"]["checks"] == 1
    assert market.same(audit=BookAudit(at_ms=9, drift=0.5, checks=2, misses=1))["audit"]["drift"] == 0.5
    assert market.same()["audit"] is None
