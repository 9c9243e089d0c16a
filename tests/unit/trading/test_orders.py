"""The order table: every state against every event, and that nothing illegal changes anything."""

from __future__ import annotations

import itertools
from decimal import Decimal as D

import pytest

from lunomm.errors import OrderStateError
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState as S
from lunomm.trading.orders import (
    TABLE,
    Amounts,
    Order,
    OrderEvent,
    book,
    client_order_id,
    fill_to,
    intent_of,
    level_of,
    move,
)
from lunomm.trading.orders import OrderEvent as E


def order(state: S = S.SENT, **changes: object) -> Order:
    fields: dict[str, object] = {
        "pair": "XBTMYR",
        "intent_id": "a-1-B0",
        "client_order_id": "lm1-XBTMYR-a-1-B0",
        "side": Side.BID,
        "level": 0,
        "price": D(300000),
        "volume": D("0.004"),
        "created_ms": 1,
        "timestamp_ms": 1,
        "ttl_ms": 3000,
        "updated_ms": 1,
        "state": state,
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


def amounts(base: str) -> Amounts:
    return Amounts(D(base), D(base) * 300000)


# Rows: state; columns: what each event makes of it; "-" is illegal.
DRAWN = """
            SEND     ACK         LOST        REJECT      OPEN        CANCEL      DONE       FULL    ABSENT
INTENT      SENT     -           UNKNOWN     REJECTED    -           -           -          -       -
SENT        -        WORKING     UNKNOWN     REJECTED    WORKING     -           CANCELLED  FILLED  -
UNKNOWN     -        WORKING     UNKNOWN     -           WORKING     -           CANCELLED  FILLED  DEAD
WORKING     -        WORKING     WORKING     WORKING     WORKING     CANCELLING  CANCELLED  FILLED  -
CANCELLING  -        CANCELLING  CANCELLING  CANCELLING  CANCELLING  CANCELLING  CANCELLED  FILLED  -
FILLED      -        FILLED      FILLED      FILLED      FILLED      -           FILLED     FILLED  -
CANCELLED   -        CANCELLED   CANCELLED   CANCELLED   CANCELLED   -           CANCELLED  FILLED  -
REJECTED    -        CANCELLING  REJECTED    REJECTED    CANCELLING  -           CANCELLED  FILLED  -
DEAD        -        CANCELLING  DEAD        -           CANCELLING  -           CANCELLED  FILLED  DEAD
"""


def cells() -> list[tuple[S, E, str]]:
    head, *rows = [line.split() for line in DRAWN.strip().splitlines()]
    return [(S(row[0]), E(event), target) for row in rows for event, target in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "event", "target"), cells())
def test_the_table_is_the_drawn_one(state: S, event: E, target: str) -> None:
    before = order(state, order_id="BX1")
    if target == "-":
        with pytest.raises(OrderStateError):
            move(before, event, 5)
        assert before == order(state, order_id="BX1")
    else:
        assert move(before, event, 5).state is S(target)


def test_every_pair_of_state_and_event_is_decided() -> None:
    assert {(state, event) for state, event, _ in cells()} == set(itertools.product(S, OrderEvent))
    assert set(TABLE) == set(S)


def test_only_the_venues_word_ends_an_order_for_good() -> None:
    """FILLED and CANCELLED never become live again; REJECTED and DEAD only to be cancelled."""
    for state in (S.FILLED, S.CANCELLED):
        assert all(target.terminal for target in TABLE[state].values())
    for state in (S.REJECTED, S.DEAD):
        assert {t for t in TABLE[state].values() if not t.terminal} == {S.CANCELLING}


def test_a_second_order_id_is_a_contradiction() -> None:
    working = move(order(), E.ACK, 2, order_id="BX1")
    with pytest.raises(OrderStateError, match="BX2"):
        move(working, E.OPEN, 3, order_id="BX2")
    assert move(working, E.OPEN, 3, order_id="BX1") is working


def test_no_news_is_the_same_object() -> None:
    working = move(order(), E.ACK, 2, order_id="BX1")
    for event in (E.ACK, E.OPEN, E.LOST):
        assert move(working, event, 9) is working
    assert fill_to(working, Amounts(), 9) is working


def test_cumulative_fills_only_grow() -> None:
    part = fill_to(order(S.WORKING), amounts("0.001"), 2)
    assert (part.state, part.filled.base, part.leaves) == (S.WORKING, D("0.001"), D("0.003"))
    assert fill_to(part, amounts("0.001"), 3) is part
    assert fill_to(part, amounts("0.0005"), 3) is part
    full = fill_to(part, amounts("0.004"), 4)
    assert (full.state, full.leaves, full.live) == (S.FILLED, D(0), False)


@pytest.mark.parametrize(
    "total",
    [amounts("0.005"), Amounts(D("0.002"), D(1))],
    ids=["more than the volume", "less money for more base"],
)
def test_a_contradictory_fill_raises_and_changes_nothing(total: Amounts) -> None:
    part = fill_to(order(S.WORKING), amounts("0.001"), 2)
    kept = part
    with pytest.raises(OrderStateError):
        fill_to(part, total, 3)
    assert part is kept
    assert part.filled == amounts("0.001")


def test_a_fill_after_the_end_is_booked() -> None:
    gone = move(fill_to(order(S.CANCELLING), amounts("0.001"), 2), E.DONE, 3)
    assert gone.state is S.CANCELLED
    late = fill_to(gone, amounts("0.002"), 4)
    assert (late.state, late.filled.base, late.leaves) == (S.CANCELLED, D("0.002"), D(0))
    assert fill_to(late, amounts("0.004"), 5).state is S.FILLED


def test_trades_are_evidence_too() -> None:
    ahead = book(order(S.WORKING), Amounts(D("0.001"), D(300), D("0.0000035")), 2)
    assert ahead.filled == ahead.booked == Amounts(D("0.001"), D(300), D("0.0000035"))
    assert not ahead.owes
    # The stream told the amount first, without the fee: the row's fee is the exact one.
    told = fill_to(order(S.WORKING), amounts("0.001"), 2)
    assert told.owes
    exact = book(told, Amounts(D("0.001"), D(300), D("0.0000035")), 3)
    assert exact.filled.fee_base == D("0.0000035")
    with pytest.raises(OrderStateError):
        book(exact, amounts("0.004"), 4)


def test_what_an_order_does_to_the_balances() -> None:
    bought = Amounts(D("0.004"), D(1200), D("0.00001"), D(0))
    assert (bought.net_base(Side.BID), bought.net_counter(Side.BID)) == (D("0.00399"), D(-1200))
    sold = Amounts(D("0.004"), D(1200), D(0), D("4.2"))
    assert (sold.net_base(Side.ASK), sold.net_counter(Side.ASK)) == (D("-0.004"), D("1195.8"))


@pytest.mark.parametrize(
    ("text", "pair", "intent"),
    [
        ("lm1-XBTMYR-k3-7-B0", "XBTMYR", "k3-7-B0"),
        ("lm1-XBTZAR-k3-7-B0", "XBTMYR", None),
        ("lm1-XBTMYR-", "XBTMYR", None),
        ("", "XBTMYR", None),
        ("manual", "XBTMYR", None),
    ],
)
def test_our_ids_are_recognised(text: str, pair: str, intent: str | None) -> None:
    assert intent_of(text, pair) == intent
    if intent is not None:
        assert client_order_id(pair, intent) == text


def test_the_level_is_read_from_the_intent() -> None:
    assert [level_of(text) for text in ("k-1-B0", "k-1-A3", "nonsense", "k-1-B", "k-1-B99999")] == [0, 3, 0, 0, 0]
