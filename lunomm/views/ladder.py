"""The order book as a ladder: asks above bids, a bar of each level's volume, our own orders with their places."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import BookState, Level, OwnOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.views import palette
from lunomm.views.screen import line, stack, status_word
from lunomm.views.text import UNKNOWN, age, bar, bp, column, common_decimals, number, safe

HEAD_FROM = 8
"""Rows from which one goes to the units."""
LEAST_BAR = 10
"""Cells of a bar that further columns leave it."""
WORDY = 60
"""Width from which our own orders are said with their size and the volume ahead."""
STALE_MS = 10_000.0
"""Silence of the stream after which figures are drawn as stale (design 4)."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """One column of the ladder, its cells of one width."""

    cells: Sequence[str]
    title: str

    @property
    def width(self) -> int:
        return max([len(self.title), *(len(cell) for cell in self.cells)])


def is_stale(tick: Tick) -> bool:
    """Whether the book may be another by now."""
    old = tick.stream_age_ms is not None and tick.stream_age_ms > STALE_MS
    return old or tick.state in (BookState.STALE, BookState.RESYNC)


def spread_words(tick: Tick, rules: PairRules | None) -> str:
    """The spread in ticks (where the tick is known) and basis points."""
    if tick.spread is None:
        return UNKNOWN
    share = ratio(tick.spread, tick.mid_price)
    relative = bp(share, fine(share))
    if rules is None:
        return relative
    ticks = ratio(tick.spread, rules.tick_size)
    return relative if ticks is None else f"{number(ticks, 0)} tick{'' if ticks == 1 else 's'} {relative}"


def fine(share: float | None) -> int:
    """Decimals of a spread in basis points: one tick of a dear asset is a few hundredths of one."""
    return 2 if share is not None and abs(share) < 1e-3 else 1


def ratio(part: Decimal | None, whole: Decimal | None) -> float | None:
    """``part / whole`` for drawing; None unless both are plain numbers and ``whole`` is positive."""
    if part is None or whole is None or not (part.is_finite() and whole.is_finite()) or whole <= 0:
        return None
    return float(part / whole) if abs(part.adjusted() - whole.adjusted()) < 300 else None


def ladder(tick: Tick, rules: PairRules | None, height: int, width: int) -> RenderableType:
    """The levels around the spread in ``height`` rows; what the width allows beside price, volume and bar."""
    head = height >= HEAD_FROM
    each = max((height - 1 - int(head)) // 2, 1)
    asks, bids = _sound(tick.asks[:each])[::-1], _sound(tick.bids[:each])
    shown = [*asks, *bids]
    stale = is_stale(tick)
    own: dict[tuple[Side, Decimal], list[OwnOrder]] = {}
    for order in tick.own:
        if not order.price.is_finite():
            continue
        own.setdefault((order.side, order.price), []).append(order)
    sides = [Side.ASK] * len(asks) + [Side.BID] * len(bids)
    ours = [own.get((side, level.price), []) for side, level in zip(sides, shown, strict=True)]
    figures, places, bar_width = _layout(tick, rules, (asks, bids), ours, width)
    most = max((level.volume for level in shown), default=Decimal(0))
    rows: list[RenderableType] = []
    for index, (side, level) in enumerate(zip(sides, shown, strict=True)):
        style = palette.MUTED if stale else palette.side_style(side)
        mine = palette.OWN if ours[index] else ""
        row = Text(palette.OWN_MARK if mine else " ", mine, no_wrap=True, overflow="crop")
        row.append(f" {side.value} ", style)
        for place, figure in enumerate(figures):
            plain = palette.MUTED if stale or place > 1 else palette.PLAIN
            row.append(f"{figure.cells[index]:>{figure.width}} ", plain if place else mine or style)
        row.append(bar(ratio(level.volume, most), bar_width), style)
        if mine and places.width:
            row.append(f" {places.cells[index]}", mine)
        rows.append(row)
    rows.insert(len(asks), _middle(tick, rules, stale))
    if not asks or not bids:
        missing = "no bids, no asks" if not shown else "no asks" if not asks else "no bids"
        rows.insert(0 if bids else len(rows), Text(f"      {missing}", palette.WARN))
    if head and shown:
        rows.insert(0, _head(figures, places, bar_width))
    return stack(rows)


def _layout(
    tick: Tick,
    rules: PairRules | None,
    levels: tuple[Sequence[Level], Sequence[Level]],
    ours: Sequence[Sequence[OwnOrder]],
    width: int,
) -> tuple[list[_Figures], _Figures, int]:
    """The columns of figures, our places, and the width that is left to the bars."""
    shown = [*levels[0], *levels[1]]
    decimals = common_decimals((level.volume for level in shown), 6)
    figures = [
        _Figures(column([level.price for level in shown], price_decimals(tick, rules)), _unit(rules, "counter")),
        _Figures(column([level.volume for level in shown], decimals), _unit(rules, "base")),
    ]
    wordy = width >= WORDY
    places = _Figures([_place(mine, wordy=wordy) for mine in ours], "ours" if wordy and any(ours) else "")
    left = width - 6 - sum(figure.width + 1 for figure in figures)
    if places.width and left - places.width - 1 < 3:
        places = _Figures([""] * len(shown), "")
    left -= places.width + 1 if places.width else 0
    sums = _Figures(column(_sums(levels), decimals), "sum")
    distances = _Figures(column([_away(level.price, tick.mid_price) for level in shown], 1, sign=True), "bp")
    for more in (sums, distances):
        if wordy and left - more.width - 1 >= LEAST_BAR:
            figures.append(more)
            left -= more.width + 1
    return figures, places, max(left, 3)


def _sums(levels: tuple[Sequence[Level], Sequence[Level]]) -> list[Decimal | None]:
    """Volume from the touch to each level."""
    asks = list(itertools.accumulate(level.volume for level in reversed(levels[0])))[::-1]
    return [*asks, *itertools.accumulate(level.volume for level in levels[1])]


def _away(price: Decimal, mid: Decimal | None) -> float | None:
    share = ratio(price, mid)
    return None if share is None else (share - 1) * 1e4


def _middle(tick: Tick, rules: PairRules | None, stale: bool) -> Text:
    if not stale:
        return Text(f"      {spread_words(tick, rules)}", palette.MUTED, no_wrap=True)
    heard = f"last heard {age(tick.stream_age_ms)} ago" if tick.stream_age_ms is not None else "no book to trust yet"
    return line("     ", status_word(heard, palette.BAD), gap=" ")


def _head(figures: Sequence[_Figures], places: _Figures, bar_width: int) -> Text:
    titles = " ".join(f"{figure.title:>{figure.width}}" for figure in figures)
    row = Text(f"      {titles} ", palette.MUTED, no_wrap=True, overflow="crop")
    return row.append(f"{'':{bar_width}} {places.title}") if places.title else row


def _unit(rules: PairRules | None, which: str) -> str:
    if rules is None:
        return "price" if which == "counter" else "size"
    return safe(rules.counter if which == "counter" else rules.base, 6)


def _place(mine: Sequence[OwnOrder], *, wordy: bool) -> str:
    """Where our orders of one level stand: of the first, and how many more there are."""
    if not mine:
        return ""
    order = mine[0]
    ahead = f"{number(order.orders_ahead)} ahead" if order.orders_ahead else "first"
    if wordy:
        behind = f" ({number(order.volume_ahead)})" if order.orders_ahead else ""
        ahead = f"{number(order.volume)} {ahead}{behind}"
    return ahead if len(mine) == 1 else f"{ahead} +{len(mine) - 1}"


def _sound(levels: Sequence[Level]) -> list[Level]:
    """Levels that can be compared and drawn: a message from outside may hold NaN."""
    return [level for level in levels if level.price.is_finite() and level.volume.is_finite()]


def price_decimals(tick: Tick | None, rules: PairRules | None, *, half: bool = False) -> int:
    """Decimals of the pair's tick, one more for a mid; without rules what the best prices show."""
    if rules is not None:
        return max(rules.price_scale, 0) + int(half)
    shown = [] if tick is None else [tick.best_bid, tick.best_ask]
    return common_decimals(shown) + int(half)
