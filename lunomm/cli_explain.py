"""``lunomm explain``: its options have no LUNOMM_ variable, so that no setting changes a figure typed in."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm.cli_research import RESEARCH
from lunomm.errors import UsageError

MARKET, ACCOUNT, MODEL = "The market", "The account", "The model"


def _number(name: str, help: str, panel: str) -> Any:
    return typer.Option(name, parser=o.number, metavar="NUMBER", help=help, rich_help_panel=panel, show_default=False)


def _amount(name: str, help: str, panel: str) -> Any:
    return typer.Option(name, parser=o.amount, metavar="AMOUNT", help=help, rich_help_panel=panel, show_default=False)


def _word(name: str, help: str, words: str) -> Any:
    return typer.Option(name, metavar=words, help=help, rich_help_panel=MODEL)


Fair = Annotated[Decimal | None, _amount("--fair", "fair price, counter per base", MARKET)]
Tick = Annotated[Decimal | None, _amount("--tick", "price step [default: five digits after the first]", MARKET)]
LotStep = Annotated[Decimal | None, _amount("--lot-step", "volume step, base [default: 0.000001]", MARKET)]
MinSize = Annotated[Decimal | None, _amount("--min-size", "smallest order, base [default: one step]", MARKET)]
SigmaDaily = Annotated[float | None, _number("--sigma-daily", "volatility, percent a day", MARKET)]
InvKappa = Annotated[float | None, _number("--inv-kappa-bp", "1/kappa, bp of fair", MARKET)]
Intensity = Annotated[float | None, _number("--intensity", "A, taker orders a second and side", MARKET)]
BestBid = Annotated[Decimal | None, _amount("--best-bid", "others' best bid; absent: no clamp", MARKET)]
BestAsk = Annotated[Decimal | None, _amount("--best-ask", "others' best ask; absent: no clamp", MARKET)]
MakerFee = Annotated[Decimal | None, _amount("--maker-fee", "percent [default: 0]", MARKET)]
Inventory = Annotated[Decimal | None, _amount("--inventory", "held, base [default: 0]", ACCOUNT)]
Target = Annotated[Decimal | None, _amount("--target", "wanted, base [default: 0]", ACCOUNT)]
OrderSize = Annotated[Decimal | None, _amount("--order-size", "the lot, base [default: 1]", ACCOUNT)]
Capital = Annotated[Decimal | None, _amount("--capital", "all that is owned, in base", ACCOUNT)]
FreeBase = Annotated[Decimal | None, _amount("--free-base", "to sell, base; absent: no cap", ACCOUNT)]
FreeQuote = Annotated[Decimal | None, _amount("--free-quote", "to buy with, counter; absent: no cap", ACCOUNT)]
MaxPosition = Annotated[Decimal | None, _amount("--max-position", "off the target, base; absent: no cap", ACCOUNT)]
Gamma = Annotated[float | None, _number("--gamma", "risk aversion [default: 1]", MODEL)]
GammaRef = Annotated[
    str | None, _word("--gamma-ref", "what gamma is relative to [default: lot]", "lot|capital|absolute")
]
TargetSkew = Annotated[str | None, _word("--target-skew", "instead of gamma: shift a lot held", "SHARE%|BPbp")]
Horizon = Annotated[float | None, _number("--horizon", "T - t, s [default: 86400]", MODEL)]
Eta = Annotated[float | None, _number("--eta", "size shape a lot [default: -0.005]", MODEL)]
SizeRule = Annotated[str | None, _word("--size-rule", "size over inventory [default: decay]", "decay|literal")]
MinPolicy = Annotated[str | None, _word("--min-size-policy", "below the smallest order [default: floor]", "floor|skip")]
ModelOption = Annotated[str | None, _word("--model", "whose formulas [default: as]", "as|glft")]
Formula = Annotated[str | None, _word("--spread-formula", "A-S's, or the document's [default: paper]", "paper|readme")]
MinSpread = Annotated[float | None, _number("--min-spread", "least whole spread, fraction [default: 0]", MODEL)]
MaxSpread = Annotated[float | None, _number("--max-spread", "largest whole spread, fraction", MODEL)]
Drift = Annotated[float | None, _number("--drift", "expected move of the fair price, percent a day (glft)", MODEL)]
Adverse = Annotated[float | None, _number("--adverse-selection", "move against us at a fill, bp (glft)", MODEL)]
NoImprove = Annotated[bool, typer.Option("--no-improve", help="never better than the others", rich_help_panel=MODEL)]
IgnoreFees = Annotated[bool, typer.Option("--ignore-fees", help="leave the fee out", rich_help_panel=MODEL)]

app = typer.Typer()


@app.command(rich_help_panel=RESEARCH)
def explain(
    pair: o.Pair = None,
    fair: Fair = None,
    tick: Tick = None,
    lot_step: LotStep = None,
    min_size: MinSize = None,
    sigma_daily: SigmaDaily = None,
    inv_kappa_bp: InvKappa = None,
    intensity: Intensity = None,
    inventory: Inventory = None,
    target: Target = None,
    order_size: OrderSize = None,
    gamma: Gamma = None,
    gamma_ref: GammaRef = None,
    target_skew: TargetSkew = None,
    capital: Capital = None,
    horizon: Horizon = None,
    eta: Eta = None,
    size_rule: SizeRule = None,
    min_size_policy: MinPolicy = None,
    model: ModelOption = None,
    spread_formula: Formula = None,
    maker_fee: MakerFee = None,
    ignore_fees: IgnoreFees = False,
    min_spread: MinSpread = None,
    max_spread: MaxSpread = None,
    best_bid: BestBid = None,
    best_ask: BestAsk = None,
    no_improve: NoImprove = False,
    free_base: FreeBase = None,
    free_quote: FreeQuote = None,
    max_position: MaxPosition = None,
    drift: Drift = None,
    adverse_selection: Adverse = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """Why this price: every step from the fair price to the order. Of the running quoter, or from the numbers given."""
    typed = {name: value for name, value in locals().items() if value is not None and value is not False}
    typed = {name: value for name, value in typed.items() if name not in ("pair", "json", "debug")}
    if not typed:
        _of_the_quoter(pair, json=json, debug=debug)
        return
    needed = {"--fair": fair, "--sigma-daily": sigma_daily, "--inv-kappa-bp": inv_kappa_bp}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise UsageError(f"explain: {', '.join(missing)} not given: nothing can be priced without. Give all three")
    from lunomm.commands.explain import from_numbers, inputs

    from_numbers(inputs("-" if pair is None else c.parse_pair(pair), typed), json=json)


def _of_the_quoter(pair: str | None, *, json: bool, debug: bool) -> None:
    import asyncio

    from lunomm.commands.explain import of_the_quoter

    env = c.environment()
    common = c.read_common(env, json=json, debug=debug, venue=False)
    asyncio.run(of_the_quoter(common, c.parse_pairs([pair] if pair is not None else None, env)[0]))
