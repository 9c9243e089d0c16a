"""The market's half of a tick: exact prices and sizes for people and programs to read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lunomm.market.book import Book
from lunomm.market.levels import SideLevels
from lunomm.market.own import OwnOrders, OwnPlace
from lunomm.market.records import BookState, Level, OwnOrder, Tick
from lunomm.market.rules import PairRules, Side
from lunomm.market.signals import imbalance, mid_price, side_sums, vamp, weighted_mid
from lunomm.market.trades import FairTouch


class Picture:
    """Draws one book; keeps the ladder it drew last, as most frames leave most of it as it was."""

    def __init__(self, book: Book, own: OwnOrders) -> None:
        self._book = book
        self._own = own
        self._shown: dict[Side, tuple[int, list[Level]]] = {}

    def draw(self, tick: Tick, fair: FairTouch) -> None:
        """Fill in what the market looks like. fair: the touch without our own orders.

        In any state but OK what rests is shown, and no price is made of it.
        """
        book, rules = self._book, self._book.rules
        bids, asks = book.bids, book.asks
        tick.exchange_ts = book.exchange_ns // 1_000_000
        tick.sequence = book.sequence
        tick.orders, tick.levels = book.order_count, book.level_count
        tick.bids, tick.asks = self._ladder(bids), self._ladder(asks)
        bid, ask = bids.best(), asks.best()
        if tick.bids:
            tick.best_bid, tick.best_bid_size = tick.bids[0].price, tick.bids[0].volume
        if tick.asks:
            tick.best_ask, tick.best_ask_size = tick.asks[0].price, tick.asks[0].volume
        tick.order_imbalance = imbalance(bids.top_lots, asks.top_lots)
        tick.own = own_orders(self._own.places(), rules)
        fair_bid, fair_ask = fair
        if self._own.ids:
            tick.fair_best_bid = rules.price(fair_bid) if fair_bid is not None else None
            tick.fair_best_ask = rules.price(fair_ask) if fair_ask is not None else None
        else:
            tick.fair_best_bid, tick.fair_best_ask = tick.best_bid, tick.best_ask
        if tick.state is not BookState.OK or bid is None or ask is None:
            return
        tick.mid_price = mid_price(bid, ask, rules)
        tick.spread = rules.price(ask - bid)
        tick.vamp = vamp(side_sums(bids), side_sums(asks), rules)
        tick.weighted_mid = weighted_mid(bid, bids.lots[bid], ask, asks.lots[-ask], rules)
        if not self._own.ids:
            tick.fair_mid, tick.fair_weighted_mid = tick.mid_price, tick.weighted_mid
        elif fair_bid is not None and fair_ask is not None:
            tick.fair_mid = mid_price(fair_bid, fair_ask, rules)
            bid_lots, ask_lots = self._own.fair_lots(fair_bid, fair_ask)
            tick.fair_weighted_mid = weighted_mid(fair_bid, bid_lots, fair_ask, ask_lots, rules)

    def _ladder(self, levels: SideLevels) -> list[Level]:
        """The best levels; rebuilt only when one of them changed, and then only those."""
        revision, rows = self._shown.get(levels.side, (-1, []))
        if revision != levels.revision:
            rules = self._book.rules
            # A revision counts every change of the top, and a level is a value: equal levels may be shared.
            known: dict[tuple[Decimal, Decimal], Level] = {(row.price, row.volume): row for row in rows}
            rows = []
            for ticks, lots in levels.top(levels.depth):
                price, volume = rules.price(ticks), rules.volume(lots)
                rows.append(known.get((price, volume)) or Level(price, volume))
            self._shown[levels.side] = (levels.revision, rows)
        return rows


def own_orders(places: Sequence[OwnPlace], rules: PairRules) -> list[OwnOrder]:
    """Our orders as a tick shows them."""
    return [
        OwnOrder(
            order_id=place.order.order_id,
            intent_id=place.intent_id,
            side=place.order.side,
            price=rules.price(place.order.price),
            volume=rules.volume(place.order.lots),
            volume_ahead=rules.volume(place.lots_ahead),
            orders_ahead=place.orders_ahead,
        )
        for place in places
    ]
