from __future__ import annotations

from decimal import Decimal as D

import msgspec
from drawing import draw

from lunomm.market.records import Tick
from lunomm.market.rules import PairRules
from lunomm.views.ladder import ladder, ratio, spread_words


def test_more_width_shows_more_columns_and_every_row_fits(tick: Tick, rules: PairRules) -> None:
    for width in range(20, 100):
        text = draw(ladder(tick, rules, 20, width), width)
        assert ("sum" in text) == (width >= 60), text
        assert len(text.splitlines()) <= 20
    wide = draw(ladder(tick, rules, 20, 90), 90).splitlines()
    assert wide[0].split() == ["MYR", "XBT", "sum", "bp", "ours"]
    assert wide[1].split()[:5] == ["ASK", "300,141", "9.2500", "47.2500", "+0.6"]
    assert len(draw(ladder(tick, None, 7, 40), 40).splitlines()) == 7


def test_spread_in_ticks_and_without_rules(tick: Tick, rules: PairRules) -> None:
    assert spread_words(tick, rules) == "3 ticks 0.10 bp"
    assert spread_words(msgspec.structs.replace(tick, spread=D(1)), rules) == "1 tick 0.03 bp"
    assert spread_words(tick, None) == "0.10 bp"
    assert spread_words(msgspec.structs.replace(tick, spread=None), rules) == "–"


def test_ratio_of_what_can_be_divided() -> None:
    assert ratio(D(1), D(4)) == 0.25
    assert ratio(None, D(1)) is None
    assert ratio(D(1), D(0)) is None
    assert ratio(D("NaN"), D(1)) is None
    assert ratio(D("sNaN"), D(1)) is None
    assert ratio(D("1e999"), D(1)) is None
