"""The faults that are armed, and what each of them decides: for a call, a stream, a frame (pure).

Whoever moves the bytes asks at each of these places, and does as told. Times are monotonic ns and given; chance comes
from one seeded source, so the same questions in the same order get the same answers. What goes wrong is counted for
each fault: a test that armed one and never reached it has shown nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from lunomm.errors import UsageError
from lunomm.simulator.fault_table import CALL, JOIN, LOGIN, MARKET, USER, VENUE, Asked, Value
from lunomm.simulator.order_ids import RandomBits

S = 1_000_000_000
MOST = 100
"""Faults that can be armed at once."""


@dataclass(frozen=True, slots=True)
class CallDecision:
    """What becomes of one call. The default: nothing goes wrong.

    hold_s: it waits so long before it is executed. refuse: Luno's code, not executed. reply: ``html``, ``empty``,
    ``truncated``, ``none`` or an HTTP status in place of the true reply; executed: whether the call was; wait_s: before
    the reply that never comes. retry_after_s: of a 429. no_ttl: time to live is not looked at. awaiting: the order
    stays AWAITING. cancel: ``false`` or ``unknown``, the order lives; ``fill``, it fills in part before; ``late``, the
    cancel comes after its reply. share: of the order that fills; after_s: when. skew_s: the clock is so far off.
    lag_s: the reply is so old.
    """

    hold_s: float = 0.0
    refuse: str = ""
    reply: str = ""
    executed: bool = False
    wait_s: float = 0.0
    retry_after_s: float = 0.0
    no_ttl: bool = False
    awaiting: bool = False
    cancel: str = ""
    share: float = 0.0
    after_s: float = 0.0
    skew_s: float = 0.0
    lag_s: float = 0.0


CLEAN = CallDecision()


class VenueAction(NamedTuple):
    """Something the exchange does at ``due_ns`` (None: once it is disarmed). ends: it is the way back from it."""

    due_ns: int | None
    asked: Asked
    ends: bool = False


class Armed:
    """One fault that is armed. number: its id. reached: how often it struck. until_ns: None, until disarmed."""

    __slots__ = ("asked", "number", "reached", "until_ns")

    def __init__(self, number: int, asked: Asked, now_ns: int) -> None:
        self.number = number
        self.asked = asked
        self.reached = 0
        lasts = asked.number("for")
        self.until_ns = now_ns + round(lasts * S) if lasts else None

    @property
    def name(self) -> str:
        return self.asked.kind.name

    def active(self, now_ns: int) -> bool:
        count = int(self.asked.number("count"))
        return (not count or self.reached < count) and (self.until_ns is None or now_ns < self.until_ns)

    def data(self, now_ns: int) -> dict[str, object]:
        """For screens and ``GET /sim/faults``."""
        kind = self.asked.kind
        values: Mapping[str, Value] = self.asked.values
        return {
            "id": self.number,
            "name": kind.name,
            "says": kind.says,
            "rows": kind.rows.split(),
            "parameters": dict(values),
            "reached": self.reached,
            "active": self.active(now_ns),
        }


class Faults:
    """All armed faults of an exchange. source: a seeded source of bits, e.g. ``random.Random(seed)``."""

    def __init__(self, source: RandomBits) -> None:
        self._source = source
        self._armed: dict[int, Armed] = {}
        self._agenda: list[VenueAction] = []
        self._last = 0

    # --- arming ----------------------------------------------------------------------------------------------------

    def arm(self, asked: Asked, now_ns: int) -> Armed:
        """Raises UsageError: a hundred are armed."""
        if len(self._armed) >= MOST:
            raise UsageError(f"--fault: {MOST} are armed. Disarm some first", code="BAD_FAULT")
        self._last += 1
        self._armed[self._last] = armed = Armed(self._last, asked, now_ns)
        if asked.kind.at == VENUE and self._strikes(armed, now_ns):
            self._agenda.append(VenueAction(now_ns, asked))
            if "seconds" in asked.values:
                back_s = asked.number("seconds")
                back_ns = now_ns + round(back_s * S) if back_s else None
                self._agenda.append(VenueAction(back_ns, asked, ends=True))
        return armed

    def disarm(self, what: int | str | None = None) -> int:
        """The fault of that number, all of that name, or all; the exchange goes back to what it was. How many."""
        gone = [n for n, armed in self._armed.items() if what is None or what in (n, armed.name)]
        for number in gone:
            ended = self._armed.pop(number).asked
            self._agenda = [a._replace(due_ns=0) if a.ends and a.asked is ended else a for a in self._agenda]
        return len(gone)

    @property
    def armed(self) -> list[Armed]:
        return list(self._armed.values())

    def touches(self, at: str) -> bool:
        """Whether anything is armed there: nothing need be asked otherwise."""
        return any(armed.asked.kind.at == at for armed in self._armed.values())

    # --- deciding --------------------------------------------------------------------------------------------------

    def on_call(self, call: str, pair: str, now_ns: int, *, keyed: bool = True) -> CallDecision:
        """For one call, by the last word of its path. pair: "" where the call names none. keyed: it needs a key."""
        decision = CLEAN
        for armed in self._at(CALL, pair, now_ns):
            meant = armed.asked.word("call")
            if armed.name in KEYED and not keyed:
                continue
            if meant in ("any", call) and self._strikes(armed, now_ns):
                decision = _worse(decision, armed.asked)
        return decision

    def on_login(self, pair: str, now_ns: int) -> str | None:
        """The error code a stream is refused with; pair "" for a user stream."""
        for armed in self._at(LOGIN, pair, now_ns):
            if self._strikes(armed, now_ns):
                return armed.asked.word("code")
        for armed in self._at(CALL, pair, now_ns):
            if armed.name == "key-revoked" and armed.asked.word("call") == "any" and self._strikes(armed, now_ns):
                return "invalid_credentials"
        return None

    def on_join(self, now_ns: int) -> tuple[bool, int]:
        """For a user stream that comes back: whether what it missed is gone, how many messages come again."""
        gone, again = False, 0
        for armed in self._at(JOIN, "", now_ns):
            if self._strikes(armed, now_ns):
                if armed.name == "user-cache-gone":
                    gone = True
                else:
                    again = max(again, int(armed.asked.number("size")))
        return gone, again

    def on_frame(self, stream: str, pair: str, now_ns: int) -> Iterator[Asked]:
        """What strikes one frame of a stream (MARKET or USER), in the order armed."""
        for armed in self._at(stream, pair, now_ns):
            if self._strikes(armed, now_ns):
                yield armed.asked

    def due(self, now_ns: int) -> list[VenueAction]:
        """What the exchange has to do now, each once."""
        if not self._agenda:
            return []
        found = [action for action in self._agenda if action.due_ns is not None and action.due_ns <= now_ns]
        self._agenda = [action for action in self._agenda if action not in found]
        return sorted(found, key=lambda action: (action.due_ns, action.ends))

    def draw(self, size: int) -> int:
        """A number below ``size``."""
        return self._source.getrandbits(32) % size

    def _at(self, at: str, pair: str, now_ns: int) -> Iterator[Armed]:
        for armed in list(self._armed.values()):
            meant = armed.asked.word("pair")
            if armed.asked.kind.at == at and (not meant or not pair or meant == pair) and armed.active(now_ns):
                yield armed

    def _strikes(self, armed: Armed, now_ns: int) -> bool:
        chance = armed.asked.number("probability")
        if chance < 1 and self._source.getrandbits(32) >= chance * 2**32:
            return False
        armed.reached += 1
        return True


def _worse(decision: CallDecision, asked: Asked) -> CallDecision:
    """The decision with one more fault in it; of two replies the last armed stands."""
    name = asked.kind.name
    executed = asked.word("when") == "after"
    if name.startswith("error-"):
        status = name.removeprefix("error-")
        retry = asked.number("seconds") if "seconds" in asked.values else 0.0
        return replace(decision, reply=status, executed=executed, retry_after_s=retry)
    if name.endswith("-body"):
        return replace(decision, reply=name.removesuffix("-body"), executed=executed)
    match name:
        case "black-hole":
            return replace(decision, reply="none", executed=executed, wait_s=asked.number("seconds"))
        case "late-arrival":
            return replace(decision, hold_s=decision.hold_s + asked.number("seconds"))
        case "no-ttl":
            return replace(decision, no_ttl=True)
        case "awaiting":
            return replace(decision, awaiting=True)
        case "cancel-false" | "cancel-unknown":
            return replace(decision, cancel=name.removeprefix("cancel-"))
        case "fill-while-cancelling":
            return replace(decision, cancel="fill", share=_share(asked))
        case "fill-after-cancel":
            return replace(decision, cancel="late", share=_share(asked), after_s=asked.number("seconds"))
        case "clock-skew":
            return replace(decision, skew_s=decision.skew_s + asked.number("seconds"))
        case "balance-lag" | "listtrades-lag":
            return replace(decision, lag_s=asked.number("seconds"))
        case "refuse":
            return replace(decision, refuse=asked.word("code"))
        case _:
            return replace(decision, refuse=REFUSALS[name])


REFUSALS = {
    "maintenance": "ErrUnderMaintenance",
    "post-only-cancelled": "ErrOrderCanceled",
    "key-revoked": "ErrApiKeyRevoked",
    "permission-removed": "ErrInsufficientPerms",
}


KEYED = ("key-revoked", "permission-removed")
"""Faults of a key: calls without one do not meet them."""


def _share(asked: Asked) -> float:
    return min(max(asked.number("percent") / 100, 0.0), 1.0)


__all__ = ["CLEAN", "MARKET", "USER", "Armed", "CallDecision", "Faults", "VenueAction"]
