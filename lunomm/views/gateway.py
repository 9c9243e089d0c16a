"""The gateway: what rests on the exchange, what filled, what we hold and what it earned.

Figures are the gateway's own (ACCOUNT, ORDERS, FILLS as it publishes them); words from the venue pass `safe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Fill, OrderState, OrderView
from lunomm.views import palette
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.text import UNKNOWN, age, common_decimals, number, percent, safe, with_unit

TWO_COLUMNS = 74
FILLS_SHOWN = 6

STATE_WORDS = {
    OrderState.INTENT: "to be sent",
    OrderState.SENT: "sent",
    OrderState.UNKNOWN: "unknown, being looked up",
    OrderState.WORKING: "working",
    OrderState.CANCELLING: "cancelling",
}

HELD_WORDS = {
    "NO_REFERENCE": "waiting for the market price by REST",
    "MARKET_STATUS": "market not active",
    "OWN_ORDER": "waiting: our own other side is in the way",
    "BALANCE": "waiting for the balance",
    "NOT_READY": "starting",
    "RULES": "waiting: the exchange refused the tick or the lot step",
    "JUMP": "the price jumped: waiting until the exchange's ticker agrees",
    "REOPENING": "the market was closed: waiting half a minute",
    "ONE_SIDED": "this side filled too often without the other: it rests",
    "ORDER_RATE": "waiting: enough new orders for this minute",
}


@dataclass(frozen=True, slots=True)
class PairView:
    """One pair. held: side -> why a wanted quote waits. account: None before it was first published."""

    pair: str
    rules: PairRules | None = None
    account: Account | None = None
    orders: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    held: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    quoter_alive: bool = False


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One gateway at one instant.

    Now_ms: exchange clock. calls: in the last minute. problem: the last error, our words.
    """

    pairs: tuple[PairView, ...]
    now_ms: int = 0
    mode: str = "sim"
    stream_up: bool = False
    halted: str | None = None
    stopping: bool = False
    calls: int = 0
    problem: str = ""


def gateway_screen(view: GatewayView) -> Sized:
    return Sized(lambda width, height: _draw(view, width, height))


def gateway_line(view: GatewayView) -> str:
    """One plain line: state, and for each pair its orders, fills, distance from the target and pnl."""
    return "  |  ".join([_state(view)[0], *(_pair_words(pair) for pair in view.pairs)])


def gateway_data(view: GatewayView) -> dict[str, Any]:
    """The object of one ``--json`` line, and of the last."""
    return {
        "state": _state(view)[0],
        "halted": view.halted,
        "user_stream": view.stream_up,
        "calls_used": view.calls,
        "orders_left": sum(len(pair.orders) for pair in view.pairs),
        "pairs": {pair.pair: _pair_data(pair) for pair in view.pairs},
    }


def _pair_data(view: PairView) -> dict[str, Any]:
    account = view.account
    pnl = account.pnl if account is not None else None
    return {
        "orders": [msgspec.to_builtins(order) for order in view.orders],
        "held": view.held,
        "fills": account.fills if account is not None else 0,
        "inventory": account.position - account.inventory_target if account is not None else None,
        "position": account.position if account is not None else None,
        "pnl": pnl.total if pnl is not None else None,
        "pnl_spread": pnl.spread if pnl is not None else None,
        "pnl_inventory": pnl.inventory if pnl is not None else None,
        "fees": pnl.fees if pnl is not None else None,
        "quote_uptime": account.quote_uptime if account is not None else None,
    }


def _state(view: GatewayView) -> tuple[str, str]:
    """One word and its style."""
    if view.halted is not None:
        return "HALTED", palette.BAD
    if view.stopping:
        return "STOPPING", palette.WARN
    if not all(pair.ready for pair in view.pairs):
        return "STARTING", palette.WARN
    if not view.stream_up:
        return "NO USER STREAM", palette.WARN
    if not any(pair.quoter_alive for pair in view.pairs):
        return "NO QUOTES", palette.WARN
    return "OK", palette.GOOD


def _pair_words(view: PairView) -> str:
    account, name = view.account, safe(view.pair, 20)
    if account is None:
        return f"{name} starting"
    base, counter = account.base.asset, account.counter.asset
    off = account.position - account.inventory_target
    orders = ", ".join(_order_words(view, order) for order in _sorted(view.orders)) or "no orders"
    pnl = with_unit(account.pnl.total if account.pnl else None, safe(counter, 8), 2, sign=True)
    return (
        f"{name} {orders}  fills {account.fills}  "
        f"off target {with_unit(off, safe(base, 8), _lot(view), sign=True)}  pnl {pnl}"
    )


def _order_words(view: PairView, order: OrderView) -> str:
    state = "" if order.state is OrderState.WORKING else f" ({STATE_WORDS.get(order.state, order.state.value)})"
    left = number(order.volume - order.filled, _lot(view))
    return f"{order.side.value} {left} @ {number(order.price, _tick(view))}{state}"


def _draw(view: GatewayView, width: int, height: int) -> RenderableType:
    word, style = _state(view)
    mode = ("LIVE", palette.BAD) if view.mode == "live" else (safe(view.mode, 10), palette.MUTED)
    blocks: list[RenderableType] = [
        line(("gateway", palette.STRONG), status_word(word, style), mode, f"calls {view.calls} / min")
    ]
    if view.halted is not None:
        blocks.append(line(status_word(f"halted: {safe(view.halted, 200)}", palette.BAD)))
    if view.problem:
        blocks.append(line(status_word(safe(view.problem, 160), palette.WARN)))
    room = max((height - len(blocks)) // max(len(view.pairs), 1), 4)
    for pair in view.pairs:
        blocks += _pair(pair, view, width, room)
    return stack(blocks[:height])


def _pair(pair: PairView, view: GatewayView, width: int, room: int) -> list[RenderableType]:
    orders = _orders(pair, view.now_ms)
    shown = min(FILLS_SHOWN, max(room - len(pair.orders) - 8, 2))
    fills = _fills(pair, view.now_ms, shown)
    holdings, pnl = facts(_holdings(pair), label_width=10), facts(_pnl(pair), label_width=10)
    head = rule(safe(pair.pair, 20), width)
    held = [
        line(status_word(f"{side}: {HELD_WORDS.get(code, safe(code, 40))}", palette.WARN))
        for side, code in pair.held.items()
    ]
    if width >= TWO_COLUMNS:
        return [head, orders, *held, columns(holdings, pnl), fills]
    return [head, orders, *held, holdings, pnl, fills]


def _orders(pair: PairView, now_ms: int) -> RenderableType:
    if not pair.orders:
        return Text("no open orders", palette.MUTED)
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "right", "left", "right"):
        grid.add_column(justify="right" if justify == "right" else "left", no_wrap=True)
    for order in _sorted(pair.orders):
        state_style = palette.GOOD if order.state is OrderState.WORKING else palette.WARN
        grid.add_row(
            Text(f"{palette.OWN_MARK} {order.side.value}", palette.side_style(order.side)),
            Text(number(order.price, _tick(pair))),
            Text(number(order.volume, _lot(pair))),
            Text(f"filled {number(order.filled, _lot(pair))}" if order.filled else "", palette.MUTED),
            status_word(STATE_WORDS.get(order.state, order.state.value), state_style),
            Text(age(now_ms - order.created_ms), palette.MUTED),
        )
    return grid


def _fills(pair: PairView, now_ms: int, shown: int) -> RenderableType:
    if not pair.fills:
        return Text("no fills yet", palette.MUTED)
    grid = Table.grid(padding=(0, 2))
    for _ in range(5):
        grid.add_column(no_wrap=True)
    counter = safe(pair.account.counter.asset, 8) if pair.account is not None else ""
    for fill in list(pair.fills)[: -shown - 1 : -1]:
        edge = None if fill.fair is None else fill.side.sign * (Decimal(repr(fill.fair)) - fill.price) * fill.volume
        grid.add_row(
            Text(age(now_ms - fill.ts_ms), palette.MUTED),
            Text("bought" if fill.side is Side.BID else "sold", palette.side_style(fill.side)),
            Text(number(fill.volume, _lot(pair))),
            Text(f"@ {number(fill.price, _tick(pair))}"),
            Text(f"edge {with_unit(edge, counter, 2, sign=True)}" if edge is not None else "", palette.MUTED),
        )
    return grid


def _holdings(pair: PairView) -> list[Fact]:
    account = pair.account
    if account is None:
        return [("account", UNKNOWN)]
    decimals = _lot(pair)
    base, counter = safe(account.base.asset, 8), safe(account.counter.asset, 8)
    off = account.position - account.inventory_target
    return [
        ("position", with_unit(account.position, base, decimals)),
        ("off target", with_unit(off, base, decimals, sign=True)),
        ("limit", f"± {with_unit(account.max_position, base, decimals)}"),
        ("free", f"{with_unit(account.base.free, base, decimals)}, {with_unit(account.counter.free, counter, 2)}"),
        ("fees", f"maker {percent(float(account.maker_fee), 2)}, taker {percent(float(account.taker_fee), 2)}"),
    ]


def _pnl(pair: PairView) -> list[Fact]:
    account = pair.account
    if account is None:
        return [("pnl", UNKNOWN)]
    counter, pnl = safe(account.counter.asset, 8), account.pnl

    def money(value: Decimal | None) -> str:
        return with_unit(value, counter, 2, sign=True)

    style = palette.PLAIN if pnl is None or not pnl.total else palette.GOOD if pnl.total > 0 else palette.BAD
    return [
        ("pnl", money(pnl.total if pnl else None), style),
        ("spread", money(pnl.spread if pnl else None)),
        ("inventory", money(pnl.inventory if pnl else None)),
        ("fees", money(-pnl.fees if pnl else None)),
        ("fills", f"{account.fills}, uptime {percent(account.quote_uptime)}"),
    ]


def _sorted(orders: Sequence[OrderView]) -> list[OrderView]:
    """As a ladder: asks above bids, the highest price first."""
    return sorted(orders, key=lambda order: (order.side is Side.BID, -order.price))


def _tick(pair: PairView) -> int:
    return max(pair.rules.price_scale, 0) if pair.rules else common_decimals([o.price for o in pair.orders])


def _lot(pair: PairView) -> int:
    return pair.rules.volume_scale if pair.rules else 6
