"""The tick as it goes over the bus: the very text of a `Tick`, put together from pieces that are written once.

Of 5,000 recorded frames a third leave the ten best levels as they were, and 97 in 100 the touch. So the text is cut
where it changes: the moment (every frame), the touch, the depth, each side's ladder level by level, our own orders, the
estimates; only a piece that changed is written again, from ticks and lots without a Decimal. What comes out is byte for
byte what encoding `Observer.tick` gives, for a market that is open with two sides.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lunomm.market.book import Book
from lunomm.market.levels import SideLevels
from lunomm.market.micro import MicroPrice
from lunomm.market.own import OwnOrders, OwnPlace
from lunomm.market.picture import own_orders
from lunomm.market.records import BookAudit, BookState, Estimates, Tick
from lunomm.market.rules import PairRules
from lunomm.market.signals import EXTRA_DIGITS, plain, vamp_units, weighted_mid_units
from lunomm.market.stamp import written_plainly
from lunomm.market.trades import FairTouch

_ENCODER: Final = msgspec.json.Encoder()


class Moment(msgspec.Struct):
    """What is another in every tick; fields and order are `Tick`'s."""

    ts: float
    exchange_ts: int
    sequence: int
    state: BookState
    beat: int
    stream_age_ms: float | None
    lag_ms: float | None
    reason: str
    orders: int
    levels: int
    trades_per_minute: float | None
    volatility_document_pct: float | None
    volatility_document_ready: bool


class Model(msgspec.Struct):
    """What changes with the estimates, every ten seconds, and with an audit; fields and order are `Tick`'s."""

    volatility: float | None
    volatility_daily_pct: float | None
    volatility_ready: bool
    alpha: float | None
    kappa: float | None
    buffer_ready: bool
    estimates: Estimates
    audit: BookAudit | None


def written(tick: Tick) -> bytes:
    """Any tick without its stamp: the fields after ``build``, to the closing brace."""
    tick.venue = tick.build = ""
    text = written_plainly(_ENCODER.encode(tick).decode())
    return text[text.index('"ts":') :].encode()


class TickText:
    """The text of one book's ticks."""

    def __init__(self, book: Book, own: OwnOrders, micro: MicroPrice) -> None:
        self._book = book
        self._own = own
        self._micro = micro
        self._bids = _Ladder(book.bids, book.rules)
        self._asks = _Ladder(book.asks, book.rules)
        self._own_version = -1
        self._stood: tuple[int, ...] = ()
        self._touch = self._depth = self._model_text = b""
        self._places: list[OwnPlace] = []
        self._own_text = b'"own":[]'
        self._model: Model | None = None

    def text(self, moment: Moment, fair: FairTouch, model: Model) -> bytes:
        """The text of an open, two-sided market without its stamp.

        Args:
            fair: the touch without our own orders. model: the same object for as long as it says the same.
        """
        bids, asks, own = self._bids, self._asks, self._own
        if (
            bids.revision != bids.levels.revision
            or asks.revision != asks.levels.revision
            or own.version != self._own_version
        ):
            self._follow(fair)
        if own.ids or self._places:
            self._write_own()
        if model is not self._model:
            self._model, self._model_text = model, _ENCODER.encode(model)[1:]
        return b",".join(
            (
                _ENCODER.encode(moment)[1:-1],
                self._touch,
                self._depth,
                bids.text,
                asks.text,
                self._own_text,
                self._model_text,
            )
        )

    def _follow(self, fair: FairTouch) -> None:
        bids, asks, scale = self._book.bids, self._book.asks, self._book.rules.price_scale
        self._bids.follow()
        self._asks.follow()
        vamp = vamp_units(bids.top_lots, bids.top_notional, asks.top_lots, -asks.top_notional)
        share = _ENCODER.encode(bids.top_lots / (bids.top_lots + asks.top_lots)).decode()
        self._depth = f'"vamp":"{plain(vamp, scale + EXTRA_DIGITS)}","order_imbalance":{share}'.encode()
        bid, ask = bids.keys[-1], asks.keys[-1]
        stood = (bid, ask, bids.lots[bid], asks.lots[ask], self._micro.version, self._own.version)
        if stood != self._stood or self._own.ids:
            self._stood = stood
            self._touch = self._write_touch(fair, bid, -ask, bids.lots[bid], asks.lots[ask])
        self._own_version = self._own.version

    def _write_touch(self, fair: FairTouch, bid: int, ask: int, bid_lots: int, ask_lots: int) -> bytes:
        rules = self._book.rules
        scale, volume_scale = rules.price_scale, rules.volume_scale
        ratio_scale = scale + EXTRA_DIGITS
        mid = plain(5 * (bid + ask), scale + 1)
        weighted = plain(weighted_mid_units(bid, bid_lots, ask, ask_lots), ratio_scale)
        best_bid, best_ask = plain(bid, scale), plain(ask, scale)
        micro_units = self._micro.units()
        micro = "null" if micro_units is None else f'"{plain(micro_units, ratio_scale)}"'
        fair_mid, fair_weighted, fair_bid, fair_ask = mid, weighted, best_bid, best_ask
        if self._own.ids and fair.bid is not None and fair.ask is not None:
            lots = self._own.fair_lots(fair.bid, fair.ask)
            fair_mid = plain(5 * (fair.bid + fair.ask), scale + 1)
            fair_weighted = plain(weighted_mid_units(fair.bid, lots[0], fair.ask, lots[1]), ratio_scale)
            fair_bid, fair_ask = plain(fair.bid, scale), plain(fair.ask, scale)
        return (
            f'"mid_price":"{mid}","spread":"{plain(ask - bid, scale)}","best_bid":"{best_bid}","best_ask":"{best_ask}",'
            f'"best_bid_size":"{plain(bid_lots, volume_scale)}","best_ask_size":"{plain(ask_lots, volume_scale)}",'
            f'"weighted_mid":"{weighted}","micro_price":{micro},"fair_mid":"{fair_mid}",'
            f'"fair_weighted_mid":"{fair_weighted}","fair_best_bid":"{fair_bid}","fair_best_ask":"{fair_ask}"'
        ).encode()

    def _write_own(self) -> None:
        places = self._own.places()
        if places != self._places:
            self._places = places
            orders = written_plainly(_ENCODER.encode(own_orders(places, self._book.rules)).decode())
            self._own_text = f'"own":{orders}'.encode()


class _Ladder:
    """The best levels of one side as text, each written once.

    revision: of the levels that ``text`` shows.
    """

    __slots__ = ("_name", "_rows", "_rules", "levels", "revision", "text")

    def __init__(self, levels: SideLevels, rules: PairRules) -> None:
        self.levels = levels
        self.revision = -1
        self.text = b""
        self._rules = rules
        self._name = b'"bids":[' if levels.sign > 0 else b'"asks":['
        self._rows: dict[int, bytes] = {}

    def follow(self) -> None:
        """Write again what changed since the last look."""
        levels = self.levels
        if levels.revision == self.revision:
            return
        rows, depth = self._rows, levels.depth
        shown = levels.keys[: -depth - 1 : -1]
        if levels.revision == self.revision + 1:
            # One change: one level another, gone or new, and with it perhaps one that entered or left the window.
            rows.pop(levels.changed, None)
            if len(levels.keys) > depth:
                rows.pop(levels.keys[-depth - 1], None)
        else:
            rows.clear()
        for key in shown:
            if key not in rows:
                rows[key] = self._row(key)
        self.text = self._name + b",".join([rows[key] for key in shown]) + b"]"
        self.revision = levels.revision

    def _row(self, key: int) -> bytes:
        rules, levels = self._rules, self.levels
        price, volume = plain(levels.sign * key, rules.price_scale), plain(levels.lots[key], rules.volume_scale)
        return f'["{price}","{volume}"]'.encode()
