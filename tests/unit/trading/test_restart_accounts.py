"""The account's money across starts: whatever was filled, paid in or traded by hand meanwhile is counted once.

The answers of a start come in any order, so what a row or an order read moves must not depend on whether the balances
were read before it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D

import pytest
from trading_driver import PAIR, START_MS, Driver, fill_event, intent, make, rules, seen, trade

from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState
from lunomm.trading import events as ev
from lunomm.trading.inventory import Inventory
from lunomm.trading.orders import Amounts, Order
from lunomm.trading.restored import Restored, RestoredPair
from lunomm.trading.throttle import NOTE, ORDERS_A_MINUTE

BID, ASK = intent(1, Side.BID, 299_000), intent(9, Side.ASK, 301_000)
DOWN_MS = 20_000


def successor(first: Driver, *orders: Order) -> Driver:
    """A gateway started 20 s later on what the first one saved."""
    notes: dict[str, dict[str, str]] = {}
    for (pair, name), value in first.notes.items():
        notes.setdefault(pair, {})[name] = value
    record = RestoredPair(
        tuple(first.saved[order.client_order_id] for order in orders),
        frozenset(order.intent_id for order in orders),
        (),
        notes[PAIR],
    )
    return later(make(restored=Restored({PAIR: record}, notes[""], 9)))


def later(d: Driver) -> Driver:
    d.exchange_ms += DOWN_MS
    d.mono_ns += DOWN_MS * 1_000_000
    return d


def told(d: Driver) -> None:
    """All a start is told but money and orders."""
    d.step(ev.UserStream(True))
    d.step(ev.RulesRead(PAIR, rules()))
    d.step(ev.FeesRead(PAIR, D(0), D(0)))
    d.step(ev.ReferenceRead(PAIR, D(300_000)))


def rest(d: Driver, seconds: int, base: str, counter: str, *, trades: tuple[ev.VenueTrade, ...] = ()) -> int:
    """A venue where nothing happens any more, holding so much; returns how often the trades were asked for."""
    asked = 0
    for _ in range(seconds):
        d.pass_s(1)
        for _ in d.take(ev.ReadBalances):
            d.balances(base, counter)
        for _ in d.take(ev.ReadTrades):
            asked += 1
            d.step(ev.TradesRead(PAIR, trades))
        for _ in d.take(ev.ReadOpenOrders):
            d.step(ev.OpenOrdersRead(PAIR, ()))
    return asked


def expected(d: Driver) -> tuple[D, D]:
    balances = d.core.shared.balances
    return balances.expected("XBT"), balances.expected("MYR")


def inventory(d: Driver) -> Inventory:
    found = d.core.desks[PAIR].ledger.inventory
    assert found is not None
    return found


def flows(d: Driver) -> list[tuple[D, D]]:
    return [(action.flow.base, action.flow.counter) for action in d.take(ev.SaveFlow)]


# --- a fill while the gateway was down ---


def restarted_over_a_fill(answers: str) -> Driver:
    """0.004 of a bid were bought while nobody looked; answers: Order, Trades, Balances by their letters."""
    first = make().started()
    bid = first.working(BID, "BX1")
    d = successor(first, bid)
    d.step(ev.Wake())
    says: dict[str, Callable[[], object]] = {
        "O": lambda: d.step(ev.OrderRead(PAIR, bid.client_order_id, seen(bid, filled="0.004", open=False))),
        "T": lambda: d.step(ev.TradesRead(PAIR, (trade(bid, 7, "0.004"),))),
        "B": lambda: d.balances("0.104", "28804"),
    }
    for letter in answers:
        says[letter]()
    told(d)
    d.step(ev.OpenOrdersRead(PAIR, ()))
    return d


@pytest.mark.parametrize("answers", ["OTB", "TOB", "OBT", "TBO"])
def test_a_fill_read_before_the_first_balances_of_a_restart_moves_what_is_expected(answers: str) -> None:
    """The journal's expectation stands before any answer comes, so no fill passes it by."""
    d = restarted_over_a_fill(answers)
    assert expected(d) == (D("0.104"), D(28_804))
    rest(d, 20, "0.104", "28804")
    assert expected(d) == (D("0.104"), D(28_804))
    assert (inventory(d).position, inventory(d).fills, flows(d)) == (D("0.104"), 1, [])


@pytest.mark.parametrize("answers", ["OTB", "TOB", "OBT", "TBO"])
def test_no_fill_of_a_restart_comes_back_as_a_flow_at_the_next_one(answers: str) -> None:
    """A fill that was missed in the expectation would be undone as money of other hands at the next move."""
    d = restarted_over_a_fill(answers)
    rest(d, 20, "0.104", "28804")
    ask = d.place(ASK)
    d.step(ev.Posted(PAIR, ask.client_order_id, "BX9"))
    d.wanted = []
    d.step(fill_event(ask, "0.004", "0.004", "BX9"))
    d.take(ev.ReadTrades)
    d.step(ev.TradesRead(PAIR, (trade(ask, 8, "0.004", order_id="BX9"),)))
    rest(d, 20, "0.100", "30008")
    assert flows(d) == []
    assert expected(d) == (D("0.100"), D(30_008))
    assert (inventory(d).position, inventory(d).fills) == (D("0.100"), 2)
    assert inventory(d).pnl(D(310_000)).total == 1008


# --- money that came or went while the gateway was down ---


@pytest.mark.parametrize(
    ("base", "counter", "flow"),
    [("0.5", "30000", (D("0.4"), D(0))), ("0.04", "30000", (D("-0.06"), D(0))), ("0.1", "35000", (D(0), D(5000)))],
)
def test_a_difference_at_the_first_balances_of_a_restart_becomes_a_flow(
    base: str, counter: str, flow: tuple[D, D]
) -> None:
    """Once, after the quiet time, although the observed balance itself never moves again; and it is no profit."""
    d = successor(make().started())
    d.step(ev.Wake())
    told(d)
    d.balances(base, counter)
    d.step(ev.TradesRead(PAIR, ()))
    d.step(ev.OpenOrdersRead(PAIR, ()))
    rest(d, 4, base, counter)
    assert flows(d) == []
    rest(d, 60, base, counter)
    assert flows(d) == [flow]
    assert expected(d) == (D(base), D(counter))
    assert inventory(d).position == D(base)
    assert inventory(d).pnl(D(300_000)).total == 0
    assert d.take(ev.PublishAccount)[-1].account.position == D(base)


# --- an order of ours that the journal does not hold ---


def over_an_orphan(answers: str) -> tuple[Driver, int]:
    """The journal was moved away: a bid, 0.002 of it bought just before the start, is open.

    Answers: Trades, Listing, Balances by their letters.
    """
    bid = make().started().working(BID, "BX1")
    d = make()
    d.step(ev.Wake())
    told(d)
    row = trade(bid, 7, "0.002", ts_ms=START_MS - 5000)
    says: dict[str, Callable[[], object]] = {
        "T": lambda: d.step(ev.TradesRead(PAIR, (row,))),
        "L": lambda: d.step(ev.OpenOrdersRead(PAIR, (seen(bid, filled="0.002"),))),
        "B": lambda: d.balances("0.102", "29402"),
    }
    for letter in answers:
        says[letter]()
    d.step(ev.QuotesSeen(PAIR, None))
    (cancel,) = d.take(ev.Cancel)
    assert cancel.order_id == "BX1"
    d.step(ev.CancelReturned(PAIR, cancel.client_order_id))
    assert d.take(ev.ReadOrder)
    d.step(ev.OrderRead(PAIR, bid.client_order_id, seen(bid, filled="0.002", open=False)))
    return d, rest(d, 60, "0.102", "29402", trades=(row,))


@pytest.mark.parametrize("answers", ["BTL", "TBL", "TLB"])
def test_an_orphan_whose_trade_row_came_first_is_accounted_for(answers: str) -> None:
    """Its row is not waited for again: the trades are read at their usual pace and its fill is expected once."""
    d, reads = over_an_orphan(answers)
    assert d.core.desks[PAIR].working.unbooked == []
    assert expected(d) == (D("0.102"), D(29_402))
    assert reads < 15
    assert d.core.shared.halted is None


@pytest.mark.parametrize("answers", ["BTL", "TBL", "TLB"])
def test_the_position_after_an_orphan_is_what_the_account_holds(answers: str) -> None:
    """Whichever answer came first, its fill is in the opening or on top of it, not both."""
    d, _ = over_an_orphan(answers)
    assert inventory(d).position == D("0.102")


def test_an_orphan_s_later_fill_is_booked_on_top_of_the_row_that_came_first() -> None:
    """What was counted before the order was seen is not counted again with the rest of its fill."""
    bid = make().started().working(BID, "BX1")
    d = make()
    d.step(ev.Wake())
    told(d)
    d.balances()
    rows = (trade(bid, 7, "0.001"), trade(bid, 8, "0.003"))
    d.step(ev.TradesRead(PAIR, rows[:1]))
    d.step(ev.OpenOrdersRead(PAIR, (seen(bid, filled="0.001"),)))
    assert expected(d) == (D("0.101"), D(29_701))
    d.step(fill_event(bid, "0.004", "0.003"))
    d.step(ev.TradesRead(PAIR, rows))
    rest(d, 20, "0.104", "28804", trades=rows)
    assert d.core.desks[PAIR].working.unbooked == []
    assert expected(d) == (D("0.104"), D(28_804))
    assert (inventory(d).position, inventory(d).fills, flows(d)) == (D("0.104"), 2, [])


# --- trades by hand around the first start ---


def by_hand(ts_ms: int) -> ev.VenueTrade:
    return ev.VenueTrade(
        pair=PAIR, sequence=3, order_id="X", client_order_id="", side=Side.BID, price=D(300_000),
        amounts=Amounts(D("0.05"), D(15_000)), maker=False, ts_ms=ts_ms,
    )  # fmt: skip


def test_a_hand_trade_of_the_minute_before_the_first_start_is_in_the_opening_only() -> None:
    """The look back of a minute finds it, but the first balances hold it already."""
    for balances_first in (True, False):
        d = make()
        d.step(ev.Wake())
        told(d)
        for balances in (True, False) if balances_first else (False, True):
            if balances:
                d.balances()
            else:
                d.step(ev.TradesRead(PAIR, (by_hand(START_MS - 10_000),)))
        d.step(ev.OpenOrdersRead(PAIR, ()))
        rest(d, 20, "0.1", "30000", trades=(by_hand(START_MS - 10_000),))
        assert expected(d) == (D("0.1"), D(30_000))
        assert (inventory(d).position, flows(d)) == (D("0.1"), [])
        assert inventory(d).pnl(D(310_000)).total == 1000


def test_the_first_start_is_noted_before_any_answer() -> None:
    """A gateway that dies before its opening leaves the time from which hand trades count, and a successor keeps it."""
    d = make()
    d.step(ev.Wake())
    assert d.notes[(PAIR, "first_start_ms")] == str(START_MS)
    again = later(make(restored=Restored({PAIR: RestoredPair(notes={"first_start_ms": str(START_MS - 7)})})))
    again.read_all()
    assert (PAIR, "first_start_ms") not in again.notes
    assert again.core.desks[PAIR].ledger.first_ms == START_MS - 7


def test_what_came_too_often_before_a_restart_counts_after_it() -> None:
    first = make()
    for n in range(6):
        first.step(ev.PostRejected(PAIR, f"lm1-{PAIR}-abc-{n}-B0", "ErrPriceTooHigh"))
    second = later(make(restored=Restored({}, {NOTE: first.notes["", NOTE]}, 9)))
    for n in range(5):
        assert second.core.shared.halted is None
        second.step(ev.PostRejected(PAIR, f"lm1-{PAIR}-abc-{9 + n}-B0", "ErrPriceTooHigh"))
    assert "REJECTS" in (second.core.shared.halted or "")
    second.step(ev.ResumeAsked("r1", PAIR, "ann@host", "looked"))
    third = later(make(restored=Restored({}, {NOTE: second.notes["", NOTE]}, 9)))
    third.step(ev.PostRejected(PAIR, f"lm1-{PAIR}-abc-20-B0", "ErrPriceTooHigh"))
    assert third.core.shared.halted is None, "a person's word starts them anew"


@pytest.mark.parametrize(("count", "waits"), [(ORDERS_A_MINUTE, True), (ORDERS_A_MINUTE - 1, False)])
def test_a_restart_does_not_start_the_minute_of_orders_anew(count: int, waits: bool) -> None:
    orders = tuple(
        Order(
            pair=PAIR, intent_id=f"abc-{n}-B0", client_order_id=f"lm1-{PAIR}-abc-{n}-B0", side=Side.BID, level=0,
            price=D(299_000), volume=D("0.004"), created_ms=START_MS - 30_000, timestamp_ms=START_MS - 30_000,
            ttl_ms=3_000, updated_ms=START_MS - 30_000, state=OrderState.CANCELLED, order_id=f"BX{n}",
        )
        for n in range(count)
    )  # fmt: skip
    driver = make(restored=Restored({PAIR: RestoredPair(orders, frozenset(), (), {})}, {}, 9))
    assert driver.core.shared.throttle.crowded(driver.now) is waits
