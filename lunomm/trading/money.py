"""The account's money: what it should be, what moved by other hands, what a day has cost, who wants how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.trading.chores import SECOND
from lunomm.trading.desk import Desk
from lunomm.trading.events import SaveNote
from lunomm.trading.limits import too_much_lost
from lunomm.trading.shared import Shared


class Money:
    """Of all pairs of one account.

    Args:
        shared: the account's common state. desks: pair -> its desk. notes: of the account, as the journal has them.
    """

    def __init__(self, shared: Shared, desks: Mapping[str, Desk], notes: dict[str, str]) -> None:
        self._shared, self._desks, self._notes = shared, desks, notes
        self._saved: dict[str, Decimal] = {}
        self._assets = sorted(shared.balances.assets)
        self._traders = {
            asset: [desk for desk in desks.values() if asset in (desk.base, desk.counter)] for asset in self._assets
        }

    def judge(self, now: Now) -> None:
        """Anchor what we expect to hold, open new pairs, find money that moved by other hands, judge the day's loss."""
        balances = self._shared.balances
        if not balances.ready:
            return
        for asset in self._assets:
            if not balances.anchored(asset):
                held = balances.held(asset)
                balances.anchor(asset, held.total if held else Decimal(0))
        for desk in self._desks.values():
            desk.open(now)
        for asset in self._assets:
            self._drifted(asset, now)
        for desk in self._desks.values():
            desk.count_loss(now)
        for counter, loss in sorted(self.lost().items()):
            self._shared.halt_if(too_much_lost(loss, counter, self._shared.settings.limits), now)

    def lost(self) -> dict[str, Decimal]:
        """Loss of the day by counter currency."""
        lost: dict[str, Decimal] = {}
        for desk in self._desks.values():
            lost[desk.counter] = lost.get(desk.counter, Decimal(0)) + desk.daily.loss
        return lost

    def _drifted(self, asset: str, now: Now) -> None:
        desks = self._traders[asset]
        for desk in desks:
            if not (desk.working.looked and desk.ledger.opened) or desk.working.owes:
                return
        balances = self._shared.balances
        drift = balances.drift(asset, now.mono_ns)
        if not balances.suspect(asset):
            return
        # Before calling it a flow: were there trades we have not heard of? Booked now, they would count twice.
        unread = [
            desk.working.trades
            for desk in desks
            if (desk.working.trades.answered_ns or 0) < balances.still_since_ns(asset)
        ]
        for trades in unread:
            trades.want(max(now.mono_ns, trades.asked_ns + SECOND))
        if drift is None or unread:
            return
        desk, zero = desks[0], Decimal(0)
        ref = f"balance-{asset}-{now.exchange_ms}"
        base, counter = (drift, zero) if asset == desk.base else (zero, drift)
        flow = desk.ledger.flow(ref, base, counter, now.exchange_ms)
        if flow is not None:
            desk.flowed(flow, now)

    def tell(self, asset: str, now: Now) -> None:
        """Say an asset's balance, once for all pairs that trade it."""
        desk = self._traders[asset][0]
        self._shared.tell_balance(desk.pair, self._shared.balances.balance(asset), now)

    def save(self) -> None:
        """Keep in the journal what every asset's total should be."""
        balances = self._shared.balances
        for asset in self._assets:
            if balances.anchored(asset) and (expected := balances.expected(asset)) is not self._saved.get(asset):
                self._saved[asset] = expected
                name, value = f"expected:{asset}", format(expected, "f")
                if self._notes.get(name) != value:
                    self._notes[name] = value
                    self._shared.out.append(SaveNote("", name, value))

    def wants(self, asset: str) -> dict[str, Decimal]:
        """What each pair that trades the asset wants of it now, its resting orders included."""
        found = {}
        for pair, desk in self._desks.items():
            if asset in (desk.base, desk.counter):
                quotes = desk.wanted.last()
                found[pair] = sum(
                    (i.size if asset == desk.base else i.size * i.price
                     for i in (quotes.intents if quotes is not None else ())
                     if (i.side is Side.ASK) == (asset == desk.base)),
                    Decimal(0),
                )  # fmt: skip
        return found
