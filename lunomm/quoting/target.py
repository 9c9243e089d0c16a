"""The inventory target: as the gateway keeps it, or as the user typed it (``50%`` or ``0.05XBT``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import UsageError

_FORM = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,18})?)\s*(?P<unit>%|[A-Z]{2,10})?", re.ASCII)


@dataclass(frozen=True)
class TargetSpec:
    """Exactly one is set. fraction: share of the account's total value, in [0, 1]. amount: base; asset: as typed, if
    it was."""

    fraction: Decimal | None = None
    amount: Decimal | None = None
    asset: str | None = None


def parse_target(text: str) -> TargetSpec:
    """Read an inventory target.

    Args:
        text: ``50%`` (of the account's value) or ``0.05XBT`` / ``0.05`` (base).

    Raises: UsageError: anything else, or a share above 100 %.
    """
    match = _FORM.fullmatch(text.strip().upper())
    if match is None:
        raise UsageError(f"--inventory-target: {text[:40]!r} is neither a share like 50% nor an amount like 0.05XBT")
    number = Decimal(match["number"])
    if match["unit"] != "%":
        return TargetSpec(amount=number, asset=match["unit"])
    if number > 100:
        raise UsageError(f"--inventory-target: {text[:40]!r} is more than 100% of the account")
    return TargetSpec(fraction=number / 100)


def check_asset(spec: TargetSpec, base: str) -> None:
    """Raises: UsageError: the target was typed in another asset than the pair's base."""
    if spec.asset is not None and spec.asset != base:
        raise UsageError(f"--inventory-target is in {spec.asset}, but this pair's base is {base}")


def total_base(base_total: Decimal, counter_total: Decimal, fair: Decimal) -> Decimal:
    """The account's whole value in base at ``fair`` (counter per base, > 0)."""
    return base_total + counter_total / fair


def target_base(spec: TargetSpec | None, published: Decimal, worth: Decimal) -> Decimal:
    """The position to aim for, base: the user's where given, else the one the gateway published.

    worth: the account's whole value in base. Fills do not change it, so a share does not chase its own trades.
    """
    if spec is None:
        return published
    if spec.amount is not None:
        return spec.amount
    return worth * (spec.fraction or Decimal(0))
