"""Everything about Luno that its sources leave open, as switches in one place (pure).

The defaults are what the evidence favours; the other values exist so that a client can be tried against both.
``lunomm exchange --behaviour NAME=VALUE`` sets one, ``--behaviour list`` prints this table. Yes/no switches take
``yes`` or ``no``.

=================  ===========================  =====================================================================
name               values, the default first    what it decides
=================  ===========================  =====================================================================
error_action       no, yes                      error bodies carry an empty ``error_action`` object (seen in 2023)
cancel_gone        400, 404, false              stoporder of an order that is not live: the error with this status, or
                                                200 with ``"success": false``
null_lists         v1, all, none                which empty REST lists are ``null``: v1 listorders (seen live), every
                                                one, or none
null_trades        no, yes                      a stream update without trades says ``null`` (documented), not ``[]``
trade_numbers      yes, no                      stream trades carry their ``sequence`` (absent in 2021)
padded_decimals    no, yes                      prices and volumes with 8 decimals, counter amounts with 16 (2021),
                                                instead of trimmed to at least two; fees and balances are trimmed
rest_decimals_18   no, yes                      every REST amount with 18 decimals (the order book of 2026)
empty_credentials  no, yes                      ``{}`` as credentials opens a market stream (seen in 2026)
self_trade         yes, no                      an account may trade with itself; otherwise the taker is refused
sell_fee_base      no, yes                      a seller pays his fee in base while he has any, else in counter
truncate_fees      no, yes                      fees are cut, not rounded half up, at ``fee_scale``
send_awaiting      no, yes                      a plain limit order is reported AWAITING before PENDING
shuffle_messages   no, yes                      user messages of one instant come in any order
repeat_messages    no, yes                      a user stream that reconnects gets up to ten messages twice
pings_only         no, yes                      no ``""`` on quiet streams, protocol pings alone (ccxt breaks on it)
cached_book        no, yes                      REST order books may be up to one second old
=================  ===========================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from lunomm.errors import UsageError


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One answer to each open question; the module's table says what each decides."""

    error_action: bool = False
    cancel_gone: str = "400"
    null_lists: str = "v1"
    null_trades: bool = False
    trade_numbers: bool = True
    padded_decimals: bool = False
    rest_decimals_18: bool = False
    empty_credentials: bool = False
    self_trade: bool = True
    sell_fee_base: bool = False
    truncate_fees: bool = False
    send_awaiting: bool = False
    shuffle_messages: bool = False
    repeat_messages: bool = False
    pings_only: bool = False
    cached_book: bool = False


CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"cancel_gone": ("400", "404", "false"), "null_lists": ("v1", "all", "none")}
)
"""The values of the switches that are not yes or no."""

_WORDS = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def values(name: str) -> tuple[str, ...]:
    """What a switch can be set to, its default first."""
    if name in CHOICES:
        return CHOICES[name]
    return ("yes", "no") if getattr(Behaviour(), name) else ("no", "yes")


def parse_behaviour(settings: Iterable[str]) -> Behaviour:
    """``NAME=VALUE`` each; the last of a name wins.

    Raises:
        UsageError: not of that form, an unknown name, or a value the switch does not have.
    """
    names = [field.name for field in fields(Behaviour)]
    given: dict[str, bool | str] = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if name not in names:
            shown = "".join(c if " " < c <= "~" else "?" for c in name[:40])
            raise UsageError(
                f"--behaviour: '{shown}': no such switch. Give NAME=VALUE, or `--behaviour list` to see them all",
                code="BAD_BEHAVIOUR",
            )
        chosen = value.lower()
        known = chosen in CHOICES[name] if name in CHOICES else chosen in _WORDS
        if not equals or not known:
            raise UsageError(
                f"--behaviour: {name}: give {name}= and one of {', '.join(values(name))}", code="BAD_BEHAVIOUR"
            )
        given[name] = chosen if name in CHOICES else _WORDS[chosen]
    return Behaviour(**given)  # type: ignore[arg-type]  # names and values were just checked


def table() -> str:
    """The switches as the module's docstring lists them."""
    lines = (__doc__ or "").splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("====")), len(lines))
    return "\n".join(lines[first:]).strip()
