"""What may be changed while it runs (``lunomm set``), by the very rules of the options it stands for.

Not here, on purpose: ``fair_price`` (a function is code, and code is named on the command line) and ``reference`` (it
opens other markets): both want a new start of ``quote``. Limits are here to be lowered; nothing on the bus raises one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Literal

from lunomm import numbers
from lunomm.errors import UsageError
from lunomm.options import show
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions

NONE = "none"
Kind = Literal["number", "amount", "whole", "text", "switch"]
Value = float | Decimal | int | str | bool | None


@dataclass(frozen=True)
class Settable:
    """One name. field: of QuoteOptions or GatewayOptions. optional: may be emptied with ``none``. unit: for people."""

    name: str
    kind: Kind
    piece: Literal["quote", "gateway"] = "quote"
    optional: bool = False
    unit: str = ""

    @property
    def option(self) -> str:
        """As on the command line."""
        return "--" + self.name.replace("_", "-")


def _table(*entries: Settable) -> dict[str, Settable]:
    return {entry.name: entry for entry in entries}


SETTABLE = _table(
    Settable("gamma", "number"),
    Settable("eta", "number", unit="1/lot"),
    Settable("order_size", "amount", unit="base"),
    Settable("min_spread", "number", unit="of mid"),
    Settable("max_spread", "number", optional=True, unit="of mid"),
    Settable("order_refresh_rate_s", "number", unit="s"),
    Settable("filled_order_delay_s", "number", unit="s"),
    Settable("max_order_age_s", "number", unit="s"),
    Settable("horizon_s", "number", unit="s"),
    Settable("spread_formula", "text"),
    Settable("size_rule", "text"),
    Settable("reprice_at", "number", unit="half-spreads"),
    Settable("inventory_target", "text", optional=True, unit="base or share"),
    Settable("kappa_prior", "number", optional=True, unit="1/price"),
    Settable("min_size_policy", "text"),
    Settable("model", "text"),
    Settable("gamma_ref", "text"),
    Settable("target_skew", "text", optional=True, unit="share or bp"),
    Settable("drift", "number", unit="percent a day"),
    Settable("adverse_selection", "number", unit="bp"),
    Settable("no_improve", "switch"),
    Settable("ignore_fees", "switch"),
    Settable("tolerance_ticks", "whole", unit="ticks"),
    Settable("levels", "whole"),
    Settable("level_spacing", "number", optional=True, unit="bp"),
    Settable("max_position", "amount", "gateway", unit="base"),
    Settable("max_order_value", "amount", "gateway", unit="counter"),
    Settable("max_daily_loss", "amount", "gateway", unit="counter"),
    Settable("max_open_value", "amount", "gateway", unit="counter"),
)
"""By name, as :class:`QuoteOptions` and :class:`GatewayOptions` call the field."""

RESTART = {"fair_price": "--fair-price", "reference": "--reference"}

_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def named(text: str) -> Settable:
    """The entry of a name as typed (dashes or underscores).

    Raises:
        UsageError: no such name; says which there are.
    """
    name = text.strip().lower().lstrip("-").replace("-", "_")
    if name in RESTART:
        raise UsageError(f"set: {name}: cannot change while it runs. Start quote again with {RESTART[name]}")
    entry = SETTABLE.get(name)
    if entry is None:
        raise UsageError(f"set: {show(text)}: no such parameter. Say one of {', '.join(SETTABLE)}")
    return entry


def value_of(entry: Settable, text: str) -> Value:
    """What a text means for this entry; its range is checked by the options.

    Raises:
        UsageError: not of its kind.
    """
    text = text.strip()
    if entry.optional and text.lower() == NONE:
        return None
    try:
        if entry.kind == "number":
            return numbers.number(text)
        if entry.kind == "amount":
            return numbers.amount(text)
        if entry.kind == "whole":
            return numbers.whole(text)
    except ValueError as error:
        raise UsageError(f"{entry.option}: {error}") from error
    if entry.kind == "text":
        if not text or len(text) > 60 or not (text.isascii() and text.isprintable()):
            raise UsageError(f"{entry.option}: {show(text)}: not a value. Give a word or a number")
        return text
    if text.lower() in _ON:
        return True
    if text.lower() in _OFF:
        return False
    raise UsageError(f"{entry.option}: {show(text)}: neither on nor off. Say on or off")


def text_of(value: Value) -> str:
    """The one way a value is written: in messages, in the journal, on screens."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f") if 1e-6 <= abs(value) < 1e15 or value == 0 else repr(value)
    return str(value)


def check_change(name: str, text: str) -> str:
    """The canonical text of one change, by the option's own rule; what excludes each other is the quoter's to say.

    Raises:
        UsageError: unknown name, not of its kind, or out of its range.
    """
    entry = named(name)
    value = value_of(entry, text)
    if entry.piece == "quote":
        replace(QuoteOptions(), **{entry.name: value})  # type: ignore[arg-type]
    else:
        replace(GatewayOptions(), **{entry.name: value})  # type: ignore[arg-type]
    return text_of(value)


def changed(options: QuoteOptions, changes: Mapping[str, str]) -> QuoteOptions:
    """The quoter's options with the changes, all or none.

    Raises:
        UsageError: as the command line would.
    """
    values: dict[str, Value] = {}
    for name, text in changes.items():
        entry = named(name)
        if entry.piece != "quote":
            raise UsageError(f"set: {entry.name}: is the gateway's")
        values[entry.name] = value_of(entry, text)
    if "order_size" in values:
        values["order_size_explicit"] = True
    return replace(options, **values)  # type: ignore[arg-type]


def settings(options: QuoteOptions | GatewayOptions) -> dict[str, str]:
    """Every settable of these options as it is now."""
    there = {field.name for field in fields(options)}
    return {name: text_of(getattr(options, name)) for name in SETTABLE if name in there}
