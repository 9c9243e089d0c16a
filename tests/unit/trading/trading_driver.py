"""A reconciler driven by hand: every answer of the venue is an event the test gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from lunomm.market.clock import Now
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import OrderState, OrderUpdate
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.trading import events as ev
from lunomm.trading.limits import Limits
from lunomm.trading.orders import Amounts, Order
from lunomm.trading.reconciler import Reconciler
from lunomm.trading.restored import Restored
from lunomm.trading.shared import Settings

PAIR = "XBTMYR"
D = Decimal
START_MS = 1_700_000_000_000
A = TypeVar("A")


def rules(**changes: Any) -> PairRules:
    base: dict[str, Any] = {
        "pair": PAIR,
        "base": "XBT",
        "counter": "MYR",
        "price_scale": 0,
        "volume_scale": 6,
        "min_price": D(1),
        "max_price": D(10_000_000),
        "min_volume": D("0.0001"),
        "max_volume": D(100),
    }
    return PairRules(**{**base, **changes})


def intent(number: int, side: Side, price: int | str, size: str = "0.004", epoch: str = "abc") -> Intent:
    name = f"{epoch}-{number}-{side.value[0]}0"
    return Intent(id=name, side=side, level=0, price=D(price), size=D(size), created_ms=START_MS)


@dataclass
class Driver:
    """Steps the reconciler, remembers every action, and answers what a quiet venue would."""

    core: Reconciler
    mono_ns: int = 10_000_000_000
    exchange_ms: int = START_MS
    number: int = 0
    epoch: int = 5
    wanted: list[Intent] = field(default_factory=list)
    actions: list[ev.Action] = field(default_factory=list)
    saved: dict[str, Order] = field(default_factory=dict)
    updates: list[OrderUpdate] = field(default_factory=list)
    notes: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def now(self) -> Now:
        return Now(self.exchange_ms * 1_000_000, self.mono_ns)

    def step(self, event: ev.Event) -> list[ev.Action]:
        out = self.core.step(event, self.now)
        for action in out:
            if isinstance(action, ev.SaveOrder):
                self.saved[action.order.client_order_id] = action.order
            elif isinstance(action, ev.SaveUpdate):
                self.updates.append(action.update)
            elif isinstance(action, ev.SaveNote):
                self.notes[(action.pair, action.name)] = action.value
            elif isinstance(action, ev.Place):
                # What is placed was saved in this very step or before: the process commits saves first.
                assert self.saved[action.order.client_order_id] == action.order
        self.actions += out
        return out

    def take(self, kind: type[A]) -> list[A]:
        """Actions of one kind since the last take, removed."""
        found = [a for a in self.actions if isinstance(a, kind)]
        self.actions = [a for a in self.actions if not isinstance(a, kind)]
        return found

    def pass_s(self, seconds: float, *, quotes: bool = True, step: float = 0.25) -> None:
        """Let time pass, waking the machine, with the quoter alive (its message rewritten) or not."""
        left = seconds
        while left > 1e-9:
            leap = min(step, left)
            self.mono_ns += int(leap * 1e9)
            self.exchange_ms += int(leap * 1000)
            left -= leap
            if quotes:
                self.quote()
            else:
                self.step(ev.Wake())

    def quote(self, *intents: Intent, fair: float = 300_000.0, **changes: Any) -> list[ev.Action]:
        if intents:
            self.wanted = list(intents)
        self.number += 1
        message = WantedQuotes(
            pair=PAIR,
            epoch=self.epoch,
            number=self.number,
            ts_ms=self.exchange_ms,
            intents=list(self.wanted),
            fair=fair,
        )
        for name, value in changes.items():
            setattr(message, name, value)
        return self.step(ev.QuotesSeen(PAIR, message))

    def want_nothing(self) -> list[ev.Action]:
        self.wanted = []
        return self.quote()

    def balances(
        self, base: str = "0.1", counter: str = "30000", base_reserved: str = "0", counter_reserved: str = "0"
    ) -> None:
        self.step(
            ev.BalancesRead(
                (
                    ev.VenueBalance(1, "XBT", D(base), D(base_reserved)),
                    ev.VenueBalance(2, "MYR", D(counter), D(counter_reserved)),
                ),
                self.mono_ns,
            )
        )

    def read_all(self, *, open_orders: tuple[ev.VenueOrder, ...] = (), trades: tuple[ev.VenueTrade, ...] = ()) -> None:
        """Answer every read of a start."""
        self.step(ev.Wake())
        self.step(ev.UserStream(True))
        self.step(ev.RulesRead(PAIR, rules()))
        self.step(ev.FeesRead(PAIR, D(0), D("0.006")))
        self.step(ev.ReferenceRead(PAIR, D(300_000)))
        self.balances()
        self.step(ev.TradesRead(PAIR, trades))
        self.step(ev.OpenOrdersRead(PAIR, open_orders))

    def started(self) -> Driver:
        self.read_all()
        self.step(ev.QuotesSeen(PAIR, None))
        self.answer()
        assert self.core.ready
        return self

    def answer(self) -> None:
        """Answer every question still open with "nothing there"."""
        while trades := self.take(ev.ReadTrades):
            for _ in trades:
                self.step(ev.TradesRead(PAIR, ()))
        while listings := self.take(ev.ReadOpenOrders):
            for _ in listings:
                self.step(ev.OpenOrdersRead(PAIR, ()))
        for _ in self.take(ev.ReadBalances):
            self.balances()

    def place(self, which: Intent) -> Order:
        """Want one intent and return the order that was sent for it."""
        self.quote(which)
        (placed,) = self.take(ev.Place)
        return placed.order

    def working(self, which: Intent, order_id: str = "BX1") -> Order:
        order = self.place(which)
        self.step(ev.Posted(PAIR, order.client_order_id, order_id))
        return self.order(order.client_order_id)

    def order(self, cid: str) -> Order:
        return self.core.desks[PAIR].working.orders[cid]

    def state(self, cid: str) -> OrderState:
        return self.order(cid).state


def seen(order: Order, *, order_id: str = "BX1", filled: str = "0", open: bool = True, **changes: Any) -> ev.VenueOrder:
    """The venue's view of one of our orders."""
    base = D(filled)
    made = ev.VenueOrder(
        order_id=order_id,
        client_order_id=order.client_order_id,
        pair=PAIR,
        side=order.side,
        price=order.price,
        volume=order.volume,
        open=open,
        filled=Amounts(base, base * order.price),
        created_ms=order.timestamp_ms,
        completed_ms=0 if open else order.timestamp_ms + 10,
    )
    return replace(made, **changes)


def trade(
    order: Order, sequence: int, base: str, *, order_id: str = "BX1", fee: str = "0", **changes: Any
) -> ev.VenueTrade:
    volume = D(base)
    fee_base, fee_counter = (D(fee), D(0)) if order.side is Side.BID else (D(0), D(fee))
    made = ev.VenueTrade(
        pair=PAIR,
        sequence=sequence,
        order_id=order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=order.price,
        amounts=Amounts(volume, volume * order.price, fee_base, fee_counter),
        maker=True,
        ts_ms=order.created_ms + 1000,
    )
    return replace(made, **changes)


def fill_event(order: Order, total: str, delta: str, order_id: str = "BX1") -> ev.FillSeen:
    whole, part = D(total), D(delta)
    return ev.FillSeen(
        PAIR, order_id, order.client_order_id, Amounts(whole, whole * order.price), Amounts(part, part * order.price)
    )


def make(limits: Limits | None = None, restored: Restored | None = None, **settings: Any) -> Driver:
    driver_now = Now(START_MS * 1_000_000, 10_000_000_000)
    core = Reconciler(
        {PAIR: ("XBT", "MYR")}, Settings(limits=limits or Limits(), **settings), restored or Restored(), driver_now
    )
    return Driver(core)
