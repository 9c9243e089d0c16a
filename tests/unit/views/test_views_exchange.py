from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.views.exchange import (
    ExchangeView,
    FaultRow,
    MarketRow,
    PaperRow,
    VisitorRow,
    exchange_data,
    exchange_line,
    exchange_screen,
)

SIZES = [(80, 24), (160, 48), (50, 20), (30, 12)]


@pytest.fixture
def view() -> ExchangeView:
    theory = MarketRow(
        "XBTMYR", "ACTIVE", D(299_985), D(300_015), 18.4, 77.0, 2, 2, 5, "theory", 0.025, 10.0, 0.0926, 0.185
    )
    tape = MarketRow("XBTZAR", "DISABLED", None, D(492_847), 0.0, 0.0, 0, 0, 0, "XBTZAR", 0.012, None, None, 0.065)
    return ExchangeView(
        url="http://127.0.0.1:8377",
        run_id="abc",
        seed=1,
        profile="theory",
        tape=None,
        speed=1.0,
        fee_tier=0,
        running_s=75.0,
        streams=3,
        calls=1234,
        calls_used=17,
        slow_clients=0,
        markets=(theory, tape),
        maker_fee=D(0),
        taker_fee=D("0.002"),
    )


def test_at_80_columns(view: ExchangeView) -> None:
    text = draw(exchange_screen(view), 80, 24)
    for words in (
        "theory",
        "seed 1",
        "300,015",
        "2 working",
        "calls/60 s 17 of 300",
        "2.50 %/day",
        "10.0 bp",
        "0.00 %",
    ):
        assert words in text
    assert "not stated" in text and "DISABLED" in text


@pytest.mark.parametrize("size", SIZES)
def test_at_every_size(view: ExchangeView, size: tuple[int, int]) -> None:
    lines = draw(exchange_screen(view), *size).splitlines()
    assert all(len(line) <= size[0] for line in lines)
    assert any("XBTMYR" in line for line in lines)


def test_a_tape_is_named_and_hostile_names_are_harmless(view: ExchangeView) -> None:
    shown = replace(view, profile=None, tape=HOSTILE, speed=2.0)
    for text in (draw(exchange_screen(shown), 100, 30), exchange_line(shown)):
        assert "tape" in text and "\x1b" not in text and "[red]" not in text
    assert "truth" not in draw(exchange_screen(shown), 100, 30)


def test_line_and_data(view: ExchangeView) -> None:
    line = exchange_line(view)
    assert "\n" not in line
    for words in ("http://127.0.0.1:8377", "profile theory", "XBTMYR 299,985 / 300,015", "77 trades/min", "5 filled"):
        assert words in line
    data = msgspec.json.decode(msgspec.json.encode(exchange_data(view)))
    assert data["markets"][0]["bid"] == "299985" and data["markets"][1]["bid"] is None


def test_visitors_and_faults(view: ExchangeView) -> None:
    shown = replace(
        view,
        visitors=(VisitorRow("alice", 2, 1, 1, 3, 4, 250),),
        faults=(FaultRow(1, "market-lag", "seconds 10", 7, False), FaultRow(2, HOSTILE, HOSTILE, 12, True)),
    )
    for size in SIZES:
        text = draw(exchange_screen(shown), *size)
        assert "\x1b" not in text and "[red]" not in text
        assert all(len(line) <= size[0] for line in text.splitlines())
    for size in ((80, 24), (160, 48)):
        lines = draw(exchange_screen(shown), *size).splitlines()
        assert any(line.split() == ["alice", "2", "1", "1", "3", "4", "250"] for line in lines)
        (over,) = [number for number, line in enumerate(lines) if "market-lag" in line]
        (armed,) = [number for number, line in enumerate(lines) if " armed " in line]
        assert armed < over and "seconds 10" in lines[over] and " 7 " in lines[over]
    assert "1 faults armed" in exchange_line(shown)
    data = msgspec.json.decode(msgspec.json.encode(exchange_data(shown)))
    assert data["faults"][0]["reached"] == 7 and data["visitors"][0]["calls_used"] == 250


def test_a_hundred_faults_leave_the_markets_on_the_screen(view: ExchangeView) -> None:
    many = replace(view, faults=tuple(FaultRow(n, "market-drop", "", n, n == 99) for n in range(100)))
    text = draw(exchange_screen(many), 80, 24)
    assert "XBTMYR" in text and "99 market-drop" in text and len(text.splitlines()) <= 24


def test_on_paper_it_shows_what_cruder_rules_would_have_made(view: ExchangeView) -> None:
    made = PaperRow(7, 2, D("0.175"), D("0.004"), D("0.0312"), D("0.125"))
    row = replace(view.markets[0], paper=made, profile="upstream")
    paper = replace(view, markets=(row,), upstream="https://api.luno.com", profile=None)
    text = draw(exchange_screen(paper), 80, 24)
    for words in ("PAPER EXCHANGE", "market of https://api.luno.com", "trade-through", "0.0312", "0.125", "2 of 7"):
        assert words in text
    assert "the truth" not in text
    assert "made 0.0312 of 0.175 (trade-through 0.004, touch 0.125)" in exchange_line(paper)
