"""The shapes of Luno's REST replies, as its own field names spell them (pure). Imported through ``wire``.

Amounts are decimal strings, times Unix ms. The limits of each field are checked on decoding (see ``fields``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from lunomm.errors import MarketDataError
from lunomm.luno.fields import (
    AccountText,
    Amount,
    ClientOrderId,
    Millis,
    Number,
    OrderId,
    PairName,
    Signed,
    Word,
    decimal,
)
from lunomm.market.rules import MarketStatus, PairRules, Side, parse_decimal

MAX_REPLY = 16 * 2**20
"""Largest body accepted, bytes."""


_SIDES = {"BID": Side.BID, "BUY": Side.BID, "ASK": Side.ASK, "SELL": Side.ASK}


def side_of(word: str) -> Side:
    """BID or BUY, ASK or SELL, as one enum.

    Raises:
        MarketDataError: BAD_SIDE: any other word.
    """
    side = _SIDES.get(word)
    if side is None:
        raise MarketDataError(f"unknown side {word[:20]!a}", code="BAD_SIDE")
    return side


class ErrorBody(msgspec.Struct):
    """What comes instead of the reply when the call was refused; only ``error_code`` is stable."""

    error: Annotated[str, msgspec.Meta(max_length=4000)]
    error_code: Word


class MarketInfo(msgspec.Struct):
    """One row of /api/exchange/1/markets. Not checked until :meth:`rules`: one odd row must not hide the others."""

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

    @property
    def legs(self) -> tuple[str, str]:
        """Base and counter currency: on every screen, and in plain lines.

        Raises:
            MarketDataError: not a currency's name.
        """
        for currency in (self.base_currency, self.counter_currency):
            try:
                msgspec.convert(currency, PairName)
            except msgspec.ValidationError:
                raise MarketDataError(
                    f"{self.market_id[:20]!a}: not a currency: {currency[:20]!a}", code="BAD_RULES"
                ) from None
        return self.base_currency, self.counter_currency

    def rules(self) -> PairRules:
        """The row in the program's own terms.

        Raises:
            MarketDataError: not a market's name, or not a currency's.
            BookError: a row that contradicts itself, or a limit that is no plain number.
        """
        try:
            msgspec.convert(self.market_id, PairName)
        except msgspec.ValidationError:
            raise MarketDataError(f"not a market: {self.market_id[:20]!a}", code="BAD_RULES") from None
        base, counter = self.legs
        return PairRules(
            pair=self.market_id,
            base=base,
            counter=counter,
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
    markets: list[MarketInfo] | None


class Ticker(msgspec.Struct):
    """An empty side is "0.00"."""

    pair: PairName
    timestamp: Millis
    bid: Amount
    ask: Amount
    last_trade: Amount
    rolling_24_hour_volume: Amount
    status: Word


class Tickers(msgspec.Struct):
    tickers: list[Ticker] | None


class PriceVolume(msgspec.Struct):
    price: Amount
    volume: Amount


class OrderBookReply(msgspec.Struct):
    timestamp: Millis
    bids: list[PriceVolume]
    asks: list[PriceVolume]


class PublicTrade(msgspec.Struct):
    """is_buy: the taker bought."""

    sequence: Number
    timestamp: Millis
    price: Amount
    volume: Amount
    is_buy: bool


class PublicTrades(msgspec.Struct):
    trades: list[PublicTrade] | None


class Candle(msgspec.Struct):
    timestamp: Millis
    open: Amount
    close: Amount
    high: Amount
    low: Amount
    volume: Amount


class Candles(msgspec.Struct):
    candles: list[Candle] | None
    duration: Number
    pair: PairName


class AccountBalance(msgspec.Struct):
    """balance: total; reserved: locked in open orders (free = balance - reserved)."""

    account_id: AccountText
    asset: Word
    balance: Signed
    reserved: Signed
    unconfirmed: Signed = "0.00"
    name: str = ""


class Balances(msgspec.Struct):
    balance: list[AccountBalance] | None


class AccountTransaction(msgspec.Struct):
    """One row of an account's append-only ledger, counted from 1 without holes. Amounts in the account's currency."""

    row_index: Number
    timestamp: Number
    balance: Signed
    available: Signed
    balance_delta: Signed
    available_delta: Signed
    currency: Word
    description: str = ""


class AccountTransactions(msgspec.Struct):
    id: AccountText
    transactions: list[AccountTransaction] | None


class FeeInfo(msgspec.Struct):
    """Fractions; the plain pair is deprecated in favour of the four by side."""

    maker_fee: Signed
    taker_fee: Signed
    maker_fee_buy: str = ""
    maker_fee_sell: str = ""
    taker_fee_buy: str = ""
    taker_fee_sell: str = ""
    thirty_day_volume: str = "0.00"

    def rates(self) -> tuple[Decimal, Decimal]:
        """(maker, taker): the dearer of buying and selling each. A negative maker fee is a rebate.

        Raises:
            MarketDataError: BAD_FEE: not a number, or a whole trade or more.
        """
        maker = self._dearest(self.maker_fee_buy, self.maker_fee_sell, self.maker_fee)
        return maker, self._dearest(self.taker_fee_buy, self.taker_fee_sell, self.taker_fee)

    @staticmethod
    def _dearest(buy: str, sell: str, plain: str) -> Decimal:
        rate = max(decimal(text or plain) for text in (buy, sell))
        if abs(rate) >= 1:
            raise MarketDataError(f"implausible fee {rate}", code="BAD_FEE")
        return rate


class PostOrderReply(msgspec.Struct):
    order_id: OrderId


class StopOrderReply(msgspec.Struct):
    success: bool


class OrderV1(msgspec.Struct):
    """type: BID ASK BUY SELL; state: PENDING COMPLETE."""

    order_id: OrderId
    pair: PairName
    type: Word
    state: Word
    limit_price: Amount
    limit_volume: Amount
    base: Amount
    counter: Amount
    fee_base: Signed
    fee_counter: Signed
    creation_timestamp: Millis
    completed_timestamp: Millis
    expiration_timestamp: Millis
    time_in_force: Word = "GTC"


class OrdersV1(msgspec.Struct):
    orders: list[OrderV1] | None


class OrderV2(msgspec.Struct, kw_only=True):
    """side: BUY SELL; type: LIMIT MARKET STOP_LIMIT; status: AWAITING PENDING COMPLETE.

    base, counter: filled so far, gross. A cancelled order is COMPLETE with base < limit_volume. Limits may be absent on
    market orders, which other programs on the account can have placed.
    """

    order_id: OrderId
    pair: PairName
    side: Word
    type: Word
    status: Word
    limit_price: Amount = "0.00"
    limit_volume: Amount = "0.00"
    base: Amount
    counter: Amount
    fee_base: Signed
    fee_counter: Signed
    creation_timestamp: Millis
    completed_timestamp: Millis
    expiration_timestamp: Millis
    base_account_id: Number = 0
    counter_account_id: Number = 0
    client_order_id: ClientOrderId = ""
    stop_price: Word = "0.00"
    stop_direction: Word = ""
    time_in_force: Word = "GTC"

    @property
    def live(self) -> bool:
        """May still trade: AWAITING, PENDING, or a word we do not know."""
        return self.status != "COMPLETE"


class OrdersV2(msgspec.Struct):
    orders: list[OrderV2] | None


class UserTrade(msgspec.Struct):
    """One fill. sequence is unique per market; is_buy: the taker bought. type: BID or ASK, our order's side."""

    pair: PairName
    sequence: Number
    order_id: OrderId
    type: Word
    timestamp: Millis
    price: Amount
    volume: Amount
    base: Amount
    counter: Amount
    fee_base: Signed
    fee_counter: Signed
    is_buy: bool
    client_order_id: ClientOrderId = ""


class UserTrades(msgspec.Struct):
    trades: list[UserTrade] | None


class Withdrawals(msgspec.Struct):
    """Only whether there is such an answer matters here."""

    withdrawals: list[object] | None = None
