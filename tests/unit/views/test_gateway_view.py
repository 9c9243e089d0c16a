"""The gateway's screen, line and JSON object, at several widths and with hostile words."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from rich.console import Console

from lunomm.market.records import BookState, OwnOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, Fill, LimitUse, OrderState, OrderView, Pnl
from lunomm.quoting.intents import WantedQuotes
from lunomm.views.gateway import GatewayView, gateway_data, gateway_line, gateway_screen
from lunomm.views.orders import Trading

PAIR = "XBTMYR"
RULES = PairRules(
    pair=PAIR, base="XBT", counter="MYR", price_scale=0, volume_scale=6, min_price=D(1), max_price=D(10**8),
    min_volume=D("0.0001"), max_volume=D(100),
)  # fmt: skip


def order(side: Side, price: int, state: OrderState = OrderState.WORKING, filled: str = "0") -> OrderView:
    return OrderView(
        pair=PAIR, intent_id=f"k-{price}", client_order_id=f"lm1-{PAIR}-k", order_id="BX1", side=side, level=0,
        price=D(price), volume=D("0.004"), filled=D(filled), state=state, created_ms=1_000, updated_ms=1_000,
    )  # fmt: skip


ACCOUNT = Account(
    pair=PAIR, ts_ms=0, base=Balance(asset="XBT", total=D("0.104"), reserved=D("0.004")),
    counter=Balance(asset="MYR", total=D(28_800), reserved=D(1_200)), position=D("0.104"), opening=D("0.1"),
    inventory_target=D("0.1"), max_position=D("0.1"), maker_fee=D("0.0035"), taker_fee=D("0.006"), calls_used=1,
    calls_limit=300, pnl=Pnl(total=D("-1.25"), spread=D(4), inventory=D("-3"), fees=D("2.25")), fills=3,
    quote_uptime=0.953, mark=299_700.0, traded_counter=D("3600.5"), limits=[
        LimitUse(name="position", used=D("0.041"), limit=D("0.1")),
        LimitUse(name="order value", used=D(1200), limit=None),
        LimitUse(name="open value", used=D(2400), limit=D(3000)), LimitUse(name="loss today", used=D(0), limit=None),
    ],
)  # fmt: skip
FILL = Fill(
    pair=PAIR, sequence=7, intent_id="k", client_order_id="c", order_id="BX1", side=Side.BID, price=D(299_800),
    volume=D("0.004"), counter=D("1199.2"), fee_base=D(0), fee_counter=D(0), maker=True, ts_ms=30_000, fair=300_000.0,
)  # fmt: skip
TICK = Tick(
    pair=PAIR, ts=0, exchange_ts=0, sequence=1, state=BookState.OK, beat=1, stream_age_ms=40.0, own=[
        OwnOrder(order_id="BX1", intent_id="k-299606", side=Side.BID, price=D(299_606), volume=D("0.003"),
                 volume_ahead=D("0.25"), orders_ahead=2),
    ],
)  # fmt: skip
QUOTES = WantedQuotes(pair=PAIR, epoch=1, number=1, ts_ms=1, fair=300_000.0, kappa=1 / 300, intensity=0.09)
PAIR_VIEW = Trading(
    pair=PAIR, rules=RULES, account=ACCOUNT,
    orders=(order(Side.BID, 299_606, filled="0.001"), order(Side.ASK, 300_394, OrderState.UNKNOWN)), fills=(FILL,),
    held={"BID": "BALANCE"}, ready=True, quoter_alive=True, tick=TICK, quotes=QUOTES,
)  # fmt: skip
VIEW = GatewayView(
    pairs=(PAIR_VIEW,), now_ms=60_000, stream_up=True, calls=47, user_age_ms=200.0, guardian="up",
    lease="process 7 for 3 min",
)  # fmt: skip


def drawn(view: GatewayView, width: int = 124, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, color_system=None)
    console.print(gateway_screen(view), height=height)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_says_what_rests_what_filled_and_what_it_earned() -> None:
    text = drawn(VIEW)
    for words in (
        "● OK", "2 open orders", "pnl -1.25 MYR", "47 of 300 a minute", "user stream ● up 200 ms ago",
        "market stream ● OK",
        "guardian ● up", "◆ ASK", "300,394", "unknown, being looked up", "◆ BID", "299,606", "0.001", "0.250 in 2",
        "59 s",
        "BID: waiting for the balance", "0.104000 XBT", "+0.004000 XBT", "-1.25 MYR", "+4.00 MYR", "-2.25 MYR",
        "95.3 % of the time", "bought", "299,800", "edge bp", "+6.7", "markout bp", "-3.3", "-0.40",
        "maker 0.35 %", "30 s", "price MYR", "size XBT",
        "70.0 bp of spread", "41 %", "0.041 of 0.100 XBT", "80 %", "loss today", "0.00, no limit", "vs holding",
    ):  # fmt: skip
        assert words in text, words
    assert text.index("ASK") < text.index("299,606")


@pytest.mark.parametrize("width", [20, 40, 74, 80, 120, 200])
@pytest.mark.parametrize("height", [6, 12, 24, 60])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    lines = drawn(VIEW, width, height).splitlines()
    assert max(len(line) for line in lines) <= width


def test_the_line() -> None:
    assert gateway_line(VIEW) == (
        "OK  |  XBTMYR ASK 0.004000 @ 300,394 (unknown, being looked up), BID 0.003000 @ 299,606  fills 3  "
        "off target +0.004000 XBT  pnl -1.25 MYR"
    )
    assert gateway_line(GatewayView((Trading(PAIR),))) == "STARTING  |  XBTMYR starting"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "OK"),
        ({"halted": "x"}, "HALTED"),
        ({"stopping": True}, "STOPPING"),
        ({"stream_up": False}, "NO USER STREAM"),
        ({"pairs": (Trading(PAIR, ready=True),)}, "NO QUOTES"),
        ({"pairs": (Trading(PAIR),)}, "STARTING"),
    ],
)
def test_the_state(changes: dict[str, object], state: str) -> None:
    fields = {"pairs": (PAIR_VIEW,), "stream_up": True, **changes}
    assert gateway_data(GatewayView(**fields))["state"] == state  # type: ignore[arg-type]


def test_the_object_has_the_figures_exactly() -> None:
    data = json.loads(msgspec.json.encode(gateway_data(VIEW)))
    pair = data["pairs"][PAIR]
    assert data["orders_left"] == 2
    assert (pair["fills"], pair["inventory"], pair["pnl"]) == (3, "0.004", "-1.25")
    assert (pair["pnl_spread"], pair["pnl_inventory"], pair["fees"], pair["quote_uptime"]) == ("4", "-3", "2.25", 0.953)


def test_the_time_to_a_fill_is_that_of_the_queue_and_says_when_the_queue_is_not_known() -> None:
    rows = drawn(VIEW).splitlines()
    bid, ask = (next(row for row in rows if f"◆ {side}" in row) for side in ("BID", "ASK"))
    # e^(394/300) / 0.09 = 41 s at the front; behind 0.25 with 0.003 left: 84.3 orders of them.
    assert "58 min" in bid and "not seen" in ask and "min" not in ask


def test_no_limit_is_cut() -> None:
    position = LimitUse(name="position", used=D("0.02513"), limit=D("0.1"))
    value = LimitUse(name="open value", used=D(15_000), limit=D(30_000))
    account = msgspec.structs.replace(ACCOUNT, limits=[position, value])
    view = GatewayView((replace(PAIR_VIEW, account=account),), stream_up=True)
    for width in range(74, 130):
        text = drawn(view, width)
        assert "25 %" in text and "of 0.10000 XBT" in text and "50 %" in text and "of 30,000 MYR" in text, text
        assert ("0.02513 of" in text) == (width >= 88), text


def test_more_orders_than_fit_are_counted() -> None:
    many = tuple(order(Side.BID, 299_000 + i) for i in range(30))
    text = drawn(GatewayView((Trading(PAIR, rules=RULES, account=ACCOUNT, orders=many, ready=True),)), 80, 24)
    assert "and 2" in text and "more" in text and "299,029" in text


def test_outside_words_reach_no_terminal() -> None:
    bad = "\x1b[2Jred\n[bold]x\u202e"
    text = drawn(GatewayView((Trading(bad, held={"BID": bad}),), halted=bad, problem=bad, mode=bad))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]" not in text
