"""From the model's two distances to two prices on the tick, with every step kept.

Order of operations: reservation price, risk half-spread, intensity half-spread (and adverse selection, where asked
for), fee, minimum and maximum spread, level, post-only clamp to the others' touch, rounding outward, the pair's price
bounds. A clamp moves one quote away from the opposite touch; the other is not moved to compensate.
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


@dataclass(frozen=True)
class Shape:
    """What is asked of prices beyond the model. Fractions of the fair price.

    maker_fee: what a fill costs, negative for a rebate. min_spread, max_spread: of the whole spread; None = no cap.
    no_improve: never better than the others' best price of the side.
    """

    maker_fee: float = 0.0
    min_spread: float = 0.0
    max_spread: float | None = None
    no_improve: bool = False


def half_spread(
    model: Model, maker_fee: float, min_spread: float, max_spread: float | None = None, side: Side | None = None
) -> float:
    """Distance of a quote from the reservation price, counter: the model's plus the fee, at least half of
    ``min_spread``, at most half of ``max_spread``.

    Args:
        maker_fee: Fraction of the price a fill costs, negative for a rebate.
        min_spread, max_spread: Fractions of the fair price for the whole spread, >= 0.
        side: Whose, where the sides differ; None = the mean.

    Raises: ModelError: an argument not finite, or a spread negative.
    """
    half = model.half_spread + (0.0 if side is None else -side.sign * model.tilt)
    half += finite("maker fee", maker_fee) * model.fair
    half = max(half, finite("min_spread", min_spread, low=0.0) * model.fair / 2.0)
    return half if max_spread is None else min(half, finite("max_spread", max_spread, low=0.0) * model.fair / 2.0)


def price_sides(
    model: Model,
    rules: PairRules,
    touch: Touch,
    *,
    maker_fee: float = 0.0,
    min_spread: float = 0.0,
    max_spread: float | None = None,
    no_improve: bool = False,
    after_fee: Model | None = None,
) -> tuple[SidePrice, SidePrice]:
    """Bid and ask with bid < ask, or a side without a price and the reason.

    Args:
        after_fee: The model where fills cost the fee (GLFT skews harder then); None = it does not matter.

    Raises: ModelError: anything is not finite.
    """
    shape = Shape(maker_fee, min_spread, max_spread, no_improve)
    bid, ask = (price_side(side, model, rules, touch, shape, after_fee=after_fee) for side in (Side.BID, Side.ASK))
    if bid.ticks is None or ask.ticks is None:
        return bid, ask
    detail = ""
    if bid.ticks >= ask.ticks:
        detail = "the formula's spread is nothing: bid and ask would meet"
    elif (ask.ticks - bid.ticks) < maker_fee * (ask.ticks + bid.ticks) * (1.0 - 1e-12):
        between = 2e4 * (ask.ticks - bid.ticks) / (ask.ticks + bid.ticks)
        detail = f"ask - bid is {between:.1f} bp, two maker fees are {2e4 * maker_fee:.1f} bp"
    if detail:
        bid, ask = (SidePrice(None, side.steps, Why.NOT_PAYING, detail) for side in (bid, ask))
    return bid, ask


def price_side(
    side: Side,
    model: Model,
    rules: PairRules,
    touch: Touch,
    shape: Shape,
    *,
    after_fee: Model | None = None,
    outward: float = 0.0,
    inner: int | None = None,
) -> SidePrice:
    """One side alone.

    Args:
        outward: How much further from the reservation price a deeper level lies, counter.
        inner: Tick of the next level inside, which this one must lie outside of.

    Raises: ModelError: anything is not finite.
    """
    costly = model if after_fee is None else after_fee
    away = -side.sign  # a bid moves down, an ask up, with everything added
    steps = [Step("fair", model.fair), Step("skew", model.reservation)]
    if not (costly.bid if side is Side.BID else costly.ask):
        return SidePrice(None, steps, Why.POSITION_LIMIT, "another lot would pass the position limit")
    price = model.reservation + away * model.risk_half
    steps.append(Step("risk", price))
    price += away * (model.intensity_half + away * model.tilt)
    steps.append(Step("intensity", price))
    if model.impact_half:
        price += away * model.impact_half
        steps.append(Step("adverse", price))
    fee = shape.maker_fee
    for name, least, most in (
        ("fee", 0.0, None),
        ("min_spread", shape.min_spread, None),
        ("max_spread", shape.min_spread, shape.max_spread),
    ):
        if name == "max_spread" and most is None:
            continue
        price = finite("price", costly.reservation + away * half_spread(costly, fee, least, most, side))
        steps.append(Step(name, price))
    if outward:
        price += away * finite("level spacing", outward, low=0.0)
        steps.append(Step("level", price))
    ticks = rules.bid_ticks(price) if side is Side.BID else rules.ask_ticks(price)
    # The clamp is exact in ticks, so it is done on the rounded value; its step is shown before the rounding, where it
    # belongs.
    limit = _limit(side, touch, no_improve=shape.no_improve)
    if inner is not None:
        behind = inner - side.sign
        limit = behind if limit is None else (min if side is Side.BID else max)(limit, behind)
    if limit is not None and (ticks > limit if side is Side.BID else ticks < limit):
        ticks, price = limit, rules.price_float(limit)
    steps += [Step("clamp", price), Step("rounding", rules.price_float(ticks))]
    exact = rules.price(ticks)
    if ticks <= 0 or not rules.min_price <= exact <= rules.max_price:
        detail = f"{exact} is outside the exchange's {rules.min_price} to {rules.max_price}"
        return SidePrice(None, steps, Why.PRICE_BOUNDS, detail)
    return SidePrice(ticks, steps)


def _limit(side: Side, touch: Touch, *, no_improve: bool) -> int | None:
    """The last tick that does not meet the others' opposite touch (post-only orders that would are refused), nor, with
    ``no_improve``, betters their own."""
    own, opposite = (touch.bid, touch.ask) if side is Side.BID else (touch.ask, touch.bid)
    limits = [] if opposite is None else [opposite - side.sign]
    if no_improve and own is not None:
        limits.append(own)
    return (min if side is Side.BID else max)(limits, default=None)
