"""The facts a limit check looks at, gathered from one desk and its account."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING

from lunomm.market.clock import Now
from lunomm.market.rules import Side
from lunomm.trading.limits import Situation, open_value

if TYPE_CHECKING:
    from lunomm.trading.desk import Desk


def target(desk: Desk) -> Decimal | None:
    """Base to hold, on the lot step; None before rules, opening and a market price are known."""
    if desk.rules is None or desk.reference is None or not desk.ledger.opened:
        return None
    balances = desk.shared.balances
    wish = desk.ledger.target(balances.expected(desk.base), balances.expected(desk.counter), desk.reference)
    return desk.rules.volume(desk.rules.floor_lots(max(wish, Decimal(0))))


def max_position(desk: Desk) -> Decimal | None:
    """Base, largest worst-case distance from the target: the user's limit, else what the account can hold."""
    limit = desk.shared.settings.limits.max_position
    if limit is not None:
        return limit
    aim = target(desk)
    if aim is None or desk.reference is None or desk.rules is None:
        return None
    balances = desk.shared.balances
    most = balances.expected(desk.base) + max(balances.expected(desk.counter), Decimal(0)) / desk.reference
    return desk.rules.volume(desk.rules.ceil_lots(max(most - aim, aim, Decimal(0))))


def of(desk: Desk, wanted: Collection[str], now: Now) -> Situation | None:
    """The situation of a pair; None while something it rests on is not known.

    wanted: ids of the intents wanted now, to tell an order that stays from one on its way out.
    """
    aim, most, rules = target(desk), max_position(desk), desk.rules
    if aim is None or most is None or rules is None or desk.reference is None:
        return None
    shared = desk.shared
    low, high = shared.balances.bounds(desk.base)
    bids = [o for o in desk.working.live() if o.side is Side.BID]
    asks = [o for o in desk.working.live() if o.side is Side.ASK]
    top = max(bids, key=lambda o: o.price, default=None)
    bottom = min(asks, key=lambda o: o.price, default=None)
    worth = shared.balances.expected(desk.base) * desk.reference + shared.balances.expected(desk.counter)
    return Situation(
        rules=rules,
        position_low=low,
        position_high=high,
        target=aim,
        max_position=most,
        bids_open=shared.open_base(desk.base, Side.BID),
        asks_open=shared.open_base(desk.base, Side.ASK),
        highest_bid=top.price if top else None,
        lowest_ask=bottom.price if bottom else None,
        highest_bid_wanted=top is not None and top.intent_id in wanted,
        lowest_ask_wanted=bottom is not None and bottom.intent_id in wanted,
        free_base=shared.free(desk.base, desk.pair),
        free_counter=shared.free(desk.counter, desk.pair),
        settled=shared.settled(desk.base) and shared.settled(desk.counter),
        reference=desk.reference if desk.prices.fresh(now.mono_ns) else None,
        good=desk.prices.good,
        open_now=sum((o.leaves * o.price for o in (*bids, *asks)), Decimal(0)),
        max_open_value=open_value(shared.settings.limits, worth),
        resting=frozenset(side for side in Side if shared.throttle.off(desk.pair, side, now)),
        crowded=shared.throttle.crowded(now),
    )
