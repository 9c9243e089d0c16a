"""What is wrong with a pipeline, and when somebody is told: troubles of one picture, and alarms over time.

A trouble is told once it has stood for a few seconds, once when it is over, and at most once a minute again. While
Redis does not answer nothing else is known, so nothing else begins or ends.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal

from lunomm.views.pipeline import PairView, PipelineView, sound_view
from lunomm.views.text import safe

KINDS = {
    "HALTED": "the gateway halted: no order of ours rests until `lunomm resume`",
    "LIMIT": "nine tenths of a limit are used",
    "BOOK": "the order book is gone, late or not to be traded on",
    "USER_STREAM": "the gateway has lost its stream of orders and balances",
    "PIECE": "a piece that ran is gone or silent",
    "EXCHANGE": "our simulated or paper exchange does not answer, or the venue cannot be read",
    "REDIS": "Redis does not answer: nothing else is known",
}
"""Every alarm and what it means."""

NEARLY = Decimal("0.9")
BOOK_LATE_MS = 5_000.0
HOLD_MS = 3_000.0
AGAIN_MS = 60_000.0
LONGEST = 200

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """kind: of `KINDS`. pair: empty where it is of none. piece: whose, or which limit. text: our words, printable."""

    kind: str
    pair: str
    piece: str
    text: str

    @property
    def key(self) -> Key:
        return self.kind, self.pair, self.piece


@dataclass(frozen=True, slots=True)
class Alert:
    """One line to tell. event: ``raised`` or ``ended``. stood_ms: for how long the trouble has been there."""

    event: str
    trouble: Trouble
    stood_ms: float

    @property
    def words(self) -> str:
        """One line for people."""
        what = " ".join(part for part in (self.trouble.kind, self.trouble.pair) if part)
        return f"{what} {self.event}: {self.trouble.text}"


def troubles(view: PipelineView, seen: Collection[tuple[str, str]]) -> tuple[Trouble, ...]:
    """What is wrong in one picture that Redis gave.

    Args:
        seen: (piece, pair) that were ever alive; one that never ran is not missed.
    """
    view = sound_view(view)
    found = [Trouble("EXCHANGE", "", "", safe(text, LONGEST)) for text in view.problems[:1]]
    for pair in view.pairs:
        found += _pair(pair, ("book", pair.pair) in seen)
    for piece in view.pieces:
        name = safe(piece.piece, 20)
        if piece.health is None:
            if (piece.piece, piece.pair) in seen:
                found.append(Trouble("PIECE", safe(piece.pair, 20), name, f"{name} is gone. See lunomm status"))
        elif not piece.beats:
            late = "" if piece.age_ms is None else f" for {piece.age_ms / 1000:.0f} s"
            found.append(Trouble("PIECE", safe(piece.pair, 20), name, f"{name} is silent{late}. See lunomm status"))
        elif piece.health.state == "OK" and piece.health.counters.get("user_stream") == "down":
            found.append(Trouble("USER_STREAM", safe(piece.pair, 20), name, "lost; the gateway pulls its quotes"))
    return tuple(found)


def _pair(view: PairView, had_book: bool) -> list[Trouble]:
    name, account, found = safe(view.pair, 20), view.account, []
    if view.halted is not None:
        text = f"{safe(view.halted, LONGEST)}. Look why, then: lunomm resume"
        found.append(Trouble("HALTED", name, "gateway", text))
    if view.tick is not None and view.tick.state != "OK":
        why = f" ({safe(view.tick.reason, LONGEST)})" if view.tick.reason else ""
        found.append(Trouble("BOOK", name, "book", f"{safe(str(view.tick.state), 20)}{why}"))
    elif had_book and (view.tick is None or view.tick_age_ms is None or view.tick_age_ms > BOOK_LATE_MS):
        found.append(Trouble("BOOK", name, "book", "no tick for five seconds"))
    for limit in account.limits if account is not None else ():
        if limit.limit is not None and limit.limit > 0 and limit.used >= NEARLY * limit.limit:
            what = safe(limit.name, 20)
            found.append(Trouble("LIMIT", name, what, f"{what}: {limit.used:f} of {limit.limit:f} used"))
    return found


@dataclass(slots=True)
class _Standing:
    trouble: Trouble
    since_ms: float
    told: bool = False
    well_ms: float | None = None


class Alarms:
    """Which troubles stand, and what is to be told of them. Times: one monotonic clock, ms."""

    def __init__(self) -> None:
        self._standing: dict[Key, _Standing] = {}
        self._told_ms: dict[Key, float] = {}
        self._seen: set[tuple[str, str]] = set()

    @property
    def raised(self) -> tuple[Trouble, ...]:
        """Those that were told and are not over."""
        return tuple(one.trouble for one in self._standing.values() if one.told)

    def look(self, view: PipelineView, now_ms: float) -> tuple[Alert, ...]:
        """A picture that Redis gave."""
        alive = {(piece.piece, piece.pair) for piece in view.pieces if piece.health is not None}
        self._seen |= alive
        return self._judge({one.key: one for one in troubles(view, self._seen)}, now_ms)

    def blind(self, why: str, now_ms: float) -> tuple[Alert, ...]:
        """Redis does not answer: what stood before stands, and nobody knows."""
        lost = Trouble("REDIS", "", "", safe(why, LONGEST))
        kept = {key: one.trouble for key, one in self._standing.items() if one.well_ms is None}
        return self._judge({**kept, lost.key: lost}, now_ms)

    def _judge(self, now: dict[Key, Trouble], now_ms: float) -> tuple[Alert, ...]:
        told: list[Alert] = []
        for key, trouble in now.items():
            one = self._standing.setdefault(key, _Standing(trouble, now_ms))
            one.trouble, one.well_ms = trouble, None
            last_ms = self._told_ms.get(key)
            rested = last_ms is None or now_ms - last_ms >= AGAIN_MS
            if not one.told and now_ms - one.since_ms >= HOLD_MS and rested:
                one.told = True
                self._told_ms[key] = now_ms
                told.append(Alert("raised", trouble, now_ms - one.since_ms))
        for key in [key for key in self._standing if key not in now]:
            one = self._standing[key]
            if one.well_ms is None:
                one.well_ms = now_ms
            if not one.told:
                del self._standing[key]
            elif now_ms - one.well_ms >= HOLD_MS:
                del self._standing[key]
                over = replace(one.trouble, text="over")
                told.append(Alert("ended", over, one.well_ms - one.since_ms))
        return tuple(told)
