"""One look at everything: from market, estimates, inventory and money to a plan for each side, and what to warn
about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import UsageError
from lunomm.market.records import Tick
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.avellaneda_stoikov import Model, SpreadFormula, evaluate, finite
from lunomm.quoting.estimates import InUse
from lunomm.quoting.inputs import Account
from lunomm.quoting.intents import Why
from lunomm.quoting.pricing import SidePrice, Touch, half_spread, price_sides
from lunomm.quoting.side import Plan
from lunomm.quoting.sizing import (
    MAX_LOTS,
    Lot,
    MinSizePolicy,
    Sized,
    SizeRule,
    affordable_steps,
    cap,
    shape,
    to_steps,
)
from lunomm.quoting.timing import Priced


@dataclass(frozen=True)
class QuoterOptions:
    """The user's inputs. order_size: base. min_spread: fraction of the fair price. eta: 1/lot. kappa_prior: 1/price.

    inventory_target: ``50%`` or ``0.05XBT``; None = as the gateway keeps it. *_s: exchange seconds.

    Raises:
        UsageError: a value out of its range.
    """

    order_size: Decimal = Decimal(1)
    gamma: float = 1.0
    eta: float = -0.005
    min_spread: float = 0.0
    order_refresh_rate_s: float = 60.0
    filled_order_delay_s: float = 60.0
    max_order_age_s: float = 1800.0
    horizon_s: float = 86_400.0
    spread_formula: SpreadFormula = SpreadFormula.PAPER
    size_rule: SizeRule = SizeRule.DECAY
    reprice_at: float = 0.5
    inventory_target: str | None = None
    kappa_prior: float | None = None
    min_size_policy: MinSizePolicy = MinSizePolicy.FLOOR

    def __post_init__(self) -> None:
        if not (self.order_size.is_finite() and self.order_size > 0):
            raise UsageError(f"order size must be a positive amount: {self.order_size}")
        for name, value, above in (
            ("gamma", self.gamma, False),
            ("min_spread", self.min_spread, False),
            ("order_refresh_rate_s", self.order_refresh_rate_s, False),
            ("filled_order_delay_s", self.filled_order_delay_s, False),
            ("reprice_at", self.reprice_at, False),
            ("max_order_age_s", self.max_order_age_s, True),
            ("horizon_s", self.horizon_s, True),
            ("kappa_prior", 1.0 if self.kappa_prior is None else self.kappa_prior, True),
        ):
            if not (value > 0.0 or (value == 0.0 and not above)) or value == float("inf"):
                raise UsageError(f"{name} must be finite and {'above' if above else 'at least'} 0: {value}")
        if self.eta != self.eta or abs(self.eta) == float("inf"):
            raise UsageError(f"eta must be finite: {self.eta}")


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
) -> Picture:
    """Price and size both sides.

    Args:
        spendable: counter a bid, base an ask may use.

    Raises:
        ModelError: anything the model cannot price: non-finite, out of range, or units that cannot be right.
    """
    if tick.fair_mid is None or tick.fair_best_bid is None or tick.fair_best_ask is None:
        raise ValueError("a tick without a two-sided fair market cannot be priced")
    excess = position - target
    limit = min(account.max_position, MAX_LOTS * lot.size)
    lots = finite("inventory", float(excess) / float(lot.size))
    bound = float(limit) / float(lot.size)
    n = max(-bound, min(bound, lots))
    model = evaluate(
        fair=float(tick.fair_mid),
        n=n,
        gamma=options.gamma,
        sigma_relative=estimates.sigma,
        kappa=estimates.kappa,
        tau=options.horizon_s,
        formula=options.spread_formula,
    )
    touch = Touch(rules.bid_ticks(tick.fair_best_bid), rules.ask_ticks(tick.fair_best_ask))
    fee = float(account.maker_fee)
    prices = price_sides(model, rules, touch, maker_fee=fee, min_spread=options.min_spread)
    sizes = shape(n, float(lot.size), options.eta, options.size_rule)
    # The gateway counts its limit from the target it keeps, which the user may have overridden here: both hold.
    kept = position - account.inventory_target
    rooms = (min(limit - excess, account.max_position - kept), min(limit + excess, account.max_position + kept))
    priced = Priced(model.fair, half_spread(model, fee, options.min_spread), position)
    plans = {
        side: _plan(side, price, size, room, spendable[side], options, rules, account.maker_fee, priced)
        for side, price, size, room in zip((Side.BID, Side.ASK), prices, sizes, rooms, strict=True)
    }
    return Picture(model, lot, lots, position, target, rules.base, options.order_size, plans)


def _plan(
    side: Side,
    price: SidePrice,
    size: float,
    room: Decimal,
    spendable: Decimal,
    options: QuoterOptions,
    rules: PairRules,
    maker_fee: Decimal,
    priced: Priced,
) -> Plan:
    if price.ticks is None:
        return Plan(None, Decimal(0), priced, price.steps, size, price.why, price.detail)
    exact = rules.price(price.ticks)
    sized = to_steps(size, rules, options.min_size_policy)
    sized = cap(sized, rules.floor_lots(max(room, Decimal(0))), rules, Why.POSITION_LIMIT, "the position limit")
    if side is Side.ASK:
        sized = cap(sized, rules.floor_lots(spendable), rules, Why.NO_BALANCE, f"the free {rules.base}")
    else:
        steps = affordable_steps(spendable, exact, maker_fee, rules)
        sized = cap(sized, steps, rules, Why.NO_BALANCE, f"the free {rules.counter}")
    return _sized_plan(exact, sized, rules, price, size, priced)


def _sized_plan(exact: Decimal, sized: Sized, rules: PairRules, price: SidePrice, size: float, priced: Priced) -> Plan:
    if sized.steps <= 0:
        why = sized.why or Why.MIN_SIZE
        return Plan(None, Decimal(0), priced, price.steps, size, why, sized.detail)
    return Plan(exact, rules.volume(sized.steps), priced, price.steps, size, sized.why, sized.detail)


def warnings(options: QuoterOptions, found: Picture | None, estimates: InUse | None) -> list[str]:
    """What a reader of the quotes must know; the complete list each time."""
    said: list[str] = []
    if options.size_rule is SizeRule.LITERAL and options.eta < 0:
        said.append(
            f"size rule literal with eta {options.eta:g}: sizes grow with inventory; --size-rule decay shrinks them"
        )
    if found is not None:
        if found.lot.bound is not None:
            asked = f"{found.order_size} {found.base}"
            said.append(f"order_size {asked} is {found.lot.bound}: quoting {found.lot.size.normalize():f}")
        flip = found.model.n_flip
        if flip is not None and flip < 1.0:
            said.append(f"one lot flips the book (n_flip {flip:.2f}): lower --gamma or shorten --horizon-s")
    if estimates is not None:
        said += estimates.warnings
    return said
