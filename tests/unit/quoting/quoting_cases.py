"""The market and account of theory's worked example, and a quoter driven by hand."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import msgspec

from lunomm.market.clock import Now
from lunomm.market.records import BookState, Estimates, Tick, Verdict
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Account, Balance, OrderState, OrderUpdate, OrderView, UpdateKind
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes
from lunomm.quoting.quoter import Quoter
from lunomm.quoting.quoter_options import QuoterOptions

PAIR = "XBTMYR"
START_MS = 1_800_000_000_000
DAY_SIGMA = 0.025 / 86_400**0.5
"""2.5 % a day, per sqrt(s)."""

D = Decimal


def rules(**changes: Any) -> PairRules:
    given: dict[str, Any] = {
        "pair": PAIR,
        "base": "XBT",
        "counter": "MYR",
        "price_scale": 0,
        "volume_scale": 6,
        "min_price": D(1),
        "max_price": D(100_000_000),
        "min_volume": D("0.0005"),
        "max_volume": D(100),
    }
    return PairRules(**{**given, **changes})


def estimates(**changes: Any) -> Estimates:
    given: dict[str, Any] = {
        "sigma": DAY_SIGMA,
        "kappa": 1 / 300,
        "intensity": 0.09,
        "sample": 80,
        "verdict": Verdict.GO,
        "sigma_source": "live",
        "kappa_source": "live",
    }
    return Estimates(**{**given, **changes})


def tick(beat: int = 1, mid: Decimal | int = 300_000, half: Decimal | int = 1, **changes: Any) -> Tick:
    mid = D(mid)
    given: dict[str, Any] = {
        "pair": PAIR,
        "ts": 0.0,
        "exchange_ts": START_MS,
        "sequence": beat,
        "state": BookState.OK,
        "beat": beat,
        "stream_age_ms": 5.0,
        "lag_ms": 2.0,
        "mid_price": mid,
        "best_bid": mid - half,
        "best_ask": mid + half,
        "fair_mid": mid,
        "fair_best_bid": mid - half,
        "fair_best_ask": mid + half,
        "estimates": estimates(),
    }
    return Tick(**{**given, **changes})


def account(position: str | Decimal = "0.1", **changes: Any) -> Account:
    given: dict[str, Any] = {
        "pair": PAIR,
        "ts_ms": START_MS,
        "base": Balance(asset="XBT", total=D(position), reserved=D(0)),
        "counter": Balance(asset="MYR", total=D(30_000), reserved=D(0)),
        "position": D(position),
        "opening": D("0.1"),
        "inventory_target": D("0.1"),
        "max_position": D("0.1"),
        "maker_fee": D(0),
        "taker_fee": D(0),
        "calls_used": 0,
        "calls_limit": 300,
    }
    return Account(**{**given, **changes})


class Bench:
    """A quoter with its inputs fed: time moves only by :meth:`go`, which beats once a second as book does."""

    def __init__(self, *, ready: bool = True, **options: Any) -> None:
        self.quoter = Quoter(PAIR, QuoterOptions(**options), epoch_ms=START_MS)
        self.ns = 0
        self.mid: Decimal | int = 300_000
        self.tick_changes: dict[str, Any] = {}
        self._beats = itertools.count(1)
        self._numbers = itertools.count(1)
        if ready:
            self.quoter.on_rules(rules(), self.now)
            self.quoter.on_account(account(), self.now)
            self.beat()

    @property
    def now(self) -> Now:
        return Now(START_MS * 1_000_000 + self.ns, 77_000_000_000 + self.ns)

    def beat(self, mid: Decimal | int | None = None, **changes: Any) -> None:
        self.mid = self.mid if mid is None else mid
        self.quoter.on_tick(tick(next(self._beats), self.mid, **{**self.tick_changes, **changes}), self.now)

    def go(self, seconds: float, *, beats: bool = True) -> None:
        """Let time pass, with the account and the tick repeated every second."""
        end = self.ns + round(seconds * 1e9)
        while self.ns < end:
            self.ns = min(end, self.ns + 1_000_000_000)
            if beats:
                self.beat()
                known = self.quoter._hold.account
                if known is not None:
                    self.quoter.on_account(msgspec.structs.replace(known, ts_ms=self.now.exchange_ms), self.now)

    def wanted(self) -> WantedQuotes:
        return self.quoter.wanted(self.now)

    def intents(self) -> dict[Side, Intent]:
        return {intent.side: intent for intent in self.wanted().intents}

    def report(self, side: Side) -> SideReport:
        return {report.side: report for report in self.wanted().sides}[side]

    def why(self) -> tuple[str | None, str | None]:
        """Reasons of (bid, ask)."""
        found = {report.side: report.why for report in self.wanted().sides}
        return found[Side.BID], found[Side.ASK]

    def set_account(self, position: str | Decimal = "0.1", **changes: Any) -> None:
        self.quoter.on_account(account(position, **{"ts_ms": self.now.exchange_ms, **changes}), self.now)

    def update(self, intent: Intent, kind: UpdateKind = UpdateKind.STATUS, **changes: Any) -> None:
        given: dict[str, Any] = {
            "pair": PAIR,
            "number": next(self._numbers),
            "kind": kind,
            "ts_ms": self.now.exchange_ms + 1,
            "intent_id": intent.id,
            "side": intent.side,
            "level": intent.level,
            "price": intent.price,
            "volume": intent.size,
        }
        self.quoter.on_order_update(OrderUpdate(**{**given, **changes}), self.now)

    def fill(self, intent: Intent, volume: Decimal | None = None, *, filled: Decimal | None = None) -> None:
        """Fill ``volume`` (default: all) of an intent; ``filled`` is the cumulative amount afterwards."""
        last = intent.size if volume is None else volume
        total = last if filled is None else filled
        state = OrderState.FILLED if total >= intent.size else OrderState.WORKING
        self.update(intent, UpdateKind.FILL, filled=total, last_volume=last, state=state)

    def show_orders(self, *orders: OrderView) -> None:
        self.quoter.on_orders({order.intent_id: order for order in orders}, self.now)


def order(intent: Intent, state: OrderState = OrderState.WORKING, **changes: Any) -> OrderView:
    given: dict[str, Any] = {
        "pair": PAIR,
        "intent_id": intent.id,
        "client_order_id": f"lm1-{PAIR}-{intent.id}",
        "order_id": "BX1",
        "side": intent.side,
        "level": intent.level,
        "price": intent.price,
        "volume": intent.size,
        "filled": D(0),
        "state": state,
        "created_ms": intent.created_ms,
        "updated_ms": intent.created_ms,
    }
    return OrderView(**{**given, **changes})
