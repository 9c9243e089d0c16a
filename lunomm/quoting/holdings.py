"""What we hold and may spend, from ACCOUNT, the fills after it, and our own orders in the exchange's hands."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Account, OrderState, OrderUpdate, OrderView

ACCOUNT_GRACE_NS = 10_000_000_000
"""A missing account (gateway restarting, Redis emptied) is waited for so long before quotes are withdrawn."""

MEMORY = 1_000
"""Intents whose cumulative fills are remembered."""

MAX_MAGNITUDE = 30
"""Decimal exponent beyond which a number is no amount of anything."""

_HOLDS_FUNDS = (OrderState.SENT, OrderState.UNKNOWN, OrderState.WORKING, OrderState.CANCELLING)


def plausible(amount: Decimal) -> bool:
    """Whether arithmetic on an amount from the bus can be trusted: JSON may carry "NaN" and "1e999999"."""
    return amount.is_finite() and abs(amount.adjusted()) <= MAX_MAGNITUDE


def _sound(account: Account) -> bool:
    held = (account.base.total, account.base.reserved, account.counter.total, account.counter.reserved)
    mine = (account.position, account.inventory_target, account.max_position, account.maker_fee)
    return all(plausible(amount) for amount in (*held, *mine))


class Holdings:
    """The newest account, corrected by fills it cannot know yet, and the newest orders."""

    def __init__(self) -> None:
        self.account: Account | None = None
        self.orders: dict[str, OrderView] = {}
        self._seen_mono_ns = 0
        self._filled: OrderedDict[str, Decimal] = OrderedDict()
        self._later: list[tuple[int, Decimal]] = []

    def on_account(self, account: Account | None, now: Now) -> None:
        if account is None or not _sound(account):
            return
        self.account = account
        self._seen_mono_ns = now.mono_ns
        self._later = [(ts_ms, base) for ts_ms, base in self._later if ts_ms > account.ts_ms]

    def on_orders(self, orders: dict[str, OrderView]) -> None:
        self.orders = {
            name: order
            for name, order in orders.items()
            if all(plausible(amount) for amount in (order.price, order.volume, order.filled))
        }

    def on_fill(self, update: OrderUpdate) -> None:
        """Book a fill the account may not show yet; by cumulative amount, so that hearing it twice changes nothing."""
        if update.side is None or update.intent_id is None:
            return
        before = self._filled.get(update.intent_id, Decimal(0))
        volume = update.last_volume or Decimal(0)
        if update.filled is not None:
            volume = min(volume, update.filled - before) if update.last_volume is not None else update.filled - before
        if volume <= 0:
            return
        self._filled[update.intent_id] = before + volume if update.filled is None else update.filled
        self._filled.move_to_end(update.intent_id)
        if len(self._filled) > MEMORY:
            self._filled.popitem(last=False)
        if self.account is None or update.ts_ms > self.account.ts_ms:
            base = update.side.sign * volume - (update.last_fee_base or Decimal(0))
            self._later.append((update.ts_ms, base))

    def missing(self, now: Now) -> bool:
        """Whether there is no account, or none was heard of for longer than a restart takes."""
        return self.account is None or now.mono_ns - self._seen_mono_ns > ACCOUNT_GRACE_NS

    def position(self, account: Account) -> Decimal:
        """Base held, fills after the account's time included."""
        return account.position + sum((base for _, base in self._later), Decimal(0))

    def spendable(self, side: Side, account: Account) -> Decimal:
        """Base (ASK) or counter (BID) a new order of this side may use: what is free, and what our own orders of the
        side hold, which the gateway cancels before it places.

        An order the account's numbers may not include yet is left out, and never more is given back than is reserved:
        money is counted once.
        """
        held = Decimal(0)
        for order in self.orders.values():
            if order.side is side and order.state in _HOLDS_FUNDS and order.created_ms < account.ts_ms:
                left = max(order.volume - order.filled, Decimal(0))
                held += left if side is Side.ASK else left * order.price
        balance = account.base if side is Side.ASK else account.counter
        return max(balance.free, Decimal(0)) + min(held, max(balance.reserved, Decimal(0)))

    def foremost(self, side: Side) -> Decimal | None:
        """Price of our own order of ``side`` that a new order of the other side would meet first."""
        prices = [order.price for order in self.orders.values() if order.side is side and not order.state.terminal]
        if not prices:
            return None
        return max(prices) if side is Side.BID else min(prices)

    @property
    def resting(self) -> bool:
        """Whether any order of ours may be on the exchange."""
        return any(not order.state.terminal for order in self.orders.values())
