"""What the gateway says about itself: ACCOUNT, and the summary at its end."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lunomm.market.clock import Now
from lunomm.quoting.inputs import Account, LimitUse
from lunomm.trading import situation
from lunomm.trading.orders import ZERO

if TYPE_CHECKING:
    from lunomm.trading.desk import Desk

CALLS_LIMIT = 300
"""Luno's own, a minute."""


def account(desk: Desk, lost: Decimal, now: Now) -> Account | None:
    """ACCOUNT::<pair> as of now; None until everything in it is known. The process fills in the call budget.

    lost: today, counter, of all pairs in this counter currency.
    """
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
        limits=_limits(desk, lost, now) if desk.shared.settings.limit_use else [],
    )


def _limits(desk: Desk, lost: Decimal, now: Now) -> list[LimitUse]:
    """What is used of each limit; empty while the situation is not known."""
    seen, limits = situation.of(desk, (), now), desk.shared.settings.limits
    if seen is None:
        return []
    furthest = max(
        seen.position_high + seen.bids_open - seen.target, seen.target - seen.position_low + seen.asks_open, ZERO
    )
    largest = max((order.leaves * order.price for order in desk.working.live()), default=ZERO)
    return [
        LimitUse(name="position", used=furthest, limit=seen.max_position),
        LimitUse(name="order value", used=largest, limit=limits.max_order_value),
        LimitUse(name="open value", used=seen.open_now, limit=seen.max_open_value),
        LimitUse(name="loss today", used=max(lost, ZERO), limit=limits.max_daily_loss),
    ]
