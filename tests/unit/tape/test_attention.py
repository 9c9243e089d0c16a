"""A session's looks replayed: at their times, of their pictures, with the delays that journal and looks tell."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from lunomm.market.clock import Now
from lunomm.market.records import BookState, Params, Tick
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, OrderUpdate, UpdateKind
from lunomm.quoting.looks import Look, Looks
from lunomm.tape.attention import Attending, Attention, Delays, Limited, attention_of
from lunomm.trading.orders import Order

MS = 1_000_000
D = Decimal


def look(at_ms: int, sequence: int | None = 1, heard: int = 0, made: int = 0, polled: bool = False) -> Look:
    return Look(at_ms * MS, sequence, heard, made, polled)


def said(number: int, *looks: Look, epoch: int = 7, **more: Any) -> Looks:
    return Looks(pair="XBTMYR", epoch=epoch, number=number, looks=list(looks), **more)


def order(counter: int, side: Side, at_ms: int) -> Order:
    name = f"7-{counter}-{side.value[0]}0"
    return Order(
        pair="XBTMYR", intent_id=name, client_order_id=f"lm1-XBTMYR-{name}", side=side, level=0, price=D(1),
        volume=D(1), created_ms=at_ms, timestamp_ms=at_ms, ttl_ms=3000, updated_ms=at_ms,
    )  # fmt: skip


def update(number: int, at_ms: int, of: Order | None = None, state: OrderState | None = None) -> OrderUpdate:
    name = None if of is None else of.client_order_id
    return OrderUpdate(
        pair="XBTMYR", number=number, kind=UpdateKind.STATUS, ts_ms=at_ms, client_order_id=name, state=state
    )


def known(*messages: Looks, orders: tuple[Order, ...] = (), updates: tuple[OrderUpdate, ...] = ()) -> Attention:
    found = attention_of(messages, 7, orders, updates)
    assert found is not None
    return found


def test_a_delay_is_that_of_the_last_before() -> None:
    delays = Delays([(20, 2), (10, 1)])
    assert [delays.at(ns) for ns in (5, 10, 19, 20, 99)] == [1, 1, 1, 2, 2]
    assert Delays([]).at(5) == 0 and Delays([]).median is None and delays.median == 2


def test_a_missing_message_is_a_stretch_nobody_knows() -> None:
    found = known(said(4, look(40)), said(1, look(10)), said(2, look(20)), said(9, look(1), epoch=6))
    assert [one.at_ns // MS for one in found.looks] == [10, 20, 40]
    assert [found.covers(ms * MS) for ms in (5, 15, 20, 30, 40, 41)] == [True, True, True, False, True, False]
    assert attention_of([said(1, look(10), epoch=6)], 7, (), ()) is None


def test_a_word_is_heard_at_the_first_look_that_knows_its_number() -> None:
    looks = said(1, look(100, heard=3), look(130, heard=3), look(145, heard=5), look(150, heard=6))
    found = known(looks, updates=(update(4, 138), update(5, 141), update(6, 148), update(7, 149)))
    assert [found.hears.at(ms * MS) // MS for ms in (138, 141, 148)] == [7, 4, 2]


def test_a_quote_reaches_the_gateway_with_its_first_move_for_it() -> None:
    first, second = order(1, Side.BID, 112), order(2, Side.BID, 230)
    gone = update(9, 206, first, OrderState.CANCELLING)
    found = known(said(1, look(100, made=1), look(200, made=2)), orders=(second, first), updates=(gone,))
    assert [found.reaches.at(ms * MS) // MS for ms in (100, 200)] == [12, 6]
    # Who was cancelled before the quote was made was not cancelled for it.
    early = update(9, 190, first, OrderState.CANCELLING)
    found = known(said(1, look(100, made=1), look(200, made=2)), orders=(first, second), updates=(early,))
    assert found.reaches.at(200 * MS) // MS == 30
    assert found.quoted_from_ns == 100 * MS


def test_a_look_sees_the_market_of_its_own_tick() -> None:
    state = {"frame": 10}

    def draw(now: Now) -> Tick:
        return Tick(
            pair="XBTMYR", ts=0.0, exchange_ts=None, sequence=state["frame"], state=BookState.OK, beat=now.mono_ns,
            stream_age_ms=None, lag_ms=None,
        )  # fmt: skip

    attending = Attending(known(said(1, look(5, 10), look(6, 10), look(7, 12), look(8, None), look(9, 12))), draw)
    seen = []

    def frame(sequence: int, at_ms: int) -> None:
        attending.before(sequence, at_ms * MS)
        state["frame"] = sequence

    def looked(at_ms: int) -> None:
        assert attending.next_ns == at_ms * MS
        assert attending.due(at_ms * MS - 1) is None
        assert attending.due(at_ms * MS) is not None
        seen.append(attending.picture(Now(at_ms * MS, at_ms * MS)).sequence)

    frame(11, 4)  # here, and on its way to the quoter, who looks without it twice
    looked(5)
    frame(12, 5)
    looked(6)
    looked(7)
    frame(13, 7)
    looked(8)  # without a book there is no tick of it: the market as it stands
    looked(9)
    assert seen == [10, 10, 12, 13, 12]
    assert attending.next_ns is None and attending.due(99 * MS) is None
    # Nothing is known of later looks: as the market stands.
    assert attending.picture(Now(10 * MS, 10 * MS)).sequence == 13


def test_an_order_is_turned_away_where_the_nearest_of_its_side_was() -> None:
    away = replace(order(2, Side.BID, 200), code="RATE_LIMITED", state=OrderState.REJECTED)
    limited = Limited([order(1, Side.BID, 100), away, order(3, Side.BID, 400), order(4, Side.ASK, 200)])
    found = [limited.at(Side.BID, ms * MS) for ms in (1, 149, 151, 200, 299, 301, 999)]
    assert found == [False, False, True, True, True, False, False]
    assert not limited.at(Side.ASK, 200 * MS) and not Limited([]).at(Side.ASK, 5)


def test_a_calibration_is_heard_when_it_was() -> None:
    params = Params(pair="XBTMYR", at_ms=1, provenance="a test")
    newer = Params(pair="XBTMYR", at_ms=2, provenance="a test")
    messages = said(1, look(5), params=params, params_ns=5), said(2, look(9), params=newer, params_ns=9)
    attending = Attending(known(*messages), lambda now: (_ for _ in ()).throw(AssertionError))
    assert [attending.calibration(ns) for ns in (4, 5, 6, 9)] == [None, params, None, newer]
    attending = Attending(replace(known(*messages)), lambda now: (_ for _ in ()).throw(AssertionError))
    assert attending.calibration(10) is newer
