from __future__ import annotations

from decimal import Decimal, Inexact

import pytest

from lunomm.simulator.ledger import UNIT, Ledger, fee_units, from_units, to_units


def coins(text: str) -> int:
    return to_units(Decimal(text))


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open("ann", "XBT", 1, Decimal("1.5"))
    ledger.open("ann", "MYR", 2, Decimal(1000))
    ledger.open("bob", "MYR", 3)
    return ledger


def test_amounts_are_exact_both_ways() -> None:
    assert to_units(Decimal("0.000000000000000001")) == 1
    assert from_units(1) == Decimal("0.000000000000000001")
    assert to_units(Decimal(12345678901)) == 12345678901 * UNIT
    with pytest.raises(Inexact):
        to_units(Decimal("1E-19"))


@pytest.mark.parametrize(
    ("amount", "rate", "scale", "fee"),
    [
        ("0.004", "0.0035", 8, "0.000014"),
        ("0.001", "0.0035", 8, "0.0000035"),
        ("1", "0", 8, "0"),
        ("1", "0.000000005", 8, "0.00000001"),
        ("1", "0.0000000049", 8, "0"),
        ("3", "0.5", 0, "2"),
        ("1", "0.5", 0, "1"),
        ("0.99", "0.5", 0, "0"),
        ("100", "-0.0001", 8, "-0.01"),
        ("1", "-0.000000005", 8, "-0.00000001"),
        ("1", "-0.000000004", 8, "0"),
    ],
)
def test_fees_are_rounded_half_up(amount: str, rate: str, scale: int, fee: str) -> None:
    assert fee_units(coins(amount), Decimal(rate), scale) == coins(fee)


def test_fees_may_be_cut() -> None:
    assert fee_units(coins("1"), Decimal("0.000000019"), 8, truncate=True) == coins("0.00000001")
    assert fee_units(coins("1"), Decimal("-0.000000019"), 8, truncate=True) == coins("-0.00000001")


def test_rows_are_counted_without_holes_and_add_up(ledger: Ledger) -> None:
    rows = [
        ledger.reserve("ann", "MYR", coins("300")),
        ledger.pay("ann", "MYR", coins("-120"), coins("150")),
        ledger.reserve("ann", "MYR", coins("-150")),
        ledger.charge("ann", "MYR", coins("0.5")),
        ledger.deposit("ann", "MYR", coins("20")),
    ]
    balance = available = coins("1000")
    # The opening deposit was row 1.
    for index, row in enumerate(rows, start=2):
        assert row is not None
        balance += row.balance_delta
        available += row.available_delta
        assert (row.owner, row.asset, row.account_id, row.row_index) == ("ann", "MYR", 2, index)
        assert (row.balance, row.available) == (balance, available)
    wallet = ledger.wallet("ann", "MYR")
    assert from_units(wallet.total) == Decimal("899.5") and wallet.reserved == 0
    assert ledger.fees["MYR"] == coins("0.5")


def test_other_wallets_are_not_touched(ledger: Ledger) -> None:
    ledger.reserve("ann", "XBT", coins("1"))
    assert ledger.wallet("ann", "MYR").reserved == 0
    assert ledger.wallet("bob", "MYR").total == 0
    assert [wallet.asset for wallet in ledger.wallets("ann")] == ["XBT", "MYR"]
    assert len(ledger.wallets()) == 3


@pytest.mark.parametrize(
    ("total", "reserved"),
    [
        ("0", "1000.01"),
        ("0", "-0.01"),
        ("-1000.01", "0"),
    ],
)
def test_what_is_not_there_cannot_be_moved(ledger: Ledger, total: str, reserved: str) -> None:
    with pytest.raises(ValueError, match="ann's MYR"):
        ledger.pay("ann", "MYR", coins(total), -coins(reserved))
    wallet = ledger.wallet("ann", "MYR")
    assert (wallet.total, wallet.reserved, wallet.rows) == (coins("1000"), 0, 1)


def test_reserved_money_cannot_be_paid_out(ledger: Ledger) -> None:
    ledger.reserve("ann", "MYR", coins("1000"))
    with pytest.raises(ValueError):
        ledger.pay("ann", "MYR", coins("-1"))


def test_accounts_open_once_with_a_sane_amount(ledger: Ledger) -> None:
    for owner, amount in (("ann", "1"), ("eve", "-1"), ("eve", "NaN"), ("eve", "Infinity")):
        with pytest.raises(ValueError):
            ledger.open(owner, "XBT", 9, Decimal(amount))


def test_nothing_is_made_or_lost(ledger: Ledger) -> None:
    ledger.reserve("ann", "XBT", coins("1"))
    ledger.pay("ann", "XBT", coins("-0.4"), coins("0.4"))
    ledger.pay(None, "XBT", coins("0.4"))
    ledger.pay(None, "MYR", coins("-120"))
    ledger.pay("ann", "MYR", coins("120"))
    ledger.charge("ann", "MYR", coins("-0.012"))
    assert ledger.assets() == {"XBT", "MYR"}
    assert [ledger.drift(asset) for asset in ("XBT", "MYR")] == [0, 0]
    ledger.house["MYR"] += 1
    assert ledger.drift("MYR") == 1
