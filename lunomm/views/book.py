"""The book's screen: ladder with depth, our orders in it, signals, and the estimates with their readiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import OwnOrder, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.views import palette
from lunomm.views.estimates import estimate_facts
from lunomm.views.ladder import STALE_MS, fine, is_stale, ladder, price_decimals, ratio, spread_words
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.table import Column, table
from lunomm.views.text import (
    UNKNOWN,
    age,
    aligned,
    as_float,
    bar,
    bp,
    column,
    common_decimals,
    counted,
    number,
    percent,
    safe,
    sparkline,
    with_unit,
)

NARROW = 60
"""Columns below which only the ladder is drawn."""
LABELS = 12
SPARKS = 120
"""Cells of the mid's path, a second each."""
LEAST_TAKERS = 3
"""Rows below which taker orders, with their titles, are not drawn."""


@dataclass(frozen=True, slots=True)
class BookView:
    """What the screen of one pair shows.

    tick: the newest, None before the first. mids: recent ones a second apart, oldest first. trades: newest last.
    source: where the frames come from. note: one line of ours worth reading (why the book resynced, a tape's end).
    audit_note: why the book is not being compared with the venue's list. recording: whether a tape is written.
    now_ms: the exchange's clock, for the ages of trades; None where it is not known.
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
    now_ms: int | None = None


def book_screen(views: Sequence[BookView]) -> Sized:
    """One pair: its whole book. Several: a row each, then the first pair's book."""
    return Sized(lambda width, height: _draw(tuple(views), width, height))


def book_line(view: BookView) -> str:
    """One plain line for logs and pipes."""
    pair, tick = safe(view.pair, 20), view.tick
    if tick is None:
        return f"{pair}  waiting for the first frame  {safe(view.note, 100)}".rstrip()
    estimates, share = tick.estimates, _relative_spread(tick)
    decimals = price_decimals(tick, view.rules)
    return "  ".join(
        part
        for part in (
            f"{pair}  {tick.state.value}  mid {number(tick.mid_price, decimals + 1)}",
            f"bid {number(tick.best_bid, decimals)}  ask {number(tick.best_ask, decimals)}",
            f"spread {bp(share, fine(share))}",
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
    stale = is_stale(tick)
    return line(
        (safe(view.pair, 20), palette.STRONG),
        first,
        (
            with_unit(tick.mid_price, counter, price_decimals(tick, view.rules, half=True)),
            palette.MUTED if stale else palette.STRONG,
        ),
        state if state is not None else status_word(tick.state.value, palette.state_style(tick.state)),
        f"spread {spread_words(tick, view.rules)}",
        _age_text(tick.stream_age_ms),
        (palette.GOOD_MARK + " recording", palette.BAD) if view.recording else "",
        (safe(view.source, 60), palette.MUTED),
    )


# --- drawing -------------------------------------------------------------------------------------------------------


def _draw(views: tuple[BookView, ...], width: int, height: int) -> RenderableType:
    if not views:
        return Text("no pair")
    view = views[0]
    top: list[RenderableType] = [heading(view)] if len(views) == 1 else _pair_rows(views, width, max(height // 3, 2))
    if view.tick is not None and view.tick.reason:
        top.append(line((f"{safe(view.pair, 20)}: {safe(view.tick.reason, 160)}", palette.WARN)))
    foot: list[RenderableType] = [line((_counters(view), palette.MUTED))] if view.tick is not None else []
    if view.note:
        foot.append(line((safe(view.note, 200), palette.WARN)))
    title = safe(view.pair, 20) if len(views) > 1 else ""
    body_height = height - len(top) - 1 - len(foot)
    return stack([*top, rule(title, width), _body(view, width, body_height), *foot])


def _pair_rows(views: tuple[BookView, ...], width: int, most: int) -> list[RenderableType]:
    """A row a pair, the first pair first, then those in trouble: they are never the ones left out."""
    rest = sorted(views[1:], key=lambda view: view.tick is not None and palette.is_good(view.tick.state))
    shown = [views[0], *rest][: most - 1]
    known = [view.tick for view in shown]
    spreads = [None if tick is None else _relative_spread(tick) for tick in known]
    decimals = [price_decimals(view.tick, view.rules, half=True) for view in shown]
    mids = [number(tick.mid_price if tick else None, places) for tick, places in zip(known, decimals, strict=True)]
    rows = table(
        [
            Column("pair", [Text(safe(view.pair, 12), palette.STRONG) for view in shown]),
            Column("mid", aligned(mids), right=True),
            Column("", [safe(view.rules.counter, 6) if view.rules else "" for view in shown], rank=2),
            Column("state", [_state_word(tick) for tick in known]),
            Column("spread", aligned([bp(share, fine(share)) for share in spreads]), rank=1, right=True),
            Column("ticks", [_ticks(view) for view in shown], rank=2, right=True),
            Column("σ a day", column_percent(known), rank=4, right=True),
            Column("κ", [_verdict_word(tick) for tick in known], rank=3),
            Column("bid side", [percent(tick.order_imbalance if tick else None, 0) for tick in known], 7, right=True),
            Column("frames/s", [number(view.frames_per_s, 1) for view in shown], rank=5, right=True),
            Column("drift", [_drift(tick) for tick in known], rank=6, right=True),
            Column("age", [age(tick.stream_age_ms if tick else None) for tick in known], right=True),
            Column("", [safe(view.note, 60) for view in shown], rank=8, prose=True),
        ],
        width,
    )
    hidden = len(views) - len(shown)
    return [*rows, line((f"and {hidden} more", palette.MUTED))] if hidden else rows


def _state_word(tick: Tick | None) -> Text:
    if tick is None:
        return status_word("WAITING", palette.WARN)
    return status_word(tick.state.value, palette.state_style(tick.state))


def _verdict_word(tick: Tick | None) -> Text:
    if tick is None:
        return Text(UNKNOWN)
    return status_word(tick.estimates.verdict.value, palette.verdict_style(tick.estimates.verdict))


def column_percent(ticks: Sequence[Tick | None]) -> list[str]:
    return aligned([with_unit(tick.volatility_daily_pct if tick else None, "%", 2) for tick in ticks])


def _ticks(view: BookView) -> str:
    spread = view.tick.spread if view.tick is not None else None
    return number(ratio(spread, view.rules.tick_size) if view.rules is not None else None, 0)


def _drift(tick: Tick | None) -> str:
    return percent(tick.audit.drift if tick is not None and tick.audit is not None else None, 1)


def _body(view: BookView, width: int, height: int) -> RenderableType:
    tick = view.tick
    if tick is None:
        return Text("waiting for the first frame", palette.MUTED)
    if width < NARROW:
        return ladder(tick, view.rules, height, width)
    left = min(max(width // 2, 36), 78)
    right = width - left - 3
    rows = _fact_rows(view, tick, right)[:height]
    side: list[RenderableType] = [facts(_faded(rows) if is_stale(tick) else rows, label_width=LABELS)]
    side += _path(view, right, height - len(rows))
    side += _takers(view, right, height - len(rows) - len(side) + 1)
    return columns(ladder(tick, view.rules, height, left), stack(side), widths=(left, right))


def _fact_rows(view: BookView, tick: Tick, width: int) -> list[Fact]:
    half = price_decimals(tick, view.rules, half=True)
    counter = safe(view.rules.counter, 8) if view.rules is not None else ""
    prices = [
        ("mid", tick.mid_price),
        ("weighted mid", tick.weighted_mid),
        *([] if tick.micro_price is None else [("micro-price", tick.micro_price)]),
        ("VAMP", tick.vamp),
    ]
    figures = column([price for _, price in prices], half)
    rows: list[Fact] = [
        (name, f"{figure} {counter}".rstrip() if price is not None else figure)
        for (name, price), figure in zip(prices, figures, strict=True)
    ]
    imbalance = tick.order_imbalance
    words = UNKNOWN if imbalance is None else f"{number(imbalance * 100, 0)} % bid"
    rows.append(("imbalance", line((bar(imbalance, 10), palette.BID), words, gap=" ")))
    rows += estimate_facts(tick.estimates, as_float(tick.mid_price), wide=width >= 40)[:-1]
    rows.append(("ready", _ready(tick)))
    rows += [
        ("trades", with_unit(tick.trades_per_minute, "/min", 1)),
        ("orders", f"{number(tick.orders)} in {number(tick.levels)} levels"),
    ]
    rows += [_own_row(order) for order in tick.own[:4]]
    return rows


def _ready(tick: Tick) -> Text:
    """Whether σ and κ can be quoted from, and why not."""
    estimates = tick.estimates
    source = estimates.sigma_source
    sigma = palette.GOOD if tick.volatility_ready or source == "live" else palette.WARN if source else palette.BAD
    verdict = f"κ {estimates.verdict.value} n={number(estimates.sample)}"
    return line(
        status_word(f"σ {safe(source or 'none', 8)}", sigma),
        status_word(verdict, palette.verdict_style(estimates.verdict)),
        (safe(estimates.reason, 80), palette.MUTED),
    )


def _own_row(order: OwnOrder) -> Fact:
    ahead = f"{number(order.orders_ahead)} ahead  ({number(order.volume_ahead)})" if order.orders_ahead else "first"
    return (
        f"{palette.OWN_MARK} our {order.side.value}",
        f"{number(order.volume)} @ {number(order.price)}  {ahead}",
        palette.OWN,
    )


def _faded(rows: Sequence[Fact]) -> list[Fact]:
    """Figures of a book that may be another by now."""
    return [(row[0], row[1].plain if isinstance(row[1], Text) else row[1], palette.MUTED) for row in rows]


def _path(view: BookView, width: int, height: int) -> list[RenderableType]:
    """The mid's path over the last seconds, with where it was lowest and highest; two rows or none."""
    shown = view.mids[-min(max(width - LABELS - 1, 0), SPARKS) :]
    spark = sparkline(shown, len(shown))
    if not spark or height < 2:
        return []
    known = [mid for mid in shown if mid is not None]
    half = price_decimals(view.tick, view.rules, half=True)
    words = f"{number(min(known), half)} to {number(max(known), half)}"
    return [facts([(f"mid, {age(len(shown) * 1000)}", spark), ("", words, palette.MUTED)], label_width=LABELS)]


def _takers(view: BookView, width: int, height: int) -> list[RenderableType]:
    """The newest taker orders: what they took, how deep they reached, how long ago."""
    if not view.trades or height < LEAST_TAKERS:
        return []
    newest = view.trades[-(height - 2) :][::-1]
    base, counter = ("", "") if view.rules is None else (safe(view.rules.base, 6), safe(view.rules.counter, 6))
    verbs = ["bought" if trade.side is Side.BID else "sold" for trade in newest]
    ages = ["" if view.now_ms is None else f"{age(view.now_ms - trade.exchange_ms)} ago" for trade in newest]
    return [
        rule("last taker orders", width),
        *table(
            [
                Column(
                    "took",
                    [Text(verb, palette.side_style(t.side)) for verb, t in zip(verbs, newest, strict=True)],
                ),
                Column(base, column([t.volume for t in newest], common_decimals(t.volume for t in newest)), right=True),
                Column(
                    f"to {counter}".rstrip(),
                    column([t.deepest for t in newest], price_decimals(view.tick, view.rules)),
                    right=True,
                ),
                Column("off mid", aligned([_off(t) for t in newest]), rank=2, right=True),
                Column("", ages, rank=1, right=True),
                Column("", [Text(f"{palette.OWN_MARK} ours", palette.OWN) if t.own_only else "" for t in newest]),
            ],
            width,
        ),
    ]


def _off(trade: TakerOrder) -> str:
    """How far from the mid before it a taker order reached."""
    deepest = as_float(trade.deepest)
    return UNKNOWN if deepest is None or not trade.mid else bp(deepest / trade.mid - 1, sign=True)


def _counters(view: BookView) -> str:
    """What the stream does; the sooner said, the less room it needs to be seen."""
    tick = view.tick
    if tick is None:
        return ""
    parts = [f"sequence {tick.sequence if tick.sequence is not None else UNKNOWN}"]
    if view.frames_per_s is not None:
        parts.append(f"{number(view.frames_per_s, 1)} frames/s")
    if tick.lag_ms is not None:
        parts.append(f"lag {age(tick.lag_ms)}")
    if tick.audit is not None and tick.audit.drift is not None:
        parts.append(audit_words(tick.audit.drift, tick.audit.checks))
    parts.append(counted(view.resyncs, "resync"))
    if tick.audit is not None and tick.audit.at_ms is not None:
        parts.append(f"last audit {age(max(tick.ts - tick.audit.at_ms, 0.0))} ago")
    if view.audit_note:
        parts.append(safe(view.audit_note, 80))
    parts.append(f"beat {number(tick.beat)}")
    return "  ".join(parts)


def audit_words(drift: float, checks: int) -> str:
    """How the book compared with the exchange's own list. drift: share of levels that differed."""
    return f"drift {number(drift * 100, 1 if drift else 0)} % in {counted(checks, 'audit')}"


def _age_text(milliseconds: float | None) -> Text:
    """Age of the stream's last byte; nothing on a tape, which has none."""
    if milliseconds is None:
        return Text("")
    return Text(f"age {age(milliseconds)}", palette.BAD if milliseconds > STALE_MS else palette.MUTED)


def _relative_spread(tick: Tick) -> float | None:
    return ratio(tick.spread, tick.mid_price)
