"""The markets of a venue as one ranking, and below it those that are not ranked, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.market.pairs import Ranking, Row
from lunomm.views import palette
from lunomm.views.screen import line, rule, stack, status_word, wrapped
from lunomm.views.text import UNKNOWN, bp, number, percent, safe

TOP = 20
"""Ranked markets shown unless told otherwise."""

FEW = 50
"""A volatility from fewer prices is marked: its error is a fifth of it or more."""

WIDE = 110

_NAMES = ("#", "pair", "spread", "even", "volume", "σ a day", "min size", "is worth", "score")
_WIDE_NAMES = (
    "#", "pair", "status", "spread", "fee", "even", "edge", "volume", "σ a day", "min size", "is worth", "score",
)  # fmt: skip
_LEFT = ("pair", "status")


@dataclass(frozen=True, slots=True)
class PairsView:
    """One sweep. url: of the exchange. top: ranked markets to show, None = ``TOP``. note: what holds for all fees."""

    ranking: Ranking
    url: str = ""
    top: int | None = None
    note: str = ""


def pairs_screen(view: PairsView, width: int) -> RenderableType:
    """``width`` in cells; as high as it must be: it is printed once, not redrawn."""
    ranking = view.ranking
    shown = ranking.rows[: TOP if view.top is None else view.top]
    currency = safe(ranking.currency or "", 8)
    blocks: list[RenderableType] = [
        line(("MARKETS", palette.STRONG), (safe(view.url, 60), palette.MUTED), _counted(ranking)),
        *(Text(row, _verdict_style(ranking)) for row in wrapped(verdict(view), width, 3)),
    ]
    if view.note:
        blocks += [Text(row, palette.WARN) for row in wrapped(safe(view.note, 300), width, 4)]
    if shown:
        blocks += [rule(f"by (spread - even) x volume / σ, money in {currency}", width), _table(shown, width)]
    hidden = len(ranking.rows) - len(shown)
    if hidden:
        blocks.append(Text(f"{hidden} more: --top {len(ranking.rows)}", palette.MUTED))
    if ranking.others:
        blocks += [rule(f"not ranked: {len(ranking.others)}", width), _others(ranking.others, width)]
    if shown:
        marks = [
            "* assumed, not asked" if any(row.market.fee_assumed for row in shown) else "",
            f"~ from fewer than {FEW} prices" if any(row.market.prices < FEW for row in shown) else "",
        ]
        foot = "Spread and even (2 x maker fee) in bp of the mid; volume of 24 h. Not a forecast."
        blocks += [Text(), *(Text(row, palette.MUTED) for row in wrapped(foot, width, 3))]
        blocks += [line(*((mark, palette.MUTED) for mark in marks))] if any(marks) else []
    return stack(blocks)


def verdict(view: PairsView) -> str:
    """Whether making any market pays, in one sentence."""
    ranking, widest = view.ranking, view.ranking.widest
    mark = palette.mark(_verdict_style(ranking))
    if widest is None:
        return f"{mark} No market here can be ranked."
    assumed = any(row.market.fee_assumed for row in ranking.rows)
    tier = "at Luno's published entry tier" if assumed else "at this account's fees"
    if ranking.paying:
        first = safe(ranking.rows[0].market.pair, 20)
        return f"{mark} {ranking.paying} of {len(ranking.rows)} ranked markets pay {tier}; first {first}."
    market = widest.market
    return (
        f"{mark} No market pays {tier}: the nearest is {safe(market.pair, 20)}, whose touch is "
        f"{bp(market.spread)} wide where two maker fees take {bp(market.break_even)}."
    )


def _verdict_style(ranking: Ranking) -> str:
    return palette.GOOD if ranking.paying else palette.BAD


def _counted(ranking: Ranking) -> str:
    return f"{len(ranking.rows) + len(ranking.others)} listed, {len(ranking.rows)} ranked, {ranking.paying} pay"


def _table(rows: Sequence[Row], width: int) -> Table:
    names = _WIDE_NAMES if width >= WIDE else _NAMES
    table = Table.grid(padding=(0, 2 if width >= WIDE else 1, 0, 0))
    for name in names:
        table.add_column(justify="left" if name in _LEFT else "right", no_wrap=True, overflow="ellipsis")
    table.add_row(*[Text(name, palette.MUTED) for name in names])
    for place, row in enumerate(rows, 1):
        cells = _cells(place, row)
        table.add_row(*[cells[name] for name in names])
    return table


def _cells(place: int, row: Row) -> dict[str, Text]:
    market = row.market
    star = "*" if market.fee_assumed else ""
    pays = palette.GOOD if row.pays else palette.BAD
    fee = None if market.maker_fee is None else float(market.maker_fee)
    return {
        "#": Text(str(place), palette.MUTED),
        "pair": Text(safe(market.pair, 12), palette.STRONG),
        "status": Text(safe(market.status, 10)),
        "spread": Text(_in_bp(market.spread)),
        "fee": Text(_in_bp(fee) + star),
        "even": Text(_in_bp(market.break_even) + star),
        "edge": Text(_in_bp(market.edge, sign=True), pays),
        "volume": Text(short(row.value_24h)),
        "σ a day": Text(("~" if market.prices < FEW else "") + percent(market.sigma, 1)),
        "min size": Text(short(None if market.min_volume is None else float(market.min_volume))),
        "is worth": Text(short(row.min_value)),
        "score": Text(f"{'+' if row.pays else ''}{short(row.score)}", pays),
    }


def _in_bp(fraction: float | None, *, sign: bool = False) -> str:
    if fraction is None:
        return UNKNOWN
    return short(fraction * 1e4, sign=sign) if abs(fraction) >= 1 else number(fraction * 1e4, 1, sign=sign)


def short(value: float | None, *, sign: bool = False) -> str:
    """Three digits and a letter for the thousands (``12.3M``), at most nine characters; a dash when unknown."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    plus = "+" if sign and value > 0 else ""
    size = abs(value)
    if size and (size >= 1e15 or size < 1e-6):
        return f"{plus}{value:.1e}"
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit * 0.9995:
            return f"{plus}{_three(value / unit)}{letter}"
    return plus + _three(value)


def _three(value: float) -> str:
    """Three significant digits without trailing zeros behind the point."""
    if not value:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _others(rows: Sequence[Row], width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(justify="left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        market = row.market
        good = market.status == "ACTIVE"
        room = max(width - 12 - 14 - 6, 20)
        table.add_row(
            Text(safe(market.pair, 12), palette.STRONG),
            status_word(safe(market.status, 12), palette.GOOD if good else palette.WARN),
            Text(safe(row.why, room)),
        )
    return table
