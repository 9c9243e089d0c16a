"""Stop-limit orders that wait for their trigger (pure).

An ABOVE order is due as soon as the last trade is at its stop price or higher, a BELOW order as soon as it is there or
lower; one that is past its price when it arrives is due at once. Until then it is in no book and on no stream. Due
orders enter the book in the order they were created, after the action whose trade set them off is complete: the maker
and taker of that trade are never met by an order of the same frame.
"""

from __future__ import annotations

from collections.abc import Iterable

from lunomm.simulator.visitor_orders import VisitorOrder


class Stops:
    """The waiting orders of all markets, and those that are due."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, VisitorOrder]] = {}
        self._due: dict[str, VisitorOrder] = {}

    def wait(self, order: VisitorOrder, last_trade: int | None) -> None:
        """File an order. last_trade: ticks of the market's last trade, None before the first."""
        self._waiting.setdefault(order.request.pair, {})[order.order_id] = order
        if last_trade is not None:
            self.traded(order.request.pair, (last_trade,))

    def traded(self, pair: str, prices: Iterable[int]) -> None:
        """Trades happened at these prices, ticks."""
        waiting = self._waiting.get(pair)
        if not waiting:
            return
        seen = list(prices)
        high, low = max(seen), min(seen)
        for order in list(waiting.values()):
            stop = order.request.stop_price
            if high >= stop if order.request.stop_direction == "ABOVE" else low <= stop:
                del waiting[order.order_id]
                self._due[order.order_id] = order

    def take(self) -> VisitorOrder | None:
        """The next order that is due; it waits no more."""
        if not self._due:
            return None
        return self._due.pop(next(iter(self._due)))

    def drop(self, order: VisitorOrder) -> None:
        """The order waits no more: it was cancelled."""
        self._due.pop(order.order_id, None)
        self._waiting.get(order.request.pair, {}).pop(order.order_id, None)

    def waiting(self, pair: str) -> list[VisitorOrder]:
        """Orders of a market not yet triggered, oldest first."""
        return list(self._waiting.get(pair, {}).values())
