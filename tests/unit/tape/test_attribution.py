"""The figures of a session, by hand and against a naive account."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions import RULES, S, fill, life, path

from lunomm.errors import ModelError
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill
from lunomm.tape.attribution import Session, attribute, attribution_data

BID, ASK = Side.BID, Side.ASK

SESSION = Session(
    rules=RULES,
    start_ns=0,
    end_ns=100 * S,
    opening=D(2),
    opening_mark=D(1000),
    closing_mark=D(1010),
    entries=[fill(BID, "995", "1", 10, 1000.0, "0.001"), fill(ASK, "1006", "0.5", 50, 1004.0, "0.5")],
    lives=[life(BID, "995", 0, 10, "1"), life(ASK, "1006", 0, None, "0.5")],
    path=path((0, 999, 1001), (40, 1003, 1005), (80, 1009, 1011), end_s=100),
    target=D("1.5"),
    capital=D(4000),
)


def test_by_hand() -> None:
    got = attribute(SESSION)
    assert (got.pnl.spread, got.pnl.fees) == (D("6"), D("1.5"))
    drift = 3 * 4 - D("0.001") * 4 + (D("2.499")) * 6  # what was held from mark to mark
    assert got.pnl.inventory == drift
    assert got.pnl.total == 6 + drift - D("1.5")
    assert (got.pnl.holding, got.beyond_holding, got.target_holding) == (D(20), got.pnl.total - 20, D(15))
    assert (got.fees_base, got.fees_counter, got.turnover) == (D("0.001"), D("0.5"), D(1498))
    assert (got.opening, got.closing, got.bought, got.sold) == (D(2), D("2.499"), D(1), D("0.5"))
    assert (got.fills, got.maker_fills, got.marked) == (2, 2, 2)
    assert (got.orders, got.orders_filled, got.fill_ratio, got.volume_ratio) == (2, 2, 1.0, 0.75)
    assert (got.uptime, got.one_sided) == (0.1, 0.9)
    assert (got.at_touch_bid, got.at_touch_ask) == (0.0, 0.2)
    assert got.max_inventory == pytest.approx(1.499)
    assert got.mean_inventory == pytest.approx((0.5 * 10 + 1.499 * 40 + 0.999 * 50) / 100)
    assert got.max_drawdown_share == got.max_drawdown / 4000
    assert got.curve.equity[-1] == float(got.pnl.total)
    assert got.markouts[0].fills == 2 and got.markouts[-1].fills == 0


def test_what_is_not_known_is_none() -> None:
    got = attribute(replace(SESSION, lives=None, path=None, target=None, capital=None))
    unknown = ("orders", "orders_filled", "fill_ratio", "volume_ratio", "uptime", "one_sided", "at_touch_bid")
    assert {name: getattr(got, name) for name in unknown} == dict.fromkeys(unknown)
    assert (got.sharpe, got.max_drawdown_share, got.target) == (None, None, D(2))
    assert all(row.markout_bp is None for row in got.markouts)
    assert got.pnl == attribute(SESSION).pnl, "the money does not depend on what else is known"


def test_nothing_happened() -> None:
    got = attribute(replace(SESSION, entries=[], lives=[]))
    assert (got.pnl.total, got.pnl.spread, got.beyond_holding, got.fill_ratio) == (D(20), D(0), D(0), None)
    assert (got.round_trips, got.fills, got.uptime) == (None, 0, 0.0)


def test_a_session_does_not_end_before_it_starts() -> None:
    with pytest.raises(ModelError, match="cannot end"):
        attribute(replace(SESSION, end_ns=-1))


def test_as_json() -> None:
    data = json.loads(msgspec.json.encode(attribution_data(attribute(SESSION), curve=True)))
    assert data["pnl"]["spread"] == "6" and data["pair"] == "XBTMYR" and data["duration_s"] == 100.0
    assert [row["horizon_s"] for row in data["markouts"]] == [1, 5, 30, 60, 300]
    assert set(data["curve"]) == {"ts_ns", "equity", "position", "mid"}
    assert data["round_trips"]["count"] == 1 and data["sharpe"] is None


trades = st.lists(
    st.builds(
        lambda side, price, size, at, fair, fee: fill(side, str(price), f"{size / 100}", at, fair, f"{fee / 100}"),
        st.sampled_from(Side), st.integers(900, 1100), st.integers(1, 300), st.integers(0, 99),
        st.none() | st.floats(900, 1100), st.integers(-3, 30),
    ),
    max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(trades, st.integers(900, 1100))
def test_worth_at_the_end_less_worth_at_the_start(fills: list[Fill], last: int) -> None:
    fills.sort(key=lambda one: one.ts_ms)
    got = attribute(replace(SESSION, entries=fills, closing_mark=D(last)))
    base, cash = D(2), D(0)
    for one in fills:
        base += one.side.sign * one.volume - one.fee_base
        cash -= one.side.sign * one.counter + one.fee_counter
    assert got.pnl.total == cash + base * last - 2 * 1000 == got.pnl.spread + got.pnl.inventory - got.pnl.fees
    assert got.closing == base
    low = running = 0.0
    for value in got.curve.equity:
        running = max(running, value)
        low = max(low, running - value)
    assert got.max_drawdown == pytest.approx(low)
