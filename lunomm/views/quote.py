"""The quotes wanted now and why: reservation price, bid and ask, every step from the fair price to the order,
inventory.

Drawn from the message the gateway gets, so the screen cannot say anything else than what is wanted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.text import Text

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes, Why
from lunomm.views import palette
from lunomm.views.axis import Mark, axis
from lunomm.views.estimates import inverse_kappa
from lunomm.views.pipeline import drawable
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.table import Column, table
from lunomm.views.text import UNKNOWN, age, as_float, bp, column, common_decimals, number, percent, safe, with_unit

DAY_S = 86_400
TWO_COLUMNS = 78
STEPS_WIDTH = 60
PICTURE_ROWS = 8
"""Rows that must be left for a picture, so that it never costs the decomposition its own."""

STEP_WORDS = {
    "skew": "inventory skew",
    "risk": "risk",
    "intensity": "order flow",
    "fee": "maker fee",
    "adverse": "adverse selection",
    "min_spread": "min spread",
    "max_spread": "max spread",
    "level": "level",
    "clamp": "post-only clamp",
    "rounding": "rounding",
}
"""What each step is called on the screen; unknown names are shown as they are."""


@dataclass(frozen=True, slots=True)
class QuoteView:
    """One quoter at one instant.

    quotes: the last message, None before the first. now_ms: exchange clock, for countdowns. max_position, maker_fee:
    as the gateway publishes them. problem: why the message does not reach Redis, our words. refresh_s, rest_s,
    max_age_s: the quoter's times, of which the countdowns are a part; None where they are not known.
    """

    pair: str
    now_ms: int = 0
    quotes: WantedQuotes | None = None
    rules: PairRules | None = None
    max_position: Decimal | None = None
    maker_fee: Decimal | None = None
    problem: str = ""
    refresh_s: float | None = None
    rest_s: float | None = None
    max_age_s: float | None = None


def quote_screen(view: QuoteView) -> Sized:
    sound = replace(
        view,
        quotes=view.quotes if drawable(view.quotes) else None,
        max_position=view.max_position if drawable(view.max_position) else None,
        maker_fee=view.maker_fee if drawable(view.maker_fee) else None,
    )
    return Sized(lambda width, height: _draw(sound, width, height))


def quote_line(view: QuoteView) -> str:
    """One plain line: both quotes or why not, fair and reservation price, inventory."""
    quotes, pair = view.quotes, safe(view.pair, 20)
    if quotes is None:
        return f"{pair}  starting"
    sides = [f"{side.value} {_order_words(view, quotes, side)}" for side in Side]
    decimals = _decimals(view, quotes, half=True)
    model = f"fair {number(quotes.fair, decimals)}  r {number(quotes.reservation, decimals)}"
    n = f"n {number(quotes.lots, 2, sign=True)}"
    return "  |  ".join([pair, *sides, model, n, *([f"problem: {safe(view.problem, 160)}"] if view.problem else [])])


def quote_data(view: QuoteView) -> dict[str, Any]:
    """The object of one ``--json`` line: the message, and a reason a side."""
    if view.quotes is None:
        return {"pair": view.pair, "quotes": None, "reasons": {}}
    reasons = {report.side.value: report.why for report in view.quotes.sides}
    return {"pair": view.pair, "quotes": msgspec.to_builtins(view.quotes), "reasons": reasons}


def _draw(view: QuoteView, width: int, height: int) -> RenderableType:
    quotes = view.quotes
    if quotes is None:
        return line((safe(view.pair, 20), palette.STRONG), status_word("STARTING", palette.WARN))
    head: list[RenderableType] = [_heading(view, quotes)]
    head += [_side_row(view, quotes, side) for side in (Side.ASK, Side.BID)]
    if view.problem:
        head.append(line(status_word(safe(view.problem, 160), palette.BAD)))
    head += [line(status_word(safe(text, 200), palette.WARN)) for text in quotes.warnings[:4]]
    picture = axis(_marks(view, quotes), width)
    if picture and height >= len(head) + PICTURE_ROWS:
        head += [rule("one price axis", width), *picture]
    gauge = _inventory(view, quotes, width)
    if gauge is not None and height >= len(head) + PICTURE_ROWS:
        head += [rule("inventory", width), gauge]
    steps, about = _steps(quotes), facts(_fact_rows(view, quotes), label_width=12)
    title = "from the fair price to the order, bp"
    if width >= TWO_COLUMNS:
        body: list[RenderableType] = [rule(title, width), columns(steps, about)]
    else:
        body = [rule(title, width), steps, rule("model and position", width), about]
    return stack([*head, *body] if height > len(head) + 3 else head)


def _marks(view: QuoteView, quotes: WantedQuotes) -> list[Mark]:
    """Every price of the picture that is known."""
    decimals = _decimals(view, quotes)
    marks: list[Mark] = []

    def add(price: Decimal | float | None, glyph: str, name: str, style: str, strength: int, *, above: bool) -> None:
        if price is not None and math.isfinite(price):
            value = float(price)
            shown = number(price, decimals if isinstance(price, Decimal) else decimals + 1)
            marks.append(Mark(value, glyph, f"{name} {shown}", style, above, strength))

    for side in Side:
        intent = _intent(quotes, side)
        if intent is not None:
            label = f"{palette.OWN_MARK} {side.value}"
            add(intent.price, palette.OWN_MARK, label, palette.side_style(side), 9, above=True)
    add(quotes.reservation, "R", "R reservation", palette.STRONG, 8, above=True)
    add(quotes.fair, "F", "F fair", palette.STRONG, 7, above=True)
    add(quotes.best_bid, "┤", "bid ┤", palette.BID, 6, above=False)
    add(quotes.best_ask, "├", "├ ask", palette.ASK, 5, above=False)
    if view.maker_fee and quotes.fair and view.maker_fee.is_finite():
        fee = float(view.maker_fee) * quotes.fair
        add(quotes.fair - fee, "┼", "┼ even", palette.MUTED, 4, above=False)
        add(quotes.fair + fee, "┼", "┼ even", palette.MUTED, 3, above=False)
    return marks


def _inventory(view: QuoteView, quotes: WantedQuotes, width: int) -> Text | None:
    """The position between its limits, the target in the middle."""
    limit, target, position = view.max_position, quotes.inventory_target, quotes.position
    if limit is None or target is None or position is None or not limit.is_finite() or limit <= 0:
        return None
    off = ratio_signed(position - target, limit)
    most = number(limit, common_decimals([limit]))
    low, high = f"short {most} ", f" long {most}"
    words = f"  {with_unit(_short(position - target), _base(view), sign=True)}, {percent(abs(off), 0)} of the limit"
    arm = max((min(width, 120) - len(low) - len(high) - len(words) - 3) // 2, 3)
    reach = min(round(min(abs(off), 1.0) * arm) or (1 if off else 0), arm)
    style = palette.WARN if abs(off) >= 0.8 else palette.BID if off > 0 else palette.ASK
    left = "█" * reach if off < 0 else ""
    right = "█" * reach if off > 0 else ""
    return line(
        (low + "├", palette.MUTED),
        Text.assemble(("·" * (arm - len(left)), palette.MUTED), (left, style)),
        ("┼", palette.MUTED),
        Text.assemble((right, style), ("·" * (arm - len(right)), palette.MUTED)),
        ("┤" + high, palette.MUTED),
        words,
        gap="",
    )


def ratio_signed(part: Decimal, whole: Decimal) -> float:
    """``part / whole`` for drawing, bounded; whole > 0."""
    return 0.0 if not part.is_finite() else float(max(min(part / whole, Decimal(99)), Decimal(-99)))


def _heading(view: QuoteView, quotes: WantedQuotes) -> Text:
    both = {intent.side for intent in quotes.intents} == set(Side)
    word, style = ("QUOTING", palette.GOOD) if both else ("ONE SIDE", palette.WARN)
    if not quotes.intents:
        reasons = {report.why.value for report in quotes.sides if report.why is not None}
        word, style = (reasons.pop() if len(reasons) == 1 else "NO QUOTE"), palette.WARN
    decimals, counter = _decimals(view, quotes, half=True), _counter(view)
    skew = None if quotes.fair is None or quotes.reservation is None else quotes.reservation / quotes.fair - 1
    return line(
        (safe(view.pair, 20), palette.STRONG),
        status_word(word, style),
        f"fair {with_unit(quotes.fair, counter, decimals)}",
        (f"reservation {with_unit(quotes.reservation, counter, decimals)}", palette.STRONG),
        f"skew {bp(skew, sign=True)}",
    )


def _side_row(view: QuoteView, quotes: WantedQuotes, side: Side) -> Text:
    """One side: its order with distance and countdown, or why there is none."""
    intent, report = _intent(quotes, side), _report(quotes, side)
    style = palette.side_style(side)
    parts: list[str | Text | tuple[str, str]] = [(f"{side.value:<4}", style)]
    if intent is not None:
        away = None if not quotes.fair or not intent.price.is_finite() else float(intent.price) / quotes.fair - 1
        parts += [
            (number(intent.price, _decimals(view, quotes)), style),
            with_unit(_short(intent.size), _base(view)),
            (f"{bp(away, sign=True)} of fair", palette.MUTED),
            (f"age {age(view.now_ms - intent.created_ms)}{_of(view.max_age_s)}", palette.MUTED),
        ]
    others = [other for other in quotes.intents if other.side is side and other is not intent]
    if others:
        prices = [other.price for other in others]
        farthest = number((min if side is Side.BID else max)(prices), _decimals(view, quotes))
        parts.append((f"and {len(others)} more to {farthest}", palette.MUTED))
    if report is not None and report.why is not None:
        parts.append((f"{report.why.value}{': ' + safe(report.detail, 120) if report.detail else ''}", palette.WARN))
    if report is not None and report.next_ms is not None:
        verb = "refresh in" if intent is not None else "for"
        left = age(max(0, report.next_ms - view.now_ms))
        whole = view.refresh_s if intent is not None else view.rest_s if report.why is Why.COOLDOWN else None
        parts.append((f"{verb} {left}{_of(whole)}", palette.MUTED))
    return line(*parts)


def _of(seconds: float | None) -> str:
    return "" if seconds is None else f" of {age(seconds * 1000)}"


def _steps(quotes: WantedQuotes) -> RenderableType:
    """What each step added to either side's price, in bp of the fair price it started from."""
    sides = (Side.BID, Side.ASK)
    ladders = {side: _deltas(_report(quotes, side)) for side in sides}
    names = list(dict.fromkeys(name for ladder in ladders.values() for name in ladder))[:12]
    labels = [Text(STEP_WORDS.get(name) or safe(name, 16), palette.MUTED) for name in names]
    drawn = [Column("", [Text("step", palette.MUTED), *labels, Text("order", palette.STRONG)])]
    for side in sides:
        added = [ladders[side].get(name) for name in names]
        total = sum(ladders[side].values()) if ladders[side] else None
        *figures, summed = column([*added, total], 2, sign=True)
        title = Text(side.value, palette.side_style(side))
        drawn.append(Column("", [title, *figures, Text(summed, palette.STRONG)], right=True))
    return stack(table(drawn, STEPS_WIDTH, head=False))


def _deltas(report: SideReport | None) -> dict[str, float]:
    """Step name -> what it added, bp of the first step's price; empty when nothing was priced."""
    steps = [] if report is None else report.steps
    if len(steps) < 2 or not all(math.isfinite(step.price) for step in steps) or steps[0].price <= 0:
        return {}
    start = steps[0].price
    return {b.name: 1e4 * (b.price - a.price) / start for a, b in itertools.pairwise(steps)}


def _fact_rows(view: QuoteView, quotes: WantedQuotes) -> list[Fact]:
    daily = None if quotes.sigma is None else quotes.sigma * math.sqrt(DAY_S)
    inverse = inverse_kappa(quotes.kappa, quotes.fair)
    base = _base(view)
    limit = None if view.max_position is None or not view.max_position.is_finite() else view.max_position
    target, lot = quotes.inventory_target, _short(quotes.lot)
    return [
        ("position", with_unit(quotes.position, base)),
        ("  target", f"{with_unit(target, base)}  limit {number(limit)} off it"),
        ("  in lots", f"{number(quotes.lots, 2, sign=True)} of {with_unit(lot, base)}"),
        ("spread", f"{number(quotes.spread_bps, 1)} bp before fees"),
        ("shift", f"{number(quotes.shift_bps_per_lot, 2)} bp a lot, flips at {number(quotes.n_flip, 2)}"),
        ("gamma", number(quotes.gamma, 3)),
        ("σ", f"{percent(daily, 2)} a day"),
        ("1/κ", f"{bp(inverse)}  A {with_unit(quotes.intensity, '/s', 4)}"),
        ("estimates", safe(quotes.estimates_from, 40) if quotes.estimates_from else UNKNOWN),
        ("maker fee", percent(as_float(view.maker_fee), 2)),
    ]


def _order_words(view: QuoteView, quotes: WantedQuotes, side: Side) -> str:
    intent, report = _intent(quotes, side), _report(quotes, side)
    why = "" if report is None or report.why is None else report.why.value
    if intent is not None:
        size = number(_short(intent.size))
        return f"{number(intent.price, _decimals(view, quotes))} x {size}{' ' + why if why else ''}"
    wait = "" if report is None or report.next_ms is None else f" {age(max(0, report.next_ms - view.now_ms))}"
    detail = f" ({safe(report.detail, 100)})" if report is not None and report.detail else ""
    return f"none: {why or UNKNOWN}{detail}{wait}"


def _intent(quotes: WantedQuotes, side: Side) -> Intent | None:
    return next((intent for intent in quotes.intents if intent.side is side), None)


def _report(quotes: WantedQuotes, side: Side) -> SideReport | None:
    """Of the level that is drawn: the nearest one wanted, else the nearest."""
    intent = _intent(quotes, side)
    level = 0 if intent is None else intent.level
    return next((report for report in quotes.sides if report.side is side and report.level == level), None)


def _decimals(view: QuoteView, quotes: WantedQuotes, *, half: bool = False) -> int:
    """Of prices; half: one more, for a mean of two."""
    if view.rules is not None:
        return max(view.rules.price_scale, 0) + (1 if half else 0)
    known: Sequence[Decimal | None] = [quotes.best_bid, quotes.best_ask, *(i.price for i in quotes.intents)]
    return common_decimals(known) + (1 if half else 0)


def _short(value: Decimal | None) -> Decimal | None:
    """Without trailing zeros: 0.025000 says nothing more than 0.025."""
    return None if value is None or not value.is_finite() else value.normalize()


def _base(view: QuoteView) -> str:
    return safe(view.rules.base, 8) if view.rules is not None else ""


def _counter(view: QuoteView) -> str:
    return safe(view.rules.counter, 8) if view.rules is not None else ""
