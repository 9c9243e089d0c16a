"""What the desks of one account have in common: money, permission, the numbering of updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.quoting.inputs import Balance, OrderUpdate, UpdateKind
from lunomm.trading.balances import Balances
from lunomm.trading.chores import SECOND
from lunomm.trading.events import Action, Halted, SaveHalt, SaveUpdate
from lunomm.trading.limits import Limits
from lunomm.trading.orders import Order
from lunomm.trading.split import allowed, promised
from lunomm.trading.throttle import Repeat, Throttle

USER_STREAM_NS = 10 * SECOND
"""Longest time quotes stay up without the user stream."""

REMEMBER_MS = 15 * 60_000
"""Of an ended order: the user stream replays five minutes."""

PAUSES_S = (1, 2, 4, 8, 16, 32, 60)
"""How long no order is placed after the first, second ... rate-limit reply in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this gateway runs.

    ttl_ms: sent with every order, exchange ms. ttl_ns, skew_ns: the same and the clock's skew on the monotonic clock;
    skew_ms: in exchange ms. speed: exchange seconds per second of ours. balance_ns: between balance reads. accounts:
    asset -> id of the account to trade on, where it was said. session: the life of the pipeline; limits lowered in it
    hold for a gateway that is started again in it. limit_use: whether ACCOUNT says how much of each limit is used; for
    those who watch, nothing is decided by it.
    """

    limits: Limits = field(default_factory=Limits)
    ttl_ms: int = 3_000
    ttl_ns: int = 3 * SECOND
    skew_ms: int = 1_000
    skew_ns: int = SECOND
    speed: float = 1.0
    balance_ns: int = 2 * SECOND
    accounts: Mapping[str, int] = field(default_factory=dict)
    remember_ms: int = REMEMBER_MS
    """How long an ended order is kept in mind, exchange ms."""
    session: str = ""
    limit_use: bool = True


class Shared:
    """State of the account; the desks write their actions into ``out``."""

    def __init__(self, settings: Settings, balances: Balances, number: int = 0, halt: str | None = None) -> None:
        self.settings = settings
        self.balances = balances
        self.number = number
        self.halted = halt
        self.stopping = False
        self.closed: dict[str, str] = {}
        self.stream_up = False
        self.stream_down_ns: int | None = None
        self.stream_heard = False
        self.pause_ns = 0
        self.changed_ns = 0
        self.balances_wanted = False
        self.rules_wanted: set[str] = set()
        self.out: list[Action] = []
        self.orders: Callable[[], list[Order]] = list
        self.legs: dict[str, tuple[str, str]] = {}
        self.wants: Callable[[str], dict[str, Decimal]] = lambda _: {}
        self.throttle = Throttle()
        self.counted: dict[str, str] = {}
        self._pauses = 0

    # --- permission ---

    def may_quote(self, mono_ns: int) -> bool:
        """Whether anything may be wanted at all; False takes every order down."""
        if self.halted is not None or self.stopping or self.closed:
            return False
        return self.stream_up or (self.stream_down_ns is not None and mono_ns - self.stream_down_ns < USER_STREAM_NS)

    @property
    def may_place(self) -> bool:
        """Whether a new order may rest: not before the user stream of this life was up once.

        The seconds that a lost stream is borne are for what rests already, at a start for what is adopted: a stream
        that never was up may have been lost for long.
        """
        return self.stream_heard and self.balances.ready

    def halt(self, reason: str, now: Now) -> None:
        """Stop quoting for good; the first reason stays."""
        if self.halted is None:
            self.halted = reason[:200]
            self.out += [SaveHalt(self.halted, now.exchange_ms), Halted(self.halted, now.exchange_ms)]

    def repeat(self, kind: Repeat, now: Now, detail: str = "") -> None:
        """Count something that must not come too often."""
        self.halt_if(self.throttle.note(kind, now, detail), now)

    def halt_if(self, reason: str | None, now: Now) -> None:
        if reason is not None:
            self.halt(reason, now)

    def rate_limited(self, now_ns: int, retry_after_s: float | None) -> None:
        wait_s = retry_after_s if retry_after_s is not None else PAUSES_S[min(self._pauses, len(PAUSES_S) - 1)]
        self._pauses += 1
        self.pause_ns = max(self.pause_ns, now_ns + int(min(wait_s, 60) * SECOND))

    def accepted(self) -> None:
        self._pauses = 0

    # --- money ---

    def committed(self, asset: str, *, resting_only: bool = False, pair: str | None = None) -> Decimal:
        """What our orders of all pairs (or one) may still take of an asset.

        Resting_only: those that the venue surely reserves.
        """
        total = Decimal(0)
        for order in self.orders():
            if (resting_only and order.order_id is None) or pair not in (None, order.pair):
                continue
            base, counter = self.legs[order.pair]
            if order.side is Side.ASK and base == asset:
                total += order.leaves
            elif order.side is Side.BID and counter == asset:
                total += order.leaves * order.price
        return total

    def usable(self, asset: str) -> Decimal:
        """What all our orders together may use: the lower total, less what others reserved."""
        held = self.balances.held(asset)
        if held is None:
            return Decimal(0)
        others = max(held.reserved - self.committed(asset, resting_only=True), Decimal(0))
        return self.balances.bounds(asset)[0] - others

    def free(self, asset: str, pair: str) -> Decimal:
        """What a new order of the pair may use: what is usable less what our orders may take, and of a shared asset
        no more than the pair's part less its own orders."""
        usable = self.usable(asset)
        free = usable - self.committed(asset)
        if not self._divided(asset):
            return free
        return min(free, allowed(usable, self.wants(asset), pair) - self.committed(asset, pair=pair))

    def balance_of(self, asset: str, pair: str) -> Balance:
        """The balance as a pair's quoter may see it: what another pair was promised is not free to this one."""
        balance = self.balances.balance(asset)
        if not self._divided(asset):
            return balance
        usable = self.usable(asset)
        part = promised(usable, self.wants(asset), pair) - self.committed(asset, pair=pair)
        reserved = balance.total - max(min(part, usable - self.committed(asset)), Decimal(0))
        return Balance(asset=asset, total=balance.total, reserved=reserved)

    def _divided(self, asset: str) -> bool:
        """Whether several pairs trade it."""
        return sum(asset in both for both in self.legs.values()) > 1

    def settled(self, asset: str) -> bool:
        """Whether the balance was read well after our orders last changed."""
        held = self.balances.held(asset)
        return held is not None and held.read_mono_ns >= self.changed_ns + SECOND // 2

    def open_base(self, asset: str, side: Side) -> Decimal:
        """Base of our orders of all pairs that may still trade on one side."""
        return sum((o.leaves for o in self.orders() if o.side is side and self.legs[o.pair][0] == asset), Decimal(0))

    # --- updates ---

    def tell(self, kind: UpdateKind, pair: str, now: Now, **fields: object) -> None:
        """One ORDER_UPDATES message, numbered."""
        self.number += 1
        update = OrderUpdate(number=self.number, kind=kind, pair=pair, ts_ms=now.exchange_ms)
        for name, value in fields.items():
            setattr(update, name, value)
        self.out.append(SaveUpdate(update))

    def tell_order(self, kind: UpdateKind, order: Order, now: Now, **fields: object) -> None:
        self.tell(
            kind,
            order.pair,
            now,
            intent_id=order.intent_id,
            client_order_id=order.client_order_id,
            order_id=order.order_id,
            side=order.side,
            level=order.level,
            price=order.price,
            volume=order.volume,
            filled=order.filled.base,
            state=order.state,
            code=order.code,
            **fields,
        )

    def tell_balance(self, pair: str, balance: Balance, now: Now) -> None:
        self.tell(UpdateKind.BALANCE, pair, now, asset=balance.asset, total=balance.total, reserved=balance.reserved)


def copy_update(update: OrderUpdate) -> OrderUpdate:
    """A copy to stamp and publish (messages are stamped in place)."""
    return msgspec.structs.replace(update)
