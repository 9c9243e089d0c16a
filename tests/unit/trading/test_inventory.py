"""Profit worked by hand, marks, fair prices by time, uptime."""

from __future__ import annotations

from decimal import Decimal as D

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.inventory import Fairs, Inventory, Uptime, mark_of, plain


def fill(
    side: Side, price: str, volume: str, fair: float | None, *, fee_base: str = "0", fee_counter: str = "0"
) -> Fill:
    return Fill(
        pair="XBTMYR", sequence=1, intent_id=None, client_order_id=None, order_id="BX1", side=side, price=D(price),
        volume=D(volume), counter=D(price) * D(volume), fee_base=D(fee_base), fee_counter=D(fee_counter), maker=True,
        ts_ms=0, fair=fair,
    )  # fmt: skip


def test_a_round_trip_by_hand() -> None:
    inventory = Inventory(D(0), D(100))
    inventory.fill(fill(Side.BID, "99", "2", 100.0))
    inventory.fill(fill(Side.ASK, "103", "2", 102.0))
    pnl = inventory.pnl(D(50))
    assert (pnl.spread, pnl.inventory, pnl.fees, pnl.total) == (D(4), D(4), D(0), D(8))
    assert (inventory.position, inventory.fills, inventory.bought, inventory.sold) == (D(0), 2, D(2), D(2))


def test_the_opening_is_marked_too() -> None:
    inventory = Inventory(D(3), D(100))
    assert inventory.pnl(D(90)).total == inventory.pnl(D(90)).inventory == D(-30)


def test_fees_in_their_own_currency_and_rebates() -> None:
    inventory = Inventory(D(0), D(100))
    inventory.fill(fill(Side.BID, "100", "1", 100.0, fee_base="0.01"))
    assert inventory.position == D("0.99")
    pnl = inventory.pnl(D(100))
    assert (pnl.fees, pnl.total) == (D(1), D(-1))
    inventory.fill(fill(Side.ASK, "100", "0.5", 100.0, fee_counter="-2"))
    assert inventory.pnl(D(100)).total == D(1)


def test_without_a_fair_price_the_fill_is_its_own_mark() -> None:
    inventory = Inventory(D(0), D(100))
    inventory.fill(fill(Side.BID, "90", "1", None))
    assert (inventory.pnl(D(100)).spread, inventory.pnl(D(100)).inventory) == (D(0), D(10))


def test_a_flow_is_no_profit_until_the_price_moves() -> None:
    inventory = Inventory(D(1), D(100))
    inventory.flow(D(2), D(-10), D(110))
    assert inventory.pnl(D(110)).total == D(10)
    assert inventory.pnl(D(120)).total == D(40)
    assert inventory.position == D(3)


def test_asking_for_a_figure_changes_nothing() -> None:
    inventory = Inventory(D(1), D(100))
    first = inventory.pnl(D(77))
    inventory.pnl(D(1000))
    assert inventory.pnl(D(77)) == first


def test_marks_are_cut_to_eight_decimals() -> None:
    assert mark_of(300000.123456789) == D("300000.12345679")
    assert mark_of(0.1) == D("0.10000000")


def test_fair_prices_by_time() -> None:
    fairs = Fairs()
    assert (fairs.before(5), fairs.last()) == (None, None)
    for at, price in ((10, 1.0), (20, 2.0), (15, 9.0), (30, None), (40, 4.0), (50, float("inf"))):
        fairs.add(at, price)
    assert [fairs.before(at) for at in (9, 10, 19, 20, 39, 40, 99)] == [None, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]


def test_uptime() -> None:
    uptime = Uptime()
    uptime.note(False, 0)
    assert uptime.share(10) is None
    uptime.note(True, 10)
    assert uptime.share(20) == 0.5
    uptime.note(False, 30)
    assert uptime.share(40) == 0.5


def test_figures_are_written_plainly() -> None:
    written = [str(plain(D(text))) for text in ("0E-16", "-0.000", "1.500000", "1E+3", "-28.60000000000", "100")]
    assert written == ["0", "0", "1.5", "1000", "-28.6", "100"]
