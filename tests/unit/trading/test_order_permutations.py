"""Acknowledgement, fills, cancel reply, completion and trade rows in every order, with repeats: always the same end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal as D

import pytest
from trading_driver import PAIR, Driver, fill_event, intent, make, seen, trade

from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, UpdateKind
from lunomm.trading import events as ev
from lunomm.trading.orders import Order

Happening = Callable[[Driver, Order], None]


def ack(d: Driver, o: Order) -> None:
    d.step(ev.Posted(PAIR, o.client_order_id, "BX1"))


def pending(d: Driver, o: Order) -> None:
    d.step(ev.StatusSeen(PAIR, "BX1", o.client_order_id, open=True))


def fill_1(d: Driver, o: Order) -> None:
    d.step(fill_event(o, "0.001", "0.001"))


def fill_2(d: Driver, o: Order) -> None:
    d.step(fill_event(o, "0.003", "0.002"))


def cancel_ack(d: Driver, o: Order) -> None:
    d.step(ev.CancelReturned(PAIR, o.client_order_id))


def complete(d: Driver, o: Order) -> None:
    d.step(ev.StatusSeen(PAIR, "BX1", o.client_order_id, open=False))


def lost(d: Driver, o: Order) -> None:
    d.step(ev.PostUnknown(PAIR, o.client_order_id))


def rows(d: Driver, o: Order) -> None:
    d.step(ev.TradesRead(PAIR, (trade(o, 12, "0.002"), trade(o, 11, "0.001"))))


def run(order_of_things: tuple[Happening, ...]) -> None:
    d = make().started()
    o = d.place(intent(1, Side.BID, 299_000))
    d.want_nothing()
    for happening in order_of_things:
        happening(d, o)
        assert d.order(o.client_order_id).filled.base <= D("0.003")
        # The slot is never free while the venue has not been read.
        assert d.order(o.client_order_id).live
    # The read that follows COMPLETE, and the trade rows, settle it.
    d.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, filled="0.003", open=False)))
    rows(d, o)
    end = d.order(o.client_order_id)
    assert end.state is OrderState.CANCELLED
    assert end.filled.base == end.booked.base == D("0.003")
    fills = d.take(ev.SaveFill)
    assert [f.fill.sequence for f in fills] == sorted({f.fill.sequence for f in fills})
    assert sum(f.fill.volume for f in fills) == D("0.003")
    told = [u.last_volume for u in d.updates if u.kind is UpdateKind.FILL]
    assert sum(v for v in told if v is not None) == D("0.003")
    assert d.core.shared.balances.expected("XBT") == D("0.103")
    assert d.core.shared.balances.expected("MYR") == D(30_000) - D("0.003") * 299_000
    assert d.core.shared.halted is None


@pytest.mark.parametrize("first", [ack, pending, lost])
def test_all_permutations(first: Happening) -> None:
    happenings = (first, fill_1, fill_2, cancel_ack, complete)
    for order_of_things in itertools.permutations(happenings):
        run(order_of_things)


def test_all_permutations_with_a_repeat() -> None:
    """Each event once more at every place of every order (a replay, a second delivery)."""
    happenings = (ack, fill_1, fill_2, complete)
    seen_orders = set()
    for repeated in happenings:
        for order_of_things in itertools.permutations((*happenings, repeated)):
            if order_of_things not in seen_orders:
                seen_orders.add(order_of_things)
                run(order_of_things)
    assert len(seen_orders) == 4 * 60


def test_all_permutations_up_to_length_seven() -> None:
    """Exhaustive: acknowledgement, both fills, the cancel's reply and the end, two of them repeated, in every order."""
    happenings = (ack, fill_1, fill_2, cancel_ack, complete)
    tried = set()
    for repeated in ((fill_1, complete), (ack, fill_2)):
        for order_of_things in itertools.permutations((*happenings, *repeated)):
            if order_of_things not in tried:
                tried.add(order_of_things)
                run(order_of_things)
    assert len(tried) == 2 * 1260


def test_trade_rows_at_every_place() -> None:
    for order_of_things in itertools.permutations((ack, fill_1, fill_2, complete, rows)):
        run(order_of_things)
