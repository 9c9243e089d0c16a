"""Our open orders and fills as tables: what rests, how near it is to a fill, and what filled and earned so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.records import OwnOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Fill, OrderState, OrderView
from lunomm.quoting.intents import WantedQuotes
from lunomm.quoting.patience import wait_s
from lunomm.views import palette
from lunomm.views.pipeline import drawable
from lunomm.views.screen import line, status_word
from lunomm.views.table import Column, table
from lunomm.views.text import UNKNOWN, age, column, common_decimals, safe

WIDE = 110
FILLS_SHOWN = 12

STATE_WORDS = {
    OrderState.INTENT: "to be sent",
    OrderState.SENT: "sent",
    OrderState.UNKNOWN: "unknown, being looked up",
    OrderState.WORKING: "working",
    OrderState.CANCELLING: "cancelling",
}


@dataclass(frozen=True, slots=True)
class Trading:
    """One pair. held: side -> why a wanted quote waits. account: None before it was first published.

    tick: the book's newest picture, for our queue places and the market stream's health. quotes: the newest wanted,
    for the rate of fills. Both are shown, never acted on.
    """

    pair: str
    rules: PairRules | None = None
    account: Account | None = None
    orders: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    held: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    quoter_alive: bool = False
    tick: Tick | None = None
    quotes: WantedQuotes | None = None


def sound_trading(pair: Trading) -> Trading:
    """The pair with every message that holds a number no arithmetic survives taken out."""
    return replace(
        pair,
        account=pair.account if drawable(pair.account) else None,
        tick=pair.tick if drawable(pair.tick) else None,
        quotes=pair.quotes if drawable(pair.quotes) else None,
        orders=tuple(order for order in pair.orders if drawable(order)),
        fills=tuple(fill for fill in pair.fills if drawable(fill)),
    )


def order_table(pair: Trading, now_ms: int, width: int, room: int) -> list[RenderableType]:
    """Our open orders as a ladder, asks above bids, in at most ``room`` rows."""
    if not pair.orders:
        return [line(("no open orders", palette.MUTED))]
    every = in_order(pair.orders)
    shown = every[: max(room - 1, 1)]
    places = {own.intent_id: own for own in pair.tick.own} if pair.tick is not None else {}
    own = [places.get(order.intent_id) for order in shown]
    volumes = common_decimals([*(order.volume for order in shown), *(order.filled for order in shown)])
    ahead = column([None if place is None else place.volume_ahead for place in own], volumes)
    queue = [
        "not seen"
        if place is None
        else "first"
        if not place.orders_ahead
        else f"{text.strip()} in {place.orders_ahead}"
        for place, text in zip(own, ahead, strict=True)
    ]
    narrow = width < WIDE
    rows = table(
        [
            Column("side", [Text(f"{palette.OWN_MARK} {o.side.value}", palette.side_style(o.side)) for o in shown]),
            Column(f"price{_money(pair)}", column([o.price for o in shown], price_scale(pair)), right=True),
            Column(f"size{_unit(pair)}", column([o.volume for o in shown], volumes), right=True),
            Column("filled", column([o.filled for o in shown], volumes), rank=5, right=True),
            Column("age", [age(now_ms - o.created_ms) for o in shown], rank=2, right=True),
            Column("ahead", queue, rank=4, right=True),
            Column("fills in", [_wait(pair, o, p) for o, p in zip(shown, own, strict=True)], rank=3, right=True),
            Column("state", [_state_cell(o, short=narrow) for o in shown], rank=1, prose=True),
            Column("order", [safe(o.order_id or "no id yet", 24) for o in shown], rank=6),
        ],
        width,
    )
    return rows if len(shown) == len(every) else [*rows[:-1], line((f"and {len(every) - len(shown) + 1} more", ""))]


def _state_cell(order: OrderView, *, short: bool) -> Text:
    style = palette.GOOD if order.state is OrderState.WORKING else palette.WARN
    words = STATE_WORDS.get(order.state, order.state.value)
    return status_word(words.partition(",")[0] if short else words, style)


def _wait(pair: Trading, order: OrderView, place: OwnOrder | None) -> str:
    """Expected time to a fill, by the estimates the quoter uses."""
    quotes = pair.quotes
    if place is None or quotes is None or quotes.fair is None or quotes.kappa is None or quotes.intensity is None:
        return UNKNOWN
    distance = order.side.sign * (quotes.fair - float(order.price))
    left = order.volume - order.filled
    seconds = wait_s(place.volume_ahead, left, distance, quotes.kappa, quotes.intensity)
    return UNKNOWN if seconds is None else minutes(seconds)


def minutes(seconds: float) -> str:
    """``< 1 min``, ``4.2 min``, ``38 min``, ``7.5 h``."""
    return "< 1 min" if seconds < 60 else f"{seconds / 60:.1f} min" if seconds < 600 else age(seconds * 1000)


def fill_table(pair: Trading, now_ms: int, width: int, room: int) -> list[RenderableType]:
    """The newest fills first: what each earned against the fair price then, and what it is worth now."""
    if room < 2 or not pair.fills:
        return []
    shown = list(pair.fills)[: -min(room, FILLS_SHOWN + 1) : -1]
    mark = pair.account.mark if pair.account is not None else None
    edges = [_gain(fill, fill.fair) for fill in shown]
    marks = [_gain(fill, mark) for fill in shown]
    volumes = common_decimals(fill.volume for fill in shown)
    earned = [None if g is None else g * float(f.counter) for g, f in zip(marks, shown, strict=True)]
    counter = f" {safe(pair.account.counter.asset, 8)}" if pair.account is not None else ""
    return table(
        [
            Column("", [Text(_verb(fill), palette.side_style(fill.side)) for fill in shown]),
            Column(f"size{_unit(pair)}", column([fill.volume for fill in shown], volumes), rank=2, right=True),
            Column(
                f"price{_money(pair)}",
                column([fill.price for fill in shown], price_scale(pair)),
                right=True,
            ),
            Column("edge bp", column([_bp(edge) for edge in edges], 1, sign=True), rank=3, right=True),
            Column("markout bp", _signed(column([_bp(gain) for gain in marks], 1, sign=True), marks), right=True),
            Column(f"so far{counter}", column(earned, 2, sign=True), rank=4, right=True),
            Column("ago", [age(now_ms - fill.ts_ms) for fill in shown], rank=1, right=True),
            Column("as", ["maker" if fill.maker else "TAKER" for fill in shown], rank=5),
        ],
        width,
    )


def _verb(fill: Fill) -> str:
    return "bought" if fill.side is Side.BID else "sold"


def _gain(fill: Fill, fair: float | None) -> float | None:
    """What a fill is worth at ``fair``, as a fraction of its price; None when either is unknown."""
    if fair is None or not fill.price.is_finite() or fill.price <= 0:
        return None
    return fill.side.sign * (fair / float(fill.price) - 1)


def _bp(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * 1e4


def _signed(texts: Sequence[str], values: Sequence[float | None]) -> list[Text]:
    """Figures coloured by their sign, which is also written."""
    return [
        Text(text, palette.PLAIN if not value else palette.GOOD if value > 0 else palette.BAD)
        for text, value in zip(texts, values, strict=True)
    ]


def _unit(pair: Trading) -> str:
    return f" {safe(pair.rules.base, 8)}" if pair.rules is not None else ""


def _money(pair: Trading) -> str:
    return f" {safe(pair.rules.counter, 8)}" if pair.rules is not None else ""


def in_order(orders: Sequence[OrderView]) -> list[OrderView]:
    """As a ladder: asks above bids, the highest price first."""
    return sorted(orders, key=lambda order: (order.side is Side.BID, -order.price))


def price_scale(pair: Trading) -> int:
    return max(pair.rules.price_scale, 0) if pair.rules else common_decimals([o.price for o in pair.orders])


def volume_scale(pair: Trading) -> int:
    return pair.rules.volume_scale if pair.rules else 6
