from __future__ import annotations

from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.intents import Intent, SideReport, Step, WantedQuotes, Why
from lunomm.views.quote import QuoteView, quote_data, quote_line, quote_screen

RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=6,
    min_price=D(1),
    max_price=D(10**8),
    min_volume=D("0.0005"),
    max_volume=D(100),
)
T = 1_800_000_000_000


def ladder(*prices: float) -> list[Step]:
    names = ["fair", "skew", "risk", "intensity", "fee", "min_spread", "clamp", "rounding"]
    return [Step(name, price) for name, price in zip(names, prices, strict=True)]


BID = Intent(id="q-1-B0", side=Side.BID, level=0, price=D(299_418), size=D("0.025000"), created_ms=T - 18_000)
ASK = Intent(id="q-2-A0", side=Side.ASK, level=0, price=D(300_207), size=D("0.025000"), created_ms=T - 18_000)
BID_WHY = SideReport(
    side=Side.BID,
    steps=ladder(300_000, 299_812.5, 299_718.75, 299_418.75, 299_418.75, 299_418.75, 299_418.75, 299_418),
    model_size=0.0249,
    next_ms=T + 42_000,
)
ASK_WHY = SideReport(
    side=Side.ASK,
    steps=ladder(300_000, 299_812.5, 299_906.25, 300_206.25, 300_206.25, 300_206.25, 300_206.25, 300_207),
    model_size=0.025,
    next_ms=T + 42_000,
)


def quotes(**changes) -> WantedQuotes:
    known = {
        "pair": "XBTMYR",
        "epoch": T,
        "number": 7,
        "ts_ms": T,
        "intents": [BID, ASK],
        "fair": 300_000.0,
        "reservation": 299_812.5,
        "half_spread": 393.6,
        "spread_bps": 26.24,
        "shift_bps_per_lot": 6.25,
        "n_flip": 2.1,
        "lots": 1.0,
        "lot": D("0.025000"),
        "position": D("0.125"),
        "inventory_target": D("0.1"),
        "gamma": 1.0,
        "sigma": 0.025 / 86_400**0.5,
        "kappa": 1 / 300,
        "intensity": 0.0926,
        "estimates_from": "live",
        "best_bid": D(299_999),
        "best_ask": D(300_001),
        "sides": [BID_WHY, ASK_WHY],
    }
    return WantedQuotes(**{**known, **changes})


def view(message: WantedQuotes | None, **changes) -> QuoteView:
    known = {
        "pair": "XBTMYR",
        "now_ms": T,
        "quotes": message,
        "rules": RULES,
        "max_position": D("0.1"),
        "maker_fee": D(0),
    }
    return QuoteView(**{**known, **changes})


def test_the_screen_says_price_skew_decomposition_and_inventory():
    text = draw(quote_screen(view(quotes())), 100)
    for words in (
        "QUOTING",
        "fair 300,000.0 MYR",
        "reservation 299,812.5 MYR",
        "skew -6.2 bp",
        "299,418",
        "300,207",
        "0.025 XBT",
        "refresh in 42 s",
        "inventory skew",
        "order flow",
        "+10.00",
        "0.125 XBT",
        "+1.00 of 0.025 XBT",
        "flips at 2.10",
        "2.50 % a day",
        "10.0 bp",
    ):
        assert words in text, words


def test_a_side_that_is_absent_says_why_and_for_how_long():
    resting = SideReport(side=Side.BID, why=Why.COOLDOWN, detail="filled", next_ms=T + 31_000)
    message = quotes(intents=[ASK], sides=[resting, ASK_WHY])
    text = draw(quote_screen(view(message)), 80)
    assert "ONE SIDE" in text
    assert "COOLDOWN: filled  for 31 s" in text
    assert quote_line(view(message)).startswith("XBTMYR  |  BID none: COOLDOWN (filled) 31 s  |  ASK 300,207 x 0.025")


def test_without_any_quote_the_common_reason_is_the_headline():
    sides = [SideReport(side=side, why=Why.STALE_BOOK, detail="no beat from book for 4 s") for side in Side]
    bare = WantedQuotes(pair="XBTMYR", epoch=T, number=1, ts_ms=T, sides=sides)
    assert (
        "STALE_BOOK" in draw(quote_screen(view(bare, rules=None, max_position=None, maker_fee=None)), 80).split("\n")[0]
    )
    assert "STALE_BOOK (no beat from book for 4 s)" in quote_line(view(bare, rules=None))
    mixed = [msgspec.structs.replace(sides[0], why=Why.COOLDOWN), sides[1]]
    assert "NO QUOTE" in draw(quote_screen(view(msgspec.structs.replace(bare, sides=mixed))), 80).split("\n")[0]


def test_warnings_and_problems_are_on_the_screen():
    message = quotes(warnings=["one lot flips the book (n_flip 0.50)"])
    text = draw(quote_screen(view(message, problem="Redis at 127.0.0.1:1: no answer")), 90)
    assert "one lot flips" in text
    assert "no answer" in text
    assert "problem: Redis" in quote_line(view(message, problem="Redis at 127.0.0.1:1: no answer"))


def test_before_the_first_message():
    assert "STARTING" in draw(quote_screen(view(None)), 80)
    assert quote_line(view(None)) == "XBTMYR  starting"
    assert quote_data(view(None)) == {"pair": "XBTMYR", "quotes": None, "reasons": {}}


def test_json_is_the_message_and_a_reason_a_side():
    data = quote_data(view(quotes()))
    assert data["reasons"] == {"BID": None, "ASK": None}
    assert data["quotes"]["intents"][0]["price"] == "299418"
    assert data["quotes"]["reservation"] == 299_812.5
    msgspec.json.encode(data)


@pytest.mark.parametrize("width", [20, 40, 77, 78, 80, 120, 200])
@pytest.mark.parametrize("height", [6, 10, 24, 60])
def test_hostile_text_and_numbers_at_any_size(width, height):
    strange = [Step(HOSTILE, 1.0), Step(HOSTILE, float("nan")), Step("x" * 500, 1e308)]
    sides = [
        SideReport(side=Side.BID, why=Why.MODEL, detail=HOSTILE * 20, steps=strange, next_ms=-(10**18)),
        SideReport(side=Side.ASK, why=None, detail="", steps=[Step("a", 1.0), Step(HOSTILE, 2.0)], next_ms=10**18),
    ]
    odd = Intent(id=HOSTILE, side=Side.ASK, level=0, price=D("1e999999"), size=D("NaN"), created_ms=0)
    message = quotes(
        pair=HOSTILE,
        intents=[odd],
        sides=sides,
        warnings=[HOSTILE] * 30,
        fair=float("nan"),
        reservation=float("inf"),
        kappa=5e-324,
        sigma=1e308,
        lot=D("NaN"),
        position=D("-Infinity"),
        inventory_target=D("1e400"),
        estimates_from=HOSTILE,
    )
    hostile_rules = msgspec.structs.replace(RULES, base=HOSTILE, counter=HOSTILE)
    for rules in (hostile_rules, None):
        drawn = view(
            message, pair=HOSTILE, rules=rules, maker_fee=D("NaN"), max_position=D("Infinity"), problem=HOSTILE
        )
        draw(quote_screen(drawn), width, height)
        assert quote_line(drawn).isprintable()


def test_the_prices_stand_on_one_axis_in_their_order():
    text = draw(quote_screen(view(quotes(), maker_fee=D("0.002"))), 100, 30)
    rows = text.split("\n")
    at = next(i for i, row in enumerate(rows) if "one price axis" in row) + 1
    above, drawn, below = rows[at : at + 3]
    assert "◆ BID 299,418" in above and "R reservation 299,812.5" in above and "◆ ASK 300,207" in above
    assert [glyph for glyph in drawn if glyph != "─"] == ["┼", "◆", "R", "┤", "F", "◆", "┼"]
    assert "bid ┤ 299,999" in below and "┼ even 299,400.0" in below and "┼ even 300,600.0" in below
    assert "+0.025 XBT, 25 % of the limit" in text and "short 0.1 ├" in text and "┤ long 0.1" in text


def test_no_picture_of_what_is_not_known():
    bare = quotes(intents=[], fair=None, reservation=None, best_bid=None, best_ask=None, position=None)
    text = draw(quote_screen(view(bare)), 100, 30)
    assert "one price axis" not in text and "long" not in text


def test_the_countdowns_say_of_how_much():
    text = draw(quote_screen(view(quotes(), refresh_s=60.0, rest_s=30.0, max_age_s=1800.0)), 120, 30)
    assert "age 18 s of 30 min" in text and "refresh in 42 s of 60 s" in text


@pytest.mark.parametrize("limit", [D("NaN"), D(0), D("1e-20"), D("1e40")])
def test_the_inventory_bar_bears_any_limit(limit):
    for width in (20, 80, 160):
        draw(quote_screen(view(quotes(position=D("1e9")), max_position=limit)), width, 30)
