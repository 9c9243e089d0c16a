"""Quotes as a desired state (design 5): what should be resting now, and why.

An intent's id is used once: ``<quoter start ms, base 36>-<counter>-<B|A><level>``. A new price or size is a new id.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from lunomm.market.rules import Side
from lunomm.market.stamp import Stamped
from lunomm.quoting.avellaneda_stoikov import Model


class Why(enum.StrEnum):
    """Why a side wants nothing, or less than the model asked for."""

    WARMING_UP = "WARMING_UP"
    STALE_BOOK = "STALE_BOOK"
    MARKET_STATE = "MARKET_STATE"
    NO_ACCOUNT = "NO_ACCOUNT"
    NO_RULES = "NO_RULES"
    POSITION_LIMIT = "POSITION_LIMIT"
    NO_BALANCE = "NO_BALANCE"
    OWN_ORDER = "OWN_ORDER"
    MIN_SIZE = "MIN_SIZE"
    COOLDOWN = "COOLDOWN"
    NOT_PAYING = "NOT_PAYING"
    PRICE_BOUNDS = "PRICE_BOUNDS"
    MODEL = "MODEL"
    REFUSED = "REFUSED"
    HALTED = "HALTED"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One step from the fair price to the order's: the name, and the price after it."""

    name: str
    price: float


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One quote that should be resting. price: counter per base, on the tick; size: base, on the lot step."""

    id: str
    side: Side
    level: int
    price: Decimal
    size: Decimal
    created_ms: int


class SideReport(msgspec.Struct, frozen=True, kw_only=True):
    """The why of one level of a side: every step of its price, the model's size, and a reason where it is absent or
    limited.

    next_ms: exchange time at which this side may change or return; None when only an event can change it.
    """

    side: Side
    why: Why | None = None
    detail: str = ""
    steps: list[Step] = []
    model_size: float | None = None
    next_ms: int | None = None
    level: int = 0


class WantedQuotes(Stamped, kw_only=True):
    """QUOTES::<pair>: the quotes wanted now. 3 s to live; the gateway takes nothing older, no older epoch.

    epoch: the quoter's start, Unix ms. number: grows by one a message. lots: (position - target)/lot.
    reservation, half_spread: counter, the model's before fees. shift_bps_per_lot, spread_bps: of fair. lot,
    inventory_target: base. gamma_p: 1/price. c: GLFT's C, counter, and kappa_c; None in other models. method: how the
    model was computed. asked: the quoter's options that were not left at their default, as JSON, for the journal.
    """

    epoch: int
    number: int
    ts_ms: int
    intents: list[Intent] = []
    fair: float | None = None
    reservation: float | None = None
    half_spread: float | None = None
    spread_bps: float | None = None
    shift_bps_per_lot: float | None = None
    n_flip: float | None = None
    lots: float | None = None
    lot: Decimal | None = None
    position: Decimal | None = None
    inventory_target: Decimal | None = None
    gamma: float | None = None
    sigma: float | None = None
    kappa: float | None = None
    intensity: float | None = None
    estimates_from: str | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    sides: list[SideReport] = []
    warnings: list[str] = []
    gamma_p: float | None = None
    c: float | None = None
    kappa_c: float | None = None
    method: str | None = None
    asked: str = ""

    def show(self, model: Model) -> None:
        """Take the model's figures over."""
        self.fair, self.reservation, self.half_spread = model.fair, model.reservation, model.half_spread
        self.spread_bps, self.shift_bps_per_lot, self.n_flip = model.spread_bps, model.shift_bps, model.n_flip
        self.kappa, self.gamma_p = model.kappa, model.gamma_p
        self.c, self.kappa_c, self.method = model.c, model.kappa_c, model.method
