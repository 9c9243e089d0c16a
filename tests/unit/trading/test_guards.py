"""The gateway's guards inside the machine: each trips, holds or pulls as it must, and lets go again."""

from __future__ import annotations

import inspect
import itertools
from decimal import Decimal as D
from typing import Any

import pytest
from trading_driver import PAIR, START_MS, Driver, fill_event, intent, make, rules, seen, trade

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.quoting.inputs import OrderState, UpdateKind
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.trading import events as ev
from lunomm.trading import limits
from lunomm.trading.limits import Limits
from lunomm.trading.reconciler import Reconciler
from lunomm.trading.restored import Restored
from lunomm.trading.shared import Settings

BID, ASK = intent(1, Side.BID, 299_000), intent(2, Side.ASK, 301_000)


def halted(d: Driver) -> str:
    return d.core.shared.halted or ""


def refuse(d: Driver, number: int, code: str, side: Side = Side.BID) -> None:
    """One more order of ours is refused with this code."""
    d.quote(intent(number, side, 299_000 if side is Side.BID else 301_000))
    for place in d.take(ev.Place):
        d.step(ev.PostRejected(PAIR, place.order.client_order_id, code))


# --- an exception in any check is a trip ---

CHECKS = [name for name, found in vars(limits).items() if name.startswith("_") and inspect.isfunction(found)]


def test_the_checks_are_all_there() -> None:
    assert set(CHECKS) >= {
        "_grid", "_market", "_value", "_collar", "_own_side", "_position", "_open_value", "_money", "_pace",
    }  # fmt: skip


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, AttributeError, RuntimeError, AssertionError])
@pytest.mark.parametrize(
    "where",
    [
        *(f"lunomm.trading.limits.{name}" for name in CHECKS),
        "lunomm.trading.limits.open_value",
        "lunomm.trading.desk.check",
        "lunomm.trading.situation.of",
        "lunomm.trading.situation.open_value",
        "lunomm.trading.situation.target",
        "lunomm.trading.situation.max_position",
        "lunomm.trading.shared.Shared.free",
        "lunomm.trading.shared.Shared.settled",
        "lunomm.trading.shared.Shared.open_base",
        "lunomm.trading.throttle.Throttle.off",
        "lunomm.trading.throttle.Throttle.crowded",
        "lunomm.trading.throttle.Throttle.placed",
        "lunomm.trading.balances.Balances.bounds",
        "lunomm.trading.working.Working.lacks_money",
        "lunomm.trading.limits.DailyLoss.take",
        "lunomm.trading.money.too_much_lost",
        "lunomm.trading.desk.Desk.count_loss",
        "lunomm.trading.wanted.Wanted.offer",
        "lunomm.trading.reference.Reference.seen",
    ],
)
def test_an_exception_in_any_check_is_a_trip(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, where: str, error: type[Exception]
) -> None:
    driver.working(ASK, "BX2")
    driver.pass_s(1)

    def broken(*_: object, **__: object) -> None:
        raise error("in a check")

    with monkeypatch.context() as patch:
        patch.setattr(where.replace("limits.open_value", "situation.open_value"), broken)
        try:
            driver.quote(BID, ASK)
        except Exception as late:  # noqa: BLE001  # a report of the account may fail after the trip
            assert "in a check" in str(late)
        assert not driver.take(ev.Place)
        assert error.__name__ in halted(driver)
    driver.step(ev.Wake())
    assert [c.order_id for c in driver.take(ev.Cancel)][-1:] == ["BX2"]


# --- repeats ---


def test_the_eleventh_refusal_of_the_exchange_halts(driver: Driver) -> None:
    for number in range(10, 20):
        refuse(driver, number, "ErrValueTooHigh")
        assert not halted(driver)
        driver.pass_s(1)
    refuse(driver, 20, "ErrValueTooHigh")
    assert "REJECTS" in halted(driver)
    (saved,) = driver.take(ev.SaveHalt)
    assert "ErrValueTooHigh" in saved.reason


def test_thirty_orders_that_would_have_traded_are_borne_the_next_halts(driver: Driver) -> None:
    for number in range(10, 40):
        refuse(driver, number, "ErrOrderCanceled")
        driver.pass_s(2, step=1)
        driver.step(ev.ReferenceRead(PAIR, D(300_000)))
        assert not halted(driver)
    # The other form of the same: an order that completes with nothing filled, though nobody cancelled it.
    o = driver.place(intent(50, Side.BID, 299_000))
    driver.step(ev.Posted(PAIR, o.client_order_id, "BX50"))
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, order_id="BX50", open=False)))
    assert "POST_ONLY" in halted(driver)


def test_orders_that_the_guardian_took_down_after_a_crash_had_missed_no_book(driver: Driver) -> None:
    for number in range(10, 45):
        o = driver.place(intent(number, Side.BID, 299_000))
        driver.step(ev.Posted(PAIR, o.client_order_id, f"BX{number}"))
        taken_down = seen(o, order_id=f"BX{number}", open=False, completed_ms=o.timestamp_ms + 1500)
        driver.step(ev.OrderRead(PAIR, o.client_order_id, taken_down))
        driver.pass_s(2, step=1)
        driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    assert not halted(driver)


@pytest.mark.parametrize("code", ["NOT_SENT", "RATE_LIMITED"])
def test_what_was_never_judged_is_no_refusal(driver: Driver, code: str) -> None:
    for number in range(10, 40):
        refuse(driver, number, code)
        driver.pass_s(61, step=61)
    assert not halted(driver)


def test_five_quotes_that_cannot_be_meant_halt(driver: Driver) -> None:
    for number in range(5):
        assert not halted(driver)
        driver.quote(intent(10 + number, Side.BID, "299000.5"))
        driver.pass_s(1)
    assert "BAD_QUOTES" in halted(driver)
    assert not driver.take(ev.Place)


def test_five_crossed_messages_halt_and_the_same_one_counts_once(driver: Driver) -> None:
    crossed = [intent(8, Side.BID, 301_000), intent(9, Side.ASK, 299_000)]
    for _ in range(4):
        driver.number += 1
        message = WantedQuotes(pair=PAIR, epoch=5, number=driver.number, ts_ms=driver.exchange_ms, intents=crossed)
        for _ in range(10):
            driver.step(ev.QuotesSeen(PAIR, message))
    assert not halted(driver)
    driver.quote(*crossed)
    assert "BAD_QUOTES" in halted(driver)
    assert "CROSSED" in halted(driver)


def test_a_quoter_that_has_not_heard_of_a_new_tick_is_no_bad_quoter(driver: Driver) -> None:
    driver.step(ev.RulesRead(PAIR, rules(price_scale=-1)))
    for number in range(20):
        driver.quote(intent(10 + number, Side.BID, "299001"))
        driver.pass_s(1)
    assert not halted(driver)
    assert not driver.take(ev.Place)
    assert {u.code for u in driver.updates if u.kind is UpdateKind.REFUSAL} == {"OFF_GRID"}


def test_messages_that_cannot_be_read_halt_when_they_come_fast(driver: Driver) -> None:
    for _ in range(12):
        driver.step(ev.BadMessage("QUOTES:MALFORMED"))
        driver.pass_s(2.1)
    assert not halted(driver)
    for _ in range(6):
        driver.step(ev.BadMessage("QUOTES:MALFORMED"))
    assert "UNREADABLE" in halted(driver)


def test_alien_fills_count_in_the_position_and_too_many_halt(driver: Driver) -> None:
    o = driver.place(BID)
    for n in range(10):
        alien = trade(o, 8 + n, "0.001", order_id=f"X{n}", client_order_id="", ts_ms=driver.exchange_ms)
        driver.step(ev.TradesRead(PAIR, (alien,)))
    assert not halted(driver)
    assert driver.core.shared.balances.expected("XBT") == D("0.11")
    late = trade(o, 80, "0.001", order_id="X80", client_order_id="", ts_ms=driver.exchange_ms)
    driver.step(ev.TradesRead(PAIR, (late,)))
    assert "ALIEN" in halted(driver)


def test_what_a_person_traded_while_no_gateway_ran_trips_nothing() -> None:
    d = make()
    o = make().started().place(BID)
    rows = tuple(trade(o, 8 + n, "0.001", order_id=f"X{n}", client_order_id="", ts_ms=START_MS - 1) for n in range(50))
    d.read_all(trades=rows)
    assert not halted(d)


def test_fills_of_one_side_only_rest_that_side(driver: Driver) -> None:
    for n in range(11):
        o = driver.place(intent(10 + n, Side.BID, 299_000, "0.0001"))
        driver.step(ev.Posted(PAIR, o.client_order_id, f"BX{n}"))
        driver.step(fill_event(o, "0.0001", "0.0001", f"BX{n}"))
        driver.step(ev.TradesRead(PAIR, (trade(o, 100 + n, "0.0001", order_id=f"BX{n}"),)))
        driver.pass_s(1)
    assert not halted(driver)
    driver.quote(intent(30, Side.BID, 299_000, "0.0001"), intent(31, Side.ASK, 301_000, "0.0001"))
    assert [p.order.side for p in driver.take(ev.Place)] == [Side.ASK]
    assert driver.core.desks[PAIR].held[Side.BID] == "ONE_SIDED"


# --- pace ---


def test_a_quoter_that_changes_its_mind_all_the_time_gets_one_order_a_side_in_half_a_second(driver: Driver) -> None:
    placed = []
    for n in range(1000):
        driver.quote(intent(10 + n, Side.BID, 299_000 - n % 7))
        for place in driver.take(ev.Place):
            placed.append(driver.mono_ns)
            driver.step(ev.PostRejected(PAIR, place.order.client_order_id, "NOT_SENT"))
        driver.mono_ns += 10_000_000
        driver.exchange_ms += 10
    assert 15 <= len(placed) <= 20
    assert min(b - a for a, b in itertools.pairwise(placed)) >= 500_000_000


def test_sixty_orders_in_any_minute(driver: Driver) -> None:
    placed: list[int] = []
    for n in range(400):
        driver.quote(intent(2 * n, Side.BID, 299_000), intent(2 * n + 1, Side.ASK, 301_000))
        for place in driver.take(ev.Place):
            placed.append(driver.mono_ns)
            driver.step(ev.PostRejected(PAIR, place.order.client_order_id, "NOT_SENT"))
        driver.mono_ns += 500_000_000
        driver.exchange_ms += 500
        driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    assert max(sum(at - 60_000_000_000 < other <= at for other in placed) for at in placed) == 60
    assert not halted(driver)


# --- the market ---


@pytest.mark.parametrize("new", [150_000, 260_000, 340_000, 570_000])
def test_a_price_that_jumps_takes_quotes_down_until_the_ticker_agrees(driver: Driver, new: int) -> None:
    driver.working(BID)
    driver.quote(BID, fair=float(new))
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX1"]
    o = driver.order(f"lm1-{PAIR}-{BID.id}")
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, open=False)))
    wanted = intent(3, Side.BID, new - 100)
    for _ in range(10):
        driver.pass_s(0.5, quotes=False)
        driver.quote(wanted, fair=float(new))
        assert not driver.take(ev.Place)
    assert driver.take(ev.ReadReference), "a jump is checked at once"
    for _ in range(8):
        driver.step(ev.ReferenceRead(PAIR, D(new)))
        driver.pass_s(0.5, quotes=False)
        driver.quote(wanted, fair=float(new))
    assert len(driver.take(ev.Place)) == 1
    assert not halted(driver)


def test_after_a_minute_of_one_side_the_price_is_asked_for_as_soon_as_a_quote_needs_it(driver: Driver) -> None:
    for _ in range(7):
        driver.pass_s(10, quotes=False)
        assert driver.take(ev.ReadReference)
        driver.step(ev.ReferenceRead(PAIR, None))
    driver.pass_s(1.5, quotes=False)
    assert not driver.take(ev.ReadReference)
    driver.quote(BID)
    assert driver.core.desks[PAIR].held == {Side.BID: "NO_REFERENCE"}
    assert len(driver.take(ev.ReadReference)) == 1
    driver.step(ev.ReferenceRead(PAIR, None))
    driver.quote(BID)
    assert not driver.take(ev.ReadReference), "at most once a second"
    driver.pass_s(1)
    assert len(driver.take(ev.ReadReference)) == 1
    driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    driver.quote(BID)
    assert len(driver.take(ev.Place)) == 1


@pytest.mark.parametrize("status", ["POSTONLY", "DISABLED"])
def test_a_market_that_does_not_trade_is_left_and_met_again_after_half_a_minute(driver: Driver, status: str) -> None:
    driver.working(BID)
    driver.step(ev.RulesRead(PAIR, rules(status=status)))
    assert [c.order_id for c in driver.take(ev.Cancel)] == ["BX1"]
    o = driver.order(f"lm1-{PAIR}-{BID.id}")
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, open=False)))
    driver.step(ev.RulesRead(PAIR, rules()))
    driver.quote(intent(3, Side.BID, 299_000))
    driver.pass_s(29)
    assert not driver.take(ev.Place)
    driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    driver.pass_s(2)
    assert len(driver.take(ev.Place)) == 1


@pytest.mark.parametrize("code", ["ErrUnderMaintenance", "ErrMarketUnavailable"])
def test_maintenance_pauses_the_pair_and_is_followed_by_a_listing(driver: Driver, code: str) -> None:
    driver.take(ev.ReadOpenOrders)
    refuse(driver, 3, code)
    driver.quote(intent(4, Side.BID, 299_000))
    driver.pass_s(29)
    driver.take(ev.ReadOpenOrders)
    driver.step(ev.OpenOrdersRead(PAIR, ()))
    driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    driver.pass_s(2)
    assert not driver.take(ev.Place)
    assert driver.take(ev.ReadOpenOrders)
    driver.step(ev.OpenOrdersRead(PAIR, ()))
    driver.pass_s(0.25)
    assert len(driver.take(ev.Place)) == 1


def test_after_a_wrong_tick_nothing_is_sent_until_the_rules_were_read(driver: Driver) -> None:
    refuse(driver, 3, "ErrPriceDenominationNotAllowed")
    driver.quote(intent(4, Side.BID, 299_000))
    driver.pass_s(5)
    assert not driver.take(ev.Place)
    assert driver.take(ev.ReadRules)
    driver.step(ev.RulesRead(PAIR, rules()))
    driver.pass_s(0.25)
    assert len(driver.take(ev.Place)) == 1


def test_want_of_money_is_tried_twice_and_then_waits_for_the_balance_to_change(driver: Driver) -> None:
    refuse(driver, 3, "ErrInsufficientBalance")
    driver.quote(intent(4, Side.BID, 299_000))
    driver.pass_s(2)
    assert not driver.take(ev.Place), "not before the balance was read again"
    driver.balances()
    driver.pass_s(0.5)
    (second,) = driver.take(ev.Place)
    driver.step(ev.PostRejected(PAIR, second.order.client_order_id, "ErrInsufficientBalance"))
    driver.quote(intent(5, Side.BID, 299_000), ASK)
    for _ in range(20):
        driver.balances()
        driver.pass_s(1)
    assert [p.order.side for p in driver.take(ev.Place)] == [Side.ASK]
    driver.balances(counter="29000")
    driver.pass_s(0.5)
    assert [p.order.side for p in driver.take(ev.Place)] == [Side.BID]


# --- AWAITING ---


def test_an_order_that_stays_awaiting_is_taken_back_after_five_seconds(driver: Driver) -> None:
    o = driver.working(BID)
    driver.step(ev.StatusSeen(PAIR, "BX1", o.client_order_id, open=True, awaiting=True))
    driver.take(ev.ReadOrder)
    driver.pass_s(4.25)
    (look,) = driver.take(ev.ReadOrder)
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o, awaiting=True)))
    assert driver.core.shared.open_base("XBT", Side.BID) == D("0.004")
    assert not driver.take(ev.Cancel)
    driver.pass_s(1)
    assert [c.order_id for c in driver.take(ev.Cancel)] == [look.order_id]


def test_an_order_whose_way_into_the_book_was_not_reported_is_looked_at_and_stays(driver: Driver) -> None:
    o = driver.working(BID)
    driver.take(ev.ReadOrder)
    driver.pass_s(3.5)
    assert [r.client_order_id for r in driver.take(ev.ReadOrder)] == [o.client_order_id]
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o)))
    driver.pass_s(20)
    assert not driver.take(ev.Cancel)
    assert not driver.take(ev.ReadOrder)


def test_a_process_that_slept_reads_everything_again(driver: Driver) -> None:
    o = driver.working(BID)
    driver.step(ev.OrderRead(PAIR, o.client_order_id, seen(o)))
    for kind in (ev.ReadOrder, ev.ReadOpenOrders, ev.ReadTrades, ev.ReadBalances):
        driver.take(kind)
    driver.mono_ns += 3_000_000_000
    driver.exchange_ms += 3_000
    driver.step(ev.Wake())
    for kind in (ev.ReadOrder, ev.ReadOpenOrders, ev.ReadTrades):
        assert driver.take(kind), kind


# --- resuming ---


def resume(d: Driver, request: str = "r1") -> ev.Answer | None:
    answers = [a for a in d.step(ev.ResumeAsked(request, PAIR, "ann@host", "looked")) if isinstance(a, ev.Answer)]
    return answers[0] if answers else None


def test_a_resume_ends_the_halt_once_and_says_so_once(driver: Driver) -> None:
    driver.step(ev.HaltAsked("someone said so"))
    driver.quote(BID)
    driver.take(ev.ReadOpenOrders)
    answer = resume(driver)
    assert answer is not None
    assert answer.accepted
    assert "someone said so" in answer.detail
    assert [r.who for r in driver.take(ev.SaveResume)] == ["ann@host: looked"]
    assert driver.take(ev.Resumed)
    assert driver.take(ev.ReadOpenOrders), "the venue is read"
    driver.pass_s(0.5)
    assert len(driver.take(ev.Place)) == 1
    # The same request again (a replay, a file that could not be removed) is neither done nor answered.
    driver.step(ev.HaltAsked("again"))
    assert resume(driver) is None
    assert halted(driver) == "again"
    assert driver.notes[("", "last_request")] == "r1"
    after = make(restored=Restored(notes={"last_request": "r1"}, halt="again"))
    assert resume(after) is None
    assert halted(after) == "again"


def test_nothing_halted_is_said_politely(driver: Driver) -> None:
    answer = resume(driver)
    assert answer is not None
    assert not answer.accepted
    assert answer.detail == "nothing is halted"
    assert not driver.take(ev.SaveResume)


def test_after_a_resume_the_days_loss_and_the_repeats_count_anew() -> None:
    d = make(Limits(max_daily_loss=D(50))).started()
    d.step(ev.ReferenceRead(PAIR, D(299_000)))  # 0.1 XBT held: a loss of 100
    assert "MAX_DAILY_LOSS" in halted(d)
    assert resume(d) is not None
    d.pass_s(1)
    assert not halted(d)
    d.step(ev.ReferenceRead(PAIR, D(298_700)))
    assert not halted(d)
    d.step(ev.ReferenceRead(PAIR, D(298_400)))
    assert "MAX_DAILY_LOSS" in halted(d)


# --- several pairs of one account ---


class Two:
    """XBTMYR and ETHMYR share MYR; XBTMYR and XBTZAR share XBT."""

    def __init__(self, second: str, base: str, counter: str, **limits_: Any) -> None:
        self.pair, self.mono = second, 10_000_000_000
        legs = {PAIR: ("XBT", "MYR"), second: (base, counter)}
        self.core = Reconciler(legs, Settings(limits=Limits(**limits_)), Restored(), self.now)
        self.out: list[ev.Action] = []
        for event in (ev.Wake(), ev.UserStream(True)):
            self.step(event)
        for pair, (b, c) in legs.items():
            self.step(ev.RulesRead(pair, rules(pair=pair, base=b, counter=c)))
            self.step(ev.FeesRead(pair, D(0), D(0)))
            self.step(ev.ReferenceRead(pair, D(300_000)))
            self.step(ev.TradesRead(pair, ()))
            self.step(ev.OpenOrdersRead(pair, ()))
        rows = tuple(
            ev.VenueBalance(n + 1, asset, D("0.1") if asset in ("XBT", "ETH") else D(3_000), D(0))
            for n, asset in enumerate(sorted({a for both in legs.values() for a in both}))
        )
        self.step(ev.BalancesRead(rows, self.mono))
        self.numbers = dict.fromkeys(legs, 0)

    @property
    def now(self) -> Now:
        return Now(START_MS * 1_000_000 + self.mono, self.mono)

    def step(self, event: ev.Event) -> list[ev.Action]:
        self.mono += 1_000_000
        found = self.core.step(event, self.now)
        self.out += found
        return found

    def want(self, pair: str, *intents: Intent) -> None:
        self.numbers[pair] += 1
        self.mono += 600_000_000
        message = WantedQuotes(
            pair=pair,
            epoch=5,
            number=self.numbers[pair],
            ts_ms=self.now.exchange_ms,
            intents=list(intents),
            fair=300_000.0,
        )
        self.step(ev.QuotesSeen(pair, message))

    def account(self, pair: str) -> Any:
        return [a.account for a in self.out if isinstance(a, ev.PublishAccount) and a.account.pair == pair][-1]


def test_shared_money_is_split_by_what_is_wanted_not_by_who_came_first() -> None:
    two = Two("ETHMYR", "ETH", "MYR", max_position=D(10))
    big = intent(1, Side.BID, 300_000, "0.006")  # 1,800 of 3,000
    two.want("ETHMYR", big)
    two.want(PAIR, big)
    two.want("ETHMYR", intent(2, Side.BID, 300_000, "0.006"))
    places = [a.order for a in two.out if isinstance(a, ev.Place)]
    assert [o.pair for o in places] == ["ETHMYR"], "the first found no rival"
    refused = [a.update for a in two.out if isinstance(a, ev.SaveUpdate) and a.update.code == "BALANCE"]
    assert not refused or {u.pair for u in refused} == {PAIR}
    mine, theirs = two.account(PAIR), two.account("ETHMYR")
    assert mine.counter.free + theirs.counter.free + D(1800) <= D(3000)
    assert mine.counter.free > D(1000), "a pair that found nothing left is promised its part"


def test_coins_that_two_pairs_trade_are_in_one_profit_only() -> None:
    two = Two("XBTZAR", "XBT", "ZAR")
    for price in (310_000, 320_000):
        for pair in (PAIR, "XBTZAR"):
            two.step(ev.ReferenceRead(pair, D(price)))
        two.mono += 1_100_000_000
        two.step(ev.Wake())
    first, second = two.account(PAIR), two.account("XBTZAR")
    assert first.pnl.total == D("0.1") * 20_000
    assert second.pnl.total == 0
    assert first.position == second.position == first.opening == second.opening == D("0.1")
    notes = {(a.pair, a.name): a.value for a in two.out if isinstance(a, ev.SaveNote)}
    assert notes[("", "counted:XBT")] == PAIR
    assert notes[("XBTZAR", "opening_elsewhere")] == "1"


def test_the_days_loss_is_of_all_pairs_in_one_currency() -> None:
    two = Two("ETHMYR", "ETH", "MYR", max_daily_loss=D(150))
    two.step(ev.ReferenceRead(PAIR, D(299_000)))
    assert two.core.shared.halted is None
    two.step(ev.ReferenceRead("ETHMYR", D(299_000)))
    assert "MAX_DAILY_LOSS" in (two.core.shared.halted or "")


def test_open_value_counts_both_sides_and_the_unknown() -> None:
    d = make(Limits(max_open_value=D(2_400))).started()
    unknown = d.place(BID)  # 1,196
    d.step(ev.PostUnknown(PAIR, unknown.client_order_id))
    d.quote(BID, intent(2, Side.ASK, 301_000, "0.004"))  # 1,204: exactly the limit
    assert len(d.take(ev.Place)) == 1
    third = Intent(id="abc-3-B1", side=Side.BID, level=1, price=D(299_000), size=D("0.0001"), created_ms=1)
    d.pass_s(1)
    d.quote(BID, ASK, third)
    assert not d.take(ev.Place)
    assert [u.code for u in d.updates if u.kind is UpdateKind.REFUSAL] == ["OPEN_VALUE"]
    assert d.state(unknown.client_order_id) is OrderState.UNKNOWN


def test_a_side_that_was_refused_twice_is_tried_again_after_a_minute(driver: Driver) -> None:
    """The refusals may have been the venue's mistake: a balance that nobody moves must not keep a side off for ever."""
    refuse(driver, 3, "ErrInsufficientBalance")
    driver.quote(intent(4, Side.BID, 299_000))
    driver.pass_s(1)
    driver.balances()
    driver.pass_s(0.5)
    (second,) = driver.take(ev.Place)
    driver.step(ev.PostRejected(PAIR, second.order.client_order_id, "ErrInsufficientBalance"))
    driver.quote(intent(5, Side.BID, 299_000))
    for _ in range(59):
        driver.pass_s(1)
        driver.balances()
    assert not driver.take(ev.Place)
    driver.step(ev.ReferenceRead(PAIR, D(300_000)))
    for _ in range(2):
        driver.pass_s(1)
        driver.balances()
    assert len(driver.take(ev.Place)) == 1


def test_what_trips_the_halt_is_the_last_thing_of_its_step(driver: Driver) -> None:
    """The other side of the very message that halts is not placed any more."""
    for number in range(4):
        driver.quote(intent(10 + number, Side.BID, "299000.5"))
        driver.pass_s(1)
    driver.quote(intent(20, Side.BID, "299000.5"), ASK)
    assert "BAD_QUOTES" in halted(driver)
    assert not driver.take(ev.Place)
