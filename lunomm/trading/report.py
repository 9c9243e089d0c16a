"""What the gateway says about itself: ACCOUNT, and the summary at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunomm.market.clock import Now
from lunomm.quoting.inputs import Account
from lunomm.trading import situation

if TYPE_CHECKING:
    from lunomm.trading.desk import Desk

CALLS_LIMIT = 300
"""Luno's own, a minute."""


def account(desk: Desk, now: Now) -> Account | None:
    """ACCOUNT::<pair> as of now; None until everything in it is known. The process fills in the call budget."""
    aim, most = situation.target(desk), situation.max_position(desk)
    inventory = desk.ledger.inventory
    if aim is None or most is None or desk.fees is None or inventory is None or not desk.shared.balances.ready:
        return None
    balances = desk.shared.balances
    fair = desk.ledger.fairs.last()
    return Account(
        pair=desk.pair,
        ts_ms=now.exchange_ms,
        base=desk.shared.balance_of(desk.base, desk.pair),
        counter=desk.shared.balance_of(desk.counter, desk.pair),
        position=balances.expected(desk.base),
        opening=desk.ledger.held_first,
        inventory_target=aim,
        max_position=most,
        maker_fee=desk.fees[0],
        taker_fee=desk.fees[1],
        calls_used=0,
        calls_limit=CALLS_LIMIT,
        pnl=desk.ledger.pnl(desk.reference),
        mark=fair if fair is not None else float(desk.reference) if desk.reference is not None else None,
        fills=inventory.fills,
        traded_counter=inventory.traded_counter,
        quote_uptime=desk.uptime.share(now.mono_ns),
        quoter_epoch=desk.wanted.epoch,
        halted=desk.shared.halted,
    )
