"""What the whole pipeline looks like at one instant, as data: what ``status`` and ``up`` draw and ``--json`` prints."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from lunomm.market.presence import HaltMark, Health
from lunomm.market.records import Params, Tick
from lunomm.market.rules import PairRules
from lunomm.quoting.inputs import Account, Fill, OrderView
from lunomm.quoting.intents import WantedQuotes
from lunomm.views import palette
from lunomm.views.text import UNKNOWN, safe

MAX_MAGNITUDE = 30
"""Decimal exponent beyond which a number is not believed."""
PIECE_STALE_MS = 3_000.0
"""Silence after which a piece's heartbeat is drawn as late."""


@dataclass(frozen=True, slots=True)
class PieceView:
    """One process as its heartbeats show it.

    health: its last message, None when it was never heard or is gone. age_ms: since its beat last moved.
    """

    piece: str
    pair: str
    health: Health | None = None
    age_ms: float | None = None

    @property
    def beats(self) -> bool:
        """Whether its heart was heard lately."""
        return self.health is not None and self.age_ms is not None and self.age_ms <= PIECE_STALE_MS


@dataclass(frozen=True, slots=True)
class PairView:
    """All that is known of one pair; absent is None. *_age_ms: since the message was written, by this machine."""

    pair: str
    tick: Tick | None = None
    tick_age_ms: float | None = None
    rules: PairRules | None = None
    quotes: WantedQuotes | None = None
    quotes_age_ms: float | None = None
    account: Account | None = None
    account_age_ms: float | None = None
    orders: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    params: Params | None = None
    params_age_ms: float | None = None
    halt: HaltMark | None = None
    mids: tuple[float | None, ...] = ()

    @property
    def halted(self) -> str | None:
        """Why its gateway is halted, by the mark on Redis or the account's own word; None: it is not."""
        return self.halt.cause if self.halt is not None else None if self.account is None else self.account.halted


@dataclass(frozen=True, slots=True)
class PipelineView:
    """The whole pipeline at one instant.

    venue: mode and where, our words. redis: its address. now_ms: the exchange's clock, for ages of orders and fills.
    problems: what does not answer, most important first. notes: lines of ours worth reading (fee tier, tape's end).
    """

    venue: str
    redis: str
    now_ms: int
    pairs: tuple[PairView, ...] = ()
    pieces: tuple[PieceView, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def piece_state(piece: PieceView) -> tuple[str, str]:
    """Its state in a word, and the word's style."""
    health = piece.health
    if health is None:
        return "not running", palette.MUTED
    if not piece.beats:
        return "SILENT", palette.BAD
    word = safe(health.state, 20) or UNKNOWN
    return word, palette.GOOD if word == "OK" else palette.WARN


def drawable(value: object) -> bool:
    """Whether every number in a message is finite and of a plausible size: JSON may carry ``"NaN"`` and ``"1e999999"``.

    Comparing and subtracting the others raises, so a message that holds one is drawn as absent.
    """
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) <= MAX_MAGNITUDE
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, msgspec.Struct):
        return all(drawable(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return all(drawable(item) for item in value.values())
    return all(drawable(item) for item in value) if isinstance(value, list | tuple) else True


def sound_pair(pair: PairView) -> PairView:
    """The pair with every message that is not :func:`drawable` taken out."""
    return replace(
        pair,
        tick=pair.tick if drawable(pair.tick) else None,
        quotes=pair.quotes if drawable(pair.quotes) else None,
        account=pair.account if drawable(pair.account) else None,
        params=pair.params if drawable(pair.params) else None,
        orders=tuple(order for order in pair.orders if drawable(order)),
        fills=tuple(fill for fill in pair.fills if drawable(fill)),
    )


def sound_view(view: PipelineView) -> PipelineView:
    return replace(view, pairs=tuple(sound_pair(pair) for pair in view.pairs))
