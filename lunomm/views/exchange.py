"""The simulated exchange at a glance: its markets, its visitors, and what an estimator should find there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.views import palette
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.text import UNKNOWN, age, as_float, number, percent, safe

TWO_COLUMNS = 70
NARROW = 48
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
    blocks: list[RenderableType] = [head, rule("markets", width), _markets(rows, width)]
    room = height - 3 - len(rows)
    needed = 1 + (max(len(tier), len(visitors)) if wide else len(tier) + len(visitors))
    # What is wrong comes first, then who is there: a screen too small for all of it shows these.
    ailing = sorted(view.faults, key=lambda row: not row.active)[: max(0, room - 2)]
    for title, count, table in (
        ("faults", len(ailing), _faults(ailing, width)),
        ("visitors", len(view.visitors), _visitors(view.visitors, width)),
    ):
        if count and room >= 2 + count:
            blocks += [rule(title, width), table]
            room -= 2 + count
    if room >= needed:
        blocks += [rule("the door", width), *([columns(left, right)] if wide else [left, right])]
        room -= needed
    if view.upstream is not None:
        made = [row for row in rows if row.paper is not None]
        if made and room >= 2 + len(made):
            blocks += [rule("made by their queues, and by cruder rules", width), _paper(made)]
    elif view.tape is None and room >= 2 + len(rows):
        blocks += [rule("the truth behind them", width), _truth(rows)]
    return stack(blocks)


def _markets(rows: Sequence[MarketRow], width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    names = ["pair", "status", "bid", "ask", "updates/s", "trades/min", "orders", "filled"]
    if width < TWO_COLUMNS:
        names = ["pair", "bid", "ask", "trades/min", "orders"] if width >= NARROW else ["pair", "bid", "ask"]
    for name in names:
        table.add_column(justify="left" if name in ("pair", "status") else "right", no_wrap=True, overflow="ellipsis")
    short = {"updates/s": "upd/s", "trades/min": "tr/min"} if width < ROOMY else {}
    table.add_row(*[Text(short.get(name, name), palette.MUTED) for name in names])
    for row in rows:
        good = palette.GOOD if row.status == "ACTIVE" else palette.WARN
        cells: dict[str, Text] = {
            "pair": Text(safe(row.pair, 20), palette.STRONG),
            "status": status_word(safe(row.status, 12), good),
            "bid": Text(number(row.bid), palette.BID),
            "ask": Text(number(row.ask), palette.ASK),
            "updates/s": Text(number(row.updates_per_s, 1)),
            "trades/min": Text(number(row.trades_per_min, 0)),
            "orders": Text(number(row.orders), palette.OWN if row.orders else palette.PLAIN),
            "filled": Text(number(row.filled)),
        }
        table.add_row(*[cells[name] for name in names])
    return table


def _visitors(rows: Sequence[VisitorRow], width: int) -> Table:
    names: tuple[str, ...] = (
        "account",
        "keys",
        "market streams",
        "user streams",
        "orders",
        "filled",
        CALLS,
    )
    if width < TWO_COLUMNS:
        names = ("account", "orders", CALLS)
    table = _grid(names)
    for row in rows:
        near = palette.WARN if row.calls_used >= 240 else palette.PLAIN
        cells = {
            "account": Text(safe(row.owner, 20), palette.STRONG),
            "keys": Text(number(row.keys)),
            "market streams": Text(number(row.market_streams)),
            "user streams": Text(number(row.user_streams)),
            "orders": Text(number(row.orders), palette.OWN if row.orders else palette.PLAIN),
            "filled": Text(number(row.filled)),
            CALLS: Text(number(row.calls_used), near),
        }
        table.add_row(*[cells[name] for name in names])
    return table


def _faults(rows: Sequence[FaultRow], width: int) -> Table:
    names: tuple[str, ...] = ("fault", "reached", "", "parameters") if width >= NARROW else ("fault", "reached")
    table = _grid(names)
    for row in rows:
        cells = {
            "fault": Text(f"{row.number} {safe(row.name, 24)}", palette.WARN if row.active else palette.MUTED),
            "reached": Text(number(row.reached)),
            "": Text("armed" if row.active else "over", palette.WARN if row.active else palette.MUTED),
            "parameters": Text(safe(row.parameters, max(8, width - 46)), palette.MUTED),
        }
        table.add_row(*[cells[name] for name in names])
    return table


def _grid(names: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in names:
        left = name in ("account", "fault", "", "parameters")
        table.add_column(justify="left" if left else "right", no_wrap=True, overflow="ellipsis")
    table.add_row(*[Text(name, palette.MUTED) for name in names])
    return table


def _paper(rows: Sequence[MarketRow]) -> Table:
    names = ("pair", "rested", "trade-through", "queue", "touch", "uncertain")
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(justify="left" if name == "pair" else "right", no_wrap=True, overflow="ellipsis")
    table.add_row(*[Text(name, palette.MUTED) for name in names])
    for row in rows:
        paper = row.paper
        assert paper is not None
        table.add_row(
            Text(safe(row.pair, 20)),
            Text(number(paper.rested)),
            Text(number(paper.pessimistic)),
            Text(number(paper.queue), palette.OWN if paper.queue else palette.PLAIN),
            Text(number(paper.optimistic)),
            Text(f"{paper.uncertain} of {paper.orders}", palette.WARN if paper.uncertain else palette.PLAIN),
        )
    return table


def _truth(rows: Sequence[MarketRow]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in ("pair", "profile", "sigma", "1/kappa", "A a side", "takers"):
        table.add_column(justify="left" if name in ("pair", "profile") else "right", no_wrap=True, overflow="ellipsis")
    table.add_row(*[Text(n, palette.MUTED) for n in ("pair", "profile", "sigma", "1/kappa", "A a side", "takers")])
    for row in rows:
        table.add_row(
            Text(safe(row.pair, 20)),
            Text(safe(row.profile, 20)),
            Text(UNKNOWN if row.sigma_daily is None else f"{percent(row.sigma_daily, 2)}/day"),
            Text("not stated" if row.kappa_bp is None else f"{number(row.kappa_bp, 1)} bp"),
            Text("not stated" if row.intensity is None else f"{number(row.intensity, 4)} /s"),
            Text(UNKNOWN if row.taker_rate is None else f"{number(row.taker_rate * 60, 1)} /min"),
        )
    return table
