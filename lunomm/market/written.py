"""The tick as it goes over the bus: the very text of a `Tick`, put together from pieces that are written once.

Of 5,000 recorded frames a third leave the ten best levels as they were, and 97 in 100 the touch. So the text is cut
where it changes: the moment (every frame), the touch, the depth, each side's ladder level by level, our own orders, the
estimates; only a piece that changed is written again, from ticks and lots without a Decimal, and one format joins
them. What comes out is byte for byte what encoding `Observer.tick` gives, for a market that is open with two sides.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import msgspec

from lunomm.market.book import Book
from lunomm.market.levels import SideLevels
from lunomm.market.micro import MicroPrice
from lunomm.market.own import OwnOrders, OwnPlace
from lunomm.market.picture import own_orders
from lunomm.market.records import BookAudit, Estimates, Tick
from lunomm.market.rules import PairRules
from lunomm.market.signals import EXTRA_DIGITS, plain, vamp_units, weighted_mid_units
from lunomm.market.stamp import written_plainly
from lunomm.market.trades import FairTouch
from lunomm.market.volatility import DocumentVol

_encode: Final = msgspec.json.Encoder().encode

_TICK: Final = (
    b'"ts":%b,"exchange_ts":%d,"sequence":%d,"state":"%b","beat":%d,"stream_age_ms":%b,"lag_ms":%b,"reason":"",'
    b'"orders":%d,"levels":%d,"trades_per_minute":%b,"volatility_document_pct":%b,"volatility_document_ready":%b,'
    b'%b,"vamp":"%b","order_imbalance":%b,"bids":[%b],"asks":[%b],%b'
)
"""An open, two-sided market, in `Tick`'s order: the moment, the touch, the depth, the ladders, own orders and model."""

KNOWN_TEXTS: Final = 2**10
"""Texts of prices and of volumes that a ladder keeps."""


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
    text = written_plainly(_encode(tick).decode())
    return text[text.index('"ts":') :].encode()


class TickText:
    """The text of one book's ticks."""

    def __init__(self, book: Book, own: OwnOrders, micro: MicroPrice, document: DocumentVol) -> None:
        self._book = book
        self._own = own
        self._micro = micro
        self._document = document
        self._bids = _Ladder(book.bids, book.rules)
        self._asks = _Ladder(book.asks, book.rules)
        self._own_version = self._revision = self._stirred = -1
        self._stood = (-1, -1, -1)
        self._touch = self._vamp = self._share = self._tail = b""
        self._decimals = book.rules.price_scale + EXTRA_DIGITS
        self._percent: float | None = None
        self._percent_text, self._percent_ready = b"null", b"false"
        self._places: list[OwnPlace] = []
        self._own_text = b'"own":[]'
        self._model: Model | None = None

    def text(
        self,
        late: bool,
        beat: int,
        wall_ms: float,
        stream_age_ms: float | None,
        lag_ms: float | None,
        trades_per_minute: float | None,
        fair: FairTouch,
        model: Model,
    ) -> bytes:
        """The text of an open, two-sided market without its stamp.

        Args: as of `Tick`. late: STALE rather than OK. fair: the touch without our own orders. model: the same object
            while it says the same.
        """
        book, bids, asks, own = self._book, self._bids, self._asks, self._own
        bid_levels, ask_levels = bids.levels, asks.levels
        revision = bid_levels.revision + ask_levels.revision  # both only grow
        if revision != self._revision or own.version != self._own_version:
            self._revision = revision
            self._follow(fair)
        if own.stirred != self._stirred or model is not self._model:
            self._stirred = own.stirred
            if self._write_own() or model is not self._model:
                self._model, self._tail = model, self._own_text + b"," + _encode(model)[1:]
        percent = self._document.percent()
        if percent is not self._percent:
            self._percent, self._percent_text = percent, _encode(percent)
            self._percent_ready = b"true" if percent is not None else b"false"
        return _TICK % (
            _encode(wall_ms),
            book.exchange_ns // 1_000_000,
            book.sequence,
            b"STALE" if late else b"OK",
            beat,
            _encode(stream_age_ms),
            _encode(lag_ms),
            len(book.places),
            len(bid_levels.keys) + len(ask_levels.keys),
            _encode(trades_per_minute),
            self._percent_text,
            self._percent_ready,
            self._touch,
            self._vamp,
            self._share,
            bids.text,
            asks.text,
            self._tail,
        )

    def _follow(self, fair: FairTouch) -> None:
        bids, asks = self._book.bids, self._book.asks
        if self._bids.revision != bids.revision:
            self._bids.follow()
        if self._asks.revision != asks.revision:
            self._asks.follow()
        bid_lots, ask_lots = bids.top_lots, asks.top_lots
        vamp = b"%d" % vamp_units(bid_lots, bids.top_notional, ask_lots, -asks.top_notional)
        decimals = self._decimals
        if 0 < decimals < len(vamp):
            self._vamp = b"%b.%b" % (vamp[:-decimals], vamp[-decimals:])
        else:
            self._vamp = plain(int(vamp), decimals).encode()
        self._share = _encode(bid_lots / (bid_lots + ask_lots))
        # Everyone's touch; the others', which is what the micro-price counts; which orders of it are ours.
        stood = (bids.touches + asks.touches, self._micro.version, self._own.version)
        if stood != self._stood:
            self._stood = stood
            bid, ask = bids.keys[-1], asks.keys[-1]
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

    def _write_own(self) -> bool:
        """Whether our orders stand otherwise than before."""
        places = self._own.places()
        if places == self._places:
            return False
        self._places = places
        orders = written_plainly(_encode(own_orders(places, self._book.rules)).decode())
        self._own_text = f'"own":{orders}'.encode()
        return True


class _Ladder:
    """The best levels of one side as text, in step with them: one change writes one row.

    revision: of the levels that ``text`` shows, which is the rows without the brackets around them.
    """

    __slots__ = ("_prices", "_rows", "_rules", "_shown", "_volumes", "levels", "revision", "text")

    def __init__(self, levels: SideLevels, rules: PairRules) -> None:
        self.levels = levels
        self.revision = -1
        self.text = b""
        self._rules = rules
        self._shown: list[int] = []
        self._rows: list[bytes] = []
        self._prices: dict[int, bytes] = {}
        self._volumes: dict[int, bytes] = {}

    def follow(self) -> None:
        """Write again what changed since the last look, where something did."""
        levels, rows = self.levels, self._rows
        revision = levels.revision
        if revision != self.revision + 1:
            self._shown = levels.keys[: -levels.depth - 1 : -1]
            self._rows = rows = [self._row(key) for key in self._shown]
        else:
            # One level is another, gone or new; then one leaves the window at its end, or enters it.
            shown, keys, key, depth = self._shown, levels.keys, levels.changed, levels.depth
            place = len(keys) - bisect_right(keys, key)
            if place >= len(shown) or shown[place] != key:
                shown.insert(place, key)
                rows.insert(place, self._row(key))
                if len(shown) > depth:
                    del shown[depth], rows[depth]
            elif key in levels.lots:
                rows[place] = self._row(key)
            else:
                del shown[place], rows[place]
                if len(keys) >= depth:
                    entering = keys[-depth]
                    shown.append(entering)
                    rows.append(self._row(entering))
        self.text = b",".join(rows)
        self.revision = revision

    def _row(self, key: int) -> bytes:
        lots = self.levels.lots[key]
        price, volume = self._prices.get(key), self._volumes.get(lots)
        if price is None:
            if len(self._prices) >= KNOWN_TEXTS:
                self._prices.clear()
            price = self._prices[key] = f'["{plain(self.levels.sign * key, self._rules.price_scale)}",'.encode()
        if volume is None:
            if len(self._volumes) >= KNOWN_TEXTS:
                self._volumes.clear()
            volume = self._volumes[lots] = f'"{plain(lots, self._rules.volume_scale)}"]'.encode()
        return price + volume
