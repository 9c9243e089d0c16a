"""``lunomm gateway [PAIR...]``: makes the exchange match the wanted quotes. One serves an account.

Only bytes move here: the user stream, the quotes and every call's outcome become events; `trading.reconciler` decides;
its actions become calls and messages. The journal and its lock come first, the venue is read before anything is placed,
and the end is flat: every order cancelled, its end read, two empty listings. Where that cannot be shown, exit 8 names
the orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunomm.commands.gateway_calls import market
from lunomm.commands.gateway_loops import Gateway
from lunomm.commands.gateway_watch import check_clock, key_risk
from lunomm.commands.guarded import lock_journal
from lunomm.commands.piece import Piece, open_piece
from lunomm.commands.present import say
from lunomm.commands.suggest import require_limits
from lunomm.commands.take_down import clear_former
from lunomm.config import Common
from lunomm.errors import ConfigError, ConnectivityError, JournalError, RateLimited
from lunomm.journal.store import journal_path, open_journal, venue_name
from lunomm.luno import as_events
from lunomm.options.gateway import GatewayOptions
from lunomm.trading.balances import choose_accounts

START_S = 30.0
SIM_JOURNALS = 20
"""Journals of former simulated exchanges kept."""


async def run(common: Common, pairs: tuple[str, ...], options: GatewayOptions) -> dict[str, Any] | None:
    """Serve the account until stopped.

    Raises:
        ConfigError: live without its limits, or several accounts of one currency.
        InstanceError: another gateway serves the account.
        JournalError: the durable record cannot be trusted or written.
        RefusedError: this Redis carries another venue.
        OrdersMayBeLive: the end could not be verified, or that of orders which a gateway of other pairs left.
    """
    await require_limits(common, pairs, options)
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.rest import LunoRest

    budget = CallBudget()
    async with (
        open_piece("gateway", common, pairs, lease=None) as piece,
        LunoRest(piece.endpoint, piece.key, budget) as rest,
    ):
        balances = await _first(piece, rest.balances)
        legs = {pair: (await _first(piece, lambda pair=pair: market(rest, pair))).legs for pair in pairs}
        accounts = choose_accounts(
            legs.values(), as_events.venue_balances(balances), options.base_account, options.counter_account
        )
        await check_clock(rest)
        if common.mode == "live":
            piece.counters["key"] = risk = await key_risk(rest)
            if risk.startswith("may"):
                say(f"this key {risk}: use one with view balance, view transactions, view orders, create orders only")
        account = account_hash([int(row.account_id) for row in balances])
        venue = venue_key(piece)
        path = journal_path(common.state_dir, venue, account)
        lock = await lock_journal(piece, path)
        try:
            if common.mode == "sim":
                _forget_old(common.state_dir, path)
            journal = open_journal(path, account=account, venue=venue, fold_beside=True)
            try:
                # The record of months takes seconds, which a lease does not wait for.
                restored = journal.restore(piece.clock.exchange_ms())
                await piece.hold([account])
                await clear_former(rest, journal, restored, pairs, piece.clock)
                gateway = Gateway(piece, rest, budget, options, legs, accounts, journal, restored, lock)
                done = await gateway.serve()
            except BaseException:
                # What ended it is said, orders that may be live above all, and not what the disk says to that.
                with contextlib.suppress(JournalError):
                    journal.close()
                raise
            journal.close()
            return done
        finally:
            lock.release()


async def _first(piece: Piece, ask: Any) -> Any:
    """A first read, repeated while the venue is not reachable.

    Raises:
        ConnectivityError, RateLimited: still not after START_S.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + START_S
    while True:
        try:
            return await ask()
        except (ConnectivityError, RateLimited) as e:
            if clock() > end or piece.stop.is_set():
                raise
            piece.last_error = str(e)
            await asyncio.sleep(0.5)


def account_hash(ids: Sequence[int]) -> str:
    """The account's name: a hash of its smallest account id.

    Raises:
        ConfigError: the account has no wallets at all.
    """
    if not ids:
        raise ConfigError("account: the exchange lists no balances for this key. Use a key of a funded account")
    return hashlib.sha256(str(min(ids)).encode()).hexdigest()[:12]


def venue_key(piece: Piece) -> str:
    """What this gateway's journal is about."""
    assert piece.venue is not None
    return venue_name(piece.venue.mode, host=piece.endpoint.host, run_id=piece.venue.run_id)


def _forget_old(folder: Path, mine: Path) -> None:
    """Remove the oldest journals of simulated exchanges that are gone."""
    old = sorted((p for p in folder.glob("journal-sim-*.sqlite3") if p != mine), key=lambda p: p.stat().st_mtime)
    for path in old[:-SIM_JOURNALS]:
        for name in (path, path.with_suffix(".lock"), Path(f"{path}-wal"), Path(f"{path}-shm")):
            name.unlink(missing_ok=True)
