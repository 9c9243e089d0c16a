"""What a venue is made of, and a frame it only passes on (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from lunomm.market.rules import PairRules
from lunomm.simulator.ledger import FeeRates

FREE = FeeRates(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """first_sequence: of the empty book, >= 1. first_trade: number of the first trade."""

    rules: PairRules
    first_sequence: int = 1
    first_trade: int = 1


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One visitor. balances: whole coins by asset. fees: by pair; ``other_fees`` for the rest."""

    owner: str
    balances: Mapping[str, Decimal]
    fees: Mapping[str, FeeRates] = field(default_factory=dict)
    other_fees: FeeRates = FREE


class RawFrame(NamedTuple):
    """A market frame that is sent on as it was recorded."""

    pair: str
    raw: str
    timestamp_ms: int
