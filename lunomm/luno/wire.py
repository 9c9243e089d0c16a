"""Luno's formats, typed: the only module that knows its field names (pure).

Decoding is strict where money is concerned: prices and volumes must be plain decimal strings on the pair's grid, or the
frame is refused whole (`BookError`) and the stream resyncs. Unknown extra fields are ignored, as Luno adds some; a key
given twice is refused. Encoding is shared with the simulator; recorded frames, not round trips, are the referee of
both. Here are the two streams; ``wire_rest`` has the shapes of REST, ``fields`` the limits of single fields.

Source: Luno's API reference 1.2.5; recorded frames of 2021 and the shapes seen in 2026.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lunomm.errors import BookError, MarketDataError
from lunomm.luno.fields import (
    Amount,
    ClientOrderId,
    Millis,
    Number,
    OrderId,
    PairName,
    Signed,
    Word,
    refuse_repeated_keys,
)
from lunomm.luno.fields import decimal as decimal
from lunomm.luno.fields import decode as decode
from lunomm.luno.wire_rest import MAX_REPLY as MAX_REPLY
from lunomm.luno.wire_rest import AccountBalance as AccountBalance
from lunomm.luno.wire_rest import AccountTransaction as AccountTransaction
from lunomm.luno.wire_rest import AccountTransactions as AccountTransactions
from lunomm.luno.wire_rest import Balances as Balances
from lunomm.luno.wire_rest import Candle as Candle
from lunomm.luno.wire_rest import Candles as Candles
from lunomm.luno.wire_rest import ErrorBody as ErrorBody
from lunomm.luno.wire_rest import FeeInfo as FeeInfo
from lunomm.luno.wire_rest import MarketInfo as MarketInfo
from lunomm.luno.wire_rest import Markets as Markets
from lunomm.luno.wire_rest import OrderBookReply as OrderBookReply
from lunomm.luno.wire_rest import OrdersV1 as OrdersV1
from lunomm.luno.wire_rest import OrdersV2 as OrdersV2
from lunomm.luno.wire_rest import OrderV1 as OrderV1
from lunomm.luno.wire_rest import OrderV2 as OrderV2
from lunomm.luno.wire_rest import PostOrderReply as PostOrderReply
from lunomm.luno.wire_rest import PriceVolume as PriceVolume
from lunomm.luno.wire_rest import PublicTrade as PublicTrade
from lunomm.luno.wire_rest import PublicTrades as PublicTrades
from lunomm.luno.wire_rest import StopOrderReply as StopOrderReply
from lunomm.luno.wire_rest import Ticker as Ticker
from lunomm.luno.wire_rest import Tickers as Tickers
from lunomm.luno.wire_rest import UserTrade as UserTrade
from lunomm.luno.wire_rest import UserTrades as UserTrades
from lunomm.luno.wire_rest import Withdrawals as Withdrawals
from lunomm.luno.wire_rest import side_of as side_of
from lunomm.luno.wire_usual import MAX_ID, usual_update
from lunomm.market.events import BookCreate, BookOrder, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules, Side

KEEPALIVE = '""'
"""Luno's empty message: a text frame of two quotes (a JSON empty string)."""

MAX_FRAME = 16 * 2**20
"""Largest frame accepted, bytes: the XBTZAR snapshot was 1.08 MB in 2021 and 1.11 MB in 2026."""

MAX_USER_FRAME = 2**20
"""Largest user-stream frame accepted, bytes; real ones have a few hundred."""


class Credentials(msgspec.Struct):
    """First text frame a client sends on either stream."""

    api_key_id: str
    api_key_secret: str

    def __repr__(self) -> str:
        return "Credentials(…)"


# --- market stream -------------------------------------------------------------------------------------------------


class WireOrder(msgspec.Struct, gc=False):
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
    sequence: Number | None = None


class WireCreate(msgspec.Struct, gc=False):
    order_id: str
    type: str
    price: str
    volume: str


class WireDelete(msgspec.Struct, gc=False):
    order_id: str


class WireStatus(msgspec.Struct, gc=False):
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
    """Every field a market frame can have: one decode tells which shape it is, and which keys were there."""

    sequence: str | UnsetType = UNSET
    asks: list[WireOrder] | UnsetType | None = UNSET
    bids: list[WireOrder] | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    trade_updates: list[WireTrade] | UnsetType | None = UNSET
    create_update: WireCreate | UnsetType | None = UNSET
    delete_update: WireDelete | UnsetType | None = UNSET
    status_update: WireStatus | UnsetType | None = UNSET
    timestamp: int | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


_any = msgspec.json.Decoder(_Any)
_STREAM_SIDES = {"BID": Side.BID, "ASK": Side.ASK}


def decode_market_frame(raw: str | bytes, rules: PairRules) -> BookSnapshot | BookUpdate | WireError | None:
    """One frame of the market stream as an event; ``None`` for a keep-alive (an empty text, or JSON that is no object).

    Raises:
        BookError: longer than MAX_FRAME, not JSON, not one of the known shapes, a key given twice, a number off the
            grid, an unknown side.
    """
    if isinstance(raw, str):
        usual = usual_update(raw, rules)
        if usual is not None:
            return usual
    if len(raw) > MAX_FRAME:
        raise BookError(f"{rules.pair}: frame longer than {MAX_FRAME} bytes", code="BAD_FRAME")
    if _is_keepalive(raw):
        return None
    try:
        frame = _any.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = str(error)[:120]
    else:
        return _event(frame, raw, rules)
    raise BookError(f"{rules.pair}: not a market frame: {why}", code="BAD_FRAME")


def _is_keepalive(raw: str | bytes) -> bool:
    """Whether nothing is said; a list is refused, as it could be frames in a new wrapping.

    Raises:
        BookError: BAD_FRAME: neither a JSON object nor a keep-alive.
    """
    if raw[:1] in ("{", b"{"):
        return False
    text = raw.strip()
    if text[:1] in ("{", b"{"):
        return False
    if not text:
        return True
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = []
    if isinstance(value, list):
        raise BookError("a frame is neither a JSON object nor a keep-alive", code="BAD_FRAME")
    return True


def _event(frame: _Any, raw: str | bytes, rules: PairRules) -> BookSnapshot | BookUpdate | WireError:
    if frame.error_code is not UNSET:
        return WireError(frame.error_code, frame.error or "")
    if frame.sequence is UNSET or frame.timestamp is UNSET:
        raise BookError(f"{rules.pair}: frame without sequence or timestamp", code="BAD_FRAME")
    # As many colons as keys: then no key can be there twice. Anything else (an unknown key, a colon in a text) is rare
    # enough for the slow look.
    if (raw.count(":") if isinstance(raw, str) else raw.count(b":")) != _keys(frame):
        refuse_repeated_keys(raw, rules.pair, fail=_bad_frame)
    sequence, exchange_ns = parse_sequence(frame.sequence), _ns(frame.timestamp)
    if isinstance(frame.asks, list) or isinstance(frame.bids, list):
        return _snapshot(frame, rules, sequence, exchange_ns)
    if frame.trade_updates is frame.create_update is frame.delete_update is frame.status_update is UNSET:
        raise BookError(f"{rules.pair}: neither a snapshot nor an update", code="BAD_FRAME")
    return _update(frame, rules, sequence, exchange_ns)


def _bad_frame(message: str) -> MarketDataError:
    return BookError(message, code="BAD_FRAME")


def _keys(frame: _Any) -> int:
    """Number of known JSON keys in the frame, nested ones included; every struct's required keys are there."""
    keys = 2 + (frame.status is not UNSET) + (frame.error is not UNSET)
    for rows in (frame.asks, frame.bids):
        if rows is not UNSET:
            keys += 1 + (3 * len(rows) if rows else 0)
    if frame.trade_updates is not UNSET:
        keys += 1
        for trade in frame.trade_updates or ():
            keys += 4 + (trade.order_id != "") + (trade.sequence is not None)
    if frame.create_update is not UNSET:
        keys += 5 if frame.create_update else 1
    if frame.delete_update is not UNSET:
        keys += 2 if frame.delete_update else 1
    if frame.status_update is not UNSET:
        keys += 2 if frame.status_update else 1
    return keys


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


def _snapshot(frame: _Any, rules: PairRules, sequence: int, exchange_ns: int) -> BookSnapshot:
    if not isinstance(frame.asks, list) or not isinstance(frame.bids, list) or frame.status is UNSET:
        raise BookError(f"{rules.pair}: snapshot without asks, bids or status", code="BAD_FRAME")

    def orders(rows: list[WireOrder]) -> tuple[BookOrder, ...]:
        return tuple(
            BookOrder(
                _id(row.id),
                _positive(rules.price_ticks(row.price), "a price"),
                _positive(rules.volume_lots(row.volume), "a volume"),
            )
            for row in rows
        )

    return BookSnapshot(sequence, orders(frame.bids), orders(frame.asks), MarketStatus.parse(frame.status), exchange_ns)


def _update(frame: _Any, rules: PairRules, sequence: int, exchange_ns: int) -> BookUpdate:
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
    if frame.create_update:
        row = frame.create_update
        side = _STREAM_SIDES.get(row.type)
        if side is None:
            raise BookError(f"{rules.pair}: unknown side {row.type[:20]!a}", code="BAD_SIDE")
        create = BookCreate(
            _id(row.order_id),
            side,
            _positive(rules.price_ticks(row.price), "a price"),
            _positive(rules.volume_lots(row.volume), "a volume"),
        )
    # A new status word fails closed: it reads as DISABLED, which no one trades on.
    status = MarketStatus.parse(frame.status_update.status) if frame.status_update else None
    delete_id = _id(frame.delete_update.order_id) if frame.delete_update else None
    return BookUpdate(sequence, trades, create, delete_id, status, exchange_ns)


# --- user stream ---------------------------------------------------------------------------------------------------


class WireOrderStatus(msgspec.Struct):
    """status: AWAITING, PENDING or COMPLETE (filled or cancelled alike). client_order_id: "" when none was given."""

    order_id: OrderId
    client_order_id: ClientOrderId
    market_id: PairName
    status: Word


class WireOrderFill(msgspec.Struct):
    """*_fill and *_fee are cumulative over the order, *_delta this event only. Fees may be negative (a rebate)."""

    order_id: OrderId
    client_order_id: ClientOrderId
    market_id: PairName
    base_fill: Amount
    counter_fill: Amount
    base_delta: Amount
    counter_delta: Amount
    base_fee: Signed
    counter_fee: Signed
    base_fee_delta: Signed
    counter_fee_delta: Signed


class WireBalanceUpdate(msgspec.Struct):
    """account_id: JSON number of up to 19 digits. row_index: row of the account's ledger, from 1 without holes."""

    account_id: Number
    row_index: Number
    balance: Signed
    balance_delta: Signed
    available: Signed
    available_delta: Signed


class WireUserMessage(msgspec.Struct):
    """One frame of the user stream: exactly one payload is not null."""

    type: Word
    timestamp: Millis
    order_status_update: WireOrderStatus | None = None
    order_fill_update: WireOrderFill | None = None
    balance_update: WireBalanceUpdate | None = None


class _Code(msgspec.Struct):
    error_code: str | None = None
    error: str | None = None


def decode_user_frame(raw: str | bytes) -> WireUserMessage | WireError | None:
    """One frame of the user stream; ``None`` for a keep-alive, and for a kind of message we do not know.

    Raises:
        MarketDataError: BAD_FRAME: longer than MAX_USER_FRAME, not JSON, not of the known shapes, a key given twice, a
            payload missing or beside its type, or a fill whose delta is more than its total.
    """
    if len(raw) > MAX_USER_FRAME:
        raise MarketDataError(f"user stream: frame longer than {MAX_USER_FRAME} bytes", code="BAD_FRAME")
    if _is_keepalive(raw):
        return None
    code = decode(raw, _Code, "user stream", limit=MAX_USER_FRAME, keys=False)
    if code.error_code is not None:
        refuse_repeated_keys(raw, "user stream")
        return WireError(code.error_code, code.error or "")
    message = decode(raw, WireUserMessage, "user stream", limit=MAX_USER_FRAME)
    payloads = {
        "order_status": message.order_status_update,
        "order_fill": message.order_fill_update,
        "balance_update": message.balance_update,
    }
    present = [name for name, payload in payloads.items() if payload is not None]
    if message.type not in payloads and not present:
        return None
    if present != [message.type]:
        raise MarketDataError(f"user stream: {message.type[:20]!a} carries {present}", code="BAD_FRAME")
    fill = message.order_fill_update
    if fill is not None and (
        decimal(fill.base_delta) > decimal(fill.base_fill) or decimal(fill.counter_delta) > decimal(fill.counter_fill)
    ):
        raise MarketDataError("user stream: a fill's delta is more than its total", code="BAD_FRAME")
    return message
