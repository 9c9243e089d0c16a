"""Luno's private replies and user messages as the reconciler's events (pure).

Here Luno's words end: BUY/SELL and BID/ASK become a side, COMPLETE becomes "not open", a word we do not know stays open
(it may still trade). A balance below zero, or more reserved than there is, leaves nothing free.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from lunomm.luno.fields import decimal
from lunomm.luno.wire import WireUserMessage
from lunomm.luno.wire_rest import AccountBalance, OrderV2, Ticker, UserTrade, side_of
from lunomm.market.rules import Side
from lunomm.trading.events import BalanceSeen, FillSeen, StatusSeen, VenueBalance, VenueOrder, VenueTrade
from lunomm.trading.orders import Amounts

AWAITING, COMPLETE = "AWAITING", "COMPLETE"


def venue_order(order: OrderV2) -> VenueOrder:
    """Raises MarketDataError: an unknown side or a number that is none."""
    return VenueOrder(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        pair=order.pair,
        side=side_of(order.side),
        price=decimal(order.limit_price),
        volume=decimal(order.limit_volume),
        open=order.status != COMPLETE,
        filled=Amounts(
            decimal(order.base), decimal(order.counter), decimal(order.fee_base), decimal(order.fee_counter)
        ),
        created_ms=order.creation_timestamp,
        completed_ms=order.completed_timestamp,
        awaiting=order.status == AWAITING,
    )


def venue_trade(trade: UserTrade) -> VenueTrade:
    """Raises MarketDataError: an unknown side or a number that is none.

    ``is_buy`` says that the taker bought: our bid with it false, or our ask with it true, was the maker.
    """
    side = side_of(trade.type)
    return VenueTrade(
        pair=trade.pair,
        sequence=trade.sequence,
        order_id=trade.order_id,
        client_order_id=trade.client_order_id,
        side=side,
        price=decimal(trade.price),
        amounts=Amounts(
            decimal(trade.base), decimal(trade.counter), decimal(trade.fee_base), decimal(trade.fee_counter)
        ),
        maker=trade.is_buy is (side is Side.ASK),
        ts_ms=trade.timestamp,
    )


def venue_balances(rows: Iterable[AccountBalance]) -> tuple[VenueBalance, ...]:
    return tuple(
        VenueBalance(int(row.account_id), row.asset, decimal(row.balance), decimal(row.reserved)) for row in rows
    )


def user_event(message: WireUserMessage) -> StatusSeen | FillSeen | BalanceSeen | None:
    """One message of the user stream; None when it carries nothing."""
    status, fill, balance = message.order_status_update, message.order_fill_update, message.balance_update
    if status is not None:
        return StatusSeen(
            status.market_id, status.order_id, status.client_order_id, status.status != COMPLETE,
            awaiting=status.status == AWAITING,
        )  # fmt: skip
    if fill is not None:
        total = Amounts(
            decimal(fill.base_fill), decimal(fill.counter_fill), decimal(fill.base_fee), decimal(fill.counter_fee)
        )
        delta = Amounts(
            decimal(fill.base_delta),
            decimal(fill.counter_delta),
            decimal(fill.base_fee_delta),
            decimal(fill.counter_fee_delta),
        )
        return FillSeen(fill.market_id, fill.order_id, fill.client_order_id, total, delta)
    if balance is not None:
        return BalanceSeen(balance.account_id, balance.row_index, decimal(balance.balance), decimal(balance.available))
    return None


def mid(ticker: Ticker) -> Decimal | None:
    """Middle of the touch; None when a side is empty (Luno writes 0) or the touch is crossed."""
    bid, ask = decimal(ticker.bid), decimal(ticker.ask)
    return (bid + ask) / 2 if 0 < bid < ask else None
