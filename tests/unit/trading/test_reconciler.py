"""The account's machine, event by event: what it does, and above all what it does not."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from trading_driver import PAIR, START_MS, Driver, fill_event, intent, make, rules, seen, trade

from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, UpdateKind
from lunomm.trading import events as ev
from lunomm.trading.limits import Limits
from lunomm.trading.orders import Amounts, Order
from lunomm.trading.restored import Restored, RestoredPair

BID, ASK = intent(1, Side.BID, 299_000), intent(2, Side.ASK, 301_000)


# --- starting ---


def test_a_start_reads_the_venue_before_anything_else() -> None:
    d = make()
    out = d.step(ev.Wake())
    asked = {type(a) for a in out}
    assert {ev.ReadRules, ev.ReadFees, ev.ReadReference, ev.ReadBalances, ev.ReadOpenOrders, ev.ReadTrades} <= asked
    d.quote(BID, ASK)
    assert not d.take(ev.Place)
    d.read_all()
    assert len(d.take(ev.Place)) == 2


@pytest.mark.parametrize("missing", ["rules", "fees", "reference", "balances", "trades", "orders", "stream", "quotes"])
def test_nothing_is_placed_while_one_answer_is_missing(missing: str) -> None:
    d = make()
    d.step(ev.Wake())
    answers: dict[str, ev.Event] = {
        "stream": ev.UserStream(True),
        "rules": ev.RulesRead(PAIR, rules()),
        "fees": ev.FeesRead(PAIR, D(0), D(0)),
        "reference": ev.ReferenceRead(PAIR, D(300_000)),
        "trades": ev.TradesRead(PAIR, ()),
        "orders": ev.OpenOrdersRead(PAIR, ()),
    }
    for name, event in answers.items():
        if name != missing:
            d.step(event)
    if missing != "balances":
        d.balances()
    if missing != "quotes":
        d.quote(BID, ASK)
    assert not d.take(ev.Place)


def test_a_stream_that_never_was_up_lets_what_rests_stay_for_a_while_and_nothing_new_join() -> None:
    """A gateway that starts while the user stream is refused: seed 140472 of the campaign."""
    first = make().started()
    bid = first.working(BID, "BX1")
    d = make(restored=Restored({PAIR: RestoredPair((bid,), frozenset({bid.intent_id}))}, number=9))
    d.step(ev.Wake())
    for event in (
        ev.RulesRead(PAIR, rules()),
        ev.FeesRead(PAIR, D(0), D(0)),
        ev.ReferenceRead(PAIR, D(300_000)),
        ev.TradesRead(PAIR, ()),
        ev.OpenOrdersRead(PAIR, (seen(bid),)),
    ):
        d.step(event)
    d.balances()
    d.quote(BID, ASK)
    d.pass_s(2)
    d.quote(BID, ASK)
    assert d.state(bid.client_order_id) is OrderState.WORKING
    assert not d.take(ev.Place) and not d.take(ev.Cancel)
    d.mono_ns += 11_000_000_000
    d.quote(BID, ASK)
    assert [cancel.order_id for cancel in d.take(ev.Cancel)] == ["BX1"]
    assert not d.take(ev.Place)


def test_orders_still_wanted_are_adopted_and_the_rest_cancelled() -> None:
    first = make().started()
    bid = first.working(BID, "BX1")
    ask = first.working(ASK, "BX2")
    d = make(restored=Restored({PAIR: RestoredPair((bid, ask), frozenset({bid.intent_id, ask.intent_id}))}, number=9))
    d.step(ev.Wake())
    assert {r.order_id for r in d.take(ev.ReadOrder)} == {"BX1", "BX2"}
    d.quote(BID)
    d.read_all(open_orders=(seen(bid), seen(ask, order_id="BX2")))
    (cancel,) = d.take(ev.Cancel)
    assert cancel.order_id == "BX2"
    assert d.state(bid.client_order_id) is OrderState.WORKING
    assert not d.take(ev.Place)
    assert all(update.number > 9 for update in d.updates)


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT])
def test_a_post_under_way_at_the_crash_is_unknown(state: OrderState) -> None:
    first = make().started()
    sent = first.place(BID)
    from dataclasses import replace

    d = make(restored=Restored({PAIR: RestoredPair((replace(sent, state=state),), frozenset({sent.intent_id}))}))
    d.step(ev.Wake())
    (look,) = d.take(ev.ReadOrder)
    assert (look.client_order_id, look.order_id) == (sent.client_order_id, None)
    assert d.state(sent.client_order_id) is OrderState.UNKNOWN
    # Its slot is blocked for a new intent until it is found or proven absent, and its own id is never used again.
    d.read_all()
    d.quote(intent(3, Side.BID, 298_000), ASK)
    assert [p.order.side for p in d.take(ev.Place)] == []
    d.step(ev.OrderRead(PAIR, sent.client_order_id, None))
    d.quote(BID, ASK)
    assert [p.order.side for p in d.take(ev.Place)] == [Side.ASK]
    d.step(ev.OrderRead(PAIR, sent.client_order_id, seen(sent)))
    assert d.state(sent.client_order_id) is OrderState.WORKING


def test_an_open_order_of_ours_that_the_journal_lacks_is_cancelled_even_if_wanted() -> None:
    d = make().started()
    lost = d.place(BID)
    d2 = make()
    d2.quote(BID)
    d2.read_all(open_orders=(seen(lost, order_id="BX9"),))
    (cancel,) = d2.take(ev.Cancel)
    assert cancel.order_id == "BX9"
    assert not d2.take(ev.Place)


def test_alien_orders_are_never_touched() -> None:
    d = make()
    stranger = ev.VenueOrder(
        order_id="BX7", client_order_id="", pair=PAIR, side=Side.BID, price=D(1), volume=D(1), open=True,
        filled=Amounts(), created_ms=START_MS, completed_ms=0,
    )  # fmt: skip
    d.quote(BID)
    d.read_all(open_orders=(stranger,))
    d.step(ev.StatusSeen(PAIR, "BX7", "", open=True))
    d.step(ev.Stop())
    d.pass_s(2)
    assert not d.take(ev.Cancel)
    assert not [r for r in d.take(ev.ReadOrder) if r.order_id == "BX7"]


# --- placing ---


def test_the_intent_is_saved_before_it_is_sent_and_announced(driver: Driver) -> None:
    out = driver.quote(BID)
    kinds = [type(a) for a in out]
    assert kinds.index(ev.SaveOrder) < kinds.index(ev.Place)
    (views,) = [a for a in out if isinstance(a, ev.PublishOrders)]
    assert [(v.intent_id, v.order_id, v.state) for v in views.views] == [(BID.id, None, OrderState.SENT)]
    (place,) = driver.take(ev.Place)
    assert place.order.client_order_id == f"lm1-{PAIR}-{BID.id}"
    assert (place.order.timestamp_ms, place.order.ttl_ms) == (driver.exchange_ms, 3000)


def test_an_intent_id_is_used_once_whatever_became_of_it(driver: Driver) -> None:
    o = driver.place(BID)
    driver.step(ev.PostRejected(PAIR, o.client_order_id, "ErrOrderCanceled", "would have traded"))
    driver.pass_s(5)
    assert not driver.take(ev.Place)
    refusals = [u for u in driver.updates if u.kind is UpdateKind.REFUSAL]
    assert [(u.intent_id, u.code) for u in refusals] == [(BID.id, "ErrOrderCanceled")]
    driver.quote(intent(3, Side.BID, 298_900))
    assert len(driver.take(ev.Place)) == 1


def test_sizes_are_not_compared(driver: Driver) -> None:
    driver.working(BID)
    driver.quote(intent(1, Side.BID, 299_500, "0.001"))
    driver.pass_s(1)
    assert not driver.take(ev.Place)
    assert not driver.take(ev.Cancel)


def test_cancel_then_confirm_by_a_read_then_place(driver: Driver) -> None:
    old = driver.working(BID)
    new = intent(3, Side.BID, 299_100)
    driver.quote(new)
    (cancel,) = driver.take(ev.Cancel)
    assert cancel.order_id == "BX1"
    assert not driver.take(ev.Place)
    driver.step(ev.CancelReturned(PAIR, old.client_order_id))
    assert not driver.take(ev.Place)
    (read,) = driver.take(ev.ReadOrder)
    assert read.order_id == "BX1"
    driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old, open=False)))
    driver.pass_s(0.5)
    assert [p.order.intent_id for p in driver.take(ev.Place)] == [new.id]


def test_a_wish_to_cancel_what_has_ended_wakes_nobody(driver: Driver) -> None:
    """Cancelled while the cancel was wished again: nothing is left to do, so the loop may sleep."""
    old = driver.working(BID)
    driver.want_nothing()
    for _ in range(3):
        driver.step(ev.CancelReturned(PAIR, old.client_order_id))
        driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old)))
        driver.pass_s(0.25)
    driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old, open=False)))
    assert driver.state(old.client_order_id) is OrderState.CANCELLED
    driver.pass_s(3)
    driver.answer()
    sleeps = []
    for _ in range(20):
        sleeps.append(driver.core.wake_ns(driver.now) - driver.mono_ns)
        driver.pass_s(0.05, step=0.05)
        driver.answer()
    assert sorted(sleeps)[10] > 10_000_000


def test_a_cancel_that_did_nothing_is_repeated_once_a_second(driver: Driver) -> None:
    old = driver.working(BID)
    driver.want_nothing()
    cancels = len(driver.take(ev.Cancel))
    for _ in range(12):
        driver.step(ev.CancelReturned(PAIR, old.client_order_id))
        driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old)))
        driver.pass_s(0.25)
    cancels += len(driver.take(ev.Cancel))
    assert 3 <= cancels <= 4
    assert driver.state(old.client_order_id) is OrderState.CANCELLING


def test_partial_fill_while_cancelling_frees_only_the_rest(driver: Driver) -> None:
    old = driver.working(BID)
    driver.want_nothing()
    driver.step(fill_event(old, "0.001", "0.001"))
    assert driver.order(old.client_order_id).leaves == D("0.003")
    driver.step(ev.CancelReturned(PAIR, old.client_order_id))
    driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old, filled="0.002", open=False)))
    done = driver.order(old.client_order_id)
    assert (done.state, done.filled.base) == (OrderState.CANCELLED, D("0.002"))
    volumes = [u.last_volume for u in driver.updates if u.kind is UpdateKind.FILL]
    assert volumes == [D("0.001"), D("0.001")]


def test_a_read_of_complete_that_has_no_time_yet_is_not_the_end(driver: Driver) -> None:
    old = driver.working(BID)
    driver.want_nothing()
    driver.step(ev.OrderRead(PAIR, old.client_order_id, seen(old, open=False, completed_ms=0)))
    assert driver.state(old.client_order_id) is OrderState.CANCELLING
    driver.take(ev.ReadOrder)
    driver.pass_s(0.6)
    assert driver.take(ev.ReadOrder)


def test_a_hostile_pace_of_new_ids_places_at_most_twice_a_second_a_side(driver: Driver) -> None:
    for number in range(100):
        driver.quote(intent(100 + number, Side.BID, 299_000 + number))
        for place in driver.take(ev.Place):
            driver.step(ev.PostRejected(PAIR, place.order.client_order_id, "ErrOrderCanceled"))
        driver.mono_ns += 10_000_000
        driver.exchange_ms += 10
    assert len([o for o in driver.saved.values() if o.state is OrderState.REJECTED]) <= 3


# --- unknown outcomes ---


def unknown(d: Driver) -> Order:
    o = d.place(BID)
    d.step(ev.PostUnknown(PAIR, o.client_order_id, "time-out"))
    assert d.state(o.client_order_id) is OrderState.UNKNOWN
    (look,) = d.take(ev.ReadOrder)
    assert look.order_id is None
    return o


def test_time_out_then_found_is_adopted(driver: Driver) -> None:
    o = unknown(driver)
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, filled="0.001")))
    found = driver.order(o.client_order_id)
    assert (found.state, found.order_id, found.filled.base) == (OrderState.WORKING, "BX1", D("0.001"))
    driver.pass_s(2)
    assert not driver.take(ev.Place)
    assert not driver.take(ev.Cancel)


def test_time_out_then_absent_is_believed_only_after_ttl_and_skew_and_once_more(driver: Driver) -> None:
    o = unknown(driver)
    started_ns, looks_after = driver.mono_ns, 0
    for _ in range(200):
        driver.step(ev.OrderRead(PAIR, o.client_order_id, None))
        for _ in driver.take(ev.ReadOpenOrders):
            driver.step(ev.OpenOrdersRead(PAIR, ()))
        if not driver.order(o.client_order_id).live:
            break
        # Exposure and slot are blocked all the while.
        assert driver.core.shared.open_base("XBT", Side.BID) == D("0.004")
        assert not driver.take(ev.Place)
        driver.pass_s(0.1, step=0.1)
        looks_after += len(driver.take(ev.ReadOrder)) if driver.mono_ns - started_ns > 4e9 else 0
    assert driver.state(o.client_order_id) is OrderState.DEAD
    assert 4.0 < (driver.mono_ns - started_ns) / 1e9 < 6.5
    assert looks_after >= 2
    driver.quote(intent(3, Side.BID, 299_000))
    assert len(driver.take(ev.Place)) == 1


def test_a_wall_clock_that_jumps_ahead_proves_nothing(driver: Driver) -> None:
    o = unknown(driver)
    driver.exchange_ms += 3_600_000
    for _ in range(5):
        driver.step(ev.OrderRead(PAIR, o.client_order_id, None))
        driver.step(ev.OpenOrdersRead(PAIR, ()))
        driver.pass_s(0.1)
    assert driver.state(o.client_order_id) is OrderState.UNKNOWN


def test_an_order_called_dead_that_shows_up_is_taken_down(driver: Driver) -> None:
    o = unknown(driver)
    for _ in range(80):
        driver.step(ev.OrderRead(PAIR, o.client_order_id, None))
        driver.step(ev.OpenOrdersRead(PAIR, ()))
        driver.pass_s(0.1, step=0.1)
    assert driver.state(o.client_order_id) is OrderState.DEAD
    driver.step(ev.OpenOrdersRead(PAIR, (seen(o),)))
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX1"]
    assert driver.core.shared.open_base("XBT", Side.BID) == D("0.004")


def test_failing_lookups_never_change_the_state(driver: Driver) -> None:
    o = unknown(driver)
    for _ in range(100):
        driver.step(ev.ReadFailed("ReadOrder", PAIR, o.client_order_id, "CONNECTIVITY"))
        driver.pass_s(1, step=1)
    assert driver.state(o.client_order_id) is OrderState.UNKNOWN


def test_409_for_our_own_id_is_looked_up_and_adopted(driver: Driver) -> None:
    o = driver.place(BID)
    driver.step(ev.PostRejected(PAIR, o.client_order_id, "ErrDuplicateClientOrderID"))
    assert driver.state(o.client_order_id) is OrderState.UNKNOWN
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o)))
    assert driver.state(o.client_order_id) is OrderState.WORKING
    assert driver.core.shared.halted is None


@pytest.mark.parametrize(
    "changes",
    [{"price": D(299_001)}, {"volume": D("0.005")}, {"side": Side.ASK}, {"created_ms": START_MS - 60_000}],
    ids=["price", "volume", "side", "placed before we sent it"],
)
def test_409_that_turns_out_to_be_another_order_halts(driver: Driver, changes: dict[str, object]) -> None:
    o = driver.place(BID)
    driver.step(ev.PostRejected(PAIR, o.client_order_id, "ErrDuplicateClientOrderID"))
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, **changes)))
    assert driver.core.shared.halted is not None
    assert driver.take(ev.SaveHalt)


def test_409_for_an_id_never_sent_halts(driver: Driver) -> None:
    driver.working(ASK, "BX2")
    driver.step(ev.PostRejected(PAIR, f"lm1-{PAIR}-zz-9-B0", "ErrDuplicateClientOrderID"))
    assert "DUPLICATE_ID" in (driver.core.shared.halted or "")
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX2"]


def test_an_acknowledged_order_that_the_venue_forgets_halts_rather_than_ends(driver: Driver) -> None:
    o = driver.working(BID)
    for _ in range(6):
        driver.step(ev.OrderRead(PAIR, o.client_order_id, None))
        driver.pass_s(2)
    assert "VENUE_FORGOT" in (driver.core.shared.halted or "")
    assert driver.order(o.client_order_id).live


def test_a_contradiction_of_the_venue_halts(driver: Driver) -> None:
    o = driver.working(BID)
    driver.step(fill_event(o, "0.009", "0.009"))
    assert "VENUE_CONTRADICTS" in (driver.core.shared.halted or "")
    assert driver.order(o.client_order_id).filled.base == 0


@pytest.mark.parametrize(
    ("is_open", "waited_s", "halts"),
    [(True, 1, False), (True, 15, True), (False, 1, True)],
    ids=["a read that lags", "open, asked much later", "ended"],
)
def test_less_filled_than_reported_before_halts_unless_a_read_may_lag(
    driver: Driver, is_open: bool, waited_s: float, halts: bool
) -> None:
    o = driver.working(BID)
    driver.step(fill_event(o, "0.002", "0.002"))
    driver.pass_s(waited_s)
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, filled="0.002")))
    driver.core.desks[PAIR].working.tracks[o.client_order_id].read.want(driver.now.mono_ns)
    driver.step(ev.Wake())
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, filled="0.001", open=is_open)))
    assert ("VENUE_CONTRADICTS" in (driver.core.shared.halted or "")) is halts
    assert driver.order(o.client_order_id).filled.base == D("0.002")


# --- when nothing may be wanted ---


def test_the_key_dies_with_its_writer(driver: Driver) -> None:
    driver.working(BID)
    driver.pass_s(2.75, quotes=False)
    assert not driver.take(ev.Cancel)
    driver.pass_s(0.5, quotes=False)
    assert len(driver.take(ev.Cancel)) == 1


def test_the_same_number_again_does_not_keep_it_alive(driver: Driver) -> None:
    driver.working(BID)
    for _ in range(14):
        driver.number -= 1
        driver.pass_s(0.25)
    assert len(driver.take(ev.Cancel)) >= 1


def test_an_older_quoter_is_never_believed_again(driver: Driver) -> None:
    driver.working(BID)
    driver.epoch = 6
    driver.quote(BID)
    driver.epoch = 5
    driver.quote(intent(9, Side.BID, 299_200, epoch="old"))
    assert not driver.take(ev.Place)
    assert not driver.take(ev.Cancel)
    assert driver.notes[(PAIR, "epoch")] == "6"
    again = make(restored=Restored({PAIR: RestoredPair(notes={"epoch": "6"})}))
    again.quote(BID)
    again.read_all()
    assert not again.take(ev.Place)


@pytest.mark.parametrize(
    "event",
    [ev.Gate("guardian", False, "gone"), ev.HaltAsked("someone said so"), ev.Stop()],
    ids=["gate", "halt", "stop"],
)
def test_gates_halts_and_stops_take_everything_down(driver: Driver, event: ev.Event) -> None:
    driver.working(BID)
    driver.step(event)
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX1"]
    driver.quote(intent(5, Side.ASK, 301_500))
    assert not driver.take(ev.Place)


def test_a_gate_that_opens_again_lets_quotes_back(driver: Driver) -> None:
    driver.step(ev.Gate("guardian", False))
    driver.quote(BID)
    assert not driver.take(ev.Place)
    driver.step(ev.Gate("guardian", True))
    assert len(driver.take(ev.Place)) == 1


def test_ten_seconds_without_the_user_stream_take_everything_down(driver: Driver) -> None:
    driver.working(BID)
    driver.step(ev.UserStream(False))
    driver.pass_s(9.5)
    assert not driver.take(ev.Cancel)
    driver.pass_s(0.75)
    assert driver.take(ev.Cancel)


def test_a_stream_that_came_back_is_followed_by_a_full_read(driver: Driver) -> None:
    driver.step(ev.UserStream(False))
    driver.take(ev.ReadOpenOrders), driver.take(ev.ReadTrades), driver.take(ev.ReadBalances)
    driver.step(ev.UserStream(True))
    assert driver.take(ev.ReadOpenOrders)
    assert driver.take(ev.ReadTrades)
    assert driver.take(ev.ReadBalances)


def test_a_ledger_row_that_was_missed_is_followed_by_a_full_read(driver: Driver) -> None:
    driver.working(BID)
    driver.balances(counter="30000")
    kinds = (ev.ReadBalances, ev.ReadOpenOrders, ev.ReadTrades)
    for row in (7, 8):
        driver.step(ev.BalanceSeen(1, row, D("0.1"), D("0.1")))
    for kind in kinds:
        driver.take(kind)
    driver.step(ev.Wake())
    assert not any(driver.take(kind) for kind in kinds), "row after row, nothing is missing"
    driver.step(ev.BalanceSeen(1, 10, D("0.1"), D("0.1")))
    for kind in kinds:
        assert driver.take(kind), kind


def test_fees_are_read_again_within_the_hour(driver: Driver) -> None:
    driver.take(ev.ReadFees)
    driver.pass_s(3590, quotes=False, step=5)
    assert not driver.take(ev.ReadFees)
    driver.pass_s(15, quotes=False, step=5)
    assert len(driver.take(ev.ReadFees)) == 1
    driver.step(ev.FeesRead(PAIR, D("0.0035"), D("0.006")))
    driver.pass_s(1.5)
    assert driver.take(ev.PublishAccount)[-1].account.maker_fee == D("0.0035")


def test_a_halt_is_durable_said_once_and_survives_a_restart(driver: Driver) -> None:
    driver.step(ev.HaltAsked("first"))
    driver.step(ev.HaltAsked("second"))
    assert [h.reason for h in driver.take(ev.SaveHalt)] == ["first"]
    assert [h.reason for h in driver.take(ev.Halted)] == ["first"]
    again = make(restored=Restored(halt="first"))
    again.quote(BID)
    again.read_all()
    assert not again.take(ev.Place)
    assert [h.reason for h in again.take(ev.Halted)] == ["first"]
    assert not again.take(ev.SaveHalt)


# --- the end ---


def test_the_end_is_two_empty_listings_after_the_last_order(driver: Driver) -> None:
    o = driver.working(BID)
    driver.take(ev.ReadOpenOrders)
    driver.step(ev.Stop())
    driver.step(ev.OpenOrdersRead(PAIR, ()))
    assert not driver.core.done
    driver.step(ev.CancelReturned(PAIR, o.client_order_id))
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, open=False)))
    for _ in range(2):
        assert not driver.core.done
        driver.pass_s(0.01, quotes=False)
        driver.step(ev.OpenOrdersRead(PAIR, ()))
    assert driver.core.done


def test_an_order_that_shows_up_in_the_last_listing_is_cancelled_first(driver: Driver) -> None:
    ghost = make().started().place(BID)
    driver.step(ev.Stop())
    driver.step(ev.OpenOrdersRead(PAIR, (seen(ghost, order_id="BX5"),)))
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX5"]
    assert not driver.core.done


def test_the_end_waits_for_the_rows_of_the_last_fills(driver: Driver) -> None:
    o = driver.working(BID)
    driver.step(fill_event(o, "0.004", "0.004"))
    driver.step(ev.Stop())
    for _ in range(4):
        driver.step(ev.OpenOrdersRead(PAIR, ()))
        driver.pass_s(0.05, quotes=False)
    assert not driver.core.done
    driver.step(ev.TradesRead(PAIR, (trade(o, 50, "0.004"),)))
    for _ in range(3):
        driver.step(ev.Wake())
        driver.step(ev.OpenOrdersRead(PAIR, ()))
    assert driver.core.done


# --- fills and money ---


def test_a_replayed_stream_counts_nothing_twice(driver: Driver) -> None:
    o = driver.working(BID)
    for _ in range(3):
        driver.step(fill_event(o, "0.001", "0.001"))
        driver.step(fill_event(o, "0.003", "0.002"))
        driver.step(ev.TradesRead(PAIR, (trade(o, 5, "0.001"), trade(o, 7, "0.002"))))
    assert driver.order(o.client_order_id).filled.base == D("0.003")
    assert [f.fill.sequence for f in driver.take(ev.SaveFill)] == [5, 7]
    account = driver.take(ev.PublishAccount)[-1].account
    assert (account.fills, account.position, account.opening) == (2, D("0.103"), D("0.1"))


def test_the_account_says_what_is_used_of_each_limit(driver: Driver) -> None:
    driver.working(BID)
    driver.pass_s(1.5)
    account = driver.take(ev.PublishAccount)[-1].account
    used = {use.name: use for use in account.limits}
    worth = BID.price * BID.size
    assert used["position"].used == account.position + BID.size - account.inventory_target
    assert used["position"].limit == account.max_position
    assert (used["order value"].used, used["open value"].used) == (worth, worth)
    assert used["loss today"].used == 0


def test_a_fill_takes_the_last_fair_price_before_it(driver: Driver) -> None:
    o = driver.working(BID)
    driver.quote(fair=300_100.0)
    at = driver.exchange_ms
    driver.exchange_ms += 5_000
    driver.quote(fair=305_000.0)
    driver.step(ev.TradesRead(PAIR, (trade(o, 5, "0.001", ts_ms=at + 100),)))
    (saved,) = driver.take(ev.SaveFill)
    assert saved.fill.fair == 300_100.0


def test_missing_trade_rows_are_asked_for_until_they_come(driver: Driver) -> None:
    o = driver.working(BID)
    driver.take(ev.ReadTrades)
    driver.step(fill_event(o, "0.001", "0.001"))
    asked = 0
    for _ in range(40):
        for read in driver.take(ev.ReadTrades):
            asked += 1
            assert read.pair == PAIR
            driver.step(ev.TradesRead(PAIR, ()))
        driver.pass_s(0.25)
    assert 10 <= asked <= 25


def test_an_alien_trade_moves_the_position_and_not_the_profit(driver: Driver) -> None:
    o = driver.place(BID)
    driver.quote(fair=300_000.0)
    alien = trade(o, 8, "0.01", order_id="BX8", client_order_id="", ts_ms=driver.exchange_ms)
    driver.step(ev.TradesRead(PAIR, (alien,)))
    driver.step(ev.TradesRead(PAIR, (alien,)))
    driver.pass_s(1.5)
    assert len(driver.take(ev.SaveFlow)) == 1
    account = driver.take(ev.PublishAccount)[-1].account
    assert (account.position, account.fills) == (D("0.11"), 0)
    assert account.pnl is not None
    # Bought 1,000 below fair by someone else's decision: worth 10 more, as a flow at the mark it is what it is.
    assert account.pnl.spread == 0


def test_a_deposit_is_found_by_the_balance_and_booked_as_a_flow(driver: Driver) -> None:
    for _ in range(40):
        driver.balances(base="0.3")
        for _ in driver.take(ev.ReadTrades):
            driver.step(ev.TradesRead(PAIR, ()))
        driver.pass_s(0.5)
    (flow,) = [f.flow for f in driver.take(ev.SaveFlow)]
    assert (flow.base, flow.counter) == (D("0.2"), D(0))
    account = driver.take(ev.PublishAccount)[-1].account
    assert account.position == D("0.3")
    assert account.pnl is not None
    assert account.pnl.total == 0


def test_a_late_balance_report_is_no_flow(driver: Driver) -> None:
    """The fill is known from the stream seconds before the balance shows it."""
    o = driver.working(BID)
    driver.step(fill_event(o, "0.001", "0.001"))
    driver.step(ev.TradesRead(PAIR, (trade(o, 5, "0.001"),)))
    for _ in range(6):
        driver.pass_s(0.5)
        driver.balances()
    for _ in range(30):
        driver.balances(base="0.101", counter="29701")
        driver.pass_s(0.5)
    assert not driver.take(ev.SaveFlow)


def test_a_balance_that_moved_is_no_flow_before_the_trades_are_read(driver: Driver) -> None:
    """Money that another order's trade moved, while the trades cannot be read, would count twice."""
    o = driver.place(BID)
    alien = trade(o, 8, "0.01", order_id="BX8", client_order_id="", ts_ms=driver.exchange_ms)
    counter = str(D(30_000) - alien.amounts.counter)
    for _ in range(60):
        driver.balances(base="0.11", counter=counter)
        for _ in driver.take(ev.ReadTrades):
            driver.step(ev.ReadFailed("ReadTrades", PAIR, PAIR, "TIMEOUT"))
        driver.pass_s(0.5)
    assert not driver.take(ev.SaveFlow)
    for _ in range(60):
        driver.balances(base="0.11", counter=counter)
        for _ in driver.take(ev.ReadTrades):
            driver.step(ev.TradesRead(PAIR, (alien,)))
        driver.pass_s(0.5)
    assert [action.flow.ref for action in driver.take(ev.SaveFlow)] == ["trade-8-BID"]


def test_update_numbers_grow_by_one_and_are_saved(driver: Driver) -> None:
    o = driver.working(BID)
    driver.step(fill_event(o, "0.001", "0.001"))
    driver.want_nothing()
    numbers = [u.number for u in driver.updates]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    kinds = [(u.kind, u.state) for u in driver.updates if u.client_order_id == o.client_order_id]
    assert kinds == [
        (UpdateKind.STATUS, OrderState.SENT),
        (UpdateKind.STATUS, OrderState.WORKING),
        (UpdateKind.FILL, OrderState.WORKING),
        (UpdateKind.STATUS, OrderState.CANCELLING),
    ]


def test_quote_uptime_is_the_share_of_time_with_both_sides_working(driver: Driver) -> None:
    assert driver.core.desks[PAIR].uptime.share(driver.mono_ns) is None
    driver.quote(BID, ASK)
    for number, place in enumerate(driver.take(ev.Place)):
        driver.step(ev.Posted(PAIR, place.order.client_order_id, f"BX{number}"))
    start_s = (driver.mono_ns - 10_000_000_000) / 1e9
    driver.pass_s(30)
    share = driver.core.desks[PAIR].uptime.share(driver.mono_ns)
    assert share == pytest.approx(30 / (30 + start_s))


# --- limits inside the machine ---


def test_unknown_orders_count_in_the_worst_case() -> None:
    d = make(Limits(max_position=D("0.006"))).started()
    unknown(d)
    d.want_nothing()
    d.quote(intent(3, Side.BID, 298_000, "0.004"))
    second = intent(4, Side.BID, 298_000, "0.004").__class__(
        id="abc-5-B1", side=Side.BID, level=1, price=D(298_000), size=D("0.004"), created_ms=START_MS
    )
    d.pass_s(0.5)
    d.quote(second)
    assert not d.take(ev.Place)
    assert [u.code for u in d.updates if u.kind is UpdateKind.REFUSAL] == ["POSITION_LIMIT"]


def test_a_check_that_fails_has_tripped(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.working(ASK, "BX2")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("in a limit")

    monkeypatch.setattr("lunomm.trading.desk.check", broken)
    driver.quote(BID, ASK)
    assert not driver.take(ev.Place)
    assert "LIMIT_CHECK" in (driver.core.shared.halted or "")
    driver.step(ev.Wake())
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX2"]


def test_the_days_loss_halts() -> None:
    d = make(Limits(max_daily_loss=D(50))).started()
    d.quote(fair=300_000.0)
    assert d.core.shared.halted is None
    d.quote(fair=299_000.0)
    d.step(ev.Wake())
    assert d.core.shared.halted is None, "a quoter's word moves no limit"
    d.step(ev.ReferenceRead(PAIR, D(299_000)))  # 0.1 XBT held: a loss of 100
    d.step(ev.Wake())
    assert "MAX_DAILY_LOSS" in (d.core.shared.halted or "")


def test_rate_limited_posts_pause_placing_not_cancelling(driver: Driver) -> None:
    driver.working(ASK, "BX2")
    driver.quote(BID, ASK)
    (place,) = driver.take(ev.Place)
    driver.step(ev.PostRejected(PAIR, place.order.client_order_id, "RATE_LIMITED"))
    driver.quote(intent(3, Side.BID, 298_000))
    assert not driver.take(ev.Place)
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX2"]
    driver.pass_s(1.25)
    assert len(driver.take(ev.Place)) == 1


def test_a_half_open_stream_counts_from_its_last_byte(driver: Driver) -> None:
    """The loss is found out ten seconds late: then everything goes at once, not ten seconds later."""
    driver.working(BID)
    driver.pass_s(10)
    driver.take(ev.Cancel)
    driver.step(ev.UserStream(False, driver.mono_ns - 10_000_000_000))
    assert driver.take(ev.Cancel)


def test_an_order_sent_by_a_clock_that_was_ahead_is_not_unknown_for_as_long(driver: Driver) -> None:
    driver.exchange_ms += 86_400_000
    driver.pass_s(3)
    order = driver.place(BID)
    driver.step(ev.PostUnknown(PAIR, order.client_order_id))
    driver.exchange_ms -= 86_400_000
    for _ in range(70):
        driver.pass_s(1)
        for _ in driver.take(ev.ReadOrder):
            driver.step(ev.OrderRead(PAIR, order.client_order_id, None))
        driver.answer()
    assert driver.state(order.client_order_id) is OrderState.DEAD


@pytest.mark.parametrize("by_ms", [86_400_000, 1_500, -1_500])
def test_no_order_is_stamped_in_the_step_that_sees_the_clock_set(driver: Driver, by_ms: int) -> None:
    """Ahead of the venue's, its time to live would never end; behind, it would be refused."""
    driver.working(ASK)
    driver.exchange_ms += by_ms
    driver.quote(BID, ASK)
    assert not driver.take(ev.Place)
    assert driver.take(ev.Cancel)
    assert "clock was set" in " ".join(driver.core.shared.closed.values())
    driver.pass_s(2.5)
    assert not driver.core.shared.closed


def test_an_order_that_seems_placed_before_is_still_followed_to_its_end(driver: Driver) -> None:
    """It halts; what it then shows of itself counts all the same, or its cancel would be repeated for ever."""
    order = driver.place(BID)
    driver.step(ev.PostRejected(PAIR, order.client_order_id, "ErrDuplicateClientOrderID"))
    early = order.timestamp_ms - 5_000
    driver.step(ev.OrderRead(PAIR, order.client_order_id, seen(order, created_ms=early)))
    assert "DUPLICATE_ID" in (driver.core.shared.halted or "")
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX1"]
    driver.step(ev.OrderRead(PAIR, order.client_order_id, seen(order, open=False, created_ms=early)))
    assert driver.state(order.client_order_id) is OrderState.CANCELLED
