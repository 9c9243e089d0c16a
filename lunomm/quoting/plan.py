"""One look at everything: from market, estimates, inventory and money to a plan for each side, and what to warn
about.

:func:`price_and_size` is the one path from a frozen situation to quotes: the running quoter, `explain` without a
market, tapes and backtests all take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from lunomm.market.records import Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.avellaneda_stoikov import Model, finite
from lunomm.quoting.estimates import InUse
from lunomm.quoting.inputs import Account
from lunomm.quoting.intents import Why
from lunomm.quoting.models import Market, price
from lunomm.quoting.pricing import Shape, SidePrice, Touch, half_spread, price_side, price_sides
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.side import Plan
from lunomm.quoting.sizing import MAX_LOTS, Lot, Sized, SizeRule, affordable_steps, cap, shape, to_steps
from lunomm.quoting.timing import Priced

__all__ = ["Picture", "QuoterOptions", "Situation", "picture", "price_and_size", "warnings"]


@dataclass(frozen=True)
class Situation:
    """All that a quote depends on at one instant, beside the options and the pair's rules.

    lot: base. lots: (position - target)/lot. bound: position limit in lots, None = none. capital: all that is owned,
    base. maker_fee: fraction. rooms: base each side may still add. spendable: counter a bid, base an ask may use. None
    in either = without limit.
    """

    market: Market
    touch: Touch
    lot: Decimal
    lots: float
    position: Decimal
    maker_fee: Decimal
    bound: float | None
    capital: float | None
    rooms: Mapping[Side, Decimal | None]
    spendable: Mapping[Side, Decimal | None]


@dataclass(frozen=True)
class Picture:
    """All that was found at one instant. lots: (position - target)/lot, not clipped. position, target: base."""

    model: Model
    lot: Lot
    lots: float
    position: Decimal
    target: Decimal
    base: str
    order_size: Decimal
    plans: Mapping[Side, Plan]
    maker_fee: Decimal = Decimal(0)
    deeper: Mapping[tuple[Side, int], Plan] = field(default_factory=dict)

    def plan(self, side: Side, level: int) -> Plan:
        """Level 0 is nearest to the fair price."""
        return self.plans[side] if level == 0 else self.deeper[side, level]


def picture(
    options: QuoterOptions,
    rules: PairRules,
    tick: Tick,
    estimates: InUse,
    *,
    lot: Lot,
    target: Decimal,
    position: Decimal,
    account: Account,
    spendable: Mapping[Side, Decimal],
    fair: float | None = None,
    worth: Decimal | None = None,
) -> Picture:
    """Price and size both sides.

    Args:
        spendable: counter a bid, base an ask may use.
        fair: the fair price to quote around, None = the mid.
        worth: the account's whole value in base, for gamma relative to it.

    Raises:
        ModelError: anything the model cannot price: non-finite, out of range, or units that cannot be right.
    """
    if tick.fair_mid is None or tick.fair_best_bid is None or tick.fair_best_ask is None:
        raise ValueError("a tick without a two-sided fair market cannot be priced")
    excess = position - target
    limit = min(account.max_position, MAX_LOTS * lot.size)
    # The gateway counts its limit from the target it keeps, which the user may have overridden here: both hold.
    kept = position - account.inventory_target
    situation = Situation(
        market=Market(
            fair=float(tick.fair_mid) if fair is None else fair,
            sigma=estimates.sigma,
            kappa=estimates.kappa,
            intensity=estimates.intensity,
        ),
        touch=Touch(rules.bid_ticks(tick.fair_best_bid), rules.ask_ticks(tick.fair_best_ask)),
        lot=lot.size,
        lots=finite("inventory", float(excess) / float(lot.size)),
        position=position,
        maker_fee=account.maker_fee,
        bound=float(limit) / float(lot.size),
        capital=None if worth is None else float(worth),
        rooms={
            Side.BID: min(limit - excess, account.max_position - kept),
            Side.ASK: min(limit + excess, account.max_position + kept),
        },
        spendable=spendable,
    )
    model, plans, deeper = price_and_size(options, rules, situation)
    return Picture(
        model, lot, situation.lots, position, target, rules.base, options.order_size, plans, account.maker_fee, deeper
    )


def price_and_size(
    options: QuoterOptions, rules: PairRules, seen: Situation
) -> tuple[Model, dict[Side, Plan], dict[tuple[Side, int], Plan]]:
    """The model before fees, both sides' plans, and those of the deeper levels.

    Raises:
        ModelError: as :func:`picture`.
    """
    bound, lot = seen.bound, float(seen.lot)
    n = seen.lots if bound is None else max(-bound, min(bound, seen.lots))
    fee = 0.0 if options.ignore_fees else float(seen.maker_fee)
    model, after_fee = (
        price(options.taste(), seen.market, n=n, lot=lot, capital=seen.capital, bound=bound, cost=cost)
        for cost in (0.0, fee * seen.market.fair)
    )
    prices = price_sides(
        model,
        rules,
        seen.touch,
        maker_fee=fee,
        min_spread=options.min_spread,
        max_spread=options.max_spread,
        no_improve=options.no_improve,
        after_fee=after_fee,
    )
    sizes = shape(n, lot, options.eta, options.size_rule)
    half = half_spread(after_fee, fee, options.min_spread, options.max_spread)
    priced = Priced(model.fair, half, seen.position)
    plans = {
        side: _plan(side, found, size, seen, options, rules, priced)
        for side, found, size in zip((Side.BID, Side.ASK), prices, sizes, strict=True)
    }
    asked = Shape(fee, options.min_spread, options.max_spread, options.no_improve)
    spacing = half if options.level_spacing_bp is None else options.level_spacing_bp * 1e-4 * seen.market.fair
    deeper: dict[tuple[Side, int], Plan] = {}
    for side, size in zip((Side.BID, Side.ASK), sizes, strict=True):
        inner, left = plans[side], seen
        for level in range(1, options.levels):
            if inner.price is not None:
                left = _after(left, side, inner)
                ticks = int(inner.price.scaleb(rules.price_scale))
                outward = level * spacing
                found = price_side(
                    side, model, rules, seen.touch, asked, after_fee=after_fee, outward=outward, inner=ticks
                )
                inner = _plan(side, found, size, left, options, rules, priced)
            deeper[side, level] = inner
    return model, plans, deeper


def _after(seen: Situation, side: Side, taken: Plan) -> Situation:
    """What is left for the next level outside, once this one has its size."""
    if taken.price is None:
        return seen
    room, free = seen.rooms[side], seen.spendable[side]
    cost = taken.size if side is Side.ASK else taken.size * taken.price * (1 + max(seen.maker_fee, Decimal(0)))
    return replace(
        seen,
        rooms={**seen.rooms, side: None if room is None else room - taken.size},
        spendable={**seen.spendable, side: None if free is None else free - cost},
    )


def _plan(
    side: Side,
    found: SidePrice,
    size: float,
    seen: Situation,
    options: QuoterOptions,
    rules: PairRules,
    priced: Priced,
) -> Plan:
    if found.ticks is None:
        return Plan(None, Decimal(0), priced, found.steps, size, found.why, found.detail)
    exact = rules.price(found.ticks)
    sized = to_steps(size, rules, options.min_size_policy)
    room, spendable = seen.rooms[side], seen.spendable[side]
    if room is not None:
        steps = rules.floor_lots(max(room, Decimal(0)))
        sized = cap(sized, steps, rules, Why.POSITION_LIMIT, "the position limit")
    if spendable is not None and side is Side.ASK:
        sized = cap(sized, rules.floor_lots(spendable), rules, Why.NO_BALANCE, f"the free {rules.base}")
    elif spendable is not None:
        steps = affordable_steps(spendable, exact, seen.maker_fee, rules)
        sized = cap(sized, steps, rules, Why.NO_BALANCE, f"the free {rules.counter}")
    return _sized_plan(exact, sized, rules, found, size, priced)


def _sized_plan(exact: Decimal, sized: Sized, rules: PairRules, price: SidePrice, size: float, priced: Priced) -> Plan:
    if sized.steps <= 0:
        why = sized.why or Why.MIN_SIZE
        return Plan(None, Decimal(0), priced, price.steps, size, why, sized.detail)
    return Plan(exact, rules.volume(sized.steps), priced, price.steps, size, sized.why, sized.detail)


def warnings(options: QuoterOptions, found: Picture | None, estimates: InUse | None) -> list[str]:
    """What a reader of the quotes must know; the complete list each time."""
    said = [] if found is None else model_warnings(options, found.model, found.maker_fee)
    if found is None:
        said += size_warnings(options)
    elif found.lot.bound is not None:
        asked = f"{found.order_size} {found.base}"
        said.insert(
            len(size_warnings(options)),
            f"order_size {asked} is {found.lot.bound}: quoting {found.lot.size.normalize():f}",
        )
    if estimates is not None:
        said += estimates.warnings
    return said


def size_warnings(options: QuoterOptions) -> list[str]:
    """What the options alone give cause to say."""
    if options.size_rule is SizeRule.LITERAL and options.eta < 0:
        return [
            f"size rule literal with eta {options.eta:g}: sizes grow with inventory; --size-rule decay shrinks them"
        ]
    return []


def model_warnings(options: QuoterOptions, model: Model, maker_fee: Decimal) -> list[str]:
    """What must be known of these prices; the same for a running quoter and for `explain`."""
    said = size_warnings(options)
    if options.ignore_fees and maker_fee > 0:
        said.append(
            f"maker fees are ignored: a round trip costs {2e4 * float(maker_fee):.1f} bp, the model's spread is "
            f"{model.spread_bps:.1f} bp"
        )
    flip = model.n_flip
    if flip is not None and flip < 1.0:
        said.append(f"one lot flips the book (n_flip {flip:.2f}): lower --gamma or shorten --horizon-s")
    return said
