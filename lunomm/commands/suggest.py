"""Live without its limits: names them, with figures from the account where the exchange can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from lunomm.commands import venue_finder
from lunomm.config import Common
from lunomm.errors import ConfigError, LunommError
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions
from lunomm.requires import require_live

ASK_S = 6.0


async def require_limits(
    common: Common, pairs: Sequence[str], gateway: GatewayOptions, quote: QuoteOptions | None = None
) -> None:
    """As `require_live`, with a suggestion.

    Raises:
        ConfigError: names what is missing, and what might be given.
    """
    try:
        require_live(common, quote, gateway)
    except ConfigError as missing:
        words = await _suggestion(common, pairs[0])
        raise ConfigError(f"{missing}. {words}" if words else str(missing), code=missing.code) from None


async def _suggestion(common: Common, pair: str) -> str:
    """One sentence, empty where the exchange cannot be asked or the account holds nothing."""
    from lunomm.commands.gateway_calls import market
    from lunomm.luno import as_events
    from lunomm.luno.budget import CallBudget
    from lunomm.luno.hosts import endpoint
    from lunomm.luno.rest import LunoRest
    from lunomm.trading.suggestion import suggest

    try:
        async with (
            asyncio.timeout(ASK_S),
            LunoRest(endpoint(venue_finder.live_venue(common).url), common.key, CallBudget()) as rest,
        ):
            rules = (await market(rest, pair)).rules()
            price = as_events.mid(await rest.ticker(pair))
            held = dict.fromkeys((rules.base, rules.counter), Decimal(0))
            for row in as_events.venue_balances(await rest.balances()):
                if row.asset in held:
                    held[row.asset] += row.total
    except (LunommError, TimeoutError):
        return ""
    found = suggest(held[rules.base], held[rules.counter], price, rules) if price is not None else None
    if found is None:
        return ""
    return f"For what this account holds, to begin with: {found.options}"
