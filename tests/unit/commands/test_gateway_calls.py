"""An order's time to live ends before our lease does: a late request is refused before another gateway can place."""

from __future__ import annotations

from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest

from lunomm.commands.gateway_calls import Calls
from lunomm.market.rules import Side
from lunomm.trading import events as ev
from lunomm.trading.orders import Order

PAIR = "XBTMYR"
NOW_MS = 1_700_000_000_000


class Rest:
    """Takes every order and remembers its time to live."""

    def __init__(self) -> None:
        self.ttls: list[int] = []

    async def post_order(self, *, ttl_ms: int, **_: object) -> str:
        self.ttls.append(ttl_ms)
        return "BX1"


@pytest.mark.parametrize(
    ("left_s", "speed", "age_ms", "sent"),
    [
        (5.0, 1.0, 0, 3_000),
        (4.0, 1.0, 0, 3_000),
        (3.25, 1.0, 0, 2_250),
        (1.5, 1.0, 0, 500),
        (1.5, 4.0, 0, 2_000),
        (1.5, 1.0, 600, None),
        (1.0, 1.0, 0, None),
        (-60.0, 1.0, 0, None),
        (5.0, 1.0, 3_000, None),
    ],
)
async def test_the_time_to_live_ends_before_the_lease(
    left_s: float, speed: float, age_ms: int, sent: int | None
) -> None:
    told: list[ev.Event] = []
    clock = SimpleNamespace(exchange_ms=lambda: NOW_MS, speed=speed)
    piece: Any = SimpleNamespace(lease_left_s=lambda: left_s, clock=clock)
    rest: Any = Rest()
    calls = Calls(piece, rest, None, None, None, told.append, {PAIR: ("XBT", "MYR")}, {})  # type: ignore[arg-type]

    async def announced(_: str) -> None:
        return

    calls._announce = announced  # type: ignore[method-assign]
    order = Order(
        pair=PAIR, intent_id="a-1-B0", client_order_id=f"lm1-{PAIR}-a-1-B0", side=Side.BID, level=0, price=D(1),
        volume=D(1), created_ms=NOW_MS - age_ms, timestamp_ms=NOW_MS - age_ms, ttl_ms=3_000, updated_ms=NOW_MS,
    )  # fmt: skip
    await calls._place(ev.Place(order))
    assert rest.ttls == ([] if sent is None else [sent])
    (event,) = told
    assert isinstance(event, ev.PostRejected if sent is None else ev.Posted)
