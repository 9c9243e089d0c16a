"""The public REST replies of one market (pure)."""

from __future__ import annotations

from decimal import Decimal

from lunomm.luno.wire import Candle, Candles, MarketInfo, OrderBookReply, PriceVolume, PublicTrade, PublicTrades, Ticker
from lunomm.market.rules import MarketStatus, Side
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.public_tape import DURATIONS_S, PublicTape
from lunomm.simulator.refusals import refuse

TOP_LEVELS = 100

_MARKET_WORDS = {MarketStatus.ACTIVE: "ACTIVE", MarketStatus.POSTONLY: "POST_ONLY", MarketStatus.DISABLED: "UNKNOWN"}
"""The markets list has words of its own; it has none for a market that is off."""


def plain(number: Decimal) -> str:
    """A number as plain text with at least two decimals, trailing zeros trimmed."""
    whole, _, frac = f"{number:f}".partition(".")
    return f"{whole}.{frac.rstrip('0').ljust(2, '0')}"


def market_info(engine: Matcher, *, suspended: bool = False) -> MarketInfo:
    """suspended: POSTONLY is said to be a short stop, not one without an end date."""
    rules = engine.rules
    short = suspended and engine.status is MarketStatus.POSTONLY
    return MarketInfo(
        market_id=rules.pair,
        trading_status="SUSPENDED" if short else _MARKET_WORDS[engine.status],
        base_currency=rules.base,
        counter_currency=rules.counter,
        min_volume=plain(rules.min_volume),
        max_volume=plain(rules.max_volume),
        volume_scale=rules.volume_scale,
        min_price=plain(rules.min_price),
        max_price=plain(rules.max_price),
        price_scale=rules.price_scale,
        fee_scale=rules.fee_scale,
    )


def ticker(engine: Matcher, tape: PublicTape, now_ms: int) -> Ticker:
    """timestamp: the last change of the book; an empty side is "0.00"."""
    text = engine.text
    return Ticker(
        pair=engine.rules.pair,
        timestamp=engine.timestamp_ms,
        bid=text.price(engine.best_bid() or 0),
        ask=text.price(engine.best_ask() or 0),
        last_trade=text.price(engine.last_trade or 0),
        rolling_24_hour_volume=text.volume(tape.volume_24h(now_ms)),
        status=engine.status.value,
    )


def orderbook_top(engine: Matcher) -> OrderBookReply:
    """The best hundred prices a side, volumes summed."""

    def rows(side: Side) -> list[PriceVolume]:
        text = engine.text
        return [PriceVolume(text.price(price), text.volume(lots)) for price, lots in engine.levels(side, TOP_LEVELS)]

    return OrderBookReply(engine.timestamp_ms, rows(Side.BID), rows(Side.ASK))


def orderbook(engine: Matcher) -> OrderBookReply:
    """One row an order, without ids."""

    def rows(side: Side) -> list[PriceVolume]:
        text = engine.text
        return [PriceVolume(text.price(order.price), text.volume(order.lots)) for order in engine.resting(side)]

    return OrderBookReply(engine.timestamp_ms, rows(Side.BID), rows(Side.ASK))


def trades(engine: Matcher, tape: PublicTape, now_ms: int, since_ms: int | None) -> PublicTrades:
    """Raises VenueError: ErrInvalidArguments, since is more than a day ago."""
    if since_ms is not None and since_ms < now_ms - 86_400_000:
        raise refuse("ErrInvalidArguments", detail="since is more than 24 hours ago")
    text = engine.text
    return PublicTrades(
        [
            PublicTrade(
                sequence=trade.sequence,
                timestamp=trade.timestamp_ms,
                price=text.price(trade.price),
                volume=text.volume(trade.lots),
                is_buy=trade.is_buy,
            )
            for trade in tape.trades(now_ms, since_ms)
        ]
    )


def candles(engine: Matcher, tape: PublicTape, since_ms: int, duration_s: int) -> Candles:
    """Raises VenueError: ErrInvalidArguments, not one of the offered durations."""
    if duration_s not in DURATIONS_S:
        raise refuse("ErrInvalidArguments", detail=f"duration must be one of {', '.join(map(str, DURATIONS_S))}")
    text = engine.text
    rows = [
        Candle(
            timestamp=bar.start_ms,
            open=text.price(bar.open),
            close=text.price(bar.close),
            high=text.price(bar.high),
            low=text.price(bar.low),
            volume=text.volume(bar.lots),
        )
        for bar in tape.candles(since_ms, duration_s)
    ]
    return Candles(rows, duration_s, engine.rules.pair)
