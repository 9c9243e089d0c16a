"""The gateway: what rests on the exchange, what filled, what we hold and what it earned.

Figures are the gateway's own (ACCOUNT, ORDERS, FILLS as it publishes them); words from the venue pass `safe`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from lunomm.quoting.inputs import LimitUse, OrderState, OrderView
from lunomm.views import palette
from lunomm.views.ladder import ratio
from lunomm.views.orders import (
    STATE_WORDS,
    Trading,
    fill_table,
    in_order,
    order_table,
    price_scale,
    sound_trading,
    volume_scale,
)
from lunomm.views.screen import Fact, Sized, columns, facts, line, rule, stack, status_word
from lunomm.views.text import UNKNOWN, age, bar, bp, column, common_decimals, counted, number, percent, safe, with_unit

TWO_COLUMNS = 74
WIDE = 110
LABELS = 11
NEARLY = 0.8
"""Share of a limit from which its figure warns."""

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
    "QUOTES_LATE": "the wanted quotes are 3 s old, or ahead: slow bus, or clocks differ",
    "ORDER_RATE": "waiting: enough new orders for this minute",
}


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One gateway at one instant.

    now_ms: exchange clock. calls: in the last minute, of calls_limit. problem: the last error, our words. user_age_ms:
    since any byte of the user stream. guardian: its state in a word, empty where not known. lease: who holds the
    account's, our words.
    """

    pairs: tuple[Trading, ...]
    now_ms: int = 0
    mode: str = "sim"
    stream_up: bool = False
    halted: str | None = None
    stopping: bool = False
    calls: int = 0
    problem: str = ""
    user_age_ms: float | None = None
    guardian: str = ""
    lease: str = ""
    calls_limit: int = 300


def gateway_screen(view: GatewayView) -> Sized:
    sound = replace(view, pairs=tuple(sound_trading(pair) for pair in view.pairs))
    return Sized(lambda width, height: _draw(sound, width, height))


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


def _pair_data(view: Trading) -> dict[str, Any]:
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


def _pair_words(view: Trading) -> str:
    account, name = view.account, safe(view.pair, 20)
    if account is None:
        return f"{name} starting"
    base, counter = account.base.asset, account.counter.asset
    off = account.position - account.inventory_target
    orders = ", ".join(_order_words(view, order) for order in in_order(view.orders)) or "no orders"
    pnl = with_unit(account.pnl.total if account.pnl else None, safe(counter, 8), 2, sign=True)
    return (
        f"{name} {orders}  fills {account.fills}  "
        f"off target {with_unit(off, safe(base, 8), volume_scale(view), sign=True)}  pnl {pnl}"
    )


def _order_words(view: Trading, order: OrderView) -> str:
    state = "" if order.state is OrderState.WORKING else f" ({STATE_WORDS.get(order.state, order.state.value)})"
    left = number(order.volume - order.filled, volume_scale(view))
    return f"{order.side.value} {left} @ {number(order.price, price_scale(view))}{state}"


def _draw(view: GatewayView, width: int, height: int) -> RenderableType:
    blocks: list[RenderableType] = [_heading(view)]
    if view.halted is not None:
        blocks.append(line(status_word(f"halted: {safe(view.halted, 200)}", palette.BAD)))
    if view.problem:
        blocks.append(line(status_word(safe(view.problem, 160), palette.WARN)))
    blocks += _health(view, width)
    room = max((height - len(blocks)) // max(len(view.pairs), 1), 4)
    for pair in view.pairs:
        blocks += pair_rows(pair, view.now_ms, width, room)
    return stack(blocks[:height])


def _heading(view: GatewayView) -> Text:
    word, style = _state(view)
    mode = ("LIVE", palette.BAD) if view.mode == "live" else (safe(view.mode, 10), palette.MUTED)
    count = sum(len(pair.orders) for pair in view.pairs)
    accounts = [pair.account for pair in view.pairs if pair.account is not None]
    money = {account.counter.asset for account in accounts}
    total = sum((account.pnl.total for account in accounts if account.pnl is not None), Decimal(0))
    known = len(money) == 1 and all(account.pnl is not None for account in accounts)
    pnl = f"pnl {with_unit(total, safe(money.pop(), 8), 2, sign=True)}" if known else ""
    orders = counted(count, "open order")
    return line(("gateway", palette.STRONG), status_word(word, style), mode, orders, (pnl, _earned(total)))


def _earned(amount: Decimal) -> str:
    return palette.GOOD if amount > 0 else palette.BAD if amount < 0 else palette.PLAIN


def _health(view: GatewayView, width: int) -> list[RenderableType]:
    """Both streams, the guardian, the lease and the calls: one row, or two where it is narrow."""
    up = status_word("up", palette.GOOD) if view.stream_up else status_word("DOWN", palette.BAD)
    parts: list[Text] = [line(("user stream", palette.MUTED), up, (_ago(view.user_age_ms), palette.MUTED), gap=" ")]
    for pair in view.pairs:
        name = f"{safe(pair.pair, 12)} stream" if len(view.pairs) > 1 else "market stream"
        if pair.tick is not None:
            word = status_word(pair.tick.state.value, palette.state_style(pair.tick.state))
            parts.append(line((name, palette.MUTED), word, (_ago(pair.tick.stream_age_ms), palette.MUTED), gap=" "))
        else:
            parts.append(line((name, palette.MUTED), status_word("no book heard", palette.WARN), gap=" "))
    if view.guardian:
        style = palette.GOOD if view.guardian == "up" else palette.WARN
        parts.append(line(("guardian", palette.MUTED), status_word(safe(view.guardian, 12), style), gap=" "))
    used = view.calls / view.calls_limit if view.calls_limit else None
    style = palette.WARN if used is not None and used >= NEARLY else palette.PLAIN
    parts.append(
        line(("calls", palette.MUTED), (f"{view.calls} of {view.calls_limit} a minute", style), bar(used, 8), gap=" ")
    )
    if view.lease:
        parts.append(line(("lease", palette.MUTED), safe(view.lease, 60), gap=" "))
    rows, row = [], parts[0]
    for part in parts[1:]:
        longer = line(row, part, gap="   ")
        if cell_len(longer.plain) > width:
            rows.append(row)
            longer = part
        row = longer
    return [*rows, row]


def _ago(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{age(milliseconds)} ago"


def pair_rows(pair: Trading, now_ms: int, width: int, room: int) -> list[RenderableType]:
    """One pair in ``room`` rows: orders and what holds them back, fills, then holdings, limits and profit."""
    name, count = safe(pair.pair, 20), len(pair.orders)
    held = [
        line(status_word(f"{safe(side, 4)}: {HELD_WORDS.get(code, safe(code, 40))}", palette.WARN))
        for side, code in list(pair.held.items())[:2]
    ]
    room_of_limits = width // 2 - LABELS - 5 if width >= TWO_COLUMNS else width - LABELS - 1
    holdings, money, limits = _holdings(pair), _pnl(pair), _limit_rows(pair, room_of_limits, wide=width >= WIDE)
    facts_high = max(len(holdings) + 1 + len(limits), len(money) + 1) if width >= TWO_COLUMNS else 0
    for_orders = max(room - len(held) - facts_high - 3, 2)
    orders = order_table(pair, now_ms, width, for_orders)
    left = room - 1 - len(orders) - len(held) - facts_high
    fills = fill_table(pair, now_ms, width, max(left - 1, 0))
    blocks: list[RenderableType] = [rule(f"{name}  open orders {count}" if count else name, width), *orders, *held]
    if fills:
        blocks += [rule(f"{name}  fills {number(pair.account.fills if pair.account else None)}", width), *fills]
    if width >= TWO_COLUMNS:
        what: list[RenderableType] = [
            facts(holdings, label_width=LABELS),
            line(("limits", palette.MUTED)),
            facts(limits, label_width=LABELS),
        ]
        both = columns(stack(what), facts(money, label_width=LABELS))
        return [*blocks, rule(f"{name}  position and profit", width), both]
    return [*blocks, rule("position and profit", width), facts([*holdings, *money, *limits], label_width=LABELS)]


def _holdings(pair: Trading) -> list[Fact]:
    account = pair.account
    if account is None:
        return [("account", UNKNOWN)]
    decimals = volume_scale(pair)
    base, counter = safe(account.base.asset, 8), safe(account.counter.asset, 8)
    off = account.position - account.inventory_target
    return [
        ("position", with_unit(account.position, base, decimals)),
        ("off target", with_unit(off, base, decimals, sign=True)),
        ("free", with_unit(account.base.free, base, decimals)),
        ("", with_unit(account.counter.free, counter, 2)),
    ]


def _limit_rows(pair: Trading, room: int, *, wide: bool) -> list[Fact]:
    """Each limit with how much of it is used; of a gateway that does not say so, what may be held."""
    account = pair.account
    if account is None:
        return []
    base, counter = safe(account.base.asset, 8), safe(account.counter.asset, 8)
    if not account.limits:
        return [("position", f"at most {with_unit(account.max_position, base)} off target")]
    return [_limit_row(use, base if use.name == "position" else counter, room, wide=wide) for use in account.limits[:6]]


def _limit_row(use: LimitUse, unit: str, room: int, *, wide: bool) -> Fact:
    """Share, amount used and limit; where that does not fit, the share of the limit says the same."""
    share = ratio(use.used, use.limit)
    style = palette.PLAIN if share is None or share < NEARLY else palette.WARN if share < 1 else palette.BAD
    decimals = common_decimals([use.used, use.limit]) if use.name == "position" else 0 if use.used >= 1000 else 2
    used = number(use.used, decimals)
    if use.limit is None:
        return (safe(use.name, 11), line(used, ("no limit", palette.MUTED), gap=", "))
    parts: list[str | Text | tuple[str, str]] = [(f"{percent(share, 0):>5}", style)]
    if wide:
        parts.insert(0, (bar(share, 10), style))
    limit = with_unit(use.limit, unit, decimals if use.name == "position" else 0)
    whole = line(*parts, f"{used} of {limit}", gap=" ")
    return (safe(use.name, 11), whole if cell_len(whole.plain) <= room else line(*parts, f"of {limit}", gap=" "))


def _pnl(pair: Trading) -> list[Fact]:
    account = pair.account
    if account is None:
        return [("pnl", UNKNOWN)]
    counter, pnl = safe(account.counter.asset, 8), account.pnl
    names = ("pnl", "= spread", "+ inventory", "- fees", "vs holding")
    held = None if pnl is None else pnl.total - pnl.holding
    values = [None] * 5 if pnl is None else [pnl.total, pnl.spread, pnl.inventory, -pnl.fees, held]
    figures = column(values, 2, sign=True)
    tier = f"maker {percent(float(account.maker_fee), 2)}  taker {percent(float(account.taker_fee), 2)}"
    even = 2 * float(account.maker_fee)
    return [
        *(
            (
                name,
                f"{figure} {counter}" if value is not None else UNKNOWN,
                _earned(value or Decimal(0)) if not i else "",
            )
            for i, (name, figure, value) in enumerate(zip(names, figures, values, strict=True))
        ),
        ("fee tier", tier),
        ("break-even", f"{bp(even)} of spread" if even > 0 else "any spread, no maker fee"),
        ("traded", f"{with_unit(account.traded_counter, counter, 2)} in {counted(account.fills, 'fill')}"),
        ("both sides", f"{percent(account.quote_uptime)} of the time"),
    ]
