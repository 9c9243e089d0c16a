"""Cancel every open order of ours by what the exchange lists: no Redis, no gateway needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunomm.bus.clock import Clock
from lunomm.commands.present import say
from lunomm.errors import LunommError, OrdersMayBeLive
from lunomm.trading.events import SaveNote
from lunomm.trading.orders import Order, is_ours
from lunomm.trading.restored import Restored

if TYPE_CHECKING:
    from lunomm.journal.store import Journal
    from lunomm.luno.rest import LunoRest

TAKE_DOWN_S = 5.0
SKEW_S = 1.0
"""The venue's clock may be so far behind ours."""

CLEARED = "cleared"
"""Note of a pair: which of its orders were found gone while no gateway served it."""


async def clear_former(
    rest: LunoRest, journal: Journal, restored: Restored, served: Sequence[str], clock: Clock
) -> None:
    """Cancel what the journal has of pairs that this gateway does not serve: nobody else would ever look at it.

    How those orders ended is for who serves the pair again to read; until then this is done once.

    Raises:
        OrdersMayBeLive: they could not be shown to be gone.
    """
    former = {
        pair: live
        for pair, kept in restored.pairs.items()
        if pair not in served
        and (live := [order for order in kept.orders if order.live])
        and kept.notes.get(CLEARED) != _names(live)
    }
    if not former:
        return
    names = ", ".join(former)
    say(f"{names}: not served by this gateway; what an earlier one left there is cancelled")
    orders = [order for live in former.values() for order in live]
    if any(order.order_id is None for order in orders):
        # A POST of then may arrive until its time to live is over, however long ago this machine thinks that was.
        await asyncio.sleep(clock.ttl_ns() / 1e9 + SKEW_S)
    # All markets at once: one that is closed for good must not keep the others waiting.
    left, verified = await take_down(rest, tuple(former), at_once=True)
    if not verified:
        left = left or [order.order_id or order.client_order_id for order in orders]
        raise OrdersMayBeLive(
            f"{len(left)} orders of {names} may be live, which this gateway does not serve: {', '.join(left)[:400]}. "
            f"Look at the exchange, or serve those pairs too",
            left,
        )
    journal.commit([SaveNote(pair, CLEARED, _names(live)) for pair, live in former.items()])


def _names(orders: Sequence[Order]) -> str:
    return " ".join(sorted(order.client_order_id for order in orders))


async def take_down(rest: LunoRest, pairs: Sequence[str], *, at_once: bool = False) -> tuple[list[str], bool]:
    """Cancel until two listings in a row show none of ours, for at most ``TAKE_DOWN_S``.

    Args:
        at_once: one listing of all markets, in place of one a pair.

    Returns: the ids that remain, and whether two listings in a row showed none.
    """
    clock = asyncio.get_running_loop().time
    listings: tuple[str | None, ...] = (None,) if at_once else tuple(pairs)
    end, clean, left = clock() + TAKE_DOWN_S, 0, list[str]()
    while clean < 2:
        found, all_listed = list[str](), True
        for listed in listings:
            try:
                orders = await rest.open_orders(listed)
            except LunommError:
                # Not reached or refused: nothing is proven, so the listings start over until the time is up.
                all_listed = False
                continue
            of = pairs if listed is None else (listed,)
            found += [o.order_id for o in orders if any(is_ours(o.client_order_id, pair) for pair in of)]
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
