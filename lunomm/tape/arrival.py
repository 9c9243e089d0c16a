"""A taker order of the upstream reaches our orders: what of it each of them gets (pure).

The rules stand in :mod:`~lunomm.tape.paper_market`; here is their arithmetic, in lots and price keys (price x side sign
of the makers: the best is the largest).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lunomm.market.book import AppliedTrade
from lunomm.market.rules import Side
from lunomm.tape.places import Place


class Taker(NamedTuple):
    """Who arrived at one side of a market. trades: as recorded, none for an order that only came to rest.

    rest_price, rest_lots: what came to rest of it, ticks; None where nothing did.
    """

    order_id: str
    trades: tuple[AppliedTrade, ...] = ()
    rest_price: int | None = None
    rest_lots: int = 0


def reached(side: Side, own: Sequence[Place], taker: Taker) -> list[tuple[Place, int]]:
    """Which of our orders on the makers' ``side`` it fills, by how many lots; their brackets are brought up to date.

    Args:
        own: best price first, first in first out inside a price.
    """
    sign = side.sign
    total = sum(trade.lots for trade in taker.trades)
    reach = [trade.price * sign for trade in taker.trades]
    rest_key = None if taker.rest_price is None else taker.rest_price * sign
    if rest_key is not None:
        reach.append(rest_key)
    deepest = min(reach, default=None)
    fills: list[tuple[Place, int]] = []
    with_us = 0
    for place in own:
        key = place.key
        if deepest is None or key < deepest:
            break
        rest = taker.rest_lots if rest_key is not None and rest_key <= key else 0
        before, beyond = 0, rest if rest_key is not None and rest_key < key else 0
        for trade in taker.trades:
            traded = trade.price * sign
            if traded > key or (traded == key and trade.maker_id in place.ahead):
                before += trade.lots
            elif traded < key:
                beyond += trade.lots
        place.bracket.touched(beyond - with_us)
        lots = min(total + rest - before - with_us, place.order.lots)
        if lots > 0:
            fills.append((place, lots))
            with_us += lots
    return fills
