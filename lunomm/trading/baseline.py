"""What a quoter without a model would have earned on the same flow: fixed spread, no skew (pure).

It quotes both sides a fixed fraction from the fair price, the same lot, renewed every minute, a side resting a minute
after its fill. It exists to compare with, on screens and in summaries, and is always labelled as such.

Its fills are hypothetical. A taker is taken to fill it wholly (up to the taker's volume) when the taker reached a price
*beyond* the quote: by price priority it must have met it first. A taker that stopped exactly at the quote fills nothing
(the queue is unknown). What it cannot know: how far a taker would have gone with this quote in its way, or that its
presence changes the flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import ModelError
from lunomm.market.records import BookState, TakerOrder, Tick
from lunomm.market.rules import PairRules, Side

LABEL = "fixed-spread quoter (10 bp each side, no skew), hypothetical fills"


@dataclass(frozen=True)
class BaselineOptions:
    """half_spread: fraction of fair, > 0. refresh_ms, rest_ms: exchange ms. max_position: base, None = any."""

    half_spread: float = 0.001
    refresh_ms: int = 60_000
    rest_ms: int = 60_000
    max_position: Decimal | None = None


class Baseline:
    """State of that quoter. Feed it ticks and taker orders in order of time; ask for :attr:`pnl`.

    Args:
        lot: base a side, > 0. maker_fee: fraction of the value, paid in counter for comparison.

    Raises:
        ModelError: lot or half-spread not positive.
    """

    def __init__(
        self, rules: PairRules, lot: Decimal, maker_fee: Decimal = Decimal(0), options: BaselineOptions | None = None
    ) -> None:
        self._options = options or BaselineOptions()
        if not (lot > 0 and self._options.half_spread > 0):
            raise ModelError("a baseline needs a positive lot and half-spread")
        self._rules = rules
        self._lot = lot
        self._fee = maker_fee
        self._quotes: dict[Side, Decimal] = {}
        self._quoted_ms: int | None = None
        self._resting_until: dict[Side, int] = {}
        self._cash = Decimal(0)
        self._fair: Decimal | None = None
        self.inventory = Decimal(0)
        self.fills = 0

    @property
    def pnl(self) -> Decimal | None:
        """Counter earned since the start with inventory marked at the last fair price; None before the first tick."""
        return None if self._fair is None else self._cash + self.inventory * self._fair

    @property
    def quotes(self) -> dict[Side, Decimal]:
        """What it has resting now."""
        return dict(self._quotes)

    def on_tick(self, tick: Tick) -> None:
        """Take the fair price; renew quotes that are due. A market not to be traded on has none."""
        if tick.fair_mid is not None:
            self._fair = tick.fair_mid
        if tick.state is not BookState.OK or tick.fair_mid is None or tick.exchange_ts is None:
            self._quotes.clear()
            self._quoted_ms = None
            return
        now = tick.exchange_ts
        rested = [side for side in Side if side not in self._quotes and now >= self._resting_until.get(side, now)]
        if self._quoted_ms is None or now - self._quoted_ms >= self._options.refresh_ms:
            self._quoted_ms = now
            self._quotes = {side: self._price(side, tick.fair_mid) for side in (*self._quotes, *rested)}
        else:
            self._quotes.update({side: self._price(side, tick.fair_mid) for side in rested})
        for side in Side:
            if self._full(side):
                self._quotes.pop(side, None)

    def on_taker(self, taker: TakerOrder) -> None:
        """Fill the side a taker went through."""
        side = taker.side.other
        price = self._quotes.get(side)
        if price is None or (taker.deepest <= price if side is Side.ASK else taker.deepest >= price):
            return
        volume = min(self._lot, taker.volume)
        value = volume * price
        self.inventory += side.sign * volume
        self._cash -= side.sign * value + self._fee * value
        self.fills += 1
        del self._quotes[side]
        self._resting_until[side] = taker.exchange_ms + self._options.rest_ms

    def _price(self, side: Side, fair: Decimal) -> Decimal:
        away = Decimal(repr(self._options.half_spread))
        if side is Side.BID:
            return self._rules.price(self._rules.bid_ticks(fair * (1 - away)))
        return self._rules.price(self._rules.ask_ticks(fair * (1 + away)))

    def _full(self, side: Side) -> bool:
        limit = self._options.max_position
        return limit is not None and side.sign * self.inventory + self._lot > limit
