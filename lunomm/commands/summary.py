"""What a run of ``up`` came to: fills, inventory, profit and its parts, what else it would have earned, orders left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lunomm.commands.take_down import take_down
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.quoting.inputs import Account
from lunomm.trading.baseline import LABEL, Baseline
from lunomm.trading.orders import is_ours
from lunomm.views.text import counted

if TYPE_CHECKING:
    from lunomm.luno.rest import LunoRest

POST_LIFE_S = 4.0
"""Time to live of a POST (3 s) and the clock skew allowed (1 s)."""


@dataclass
class PairRun:
    """What is remembered of one pair while the pipeline runs."""

    pair: str
    account: Account | None = None
    baseline: Baseline | None = None
    orders_left: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)


async def end_flat(
    endpoint: Endpoint, key: ApiKey, pairs: Sequence[str], *, unsure: bool
) -> dict[str, tuple[str, ...]]:
    """Our open orders by pair, read from the exchange when all pieces are gone; what is found is taken down first.

    Args:
        unsure: the gateway did not end by itself with 0: it was killed, or just starting again. Then a POST of its
            may still be under way, and one empty listing proves nothing.

    Raises:
        ExchangeError: it does not answer; then nobody knows.
    """
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.rest import LunoRest

    async with LunoRest(endpoint, key, CallBudget()) as rest:
        found = await _open_orders(rest, pairs)
        if unsure or any(found.values()):
            await take_down(rest, pairs)
            # A POST that was under way when its gateway died can arrive for as long as it lives.
            await asyncio.sleep(POST_LIFE_S)
            await take_down(rest, pairs)
            found = await _open_orders(rest, pairs)
        return found


async def _open_orders(rest: LunoRest, pairs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        orders = await rest.list_orders(pair)
        found[pair] = tuple(o.order_id for o in orders if is_ours(o.client_order_id, pair))
    return found


def tier_1_pnl(account: Account) -> Decimal | None:
    """Profit had every fill paid Luno's entry-tier maker fee, counter; None before any profit is known."""
    if account.pnl is None:
        return None
    return account.pnl.total + account.pnl.fees - _tier_1_fee(account) * account.traded_counter


def _tier_1_fee(account: Account) -> Decimal:
    # It brings numpy, and `up` has its pieces to start first.
    from lunomm.market.pairs import entry_fee

    return entry_fee(account.base.asset, account.counter.asset)


def note(account: Account, baseline: Baseline | None, *, fee_tier: int | None) -> str:
    """The line that keeps a demo honest."""
    counter, tier_1 = account.counter.asset, tier_1_pnl(account)
    paid = "no maker fee" if account.maker_fee == 0 else f"a maker fee of {account.maker_fee * 100:f} %"
    parts = [f"this {'simulated ' if fee_tier is not None else ''}account pays {paid}"]
    if tier_1 is not None and account.pnl is not None:
        tier = f"{(_tier_1_fee(account) * 100).normalize():f} %"
        parts.insert(0, f"at Luno's tier 1 ({tier}): pnl {tier_1:+.2f} {counter}")
        parts.append(f"pnl beyond holding: {account.pnl.total - account.pnl.holding:+.2f}")
    if baseline is not None and baseline.pnl is not None:
        parts.append(f"a fixed-spread quoter on this flow: {baseline.pnl:+.2f} (hypothetical)")
    return "; ".join(parts)


def summarise(runs: Iterable[PairRun], *, fee_tier: int | None, mode: str) -> dict[str, Any]:
    """The object of the last line. Money of several counter currencies is not added: those fields are then null."""
    pairs = {run.pair: _one(run) for run in runs}
    counters = {one["counter_asset"] for one in pairs.values() if one["counter_asset"] is not None}
    data: dict[str, Any] = {"mode": mode, "fee_tier": fee_tier}
    for name in ("fills", "orders_left"):
        data[name] = _sum(pairs, name)
    for name in ("pnl", "pnl_spread", "pnl_inventory", "fees", "pnl_beyond_holding", "pnl_at_tier_1", "baseline_pnl"):
        data[name] = _sum(pairs, name) if len(counters) == 1 else None
    uptimes = [one["quote_uptime"] for one in pairs.values()]
    data["quote_uptime"] = None if not uptimes or None in uptimes else min(uptimes)
    only = next(iter(pairs.values())) if len(pairs) == 1 else {}
    data["inventory"] = only.get("inventory")
    data["baseline"] = LABEL
    data["pairs"] = pairs
    return data


def _sum(pairs: Mapping[str, Mapping[str, Any]], name: str) -> Any:
    values = [one[name] for one in pairs.values()]
    return None if not values or None in values else sum(values)


def _one(run: PairRun) -> dict[str, Any]:
    account, pnl = run.account, run.account.pnl if run.account else None
    return {
        "counter_asset": account.counter.asset if account else None,
        "fills": account.fills if account else 0,
        "position": account.position if account else None,
        "inventory": account.position - account.inventory_target if account else None,
        "pnl": pnl.total if pnl else None,
        "pnl_spread": pnl.spread if pnl else None,
        "pnl_inventory": pnl.inventory if pnl else None,
        "fees": pnl.fees if pnl else None,
        "pnl_beyond_holding": pnl.total - pnl.holding if pnl else None,
        "quote_uptime": account.quote_uptime if account else None,
        "traded_counter": account.traded_counter if account else None,
        "maker_fee": account.maker_fee if account else None,
        "pnl_at_tier_1": tier_1_pnl(account) if account else None,
        "baseline_pnl": run.baseline.pnl if run.baseline else None,
        "baseline_fills": run.baseline.fills if run.baseline else 0,
        "orders_left": len(run.orders_left) if run.orders_left is not None else None,
        "order_ids_left": list(run.orders_left or ()),
    }


def summary_line(data: Mapping[str, Any]) -> str:
    """The summary for people: one line a run."""
    parts: list[str] = []
    for pair, one in data["pairs"].items():
        words = [f"{pair}: {counted(one['fills'], 'fill')}"]
        if one["inventory"] is not None:
            words.append(f"inventory {one['inventory']:+f}")
        if one["pnl"] is not None:
            counter = one["counter_asset"]
            words.append(f"pnl {one['pnl']:+.2f} {counter}")
            words.append(f"at tier 1 {one['pnl_at_tier_1']:+.2f} {counter}")
        if one["baseline_pnl"] is not None:
            words.append(f"a fixed-spread quoter {one['baseline_pnl']:+.2f} (hypothetical)")
        left = one["orders_left"]
        words.append(f"orders left on the exchange: {'unknown' if left is None else left}")
        parts.append(", ".join(words))
    return "  |  ".join(parts)
