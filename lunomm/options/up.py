"""What ``up`` is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lunomm.options import DEFAULT_PAIR
from lunomm.options.book import BookOptions
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.gateway import GatewayOptions
from lunomm.options.quote import QuoteOptions


@dataclass(frozen=True)
class UpOptions:
    """What ``up`` runs: the exchange's world, and the options of its children."""

    pairs: tuple[str, ...] = (DEFAULT_PAIR,)
    tape: Path | None = None
    speed: float = 1.0
    seed: int = 1
    profile: str | None = None
    fee_tier: int = 0
    balances: tuple[str, ...] = ()
    latency_ms: float | None = None
    quote: QuoteOptions = field(default_factory=QuoteOptions)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    book: BookOptions = field(default_factory=BookOptions)

    def __post_init__(self) -> None:
        ExchangeOptions(seed=self.seed, tape=self.tape, speed=self.speed, fee_tier=self.fee_tier)
