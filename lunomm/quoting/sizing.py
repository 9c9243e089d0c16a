"""How much to quote: the effective lot, the size shape over inventory, and the caps, in whole lot steps.

The order is the user's: shape, floor to the step, raise to the exchange's minimum; then the caps (pair maximum,
position limit, balance), which never round up. "lot" here is the order size that inventory is counted in; a "step" is
the pair's smallest volume (``PairRules`` calls that a lot).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import ModelError
from lunomm.market.rules import EXACT, PairRules
from lunomm.quoting.avellaneda_stoikov import finite
from lunomm.quoting.intents import Why

ACCOUNT_SHARE = 4
"""A lot is at most this part of what the account can hold on each side: four fills one way before the funds are
gone."""

MAX_LOTS = 10
"""The quoter's own position limit in lots, whatever the gateway would allow."""


class SizeRule(enum.StrEnum):
    """DECAY: exp(-|eta| |n|) on the side that adds. LITERAL: the user's exp(-eta n), which grows for eta < 0."""

    DECAY = "decay"
    LITERAL = "literal"


class MinSizePolicy(enum.StrEnum):
    """What to do when the shape gives less than the exchange accepts: FLOOR quotes the minimum, SKIP quotes nothing."""

    FLOOR = "floor"
    SKIP = "skip"


@dataclass(frozen=True)
class Lot:
    """The effective lot, base, and what made it differ from the order size asked for (None when nothing did)."""

    size: Decimal
    bound: str | None


@dataclass(frozen=True)
class Sized:
    """One side's size in volume steps (0 = nothing), with the reason where a cap or the minimum decided."""

    steps: int
    why: Why | None = None
    detail: str = ""


def effective_lot(
    order_size: Decimal, rules: PairRules, *, worth: Decimal, target: Decimal, share: int = ACCOUNT_SHARE
) -> Lot:
    """The size inventory is counted in: the order size, or less where the account is small.

    A side's room is what the account could ever hold there: up to its whole value above the target, down to nothing
    below it. Free money would not do: it moves with every fill, and n = (position - target)/lot must not. A side
    without room for four minimum orders (a target of nothing, say) does not bound the lot, it could not be quoted at
    any size.

    Args:
        order_size: As asked for, base, > 0.
        worth: The account's whole value in base.
        target: Base to hold.
        share: a lot is at most this part of a side's room.

    Returns: on the volume step, at least the pair's minimum, at most its maximum.
    """
    least = rules.ceil_lots(rules.min_volume) or 1
    steps, bound = rules.floor_lots(order_size), None
    quarters = [rules.floor_lots(max(room, Decimal(0)) / share) for room in (worth - target, target)]
    holdable = min((q for q in quarters if q >= least), default=least)
    if holdable < steps:
        steps, bound = holdable, "more than this account holds"
    if steps < least:
        steps, bound = least, bound or "less than the exchange accepts"
    most = rules.floor_lots(rules.max_volume)
    if least <= most < steps:
        steps, bound = most, "more than the exchange accepts"
    return Lot(rules.volume(steps), bound)


def shape(n: float, lot: float, eta: float, rule: SizeRule) -> tuple[float, float]:
    """The model's bid and ask size, base, before steps, minimum and caps.

    decay: bid = lot exp(-|eta| max(n, 0)), ask = lot exp(-|eta| max(-n, 0)): the side that adds shrinks, the other
    stays whole.
    literal: bid = lot exp(-eta n) for n > 0, ask = lot exp(eta n) for n < 0, the sign of eta as typed.

    Args:
        n: Inventory minus target in lots, clipped to the position limit.
        lot: Base, > 0.
        eta: 1/lot.

    Raises: ModelError: an input or a size is not finite.
    Source: Fushimi, Gonzalez Rojas & Herman (2018), Optimal High-Frequency Market Making; sign of eta as in their
    intent.
    """
    finite("inventory", n)
    finite("lot", lot, above=0.0)
    rate = abs(finite("eta", eta)) if rule is SizeRule.DECAY else eta
    try:
        bid = lot * math.exp(-rate * n) if n > 0.0 else lot
        ask = lot * math.exp(rate * n) if n < 0.0 else lot
    except OverflowError:
        raise ModelError(f"the size rule overflows at eta {eta:g} and {n:g} lots") from None
    return finite("bid size", bid), finite("ask size", ask)


def to_steps(size: float, rules: PairRules, policy: MinSizePolicy) -> Sized:
    """Floor to the volume step, then the exchange's minimum: raised to it, or nothing, as the policy says."""
    steps, least, most = (
        rules.floor_lots(size),
        rules.ceil_lots(rules.min_volume) or 1,
        rules.floor_lots(rules.max_volume),
    )
    if steps < least:
        if policy is MinSizePolicy.SKIP:
            return Sized(
                0, Why.MIN_SIZE, f"the model asks for less than the minimum of {rules.volume(least)} {rules.base}"
            )
        return Sized(least, Why.MIN_SIZE, f"raised to the minimum of {rules.volume(least)} {rules.base}")
    return Sized(min(steps, most))


def cap(sized: Sized, steps: int, rules: PairRules, why: Why, what: str) -> Sized:
    """At most ``steps``; below the pair's minimum nothing, never rounded up. ``what`` names the bound, for people."""
    if sized.steps <= steps:
        return sized
    if steps < (rules.ceil_lots(rules.min_volume) or 1):
        left = f"{rules.volume(max(steps, 0))} {rules.base}"
        return Sized(0, why, f"{what} leaves room for {left}, below the minimum of {rules.min_volume}")
    return Sized(steps, why, f"{what} allows {rules.volume(steps)} {rules.base}")


def affordable_steps(counter: Decimal, price: Decimal, fee: Decimal, rules: PairRules) -> int:
    """Volume steps that ``counter`` buys at ``price`` with the fee on top, rounded down exactly; 0 for nothing.

    fee: fraction; a rebate buys nothing extra.
    """
    if counter <= 0:
        return 0
    cost = EXACT.multiply(price, 1 + max(fee, Decimal(0)))
    return int(EXACT.divide_int(counter.scaleb(rules.volume_scale), cost))
