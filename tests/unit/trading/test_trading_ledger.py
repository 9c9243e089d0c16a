"""Each trade once; the opening and its share survive a restart."""

from __future__ import annotations

from decimal import Decimal as D

from trading_driver import PAIR, START_MS, Driver, intent, trade

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.events import Flow
from lunomm.trading.ledger import Ledger, in_order
from lunomm.trading.restored import RestoredPair


def test_the_opening_is_the_base_share_of_what_the_account_is_worth() -> None:
    ledger = Ledger(PAIR, RestoredPair())
    assert not ledger.opened
    notes = ledger.open(D("0.1"), D(30_000), D(300_000))
    assert ledger.share == D("0.5")
    assert ledger.target(D("0.1"), D(30_000), D(300_000)) == D("0.1")
    # The price doubles: half of what it is worth now is fewer coins.
    assert ledger.target(D("0.1"), D(30_000), D(600_000)) == D("0.075")
    again = Ledger(PAIR, RestoredPair(notes=notes))
    assert again.opened
    assert again.share == D("0.5")
    assert again.inventory is not None
    assert again.inventory.opening == D("0.1")


def test_an_empty_account_has_a_share_too() -> None:
    ledger = Ledger(PAIR, RestoredPair())
    ledger.open(D(0), D(0), D(300_000))
    assert ledger.target(D(0), D(0), D(300_000)) == 0


def test_each_trade_is_booked_once_whatever_the_order(driver: Driver) -> None:
    order = driver.place(intent(1, Side.BID, 299_000))
    ledger = Ledger(PAIR, RestoredPair())
    ledger.open(D(1), D(1), D(1))
    first, second = trade(order, 9, "0.001"), trade(order, 8, "0.002")
    taken = [ledger.take(t, order.client_order_id) for t in (first, second, first, second)]
    assert [t.sequence if isinstance(t, Fill) else None for t in taken] == [9, 8, None, None]
    assert ledger.sequence == 9
    assert [t.sequence for t in in_order([first, second])] == [8, 9]


def test_a_restart_replays_to_the_same_digits(driver: Driver) -> None:
    order = driver.place(intent(1, Side.BID, 299_000))
    ledger = Ledger(PAIR, RestoredPair())
    notes = ledger.open(D("0.1"), D(30_000), D(300_000))
    ledger.fairs.add(0, 300_123.25)
    entries = [
        ledger.take(trade(order, 1, "0.001", fee="0.0000035"), order.client_order_id),
        ledger.flow("deposit", D("0.5"), D(0), START_MS),
        ledger.take(trade(order, 2, "0.001"), order.client_order_id),
    ]
    kept = tuple(e for e in entries if isinstance(e, Fill | Flow))
    assert len(kept) == 3
    again = Ledger(PAIR, RestoredPair(entries=kept, notes=notes))
    assert ledger.inventory is not None
    assert again.inventory is not None
    assert again.inventory.pnl(D(301_000)) == ledger.inventory.pnl(D(301_000))
    assert again.inventory.position == D("0.6019965")
    assert again.flow("deposit", D("0.5"), D(0), START_MS) is None
    assert again.take(trade(order, 2, "0.001"), order.client_order_id) is None
    assert again.sequence == 2


def test_aliens_before_the_first_start_are_history(driver: Driver) -> None:
    order = driver.place(intent(1, Side.BID, 299_000))
    ledger = Ledger(PAIR, RestoredPair(notes={"first_start_ms": str(START_MS)}))
    assert ledger.take(trade(order, 1, "0.001", ts_ms=START_MS - 1), None) is None
    assert isinstance(ledger.take(trade(order, 2, "0.001", ts_ms=START_MS), None), Flow)


def test_what_was_booked_before_the_opening_is_in_it_already(driver: Driver) -> None:
    """A price to open with may come late: the balance then holds what was traded since the first start."""
    ledger = Ledger(PAIR, RestoredPair(notes={"first_start_ms": str(START_MS)}))
    order = driver.place(intent(1, Side.ASK, 301_000))
    assert ledger.take(trade(order, 7, "0.001", client_order_id="", ts_ms=START_MS + 1), None) is not None
    notes = ledger.open(D("0.099"), D(30_301), D(300_000))
    assert D(notes["opening"]) == D("0.1")
    assert ledger.inventory is not None
    assert ledger.inventory.position == D("0.099")
