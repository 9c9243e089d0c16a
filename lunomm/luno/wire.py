"""Luno's formats, typed: the only module that knows its field names (pure).

Decoding is strict where money is concerned: prices and volumes must be plain decimal strings on the pair's grid, or the
frame is refused whole (`BookError`) and the stream resyncs. Unknown extra fields are ignored, as Luno adds some.
Encoding is shared with the simulator; recorded frames, not round trips, are the referee of both.

Source: Luno's API reference 1.2.5; recorded frames of 2021 and the shapes seen in 2026.
"""

from __future__ import annotations

import msgspec

from lunomm.errors import BookError
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side, parse_decimal

KEEPALIVE = '""'
"""Luno's empty message: a text frame of two quotes (a JSON empty string)."""

MAX_FRAME = 16 * 2**20
"""Largest frame accepted, bytes: the XBTZAR snapshot was 1.08 MB in 2021 and 1.11 MB in 2026."""

MAX_ID = 64
"""Longest order id accepted; Luno's have 13 to 15 characters."""


class Credentials(msgspec.Struct):
    """First text frame a client sends on either stream."""

    api_key_id: str
    api_key_secret: str

    def __repr__(self) -> str:
        return "Credentials(…)"


# --- market stream -------------------------------------------------------------------------------------------------


class WireOrder(msgspec.Struct):
    id: str
    price: str
    volume: str


class WireSnapshot(msgspec.Struct):
    sequence: str
    asks: list[WireOrder]
    bids: list[WireOrder]
    timestamp: int
    status: str


class WireTrade(msgspec.Struct, omit_defaults=True):
    """``counter`` is base x price. ``sequence``: absent in 2021, a JSON number since."""

    base: str
    counter: str
    maker_order_id: str
    taker_order_id: str
    order_id: str = ""
    sequence: int | None = None


class WireCreate(msgspec.Struct):
    order_id: str
    type: str
    price: str
    volume: str


class WireDelete(msgspec.Struct):
    order_id: str


class WireStatus(msgspec.Struct):
    status: str


class WireUpdate(msgspec.Struct):
    sequence: str
    trade_updates: list[WireTrade] | None
    create_update: WireCreate | None
    delete_update: WireDelete | None
    status_update: WireStatus | None
    timestamp: int


class WireError(msgspec.Struct):
    """An error frame of either stream; the server closes with 1000 after it."""

    error_code: str
    error: str = ""


class _Any(msgspec.Struct):
    """Every field a market frame can have: one decode tells which shape it is."""

    sequence: str | None = None
    asks: list[WireOrder] | None = None
    bids: list[WireOrder] | None = None
    status: str | None = None
    trade_updates: list[WireTrade] | None = None
    create_update: WireCreate | None = None
    delete_update: WireDelete | None = None
    status_update: WireStatus | None = None
    timestamp: int | None = None
    error_code: str | None = None
    error: str | None = None


_any = msgspec.json.Decoder(_Any)
_SIDES = {"BID": Side.BID, "ASK": Side.ASK}
_STATUSES = {"ACTIVE": MarketStatus.ACTIVE, "POSTONLY": MarketStatus.POSTONLY, "DISABLED": MarketStatus.DISABLED}


def decode_market_frame(raw: str | bytes, rules: PairRules) -> BookSnapshot | BookUpdate | WireError | None:
    """One frame of the market stream as an event; ``None`` for a keep-alive (any JSON value that is no object).

    Raises:
        BookError: not JSON, not one of the known shapes, a number off the grid, an unknown side or status word.
    """
    head = raw[:1]
    if head not in ("{", b"{") and raw.lstrip()[:1] not in ("{", b"{"):
        _check_keepalive(raw)
        return None
    try:
        frame = _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BookError(f"{rules.pair}: not a market frame: {str(error)[:120]}", code="BAD_FRAME") from None
    if frame.error_code is not None:
        return WireError(frame.error_code, frame.error or "")
    if frame.sequence is None or frame.timestamp is None:
        raise BookError(f"{rules.pair}: frame without sequence or timestamp", code="BAD_FRAME")
    if frame.asks is not None or frame.bids is not None:
        return _snapshot(frame, rules)
    return _update(frame, rules)


def _check_keepalive(raw: str | bytes) -> None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BookError("a frame is not JSON", code="BAD_FRAME") from None
    if isinstance(value, list):
        raise BookError("a frame is a list", code="BAD_FRAME")


def parse_sequence(text: str) -> int:
    """Strictly read an outer sequence: ASCII digits, at least 1, below 2**63."""
    if not (0 < len(text) <= 19 and text.isascii() and text.isdigit()):
        raise BookError(f"not a sequence: {text[:40]!r}", code="BAD_SEQUENCE")
    value = int(text)
    if not 1 <= value < 2**63:
        raise BookError(f"not a sequence: {text}", code="BAD_SEQUENCE")
    return value


def _ns(timestamp_ms: int) -> int:
    if not 0 <= timestamp_ms < 2**43:
        raise BookError(f"implausible timestamp {str(timestamp_ms)[:40]}", code="BAD_TIMESTAMP")
    return timestamp_ms * 1_000_000


def _id(text: str) -> str:
    if not (0 < len(text) <= MAX_ID and text.isascii() and text.isprintable() and " " not in text):
        raise BookError(f"not an order id: {text[:20]!r}", code="BAD_ID")
    return text


def _positive(lots: int, what: str) -> int:
    if lots <= 0:
        raise BookError(f"{what} must be positive", code="BAD_NUMBER")
    return lots


def _snapshot(frame: _Any, rules: PairRules) -> BookSnapshot:
    if frame.asks is None or frame.bids is None or frame.status is None:
        raise BookError(f"{rules.pair}: snapshot without asks, bids or status", code="BAD_FRAME")
    assert frame.sequence is not None and frame.timestamp is not None

    def orders(rows: list[WireOrder]) -> tuple[BookOrder, ...]:
        return tuple(
            BookOrder(
                _id(row.id),
                _positive(rules.price_ticks(row.price), "a price"),
                _positive(rules.volume_lots(row.volume), "a volume"),
            )
            for row in rows
        )

    return BookSnapshot(
        parse_sequence(frame.sequence),
        orders(frame.bids),
        orders(frame.asks),
        MarketStatus.parse(frame.status),
        _ns(frame.timestamp),
    )


def _update(frame: _Any, rules: PairRules) -> BookUpdate:
    assert frame.sequence is not None and frame.timestamp is not None
    trades = tuple(
        BookTrade(
            _id(trade.maker_order_id),
            _id(trade.taker_order_id),
            _positive(rules.volume_lots(trade.base), "a traded volume"),
            trade.counter,
            trade.sequence,
        )
        for trade in frame.trade_updates or ()
    )
    create = None
    if frame.create_update is not None:
        row = frame.create_update
        side = _SIDES.get(row.type)
        if side is None:
            raise BookError(f"{rules.pair}: unknown side {row.type[:20]!r}", code="BAD_SIDE")
        create = BookCreate(
            _id(row.order_id),
            side,
            _positive(rules.price_ticks(row.price), "a price"),
            _positive(rules.volume_lots(row.volume), "a volume"),
        )
    status = None
    if frame.status_update is not None:
        # A new word fails closed: DISABLED, which no one trades on.
        status = _STATUSES.get(frame.status_update.status, MarketStatus.parse(frame.status_update.status))
    return BookUpdate(
        parse_sequence(frame.sequence),
        trades,
        create,
        _id(frame.delete_update.order_id) if frame.delete_update is not None else None,
        status,
        _ns(frame.timestamp),
    )


# --- user stream ---------------------------------------------------------------------------------------------------


class WireOrderStatus(msgspec.Struct):
    """status: AWAITING, PENDING or COMPLETE (filled or cancelled alike). client_order_id: "" when none was given."""

    order_id: str
    client_order_id: str
    market_id: str
    status: str


class WireOrderFill(msgspec.Struct):
    """*_fill and *_fee are cumulative over the order, *_delta this event only."""

    order_id: str
    client_order_id: str
    market_id: str
    base_fill: str
    counter_fill: str
    base_delta: str
    counter_delta: str
    base_fee: str
    counter_fee: str
    base_fee_delta: str
    counter_fee_delta: str


class WireBalanceUpdate(msgspec.Struct):
    """account_id: JSON number of up to 19 digits. row_index: row of the account's ledger, from 1 without holes."""

    account_id: int
    row_index: int
    balance: str
    balance_delta: str
    available: str
    available_delta: str


class WireUserMessage(msgspec.Struct):
    """One frame of the user stream: exactly one payload is not null."""

    type: str
    timestamp: int
    order_status_update: WireOrderStatus | None
    order_fill_update: WireOrderFill | None
    balance_update: WireBalanceUpdate | None


# --- REST ----------------------------------------------------------------------------------------------------------


class ErrorBody(msgspec.Struct):
    error: str
    error_code: str


class MarketInfo(msgspec.Struct):
    """One row of /api/exchange/1/markets."""

    market_id: str
    trading_status: str
    base_currency: str
    counter_currency: str
    min_volume: str
    max_volume: str
    volume_scale: int
    min_price: str
    max_price: str
    price_scale: int
    fee_scale: int = 8

    def rules(self) -> PairRules:
        """Raises BookError: a row that contradicts itself."""
        return PairRules(
            pair=self.market_id,
            base=self.base_currency,
            counter=self.counter_currency,
            price_scale=self.price_scale,
            volume_scale=self.volume_scale,
            min_price=parse_decimal(self.min_price),
            max_price=parse_decimal(self.max_price),
            min_volume=parse_decimal(self.min_volume),
            max_volume=parse_decimal(self.max_volume),
            fee_scale=self.fee_scale,
            status=MarketStatus.parse(self.trading_status).value,
        )


class Markets(msgspec.Struct):
    markets: list[MarketInfo]


class Ticker(msgspec.Struct):
    """An empty side is "0.00"."""

    pair: str
    timestamp: int
    bid: str
    ask: str
    last_trade: str
    rolling_24_hour_volume: str
    status: str


class Tickers(msgspec.Struct):
    tickers: list[Ticker]


class PriceVolume(msgspec.Struct):
    price: str
    volume: str


class OrderBookReply(msgspec.Struct):
    timestamp: int
    bids: list[PriceVolume]
    asks: list[PriceVolume]


class PublicTrade(msgspec.Struct):
    """is_buy: the taker bought."""

    sequence: int
    timestamp: int
    price: str
    volume: str
    is_buy: bool


class PublicTrades(msgspec.Struct):
    trades: list[PublicTrade]


class Candle(msgspec.Struct):
    timestamp: int
    open: str
    close: str
    high: str
    low: str
    volume: str


class Candles(msgspec.Struct):
    candles: list[Candle]
    duration: int
    pair: str


class AccountBalance(msgspec.Struct):
    """balance: total; reserved: locked in open orders (free = balance - reserved)."""

    account_id: str
    asset: str
    balance: str
    reserved: str
    unconfirmed: str = "0.00"
    name: str = ""


class Balances(msgspec.Struct):
    balance: list[AccountBalance]


class FeeInfo(msgspec.Struct):
    """Fractions; the plain pair is deprecated in favour of the four by side."""

    maker_fee: str
    taker_fee: str
    maker_fee_buy: str = ""
    maker_fee_sell: str = ""
    taker_fee_buy: str = ""
    taker_fee_sell: str = ""
    thirty_day_volume: str = "0.00"


class PostOrderReply(msgspec.Struct):
    order_id: str


class StopOrderReply(msgspec.Struct):
    success: bool


class OrderV1(msgspec.Struct):
    """type: BID ASK BUY SELL; state: PENDING COMPLETE."""

    order_id: str
    pair: str
    type: str
    state: str
    limit_price: str
    limit_volume: str
    base: str
    counter: str
    fee_base: str
    fee_counter: str
    creation_timestamp: int
    completed_timestamp: int
    expiration_timestamp: int
    time_in_force: str = "GTC"


class OrdersV1(msgspec.Struct):
    orders: list[OrderV1] | None


class OrderV2(msgspec.Struct):
    """side: BUY SELL; type: LIMIT MARKET STOP_LIMIT; status: AWAITING PENDING COMPLETE.

    base, counter: filled so far, gross. A cancelled order is COMPLETE with base < limit_volume.
    """

    order_id: str
    pair: str
    side: str
    type: str
    status: str
    limit_price: str
    limit_volume: str
    base: str
    counter: str
    fee_base: str
    fee_counter: str
    creation_timestamp: int
    completed_timestamp: int
    expiration_timestamp: int
    base_account_id: int = 0
    counter_account_id: int = 0
    client_order_id: str = ""
    stop_price: str = "0.00"
    stop_direction: str = ""
    time_in_force: str = "GTC"


class OrdersV2(msgspec.Struct):
    orders: list[OrderV2] | None


class UserTrade(msgspec.Struct):
    """One fill. sequence is unique per market; is_buy: the taker bought. type: BID or ASK, our order's side."""

    pair: str
    sequence: int
    order_id: str
    type: str
    timestamp: int
    price: str
    volume: str
    base: str
    counter: str
    fee_base: str
    fee_counter: str
    is_buy: bool
    client_order_id: str = ""


class UserTrades(msgspec.Struct):
    trades: list[UserTrade] | None
