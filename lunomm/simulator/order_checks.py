"""Every check on an order call before money or the book is touched, with Luno's own code for each (pure)."""

from __future__ import annotations

import re

from lunomm.errors import BookError
from lunomm.market.rules import MarketStatus, PairRules, Side, to_units
from lunomm.simulator.call_arguments import LimitOrder, MarketOrder
from lunomm.simulator.ledger import SCALE
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.refusals import refuse
from lunomm.simulator.visitor_orders import OrderRequest

DEFAULT_TTL_MS = 10_000
MAX_TTL_MS = 10_000
_CLIENT_ID = re.compile(r"[0-9A-Za-z_;,.\-]{1,255}", re.ASCII)


def amount(text: str, scale: int, *, invalid: str, too_fine: str) -> int:
    """Decimal text as whole units of 10**-scale.

    Raises:
        VenueError: ``invalid``, not a plain number (also: absent, signed, with an exponent); ``too_fine``, more
            decimals than ``scale``.
    """
    try:
        return to_units(text, scale)
    except BookError as error:
        raise refuse(too_fine if error.code == "OFF_GRID" else invalid) from None


def deadline(now_ms: int, timestamp_ms: int | None, ttl_ms: int | None) -> None:
    """Refuse a request that arrives after its time to live; without a timestamp the ttl is ignored.

    Raises:
        VenueError: ErrDeadlineExceeded, or ErrInvalidArguments for a ttl outside 1..10000 ms.
    """
    if ttl_ms is not None and not 1 <= ttl_ms <= MAX_TTL_MS:
        raise refuse("ErrInvalidArguments", detail=f"ttl must be 1 to {MAX_TTL_MS}")
    if timestamp_ms is not None and now_ms > timestamp_ms + (DEFAULT_TTL_MS if ttl_ms is None else ttl_ms):
        raise refuse("ErrDeadlineExceeded")


def client_id(text: str) -> str:
    """Raises VenueError: ErrInvalidClientOrderId for other characters or more than 255."""
    if text and not _CLIENT_ID.fullmatch(text):
        raise refuse("ErrInvalidClientOrderId")
    return text


def trading(status: MarketStatus, *, post_only: bool) -> None:
    """Raises VenueError: the market takes no such order now."""
    if status is MarketStatus.DISABLED:
        raise refuse("ErrMarketUnavailable")
    if status is MarketStatus.POSTONLY and not post_only:
        raise refuse("ErrPostOnlyMode")


def limit_order(rules: PairRules, asked: LimitOrder) -> OrderRequest:
    """A checked limit order, without its stop. Raises VenueError: the code of the first check that fails."""
    type, time_in_force = asked["type"], asked.get("time_in_force", "")
    post_only, client_order_id = asked.get("post_only", False), asked.get("client_order_id", "")
    if type not in ("BID", "ASK"):
        raise refuse("ErrInvalidOrderSide")
    if time_in_force not in ("", "GTC", "IOC", "FOK"):
        raise refuse("ErrInvalidArguments", detail="time_in_force must be GTC, IOC or FOK")
    tif = TimeInForce(time_in_force or "GTC")
    if post_only and tif is not TimeInForce.GTC:
        raise refuse("ErrPostOnlyNotAllowed")
    client_id(client_order_id)
    lots = amount(
        asked["volume"], rules.volume_scale, invalid="ErrInvalidVolume", too_fine="ErrVolumeDenominationNotAllowed"
    )
    ticks = amount(
        asked["price"], rules.price_scale, invalid="ErrInvalidPrice", too_fine="ErrPriceDenominationNotAllowed"
    )
    _volume_bounds(rules, lots)
    value = rules.price(ticks)
    if ticks == 0 or value < rules.min_price:
        raise refuse("ErrPriceTooLow")
    if value > rules.max_price:
        raise refuse("ErrPriceTooHigh")
    side = Side(type)
    reserve = counter_units(rules, ticks * lots) if side is Side.BID else base_units(rules, lots)
    return OrderRequest(rules.pair, side, ticks, lots, tif, post_only, client_order_id, reserve)


def stop(request: OrderRequest, engine: Matcher, asked: LimitOrder) -> OrderRequest:
    """The order with its checked stop; RELATIVE_LAST_TRADE becomes ABOVE or BELOW here. As it is without a stop.

    Raises:
        VenueError: the code of the first check that fails.
    """
    stop_price, stop_direction = asked.get("stop_price", ""), asked.get("stop_direction", "")
    if not stop_price and not stop_direction:
        return request
    rules = engine.rules
    if stop_direction not in ("ABOVE", "BELOW", "RELATIVE_LAST_TRADE"):
        raise refuse("ErrInvalidStopDirection")
    ticks = amount(stop_price, rules.price_scale, invalid="ErrInvalidStopPrice", too_fine="ErrInvalidStopPrice")
    if rules.price(ticks) < rules.min_price:
        raise refuse("ErrStopPriceTooLow")
    if rules.price(ticks) > rules.max_price:
        raise refuse("ErrStopPriceTooHigh")
    if stop_direction == "RELATIVE_LAST_TRADE":
        if engine.last_trade is None:
            raise refuse("ErrNoTradesToInferStopDirection")
        stop_direction = "ABOVE" if engine.last_trade < ticks else "BELOW"
    return request._replace(stop_price=ticks, stop_direction=stop_direction)


def market_order(engine: Matcher, asked: MarketOrder) -> OrderRequest:
    """A checked market order, as the immediate-or-cancel order that the book can fill whole right now.

    A buy spends its counter_volume to less than one lot of change.

    Raises:
        VenueError: the code of the first check that fails; ErrNotEnoughLiquidity when the book is too thin.
    """
    rules = engine.rules
    type, client_order_id = asked["type"], client_id(asked.get("client_order_id", ""))
    if type == "SELL":
        lots = amount(
            asked.get("base_volume", ""),
            rules.volume_scale,
            invalid="ErrInvalidBaseVolume",
            too_fine="ErrVolumeDenominationNotAllowed",
        )
        _volume_bounds(rules, lots)
        if engine.fillable(Side.ASK, None, lots) < lots:
            raise refuse("ErrNotEnoughLiquidity")
        return OrderRequest(
            rules.pair, Side.ASK, None, lots, TimeInForce.IOC, False, client_order_id, base_units(rules, lots)
        )
    if type != "BUY":
        raise refuse("ErrInvalidOrderSide")
    scale = rules.price_scale + rules.volume_scale
    units = amount(
        asked.get("counter_volume", ""),
        scale,
        invalid="ErrInvalidCounterVolume",
        too_fine="ErrCounterDenominationNotAllowed",
    )
    lots, spent = engine.affordable(units)
    if spent < units and engine.fillable(Side.BID, None, lots + 1) == lots:
        raise refuse("ErrNotEnoughLiquidity")
    _volume_bounds(rules, lots)
    return OrderRequest(
        rules.pair, Side.BID, None, lots, TimeInForce.IOC, False, client_order_id, counter_units(rules, units)
    )


def base_units(rules: PairRules, lots: int) -> int:
    """Lots as 10**-18 of the base asset."""
    return lots * int(10 ** (SCALE - rules.volume_scale))


def counter_units(rules: PairRules, ticks_lots: int) -> int:
    """Ticks x lots as 10**-18 of the counter asset."""
    return ticks_lots * int(10 ** (SCALE - rules.price_scale - rules.volume_scale))


def _volume_bounds(rules: PairRules, lots: int) -> None:
    volume = rules.volume(lots)
    if lots == 0 or volume < rules.min_volume:
        raise refuse("ErrVolumeTooLow")
    if volume > rules.max_volume:
        raise refuse("ErrVolumeTooHigh")
