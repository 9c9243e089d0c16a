"""Limits are lowered by a request, never raised; what people ask is journaled once, with what became of it."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from trading_driver import PAIR, intent, make, seen

from lunomm.market.rules import Side
from lunomm.trading import events as ev
from lunomm.trading.limits import Limits
from lunomm.trading.requests import ANSWERED, ASKED, LOWERED, with_lowered
from lunomm.trading.restored import Restored


def ask(driver, **limits):
    driver.step(ev.LimitsAsked("r1", PAIR, "ann@desk", {name: D(text) for name, text in limits.items()}, "night"))
    (answer,) = driver.take(ev.Answer)
    return answer


def test_a_lower_limit_holds_at_once_and_is_journaled():
    driver = make(Limits(max_position=D("0.1"), max_order_value=D(5000)), session="7@desk").started()
    answer = ask(driver, max_order_value="1000")
    assert answer.accepted
    assert answer.changes == (("max_order_value", "5000", "1000"),)
    assert [(s.step, s.who) for s in driver.take(ev.SaveRequest)] == [
        (ASKED, "ann@desk: night"),
        (ANSWERED, "ann@desk: night"),
    ]
    assert driver.notes["", LOWERED] == "7@desk max_position=0.1 max_order_value=1000"
    driver.quote(intent(1, Side.BID, 299_000))  # 1,196 MYR
    assert not driver.take(ev.Place)
    driver.pass_s(2)
    driver.quote(intent(2, Side.BID, 299_000, "0.003"))
    assert driver.take(ev.Place)


def test_what_rests_leaves_and_is_judged_anew():
    driver = make(Limits(max_order_value=D(5000))).started()
    order = driver.working(intent(1, Side.BID, 299_000))
    assert ask(driver, max_order_value="1000").accepted
    assert [c.client_order_id for c in driver.take(ev.Cancel)] == [order.client_order_id]


@pytest.mark.parametrize("unknown", [False, True])
def test_what_is_on_its_way_leaves_as_soon_as_it_can(unknown):
    driver = make(Limits(max_order_value=D(5000))).started()
    wanted = intent(1, Side.BID, 299_000)
    driver.quote(wanted)
    (placed,) = driver.take(ev.Place)
    cid = placed.order.client_order_id
    if unknown:
        driver.step(ev.PostUnknown(PAIR, cid))
    assert ask(driver, max_order_value="1000").accepted
    assert not driver.take(ev.Cancel)
    if unknown:
        driver.pass_s(1)
        assert [read.client_order_id for read in driver.take(ev.ReadOrder)] == [cid]
        driver.step(ev.OrderRead(PAIR, cid, seen(placed.order)))
    else:
        driver.step(ev.Posted(PAIR, cid, "BX1"))
    assert [c.client_order_id for c in driver.take(ev.Cancel)] == [cid]
    driver.quote()  # wanted as before, and not placed again
    assert not driver.take(ev.Place)


@pytest.mark.parametrize(
    ("limits", "name", "value"),
    [
        (Limits(max_position=D("0.1")), "max_position", "0.11"),
        (Limits(max_order_value=D(500)), "max_order_value", "501"),
        (Limits(max_daily_loss=D(50)), "max_daily_loss", "51"),
        (Limits(max_open_value=D(50)), "max_open_value", "51"),
        (Limits(), "max_position", "5"),  # not given: what 0.1 XBT and 30,000 MYR bear
        (Limits(), "max_open_value", "60001"),
        (Limits(max_order_value=D(500)), "max_open_value", "10001"),
        (Limits(), "collar", "0.01"),
    ],
)
def test_no_request_raises_a_limit(limits, name, value):
    driver = make(limits).started()
    answer = ask(driver, **{"max_daily_loss": "1", name: value})
    assert not answer.accepted
    assert driver.core.shared.settings.limits == limits  # the part that was lower neither
    assert [s.step for s in driver.take(ev.SaveRequest)] == [ASKED, ANSWERED]
    assert ("", LOWERED) not in driver.notes


def test_before_the_market_is_known_what_the_account_bears_is_not():
    answer = ask(make(Limits()), max_position="0.01")
    assert not answer.accepted
    assert "not known yet" in answer.detail


def test_a_gateway_started_again_in_the_session_keeps_what_was_lowered():
    given = Limits(max_position=D("0.1"), max_daily_loss=D(50))
    note = "7@desk max_position=0.2 max_order_value=1000 max_daily_loss=20"
    assert with_lowered(given, note, "7@desk") == Limits(D("0.1"), D(1000), D(20))
    for session in ("8@desk", ""):
        assert with_lowered(given, note, session) == given
    assert with_lowered(given, None, "7@desk") == given


def test_a_request_to_the_quoter_is_written_down_and_said_to_be():
    driver = make(restored=Restored()).started()
    driver.step(ev.RequestSeen("r2", ASKED, PAIR, "ann@desk", "set gamma=2"))
    (answer,) = driver.take(ev.Answer)
    assert (answer.request_id, answer.accepted) == ("r2", True)
    driver.step(ev.RequestSeen("r2", ANSWERED, PAIR, "ann@desk", "gamma 1 -> 2"))
    assert not driver.take(ev.Answer)
    assert [(s.step, s.words) for s in driver.take(ev.SaveRequest)] == [
        (ASKED, "set gamma=2"),
        (ANSWERED, "gamma 1 -> 2"),
    ]
