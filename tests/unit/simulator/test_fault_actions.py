from __future__ import annotations

import random
from decimal import Decimal as D

import pytest

from lunomm.simulator.exchange import OWNER, Exchange, seeded
from lunomm.simulator.fault_actions import FaultActions
from lunomm.simulator.fault_table import parse_fault
from lunomm.simulator.faults import Faults

PAIR = "XBTMYR"
T0 = 1_700_000_000_000
S = 1_000_000_000


class Place:
    """An exchange, its faults, and one clock for both."""

    def __init__(self) -> None:
        self.exchange: Exchange = seeded([PAIR], profile=None, seed=3, fee_tier=0, start_ns=T0 * 1_000_000)
        self.faults = Faults(random.Random(1))
        self.actions = FaultActions(self.exchange)
        self.now_s = 0

    def after(self, seconds: int) -> list[str]:
        self.now_s += seconds
        now_ms = T0 + self.now_s * 1000
        problems = [p for a in self.faults.due(self.now_s * S) for p in self.actions.perform(a, now_ms)]
        while not self.exchange.run_until(now_ms * 1_000_000, 1000):
            pass
        return problems

    def arm(self, text: str) -> list[str]:
        self.faults.arm(parse_fault(text), self.now_s * S)
        return self.after(0)


@pytest.fixture
def place() -> Place:
    place = Place()
    place.after(1)
    return place


@pytest.mark.parametrize(
    ("kind", "stream", "listed"),
    [
        ("POSTONLY", "POSTONLY", "POST_ONLY"),
        ("DISABLED", "DISABLED", "UNKNOWN"),
        ("SUSPENDED", "POSTONLY", "SUSPENDED"),
    ],
)
def test_a_status_and_back(place: Place, kind: str, stream: str, listed: str) -> None:
    place.arm(f"status:kind={kind},seconds=5")
    assert place.exchange.venue.ticker(T0, PAIR).status == stream
    assert place.exchange.venue.markets([PAIR]).markets[0].trading_status == listed
    place.after(5)
    assert place.exchange.venue.ticker(T0, PAIR).status == "ACTIVE"


def test_an_empty_book_and_back(place: Place) -> None:
    engine = place.exchange.venue.engine(PAIR)
    place.arm("empty-book:seconds=3")
    assert engine.best_bid() is None and engine.best_ask() is None
    place.after(2)
    assert not engine.orders
    place.after(1)
    assert engine.best_bid() is not None and engine.best_ask() is not None


def test_one_side_leaves_until_disarmed(place: Place) -> None:
    engine = place.exchange.venue.engine(PAIR)
    place.arm("empty-book:kind=bids")
    place.after(60)
    assert engine.best_bid() is None and engine.best_ask() is not None
    place.faults.disarm()
    assert place.after(1) == []
    assert engine.best_bid() is not None


@pytest.mark.parametrize("percent", [-90, -10, 10, 90])
def test_the_price_jumps(place: Place, percent: int) -> None:
    engine = place.exchange.venue.engine(PAIR)
    before = engine.best_bid()
    assert before is not None
    place.arm(f"price-jump:percent={percent}")
    place.after(1)
    after, ask = engine.best_bid(), engine.best_ask()
    assert after is not None and ask is not None and after < ask
    assert after / before == pytest.approx(1 + percent / 100, rel=0.02)


def test_rules_and_fees(place: Place) -> None:
    venue = place.exchange.venue
    order = venue.postorder(T0, OWNER, pair=PAIR, type="BID", volume="0.001", price="200000").order_id
    before = venue.engine(PAIR).rules
    place.arm("rules-change:scale=2,percent=100")
    after = venue.engine(PAIR).rules
    assert (after.price_scale, after.min_volume) == (before.price_scale + 2, before.min_volume * 2)
    assert venue.order_v2(OWNER, order).status == "COMPLETE"
    place.arm("fee-change:maker=0.005,taker=-0.001")
    info = venue.fee_info(OWNER, PAIR)
    assert (D(info.maker_fee), D(info.taker_fee)) == (D("0.005"), D("-0.001"))


def test_what_cannot_be_done_is_said(place: Place) -> None:
    assert "NOPE" in place.arm("price-jump:pair=NOPE")[0]
    place.arm("empty-book")
    assert PAIR in place.arm(f"price-jump:pair={PAIR}")[0]  # nobody is there to move it


def test_a_fill_beside_a_cancel(place: Place) -> None:
    venue = place.exchange.venue
    order = venue.postorder(T0, OWNER, pair=PAIR, type="BID", volume="0.001", price="200000").order_id
    place.exchange.cancel_late((T0 + 2000) * 1_000_000, OWNER, order, 0.25)
    assert venue.order_v2(OWNER, order).status == "PENDING"
    place.after(2)
    done = venue.order_v2(OWNER, order)
    assert (done.status, D(done.base)) == ("COMPLETE", D("0.00025"))
    assert all(venue.ledger.drift(asset) == 0 for asset in venue.ledger.assets())
    assert [o.side for o in venue.engine(PAIR).orders.values() if o.owner == OWNER] == []
