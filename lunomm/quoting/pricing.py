"""From the model's two distances to two prices on the tick, with every step kept.

Order of operations: reservation price, risk half-spread, intensity half-spread, fee, minimum spread, post-only clamp
to the others' touch, rounding outward, the pair's price bounds. A clamp moves one quote away from the opposite touch;
the other is not moved to compensate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lunomm.market.rules import PairRules, Side
from lunomm.quoting.avellaneda_stoikov import Model, finite
from lunomm.quoting.intents import Step, Why


@dataclass(frozen=True)
class Touch:
    """The others' best prices in ticks, our own orders removed; None where there is none (no clamp)."""

    bid: int | None = None
    ask: int | None = None


@dataclass(frozen=True)
class SidePrice:
    """One side's price in ticks with the steps that led there; ``ticks`` None and a reason when it must not be
    quoted."""

    ticks: int | None
    steps: list[Step] = field(default_factory=list)
    why: Why | None = None
    detail: str = ""


def half_spread(model: Model, maker_fee: float, min_spread: float) -> float:
    """Distance of a quote from the reservation price, counter: the model's plus the fee, at least half of
    ``min_spread``.

    Args:
        maker_fee: Fraction of the price a fill costs, negative for a rebate.
        min_spread: Fraction of the fair price for the whole spread, >= 0.

    Raises: ModelError: an argument not finite, or min_spread negative.
    """
    with_fee = model.half_spread + finite("maker fee", maker_fee) * model.fair
    return max(with_fee, finite("min_spread", min_spread, low=0.0) * model.fair / 2.0)


def price_sides(
    model: Model, rules: PairRules, touch: Touch, *, maker_fee: float = 0.0, min_spread: float = 0.0
) -> tuple[SidePrice, SidePrice]:
    """Bid and ask with bid < ask, or a side without a price and the reason.

    Raises: ModelError: anything is not finite.
    """
    bid = _price(Side.BID, model, rules, touch, maker_fee, min_spread)
    ask = _price(Side.ASK, model, rules, touch, maker_fee, min_spread)
    if bid.ticks is not None and ask.ticks is not None and bid.ticks >= ask.ticks:
        detail = "the formula's spread is nothing: bid and ask would meet"
        bid, ask = (SidePrice(None, side.steps, Why.NOT_PAYING, detail) for side in (bid, ask))
    return bid, ask


def _price(side: Side, model: Model, rules: PairRules, touch: Touch, maker_fee: float, min_spread: float) -> SidePrice:
    away = -side.sign  # a bid moves down, an ask up, with everything added
    steps = [Step("fair", model.fair), Step("skew", model.reservation)]
    price = model.reservation + away * model.risk_half
    steps.append(Step("risk", price))
    price += away * model.intensity_half
    steps.append(Step("intensity", price))
    steps.append(Step("fee", price + away * maker_fee * model.fair))
    price = finite("price", model.reservation + away * half_spread(model, maker_fee, min_spread))
    steps.append(Step("min_spread", price))
    ticks = rules.bid_ticks(price) if side is Side.BID else rules.ask_ticks(price)
    # The clamp is exact in ticks, so it is done on the rounded value; its step is shown before the rounding, where it
    # belongs.
    limit = _limit(side, touch)
    if limit is not None and (ticks > limit if side is Side.BID else ticks < limit):
        ticks, price = limit, rules.price_float(limit)
    steps += [Step("clamp", price), Step("rounding", rules.price_float(ticks))]
    exact = rules.price(ticks)
    if ticks <= 0 or not rules.min_price <= exact <= rules.max_price:
        detail = f"{exact} is outside the exchange's {rules.min_price} to {rules.max_price}"
        return SidePrice(None, steps, Why.PRICE_BOUNDS, detail)
    return SidePrice(ticks, steps)


def _limit(side: Side, touch: Touch) -> int | None:
    """The last tick that does not meet the others' opposite touch (post-only orders that would are refused)."""
    if side is Side.BID:
        return None if touch.ask is None else touch.ask - 1
    return None if touch.bid is None else touch.bid + 1
