"""The gateway's screen, line and JSON object, at several widths and with hostile words."""

from __future__ import annotations

import io
import json
from decimal import Decimal as D

import msgspec
import pytest
from rich.console import Console

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, Fill, OrderState, OrderView, Pnl
from lunomm.views.gateway import GatewayView, PairView, gateway_data, gateway_line, gateway_screen

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
    quote_uptime=0.953,
)  # fmt: skip
FILL = Fill(
    pair=PAIR, sequence=7, intent_id="k", client_order_id="c", order_id="BX1", side=Side.BID, price=D(299_800),
    volume=D("0.004"), counter=D("1199.2"), fee_base=D(0), fee_counter=D(0), maker=True, ts_ms=30_000, fair=300_000.0,
)  # fmt: skip
PAIR_VIEW = PairView(
    pair=PAIR, rules=RULES, account=ACCOUNT,
    orders=(order(Side.BID, 299_606, filled="0.001"), order(Side.ASK, 300_394, OrderState.UNKNOWN)), fills=(FILL,),
    held={"BID": "BALANCE"}, ready=True, quoter_alive=True,
)  # fmt: skip
VIEW = GatewayView(pairs=(PAIR_VIEW,), now_ms=60_000, stream_up=True, calls=47)


def drawn(view: GatewayView, width: int = 100, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, color_system=None)
    console.print(gateway_screen(view), height=height)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_says_what_rests_what_filled_and_what_it_earned() -> None:
    text = drawn(VIEW)
    for words in (
        "● OK", "calls 47 / min", "◆ ASK", "300,394", "unknown, being looked up", "◆ BID", "299,606", "filled 0.001000",
        "BID: waiting for the balance", "0.104000 XBT", "+0.004000 XBT", "-1.25 MYR", "+4.00 MYR", "-2.25 MYR",
        "3, uptime 95.3 %", "bought", "@ 299,800", "edge +0.80 MYR", "maker 0.35 %", "30 s",
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
    assert gateway_line(GatewayView((PairView(PAIR),))) == "STARTING  |  XBTMYR starting"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "OK"),
        ({"halted": "x"}, "HALTED"),
        ({"stopping": True}, "STOPPING"),
        ({"stream_up": False}, "NO USER STREAM"),
        ({"pairs": (PairView(PAIR, ready=True),)}, "NO QUOTES"),
        ({"pairs": (PairView(PAIR),)}, "STARTING"),
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


def test_outside_words_reach_no_terminal() -> None:
    bad = "\x1b[2Jred\n[bold]x\u202e"
    text = drawn(GatewayView((PairView(bad, held={"BID": bad}),), halted=bad, problem=bad, mode=bad))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]" not in text
