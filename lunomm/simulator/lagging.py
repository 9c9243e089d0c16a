"""Replies of a while ago: balances as they were, fills not yet listed (pure)."""

from __future__ import annotations

from collections import deque

from lunomm.luno.wire import Balances, UserTrades
from lunomm.simulator.calls import Reply
from lunomm.simulator.exchange import Exchange

KEPT = 1000
"""Readings of the balances kept for each account."""


class Lagging:
    """What each account's balances were whenever it called."""

    def __init__(self) -> None:
        self._balances: dict[str, deque[tuple[int, Balances]]] = {}

    def note(self, exchange: Exchange, owner: str, now_ms: int) -> None:
        """To be called before a call is executed, while any reply may have to be an old one."""
        kept = self._balances.setdefault(owner, deque(maxlen=KEPT))
        kept.append((now_ms, exchange.venue.balance(owner)))

    def reply(self, true: Reply, owner: str, then_ms: int) -> Reply:
        """The reply as it would have been at ``then_ms``, or at the earliest time known."""
        if isinstance(true, UserTrades):
            return UserTrades([trade for trade in true.trades or [] if trade.timestamp <= then_ms])
        if isinstance(true, Balances):
            kept = self._balances.get(owner)
            if kept:
                old = kept[0][1]
                for at_ms, balances in kept:
                    if at_ms <= then_ms:
                        old = balances
                shown = {row.asset for row in true.balance or []}
                return Balances([row for row in old.balance or [] if row.asset in shown])
        return true
