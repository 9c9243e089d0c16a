"""The facts a limit check looks at, gathered from one desk and its account."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from lunomm.market.clock import Now
from lunomm.market.rules import PairRules, Side
from lunomm.trading.limits import Situation, open_value
from lunomm.trading.orders import ZERO

if TYPE_CHECKING:
    from lunomm.trading.desk import Desk


class Aim(NamedTuple):
    """What the account aims at in a pair.

    rules, base, counter, price: what that rests on (base and counter as expected). target: base. most: base, how far
    from the target the account can be; None until asked for.
    """

    rules: PairRules
    base: Decimal
    counter: Decimal
    price: Decimal
    target: Decimal
    most: Decimal | None = None


def aim(desk: Desk) -> Aim | None:
    """Kept until anything it rests on changes; None before rules, opening and a market price are known."""
    rules, price = desk.rules, desk.reference
    if rules is None or price is None or not desk.ledger.opened:
        return None
    balances = desk.shared.balances
    base, counter = balances.expected(desk.base), balances.expected(desk.counter)
    if desk.aimed is None or desk.aimed[:4] != (rules, base, counter, price):
        wish = desk.ledger.target(base, counter, price)
        desk.aimed = Aim(rules, base, counter, price, rules.volume(rules.floor_lots(max(wish, ZERO))))
    return desk.aimed


def target(desk: Desk) -> Decimal | None:
    """Base to hold, on the lot step; None before rules, opening and a market price are known."""
    found = aim(desk)
    return None if found is None else found.target


def max_position(desk: Desk) -> Decimal | None:
    """Base, largest worst-case distance from the target: the user's limit, else what the account can hold."""
    limit = desk.shared.settings.limits.max_position
    if limit is not None:
        return limit
    found = aim(desk)
    if found is not None and found.most is None:
        all_base = found.base + max(found.counter, ZERO) / found.price
        lots = found.rules.ceil_lots(max(all_base - found.target, found.target, ZERO))
        found = desk.aimed = found._replace(most=found.rules.volume(lots))
    return None if found is None else found.most


def of(desk: Desk, wanted: Collection[str], now: Now) -> Situation | None:
    """The situation of a pair; None while something it rests on is not known.

    wanted: ids of the intents wanted now, to tell an order that stays from one on its way out.
    """
    wish, most, rules = target(desk), max_position(desk), desk.rules
    if wish is None or most is None or rules is None or desk.reference is None:
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
        target=wish,
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
