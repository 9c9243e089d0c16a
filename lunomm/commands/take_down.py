"""Cancel every open order of ours by what the exchange lists: no journal, no Redis, no gateway needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunomm.errors import LunommError
from lunomm.trading.orders import is_ours

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
        found, all_listed = list[str](), True
        for pair in pairs:
            try:
                orders = await rest.open_orders(pair)
            except LunommError:
                # Not reached or refused: nothing is proven, so the listings start over until the time is up.
                all_listed = False
                continue
            found += [o.order_id for o in orders if is_ours(o.client_order_id, pair)]
        if all_listed or found:
            left = found
        clean = clean + 1 if all_listed and not found else 0
        for order_id in found:
            # One that cannot be cancelled shields no other; the next listing shows what is left.
            with contextlib.suppress(LunommError):
                await rest.stop_order(order_id)
        if clean < 2 and clock() > end:
            return left, False
        if clean == 0:
            await asyncio.sleep(0.2)
    return [], True
