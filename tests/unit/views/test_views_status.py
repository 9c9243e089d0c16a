from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.presence import HaltMark, Health
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Fill, OrderView
from lunomm.quoting.intents import SideReport, WantedQuotes, Why
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
        PieceView("gateway", "XBTMYR", msgspec.structs.replace(health, last_error="429", counters={}), 400.0),
        PieceView("calibrate", "XBTMYR"),
    )
    return PipelineView("sim at http://127.0.0.1:8377", "127.0.0.1:6379", 100_000, (pair,), pieces, (), ("tier 0",))


def test_at_160_columns_shows_everything_asked_for(view: PipelineView) -> None:
    text = draw(status_screen(view), 160, 48)
    for wanted in (
        "reservation  300,060.0  -2.1 bp of fair",
        "COOLDOWN: filled 12 s ago",
        "spread +1.50 inventory -0.25 fees 0.00",
        "open orders 2",
        "sold    0.001  @ 299,732",
        "bought  0.001  @ 299,731  +12.3 bp of fair 300,100.0  10 s ago",
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
    )


def gateway_dead(view: PipelineView, **changes: object) -> PipelineView:
    pieces = tuple(PieceView("gateway", "XBTMYR") if p.piece == "gateway" else p for p in view.pieces)
    return replace(view, pieces=pieces, pairs=(replace(view.pairs[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [50, 80, 160])
def test_a_dead_gateway_with_orders_is_the_headline(view: PipelineView, width: int) -> None:
    dead = gateway_dead(view, account_age_ms=12_000.0)
    text = draw(status_screen(dead), width, 40)
    assert text.splitlines()[0].startswith("XBTMYR  ✖ GATEWAY DOWN: 2 orders may be live")
    assert "open orders 2, may be live: no gateway" in text
    if width >= 80:
        assert "0.1012 XBT  12 s old" in text and "+1.25 MYR  12 s old" in text
    line = status_line(dead)
    assert line.startswith("XBTMYR OK  GATEWAY DOWN: 2 orders may be live  mid") and "account 12 s old" in line
    silent = PieceView("gateway", "XBTMYR", view.pieces[0].health, 3_100.0)
    assert "GATEWAY DOWN" in status_line(replace(view, pieces=(silent,)))


def test_a_dead_gateway_and_no_known_orders_is_not_none(view: PipelineView) -> None:
    dead = gateway_dead(view, orders=())
    text = draw(status_screen(dead), 80)
    assert "open orders: not known (no gateway)" in text and "GATEWAY DOWN" not in text
    assert "open orders: not known (no gateway)" in status_line(dead) and "orders 0" not in status_line(dead)
    # Redis itself is gone: no heartbeat was looked for, so nothing is said of the gateway.
    assert "orders 0" in status_line(replace(dead, pieces=()))


def test_an_unlisted_pair_in_trouble_has_a_line_on_a_small_screen(view: PipelineView) -> None:
    quiet = tuple(replace(view.pairs[0], pair=f"PAIR{i}", orders=()) for i in range(9))
    dead = gateway_dead(view).pairs[0]
    many = replace(view, pairs=(*quiet, dead), pieces=(PieceView("gateway", "XBTMYR"),))
    assert "XBTMYR  ✖ GATEWAY DOWN: 2 orders" in draw(status_screen(many), 80, 12)


def test_no_figure_is_cut_inside_a_number(view: PipelineView) -> None:
    full = view.pairs[0]
    assert full.account and full.quotes
    pair = replace(
        full,
        account=msgspec.structs.replace(full.account, inventory_target=D("0.100015")),
        quotes=msgspec.structs.replace(
            full.quotes, intents=[msgspec.structs.replace(i, size=D("0.024997")) for i in full.quotes.intents]
        ),
    )
    narrow = replace(view, pairs=(pair,))
    assert "our BID  0.024997 @ 299,730" in draw(status_screen(narrow), 30, 12)
    for width in range(76, 110):
        text = draw(status_screen(narrow), width, 40)
        assert text.count("0.1000") == text.count("0.100015"), text
        assert text.count("target 0") == text.count("target 0.100015"), text
    for width in range(30, 76):
        text = draw(status_screen(narrow), width, 40)
        assert text.count("@ 2") == text.count("@ 299,73"), text


def test_notes_wrap_and_say_their_pair(view: PipelineView) -> None:
    note = "tier 1: pnl -12.34 MYR at 0.4 %; " + "this simulated account pays no maker fee; " * 2 + "the end"
    text = draw(status_screen(replace(view, notes=(note,))), 80)
    assert "tier 1: pnl -12.34 MYR" in text and "the end" in text
    other = replace(view.pairs[0], pair="ETHMYR")
    two = replace(view, pairs=(view.pairs[0], other), notes=("tier 1: pnl +1 MYR", "tier 1: pnl +2 MYR"))
    text = draw(status_screen(two), 80)
    assert "XBTMYR: tier 1: pnl +1 MYR" in text and "ETHMYR: tier 1: pnl +2 MYR" in text


def test_a_quoter_that_wants_nothing_says_why(view: PipelineView) -> None:
    full = view.pairs[0]
    assert full.quotes
    what = "waiting for kappa (3 of 10 taker orders seen)"

    def wanting(*sides: SideReport) -> PipelineView:
        assert full.quotes
        quotes = msgspec.structs.replace(full.quotes, intents=[], reservation=None, fair=None, sides=list(sides))
        return replace(view, pairs=(replace(view.pairs[0], pair="ETHMYR"), replace(full, quotes=quotes)))

    warm = wanting(*(SideReport(side=side, why=Why.WARMING_UP, detail=what) for side in Side))
    assert f"XBTMYR WARMING_UP: {what}  mid" in status_line(warm) and "reservation –" not in status_line(warm)
    assert "ETHMYR OK" in status_line(warm)
    # The word stands in the heading at every width, the reason where there is room.
    head = "XBTMYR  300,123.5 MYR  ▲ WARMING_UP  spread 3 ticks 0.10 bp  age 210 ms"
    assert f"{head}  {what}" in draw(status_screen(warm), 120)
    assert f"{head} …" in draw(status_screen(warm), 80) and "▲ WARMING_UP" in draw(status_screen(warm), 50)
    mixed = wanting(SideReport(side=Side.BID, why=Why.NO_BALANCE), SideReport(side=Side.ASK, why=Why.MIN_SIZE))
    assert "XBTMYR NO QUOTES: BID NO_BALANCE, ASK MIN_SIZE" in status_line(mixed)
    assert "XBTMYR NO QUOTES  mid" in status_line(wanting())
    # A book that is not fine is the first thing to know.
    late = replace(warm, pairs=(replace(warm.pairs[1], tick_age_ms=9e3),))
    assert "✖ STALE" in draw(status_screen(late), 100)


def test_a_cooldown_counts_down(view: PipelineView) -> None:
    full = view.pairs[0]
    assert full.quotes
    report = SideReport(side=Side.BID, why=Why.COOLDOWN, detail="filled", next_ms=view.now_ms + 31_000)
    quotes = msgspec.structs.replace(full.quotes, intents=full.quotes.intents[1:], sides=[report])
    cooling = replace(view, pairs=(replace(full, quotes=quotes),))
    assert "our BID      COOLDOWN for 31 s: filled" in draw(status_screen(cooling), 80)
    quotes = msgspec.structs.replace(quotes, intents=[])
    cooling = replace(view, pairs=(replace(full, quotes=quotes),))
    assert "▲ COOLDOWN  spread 3 ticks 0.10 bp  age 210 ms  for 31 s: filled" in draw(status_screen(cooling), 100)
    assert "XBTMYR COOLDOWN for 31 s: filled  mid" in status_line(cooling)


def test_before_anything_was_read_it_is_starting(view: PipelineView) -> None:
    nothing = PipelineView("", "127.0.0.1:6379", 0)
    assert status_line(nothing) == "starting"
    assert "▲ STARTING" in draw(status_screen(nothing), 80)
    assert status_line(replace(nothing, venue="no venue is claimed")) == "no pair on this Redis"
    waiting = replace(nothing, notes=("waiting: nothing listens",))
    assert status_line(waiting) == "waiting: nothing listens" and "waiting: nothing" in draw(status_screen(waiting), 80)


def test_every_piece_says_its_lag_and_a_silent_one_is_never_left_out(view: PipelineView, health: Health) -> None:
    late = msgspec.structs.replace(health, counters={"fills": 3.0, "late_ms": 1_250.0})
    pieces = (*view.pieces * 4, PieceView("gateway", "ETHMYR", late, 9_000.0))
    text = draw(status_screen(replace(view, pieces=pieces)), 80)
    row = next(row for row in text.splitlines() if row.startswith("gateway") and "ETHMYR" in row)
    assert "✖ SILENT" in row and "beat 9.0 s ago" in row and "lag 1.2 s" in row and "late" not in row


def test_every_other_pair_has_its_price_position_and_orders(view: PipelineView) -> None:
    one = view.pairs[0]
    pairs = (one, *(replace(one, pair=f"PAIR{i}") for i in range(9)))
    rows = draw(status_screen(replace(view, pairs=pairs)), 100, 24).splitlines()
    assert rows[1].split() == ["pair", "mid", "state", "spread", "reservation", "position", "orders", "pnl", "age"]
    assert rows[2].split()[:8] == ["PAIR0", "300,123.5", "●", "OK", "0.10", "bp", "300,060.0", "0.1012"]
    assert "and 3 more pairs" in rows


def test_piece_states(health: Health) -> None:
    assert piece_state(PieceView("book", "X"))[0] == "not running"
    assert piece_state(PieceView("book", "X", health, 100.0))[0] == "OK"
    assert piece_state(PieceView("book", "X", health, 3_100.0))[0] == "SILENT"
    assert piece_state(PieceView("book", "X", health, None))[0] == "SILENT"


def test_the_notes_of_many_pairs_are_a_row_each(view: PipelineView) -> None:
    pairs = tuple(replace(view.pairs[0], pair=f"PAIR{i}") for i in range(3))
    notes = tuple(f"tier 1: pnl +{i} MYR; " + "this account pays no maker fee; " * 4 for i in range(3))
    text = draw(status_screen(replace(view, pairs=pairs, notes=notes)), 80)
    for i in range(3):
        assert f"PAIR{i}: tier 1: pnl +{i} MYR" in text
