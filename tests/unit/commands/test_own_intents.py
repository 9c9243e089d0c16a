"""Which of the gateway's orders the book takes for ours."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.commands.book import own_intents
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import OrderState, OrderView

RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=1,
    volume_scale=6,
    min_price=D(1),
    max_price=D(10**7),
    min_volume=D("0.0001"),
    max_volume=D(100),
)


def order(**changes: object) -> OrderView:
    fields: dict[str, object] = {
        "pair": "XBTMYR",
        "intent_id": "a-1-B0",
        "client_order_id": "lm1-XBTMYR-a-1-B0",
        "order_id": "BX1",
        "side": Side.BID,
        "level": 0,
        "price": D("300000.5"),
        "volume": D("0.002"),
        "filled": D("0"),
        "state": OrderState.WORKING,
        "created_ms": 1,
        "updated_ms": 1,
    }
    return OrderView(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("state", OrderState)
def test_every_state_that_may_rest_counts(state: OrderState) -> None:
    own = own_intents({"a": order(state=state)}, RULES)
    assert own == (() if state.terminal else (OwnIntent("a-1-B0", "BX1", Side.BID, 3000005, 2000),))


def test_an_intent_without_an_id_keeps_side_price_and_volume() -> None:
    assert own_intents({"a": order(order_id=None, state=OrderState.SENT, side=Side.ASK)}, RULES) == (
        OwnIntent("a-1-B0", None, Side.ASK, 3000005, 2000),
    )


def test_what_is_left_of_a_part_fill_is_ours() -> None:
    assert own_intents({"a": order(filled=D("0.0005"))}, RULES)[0].lots == 1500


@pytest.mark.parametrize(
    "changes",
    [
        {"price": D("300000.55")},
        {"price": D("NaN")},
        {"price": D("sNaN")},
        {"price": D("-1")},
        {"price": D("1e999999")},
        {"volume": D("0.0000001")},
        {"volume": D("sNaN")},
        {"filled": D("0.003")},
    ],
)
def test_an_order_off_the_grid_is_nobodys(changes: dict[str, object]) -> None:
    assert own_intents({"a": order(**changes)}, RULES) == ()


def test_order_of_the_hash_does_not_matter() -> None:
    one, two = order(), order(intent_id="a-2-A0", side=Side.ASK, order_id=None)
    assert own_intents({"x": one, "y": two}, RULES) == own_intents({"y": two, "x": one}, RULES)
