"""The quoter's life as tables: each case is a small story told to a quoter on the worked example's market."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from quoting_cases import DAY_SIGMA, PAIR, START_MS, Bench, account, estimates, order, rules, tick

from lunomm.errors import UsageError
from lunomm.market.records import BookState, Level, OwnOrder, Params, Verdict
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Balance, OrderState, UpdateKind
from lunomm.quoting.intents import Intent, Why
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.sizing import SizeRule

BID, ASK = Side.BID, Side.ASK
S2, S10, S20 = ({"order_size": D(size)} for size in ("0.002", "0.01", "0.02"))
LIMIT, MONEY, SMALL = (Why.POSITION_LIMIT, None), (Why.NO_BALANCE, None), (Why.MIN_SIZE, None)
NOTHING = estimates(sigma=None, kappa=None, intensity=None, sample=0, verdict=Verdict.NO)


def myr(free: int) -> Balance:
    return Balance(asset="MYR", total=D(30_000), reserved=D(30_000 - free))


def prices(bench: Bench) -> tuple[D | None, D | None]:
    found = bench.intents()
    return tuple(found[side].price if side in found else None for side in (BID, ASK))


def ids(bench: Bench) -> tuple[str | None, str | None]:
    found = bench.intents()
    return tuple(found[side].id if side in found else None for side in (BID, ASK))


# --- the worked example, through everything ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "bid", "ask"), [(0, 299_606, 300_394), (1, 299_418, 300_207), (-3, 300_168, 300_957)])
def test_the_worked_example(n, bid, ask):
    bench = Bench(order_size=D("0.002"))
    bench.set_account(D("0.1") + n * D("0.002"))
    bench.beat(half=1_000)  # a touch wide enough to clamp nothing
    wanted = bench.wanted()
    assert prices(bench) == (bid, ask)
    assert wanted.reservation == pytest.approx(300_000 - 187.5 * n, abs=1e-6)
    assert wanted.lots == pytest.approx(n)
    assert (wanted.lot, wanted.fair, wanted.gamma) == (D("0.002"), 300_000.0, 1.0)
    assert wanted.spread_bps == pytest.approx(26.24, abs=0.005)
    assert wanted.shift_bps_per_lot == pytest.approx(6.25)
    assert wanted.n_flip == pytest.approx(2.0992, abs=1e-4)
    assert wanted.estimates_from == "live"
    assert wanted.warnings == []


def test_a_wanted_quote_carries_its_whole_decomposition():
    report = Bench(order_size=D("0.002")).report(BID)
    names = ["fair", "skew", "risk", "intensity", "fee", "min_spread", "clamp", "rounding"]
    assert [step.name for step in report.steps] == names
    assert report.steps[-1].price == 299_606.0
    assert report.why is None
    assert report.model_size == 0.002
    assert report.next_ms == START_MS + 60_000


def test_intent_ids_name_the_quoter_and_are_used_once():
    bench = Bench()
    first = ids(bench)
    assert first == ("mywpiww0-1-B0", "mywpiww0-2-A0")
    for _ in range(5):
        bench.go(61)
        bench.beat(bench.mid + 700)
        bench.wanted()
    seen = [*first, *ids(bench)]
    assert len(set(seen)) == 4


def test_messages_are_numbered_and_stamped():
    bench = Bench()
    numbers = [bench.wanted().number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert bench.wanted().epoch == START_MS
    bench.go(5)
    assert bench.wanted().ts_ms == START_MS + 5_000


# --- starting ------------------------------------------------------------------------------------------------------


def test_starting_up_each_missing_thing_has_its_reason():
    bench = Bench(ready=False)
    assert bench.why() == (Why.NO_RULES, Why.NO_RULES)
    bench.quoter.on_rules(rules(), bench.now)
    assert bench.why() == (Why.STALE_BOOK, Why.STALE_BOOK)
    bench.beat(estimates=NOTHING)
    assert bench.why() == (Why.NO_ACCOUNT, Why.NO_ACCOUNT)
    bench.quoter.on_account(account(), bench.now)
    assert bench.why() == (Why.WARMING_UP, Why.WARMING_UP)
    assert "sigma" in bench.report(BID).detail
    bench.beat(estimates=estimates(verdict=Verdict.THIN, sample=11, kappa_source="warm"))
    assert prices(bench) == (299_606, 300_394)
    wanted = bench.wanted()
    assert wanted.estimates_from == "warm"
    assert any("THIN" in text and "11 taker orders" in text for text in wanted.warnings)


def test_a_stored_calibration_serves_until_the_live_one_is_ready():
    bench = Bench()
    stored = Params(
        pair=PAIR, at_ms=START_MS, provenance="x", mid=300_000.0, estimates=estimates(kappa=1 / 600, sigma=DAY_SIGMA)
    )
    bench.beat(estimates=NOTHING)
    bench.quoter.on_params(stored, bench.now)
    assert bench.wanted().estimates_from == "calibration"
    assert prices(bench) == (299_306, 300_694)


def test_a_prior_is_used_and_said():
    bench = Bench(kappa_prior=1 / 300)
    bench.beat(estimates=estimates(kappa=None, verdict=Verdict.NO, sample=2))
    wanted = bench.wanted()
    assert wanted.estimates_from == "prior"
    assert any("prior" in text for text in wanted.warnings)


def test_a_restarted_quoter_keeps_the_rest_after_a_fill_from_the_event_or_the_order():
    first = Bench()
    bid = first.intents()[BID]
    second = Bench()
    second.go(10)
    second.update(bid, UpdateKind.FILL, filled=bid.size, last_volume=bid.size, state=OrderState.FILLED)
    assert second.why() == (Why.COOLDOWN, None)
    third = Bench()
    third.go(10)
    third.show_orders(order(bid, OrderState.FILLED, updated_ms=START_MS + 5_000, filled=bid.size))
    assert third.why() == (Why.COOLDOWN, None)
    third.go(54)
    assert third.why() == (Why.COOLDOWN, None)
    third.go(2)
    assert third.why() == (None, None)


# --- refresh -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "options", "seconds", "mid", "moved"),
    [
        ("a tick moves nothing before the refresh", {}, 59, 300_001, False),
        ("at the refresh it does", {}, 60, 300_001, True),
        ("unless the rounded price is the same", {}, 60, D("300000.05"), False),
        ("nothing happened: the place in the queue is kept for long", {}, 1700, 300_000, False),
        ("until the order is too old", {}, 1800, 300_000, True),
        ("a shorter refresh", {"order_refresh_rate_s": 5.0}, 5, 300_001, True),
        ("drift of just under half a half-spread waits", {}, 1, 300_196, False),
        ("drift beyond re-prices before the refresh", {}, 1, 300_197, True),
        ("downwards too", {}, 1, 299_803, True),
        ("drift switched off waits for the refresh", {"reprice_at": 0.0}, 30, 303_000, False),
        ("a looser drift", {"reprice_at": 2.0}, 1, 300_700, False),
        ("a short life", {"max_order_age_s": 20.0}, 20, 300_000, True),
    ],
)
def test_when_a_quote_moves(case, options, seconds, mid, moved):
    bench = Bench(**options)
    before = ids(bench)
    bench.go(seconds)
    bench.beat(mid)
    after = ids(bench)
    assert (after != before) is moved, case
    if moved:
        assert set(after).isdisjoint(before)


def test_the_refresh_counts_from_when_the_present_intent_was_first_wanted():
    bench = Bench()
    bench.wanted()
    bench.go(30)
    bench.beat(301_000)  # drift: new intents at 30 s
    second = ids(bench)
    bench.go(40)
    bench.beat(301_010)
    assert ids(bench) == second
    bench.go(20)
    bench.beat(301_010)
    assert ids(bench) != second


def test_an_intent_kept_past_its_refresh_moves_as_soon_as_a_tick_does():
    bench = Bench()
    first = ids(bench)
    bench.go(100)
    assert ids(bench) == first
    bench.beat(300_001)
    assert ids(bench) != first


def test_a_size_within_a_tenth_is_the_same_and_beyond_is_not():
    # A balance that falls below the size: 8 % keeps the order, 20 % gives a smaller one at the refresh.
    for free, kept in (("0.023", True), ("0.02", False)):
        bench = Bench(order_size=D("0.025"))
        first = ids(bench)
        bench.go(60)
        bench.set_account("0.1", base=Balance(asset="XBT", total=D("0.1"), reserved=D("0.1") - D(free)))
        bench.beat()
        assert (ids(bench)[1] == first[1]) is kept
        assert ids(bench)[0] == first[0]


def test_replacing_is_paced_however_the_market_jumps():
    bench = Bench()
    bench.wanted()
    changes = 0
    last = ids(bench)
    for step in range(1, 101):
        bench.ns += 50_000_000
        bench.beat(300_000 + (step % 2) * 3_000)
        now = ids(bench)
        changes += now != last
        last = now
    assert changes <= 10  # 5 s, at most one every half second


def test_a_drift_that_leaves_the_price_alone_is_not_looked_at_for_ever():
    # Clamped at the touch: the fair price moves, the clamped bid does not; the next re-price waits for new drift.
    bench = Bench(gamma=0.0)
    bench.tick_changes = {"fair_best_ask": D(299_500), "fair_best_bid": D(299_400)}
    bench.beat()
    first = ids(bench)[0]
    bench.go(2)
    bench.beat(300_400)
    assert ids(bench)[0] == first


# --- fills ---------------------------------------------------------------------------------------------------------


def test_a_complete_fill_rests_its_side_and_re_prices_the_other():
    bench = Bench(order_size=D("0.02"))
    before = bench.intents()
    bench.go(5)
    bench.fill(before[BID])
    wanted = bench.intents()
    assert list(wanted) == [ASK]
    assert wanted[ASK].id != before[ASK].id
    assert wanted[ASK].price == 300_207  # n = +1
    report = bench.report(BID)
    assert report.why is Why.COOLDOWN
    assert report.next_ms == START_MS + 65_000
    bench.set_account("0.12")
    bench.go(59)
    assert bench.why() == (Why.COOLDOWN, None)
    bench.go(2)
    assert prices(bench) == (299_418, 300_207)


def test_a_partial_fill_re_prices_both_sides_and_rests_neither():
    bench = Bench(order_size=D("0.02"))
    before = bench.intents()
    bench.go(5)
    bench.fill(before[BID], D("0.01"))
    after = bench.intents()
    assert set(after) == {BID, ASK}
    assert after[BID].id != before[BID].id
    assert after[ASK].id != before[ASK].id
    assert bench.wanted().lots == pytest.approx(0.5)


def test_the_same_fill_heard_twice_is_one_fill():
    bench = Bench(order_size=D("0.02"))
    bid = bench.intents()[BID]
    bench.go(5)
    for _ in range(3):
        bench.fill(bid, D("0.01"))
    assert bench.wanted().lots == pytest.approx(0.5)


@pytest.mark.parametrize("amount", ["NaN", "-Infinity", "1e999999"])
def test_an_event_that_is_no_number_is_not_taken(amount):
    bench = Bench()
    before = bench.intents()
    bench.update(before[BID], UpdateKind.FILL, filled=D(amount), last_volume=D(1))
    bench.show_orders(order(before[BID], filled=D(amount)))
    assert ids(bench) == tuple(intent.id for intent in before.values())
    assert bench.wanted().position == D("0.1")


def test_two_partial_fills_complete_an_intent():
    bench = Bench(order_size=D("0.02"), gamma=0.0)
    bid = bench.intents()[BID]
    bench.go(5)
    bench.fill(bid, D("0.001"))
    assert bench.intents()[BID].id == bid.id  # same price, 95 % left: its place is kept
    bench.fill(bid, D("0.019"), filled=D("0.02"))
    assert bench.why() == (Why.COOLDOWN, None)
    assert bench.wanted().lots == pytest.approx(1.0)


def test_what_is_left_of_a_part_filled_order_is_compared_not_its_first_size():
    bench = Bench(order_size=D("0.02"), gamma=0.0)
    bid = bench.intents()[BID]
    bench.go(5)
    bench.fill(bid, D("0.01"))
    assert bench.intents()[BID].id != bid.id


def test_an_unwanted_intent_that_fills_in_its_cancel_still_rests_the_side():
    bench = Bench()
    old = bench.intents()[BID]
    bench.go(1)
    bench.beat(301_000)
    new = bench.intents()[BID]
    assert new.id != old.id
    bench.fill(old)
    assert bench.why() == (Why.COOLDOWN, None)


def test_a_fill_known_only_through_the_account_re_prices_too():
    bench = Bench(order_size=D("0.02"))
    before = ids(bench)
    bench.go(5)
    bench.set_account("0.12")
    assert set(ids(bench)).isdisjoint(before)


def test_the_account_that_includes_a_fill_is_not_added_to_it():
    bench = Bench(order_size=D("0.02"))
    bid = bench.intents()[BID]
    bench.go(5)
    bench.fill(bid)
    assert bench.wanted().position == D("0.12")
    bench.go(1, beats=False)
    bench.set_account("0.12")
    assert bench.wanted().position == D("0.12")


def test_no_delay_after_fills_wants_again_at_once_but_paced():
    bench = Bench(order_size=D("0.02"), filled_order_delay_s=0.0)
    bid = bench.intents()[BID]
    bench.go(5)
    bench.fill(bid)
    found = bench.intents()
    assert found[BID].id != bid.id


def test_cooldown_is_exchange_time():
    bench = Bench()
    bid = bench.intents()[BID]
    bench.go(1)
    bench.fill(bid)
    wake = bench.quoter.wake_ns(bench.now)
    assert wake is not None and wake <= bench.now.exchange_ns + 60_001_000_000


# --- withdrawing at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": BookState.RESYNC}, Why.STALE_BOOK),
        ({"state": BookState.DISABLED}, Why.MARKET_STATE),
        ({"state": BookState.POSTONLY}, Why.MARKET_STATE),
        ({"state": BookState.ONE_SIDED, "fair_best_ask": None, "fair_mid": None}, Why.MARKET_STATE),
        ({"fair_best_ask": None, "fair_mid": None}, Why.MARKET_STATE),
        ({"stream_age_ms": 10_500.0}, Why.STALE_BOOK),
        ({"lag_ms": 4_000.0}, Why.STALE_BOOK),
        ({"estimates": estimates(sigma=float("nan"))}, Why.MODEL),
        ({"estimates": estimates(sigma=0.0)}, Why.MODEL),
        ({"estimates": estimates(sigma=-1e-4)}, Why.MODEL),
        ({"estimates": estimates(kappa=0.0)}, Why.MODEL),
        ({"estimates": estimates(kappa=float("inf"))}, Why.MODEL),
        ({"estimates": estimates(sigma=1.0)}, Why.MODEL),
        ({"fair_mid": D("NaN")}, Why.MODEL),
        ({"estimates": NOTHING}, Why.WARMING_UP),
    ],
)
def test_withdrawn_at_once_and_back_with_new_ids(changes, why):
    bench = Bench()
    before = ids(bench)
    bench.go(1)
    bench.beat(**changes)
    assert bench.wanted().intents == []
    assert bench.why() == (why, why)
    bench.go(1)
    after = ids(bench)
    assert None not in after and set(after).isdisjoint(before)


def test_no_beat_for_three_seconds_of_our_own_clock():
    bench = Bench()
    bench.wanted()
    wake = bench.quoter.wake_ns(bench.now)
    assert wake is not None and wake <= bench.now.exchange_ns + 3_000_000_000
    bench.go(2.9, beats=False)
    assert len(bench.wanted().intents) == 2
    bench.go(0.1, beats=False)
    assert bench.why() == (Why.STALE_BOOK, Why.STALE_BOOK)
    assert bench.wanted().fair is None


def test_switches():
    bench = Bench()
    bench.wanted()
    bench.quoter.pause()
    wanted = bench.wanted()
    assert (wanted.intents, bench.why()) == ([], (Why.PAUSED, Why.PAUSED))
    assert wanted.reservation == pytest.approx(300_000.0)  # still shown
    bench.quoter.resume()
    bench.go(1)
    assert len(bench.wanted().intents) == 2
    bench.set_account(halted="daily loss")
    assert bench.why() == (Why.HALTED, Why.HALTED)
    assert bench.report(BID).detail == "daily loss"
    bench.set_account()
    bench.go(1)
    assert len(bench.wanted().intents) == 2
    bench.quoter.stop()
    assert bench.why() == (Why.STOPPING, Why.STOPPING)
    assert bench.wanted().intents == []


def test_a_change_reprices_at_once_and_what_stays_the_same_keeps_its_place():
    bench = Bench(order_refresh_rate_s=3600.0)
    first = bench.intents()
    bench.go(1)
    bench.quoter.change(replace(bench.quoter.options, order_refresh_rate_s=1800.0))
    assert bench.intents() == first  # another refresh is no other price
    bench.quoter.change(replace(bench.quoter.options, gamma=3.0))
    wider = bench.intents()
    assert wider[BID].price < first[BID].price < first[ASK].price < wider[ASK].price
    assert {wider[BID].id, wider[ASK].id}.isdisjoint({first[BID].id, first[ASK].id})
    bench.go(1)
    assert bench.intents() == wider


def test_a_change_of_levels_and_size_is_in_the_next_message():
    bench = Bench()
    bench.wanted()
    bench.go(1)
    bench.quoter.change(replace(bench.quoter.options, levels=2, order_size=D("0.002")))
    wanted = bench.wanted()
    assert sorted((i.side, i.level) for i in wanted.intents) == sorted((s, n) for s in Side for n in (0, 1))
    assert wanted.lot == D("0.002")
    bench.quoter.change(replace(bench.quoter.options, levels=1))
    assert {i.level for i in bench.wanted().intents} == {0}


def test_a_target_in_another_asset_changes_nothing():
    bench = Bench()
    before = bench.quoter.options
    for change in ({"inventory_target": "0.05ETH", "gamma": 9.0}, {"reference": "XBTUSDT*USDTMYR"}):
        with pytest.raises(UsageError):
            bench.quoter.change(replace(before, **change))
        assert bench.quoter.options is before


def test_a_pause_says_who_asked():
    bench = Bench()
    bench.quoter.pause("paused by ann@desk: lunch")
    assert bench.why() == (Why.PAUSED, Why.PAUSED)
    assert bench.report(BID).detail == bench.quoter.paused == "paused by ann@desk: lunch"


def test_an_account_that_vanishes_is_waited_for_then_missed():
    bench = Bench()
    for _ in range(10):
        bench.ns += 1_000_000_000
        bench.beat()
        bench.quoter.on_account(None, bench.now)
    assert len(bench.wanted().intents) == 2
    bench.ns += 1_000_000_000
    bench.beat()
    assert bench.why() == (Why.NO_ACCOUNT, Why.NO_ACCOUNT)


def test_an_account_that_is_no_number_is_not_taken():
    bench = Bench()
    bench.set_account(position="NaN", base=Balance(asset="XBT", total=D(0), reserved=D(0)))
    assert bench.wanted().position == D("0.1")


def test_new_rules_void_what_lies_on_the_old_grid():
    bench = Bench()
    before = ids(bench)
    bench.go(1)
    bench.quoter.on_rules(rules(), bench.now)
    assert ids(bench) == before
    bench.quoter.on_rules(rules(price_scale=-1), bench.now)
    found = bench.intents()
    assert {intent.id for intent in found.values()}.isdisjoint(before)
    assert (found[BID].price, found[ASK].price) == (299_600, 300_400)


# --- refusals and orders that leave --------------------------------------------------------------------------------


def test_a_refused_intent_waits_a_second_then_longer_while_the_code_repeats():
    bench = Bench()
    waits = []
    for _ in range(7):
        bid = bench.intents()[BID]
        bench.go(1)
        bench.update(bid, UpdateKind.REFUSAL, code="ErrOrderCanceled")
        start = bench.ns
        report = bench.report(BID)
        assert (report.why, "ErrOrderCanceled" in report.detail) == (Why.REFUSED, True)
        while BID not in bench.intents():
            bench.ns += 250_000_000
            bench.beat()
            bench.set_account()
        waits.append((bench.ns - start) / 1e9)
        assert bench.intents()[BID].id != bid.id
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_another_code_or_an_accepted_order_starts_the_wait_anew():
    bench = Bench()
    for code in ("A", "A", "B"):
        bid = bench.intents()[BID]
        bench.update(bid, UpdateKind.REFUSAL, code=code)
        bench.wanted()
        bench.go(3)
    bid = bench.intents()[BID]
    bench.update(bid, state=OrderState.WORKING)
    bench.update(bid, UpdateKind.REFUSAL, code="B")
    bench.go(1)
    assert BID in bench.intents()


def test_a_bare_rejection_and_the_refusal_that_names_it_are_one():
    bench = Bench()
    bid = bench.intents()[BID]
    bench.go(1)
    bench.update(bid, state=OrderState.REJECTED)
    bench.update(bid, UpdateKind.REFUSAL, code="ErrInsufficientBalance")
    assert "ErrInsufficientBalance" in bench.report(BID).detail
    bench.go(1)
    bid = bench.intents()[BID]
    bench.update(bid, UpdateKind.REFUSAL, code="ErrInsufficientBalance")
    bench.go(1)
    assert bench.why()[0] is Why.REFUSED  # the second in a row: two seconds
    bench.go(1)
    assert bench.why()[0] is None


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.DEAD])
def test_an_order_that_left_uncalled_is_wanted_anew_after_a_second(state):
    bench = Bench()
    before = bench.intents()
    bench.go(5)
    bench.update(before[ASK], state=state)
    assert bench.why() == (None, Why.REFUSED)
    assert bench.intents()[BID].id == before[BID].id
    bench.go(0.9)
    assert ASK not in bench.intents()
    bench.go(0.1)
    assert bench.intents()[ASK].id != before[ASK].id


def test_events_of_intents_not_wanted_any_more_change_nothing():
    bench = Bench()
    old = bench.intents()[BID]
    bench.go(1)
    bench.beat(301_000)
    new = ids(bench)
    bench.update(old, state=OrderState.CANCELLED)
    bench.update(old, UpdateKind.REFUSAL, code="X")
    bench.update(old, state=OrderState.REJECTED)
    assert ids(bench) == new


def test_other_pairs_and_balances_are_not_ours():
    bench = Bench()
    before = bench.intents()
    bench.update(before[BID], UpdateKind.REFUSAL, code="X", pair="ETHMYR")
    bench.update(before[BID], UpdateKind.BALANCE, side=None, intent_id=None, asset="XBT")
    assert ids(bench) == tuple(intent.id for intent in before.values())


def test_a_lost_event_is_read_off_the_orders():
    bench = Bench()
    before = bench.intents()
    bench.go(5)
    bench.show_orders(order(before[BID], OrderState.REJECTED), order(before[ASK]))
    assert bench.why() == (Why.REFUSED, None)


def test_an_order_that_vanishes_from_the_orders_is_taken_for_gone_after_five_seconds():
    bench = Bench()
    before = bench.intents()
    bench.show_orders(order(before[BID]), order(before[ASK]))
    bench.show_orders(order(before[ASK]))
    bench.go(4)
    bench.show_orders(order(before[ASK]))
    assert bench.intents()[BID].id == before[BID].id
    bench.go(1)
    bench.show_orders(order(before[ASK]))
    assert bench.report(BID).detail.endswith("VANISHED")
    bench.go(1)
    assert bench.intents()[BID].id != before[BID].id


def test_a_successor_does_not_inherit_the_clock_of_an_order_that_vanished():
    bench = Bench(order_size=D("0.002"))
    before = bench.intents()
    bench.show_orders(order(before[BID]), order(before[ASK]))
    bench.show_orders(order(before[ASK]))
    bench.go(4)
    bench.beat(300_300)  # drift: a new bid that the old ask does not hinder
    successor = bench.intents()[BID]
    assert successor.id != before[BID].id
    bench.go(2)
    bench.show_orders()
    assert bench.intents()[BID].id == successor.id


def test_no_number_that_is_none_leaves():
    bench = Bench()
    bench.beat(estimates=estimates(sigma=float("nan"), kappa=float("inf"), intensity=float("-inf")))
    wanted = bench.wanted()
    assert (wanted.sigma, wanted.kappa, wanted.intensity, wanted.fair) == (None, None, None, None)


def test_an_order_not_yet_shown_has_not_vanished():
    bench = Bench()
    before = ids(bench)
    for _ in range(10):
        bench.go(1)
        bench.show_orders()
    assert ids(bench) == before


# --- sizes, money, limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "options", "position", "changes", "sizes", "why"),
    [
        ("a quarter of each side's room", {}, "0.1", {}, ("0.025", "0.025"), (None, None)),
        ("decay on the side that adds", {**S10, "eta": -0.5}, "0.12", {}, ("0.003678", "0.01"), (None, None)),
        ("below the minimum: raised", {**S2, "eta": -0.5}, "0.106", {}, ("0.0005", "0.002"), SMALL),
        ("at the position limit one side", S20, "0.2", {}, (None, "0.02"), LIMIT),
        ("short of it a smaller bid", S20, "0.19", {}, ("0.01", "0.02"), LIMIT),
        ("at the other limit", S20, "0", {}, ("0.02", None), (None, Why.POSITION_LIMIT)),
        ("ten lots are the quoter's own limit", S2, "0.12", {}, (None, "0.002"), LIMIT),
        ("no counter", {}, "0.1", {"counter": myr(10)}, (None, "0.025"), MONEY),
        ("little counter", {}, "0.1", {"counter": myr(3_000)}, ("0.010013", "0.025"), MONEY),
        ("the fee too", {}, "0.1", {"maker_fee": D("0.01"), "counter": myr(3_000)}, ("0.010014", "0.025"), MONEY),
    ],
)
def test_sizes(case, options, position, changes, sizes, why):
    bench = Bench(**options)
    bench.set_account(position, **changes)
    found = bench.intents()
    expected = tuple(None if size is None else D(size) for size in sizes)
    assert tuple(found[side].size if side in found else None for side in (BID, ASK)) == expected, case
    assert bench.why() == why


def test_skip_policy_stops_below_the_minimum():
    from lunomm.quoting.sizing import MinSizePolicy

    bench = Bench(order_size=D("0.001"), eta=-0.5, min_size_policy=MinSizePolicy.SKIP)
    bench.set_account("0.103")
    assert bench.why() == (Why.MIN_SIZE, None)


def test_what_our_own_working_orders_hold_is_ours_to_spend_once():
    bench = Bench(order_size=D("0.1"))
    bench.set_account("0.1", max_position=D(1))
    bench.quoter.on_orders({}, bench.now)
    bench.go(1)
    ask = bench.intents()[ASK]
    reserved = Balance(asset="XBT", total=D("0.1"), reserved=D("0.1"))
    bench.go(60)
    bench.set_account("0.1", max_position=D(1), base=reserved)
    bench.beat(300_050)
    bench.show_orders(order(ask))
    assert bench.intents()[ASK].size == ask.size
    # an alien order holds the rest: what is ours is given back, not more
    hold = bench.quoter._hold
    assert hold.account is not None
    assert hold.spendable(ASK, hold.account) == ask.size


def test_an_order_newer_than_the_account_is_not_given_back():
    bench = Bench()
    ask = bench.intents()[ASK]
    bench.show_orders(order(ask, created_ms=bench.now.exchange_ms))
    hold = bench.quoter._hold
    assert hold.account is not None
    assert hold.spendable(ASK, hold.account) == hold.account.base.free


def test_the_lot_is_fixed_while_an_order_rests():
    bench = Bench()
    assert bench.wanted().lot == D("0.025")
    bench.go(61)
    bench.set_account("0.1", counter=Balance(asset="MYR", total=D(3_000), reserved=D(0)))
    bench.beat(301_000)
    assert bench.wanted().lot == D("0.025")
    bench.beat(state=BookState.RESYNC)
    bench.wanted()
    bench.go(1)
    assert bench.wanted().lot == D("0.002491")


def test_warnings():
    assert any("is more than this account holds: quoting 0.025" in text for text in Bench().wanted().warnings)
    small = Bench(order_size=D("0.002"))
    assert small.wanted().warnings == []
    literal = Bench(order_size=D("0.002"), size_rule=SizeRule.LITERAL)
    assert any("grow" in text for text in literal.wanted().warnings)
    assert Bench(order_size=D("0.002"), size_rule=SizeRule.LITERAL, eta=0.1).wanted().warnings == []
    stormy = Bench(order_size=D("0.002"))
    stormy.beat(estimates=estimates(sigma=0.08 / 86_400**0.5))
    assert any("n_flip" in text for text in stormy.wanted().warnings)


@pytest.mark.parametrize(
    ("target", "base"), [("50%", D("0.1")), ("0.05XBT", D("0.05")), ("0.05", D("0.05")), ("25%", D("0.05"))]
)
def test_the_users_target_replaces_the_gateways(target, base):
    bench = Bench(inventory_target=target, order_size=D("0.01"))
    wanted = bench.wanted()
    assert wanted.inventory_target == base
    assert wanted.lots == pytest.approx(float((D("0.1") - base) / D("0.01")))


def test_a_target_in_another_asset_is_refused():
    quoter = Quoter(PAIR, QuoterOptions(inventory_target="0.05ETH"), epoch_ms=1)
    with pytest.raises(UsageError, match="ETH"):
        quoter.on_rules(rules(), Bench().now)


@pytest.mark.parametrize(
    "bad",
    [
        {"order_size": D(0)},
        {"order_size": D("NaN")},
        {"gamma": float("nan")},
        {"gamma": -1.0},
        {"gamma": float("inf")},
        {"eta": float("nan")},
        {"eta": float("inf")},
        {"min_spread": -0.1},
        {"horizon_s": 0.0},
        {"max_order_age_s": 0.0},
        {"kappa_prior": 0.0},
        {"kappa_prior": float("nan")},
        {"reprice_at": float("nan")},
        {"inventory_target": "much"},
    ],
)
def test_bad_options_are_refused(bad):
    with pytest.raises(UsageError):
        Quoter(PAIR, QuoterOptions(**bad), epoch_ms=1)


# --- never crossing ourselves --------------------------------------------------------------------------------------


def test_a_side_that_moves_takes_the_other_along_when_they_would_meet():
    bench = Bench(reprice_at=0.0, order_size=D("0.002"))
    bid = bench.intents()[BID]
    bench.go(30)
    bench.update(bid, state=OrderState.CANCELLED)
    bench.beat(303_000)
    bench.go(1)
    found = bench.intents()
    assert (found[BID].price, found[ASK].price) == (302_605, 303_395)


def test_our_own_old_order_in_the_way_must_leave_first():
    bench = Bench(order_size=D("0.002"))
    before = bench.intents()
    bench.go(1)
    bench.show_orders(order(before[BID]), order(before[ASK]))
    bench.beat(303_000)
    found = bench.intents()
    assert list(found) == [ASK]  # the old ask at 300,394 stands in the new bid's way
    assert bench.why() == (Why.OWN_ORDER, None)
    assert "300394" in bench.report(BID).detail
    bench.show_orders(order(before[BID]), order(before[ASK], OrderState.CANCELLED), order(found[ASK]))
    assert bench.intents()[BID].price == 302_605


def test_a_fee_is_added_to_both_sides():
    bench = Bench(order_size=D("0.002"))
    bench.set_account(maker_fee=D("0.0035"))
    assert prices(bench) == (298_556, 301_444)


def test_a_zero_spread_formula_is_not_paying():
    from lunomm.quoting.avellaneda_stoikov import SpreadFormula

    bench = Bench(gamma=0.0, spread_formula=SpreadFormula.README)
    assert bench.why() == (Why.NOT_PAYING, Why.NOT_PAYING)


def test_wake_is_the_next_timer():
    bench = Bench()
    assert Bench(ready=False).quoter.wake_ns(bench.now) is None
    bench.wanted()
    bench.go(1)
    wake = bench.quoter.wake_ns(bench.now)
    assert wake == bench.now.exchange_ns + 3_000_000_000
    bench.update(bench.intents()[BID], UpdateKind.REFUSAL, code="X")
    bench.wanted()
    wake = bench.quoter.wake_ns(bench.now)
    assert wake == bench.now.exchange_ns + 1_000_000_000


def test_a_tick_without_numbers_shows_the_market_and_wants_nothing():
    bench = Bench()
    bench.quoter.on_tick(
        tick(99, state=BookState.EMPTY, fair_mid=None, fair_best_bid=None, fair_best_ask=None), bench.now
    )
    wanted = bench.wanted()
    assert wanted.intents == []
    assert wanted.reservation is None


def test_it_steps_above_a_predecessor_whose_clock_was_ahead() -> None:
    """Its gateway believes the newest quoter it ever saw, and would never take a word of this one."""
    bench = Bench()
    bench.set_account(quoter_epoch=START_MS + 3_600_000)
    bench.go(2)
    assert bench.wanted().epoch == START_MS, "a second quoter that takes over ends this one within that time"
    bench.go(2)
    assert bench.wanted().epoch == START_MS + 3_600_001


def test_a_gateway_that_believes_it_leaves_its_epoch_alone() -> None:
    bench = Bench()
    bench.set_account(quoter_epoch=START_MS)
    bench.go(10)
    assert bench.wanted().epoch == START_MS


# --- a place in the queue ------------------------------------------------------------------------------------------


def placed(bench: Bench, ahead: str, behind: dict[int, str]) -> Intent:
    """Show the quoter's bid in the book with ``ahead`` before it, and others' volume at other prices."""
    bid = bench.intents()[Side.BID]
    own = OwnOrder(
        order_id="B1",
        intent_id=bid.id,
        side=Side.BID,
        price=bid.price,
        volume=bid.size,
        volume_ahead=D(ahead),
        orders_ahead=1,
    )
    levels = [Level(D(price), D(volume)) for price, volume in behind.items()]
    bench.tick_changes = {"own": [own], "bids": [*levels, Level(bid.price, bid.size + D(ahead))]}
    bench.show_orders(order(bid))
    return bid


@pytest.mark.parametrize(
    ("case", "moved", "ahead", "volume", "stays"),
    [
        ("first in a deep queue, a tick of noise", 2, "0", "1", True),
        ("the same the other way", -2, "0", "1", True),
        ("last where the next level is empty", 2, "5", "0", False),
        ("the market moved by more than half of 1/kappa", 160, "0", "1", False),
    ],
)
def test_a_good_place_outweighs_noise(case, moved, ahead, volume, stays):
    bench = Bench(order_size=D("0.02"))
    bid = placed(bench, ahead, {})
    wanted_next = int(bid.price) + moved
    placed(bench, ahead, {wanted_next: volume})
    bench.mid = 300_000 + moved
    bench.go(61)
    assert (bench.intents()[Side.BID].id == bid.id) is stays, case


def test_a_place_does_not_hold_a_quote_the_fair_price_left():
    bench = Bench(order_size=D("0.02"), reprice_at=0.1)
    bid = placed(bench, "0", {int(bench.intents()[Side.BID].price) + 60: "9"})
    bench.go(1)
    bench.beat(300_060)
    assert bench.intents()[Side.BID].id != bid.id


def test_a_tolerance_in_ticks():
    for ticks, stays in ((1, False), (50, True)):
        bench = Bench(order_size=D("0.02"), tolerance_ticks=ticks)
        before = bench.intents()[Side.BID]
        bench.mid = 300_020
        bench.go(61)
        assert (bench.intents()[Side.BID].id == before.id) is stays
