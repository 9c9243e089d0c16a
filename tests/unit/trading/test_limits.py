"""What may be sent: one table of situations, and the day's loss."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from trading_driver import intent, rules

from lunomm.errors import OrderStateError
from lunomm.market.rules import Side
from lunomm.trading.limits import (
    Approved,
    DailyLoss,
    Held,
    Limits,
    Refused,
    Situation,
    check,
    open_value,
    too_much_lost,
)

CALM = Situation(
    rules=rules(),
    position_low=D("0.1"),
    position_high=D("0.1"),
    target=D("0.1"),
    max_position=D("0.02"),
    bids_open=D(0),
    asks_open=D(0),
    highest_bid=None,
    lowest_ask=None,
    highest_bid_wanted=False,
    lowest_ask_wanted=False,
    free_base=D("0.1"),
    free_counter=D(30_000),
    settled=True,
    reference=D(300_000),
    good=D(300_000),
    open_now=D(0),
    max_open_value=D(60_000),
)
NONE = Limits()


def word(side: Side, price: str, size: str = "0.004", *, limits: Limits = NONE, **changes: Any) -> str:
    verdict = check(intent(1, side, price, size), replace(CALM, **changes), limits)
    if isinstance(verdict, Approved):
        return "APPROVED"
    return f"{'REFUSED' if isinstance(verdict, Refused) else 'HELD'} {verdict.code}"


@pytest.mark.parametrize(
    ("side", "price", "size", "changes", "expected"),
    [
        # grid and bounds
        ("BID", "299000", "0.004", {}, "APPROVED"),
        ("BID", "299000.00", "0.0040000", {}, "APPROVED"),
        ("BID", "299000.5", "0.004", {}, "REFUSED OFF_GRID"),
        ("BID", "299000", "0.0040001", {}, "REFUSED OFF_GRID"),
        ("BID", "299000", "0.00009", {}, "REFUSED VOLUME_BOUNDS"),
        ("BID", "299000", "101", {}, "REFUSED VOLUME_BOUNDS"),
        ("ASK", "10000001", "0.004", {}, "REFUSED PRICE_BOUNDS"),
        # market
        ("BID", "299000", "0.004", {"rules": rules(status="POSTONLY")}, "HELD MARKET_STATUS"),
        ("BID", "299000", "0.004", {"rules": rules(status="DISABLED")}, "HELD MARKET_STATUS"),
        # collar
        ("BID", "299000", "0.004", {"reference": None}, "HELD NO_REFERENCE"),
        ("BID", "285000", "0.004", {}, "APPROVED"),
        ("BID", "284999", "0.004", {}, "REFUSED COLLAR"),
        ("ASK", "315000", "0.004", {}, "APPROVED"),
        ("ASK", "315001", "0.004", {}, "REFUSED COLLAR"),
        ("BID", "299000", "0.004", {"good": None}, "HELD NO_REFERENCE"),
        ("BID", "299000", "0.004", {"good": D(314_736)}, "APPROVED"),
        ("BID", "299000", "0.004", {"good": D(314_737)}, "REFUSED COLLAR"),
        ("ASK", "301000", "0.004", {"good": D(286_000)}, "REFUSED COLLAR"),
        # open value
        ("BID", "299000", "0.004", {"open_now": D(58_804)}, "APPROVED"),
        ("BID", "299000", "0.004", {"open_now": D("58804.01")}, "REFUSED OPEN_VALUE"),
        ("ASK", "300000", "0.004", {"max_open_value": D("1199.99")}, "REFUSED OPEN_VALUE"),
        # pace
        ("BID", "299000", "0.004", {"crowded": True}, "HELD ORDER_RATE"),
        ("BID", "299000", "0.004", {"resting": frozenset({Side.BID})}, "HELD ONE_SIDED"),
        ("ASK", "301000", "0.004", {"resting": frozenset({Side.BID})}, "APPROVED"),
        # our own other side
        ("BID", "300000", "0.004", {"lowest_ask": D(300_001)}, "APPROVED"),
        ("BID", "300000", "0.004", {"lowest_ask": D(300_000)}, "HELD OWN_ORDER"),
        ("BID", "300000", "0.004", {"lowest_ask": D(300_000), "lowest_ask_wanted": True}, "REFUSED OWN_ORDER"),
        ("ASK", "300000", "0.004", {"highest_bid": D(300_000)}, "HELD OWN_ORDER"),
        ("ASK", "300000", "0.004", {"highest_bid": D(300_005), "highest_bid_wanted": True}, "REFUSED OWN_ORDER"),
        # worst-case position
        ("BID", "299000", "0.02", {}, "APPROVED"),
        ("BID", "299000", "0.020001", {}, "REFUSED POSITION_LIMIT"),
        ("BID", "299000", "0.004", {"bids_open": D("0.017")}, "REFUSED POSITION_LIMIT"),
        ("BID", "299000", "0.004", {"position_high": D("0.117")}, "REFUSED POSITION_LIMIT"),
        ("BID", "299000", "0.004", {"position_low": D("0.083")}, "APPROVED"),
        ("ASK", "301000", "0.004", {"asks_open": D("0.017")}, "REFUSED POSITION_LIMIT"),
        ("ASK", "301000", "0.004", {"position_low": D("0.083")}, "REFUSED POSITION_LIMIT"),
        ("ASK", "301000", "0.004", {"position_low": D("0.2"), "position_high": D("0.2")}, "APPROVED"),
        # money
        ("ASK", "301000", "0.004", {"free_base": D("0.0039")}, "REFUSED BALANCE"),
        ("ASK", "301000", "0.004", {"free_base": D("0.0039"), "settled": False}, "HELD BALANCE"),
        ("BID", "299000", "0.004", {"free_counter": D("1195.99")}, "REFUSED BALANCE"),
        ("BID", "299000", "0.004", {"free_counter": D("1196.00")}, "APPROVED"),
        ("BID", "299000", "0.004", {"free_counter": D("-5"), "settled": False}, "HELD BALANCE"),
    ],
)
def test_the_verdict(side: str, price: str, size: str, changes: dict[str, Any], expected: str) -> None:
    assert word(Side(side), price, size, **changes) == expected


def test_order_value() -> None:
    limits = Limits(max_order_value=D("1196"))
    assert word(Side.BID, "299000", limits=limits) == "APPROVED"
    assert word(Side.BID, "299001", limits=limits) == "REFUSED ORDER_VALUE"


@pytest.mark.parametrize(
    ("limits", "worth", "most"),
    [
        (NONE, "60000", "60000"),
        (NONE, "-5", "0"),
        (Limits(max_order_value=D(200)), "60000", "4000"),
        (Limits(max_order_value=D(200)), "3000", "3000"),
        (Limits(max_order_value=D(200), max_open_value=D(90_000)), "3000", "90000"),
    ],
)
def test_open_value(limits: Limits, worth: str, most: str) -> None:
    assert open_value(limits, D(worth)) == D(most)


def test_an_approval_is_a_type_of_its_own_and_made_by_the_check_alone() -> None:
    verdict = check(intent(1, Side.BID, 299_000), CALM, NONE)
    assert isinstance(verdict, Approved)
    assert not isinstance(verdict, Refused | Held)
    with pytest.raises(OrderStateError):
        Approved(intent(1, Side.BID, 299_000), object())
    with pytest.raises(TypeError):
        Approved(intent(1, Side.BID, 299_000))  # type: ignore[call-arg]


def test_the_days_loss_is_counted_from_the_days_first_figure() -> None:
    day = 86_400_000
    loss = DailyLoss()
    assert loss.take(D(-500), 10 * day + 5)
    assert not loss.take(D("-599.99"), 10 * day + 6)
    assert loss.loss == D("99.99")
    assert loss.take(D(-650), 11 * day)
    assert (loss.day, loss.total, loss.loss) == (11, D(-650), D(0))
    again = DailyLoss(11, D(0))
    assert not again.take(D(-100), 11 * day + 1)
    assert again.loss == 100
    again.forgive()
    assert again.loss == 0  # also while the market has no price to count by
    assert again.take(D(-100), 11 * day + 2)
    assert again.loss == 0


def test_too_much_lost() -> None:
    limits = Limits(max_daily_loss=D(100))
    assert too_much_lost(D("99.99"), "MYR", limits) is None
    assert "MAX_DAILY_LOSS" in (too_much_lost(D(100), "MYR", limits) or "")
    assert too_much_lost(D(1000), "MYR", Limits()) is None
