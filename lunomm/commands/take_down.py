"""Cancel every open order of ours by what the exchange lists: no journal, no Redis, no gateway needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunomm.errors import LunommError
from lunomm.trading.orders import PREFIX

if TYPE_CHECKING:
    from lunomm.luno.rest import LunoRest

TAKE_DOWN_S = 5.0


async def take_down(rest: LunoRest, pairs: Sequence[str]) -> tuple[list[str], bool]:
    """Cancel until two listings in a row show none of ours, for at most ``TAKE_DOWN_S``.

    Returns: the ids that remain, and whether two listings in a row showed none.
    """
    clock = asyncio.get_running_loop().time
    end, clean, left = clock() + TAKE_DOWN_S, 0, list[str]()
    while clean < 2:
        try:
            found = [
                order.order_id
                for pair in pairs
                for order in await rest.open_orders(pair)
                if order.client_order_id.startswith(f"{PREFIX}-{pair}-")
            ]
            left, clean = found, 0 if found else clean + 1
            for order_id in found:
                await rest.stop_order(order_id)
        except LunommError:
            # Not reached or refused: nothing is proven, so the listings start over until the time is up.
            clean = 0
        if clean < 2 and clock() > end:
            return left, False
        if clean == 0:
            await asyncio.sleep(0.2)
    return [], True
