"""The book's screen: ladder with depth, our orders in it, signals, and the estimates with their readiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import BookState, Level, OwnOrder, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.views import palette
from lunomm.views.calibrate import estimate_facts
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.text import UNKNOWN, age, bar, bp, column, common_decimals, number, safe, sparkline, with_unit

NOTES = 60
"""Width of the ladder from which it says where our own orders stand, in NOTE_WIDTH more columns."""
NOTE_WIDTH = 26
NARROW = 60
"""Columns below which only the ladder is drawn."""
STALE_MS = 10_000.0
"""Silence of the stream after which figures are drawn as stale (design 4)."""


@dataclass(frozen=True, slots=True)
class BookView:
    """What the screen of one pair shows.

    tick: the newest, None before the first. mids: recent ones a second apart, oldest first. trades: newest last.
    source: where the frames come from. note: one line of ours worth reading (why the book resynced, a tape's end).
    audit_note: why the book is not being compared with the venue's list. recording: whether a tape is written.
    """

    pair: str
    source: str = ""
    tick: Tick | None = None
    rules: PairRules | None = None
    mids: tuple[float | None, ...] = ()
    trades: tuple[TakerOrder, ...] = ()
    frames_per_s: float | None = None
    resyncs: int = 0
    note: str = ""
    audit_note: str = ""
    recording: bool = False


def book_screen(views: Sequence[BookView]) -> Sized:
    """One pair: its whole book. Several: a line each, then the first pair's book."""
    return Sized(lambda width, height: _draw(tuple(views), width, height))


def book_line(view: BookView) -> str:
    """One plain line for logs and pipes."""
    pair, tick = safe(view.pair, 20), view.tick
    if tick is None:
        return f"{pair}  waiting for the first frame  {safe(view.note, 100)}".rstrip()
    estimates = tick.estimates
    decimals = _price_decimals(view)
    return "  ".join(
        part
        for part in (
            f"{pair}  {tick.state.value}  mid {number(tick.mid_price, decimals + 1)}",
            f"bid {number(tick.best_bid, decimals)}  ask {number(tick.best_ask, decimals)}",
            f"spread {bp(_relative_spread(tick))}",
            f"sigma {with_unit(tick.volatility_daily_pct, '% a day', 2)}",
            f"kappa {estimates.verdict.value} n {estimates.sample}",
            f"sequence {tick.sequence if tick.sequence is not None else UNKNOWN}",
            f"age {age(tick.stream_age_ms)}",
            safe(view.note or view.audit_note, 100),
        )
        if part
    )


def heading(view: BookView, state: Text | None = None, alarm: Text | None = None) -> Text:
    """The line that matters most: pair, mid, state, spread, age.

    state: said instead of the book's state. alarm: said first, before the price.
    """
    tick = view.tick
    first = alarm if alarm is not None else ""
    if tick is None:
        return line(
            (safe(view.pair, 20), palette.STRONG),
            first,
            status_word("WAITING", palette.WARN),
            (safe(view.note, 100), palette.MUTED),
        )
    counter = safe(view.rules.counter, 8) if view.rules is not None else ""
    return line(
        (safe(view.pair, 20), palette.STRONG),
        first,
        (with_unit(tick.mid_price, counter, _price_decimals(view, half=True)), palette.STRONG),
        state if state is not None else status_word(tick.state.value, palette.state_style(tick.state)),
        f"spread {spread_words(tick, view.rules)}",
        _age_text(tick.stream_age_ms),
        (safe(view.source, 60), palette.MUTED),
    )


def spread_words(tick: Tick, rules: PairRules | None) -> str:
    """The spread in ticks (where the tick is known) and basis points."""
    if tick.spread is None:
        return UNKNOWN
    relative = bp(_relative_spread(tick))
    if rules is None:
        return relative
    ticks = ratio(tick.spread, rules.tick_size)
    return relative if ticks is None else f"{number(ticks, 0)} tick{'' if ticks == 1 else 's'} {relative}"


def ratio(part: Decimal | None, whole: Decimal | None) -> float | None:
    """``part / whole`` for drawing; None unless both are plain numbers and ``whole`` is positive."""
    if part is None or whole is None or not (part.is_finite() and whole.is_finite()) or whole <= 0:
        return None
    return float(part / whole) if abs(part.adjusted() - whole.adjusted()) < 300 else None


def _sound(levels: Sequence[Level]) -> list[Level]:
    """Levels that can be compared and drawn: a message from outside may hold NaN."""
    return [level for level in levels if level.price.is_finite() and level.volume.is_finite()]


def _draw(views: tuple[BookView, ...], width: int, height: int) -> RenderableType:
    if not views:
        return Text("no pair")
    top: list[RenderableType] = [heading(view) for view in views[: max(height // 3, 1)]]
    view = views[0]
    body_height = height - len(top) - 2
    title = safe(view.pair, 20) if len(views) > 1 else ""
    footer = line((safe(view.note, 200), palette.WARN)) if view.note else line((_counters(view), palette.MUTED))
    return stack([*top, rule(title, width), _body(view, width, body_height), footer])


def _body(view: BookView, width: int, height: int) -> RenderableType:
    if view.tick is None:
        return Text("waiting for the first frame", palette.MUTED)
    rows = max((height - 1) // 2, 1)
    if width < NARROW:
        return ladder(view, rows, width)
    left = min(max(width // 2, 36), 78)
    right = width - left - 3
    side = facts(_fact_rows(view, right)[:height], label_width=12)
    extras = _extras(view, right, height - len(_fact_rows(view, right)))
    return columns(ladder(view, rows, left), stack([side, *extras]), widths=(left, right))


def ladder(view: BookView, rows: int, width: int) -> RenderableType:
    """Asks above bids around the spread, each level with a bar of its volume and our own orders marked."""
    tick = view.tick
    assert tick is not None
    asks, bids = _sound(tick.asks[:rows])[::-1], _sound(tick.bids[:rows])
    shown = [*asks, *bids]
    prices = column([level.price for level in shown], _price_decimals(view))
    volumes = column([level.volume for level in shown], common_decimals((row.volume for row in shown), 6))
    most = max((level.volume for level in shown), default=Decimal(0))
    own: dict[tuple[Side, Decimal], list[OwnOrder]] = {}
    for order in tick.own:
        own.setdefault((order.side, order.price), []).append(order)
    figures = len(prices[0]) + len(volumes[0]) if shown else 0
    notes = width >= NOTES
    bar_width = max(width - figures - 8 - (NOTE_WIDTH if notes else 0), 3)
    stale = tick.state in (BookState.STALE, BookState.RESYNC)
    drawn: list[RenderableType] = []
    for index, level in enumerate(shown):
        side = Side.ASK if index < len(asks) else Side.BID
        style = palette.MUTED if stale else palette.side_style(side)
        ours = own.get((side, level.price), [])
        row = Text(palette.OWN_MARK if ours else " ", palette.OWN, no_wrap=True, overflow="ellipsis")
        row.append(f" {side.value} ", style)
        row.append(f"{prices[index]} ", palette.OWN if ours else style)
        row.append(f"{volumes[index]} ", palette.MUTED if stale else palette.PLAIN)
        row.append(bar(ratio(level.volume, most), bar_width), style)
        if ours and notes:
            row.append(f" {_place(ours[0])}", palette.OWN)
        drawn.append(row)
    drawn.insert(len(asks), Text(f"      {spread_words(tick, view.rules)}", palette.MUTED, no_wrap=True))
    if not asks or not bids:
        missing = "no bids, no asks" if not shown else "no asks" if not asks else "no bids"
        drawn.insert(0 if bids else len(drawn), Text(f"      {missing}", palette.WARN))
    return stack(drawn)


def _place(order: OwnOrder) -> str:
    ahead = f"{number(order.orders_ahead)} ahead" if order.orders_ahead else "first"
    return f"ours {number(order.volume)} {ahead}"


def _fact_rows(view: BookView, width: int) -> list[Fact]:
    tick = view.tick
    assert tick is not None
    half = _price_decimals(view, half=True)
    imbalance = tick.order_imbalance
    words = f"{number(None if imbalance is None else imbalance * 100, 0)} % bid" if imbalance is not None else UNKNOWN
    rows: list[Fact] = [
        ("mid", number(tick.mid_price, half)),
        ("weighted mid", number(tick.weighted_mid, half)),
        *([] if tick.micro_price is None else [("micro-price", number(tick.micro_price, half))]),
        ("VAMP", number(tick.vamp, half)),
        ("imbalance", line((bar(imbalance, 10), palette.BID), words, gap=" ")),
    ]
    rows += estimate_facts(tick.estimates, _float(tick.mid_price), wide=width >= 40)
    rows += [
        ("trades", with_unit(tick.trades_per_minute, "/min", 1)),
        ("orders", f"{number(tick.orders)} in {number(tick.levels)} levels"),
    ]
    rows += [_own_row(order) for order in tick.own[:4]]
    return rows


def _own_row(order: OwnOrder) -> Fact:
    ahead = f"{number(order.orders_ahead)} ahead  ({number(order.volume_ahead)})" if order.orders_ahead else "first"
    return (
        f"{palette.OWN_MARK} our {order.side.value}",
        f"{number(order.volume)} @ {number(order.price)}  {ahead}",
        palette.OWN,
    )


def _extras(view: BookView, width: int, height: int) -> list[RenderableType]:
    """What fits below the facts: the mid's path, then the newest taker orders."""
    blocks: list[RenderableType] = []
    spark = sparkline(view.mids, min(width - 14, 120))
    if spark and height >= 1:
        blocks.append(facts([("last minutes", spark)], label_width=12))
        height -= 1
    if view.trades and height >= 2:
        blocks.append(rule("taker orders", width))
        newest = view.trades[-(height - 1) :][::-1]
        prices = column([trade.deepest for trade in newest], _price_decimals(view))
        volumes = column([trade.volume for trade in newest], common_decimals(trade.volume for trade in newest))
        for trade, price, volume in zip(newest, prices, volumes, strict=True):
            verb = "bought" if trade.side is Side.BID else "sold  "
            ours = (f"{palette.OWN_MARK} ours", palette.OWN) if trade.own_only else ""
            blocks.append(line((verb, palette.side_style(trade.side)), volume, f"to {price}", ours, gap=" "))
    return blocks


def _counters(view: BookView) -> str:
    tick = view.tick
    if tick is None:
        return ""
    parts = [f"sequence {tick.sequence if tick.sequence is not None else UNKNOWN}", f"beat {number(tick.beat)}"]
    if tick.lag_ms is not None:
        parts.append(f"lag {age(tick.lag_ms)}")
    if view.frames_per_s is not None:
        parts.append(f"{number(view.frames_per_s, 1)} frames/s")
    parts.append(f"{number(view.resyncs)} resync{'' if view.resyncs == 1 else 's'}")
    if tick.audit is not None and tick.audit.drift is not None:
        parts.append(audit_words(tick.audit.drift, tick.audit.checks))
    if view.recording:
        parts.append("recording")
    return "  ".join(parts)


def audit_words(drift: float, checks: int) -> str:
    """How the book compared with the exchange's own list. drift: share of levels that differed."""
    return f"drift {number(drift * 100, 1 if drift else 0)} % in {number(checks)} audit{'' if checks == 1 else 's'}"


def _age_text(milliseconds: float | None) -> Text:
    """Age of the stream's last byte; nothing on a tape, which has none."""
    if milliseconds is None:
        return Text("")
    return Text(f"age {age(milliseconds)}", palette.BAD if milliseconds > STALE_MS else palette.MUTED)


def _relative_spread(tick: Tick) -> float | None:
    return ratio(tick.spread, tick.mid_price)


def _price_decimals(view: BookView, *, half: bool = False) -> int:
    """Decimals of the pair's tick, one more for a mid; without rules what the best prices show."""
    if view.rules is not None:
        return max(view.rules.price_scale, 0) + int(half)
    tick = view.tick
    shown = [] if tick is None else [tick.best_bid, tick.best_ask]
    return common_decimals(shown) + int(half)


def _float(value: Decimal | None) -> float | None:
    return None if value is None or not value.is_finite() else float(value)
