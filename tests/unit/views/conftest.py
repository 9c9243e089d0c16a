"""One set of fixed data for the tests of every view."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lunomm.market.presence import Health
from lunomm.market.records import BookState, Estimates, Level, OwnOrder, Params, TakerOrder, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, Fill, OrderState, OrderView, Pnl
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes, Why


@pytest.fixture
def rules() -> PairRules:
    return PairRules(
        pair="XBTMYR",
        base="XBT",
        counter="MYR",
        price_scale=0,
        volume_scale=6,
        min_price=D(1),
        max_price=D(10**7),
        min_volume=D("0.0001"),
        max_volume=D(100),
    )


@pytest.fixture
def estimates() -> Estimates:
    return Estimates(
        sigma=8.5e-5,
        sigma_se=6e-6,
        sigma_source="live",
        kappa=1 / 300,
        kappa_low=1 / 350,
        kappa_high=1 / 260,
        intensity=0.0926,
        intensity_low=0.08,
        intensity_high=0.11,
        sample=73,
        window_s=1200,
        touch_share=0.1,
        kappa_source="live",
        verdict=Verdict.GO,
        reason="both intervals within 35 %",
    )


@pytest.fixture
def tick(estimates: Estimates) -> Tick:
    return Tick(
        pair="XBTMYR",
        ts=0,
        exchange_ts=0,
        sequence=123456,
        state=BookState.OK,
        beat=12,
        stream_age_ms=210.0,
        lag_ms=3.0,
        mid_price=D("300123.5"),
        spread=D(3),
        best_bid=D(300122),
        best_ask=D(300125),
        best_bid_size=D("0.5"),
        best_ask_size=D("0.25"),
        vamp=D("300124.25"),
        weighted_mid=D("300123.9"),
        order_imbalance=0.63,
        volatility=8.5e-5,
        volatility_daily_pct=2.5,
        trades_per_minute=3.4,
        orders=1234,
        levels=210,
        estimates=estimates,
        bids=[Level(D(300122 - i), D(f"0.{i + 1}015")) for i in range(9)],
        asks=[Level(D(300125 + 2 * i), D(f"{i + 1}.25")) for i in range(9)],
        own=[
            OwnOrder(
                order_id="a",
                intent_id="b",
                side=Side.BID,
                price=D(300119),
                volume=D("0.001"),
                volume_ahead=D("0.25"),
                orders_ahead=2,
            )
        ],
    )


@pytest.fixture
def trades() -> tuple[TakerOrder, ...]:
    return tuple(
        TakerOrder(
            pair="XBTMYR",
            taker_id="x",
            side=Side.BID if i % 2 else Side.ASK,
            volume=D("0.05"),
            counter=D(15000),
            deepest=D(300125),
            fills=1,
            mid=1.0,
            half_spread=1.0,
            own_only=i == 1,
            sequence=1,
            trade_sequence=1,
            exchange_ms=1,
        )
        for i in range(4)
    )


@pytest.fixture
def params(estimates: Estimates) -> Params:
    return Params(
        pair="XBTMYR",
        at_ms=1,
        provenance="live",
        mid=300000.0,
        estimates=estimates,
        sigma_low=7e-5,
        sigma_high=9.7e-5,
        ks=0.8,
        ks_rejects=False,
        fills=90,
    )


@pytest.fixture
def quotes() -> WantedQuotes:
    return WantedQuotes(
        pair="XBTMYR",
        epoch=1,
        number=5,
        ts_ms=1,
        intents=[
            Intent(id="a", side=Side.BID, level=0, price=D(299730), size=D("0.001"), created_ms=1),
            Intent(id="b", side=Side.ASK, level=0, price=D(300500), size=D("0.001"), created_ms=1),
        ],
        fair=300123.5,
        reservation=300060.0,
        half_spread=390.0,
        sides=[SideReport(side=Side.BID, why=Why.COOLDOWN, detail="filled 12 s ago")],
    )


@pytest.fixture
def account() -> Account:
    return Account(
        pair="XBTMYR",
        ts_ms=1,
        base=Balance(asset="XBT", total=D("0.1012"), reserved=D("0.001")),
        counter=Balance(asset="MYR", total=D("30000.12"), reserved=D("300.1")),
        position=D("0.1012"),
        opening=D("0.1"),
        inventory_target=D("0.1"),
        max_position=D("0.1"),
        maker_fee=D(0),
        taker_fee=D("0.006"),
        calls_used=12,
        calls_limit=300,
        pnl=Pnl(total=D("1.25"), spread=D("1.5"), inventory=D("-0.25"), fees=D(0)),
        fills=12,
        quote_uptime=0.93,
    )


@pytest.fixture
def orders() -> tuple[OrderView, ...]:
    return tuple(
        OrderView(
            pair="XBTMYR",
            intent_id=f"i{price}",
            client_order_id="c",
            order_id="BX123",
            side=side,
            level=0,
            price=D(price),
            volume=D("0.001"),
            filled=D(filled),
            state=state,
            created_ms=88_000,
            updated_ms=1,
        )
        for side, price, filled, state in (
            (Side.BID, 299730, "0.0004", OrderState.WORKING),
            (Side.ASK, 300500, "0", OrderState.UNKNOWN),
            (Side.ASK, 300900, "0.001", OrderState.FILLED),
        )
    )


@pytest.fixture
def fills() -> tuple[Fill, ...]:
    return tuple(
        Fill(
            pair="XBTMYR",
            sequence=i,
            intent_id=None,
            client_order_id=None,
            order_id="x",
            side=Side.BID if i % 2 else Side.ASK,
            price=D(299730 + i),
            volume=D("0.001"),
            counter=D("299.73"),
            fee_base=D(0),
            fee_counter=D(0),
            maker=True,
            ts_ms=90000,
            fair=300100.0,
        )
        for i in range(3)
    )


@pytest.fixture
def health() -> Health:
    return Health(
        pair="XBTMYR",
        piece="book",
        pid=1,
        host="h",
        started_ms=1,
        ts_ms=1,
        beat=3,
        counters={"frames_per_s": 11.25, "resyncs": 0.0, "last": None},
    )
