"""Rows that stand under a pair: its open orders, its last fills, and the pieces that are heard."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from lunomm.market.presence import Health
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, OrderState
from lunomm.views import palette
from lunomm.views.pipeline import PairView, PieceView, PipelineView, piece_state
from lunomm.views.screen import line, rule, status_word
from lunomm.views.table import Column, table
from lunomm.views.text import UNKNOWN, age, as_float, bp, column, common_decimals, number, safe

NO_GATEWAY = "not known (no gateway)"
"""Of open orders, when nobody who could know them is heard."""

LAGS = ("lag_ms", "late_ms")
"""Counters of a heartbeat that say how far behind a piece is."""


def order_rows(pair: PairView, now_ms: int, width: int, height: int, dead_gateway: bool) -> list[RenderableType]:
    """Open orders, best price first."""
    resting = sorted(
        (order for order in pair.orders if not order.state.terminal and order.price.is_finite()),
        key=lambda order: (-order.price, order.intent_id),
    )
    if dead_gateway and not resting:
        return [rule("", width), line((f"open orders: {NO_GATEWAY}", palette.WARN))]
    count = f"open orders {len(resting)}{', may be live: no gateway' if dead_gateway else ''}"
    blocks: list[RenderableType] = [rule(count, width)]
    if not resting:
        return [*blocks, line(("none", palette.MUTED))]
    shown = resting[: max(height - 1, 1)]
    prices = column([order.price for order in shown], price_decimals(pair))
    volumes = column([order.volume for order in shown], common_decimals(order.volume for order in shown))
    filled = column([order.filled for order in shown], common_decimals(order.filled for order in shown))
    for order, price, volume, done in zip(shown, prices, volumes, filled, strict=True):
        style = palette.side_style(order.side)
        state = palette.WARN if order.state in (OrderState.UNKNOWN, OrderState.CANCELLING) else palette.PLAIN
        blocks.append(
            line(
                (f"{palette.OWN_MARK} {order.side.value}", style),
                (price, style),
                volume,
                f"filled {done}",
                (order.state.value.lower(), state),
                (f"age {age(now_ms - order.created_ms)}", palette.MUTED),
                (safe(order.order_id or "no id yet", 20), palette.MUTED),
            )
        )
    if len(resting) > len(shown):
        blocks[0] = rule(f"{count}, {len(shown)} shown", width)
    return blocks


def fill_rows(pair: PairView, now_ms: int, width: int, height: int) -> list[RenderableType]:
    """Newest fills first, with what each earned against the fair price known then."""
    if not pair.fills or height < 2:
        return []
    shown = pair.fills[-(height - 1) :][::-1]
    prices = column([fill.price for fill in shown], price_decimals(pair))
    volumes = column([fill.volume for fill in shown], common_decimals(fill.volume for fill in shown))
    blocks: list[RenderableType] = [rule("last fills", width)]
    for fill, price, volume in zip(shown, prices, volumes, strict=True):
        verb = "bought" if fill.side is Side.BID else "sold  "
        edge = _edge(fill)
        blocks.append(
            line(
                (verb, palette.side_style(fill.side)),
                volume,
                f"@ {price}",
                f"{bp(edge, sign=True)} of fair {number(fill.fair, price_decimals(pair) + 1)}"
                if edge is not None
                else "",
                (f"{age(now_ms - fill.ts_ms)} ago", palette.MUTED),
            )
        )
    return blocks


def _edge(fill: Fill) -> float | None:
    """What the fill earned against the fair price known then, as a fraction of it."""
    price = as_float(fill.price)
    return None if price is None or not fill.fair else fill.side.sign * (1 - price / fill.fair)


def piece_rows(view: PipelineView, width: int, height: int) -> list[RenderableType]:
    """Every piece that is heard: state, heartbeat, what it counts, its last error."""
    blocks: list[RenderableType] = [rule("pieces", width)]
    if not view.pieces:
        return [*blocks, line(("none is heard", palette.MUTED))]
    # A piece that is silent is never the one that is left out.
    shown = sorted(view.pieces, key=lambda piece: piece_state(piece)[1] != palette.BAD)[: max(height - 1, 1)]
    shown.sort(key=view.pieces.index)
    states = [piece_state(piece) for piece in shown]
    blocks += table(
        [
            Column("", [safe(piece.piece, 10) for piece in shown]),
            Column("", [safe(piece.pair, 12) for piece in shown], rank=1),
            Column("", [status_word(word, style) for word, style in states]),
            Column("", [_beat(piece, style) for piece, (_, style) in zip(shown, states, strict=True)], right=True),
            Column("", [_lag(piece.health) for piece in shown], rank=2),
            Column("", [_said(piece.health) for piece in shown], rank=3, prose=True),
        ],
        width,
        head=False,
    )
    if len(view.pieces) > len(shown):
        blocks[0] = rule(f"pieces, {len(shown)} of {len(view.pieces)} shown", width)
    return blocks


def _beat(piece: PieceView, style: str) -> Text:
    if piece.health is None:
        return Text("")
    return Text(f"beat {age(piece.age_ms)} ago", palette.BAD if style == palette.BAD else palette.MUTED)


def _lag(health: Health | None) -> str:
    """How far behind a piece is: the book's frames, or the gateway's own punctuality."""
    for name in LAGS:
        value = None if health is None else health.counters.get(name)
        if isinstance(value, int | float):
            return f"lag {age(float(value))}"
    return ""


def _said(health: Health | None) -> Text:
    """What went wrong last, then what it counts."""
    if health is None:
        return Text("")
    error = (safe(health.last_error, 120), palette.WARN) if health.last_error else ""
    return line(error, *((word, palette.MUTED) for word in _counter_words(health)))


def _counter_words(health: Health) -> list[str]:
    words = []
    for name, value in [pair for pair in health.counters.items() if pair[0] not in LAGS][:4]:
        if isinstance(value, int | float):
            shown = number(value, 0 if float(value).is_integer() else 1)
        else:
            shown = UNKNOWN if value is None else safe(value, 40)
        words.append(f"{safe(name, 20).replace('_', ' ')} {shown}")
    return words


def price_decimals(pair: PairView) -> int:
    if pair.rules is not None:
        return max(pair.rules.price_scale, 0)
    tick = pair.tick
    known: Sequence[Decimal | None] = [] if tick is None else [tick.best_bid, tick.best_ask]
    return common_decimals(known)
