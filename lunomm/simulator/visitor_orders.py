"""An order of an account: what was asked, what became of it, and how the exchange shows it (pure)."""

from __future__ import annotations

from typing import NamedTuple

from lunomm.luno.wire import OrderV1, OrderV2, UserTrade
from lunomm.market.rules import Side
from lunomm.simulator.ledger import SCALE, Wallet
from lunomm.simulator.matching import TimeInForce
from lunomm.simulator.messages import MarketText, units_text


class OrderRequest(NamedTuple):
    """A checked order. price: ticks, None for a market order; lots; reserve: 10**-18 of the asset it pays with.

    stop_price: ticks; stop_direction: ABOVE or BELOW, "" for an order that waits for nothing.
    """

    pair: str
    side: Side
    price: int | None
    lots: int
    tif: TimeInForce
    post_only: bool
    client_order_id: str
    reserve: int
    stop_price: int = 0
    stop_direction: str = ""


class VisitorOrder:
    """One order of an account, from its creation for ever.

    filled_lots, counter: traded so far (counter in ticks x lots); fee_base, fee_counter, reserved: 10**-18.
    wallets: the owner's base and counter account. status: AWAITING, PENDING or COMPLETE. completed_ms: 0 while live;
    expired_ms: time of a user's cancel, else 0.
    """

    __slots__ = (
        "completed_ms",
        "counter",
        "created_ms",
        "expired_ms",
        "fee_base",
        "fee_counter",
        "filled_lots",
        "order_id",
        "owner",
        "request",
        "reserved",
        "status",
        "text",
        "wallets",
    )

    def __init__(
        self,
        order_id: str,
        owner: str,
        request: OrderRequest,
        now_ms: int,
        text: MarketText,
        wallets: tuple[Wallet, Wallet],
    ) -> None:
        self.order_id = order_id
        self.owner = owner
        self.text = text
        self.wallets = wallets
        self.request = request
        self.created_ms = now_ms
        self.completed_ms = 0
        self.expired_ms = 0
        self.filled_lots = 0
        self.counter = 0
        self.fee_base = 0
        self.fee_counter = 0
        self.reserved = request.reserve
        self.status = "AWAITING"

    @property
    def live(self) -> bool:
        return self.status != "COMPLETE"


def money_text(units: int) -> str:
    """10**-18 of an asset as text."""
    return units_text(units, SCALE)


def order_v1(order: VisitorOrder) -> OrderV1:
    request, text = order.request, order.text
    bid = request.side is Side.BID
    market = request.price is None
    return OrderV1(
        order_id=order.order_id,
        pair=request.pair,
        type=("BUY" if bid else "SELL") if market else request.side.value,
        state="COMPLETE" if order.status == "COMPLETE" else "PENDING",
        limit_price=text.price(request.price or 0),
        limit_volume=text.volume(0 if market else request.lots),
        base=text.volume(order.filled_lots),
        counter=text.counter(order.counter),
        fee_base=money_text(order.fee_base),
        fee_counter=money_text(order.fee_counter),
        creation_timestamp=order.created_ms,
        completed_timestamp=order.completed_ms,
        expiration_timestamp=order.expired_ms,
        time_in_force="" if market else request.tif.value,
    )


def order_v2(order: VisitorOrder) -> OrderV2:
    request, text = order.request, order.text
    base, counter = order.wallets
    market = request.price is None
    return OrderV2(
        order_id=order.order_id,
        pair=request.pair,
        side="BUY" if request.side is Side.BID else "SELL",
        type="MARKET" if market else "STOP_LIMIT" if request.stop_direction else "LIMIT",
        status=order.status,
        limit_price=text.price(request.price or 0),
        limit_volume=text.volume(0 if market else request.lots),
        stop_price=text.price(request.stop_price),
        stop_direction=request.stop_direction,
        base=text.volume(order.filled_lots),
        counter=text.counter(order.counter),
        fee_base=money_text(order.fee_base),
        fee_counter=money_text(order.fee_counter),
        creation_timestamp=order.created_ms,
        completed_timestamp=order.completed_ms,
        expiration_timestamp=order.expired_ms,
        base_account_id=base.account_id,
        counter_account_id=counter.account_id,
        client_order_id=request.client_order_id,
        time_in_force="" if market else request.tif.value,
    )


class Fill(NamedTuple):
    """One fill of one order. price: ticks; lots; fees: 10**-18; is_buy: the taker bought."""

    sequence: int
    timestamp_ms: int
    price: int
    lots: int
    fee_base: int
    fee_counter: int
    is_buy: bool
    order: VisitorOrder


def user_trade(fill: Fill) -> UserTrade:
    text = fill.order.text
    volume = text.volume(fill.lots)
    return UserTrade(
        pair=fill.order.request.pair,
        sequence=fill.sequence,
        order_id=fill.order.order_id,
        type=fill.order.request.side.value,
        timestamp=fill.timestamp_ms,
        price=text.price(fill.price),
        volume=volume,
        base=volume,
        counter=text.counter(fill.price * fill.lots),
        fee_base=money_text(fill.fee_base),
        fee_counter=money_text(fill.fee_counter),
        is_buy=fill.is_buy,
        client_order_id=fill.order.request.client_order_id,
    )
