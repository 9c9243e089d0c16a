"""The one screen over the pipeline: frame, banners, prompt and keys at every size, with whatever the data is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.presence import HaltMark, Health
from lunomm.market.records import Params, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Fill, OrderView
from lunomm.quoting.intents import SideReport, WantedQuotes, Why
from lunomm.views.panel import VIEWS, Heard, Line, PanelView, Prompt
from lunomm.views.pipeline import PairView, PieceView, PipelineView
from lunomm.views.up import up_screen
from lunomm.views.windows import book_window, gateway_window, heard, quote_window

SIZES = [(80, 24), (160, 48), (120, 40), (50, 20), (30, 12), (20, 6)]
SETTINGS = {"gamma": "1", "eta": "-0.005", "order_size": "0.025", "min_spread": "0", "order_refresh_rate_s": "60"}


@pytest.fixture
def view(
    tick: Tick, rules: PairRules, quotes: WantedQuotes, account: Account, orders: tuple[OrderView, ...],
    fills: tuple[Fill, ...], params: Params, health: Health,
) -> PipelineView:  # fmt: skip
    pair = PairView(
        "XBTMYR", tick, 100.0, rules, quotes, 300.0, account, 300.0, orders, fills, params, 30_000.0, None, (1.0, 2.0)
    )
    counters: dict[str, float | str | None] = {"user_stream": "up", "guardian": "up", "recording": "x.tape"}
    pieces = tuple(
        PieceView(
            name, "XBTMYR", msgspec.structs.replace(health, piece=name, counters=counters, settings=SETTINGS), 200.0
        )
        for name in ("book", "calibrate", "quote", "gateway")
    )
    return PipelineView("sim at http://127.0.0.1:8377", "127.0.0.1:6379", 100_000, (pair,), pieces)


def panel(pipeline: PipelineView, **changes: object) -> PanelView:
    return replace(PanelView(heard(pipeline) or (Heard("XBTMYR"),), keys=True), **changes)  # type: ignore[arg-type]


def rows(pipeline: PipelineView, width: int = 80, height: int = 24, **changes: object) -> list[str]:
    return draw(up_screen(panel(pipeline, **changes), pipeline), width, height).splitlines()


def paused(view: PipelineView) -> PipelineView:
    quotes = view.pairs[0].quotes
    assert quotes is not None
    sides = [SideReport(side=side, why=Why.PAUSED, detail="paused by me@here: lunch") for side in Side]
    pair = replace(view.pairs[0], quotes=msgspec.structs.replace(quotes, intents=[], sides=sides))
    states = {"quote": "PAUSED"}
    pieces = tuple(
        replace(p, health=msgspec.structs.replace(p.health, state=states.get(p.piece, "OK")))
        for p in view.pieces
        if p.health
    )
    return replace(view, pairs=(pair,), pieces=pieces)


def test_the_frame_at_80_columns(view: PipelineView) -> None:
    found = rows(view)
    assert len(found) == 24
    assert found[0] == "[1 overview]  2 book   3 quote   4 gateway   5 calibrate    [XBTMYR]"
    assert found[1].startswith("XBTMYR  300,123.5 MYR  ● OK")
    assert found[22] == "gamma 1  eta -0.005 1/lot  order size 0.025 XBT  min spread 0 of mid"
    assert found[23] == "p pause  g gamma  e eta  s size  m spread  : other  Tab next  ! panic  q end"


@pytest.mark.parametrize(
    ("name", "word"),
    [("overview", "pieces"), ("book", "weighted mid"), ("quote", "one price axis"), ("gateway", "position and profit"),
     ("calibrate", "1/κ depth")],
)  # fmt: skip
def test_each_window(view: PipelineView, name: str, word: str) -> None:
    found = rows(view, 100, 40, view=name)
    assert any(word in row for row in found) and f"[{VIEWS.index(name) + 1} {name}]" in found[0]
    assert len(found) == 40 and found[39].startswith("p pause")


def test_a_pause_is_the_first_thing_on_every_window(view: PipelineView) -> None:
    for name in VIEWS:
        found = rows(paused(view), view=name)
        assert found[0] == " ▲ PAUSED XBTMYR: by me@here: lunch   u goes on"
        assert found[-1].startswith("u unpause")


def test_halts_problems_and_silence_are_on_the_windows_that_do_not_say_them(view: PipelineView) -> None:
    pair = replace(view.pairs[0], halt=HaltMark(pair="XBTMYR", since_ms=1, cause="max daily loss"))
    silent = (replace(view.pieces[0], age_ms=4_000.0), *view.pieces[1:])
    bad = replace(view, pairs=(pair,), pieces=silent, problems=("the exchange does not answer",))
    found = rows(bad, view="quote")
    assert found[:3] == [
        " ✖ HALTED XBTMYR: max daily loss", " ✖ the exchange does not answer", " ✖ SILENT book XBTMYR",
    ]  # fmt: skip
    assert rows(bad)[1] == "✖ the exchange does not answer"  # the overview's own


def test_the_prompt_and_its_error(view: PipelineView) -> None:
    found = rows(view, prompt=Prompt("set", "XBTMYR", "eta", "-0.005", "1/lot", "-0.0"))
    assert found[22:] == ["XBTMYR eta (1/lot), now -0.005: -0.0", "Enter sets it  Esc leaves it"]
    assert rows(view, prompt=Prompt("set", "XBTMYR", error="--eta: no"))[23] == "✖ --eta: no"
    assert rows(view, prompt=Prompt("panic", "", typed="PAN"))[22] == "PANIC: halt and cancel all. Type PANIC: PAN"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line("XBTMYR: gamma 2", None, 1.2), "▲ XBTMYR: gamma 2: asked 1.2 s ago, no answer yet"),
        (Line("XBTMYR: gamma 1 -> 2", True, 3.0), "● XBTMYR: gamma 1 -> 2, taken 3.0 s ago"),
        (Line("quote: no answer within 5 s", False, 2.0), "✖ 2.0 s ago: quote: no answer within 5 s"),
    ],
)
def test_the_result_ages(view: PipelineView, line: Line, text: str) -> None:
    assert rows(view, line=line)[22] == text


def test_the_end_and_a_closed_keyboard(view: PipelineView) -> None:
    assert "ENDING" in rows(view, ending=True)[0] and "Ctrl-C leaves at once" in rows(view, ending=True)[23]
    silent = rows(view, keys=False)
    assert silent[0] == "[overview]   [XBTMYR]" and silent[23] == "no keys here; Ctrl-C ends it"


def test_only_keys_that_fit_and_never_without_the_end(view: PipelineView) -> None:
    for width in range(30, 120):
        last = rows(view, width)[-1]
        assert "! panic" in last and "q end" in last and len(last) <= width


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", VIEWS)
def test_whatever_the_data_is_it_draws(
    view: PipelineView, name: str, size: tuple[int, int], trades: tuple[TakerOrder, ...]
) -> None:
    full = view.pairs[0]
    absent = [
        replace(view, pairs=(replace(full, **{field: None}),))
        for field in ("tick", "rules", "quotes", "account", "params")
    ]
    assert full.account and full.tick
    nan = replace(full, tick=msgspec.structs.replace(full.tick, best_bid=D("NaN")))
    nothing = PipelineView("", "", 0)
    health = view.pieces[0].health
    assert health is not None
    wild = msgspec.structs.replace(
        health, state=HOSTILE, last_error=HOSTILE, mode=HOSTILE, settings=dict.fromkeys(SETTINGS, HOSTILE),
        counters=dict.fromkeys(("guardian", "user_stream", "frames_per_s", "resyncs"), float("inf")),
    )  # fmt: skip
    hostile = replace(
        view, pairs=(replace(full, pair=HOSTILE, halt=HaltMark(pair=HOSTILE, since_ms=1, cause=HOSTILE)),),
        pieces=tuple(PieceView(p.piece, HOSTILE, wild, 100.0) for p in view.pieces), problems=(HOSTILE,),
    )  # fmt: skip
    for each in (view, paused(view), nothing, replace(view, pairs=(nan,)), replace(view, pieces=()), hostile, *absent):
        for extra in ({}, {"prompt": Prompt("set", HOSTILE, "gamma", HOSTILE, "", HOSTILE, HOSTILE)},
                      {"line": Line(HOSTILE * 9, False, 1.0)}):  # fmt: skip
            shown = up_screen(panel(each, view=name, **extra), each, trades)
            draw(shown, *size)


def test_two_pairs_follow_the_panel(view: PipelineView) -> None:
    two = replace(view, pairs=(view.pairs[0], replace(view.pairs[0], pair="ETHMYR")))
    found = rows(two, selected=1, view="quote")
    assert found[0].endswith("[ETHMYR]  XBTMYR") and found[1].startswith("ETHMYR") and "n pair" in found[-1]


def test_what_the_windows_are_made_of(view: PipelineView, trades: tuple[TakerOrder, ...]) -> None:
    pair = view.pairs[0]
    book = book_window(view, pair, trades)
    assert (book.recording, book.trades, book.note) == (True, trades, "")
    assert book_window(view, replace(pair, tick_age_ms=9_000.0), ()).note == "the book has said nothing for 9.0 s"
    quote = quote_window(view, pair)
    assert (quote.refresh_s, quote.rest_s, quote.maker_fee, quote.problem) == (60.0, None, D(0), "")
    assert "nothing for 4.0 s" in quote_window(view, replace(pair, quotes_age_ms=4_000.0)).problem
    gateway = gateway_window(view, pair)
    assert gateway.stream_up and gateway.guardian == "up" and gateway.calls == 12 and not gateway.problem
    assert all(not order.state.terminal for order in gateway.pairs[0].orders) and gateway.pairs[0].ready
    assert gateway_window(replace(view, pieces=()), pair).problem == "no gateway is heard"
