"""The exchange's frames as text, in Luno's own key order (pure).

Text is written by hand rather than by an encoder: the order of keys and the style of the decimals are part of the
format that clients were written against, and a market frame is made into text only when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lunomm.market.events import BookCreate, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.behaviour import Behaviour


class Trade(NamedTuple):
    """One maker met by one taker. price: ticks, the maker's; lots: traded; maker_left: lots the maker keeps resting.

    Owners are account names, ``None`` for the house.
    """

    sequence: int
    price: int
    lots: int
    maker_id: str
    taker_id: str
    maker_side: Side
    maker_owner: str | None
    taker_owner: str | None
    maker_left: int


class Created(NamedTuple):
    """An order that came to rest. price: ticks; lots: what rests."""

    order_id: str
    side: Side
    price: int
    lots: int


def units_text(units: int, scale: int, least: int = 2) -> str:
    """``units`` of 10**-scale as decimal text, trailing zeros trimmed to ``least`` decimals."""
    if scale <= 0:
        return f"{units * 10**-scale}.{'0' * least}" if least else str(units * 10**-scale)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(scale + 1, "0")
    frac = digits[-scale:].rstrip("0").ljust(least, "0")
    return f"{sign}{digits[:-scale]}.{frac}" if frac else f"{sign}{digits[:-scale]}"


def regridded(units: int, finer: int) -> int:
    """Units on a grid of ``finer`` more decimals; rounded half up where that is coarser."""
    if finer >= 0:
        return int(units * 10**finer)
    step = int(10**-finer)
    return (2 * units + step) // (2 * step)


class MarketText:
    """How one market's numbers and frames are written."""

    __slots__ = ("_behaviour", "_counter_least", "_counter_scale", "_least", "pair", "rules")

    def __init__(self, rules: PairRules, behaviour: Behaviour) -> None:
        self.rules = rules
        self.pair = rules.pair
        self._behaviour = behaviour
        self._counter_scale = rules.price_scale + rules.volume_scale
        self._least = 8 if behaviour.padded_decimals else 2
        self._counter_least = 16 if behaviour.padded_decimals else 2

    def under(self, rules: PairRules) -> MarketText:
        """The same style under other rules."""
        return MarketText(rules, self._behaviour)

    def price(self, ticks: int) -> str:
        return units_text(ticks, self.rules.price_scale, self._least)

    def volume(self, lots: int) -> str:
        return units_text(lots, self.rules.volume_scale, self._least)

    def counter(self, units: int) -> str:
        """``units``: ticks x lots."""
        return units_text(units, self._counter_scale, self._counter_least)

    def snapshot(self, book: BookSnapshot) -> str:
        def rows(orders: Iterable[tuple[str, int, int]]) -> str:
            return ",".join(
                f'{{"id":"{order_id}","price":"{self.price(price)}","volume":"{self.volume(lots)}"}}'
                for order_id, price, lots in orders
            )

        return (
            f'{{"sequence":"{book.sequence}","asks":[{rows(book.asks)}],"bids":[{rows(book.bids)}],'
            f'"timestamp":{book.exchange_ns // 1_000_000},"status":"{book.status.value}"}}'
        )

    def trades(self, trades: tuple[Trade, ...]) -> str:
        if not trades:
            return "null" if self._behaviour.null_trades else "[]"
        numbered = self._behaviour.trade_numbers
        rows = (
            (f'{{"sequence":{trade.sequence},' if numbered else "{")
            + f'"base":"{self.volume(trade.lots)}","counter":"{self.counter(trade.lots * trade.price)}",'
            f'"maker_order_id":"{trade.maker_id}","taker_order_id":"{trade.taker_id}","order_id":"{trade.maker_id}"}}'
            for trade in trades
        )
        return f"[{','.join(rows)}]"


class MarketFrame:
    """One update of one market; ``raw`` is its text, made on first use."""

    __slots__ = ("_raw", "_text", "create", "delete_id", "sequence", "status", "timestamp_ms", "trades")

    def __init__(
        self,
        text: MarketText,
        sequence: int,
        timestamp_ms: int,
        trades: tuple[Trade, ...] = (),
        create: Created | None = None,
        delete_id: str | None = None,
        status: MarketStatus | None = None,
    ) -> None:
        self._text = text
        self._raw: str | None = None
        self.sequence = sequence
        self.timestamp_ms = timestamp_ms
        self.trades = trades
        self.create = create
        self.delete_id = delete_id
        self.status = status

    @property
    def pair(self) -> str:
        return self._text.pair

    @property
    def raw(self) -> str:
        """The frame as it goes over the wire."""
        if self._raw is None:
            text = self._text
            create = delete = status = "null"
            if self.create is not None:
                order_id, side, price, lots = self.create
                create = (
                    f'{{"order_id":"{order_id}","type":"{side.value}",'
                    f'"price":"{text.price(price)}","volume":"{text.volume(lots)}"}}'
                )
            if self.delete_id is not None:
                delete = f'{{"order_id":"{self.delete_id}"}}'
            if self.status is not None:
                status = f'{{"status":"{self.status.value}"}}'
            self._raw = (
                f'{{"sequence":"{self.sequence}","trade_updates":{text.trades(self.trades)},"create_update":{create},'
                f'"delete_update":{delete},"status_update":{status},"timestamp":{self.timestamp_ms}}}'
            )
        return self._raw

    def event(self) -> BookUpdate:
        """The same frame as the book takes it, without the way over text."""
        text = self._text
        return BookUpdate(
            self.sequence,
            tuple(
                BookTrade(
                    trade.maker_id, trade.taker_id, trade.lots, text.counter(trade.lots * trade.price), trade.sequence
                )
                for trade in self.trades
            ),
            None if self.create is None else BookCreate(*self.create),
            self.delete_id,
            self.status,
            self.timestamp_ms * 1_000_000,
        )
