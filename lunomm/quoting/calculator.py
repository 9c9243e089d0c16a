"""One quote from numbers alone: the running quoter's own path with the market, the account and the pair typed in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from lunomm.errors import BookError, ModelError, UsageError
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.avellaneda_stoikov import Model
from lunomm.quoting.intents import Intent, SideReport, WantedQuotes
from lunomm.quoting.models import DAY_S, Market, ModelName
from lunomm.quoting.plan import Situation, model_warnings, price_and_size
from lunomm.quoting.pricing import Touch
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.risk_aversion import GammaRef
from lunomm.quoting.side import Plan

TICK_SHARE = 5
"""Without a tick, prices have so many digits after their first."""

_MOST = Decimal(10**15)


@dataclass(frozen=True)
class Inputs:
    """What the calculator is told beside :class:`QuoterOptions`. Amounts in base unless said otherwise.

    sigma_daily: percent a day. inv_kappa_bp: 1/kappa, bp of fair. intensity: A, 1/s a side. capital: total inventory.
    maker_fee: percent. best_bid, best_ask: None = no clamp. free_base, free_quote (counter), max_position: None = no
    cap.
    """

    fair: Decimal
    sigma_daily: float
    inv_kappa_bp: float
    intensity: float | None = None
    tick: Decimal | None = None
    lot_step: Decimal = Decimal("0.000001")
    min_size: Decimal | None = None
    inventory: Decimal = Decimal(0)
    target: Decimal = Decimal(0)
    capital: Decimal | None = None
    maker_fee: Decimal = Decimal(0)
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    free_base: Decimal | None = None
    free_quote: Decimal | None = None
    max_position: Decimal | None = None
    pair: str = "-"
    options: QuoterOptions = field(default_factory=QuoterOptions)


def calculate(given: Inputs) -> tuple[WantedQuotes, PairRules]:
    """The message a quoter would publish in exactly this situation, and the rules it was rounded by.

    The lot is the order size; balances only cap the sizes.

    Raises:
        UsageError: anything missing, out of range, or that no model can price.
    """
    _check(given)
    rules = _rules(given)
    options, fair, excess = given.options, float(given.fair), given.inventory - given.target
    limit = given.max_position
    seen = Situation(
        market=Market(
            fair=fair,
            sigma=given.sigma_daily / 100.0 / math.sqrt(DAY_S),
            kappa=1.0 / (given.inv_kappa_bp * 1e-4 * fair),
            intensity=given.intensity,
        ),
        touch=Touch(
            None if given.best_bid is None else rules.bid_ticks(given.best_bid),
            None if given.best_ask is None else rules.ask_ticks(given.best_ask),
        ),
        lot=options.order_size,
        lots=float(excess) / float(options.order_size),
        position=given.inventory,
        maker_fee=given.maker_fee / 100,
        bound=None if limit is None else float(limit) / float(options.order_size),
        capital=None if given.capital is None else float(given.capital),
        rooms={
            Side.BID: None if limit is None else limit - excess,
            Side.ASK: None if limit is None else limit + excess,
        },
        spendable={Side.BID: given.free_quote, Side.ASK: given.free_base},
    )
    try:
        model, plans, _ = price_and_size(options, rules, seen)
    except (ModelError, ArithmeticError) as e:
        raise UsageError(f"explain: no quote: {e}") from e
    return _message(given, seen, model, plans), rules


def _check(given: Inputs) -> None:
    least = Decimal("1e-12")
    for option, value, low in (
        ("--fair", given.fair, least),
        ("--tick", given.tick, least),
        ("--lot-step", given.lot_step, least),
        ("--min-size", given.min_size, Decimal(0)),
        ("--order-size", given.options.order_size, least),
        ("--capital", given.capital, least),
        ("--best-bid", given.best_bid, least),
        ("--best-ask", given.best_ask, least),
        ("--free-base", given.free_base, Decimal(0)),
        ("--free-quote", given.free_quote, Decimal(0)),
        ("--max-position", given.max_position, Decimal(0)),
        ("--inventory", given.inventory, -_MOST),
        ("--target", given.target, -_MOST),
        ("--maker-fee", given.maker_fee, Decimal(-10)),
    ):
        if value is not None and not (value.is_finite() and low <= value <= _MOST):
            raise UsageError(f"{option}: {value}: out of range. Give a number from {low:g} to {_MOST:g}")
    if given.maker_fee > 50:
        raise UsageError(f"--maker-fee: {given.maker_fee}: out of range. Give percent, such as 0.1; at most 50")
    for option, number in (
        ("--sigma-daily", given.sigma_daily),
        ("--inv-kappa-bp", given.inv_kappa_bp),
        ("--intensity", 1.0 if given.intensity is None else given.intensity),
    ):
        if not (math.isfinite(number) and number > 0.0):
            raise UsageError(f"{option}: {number:g}: out of range. Give a number greater than 0")
    if given.best_bid is not None and given.best_ask is not None and given.best_bid >= given.best_ask:
        raise UsageError(f"--best-bid: {given.best_bid}: not below --best-ask {given.best_ask}. Swap or correct them")
    if given.options.gamma_ref is GammaRef.CAPITAL and given.capital is None:
        raise UsageError("--gamma-ref capital: needs what is owned in all. Give --capital in base")
    if given.options.model is ModelName.GLFT and given.intensity is None:
        raise UsageError("--model glft: needs the arrival rate A. Give --intensity, 1/s a side")


def _rules(given: Inputs) -> PairRules:
    tick = given.tick if given.tick is not None else Decimal(1).scaleb(given.fair.adjusted() - TICK_SHARE)
    price_scale, volume_scale = _scale("--tick", tick), _scale("--lot-step", given.lot_step)
    try:
        return PairRules(
            pair=given.pair,
            base="base",
            counter="counter",
            price_scale=price_scale,
            volume_scale=volume_scale,
            min_price=Decimal(0),
            max_price=_MOST,
            min_volume=given.lot_step if given.min_size is None else given.min_size,
            max_volume=max(Decimal(1).scaleb(15 - volume_scale), given.min_size or Decimal(0)),
        )
    except BookError as e:
        raise UsageError(f"explain: {e}. Check --tick, --lot-step and --min-size") from e


def _scale(option: str, step: Decimal) -> int:
    """Decimals of a step that is a power of ten, as Luno's are."""
    _, digits, exponent = step.normalize().as_tuple()
    if digits != (1,) or not isinstance(exponent, int):
        raise UsageError(f"{option}: {step}: not a power of ten, as Luno's steps are. Give one such as 1 or 0.01")
    if option == "--lot-step" and exponent > 0:
        raise UsageError(f"{option}: {step}: larger than 1. Luno's volumes have steps of 1 or less")
    return -exponent


def _message(given: Inputs, seen: Situation, model: Model, plans: dict[Side, Plan]) -> WantedQuotes:
    intents = [
        Intent(id=f"explain-{side.value[0]}0", side=side, level=0, price=plan.price, size=plan.size, created_ms=0)
        for side, plan in plans.items()
        if plan.price is not None
    ]
    reports = [
        SideReport(side=side, why=plan.why, detail=plan.detail, steps=plan.steps, model_size=plan.model_size)
        for side, plan in plans.items()
    ]
    message = WantedQuotes(
        pair=given.pair,
        epoch=0,
        number=0,
        ts_ms=0,
        intents=intents,
        gamma=given.options.gamma,
        sigma=seen.market.sigma,
        intensity=given.intensity,
        estimates_from="typed in",
        best_bid=given.best_bid,
        best_ask=given.best_ask,
        sides=reports,
        warnings=model_warnings(given.options, model, seen.maker_fee),
        lots=seen.lots,
        lot=seen.lot,
        position=given.inventory,
        inventory_target=given.target,
    )
    message.show(model)
    return message
