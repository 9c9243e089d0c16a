from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.presence import HaltMark, Health
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Account, Fill, OrderView
from lunomm.quoting.intents import SideReport, WantedQuotes
from lunomm.views.pipeline import (
    PairView,
    PieceView,
    PipelineView,
    drawable,
    piece_state,
)
from lunomm.views.status import status_line, status_screen

SIZES = [(80, 24), (160, 48), (120, 40), (50, 20), (30, 12)]


@pytest.fixture
def view(
    tick: Tick,
    rules: PairRules,
    quotes: WantedQuotes,
    account: Account,
    orders: tuple[OrderView, ...],
    fills: tuple[Fill, ...],
    params: Params,
    health: Health,
) -> PipelineView:
    pair = PairView(
        "XBTMYR", tick, 100.0, rules, quotes, 300.0, account, 300.0, orders, fills, params, 30_000.0, None, (1.0, 2.0)
    )
    pieces = (
        PieceView("book", "XBTMYR", health, 200.0),
        PieceView("quote", "XBTMYR", msgspec.structs.replace(health, state="WAITING", counters={}), 200.0),
        PieceView("gateway", "XBTMYR", msgspec.structs.replace(health, last_error="429", counters={}), 4_000.0),
        PieceView("calibrate", "XBTMYR"),
    )
    return PipelineView("sim at http://127.0.0.1:8377", "127.0.0.1:6379", 100_000, (pair,), pieces, (), ("tier 0",))


def test_at_80_columns(view: PipelineView) -> None:
    assert draw(status_screen(view), 80) == (
        """\
XBTMYR  300,123.5 MYR  ● OK  spread 3 ticks 0.1 bp  age 210 ms
────────────────────────────────────────────────────────────────────────────────
  ASK 300,133 5.2500 █████████████████   reservation  300,060.0  -2.1 bp of fair
  ASK 300,131 4.2500 █████████████▊      our ASK      0.001 @ 300,500  +12.5 bp
  ASK 300,129 3.2500 ██████████▌         our BID      0.001 @ 299,730  -13.1 bp
  ASK 300,127 2.2500 ███████▎            half-spread  13.0 bp
  ASK 300,125 1.2500 ████                inventory    0.1012 XBT  target 0.1
      3 ticks 0.1 bp                       off by     +0.0012 XBT  1 % of the li
  BID 300,122 0.1015 ▍                   free         0.1002 XBT  29,700.02 MYR
  BID 300,121 0.2015 ▋                   profit       +1.25 MYR  spread +1.50 in
  BID 300,120 0.3015 █                   fills        12  uptime 93 %  maker 0.0
◆ BID 300,119 0.4015 █▎                  σ a day      2.50 % ± 14 % live
  BID 300,118 0.5015 █▋                  1/κ depth    10.0 bp
                                         A            0.093 /s a side
─ open orders 2 ────────────────────────────────────────────────────────────────
◆ ASK  300,500  0.001  filled 0.0000  unknown  age 12 s  BX123
◆ BID  299,730  0.001  filled 0.0004  working  age 12 s  BX123
─ pieces ───────────────────────────────────────────────────────────────────────
book      XBTMYR     ● OK           beat 200 ms ago  frames per s 11.2  resyncs…
quote     XBTMYR     ▲ WAITING      beat 200 ms ago
gateway   XBTMYR     ✖ SILENT       beat 4.0 s ago  429
calibrate XBTMYR     ○ not running
tier 0
sim at http://127.0.0.1:8377  redis 127.0.0.1:6379"""
    )


def test_at_160_columns_shows_everything_asked_for(view: PipelineView) -> None:
    text = draw(status_screen(view), 160, 48)
    for wanted in (
        "reservation  300,060.0  -2.1 bp of fair",
        "COOLDOWN: filled 12 s ago",
        "spread +1.50 inventory -0.25 fees 0.00",
        "open orders 2",
        "sold    0.001  @ 299,732",
        "bought  0.001  @ 299,731  +12.3 bp of fair  10 s ago",
        "frames per s 11.2  resyncs 0  last –",
        "calibration  GO 30 s ago",
    ):
        assert wanted in text, text


def test_what_is_wrong_stands_first(view: PipelineView) -> None:
    pair = replace(view.pairs[0], halt=HaltMark(pair="XBTMYR", since_ms=1, cause="max daily loss"), tick_age_ms=9e3)
    text = draw(status_screen(replace(view, pairs=(pair,), problems=("exchange does not answer",))), 80)
    lines = text.splitlines()
    assert lines[0] == "✖ exchange does not answer"
    assert lines[1] == "✖ XBTMYR HALTED: max daily loss"
    assert "✖ STALE" in lines[2] and "age 9.0 s" in lines[2]
    stale = replace(view.pairs[0], quotes_age_ms=3_500.0)
    assert "STALE" in draw(status_screen(replace(view, pairs=(stale,))), 120, 40)


@pytest.mark.parametrize("size", SIZES)
def test_every_absence_draws_at_every_size(view: PipelineView, size: tuple[int, int]) -> None:
    full = view.pairs[0]
    for name in ("tick", "rules", "quotes", "account", "params"):
        draw(status_screen(replace(view, pairs=(replace(full, **{name: None}),))), *size)
    for empty in (replace(view, pairs=(PairView("XBTMYR"),)), replace(view, pairs=()), PipelineView("", "", 0)):
        draw(status_screen(empty), *size)
        assert status_line(empty)
    many = replace(view, pairs=(full,) * 12, pieces=view.pieces * 8, problems=("a", "b", "c", "d", "e", "f"))
    draw(status_screen(many, selected=99), *size)
    draw(status_screen(replace(view, pairs=(replace(full, orders=full.orders * 20),))), *size)


@pytest.mark.parametrize("number", [D("NaN"), D("sNaN"), D("Infinity"), D("1e999999"), D("-1e-999999")])
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_numbers_no_arithmetic_survives_are_drawn_as_absent(
    view: PipelineView, size: tuple[int, int], number: D
) -> None:
    full = view.pairs[0]
    assert full.tick and full.account and full.quotes
    bad = replace(
        full,
        tick=msgspec.structs.replace(full.tick, best_bid=number),
        account=msgspec.structs.replace(full.account, position=number),
        quotes=msgspec.structs.replace(
            full.quotes, intents=[msgspec.structs.replace(full.quotes.intents[0], price=number)]
        ),
        orders=(msgspec.structs.replace(full.orders[0], volume=number),),
        fills=(msgspec.structs.replace(full.fills[0], price=number),),
    )
    view = replace(view, pairs=(bad,))
    text = draw(status_screen(view), *size)
    assert "no book is published" in text
    assert status_line(view)


def test_drawable() -> None:
    assert drawable(None) and drawable("x") and drawable([D(1), {"a": 1.0}])
    assert not drawable([D(1), {"a": float("nan")}])
    assert not drawable((D("1e31"),))


@pytest.mark.parametrize("size", SIZES)
def test_hostile_text_never_reaches_the_screen(view: PipelineView, size: tuple[int, int]) -> None:
    full = view.pairs[0]
    assert full.account and full.quotes and full.rules
    balance = msgspec.structs.replace(full.account.base, asset=HOSTILE)
    hostile = replace(
        full,
        pair=HOSTILE,
        rules=msgspec.structs.replace(full.rules, counter=HOSTILE),
        account=msgspec.structs.replace(full.account, base=balance, counter=balance, halted=HOSTILE),
        quotes=msgspec.structs.replace(
            full.quotes,
            sides=[SideReport(side=report.side, why=report.why, detail=HOSTILE) for report in full.quotes.sides],
        ),
        orders=tuple(msgspec.structs.replace(order, order_id=HOSTILE) for order in full.orders),
    )
    health = view.pieces[0].health
    assert health is not None
    piece = PieceView(
        HOSTILE,
        HOSTILE,
        msgspec.structs.replace(health, state=HOSTILE, last_error=HOSTILE, counters={HOSTILE: HOSTILE, "x": 1e300}),
        100.0,
    )
    bad = PipelineView(HOSTILE, HOSTILE, 0, (hostile, hostile), (piece,), (HOSTILE,), (HOSTILE,))
    draw(status_screen(bad), *size)
    assert all(" " <= c <= "~" or c == "–" for c in status_line(bad))


def test_plain_line(view: PipelineView) -> None:
    assert status_line(view) == (
        "XBTMYR OK  mid 300,123.5  reservation 300,060.0  position 0.1012 XBT  orders 2  fills 12  pnl +1.25 MYR"
        "  |  silent: gateway XBTMYR"
    )


def test_piece_states(health: Health) -> None:
    assert piece_state(PieceView("book", "X"))[0] == "not running"
    assert piece_state(PieceView("book", "X", health, 100.0))[0] == "OK"
    assert piece_state(PieceView("book", "X", health, 3_100.0))[0] == "SILENT"
    assert piece_state(PieceView("book", "X", health, None))[0] == "SILENT"
