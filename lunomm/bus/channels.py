"""Every name on Redis, with who writes it, who reads it and what is in it. There is no other.

``LOB::<pair>`` and ``ORDER_UPDATES`` are given by the user's document and never change. Messages are JSON with decimal
strings for prices and volumes; each carries schema, pair, venue and build (:class:`~lunomm.market.stamp.Stamped`).
Redis carries data; it is never the authority for orders, fills, locks or the halt.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

from lunomm.market.presence import ControlRequest, HaltMark, Health, VenueInfo
from lunomm.market.records import GridRow, Params, TakerOrder, Tick
from lunomm.market.rules import PairRules
from lunomm.market.stamp import Stamped
from lunomm.quoting.inputs import Account, Fill, OrderUpdate, OrderView
from lunomm.quoting.intents import WantedQuotes
from lunomm.quoting.looks import Looks

T = TypeVar("T", bound=Stamped)

DAY_MS = 86_400_000


class Kind(enum.Flag):
    """How a name is used; one name may be several things (Redis keeps channels and keys apart)."""

    CHANNEL = enum.auto()
    KEY = enum.auto()
    STREAM = enum.auto()
    HASH = enum.auto()


@dataclass(frozen=True)
class Channel(Generic[T]):
    """One name of the bus.

    Attributes:
        name: before ``::<pair>``.
        type: what each message is.
        ttl_s: life of the key, seconds; None = for ever.
        keep_ms: age at which stream entries are dropped; maxlen: their greatest number (about); None = all are kept.
        by_run: messages of another run of the venue are foreign; else only those of another place are (they were stored
            to outlive a run).
        paired: False for the one channel of all pairs.
        sealed: carries a seal where a bus key is set: what is said there moves money.
        one_build: read by a piece that trades, only what its own build wrote counts.
    """

    name: str
    kind: Kind
    type: type[T]
    producer: str
    consumers: str
    doc: str
    ttl_s: float | None = None
    keep_ms: int | None = None
    maxlen: int | None = None
    by_run: bool = True
    paired: bool = True
    sealed: bool = False
    one_build: bool = False

    def key(self, pair: str) -> str:
        return f"{self.name}::{pair}" if self.paired else self.name


VENUE = Channel(
    "VENUE",
    Kind.KEY,
    VenueInfo,
    "first piece",
    "all",
    "mode, base URL, host, seed, speed, run id: what all pieces of the pair talk about",
    ttl_s=6,
)
LOB = Channel(
    "LOB",
    Kind.CHANNEL | Kind.KEY,
    Tick,
    "book",
    "quote, status, users' scripts",
    "one complete tick after every frame, at least once a second",
    ttl_s=10,
    one_build=True,
)
TRADES = Channel(
    "TRADES",
    Kind.CHANNEL | Kind.STREAM,
    TakerOrder,
    "book",
    "calibrate, status",
    "one entry a taker order: side, size, deepest price, the market before it",
    keep_ms=DAY_MS,
    by_run=False,
)
GRID = Channel(
    "GRID",
    Kind.STREAM,
    GridRow,
    "book",
    "calibrate, status",
    "every 10 s: ten mids and the half-spread's exposure, enough to redo the estimates",
    keep_ms=DAY_MS,
    by_run=False,
)
RULES = Channel(
    "RULES",
    Kind.KEY,
    PairRules,
    "book",
    "quote, status",
    "tick, lot step, minimum, maximum, price bounds, status",
    ttl_s=300,
    one_build=True,
)
PARAMS = Channel(
    "PARAMS",
    Kind.KEY,
    Params,
    "calibrate",
    "quote, status",
    "sigma, kappa, A with intervals, sample, verdict, when and from what",
    by_run=False,
)
ACCOUNT = Channel(
    "ACCOUNT",
    Kind.KEY,
    Account,
    "gateway",
    "quote, status",
    "balances, position, target, limits, fees, profit, call budget",
    ttl_s=10,
    one_build=True,
)
QUOTES = Channel(
    "QUOTES",
    Kind.CHANNEL | Kind.KEY,
    WantedQuotes,
    "quote",
    "gateway, status",
    "the quotes wanted now, and why; rewritten every 0.5 s",
    ttl_s=3,
    sealed=True,
    one_build=True,
)
LOOKS = Channel(
    "LOOKS",
    Kind.CHANNEL,
    Looks,
    "quote",
    "book (for the tape)",
    "when the quoter looked, at which tick, and what it had heard by then",
)
ORDERS = Channel(
    "ORDERS",
    Kind.HASH,
    OrderView,
    "gateway",
    "book, quote, status",
    "working and intended orders by intent id",
    one_build=True,
)
ORDER_UPDATES = Channel(
    "ORDER_UPDATES",
    Kind.CHANNEL | Kind.STREAM,
    OrderUpdate,
    "gateway",
    "quote, status",
    "order status, fill, balance, refusals with their code; all pairs on one name",
    maxlen=10_000,
    paired=False,
)
FILLS = Channel(
    "FILLS",
    Kind.STREAM,
    Fill,
    "gateway",
    "status, report",
    "every fill exactly once, keyed by the exchange's trade sequence",
    by_run=False,
)
CONTROL = Channel(
    "CONTROL",
    Kind.STREAM,
    ControlRequest,
    "panic, resume, set, pause, unpause, up",
    "quote, gateway",
    "requests and their answers",
    maxlen=1_000,
    sealed=True,
)
HALT = Channel(
    "HALT",
    Kind.KEY,
    HaltMark,
    "gateway",
    "all",
    "mirror of the halt in the gateway's journal; its absence lifts nothing",
    by_run=False,
)
HEALTH = Channel(
    "HEALTH",
    Kind.KEY,
    Health,
    "every piece",
    "status",
    "heartbeat, state, counters, last error; named HEALTH::<piece>::<pair>",
    ttl_s=5,
)

ALL: tuple[Channel[Stamped], ...] = (
    VENUE, LOB, TRADES, GRID, RULES, PARAMS, ACCOUNT, QUOTES, LOOKS, ORDERS, ORDER_UPDATES, FILLS, CONTROL, HALT,
    HEALTH,
)  # type: ignore[assignment]  # fmt: skip
"""All of them, for documents and tests. ``LEASE::<piece>::<pair or account>`` is ``lunomm.bus.lease``'s own."""

LEASE = "LEASE"
"""``LEASE::<piece>::<pair or account>``: a key with a time to live and a fencing token."""


def health_key(piece: str, pair: str) -> str:
    """The pair part of a HEALTH key: ``HEALTH.key(health_key("book", "XBTMYR"))`` is ``HEALTH::book::XBTMYR``."""
    return f"{piece}::{pair}"
