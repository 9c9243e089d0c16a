"""Orders, as a line about them names them."""

from __future__ import annotations

from collections.abc import Iterable

from lunomm.simulator.visitor_orders import VisitorOrder


def names(orders: Iterable[VisitorOrder]) -> str:
    return ", ".join(f"{order.order_id} {order.request.client_order_id}" for order in orders)
