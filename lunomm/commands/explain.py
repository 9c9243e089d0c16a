"""``lunomm explain``: why this price. From numbers alone (no Redis, no network), or of the running quoter."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, cast

from rich.console import Console

from lunomm.bus.channels import ACCOUNT, QUOTES, RULES
from lunomm.bus.client import Bus
from lunomm.commands.present import envelope, put_line
from lunomm.config import Common
from lunomm.errors import BusError, UsageError
from lunomm.options import show
from lunomm.quoting.avellaneda_stoikov import SpreadFormula
from lunomm.quoting.calculator import Inputs, calculate
from lunomm.quoting.intents import WantedQuotes
from lunomm.quoting.models import ModelName
from lunomm.quoting.quoter_options import QuoterOptions
from lunomm.quoting.risk_aversion import GammaRef, parse_target_skew
from lunomm.quoting.sizing import MinSizePolicy, SizeRule
from lunomm.views.explain import explain_data
from lunomm.views.quote import QuoteView, quote_screen

PRINTED_WIDTH, PRINTED_HEIGHT = 100, 60

_QUOTER_NAMES = {"horizon": "horizon_s", "adverse_selection": "impact_bp"}
"""Options whose name differs from the quoter's for the same thing."""

_OPTIONS = {field.name for field in fields(QuoterOptions)}
_INPUTS = {field.name for field in fields(Inputs)} - {"pair", "options"}


def inputs(pair: str, typed: Mapping[str, Any]) -> Inputs:
    """What was typed, absences left to the defaults.

    Raises:
        UsageError: a word nobody knows, or a number out of range.
    """
    words: tuple[tuple[str, str, Callable[[str], object]], ...] = (
        ("model", "--model", ModelName),
        ("gamma_ref", "--gamma-ref", GammaRef),
        ("size_rule", "--size-rule", SizeRule),
        ("spread_formula", "--spread-formula", SpreadFormula),
        ("min_size_policy", "--min-size-policy", MinSizePolicy),
    )
    quoter = {name: typed[name] for name in _OPTIONS & typed.keys()}
    quoter |= {_QUOTER_NAMES[name]: typed[name] for name in _QUOTER_NAMES.keys() & typed.keys()}
    for name, option, known in words:
        if name in quoter:
            try:
                quoter[name] = known(quoter[name])
            except ValueError as e:
                allowed = ", ".join(member.value for member in cast(type[enum.Enum], known))
                raise UsageError(f"{option}: {show(quoter[name])}: unknown. Say one of {allowed}") from e
    if "target_skew" in quoter:
        quoter["target_skew"] = parse_target_skew(quoter["target_skew"])
    if "drift" in typed:
        quoter["drift_daily"] = typed["drift"] / 100
    market = {name: typed[name] for name in _INPUTS & typed.keys()}
    return Inputs(pair=pair, options=QuoterOptions(**quoter), **market)


def from_numbers(given: Inputs, *, json: bool) -> dict[str, Any]:
    """Calculate, print, and return what ``--json`` prints.

    Raises:
        UsageError: anything missing, out of range, or that no model can price.
    """
    quotes, rules = calculate(given)
    view = QuoteView(given.pair, quotes=quotes, rules=rules, maker_fee=given.maker_fee / 100)
    return _show(quotes, view if given.max_position is None else _limited(view, given.max_position), json=json)


async def of_the_quoter(common: Common, pair: str) -> dict[str, Any]:
    """Print the running quoter's reasons once.

    Raises:
        BusError: Redis is not reachable, or nobody quotes the pair.
    """
    async with Bus(common.redis, "explain") as bus:
        quotes, account, rules = await bus.get(QUOTES, pair), await bus.get(ACCOUNT, pair), await bus.get(RULES, pair)
    if quotes is None:
        raise BusError(
            f"explain {pair}: nobody quotes it. Start `lunomm quote {pair}`, or give --fair, --sigma-daily and "
            "--inv-kappa-bp",
            code="NO_QUOTER",
        )
    view = QuoteView(
        pair,
        now_ms=quotes.ts_ms,
        quotes=quotes,
        rules=rules,
        max_position=account.max_position if account is not None else None,
        maker_fee=account.maker_fee if account is not None else None,
    )
    return _show(quotes, view, json=common.json)


def _limited(view: QuoteView, limit: Decimal) -> QuoteView:
    return QuoteView(view.pair, quotes=view.quotes, rules=view.rules, max_position=limit, maker_fee=view.maker_fee)


def _show(quotes: WantedQuotes, view: QuoteView, *, json: bool) -> dict[str, Any]:
    data = explain_data(quotes)
    if json:
        put_line(envelope("explain", data))
        return data
    console = Console()
    width = console.width if console.is_terminal else max(console.width, PRINTED_WIDTH)
    plain = Console(width=width, height=PRINTED_HEIGHT, file=sys.stdout)
    with plain.capture() as captured:
        plain.print(quote_screen(view))
    put_line(captured.get().rstrip("\n"))
    return data
