"""Fills become taker orders: the unit in which trading intensity is counted.

A taker that swept five makers is one arrival, not five, and what matters is how deep it reached. Luno puts all fills of
one taker in one frame. The side is not given: a maker found among the bids means that the taker sold.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from lunomm.market.book import Applied, AppliedTrade
from lunomm.market.records import TakerOrder
from lunomm.market.rules import PairRules, Side
from lunomm.market.signals import exact


class FairTouch(NamedTuple):
    """Best others' bid and ask, ticks, our own orders removed; ``None`` where no one else stands."""

    bid: int | None
    ask: int | None

    @property
    def two_sided(self) -> bool:
        return self.bid is not None and self.ask is not None

    def mid(self, rules: PairRules) -> float | None:
        """Counter per base."""
        if self.bid is None or self.ask is None:
            return None
        return rules.price_float((self.bid + self.ask) / 2)

    def half_spread(self, rules: PairRules) -> float | None:
        """Counter per base."""
        if self.bid is None or self.ask is None:
            return None
        return rules.price_float((self.ask - self.bid) / 2)

    def relative_half_spread(self) -> float | None:
        """Half-spread over mid: a pure number, independent of the tick."""
        if self.bid is None or self.ask is None:
            return None
        return (self.ask - self.bid) / (self.ask + self.bid)


class DepthReached(NamedTuple):
    """How far a taker order went. Both relative to the mid before it. excess = depth - half_spread, never negative."""

    depth: float
    half_spread: float

    @property
    def excess(self) -> float:
        return max(self.depth - self.half_spread, 0.0)


def taker_orders(
    applied: Applied, before: FairTouch, own_ids: Collection[str], rules: PairRules, sequence: int, exchange_ns: int
) -> list[TakerOrder]:
    """Group one frame's fills by taker.

    Args:
        applied: what the frame did.
        before: the fair touch just before the frame.
        own_ids: our orders as the book knew them before the frame.
        sequence, exchange_ns: the frame's.

    Returns: one record a taker, in order of first appearance. Empty when the frame has no fill.
    """
    groups: dict[str, list[AppliedTrade]] = {}
    for trade in applied.trades:
        groups.setdefault(trade.taker_id, []).append(trade)
    mid, half_spread = before.mid(rules), before.half_spread(rules)
    records = []
    for taker_id, fills in groups.items():
        maker_side = fills[0].maker_side
        lots = sum(fill.lots for fill in fills)
        notional = sum(fill.lots * fill.price for fill in fills)
        # Deepest: the lowest bid reached by a seller, the highest ask reached by a buyer.
        furthest = min if maker_side is Side.BID else max
        deepest = furthest(fill.price for fill in fills)
        records.append(
            TakerOrder(
                pair=rules.pair,
                taker_id=taker_id,
                side=maker_side.other,
                volume=rules.volume(lots),
                counter=exact(notional, rules.price_scale + rules.volume_scale),
                deepest=rules.price(deepest),
                fills=len(fills),
                mid=mid,
                half_spread=half_spread,
                own_only=all(fill.maker_id in own_ids for fill in fills),
                sequence=sequence,
                trade_sequence=next((f.trade_sequence for f in reversed(fills) if f.trade_sequence is not None), None),
                exchange_ms=exchange_ns // 1_000_000,
            )
        )
    return records


def depth_reached(order: TakerOrder) -> DepthReached | None:
    """Distance of the deepest fill from the fair mid before it; ``None`` when there was no two-sided market."""
    if order.mid is None or order.half_spread is None or order.mid <= 0:
        return None
    return DepthReached(abs(float(order.deepest) - order.mid) / order.mid, order.half_spread / order.mid)
