"""One set of fixed data for every view, and what can be wrong with data; shared by tests and fixtures."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import MISSING, is_dataclass, replace
from dataclasses import fields as fields_of
from decimal import Decimal as D
from typing import Any

import msgspec
from drawing import HOSTILE
from rich.console import RenderableType

from lunomm.market.hours import Hour
from lunomm.market.presence import HaltMark, Health
from lunomm.market.records import BookAudit, BookState, Estimates, Level, OwnOrder, Params, TakerOrder, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, Fill, LimitUse, OrderState, OrderView, Pnl
from lunomm.quoting.intents import Intent, SideReport, Step, WantedQuotes, Why
from lunomm.views.book import BookView, book_screen
from lunomm.views.calibrate import CalibrateView, calibrate_screen
from lunomm.views.exchange import ExchangeView, FaultRow, MarketRow, VisitorRow, exchange_screen
from lunomm.views.gateway import GatewayView, gateway_screen
from lunomm.views.orders import Trading
from lunomm.views.panel import Heard, PanelView
from lunomm.views.pipeline import PairView, PieceView, PipelineView
from lunomm.views.quote import QuoteView, quote_screen
from lunomm.views.record import RecordView, record_screen
from lunomm.views.status import status_screen
from lunomm.views.up import up_screen


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


def tick() -> Tick:
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
        estimates=estimates(),
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
        audit=BookAudit(at_ms=-42_000, drift=0.0, checks=12),
    )


def trades() -> tuple[TakerOrder, ...]:
    return tuple(
        TakerOrder(
            pair="XBTMYR",
            taker_id="x",
            side=Side.BID if i % 2 else Side.ASK,
            volume=D(f"0.0{i + 3}5"),
            counter=D(15000),
            deepest=D(300125 - 3 * (i % 2)),
            fills=1,
            mid=300123.5 - 2 * i,
            half_spread=1.5,
            own_only=i == 1,
            sequence=1,
            trade_sequence=1,
            exchange_ms=50_000 + 12_000 * i,
        )
        for i in range(4)
    )


def params() -> Params:
    return Params(
        pair="XBTMYR",
        at_ms=1,
        provenance="live",
        mid=300000.0,
        estimates=estimates(),
        sigma_low=7e-5,
        sigma_high=9.7e-5,
        ks=0.8,
        ks_rejects=False,
        fills=90,
    )


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


def book() -> BookView:
    mids = tuple(300_120.0 + 5 * math.sin(i / 9) for i in range(300))
    return BookView(
        "XBTMYR", "sim seed 7", tick(), rules(), mids, trades(), frames_per_s=11.5, resyncs=1, recording=True,
        now_ms=100_000,
    )  # fmt: skip


def books() -> list[BookView]:
    dear = msgspec.structs.replace(
        tick(), pair="ETHMYR", mid_price=D("9876.25"), spread=D("0.5"), best_bid=D("9876.0"), best_ask=D("9876.5"),
        state=BookState.CROSSED, reason="bid 9,876.5 above ask 9,876.0", own=[], stream_age_ms=3_400.0,
    )  # fmt: skip
    other = msgspec.structs.replace(rules(), pair="ETHMYR", base="ETH", price_scale=1)
    return [book(), replace(book(), pair="ETHMYR", tick=dear, rules=other), BookView("LTCMYR", note="connecting")]


def pipeline() -> PipelineView:
    pair = PairView(
        "XBTMYR", tick(), 100.0, rules(), quotes(), 300.0, account(), 300.0, orders(), fills(), params(), 30_000.0,
        None, (1.0, 2.0),
    )  # fmt: skip
    beats = {"lag_ms": 3.1, "frames_per_s": 11.25, "drift": 0.0, "resyncs": 0.0}
    pieces = (
        PieceView("book", "XBTMYR", msgspec.structs.replace(health(), counters=beats), 200.0),
        PieceView("calibrate", "XBTMYR"),
        PieceView("quote", "XBTMYR", msgspec.structs.replace(health(), state="WAITING", counters={}), 200.0),
        PieceView("gateway", "XBTMYR", msgspec.structs.replace(health(), last_error="429", counters={}), 400.0),
    )
    return PipelineView(
        "sim at http://127.0.0.1:8377", "127.0.0.1:6379", 100_000, (pair,), pieces, (), ("tier 0: pnl +1.25 MYR",)
    )


def two_pairs() -> PipelineView:
    one = pipeline()
    other = PairView("ETHMYR", msgspec.structs.replace(tick(), pair="ETHMYR"), 100.0, rules())
    return replace(one, pairs=(*one.pairs, other))


def steps(*prices: float) -> list[Step]:
    names = ["fair", "skew", "risk", "intensity", "fee", "min_spread", "clamp", "rounding"]
    return [Step(name, price) for name, price in zip(names, prices, strict=True)]


def quote() -> QuoteView:
    now = 1_800_000_000_000
    wanted = msgspec.structs.replace(
        quotes(), ts_ms=now, fair=300_000.0, reservation=299_812.5, half_spread=393.6, spread_bps=26.24,
        shift_bps_per_lot=6.25, n_flip=2.1, lots=1.0, lot=D("0.025000"), position=D("0.125"),
        inventory_target=D("0.1"), gamma=1.0, sigma=0.025 / 86_400**0.5, kappa=1 / 300, intensity=0.0926,
        estimates_from="live", best_bid=D(299_999), best_ask=D(300_001),
        intents=[
            Intent(id="b", side=Side.BID, level=0, price=D(299_418), size=D("0.025"), created_ms=now - 18_000),
            Intent(id="a", side=Side.ASK, level=0, price=D(300_207), size=D("0.025"), created_ms=now - 18_000),
        ],
        sides=[
            SideReport(
                side=Side.BID, model_size=0.0249, next_ms=now + 42_000,
                steps=steps(300_000, 299_812.5, 299_718.75, 299_418.75, 299_418.75, 299_418.75, 299_418.75, 299_418),
            ),
            SideReport(
                side=Side.ASK, model_size=0.025, next_ms=now + 42_000,
                steps=steps(300_000, 299_812.5, 299_906.25, 300_206.25, 300_206.25, 300_206.25, 300_206.25, 300_207),
            ),
        ],
    )  # fmt: skip
    return QuoteView("XBTMYR", now, wanted, rules(), D("0.1"), D("0.001"), "", 60.0, 60.0, 600.0)


def gateway() -> GatewayView:
    limits = [
        LimitUse(name="position", used=D("0.0812"), limit=D("0.1")),
        LimitUse(name="order value", used=D(300), limit=D(20_000)),
        LimitUse(name="open value", used=D(600), limit=D(60_000)),
        LimitUse(name="loss today", used=D("2.5"), limit=D(500)),
        LimitUse(name="turnover", used=D(3600), limit=None),
    ]
    places = [
        msgspec.structs.replace(tick().own[0], intent_id=order.intent_id, side=order.side, price=order.price)
        for order in orders()
    ]
    ours = Trading(
        "XBTMYR", rules(),
        msgspec.structs.replace(account(), limits=limits, mark=300_123.5, traded_counter=D("3600.5")),
        tuple(order for order in orders() if not order.state.terminal), fills(), {"ASK": "BALANCE"}, True, True,
        msgspec.structs.replace(tick(), own=places[:1]),
        msgspec.structs.replace(quotes(), kappa=1 / 300, intensity=0.09),
    )  # fmt: skip
    return GatewayView(
        (ours,), 100_000, "sim", True, calls=47, user_age_ms=200.0, guardian="up", lease="process 7 for 3 min"
    )


def exchange() -> ExchangeView:
    theory = MarketRow(
        "XBTMYR", "ACTIVE", D(299_985), D(300_015), 18.4, 77.0, 2, 2, 5, "theory", 0.025, 10.0, 0.0926, 0.185
    )
    shut = MarketRow("XBTZAR", "DISABLED", None, D(492_847), 0.0, 0.0, 0, 0, 0, "XBTZAR", 0.012, None, None, 0.065)
    return ExchangeView(
        "http://127.0.0.1:8377", "abc", 1, "theory", None, 1.0, 0, 75.0, 3, 1234, 17, 0, (theory, shut), D(0),
        D("0.002"), (VisitorRow("sim", 1, 2, 1, 2, 5, 17),), (FaultRow(1, "market-lag", "seconds 10", 7, True),),
    )  # fmt: skip


def calibrate() -> CalibrateView:
    hours = tuple(Hour(i * 3_600_000, 3600.0, 8e-5 + 1e-6 * i, 2e-6, 1e-4, 60 + i, 60.0 + i) for i in range(6))
    return CalibrateView("XBTMYR", "TRADES and GRID of the running book", params(), "MYR", 120.0, 600.0, hours=hours)


def recorders() -> list[RecordView]:
    return [
        RecordView("XBTMYR", "luno", True, "tapes/XBTMYR-20261126T000000.tape", 12_345_678, 43_210, 11.5, 0, ""),
        RecordView("ETHMYR", "luno", False, None, 0, 0, None, 2, "the stream was closed: trying again"),
    ]


def up(window: str) -> tuple[PanelView, PipelineView]:
    settings = {"gamma": "1", "eta": "-0.005", "order_size": "0.025", "min_spread": "0", "order_refresh_rate_s": "60"}
    return PanelView((Heard("XBTMYR", settings, None, "XBT"),), 0, window, keys=True), pipeline()


VIEWS: dict[str, tuple[Callable[[], Any], Callable[[Any, int], RenderableType]]] = {
    "book": (book, lambda view, width: book_screen([view])),
    "books": (books, lambda views, width: book_screen(views)),
    "status": (pipeline, lambda view, width: status_screen(view)),
    "status-two-pairs": (two_pairs, lambda view, width: status_screen(view, 1)),
    "quote": (quote, lambda view, width: quote_screen(view)),
    "gateway": (gateway, lambda view, width: gateway_screen(view)),
    "exchange": (exchange, lambda view, width: exchange_screen(view)),
    "calibrate": (calibrate, lambda view, width: calibrate_screen(view)),
    "up": (lambda: up("overview"), lambda view, width: up_screen(*view)),
    "up-gateway": (lambda: up("gateway"), lambda view, width: up_screen(*view)),
    "record": (recorders, lambda views, width: record_screen(views)),
}
"""Every live view: its data, and how it is drawn."""


# --- what can be wrong with data -------------------------------------------------------------------------------------


def changed(value: Any, rule: Callable[[Any, str], Any], name: str = "") -> Any:
    """A copy of a view in which ``rule(value, name of the field)`` has replaced what it wants to."""
    found = rule(value, name)
    if found is not value or isinstance(value, enum.Enum):
        return found
    if isinstance(value, msgspec.Struct):
        fields = {field: changed(getattr(value, field), rule, field) for field in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: changed(getattr(value, f.name), rule, f.name) for f in fields_of(value)})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(changed(each, rule, field) for each, field in zip(value, value._fields, strict=True)))
    if isinstance(value, list | tuple):
        return type(value)(changed(each, rule, name) for each in value)
    if isinstance(value, dict):
        return {changed(key, rule, name): changed(each, rule, name) for key, each in value.items()}
    return value


def _hostile(value: Any, name: str) -> Any:
    return HOSTILE if isinstance(value, str) and not isinstance(value, enum.Enum) else value


def _sized(exact: str, model: float, count: int) -> Callable[[Any, str], Any]:
    def rule(value: Any, name: str) -> Any:
        if isinstance(value, PairRules):
            return msgspec.structs.replace(value)  # as it is: no other can be made
        if isinstance(value, PanelView):
            return replace(value)  # what the keys made of it: no number comes from outside
        if isinstance(value, bool):
            return value
        if isinstance(value, D):
            return D(exact)
        if isinstance(value, float):
            return model
        return count if isinstance(value, int) and not isinstance(value, enum.Enum) else value

    return rule


def _empty(value: Any, name: str) -> Any:
    """Everything that may be absent is."""
    if isinstance(value, msgspec.Struct):
        known = {f.name: f for f in msgspec.structs.fields(value)}
        gone = {k: f.default for k, f in known.items() if f.default is not msgspec.NODEFAULT}
        lists = {k: [] for k, f in known.items() if f.default_factory is list and isinstance(getattr(value, k), list)}
        return msgspec.structs.replace(value, **{**gone, **lists})
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: f.default for f in fields_of(value) if f.default is not MISSING})
    return value


def _stale(value: Any, name: str) -> Any:
    if isinstance(value, Tick):
        return msgspec.structs.replace(value, state=BookState.STALE, stream_age_ms=12_000.0)
    return 12_000.0 if name.endswith("age_ms") and value is not None else value


def _one_sided(value: Any, name: str) -> Any:
    if not isinstance(value, Tick):
        return value
    return msgspec.structs.replace(
        value, state=BookState.ONE_SIDED, mid_price=None, spread=None, best_ask=None, best_ask_size=None, asks=[],
        weighted_mid=None, vamp=None, order_imbalance=None,
    )  # fmt: skip


def _halted(value: Any, name: str) -> Any:
    cause = "max daily loss: -512.40 MYR of -500"
    if isinstance(value, Account):
        return msgspec.structs.replace(value, halted=cause)
    if isinstance(value, PairView):
        return replace(value, halt=HaltMark(pair=value.pair, since_ms=1, cause=cause))
    return replace(value, halted=cause) if isinstance(value, GatewayView) else value


CASES: dict[str, Callable[[Any, str], Any]] = {
    "empty": _empty,
    "one-sided": _one_sided,
    "halted": _halted,
    "stale": _stale,
    "huge": _sized("123456789012345678901234.123456", 1e300, 10**18),
    "tiny": _sized("-0.000000000001", -1e-300, 0),
    "not numbers": _sized("sNaN", math.nan, -(2**63)),
    "endless": _sized("1e999999", math.inf, 2**63),
    "hostile": _hostile,
}
"""What every view must draw without an exception, within its size, and without a character that is not ours."""
