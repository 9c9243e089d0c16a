"""What a run over recorded markets came to, its object for ``--json``, and its digest (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from lunomm.market.records import GridRow, TakerOrder
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.inputs import Fill
from lunomm.quoting.intents import WantedQuotes
from lunomm.tape.attribution import Attribution, attribution_data
from lunomm.tape.backtest import Void
from lunomm.tape.paper import BracketSum
from lunomm.trading.orders import Order

QUOTES_KEPT: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """The quotes of level 0 over time (exchange ns), prices in counter; None where a side wants none."""

    ts_ns: tuple[int, ...]
    bid: tuple[float | None, ...]
    ask: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class LaneOutcome:
    """What one lane came to. attribution None: no market was ever seen to trade in. bracket: base filled under strict
    trade-through, by the queue, and at touch. absent_s: seconds a side wanted nothing, by reason, both sides together.
    estimates_from: sources of kappa and sigma, and seconds from the start until each was first used."""

    name: str
    attribution: Attribution | None
    placed: int
    bracket: BracketSum
    bracket_base: tuple[Decimal, Decimal, Decimal]
    halts: tuple[str, ...]
    refusals: dict[str, int]
    absent_s: dict[str, float]
    warnings: tuple[str, ...]
    estimates_from: dict[str, float]
    fills: tuple[Fill, ...]
    orders: tuple[Order, ...]
    quoted: Quoted
    looks: int
    calls: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A whole run. void: what had no book and was left out. digest: SHA-256 of every order, fill and figure of both
    lanes."""

    rules: PairRules
    frames: int
    gaps: int
    void: Void
    start_ns: int
    end_ns: int
    lanes: tuple[LaneOutcome, ...]
    digest: str
    takers: tuple[TakerOrder, ...]
    rows: tuple[GridRow, ...]

    @property
    def strategy(self) -> LaneOutcome:
        return self.lanes[0]

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


class QuoteLog:
    """Level 0's wanted prices whenever they change."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, float | None, float | None]] = []

    def note(self, wanted: WantedQuotes, ns: int) -> None:
        prices = {intent.side: float(intent.price) for intent in wanted.intents if intent.level == 0}
        row = (prices.get(Side.BID), prices.get(Side.ASK))
        if not self._rows or self._rows[-1][1:] != row:
            self._rows.append((ns, *row))

    def quoted(self) -> Quoted:
        step = -(-len(self._rows) // QUOTES_KEPT) or 1
        rows = self._rows[::step]
        return Quoted(
            ts_ns=tuple(row[0] for row in rows), bid=tuple(row[1] for row in rows), ask=tuple(row[2] for row in rows)
        )


def lane_data(lane: LaneOutcome) -> dict[str, Any]:
    """The lane's part of the JSON object."""
    found = lane.attribution
    data: dict[str, Any] = {} if found is None else attribution_data(found)
    pessimistic, queue, optimistic = lane.bracket_base
    data |= {
        "placed": lane.placed,
        "bracket": {"pessimistic": pessimistic, "queue": queue, "optimistic": optimistic,
                    "orders": lane.bracket.orders, "uncertain": lane.bracket.uncertain},
        "halts": list(lane.halts),
        "refusals": lane.refusals,
        "absent_s": lane.absent_s,
        "estimates_from_s": lane.estimates_from,
        "warnings": list(lane.warnings),
        "calls": lane.calls,
    }  # fmt: skip
    return data


def digest_of(facts: Sequence[int | None], lanes: Sequence[LaneOutcome]) -> str:
    """SHA-256 of everything that was done, by order and to the last digit. facts: counts and times of the market."""
    digest, encode = hashlib.sha256(), msgspec.json.encode
    digest.update(encode(facts))
    for lane in lanes:
        for order in lane.orders:
            row = (order.client_order_id, order.price, order.volume, order.created_ms, order.state, order.filled.base)
            digest.update(encode(row))
        digest.update(encode(lane_data(lane)))
        digest.update(encode(lane.fills))
    return digest.hexdigest()
