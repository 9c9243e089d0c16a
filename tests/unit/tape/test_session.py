"""From a journal's record to figures: the window, the marks, the orders' lives, and what is said of the unknown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from sessions import S, fill, path

from lunomm.errors import UsageError
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, OrderUpdate, UpdateKind
from lunomm.tape.attribution import attribute
from lunomm.tape.session import order_lives, session_rules, tell
from lunomm.trading.events import Flow
from lunomm.trading.orders import Amounts, Order
from lunomm.trading.restored import RestoredPair

PAIR = "XBTMYR"
NOTES = {"first_start_ms": "1000", "opening": "2", "opening_mark": "1000", "target_share": "0.5"}
FILLS = [fill(Side.BID, "990", "1", 10, 1000.0, "0.001"), fill(Side.ASK, "1010", "0.5", 60, None, "0.1")]


def order(number: int, state: OrderState, updated_s: float, **changes: object) -> Order:
    fields: dict[str, object] = {
        "pair": PAIR, "intent_id": f"k-{number}-B0", "client_order_id": f"c{number}", "side": Side.BID, "level": 0,
        "price": D("990.5"), "volume": D("1.00"), "created_ms": number * 1000, "timestamp_ms": 0, "ttl_ms": 0,
        "updated_ms": round(updated_s * 1000), "state": state, "order_id": f"BX{number}",
    }  # fmt: skip
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


def news(number: int, at_s: float, state: OrderState, known: bool = True) -> OrderUpdate:
    return OrderUpdate(
        pair=PAIR, number=number, kind=UpdateKind.STATUS, ts_ms=round(at_s * 1000), state=state,
        client_order_id=f"c{number}", order_id=f"BX{number}" if known else None,
    )  # fmt: skip


KEPT = RestoredPair(entries=tuple(FILLS), notes=NOTES, orders=(order(5, OrderState.CANCELLED, 90),))


def test_the_whole_journal() -> None:
    told = tell(PAIR, KEPT, [])
    session = told.session
    assert (session.start_ns, session.end_ns, session.opening, session.capital) == (S, 90 * S, D(2), D(4000))
    assert (session.opening_mark, session.closing_mark) == (D(1000), D("1000.00000000"))
    assert told.fills == tuple(FILLS)
    assert len(told.notes) == 3 and "no tape" in told.notes[2] and "1 fills without" in told.notes[1]
    got = attribute(session)
    assert got.pnl.total == D(2 - 1 + 1) * 0 + (2 + 1 - D("0.001") - D("0.5")) * 1000 - 990 + 505 - D("0.1") - 2000
    assert session.rules.counter == "MYR" and session_rules(PAIR, KEPT).price_scale == 1


def test_a_tape_gives_the_marks_and_takes_the_notes_away() -> None:
    market = path((0, 999, 1001), (50, 1009, 1011), end_s=100)
    told = tell(PAIR, KEPT, [], market)
    assert told.session.closing_mark == D(1010) and told.session.opening_mark == D(1000)
    assert told.notes == ("1 fills without a known fair price are marked at their own",)
    short = tell(PAIR, KEPT, [], path((20, 999, 1001), end_s=50))
    assert "do not have the market at 2 of 2 fills" in short.notes[-1]


def test_a_window_starts_with_what_was_held_then() -> None:
    whole = attribute(tell(PAIR, KEPT, []).session)
    first = tell(PAIR, KEPT, [], until_ns=30 * S).session
    second = tell(PAIR, KEPT, [], since_ns=30 * S).session
    assert (len(first.entries), len(second.entries)) == (1, 1)
    assert second.opening == attribute(first).closing == D("2.999")
    assert second.opening_mark == first.closing_mark and second.capital is None
    assert attribute(first).pnl.total + attribute(second).pnl.total == whole.pnl.total
    for since, until in ((95, None), (None, 0), (40, 40)):
        with pytest.raises(UsageError) as error:
            tell(
                PAIR,
                KEPT,
                [],
                since_ns=None if since is None else since * S,
                until_ns=None if until is None else until * S,
            )
        assert error.value.code == "NO_SESSION"


def test_before_the_first_start_and_without_one() -> None:
    old = msgspec.structs.replace(FILLS[0], ts_ms=500)
    told = tell(PAIR, replace(KEPT, entries=(old, *FILLS[1:])), [])
    assert told.fills == (FILLS[1],), "it is in the opening already"
    with pytest.raises(UsageError) as error:
        tell(PAIR, RestoredPair(notes={"first_start_ms": "1000"}), [])
    assert error.value.code == "NO_SESSION"


def test_coins_counted_elsewhere_and_flows() -> None:
    flow = Flow(pair=PAIR, ref="deposit", base=D(3), counter=D(0), ts_ms=20_000, mark=D(1005))
    kept = replace(KEPT, entries=(FILLS[0], flow), notes={**NOTES, "opening_elsewhere": "1"})
    session = tell(PAIR, kept, []).session
    assert session.opening == 0 and session.capital is None and session.closing_mark == D(1005)
    assert attribute(session).closing == D("3.999")


def test_lives_by_the_news_else_by_the_order() -> None:
    filled = Amounts(D(1), D(990))
    orders = [
        order(1, OrderState.FILLED, 50, filled=filled),
        order(2, OrderState.CANCELLED, 60),
        order(3, OrderState.WORKING, 70),
        order(4, OrderState.REJECTED, 8),
        order(5, OrderState.DEAD, 8, order_id=None),
        order(6, OrderState.UNKNOWN, 9),
        order(7, OrderState.CANCELLED, 15),
    ]
    said = [
        news(1, 1.5, OrderState.SENT, known=False),
        news(1, 2, OrderState.WORKING),
        news(1, 9, OrderState.FILLED),
        news(1, 11, OrderState.FILLED),
    ]
    found = order_lives(orders, said, 20 * S, 100 * S)
    assert [(life.working_ns // S, life.ended_ns and life.ended_ns // S) for life in found] == [(2, 60), (3, None)]
    every = order_lives(orders, said, 0, 100 * S)
    assert [(life.working_ns // S, life.ended_ns and life.ended_ns // S, life.filled) for life in every] == [
        (2, 9, 1),
        (2, 60, 0),
        (3, None, 0),
        (7, 15, 0),
    ]
