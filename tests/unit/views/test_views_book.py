from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.records import BookState, Estimates, Level, TakerOrder, Tick, Verdict
from lunomm.market.rules import PairRules
from lunomm.views.book import BookView, book_line, book_screen

SIZES = [(80, 24), (160, 48), (120, 40), (50, 16), (20, 6)]


@pytest.fixture
def view(tick: Tick, rules: PairRules, trades: tuple[TakerOrder, ...]) -> BookView:
    mids = tuple(300000.0 + i % 7 for i in range(40))
    return BookView("XBTMYR", "sim seed 7", tick, rules, mids, trades, 11.5, 1)


def test_at_160_columns_says_where_ours_stand(view: BookView) -> None:
    text = draw(book_screen([view]), 160, 48)
    assert "0.001 2 ahead (0.25)" in text
    assert "10.0 bp (8.7 to 11.7)" in text
    assert "0.001 @ 300,119  2 ahead  (0.25)" in text
    assert text.index("300,141") < text.index("300,125") < text.index("300,122") < text.index("300,114")


def _with(view: BookView, **changes: object) -> BookView:
    assert view.tick is not None
    return replace(view, tick=msgspec.structs.replace(view.tick, **changes))


@pytest.mark.parametrize("size", SIZES)
def test_every_state_draws_at_every_size(view: BookView, size: tuple[int, int]) -> None:
    assert view.tick is not None
    one_sided = {"state": BookState.ONE_SIDED, "mid_price": None, "spread": None, "weighted_mid": None, "vamp": None}
    cases = [
        BookView("XBTMYR"),
        view,
        _with(view, **one_sided, asks=[]),
        _with(view, **one_sided, bids=[]),
        _with(view, state=BookState.EMPTY, asks=[], bids=[], mid_price=None, spread=None, own=[]),
        _with(view, state=BookState.STALE, stream_age_ms=12_000.0),
        _with(view, state=BookState.RESYNC, stream_age_ms=None, estimates=Estimates()),
        _with(view, mid_price=D("1e25"), spread=D("1e24"), bids=[Level(D("1e25"), D("1e20"))], orders=10**15),
        _with(view, mid_price=D("NaN"), spread=D("sNaN"), bids=[Level(D("NaN"), D("Infinity"))], vamp=D("1e999999")),
    ]
    for case in cases:
        draw(book_screen([case]), *size)
        assert book_line(case)


def test_hostile_text_never_reaches_the_screen(view: BookView) -> None:
    assert view.tick is not None
    estimates = msgspec.structs.replace(
        view.tick.estimates, reason=HOSTILE, sigma_source=HOSTILE, kappa_source=HOSTILE, verdict=Verdict.NO
    )
    hostile = BookView(
        HOSTILE, HOSTILE, msgspec.structs.replace(view.tick, estimates=estimates, pair=HOSTILE), note=HOSTILE
    )
    for size in SIZES:
        draw(book_screen([hostile, hostile]), *size)
    assert all(" " <= c <= "~" or c in "–σκ" for c in book_line(hostile))


def test_a_silent_or_broken_book_says_so(view: BookView) -> None:
    assert "age 12 s" in draw(book_screen([_with(view, stream_age_ms=12_000.0)]), 80)
    assert "● OK" not in draw(book_screen([_with(view, state=BookState.CROSSED)]), 80)
    assert "✖ CROSSED" in draw(book_screen([_with(view, state=BookState.CROSSED)]), 80)
    assert "no asks" in draw(book_screen([_with(view, asks=[])]), 80)
    assert "no bids, no asks" in draw(book_screen([_with(view, asks=[], bids=[])]), 80)
    assert "waiting for the first frame" in draw(book_screen([BookView("XBTMYR")]), 80)


def test_several_pairs_have_a_row_each_and_the_first_its_book(view: BookView) -> None:
    text = draw(book_screen([view, BookView("ETHMYR", note="connecting"), view]), 160, 24)
    rows = text.splitlines()
    assert rows[0].split()[:3] == ["pair", "mid", "state"] and rows[1].startswith("XBTMYR  300,123.5  MYR  ● OK")
    assert rows[2].startswith("ETHMYR") and "▲ WAITING" in rows[2] and rows[2].endswith("connecting")
    assert "─ XBTMYR ─" in text
    assert draw(book_screen([]), 80) == "no pair"


def test_of_many_pairs_the_one_in_trouble_has_a_row(view: BookView) -> None:
    crossed = _with(replace(view, pair="BADMYR"), state=BookState.CROSSED)
    text = draw(book_screen([view] * 20 + [crossed]), 80, 24)
    assert "BADMYR" in text and "✖ CROSSED" in text and "and 14 more" in text


def test_a_stale_book_says_so_in_the_middle_of_the_ladder(view: BookView) -> None:
    assert "✖ last heard 12 s ago" in draw(book_screen([_with(view, stream_age_ms=12_000.0)]), 80)
    lost = draw(book_screen([_with(view, state=BookState.RESYNC, stream_age_ms=None)]), 80)
    assert "✖ no book to trust yet" in lost


def test_why_a_book_is_not_compared_and_why_it_was_lost_both_stand_there(view: BookView) -> None:
    text = draw(book_screen([replace(view, audit_note="not audited: 401", note="resync: a gap")]), 160, 48)
    assert "not audited: 401" in text and text.splitlines()[-1] == "resync: a gap"
    assert "drift 0 % in 12 audits" in text and "last audit 42 s ago" in text
    assert "● recording" in draw(book_screen([replace(view, recording=True)]), 80)
    assert "a reason" in draw(book_screen([_with(view, reason="a reason")]), 80)


def test_two_orders_at_one_price_are_counted(view: BookView) -> None:
    assert view.tick is not None
    twice = _with(view, own=[view.tick.own[0], msgspec.structs.replace(view.tick.own[0], intent_id="c")])
    assert "2 ahead +1" in draw(book_screen([twice]), 80)


def test_plain_line(view: BookView) -> None:
    assert book_line(view) == (
        "XBTMYR  OK  mid 300,123.5  bid 300,122  ask 300,125  spread 0.10 bp  sigma 2.50 % a day  "
        "kappa GO n 73  sequence 123456  age 210 ms"
    )
