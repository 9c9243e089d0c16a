from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from drawing import HOSTILE, draw

from lunomm.market.pairs import Market, rank
from lunomm.views.pairs import PairsView, pairs_screen, short, verdict

XBTMYR = Market(
    "XBTMYR", "XBT", "MYR", min_volume=D("0.0001"), bid=D(299_400), ask=D(300_600), volume_24h=D(10),
    maker_fee=D("0.001"), sigma=0.0213, prices=500, span_s=60_000.0,
)  # fmt: skip
TIGHT = replace(XBTMYR, pair="LINKMYR", base="LINK", bid=D("50.01"), ask=D("50.02"), min_volume=D("0.5"))
CLOSED = replace(XBTMYR, pair="SKYMYR", status="SUSPENDED")


def drawn(view: PairsView, width: int) -> str:
    return draw(pairs_screen(view, width), width, 400)


def test_at_80_columns() -> None:
    assert drawn(PairsView(rank([XBTMYR, TIGHT, CLOSED]), "https://api.luno.com"), 80) == (
        """\
MARKETS  https://api.luno.com  3 listed, 2 ranked, 1 pay
● 1 of 2 ranked markets pay at this account's fees; first XBTMYR.
─ by (spread - even) x volume / σ, money in MYR ────────────────────────────────
# pair    spread even volume σ a day min size is worth score
1 XBTMYR    40.0 20.0     3M   2.1 %   0.0001       30 +282k
2 LINKMYR    2.0 20.0    500   2.1 %      0.5       25 -42.3
─ not ranked: 1 ────────────────────────────────────────────────────────────────
SKYMYR  ▲ SUSPENDED  does not trade: SUSPENDED

Spread and even (2 x maker fee) in bp of the mid; volume of 24 h. Not a
forecast."""
    )


def test_at_160_columns() -> None:
    rows = drawn(PairsView(rank([XBTMYR, TIGHT, CLOSED]), "https://api.luno.com"), 160).split("\n")
    assert [len(row) for row in rows if row.startswith("─")] == [160, 160]
    assert "\n".join(row for row in rows if not row.startswith("─")) == (
        """\
MARKETS  https://api.luno.com  3 listed, 2 ranked, 1 pay
● 1 of 2 ranked markets pay at this account's fees; first XBTMYR.
#  pair     status  spread   fee  even   edge  volume  σ a day  min size  is worth  score
1  XBTMYR   ACTIVE    40.0  10.0  20.0  +20.0      3M    2.1 %    0.0001        30  +282k
2  LINKMYR  ACTIVE     2.0  10.0  20.0  -18.0     500    2.1 %       0.5        25  -42.3
SKYMYR  ▲ SUSPENDED  does not trade: SUSPENDED

Spread and even (2 x maker fee) in bp of the mid; volume of 24 h. Not a forecast."""
    )


def test_it_says_plainly_that_nothing_pays_and_that_fees_are_assumed() -> None:
    ranking = rank([replace(m, maker_fee=D("0.0035"), fee_assumed=True) for m in (XBTMYR, TIGHT)])
    view = PairsView(ranking, note="no key: fees are Luno's published entry tier")
    assert verdict(view) == (
        "✖ No market pays at Luno's published entry tier: the nearest is XBTMYR, whose touch is 40.0 bp wide where two "
        "maker fees take 70.0 bp."
    )
    for width in (80, 160):
        shown = drawn(view, width)
        assert "No market pays" in shown and "70.0*" in shown and "* assumed" in shown and "no key" in shown
    account = PairsView(rank([replace(XBTMYR, maker_fee=D("0.0035"))]))
    assert "at this account's fees" in verdict(account) and "*" not in drawn(account, 160)


def test_top_and_what_is_left_out() -> None:
    many = rank([replace(XBTMYR, pair=f"P{i:02}MYR") for i in range(30)])
    assert "10 more: --top 30" in drawn(PairsView(many), 80)
    assert "27 more" in drawn(PairsView(many, top=3), 80) and "P03MYR" not in drawn(PairsView(many, top=3), 80)
    assert "more:" not in drawn(PairsView(many, top=30), 80)


def test_nothing_ranked() -> None:
    assert "No market here can be ranked" in drawn(PairsView(rank([CLOSED])), 80)
    assert "No market here can be ranked" in drawn(PairsView(rank([])), 80)


@pytest.mark.parametrize("width", [40, 80, 160])
def test_hostile_text_and_figures(width: int) -> None:
    odd = Market(HOSTILE, HOSTILE, HOSTILE, HOSTILE, trouble=HOSTILE)
    named = replace(XBTMYR, pair=HOSTILE, counter=HOSTILE)
    huge = replace(
        XBTMYR, pair="A" * 20, min_volume=D("9" * 15 + "." + "9" * 18), volume_24h=D("9" * 15), ask=D("9" * 15),
        bid=D("0.000000000000000001"), sigma=1e-3,
    )  # fmt: skip
    tiny = replace(huge, bid=D("0.000000000000000001"), ask=D("0.000000000000000002"), sigma=1e9)
    shown = drawn(PairsView(rank([odd, named, huge, tiny, replace(XBTMYR, sigma=None)]), HOSTILE, None, HOSTILE), width)
    assert "nan" not in shown.lower() and "inf" not in shown.lower().replace("info", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (float("nan"), "–"), (0.0, "0"), (1.0, "1"), (30.0, "30"), (0.0005, "0.0005"), (9.999, "10"),
        (999.4, "999"), (999.9, "1k"), (5_830_553.8, "5.83M"), (-35_741.9, "-35.7k"), (1e12, "1T"), (2.5e20, "2.5e+20"),
        (1e-9, "1.0e-09"), (123.0, "123"),
    ],
)  # fmt: skip
def test_short(value: float | None, text: str) -> None:
    assert short(value) == text
