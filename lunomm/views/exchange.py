"""The simulated exchange at a glance: its markets, its visitors, and what an estimator should find there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lunomm.views import palette
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.table import Column, table
from lunomm.views.text import UNKNOWN, age, aligned, as_float, column, number, percent, safe

TWO_COLUMNS = 70
ROOMY = 100
CALLS = "calls/60 s of 300"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """What resting orders came to since the exchange was started, base: by their queues, and by two cruder rules.

    pessimistic: only what traded strictly beyond their prices; optimistic: whole at the first touch. uncertain: orders
    that rested while the upstream was away, of so many orders.
    """

    orders: int
    uncertain: int
    rested: Decimal
    pessimistic: Decimal
    queue: Decimal
    optimistic: Decimal


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One market now. bid, ask: counter. updates_per_s, trades_per_min: over the last minute. streams: listeners.

    orders: visitors' working orders. filled: visitors' orders filled at least in part. profile: its behaviour.
    sigma_daily: true, per sqrt(day); kappa_bp: true 1/kappa in bp; intensity: true A, 1/s a side; taker_rate: taker
    orders, 1/s; None where not stated. paper: of a paper exchange.
    """

    pair: str
    status: str
    bid: Decimal | None
    ask: Decimal | None
    updates_per_s: float
    trades_per_min: float
    streams: int
    orders: int
    filled: int
    profile: str
    sigma_daily: float | None = None
    kappa_bp: float | None = None
    intensity: float | None = None
    taker_rate: float | None = None
    paper: PaperRow | None = None


@dataclass(frozen=True, slots=True)
class VisitorRow:
    """One account. keys: good ones. market_streams, user_streams: open now. orders: working. filled: at least in part.

    calls_used: by the busiest of its keys in the last 60 s; its budget is 300.
    """

    owner: str
    keys: int
    market_streams: int
    user_streams: int
    orders: int
    filled: int
    calls_used: int


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault that is armed. reached: how often it struck. active: False once its count or its time is over."""

    number: int
    name: str
    parameters: str
    reached: int
    active: bool


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """One exchange at one instant. calls_used: by the busiest key in the last 60 s. profile None: not simulated."""

    url: str
    run_id: str
    seed: int
    profile: str | None
    tape: str | None
    speed: float
    fee_tier: int
    running_s: float
    streams: int
    calls: int
    calls_used: int
    slow_clients: int
    markets: tuple[MarketRow, ...]
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    visitors: tuple[VisitorRow, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    upstream: str | None = None


def exchange_screen(view: ExchangeView) -> Sized:
    return Sized(lambda width, height: _draw(view, width, height))


def exchange_line(view: ExchangeView) -> str:
    """One plain line: where, what runs, how busy."""
    main = view.markets[0]
    quote = f"{number(main.bid)} / {number(main.ask)}"
    return "  |  ".join(
        [
            f"exchange {safe(view.url, 60)}",
            _what(view),
            f"{safe(main.pair, 20)} {quote} {safe(main.status, 12)}",
            f"{number(sum(row.trades_per_min for row in view.markets), 0)} trades/min",
            f"{view.streams} streams",
            f"{sum(row.orders for row in view.markets)} visitors' orders",
            f"{sum(row.filled for row in view.markets)} filled",
            *([f"made {_made(main.paper)}"] if main.paper is not None and main.paper.orders else []),
            *([f"{armed} faults armed"] if (armed := sum(row.active for row in view.faults)) else []),
        ]
    )


def exchange_data(view: ExchangeView) -> dict[str, Any]:
    """The object of one ``--json`` line."""
    return asdict(view)


def _made(paper: PaperRow) -> str:
    return (
        f"{number(paper.queue)} of {number(paper.rested)} "
        f"(trade-through {number(paper.pessimistic)}, touch {number(paper.optimistic)})"
    )


def _what(view: ExchangeView) -> str:
    if view.upstream is not None:
        return f"market of {safe(view.upstream, 60)}, orders on paper"
    if view.tape is not None:
        return f"tape {safe(view.tape, 60)} at speed {view.speed:g}"
    what = f"profile {safe(view.profile or '', 20)}  seed {view.seed}"
    return what if view.speed == 1 else f"{what}  speed {view.speed:g}"


def _draw(view: ExchangeView, width: int, height: int) -> RenderableType:
    head = line(
        ("SIMULATED EXCHANGE" if view.upstream is None else "PAPER EXCHANGE", palette.STRONG),
        safe(view.url, 60),
        _what(view),
        (f"up {age(view.running_s * 1000)}", palette.MUTED),
    )
    tier: list[Fact] = [
        ("fee tier", f"{view.fee_tier}"),
        ("maker fee", percent(as_float(view.maker_fee), 2)),
        ("taker fee", percent(as_float(view.taker_fee), 2)),
        ("log in with", "key sim, secret sim"),
    ]
    visitors: list[Fact] = [
        ("streams", f"{view.streams} open"),
        ("calls/60 s", f"{view.calls_used} of 300, {number(view.calls)} in all"),
        ("orders", f"{sum(row.orders for row in view.markets)} working"),
        ("too slow", f"{view.slow_clients} dropped", palette.WARN if view.slow_clients else palette.PLAIN),
    ]
    left, right = facts(tier, label_width=12), facts(visitors, label_width=10)
    wide = width >= TWO_COLUMNS
    rows = view.markets[: max(1, height - 3)]
    blocks: list[RenderableType] = [head, rule("markets", width), *_markets(rows, width)]
    room = height - 3 - len(rows)
    needed = 1 + (max(len(tier), len(visitors)) if wide else len(tier) + len(visitors))
    # What is wrong comes first, then who is there: a screen too small for all of it shows these.
    ailing = sorted(view.faults, key=lambda row: not row.active)[: max(0, room - 2)]
    for title, count, drawn in (
        ("faults", len(ailing), _faults(ailing, width)),
        ("visitors", len(view.visitors), _visitors(view.visitors, width)),
    ):
        if count and room >= 2 + count:
            blocks += [rule(title, width), *drawn]
            room -= 2 + count
    if room >= needed:
        blocks += [rule("the door", width), *([columns(left, right)] if wide else [left, right])]
        room -= needed
    if view.upstream is not None:
        made = [row for row in rows if row.paper is not None]
        if made and room >= 2 + len(made):
            blocks += [rule("made by their queues, and by cruder rules", width), *_paper(made, width)]
    elif view.tape is None and room >= 2 + len(rows):
        blocks += [rule("the truth behind them", width), *_truth(rows, width)]
    return stack(blocks)


def _markets(rows: Sequence[MarketRow], width: int) -> list[RenderableType]:
    short = width < ROOMY
    bids, asks = (aligned([number(price) for price in side]) for side in ([r.bid for r in rows], [r.ask for r in rows]))
    trades = column([row.trades_per_min for row in rows], 0)
    return table(
        [
            Column("pair", [Text(safe(row.pair, 20), palette.STRONG) for row in rows]),
            Column("status", [_status(row) for row in rows], rank=3),
            Column("bid", [Text(figure, palette.BID) for figure in bids], right=True),
            Column("ask", [Text(figure, palette.ASK) for figure in asks], right=True),
            Column("upd/s" if short else "updates/s", column([r.updates_per_s for r in rows], 1), rank=5, right=True),
            Column("tr/min" if short else "trades/min", trades, rank=2, right=True),
            Column("orders", [_orders(row.orders) for row in rows], rank=1, right=True),
            Column("filled", [number(row.filled) for row in rows], rank=4, right=True),
        ],
        width,
    )


def _status(row: MarketRow) -> Text:
    return status_word(safe(row.status, 12), palette.GOOD if row.status == "ACTIVE" else palette.WARN)


def _orders(count: int) -> Text:
    return Text(number(count), palette.OWN if count else palette.PLAIN)


def _visitors(rows: Sequence[VisitorRow], width: int) -> list[RenderableType]:
    used = [Text(number(r.calls_used), palette.WARN if r.calls_used >= 240 else palette.PLAIN) for r in rows]
    return table(
        [
            Column("account", [Text(safe(row.owner, 20), palette.STRONG) for row in rows]),
            Column("keys", [number(row.keys) for row in rows], rank=3, right=True),
            Column("market streams", [number(row.market_streams) for row in rows], rank=4, right=True),
            Column("user streams", [number(row.user_streams) for row in rows], rank=4, right=True),
            Column("orders", [_orders(row.orders) for row in rows], rank=1, right=True),
            Column("filled", [number(row.filled) for row in rows], rank=2, right=True),
            Column(CALLS, used, right=True),
        ],
        width,
    )


def _faults(rows: Sequence[FaultRow], width: int) -> list[RenderableType]:
    styles = [palette.WARN if row.active else palette.MUTED for row in rows]
    named = zip(rows, styles, strict=True)
    return table(
        [
            Column("fault", [Text(f"{row.number} {safe(row.name, 24)}", style) for row, style in named]),
            Column("reached", [number(row.reached) for row in rows], right=True),
            Column("", [Text("armed" if r.active else "over", s) for r, s in zip(rows, styles, strict=True)], rank=1),
            Column("parameters", [Text(safe(r.parameters, 80), palette.MUTED) for r in rows], rank=2, prose=True),
        ],
        width,
    )


def _paper(rows: Sequence[MarketRow], width: int) -> list[RenderableType]:
    made = [(row, row.paper) for row in rows if row.paper is not None]
    papers = [paper for _, paper in made]
    queues = [
        Text(figure, palette.OWN if paper.queue else palette.PLAIN)
        for figure, paper in zip(aligned([number(paper.queue) for paper in papers]), papers, strict=True)
    ]
    unsure = [
        Text(f"{paper.uncertain} of {paper.orders}", palette.WARN if paper.uncertain else palette.PLAIN)
        for paper in papers
    ]
    return table(
        [
            Column("pair", [safe(row.pair, 20) for row, _ in made]),
            Column("rested", aligned([number(paper.rested) for paper in papers]), rank=1, right=True),
            Column("trade-through", aligned([number(paper.pessimistic) for paper in papers]), rank=2, right=True),
            Column("queue", queues, right=True),
            Column("touch", aligned([number(paper.optimistic) for paper in papers]), rank=2, right=True),
            Column("uncertain", unsure, rank=3, right=True),
        ],
        width,
    )


def _truth(rows: Sequence[MarketRow], width: int) -> list[RenderableType]:
    sigma = [UNKNOWN if row.sigma_daily is None else f"{percent(row.sigma_daily, 2)}/day" for row in rows]
    depth = ["not stated" if row.kappa_bp is None else f"{number(row.kappa_bp, 1)} bp" for row in rows]
    rate = ["not stated" if row.intensity is None else f"{number(row.intensity, 4)} /s" for row in rows]
    takers = [UNKNOWN if row.taker_rate is None else f"{number(row.taker_rate * 60, 1)} /min" for row in rows]
    return table(
        [
            Column("pair", [safe(row.pair, 20) for row in rows]),
            Column("profile", [safe(row.profile, 20) for row in rows], rank=1),
            Column("sigma", sigma, right=True),
            Column("1/kappa", depth, rank=2, right=True),
            Column("A a side", rate, rank=3, right=True),
            Column("takers", takers, rank=4, right=True),
        ],
        width,
    )
