"""The fills of one pair, each booked exactly once, and what the pair was worth at its opening.

A trade of the venue is keyed by its sequence and side; whatever is read twice, in whatever order, is booked once. A
trade of an order that is not ours is a flow: it moves the position, not the profit. The opening (position, mark, target
share) is set at the account's first start for the pair and kept in the journal, so that a restart does not bless
whatever it stopped with.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from lunomm.market.rules import Side
from lunomm.quoting.inputs import Fill, Pnl
from lunomm.trading.events import Flow, VenueTrade
from lunomm.trading.inventory import Fairs, Inventory, mark_of
from lunomm.trading.orders import ZERO, intent_of
from lunomm.trading.restored import RestoredPair

LOOKBACK_MS = 60_000
"""Before the first start: our clock may be that far ahead of the venue's."""

OPENING, OPENING_MARK, SHARE, FIRST_MS = "opening", "opening_mark", "target_share", "first_start_ms"
ELSEWHERE = "opening_elsewhere"
"""Note of a pair whose opening coins are in another pair's profit."""


class Ledger:
    """Fills, flows and profit of one pair.

    Args:
        pair: whose. restored: the journal's record.
    """

    def __init__(self, pair: str, restored: RestoredPair) -> None:
        self.pair = pair
        self.fairs = Fairs()
        self.inventory: Inventory | None = None
        self.share: Decimal | None = None
        self.held_first = ZERO
        self.first_ms: int | None = None
        self.sequence: int | None = None
        self._entries = list(restored.entries)
        self._seen = {(e.sequence, e.side) for e in self._entries if isinstance(e, Fill)}
        self._refs = {e.ref for e in self._entries if isinstance(e, Flow)}
        numbers = [e.sequence for e in self._entries if isinstance(e, Fill)]
        self.sequence = max(numbers) if numbers else None
        notes = restored.notes
        if FIRST_MS in notes:
            self.first_ms = int(notes[FIRST_MS])
        if OPENING in notes and OPENING_MARK in notes and SHARE in notes:
            opening = Decimal(notes[OPENING])
            self._open(opening, Decimal(notes[OPENING_MARK]), Decimal(notes[SHARE]), ELSEWHERE not in notes)

    @property
    def opened(self) -> bool:
        return self.inventory is not None

    def open(self, base: Decimal, counter: Decimal, price: Decimal, counts: bool = True) -> dict[str, str]:
        """Set the opening from what the account holds now; returns the notes to keep.

        price: counter per base. counts: False where another pair's profit counts these coins already.
        """
        mark = mark_of(price)
        worth = base * mark + counter
        share = (base * mark / worth).quantize(Decimal("1e-12")) if worth > 0 else Decimal("0.5")
        # What was booked since the first start, before there was a price to open with, is in the balance already.
        opening = base - sum((self._net_base(entry) for entry in self._entries), ZERO)
        self._open(opening, mark, share, counts)
        notes = {OPENING: format(opening, "f"), OPENING_MARK: format(mark, "f"), SHARE: format(share, "f")}
        return notes if counts else {**notes, ELSEWHERE: "1"}

    def _open(self, opening: Decimal, mark: Decimal, share: Decimal, counts: bool) -> None:
        self.share, self.held_first = share, opening
        self.inventory = Inventory(opening if counts else ZERO, mark)
        for entry in self._entries:
            self._apply(entry)
        self._entries.clear()

    def target(self, base: Decimal, counter: Decimal, price: Decimal) -> Decimal:
        """Base to hold: the opening's share of what the account is worth now."""
        return (self.share or ZERO) * (base * price + counter) / price

    def since_ms(self, now_ms: int) -> int:
        """From when on trades matter."""
        return (self.first_ms if self.first_ms is not None else now_ms) - LOOKBACK_MS

    def take(self, trade: VenueTrade, ours: str | None) -> Fill | Flow | None:
        """Book one trade. ours: its order's client id, None for an alien's. None when it is no news."""
        if ours is None:
            if self.first_ms is not None and trade.ts_ms < self.first_ms:
                return None
            return self.flow(
                f"trade-{trade.sequence}-{trade.side.value}",
                trade.amounts.net_base(trade.side),
                trade.amounts.net_counter(trade.side),
                trade.ts_ms,
            )
        key = (trade.sequence, trade.side)
        if key in self._seen:
            return None
        self._seen.add(key)
        if self.sequence is None or trade.sequence > self.sequence:
            self.sequence = trade.sequence
        fill = Fill(
            pair=self.pair,
            sequence=trade.sequence,
            intent_id=intent_of(ours, self.pair),
            client_order_id=ours,
            order_id=trade.order_id,
            side=trade.side,
            price=trade.price,
            volume=trade.amounts.base,
            counter=trade.amounts.counter,
            fee_base=trade.amounts.fee_base,
            fee_counter=trade.amounts.fee_counter,
            maker=trade.maker,
            ts_ms=trade.ts_ms,
            fair=self.fairs.before(trade.ts_ms),
        )
        self._apply(fill)
        return fill

    def flow(self, ref: str, base: Decimal, counter: Decimal, ts_ms: int) -> Flow | None:
        """Book money that moved by other hands; None when the reference is known."""
        if ref in self._refs:
            return None
        self._refs.add(ref)
        fair = self.fairs.before(ts_ms)
        flow = Flow(
            pair=self.pair,
            ref=ref,
            base=base,
            counter=counter,
            ts_ms=ts_ms,
            mark=None if fair is None else mark_of(fair),
        )
        self._apply(flow)
        return flow

    def pnl(self, price: Decimal | None) -> Pnl | None:
        """At the last fair price, else at ``price``; None before the opening or without either."""
        fair = self.fairs.last()
        mark = mark_of(fair) if fair is not None else None if price is None else mark_of(price)
        return None if mark is None or self.inventory is None else self.inventory.pnl(mark)

    def _net_base(self, entry: Fill | Flow) -> Decimal:
        """What one entry adds to the position."""
        if isinstance(entry, Flow):
            return entry.base
        if self.first_ms is not None and entry.ts_ms < self.first_ms:
            return ZERO
        return (entry.volume if entry.side is Side.BID else -entry.volume) - entry.fee_base

    def _apply(self, entry: Fill | Flow) -> None:
        if self.inventory is None:
            self._entries.append(entry)
        elif isinstance(entry, Fill):
            # A fill from before this journal's first start (its predecessor was moved away) is in the opening already.
            if self.first_ms is None or entry.ts_ms >= self.first_ms:
                self.inventory.fill(entry)
        else:
            self.inventory.flow(entry.base, entry.counter, entry.mark)


def in_order(trades: Iterable[VenueTrade]) -> list[VenueTrade]:
    """By sequence, a self-trade's BID before its ASK."""
    return sorted(trades, key=lambda trade: (trade.sequence, trade.side.value != "BID"))
