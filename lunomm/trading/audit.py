"""The journal against the exchange's own ledger: every fill, and every change of every account (pure).

Two independent books must agree to the last digit: what the gateway journaled (fills, and flows by other hands), and
what the exchange says happened (the account's trades, and the rows of its append-only ledgers). A movement of this
moment may be on its way into either, so whoever compares asks again before he believes a difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lunomm.market.rules import EXACT, Side
from lunomm.quoting.inputs import Fill
from lunomm.trading.events import Flow, VenueTrade
from lunomm.trading.orders import Amounts, intent_of

SHOWN = 20
"""Differences of one kind that are named; the rest are counted."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row of an account's ledger at the exchange. delta: change of the total balance."""

    row_index: int
    ts_ms: int
    balance: Decimal
    delta: Decimal


def compare_trades(pair: str, fills: Iterable[Fill], trades: Iterable[VenueTrade], first_ms: int) -> list[str]:
    """Our trades at the exchange since ``first_ms`` against the journal's fills; what differs, in words."""
    here = {(fill.sequence, fill.side): _amounts(fill) for fill in fills}
    there = {
        (trade.sequence, trade.side): trade.amounts
        for trade in trades
        if trade.ts_ms >= first_ms and intent_of(trade.client_order_id, pair) is not None
    }
    wrong = [f"{pair}: trade {_named(key)} at the exchange is not in the journal" for key in there.keys() - here.keys()]
    wrong += [f"{pair}: fill {_named(key)} of the journal is not at the exchange" for key in here.keys() - there.keys()]
    wrong += [
        f"{pair}: {_named(key)}: journal {_told(here[key])}, exchange {_told(there[key])}"
        for key in here.keys() & there.keys()
        if here[key] != there[key]
    ]
    return _bounded(sorted(wrong))


def compare_account(asset: str, journaled: Decimal, rows: Sequence[LedgerRow], first_ms: int) -> list[str]:
    """The exchange's rows since ``first_ms`` against the journal's sum for the asset.

    Args:
        journaled: net of all fills (fees included) and flows, in the asset. rows: oldest first.
    """
    since = [row for row in rows if row.ts_ms >= first_ms]
    wrong = [
        f"{asset}: ledger rows {before.row_index} and {after.row_index} are not neighbours"
        for before, after in itertools.pairwise(rows)
        if after.row_index != before.row_index + 1
    ]
    moved = sum((row.delta for row in since), Decimal(0))
    if moved != journaled:
        off = EXACT.subtract(moved, journaled)
        wrong.append(f"{asset}: the exchange moved {moved:f}, the journal {journaled:f}: {off:f} apart")
    return _bounded(wrong)


def journaled(
    entries: Mapping[str, Sequence[Fill | Flow]], legs: Mapping[str, tuple[str, str]], first_ms: Mapping[str, int]
) -> dict[str, Decimal]:
    """What the journal says each asset gained, over all pairs.

    Args:
        entries: of each pair. legs: pair -> (base, counter). first_ms: the first start of each pair; fills of before it
            are in the opening already.
    """
    total: dict[str, Decimal] = {}
    for pair, rows in entries.items():
        base, counter = legs[pair]
        for row in rows:
            if isinstance(row, Fill):
                if row.ts_ms < first_ms.get(pair, 0):
                    continue
                amounts = _amounts(row)
                moved = (amounts.net_base(row.side), amounts.net_counter(row.side))
            else:
                moved = (row.base, row.counter)
            for asset, amount in zip((base, counter), moved, strict=True):
                total[asset] = EXACT.add(total.get(asset, Decimal(0)), amount)
    return total


def _amounts(fill: Fill) -> Amounts:
    return Amounts(fill.volume, fill.counter, fill.fee_base, fill.fee_counter)


def _named(key: tuple[int, Side]) -> str:
    return f"{key[0]} {key[1].value}"


def _told(amounts: Amounts) -> str:
    return f"{amounts.base:f} for {amounts.counter:f}, fees {amounts.fee_base:f} and {amounts.fee_counter:f}"


def _bounded(wrong: list[str]) -> list[str]:
    return wrong if len(wrong) <= SHOWN else [*wrong[:SHOWN], f"... and {len(wrong) - SHOWN} more"]
