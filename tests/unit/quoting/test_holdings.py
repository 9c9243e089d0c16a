from __future__ import annotations

from decimal import Decimal as D

import pytest
from quoting_cases import PAIR, START_MS, account, order

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.quoting.holdings import ACCOUNT_GRACE_NS, Holdings, plausible
from lunomm.quoting.inputs import Balance, OrderState, OrderUpdate, UpdateKind
from lunomm.quoting.intents import Intent

NOW = Now(START_MS * 1_000_000, 5_000_000_000)


def intent(side: Side = Side.ASK, price: str = "300000", size: str = "0.02", number: int = 1) -> Intent:
    return Intent(id=f"x-{number}-A0", side=side, level=0, price=D(price), size=D(size), created_ms=START_MS - 1000)


def fill(
    total: str | None, last: str | None, side: Side = Side.BID, ts_ms: int = START_MS + 1, **changes
) -> OrderUpdate:
    return OrderUpdate(
        pair=PAIR,
        number=1,
        kind=UpdateKind.FILL,
        ts_ms=ts_ms,
        intent_id="x-1-B0",
        side=side,
        filled=None if total is None else D(total),
        last_volume=None if last is None else D(last),
        **changes,
    )


def held(**changes) -> Holdings:
    holdings = Holdings()
    holdings.on_account(account("0.1", **changes), NOW)
    return holdings


@pytest.mark.parametrize(
    ("case", "updates", "position"),
    [
        ("none", [], "0.1"),
        ("a buy", [fill("0.01", "0.01")], "0.11"),
        ("a sale", [fill("0.01", "0.01", Side.ASK)], "0.09"),
        ("a buy's fee in base", [fill("0.01", "0.01", last_fee_base=D("0.0001"))], "0.1099"),
        ("twice the same", [fill("0.01", "0.01")] * 3, "0.11"),
        ("two parts", [fill("0.01", "0.01"), fill("0.015", "0.005")], "0.115"),
        ("two parts out of order", [fill("0.015", "0.005"), fill("0.01", "0.01")], "0.105"),
        ("a part before our time", [fill("0.015", "0.005")], "0.105"),
        ("no last volume", [fill("0.01", None)], "0.11"),
        ("older than the account", [fill("0.01", "0.01", ts_ms=START_MS)], "0.1"),
    ],
)
def test_position(case, updates, position):
    holdings = held()
    for update in updates:
        holdings.on_fill(update)
    assert holdings.account is not None
    assert holdings.position(holdings.account) == D(position), case


def test_a_newer_account_ends_the_correction():
    holdings = held()
    holdings.on_fill(fill("0.01", "0.01"))
    holdings.on_account(account("0.11", ts_ms=START_MS + 1), NOW)
    assert holdings.account is not None
    assert holdings.position(holdings.account) == D("0.11")


@pytest.mark.parametrize(
    ("case", "side", "orders", "spendable"),
    [
        ("nothing rests", Side.ASK, [], "0.06"),
        ("our ask gives back its base", Side.ASK, [order(intent())], "0.08"),
        ("what is left of it", Side.ASK, [order(intent(), filled=D("0.005"))], "0.075"),
        ("never more than is reserved", Side.ASK, [order(intent(size="0.9"))], "0.1"),
        ("a bid holds no base", Side.ASK, [order(intent(Side.BID))], "0.06"),
        ("our bid gives back its counter", Side.BID, [order(intent(Side.BID))], "26000"),
        ("an intent not sent holds nothing", Side.ASK, [order(intent(), OrderState.INTENT)], "0.06"),
        ("an unknown one may", Side.ASK, [order(intent(), OrderState.UNKNOWN)], "0.08"),
        ("one being cancelled does", Side.ASK, [order(intent(), OrderState.CANCELLING)], "0.08"),
        ("a finished one does not", Side.ASK, [order(intent(), OrderState.CANCELLED)], "0.06"),
        ("newer than the account", Side.ASK, [order(intent(), created_ms=START_MS)], "0.06"),
        ("not a number", Side.ASK, [order(intent(), volume=D("NaN"))], "0.06"),
    ],
)
def test_spendable(case, side, orders, spendable):
    base = Balance(asset="XBT", total=D("0.1"), reserved=D("0.04"))
    counter = Balance(asset="MYR", total=D(30_000), reserved=D(10_000))
    holdings = held(base=base, counter=counter)
    holdings.on_orders({view.intent_id: view for view in orders})
    assert holdings.account is not None
    assert holdings.spendable(side, holdings.account) == D(spendable), case


def test_missing_is_by_our_own_clock():
    holdings = Holdings()
    assert holdings.missing(NOW)
    holdings.on_account(account(), NOW)
    assert not holdings.missing(Now(NOW.exchange_ns + 10**15, NOW.mono_ns + ACCOUNT_GRACE_NS))
    assert holdings.missing(Now(NOW.exchange_ns, NOW.mono_ns + ACCOUNT_GRACE_NS + 1))


def test_foremost_own_order():
    holdings = Holdings()
    views = [
        order(intent(Side.ASK, "300400", number=1)),
        order(intent(Side.ASK, "300100", number=2), OrderState.CANCELLING),
        order(intent(Side.ASK, "300000", number=3), OrderState.CANCELLED),
        order(intent(Side.BID, "299000", number=4)),
    ]
    assert (holdings.foremost(Side.ASK), holdings.resting) == (None, False)
    holdings.on_orders({view.intent_id: view for view in views})
    assert (holdings.foremost(Side.ASK), holdings.foremost(Side.BID)) == (D(300_100), D(299_000))
    assert holdings.resting


@pytest.mark.parametrize(
    ("text", "fine"),
    [("0", True), ("-1.5", True), ("1e30", True), ("1e31", False), ("NaN", False), ("-Infinity", False)],
)
def test_plausible(text, fine):
    assert plausible(D(text)) is fine
