"""``lunomm audit [PAIR...]``: the journal against the exchange's own trades and ledgers, to the last digit.

Reads only, beside a running gateway or without one. A difference is asked about again before it is believed: while
trading goes on, one book may be a moment ahead of the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lunomm.commands import venue_finder
from lunomm.commands.gateway_calls import all_trades, market
from lunomm.commands.panic import where
from lunomm.commands.present import put_line
from lunomm.config import Common
from lunomm.errors import ExchangeError, LunommError, UsageError
from lunomm.journal.glance import Glance, glances
from lunomm.journal.store import read_journal
from lunomm.luno.budget import CallBudget
from lunomm.luno.fields import decimal
from lunomm.luno.rest import LunoRest
from lunomm.quoting.inputs import Fill
from lunomm.trading.audit import LedgerRow, compare_account, compare_trades, journaled
from lunomm.trading.ledger import FIRST_MS, LOOKBACK_MS
from lunomm.views.text import counted

TRIES = 3
AGAIN_S = 2.5
ROWS = 1000
MAX_ROWS = 200_000
NOT_OFFERED = ("ErrNotFound", "NOT_FOUND", "ErrInsufficientPerms")


class AuditFailed(LunommError):
    """The books do not agree: exit 1."""

    code = "AUDIT"


async def run(common: Common, pairs: Sequence[str]) -> dict[str, Any]:
    """Compare every journal of this venue that trades one of ``pairs`` (none: every journal).

    Returns: what was compared.

    Raises:
        AuditFailed: they differ; the first differences are in the message.
        UsageError: no journal of this venue is here.
    """
    place, venue = await where(common)
    key = common.key if common.mode == "live" else venue_finder.SIM_KEY
    found = [g for g in glances(common.state_dir) if g.venue == venue and (not pairs or set(pairs) & set(g.pairs))]
    if not found:
        raise UsageError(
            f"no journal of {venue} is in {common.state_dir}: no gateway has run here. Run one (lunomm up), or set "
            "LUNOMM_STATE_DIR",
            code="NO_JOURNAL",
        )
    async with LunoRest(place, key, CallBudget()) as rest:
        for attempt in range(TRIES):
            books = [await _compare(rest, here) for here in found]
            if not any(book["differences"] for book in books) or attempt == TRIES - 1:
                break
            await asyncio.sleep(AGAIN_S)
    wrong = [text for book in books for text in book["differences"]]
    if wrong:
        raise AuditFailed(
            f"{counted(len(wrong), 'difference')}: {'; '.join(wrong)[:1500]}. Halt (lunomm panic) and look into them"
        )
    if not common.json:
        for book in books:
            ledgers = (
                counted(book["rows"], "ledger row") if book["rows"] is not None else "ledgers not offered to this key"
            )
            put_line(
                f"{', '.join(book['pairs'])}: {counted(book['fills'], 'fill')}, {ledgers}: all agree to the last digit"
            )
    return {"journals": books}


async def _compare(rest: LunoRest, here: Glance) -> dict[str, Any]:
    journal = read_journal(here.path, account=here.account, venue=here.venue)
    try:
        restored = journal.restore(2**62)
    finally:
        journal.close_reading()
    wrong: list[str] = []
    legs: dict[str, tuple[str, str]] = {}
    first: dict[str, int] = {}
    fills = 0
    for pair, kept in restored.pairs.items():
        row = await market(rest, pair)
        legs[pair] = row.legs
        first[pair] = int(kept.notes.get(FIRST_MS, "0"))
        booked = [entry for entry in kept.entries if isinstance(entry, Fill)]
        fills += len(booked)
        # At least 1: zero would mean "no bound" to the exchange.
        trades = await all_trades(rest, pair, None, max(first[pair] - LOOKBACK_MS, 1))
        wrong += compare_trades(pair, booked, trades, first[pair])
    rows = await _ledgers(rest, {asset for both in legs.values() for asset in both}, min(first.values(), default=0))
    if rows is not None:
        sums = journaled({pair: kept.entries for pair, kept in restored.pairs.items()}, legs, first)
        for asset, of_asset in sorted(rows.items()):
            wrong += compare_account(asset, sums.get(asset, Decimal(0)), of_asset, min(first.values(), default=0))
    return {
        "journal": here.path.name,
        "pairs": list(restored.pairs),
        "fills": fills,
        "rows": None if rows is None else sum(map(len, rows.values())),
        "differences": wrong,
    }


async def _ledgers(rest: LunoRest, assets: set[str], first_ms: int) -> dict[str, list[LedgerRow]] | None:
    """Rows since ``first_ms`` of every account in these assets, oldest first; None where they cannot be read."""
    found: dict[str, list[LedgerRow]] = {}
    for wallet in await rest.balances():
        if wallet.asset not in assets:
            continue
        try:
            found.setdefault(wallet.asset, []).extend(await _rows(rest, int(wallet.account_id), first_ms))
        except ExchangeError as error:
            if error.code in NOT_OFFERED:
                return None
            raise
    return found


async def _rows(rest: LunoRest, account_id: int, first_ms: int) -> list[LedgerRow]:
    """From the newest row back to ``first_ms``."""
    rows: dict[int, LedgerRow] = {}
    page = await rest.transactions(account_id, -ROWS, 0)
    while page:
        for row in page:
            rows[row.row_index] = LedgerRow(
                row.row_index, row.timestamp, decimal(row.balance), decimal(row.balance_delta)
            )
        oldest = min(page, key=lambda row: row.row_index)
        if oldest.timestamp < first_ms or oldest.row_index <= 1 or len(rows) > MAX_ROWS:
            break
        page = await rest.transactions(account_id, max(oldest.row_index - ROWS, 1), oldest.row_index)
    return [rows[index] for index in sorted(rows)]
