from __future__ import annotations

from decimal import Decimal as D

import msgspec
import pytest
from drawing import HOSTILE, draw

from lunomm.market.records import BookState, Estimates, Level, TakerOrder, Tick, Verdict
from lunomm.market.rules import PairRules
from lunomm.views.book import BookView, book_line, book_screen, ratio, spread_words

SIZES = [(80, 24), (160, 48), (120, 40), (50, 16), (20, 6)]


@pytest.fixture
def view(tick: Tick, rules: PairRules, trades: tuple[TakerOrder, ...]) -> BookView:
    mids = tuple(300000.0 + i % 7 for i in range(40))
    return BookView("XBTMYR", "sim seed 7", tick, rules, mids, trades, 11.5, 1)


def test_at_80_columns(view: BookView) -> None:
    assert draw(book_screen([view]), 80) == (
        """\
XBTMYR  300,123.5 MYR  ● OK  spread 3 ticks 0.1 bp  age 210 ms  sim seed 7
────────────────────────────────────────────────────────────────────────────────
  ASK 300,141 9.2500 ███████████████████   mid          300,123.5
  ASK 300,139 8.2500 █████████████████     weighted mid 300,123.9
  ASK 300,137 7.2500 ██████████████▉       VAMP         300,124.2
  ASK 300,135 6.2500 ████████████▉         imbalance    ██████▎    63 % bid
  ASK 300,133 5.2500 ██████████▊           σ a day      2.50 % ± 14 % live
  ASK 300,131 4.2500 ████████▊             1/κ depth    10.0 bp
  ASK 300,129 3.2500 ██████▋               A            0.093 /s a side
  ASK 300,127 2.2500 ████▋                 verdict      ● GO n=73 both …
  ASK 300,125 1.2500 ██▋                   trades       3.4 /min
      3 ticks 0.1 bp                       orders       1,234 in 210 levels
  BID 300,122 0.1015 ▎                     ◆ our BID    0.001 @ 300,119  2 ahead
  BID 300,121 0.2015 ▍                     last minutes ▅▆▇█▁▂▃▅▆▇█▁▂▃▅▆▇█▁▂▃▅▆
  BID 300,120 0.3015 ▋                     ─ taker orders ──────────────────────
◆ BID 300,119 0.4015 ▉                     bought 0.05 to 300,125
  BID 300,118 0.5015 █                     sold   0.05 to 300,125
  BID 300,117 0.6015 █▎                    bought 0.05 to 300,125 ◆ ours
  BID 300,116 0.7015 █▌                    sold   0.05 to 300,125
  BID 300,115 0.8015 █▋
  BID 300,114 0.9015 █▉
sequence 123456  beat 12  lag 3 ms  11.5 frames/s  1 resync"""
    )


def test_at_160_columns_says_where_ours_stand(view: BookView) -> None:
    text = draw(book_screen([view]), 160, 48)
    assert "ours 0.001 2 ahead" in text
    assert "10.0 bp (8.7 to 11.7)" in text
    assert "0.001 @ 300,119  2 ahead  (0.25)" in text
    assert text.index("300,141") < text.index("300,125") < text.index("300,122") < text.index("300,114")


def _with(view: BookView, **changes: object) -> BookView:
    from dataclasses import replace

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


def test_several_pairs_have_a_line_each(view: BookView) -> None:
    text = draw(book_screen([view, BookView("ETHMYR", note="connecting"), view]), 100, 24)
    assert text.splitlines()[1].startswith("ETHMYR  ▲ WAITING  connecting")
    assert "─ XBTMYR ─" in text
    assert draw(book_screen([]), 80) == "no pair"


def test_plain_line(view: BookView) -> None:
    assert book_line(view) == (
        "XBTMYR  OK  mid 300,123.5  bid 300,122  ask 300,125  spread 0.1 bp  sigma 2.50 % a day  "
        "kappa GO n 73  sequence 123456  age 210 ms"
    )


def test_spread_in_ticks_and_without_rules(tick: Tick, rules: PairRules) -> None:
    assert spread_words(tick, rules) == "3 ticks 0.1 bp"
    assert spread_words(msgspec.structs.replace(tick, spread=D(1)), rules) == "1 tick 0.0 bp"
    assert spread_words(tick, None) == "0.1 bp"
    assert spread_words(msgspec.structs.replace(tick, spread=None), rules) == "–"


def test_ratio_of_what_can_be_divided() -> None:
    assert ratio(D(1), D(4)) == 0.25
    assert ratio(None, D(1)) is None
    assert ratio(D(1), D(0)) is None
    assert ratio(D("NaN"), D(1)) is None
    assert ratio(D("sNaN"), D(1)) is None
    assert ratio(D("1e999"), D(1)) is None
