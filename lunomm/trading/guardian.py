"""The guardian: takes our orders down when the gateway that placed them is dead or hangs (pure).

Luno has no dead-man switch, so each gateway starts a small process that holds a REST client of its own, needs neither
Redis nor journal, and hears a beat from the gateway over a pipe. While beats come it does nothing. When they stop, or
the pipe ends, it lists the open orders of its pairs and cancels those with our prefix, and nothing else, until two
listings show none. The two are ``settle_ns`` apart: longer than a POST that the gateway sent with its last breath may
still be accepted, so nothing can appear between them and after them.

A gateway that was only frozen beats again and has its guardian watching again; what was cancelled meanwhile it learns
from the exchange like any other end of an order. A failed call is tried again for ever: giving up is not among the
states. It can do no harm that a person with the exchange's own site could not do: it never places.

    WATCHING --no beat for HUNG_NS--> CLEARING --two clean listings--> CLEAR --beat--> WATCHING
        |                                |                               |
        +-- pipe ends ------------------>+<-- pipe ends (starts over) ---+       CLEAR and pipe ended: DONE
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

SECOND = 1_000_000_000

HUNG_NS = 5 * SECOND
"""Silence of the gateway that counts as hanging. It beats twice a second; ten seconds is the longest allowed in all."""

AGAIN_NS = SECOND
"""Between two listings while orders are left."""

LONGEST_NS = 5 * SECOND
"""Longest pause after failures in a row."""

ALARM_NS = 60 * SECOND
"""Between two complaints that the exchange cannot be reached."""


class GuardState(enum.StrEnum):
    WATCHING = "WATCHING"
    CLEARING = "CLEARING"
    CLEAR = "CLEAR"
    DONE = "DONE"


# --- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """The gateway lives."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """The gateway ends and has verified that nothing rests: the guardian may go."""


@dataclass(frozen=True, slots=True)
class Orphaned:
    """The pipe ended without a farewell: the gateway is gone."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids of our open orders of all pairs, from one round of listings."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListFailed:
    """A listing or a cancel could not be done."""

    why: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


GuardEvent = Beat | Farewell | Orphaned | Listed | ListFailed | Tick


# --- actions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListAll:
    """List the open orders of every pair; answer with Listed or ListFailed."""


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel these; nothing is believed of the replies, the next listing tells."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Say:
    """A line for the log."""

    text: str


GuardAction = ListAll | CancelAll | Say


class Guardian:
    """One gateway's guardian.

    Args:
        now_ns: own monotonic clock at the start. settle_ns: between the two clean listings: the orders' time to live,
            the clocks' skew and a second.
    """

    def __init__(self, now_ns: int, settle_ns: int) -> None:
        self.state = GuardState.WATCHING
        self.orphaned = False
        self._settle_ns = settle_ns
        self._beat_ns = self._since_ns = now_ns
        self._asking = False
        self._ask_ns = now_ns
        self._asked_ns = now_ns
        self._clean_ns: int | None = None
        self._failures = 0
        self._alarm_ns = now_ns

    def wake_ns(self) -> int:
        """Own monotonic time of the next tick that matters."""
        if self.state is GuardState.WATCHING:
            return self._beat_ns + HUNG_NS
        return self._ask_ns

    def step(self, event: GuardEvent, now_ns: int) -> list[GuardAction]:
        """Take one event; what to do for it."""
        out: list[GuardAction] = []
        if self.state is GuardState.DONE:
            return out
        if isinstance(event, Beat):
            self._beat_ns = now_ns
            if self.state is not GuardState.WATCHING and not self.orphaned:
                self.state = GuardState.WATCHING
                out.append(Say("the gateway beats again"))
        elif isinstance(event, Farewell):
            self.state = GuardState.DONE
            return out
        elif isinstance(event, Orphaned):
            self.orphaned = True
            out.append(Say("the gateway is gone: cancelling its orders"))
            self._clear(now_ns)
        elif isinstance(event, Listed):
            self._listed(event.order_ids, now_ns, out)
        elif isinstance(event, ListFailed):
            self._failed(event.why, now_ns, out)
        if self.state is GuardState.WATCHING and now_ns - self._beat_ns >= HUNG_NS:
            out.append(Say(f"no beat for {HUNG_NS // SECOND} s: the gateway hangs: cancelling its orders"))
            self._clear(now_ns)
        if self.state in (GuardState.CLEARING, GuardState.CLEAR) and not self._asking and now_ns >= self._ask_ns:
            self._asking, self._asked_ns = True, now_ns
            out.append(ListAll())
        return out

    def _clear(self, now_ns: int) -> None:
        """Start over: what was listed before proves nothing about a POST sent since."""
        self.state = GuardState.CLEARING
        self._clean_ns = None
        self._failures = 0
        self._since_ns = self._ask_ns = self._alarm_ns = now_ns

    def _listed(self, order_ids: Sequence[str], now_ns: int, out: list[GuardAction]) -> None:
        self._asking = False
        if self.state is GuardState.WATCHING:
            return
        self._failures = 0
        if order_ids:
            self.state = GuardState.CLEARING
            self._clean_ns = None
            self._ask_ns = now_ns + AGAIN_NS
            out.append(Say(f"cancelling {len(order_ids)} orders"))
            out.append(CancelAll(tuple(order_ids)))
            return
        if self._asked_ns < self._since_ns:
            self._ask_ns = now_ns  # asked before this began: it may have missed the last POST
            return
        if self._clean_ns is None:
            self._clean_ns = self._asked_ns
        elif self._asked_ns - self._clean_ns >= self._settle_ns and self.state is GuardState.CLEARING:
            out.append(Say("no order of ours is left: two listings are empty"))
            self.state = GuardState.DONE if self.orphaned else GuardState.CLEAR
        self._ask_ns = max(now_ns, self._clean_ns + self._settle_ns)
        if self.state is GuardState.CLEAR:
            # The gateway is frozen, not gone: it may wake and place before it can hear that it was.
            self._ask_ns = now_ns + LONGEST_NS

    def _failed(self, why: str, now_ns: int, out: list[GuardAction]) -> None:
        self._asking = False
        if self.state is GuardState.WATCHING:
            return
        self._clean_ns = None
        if self.state is GuardState.CLEAR:
            self.state = GuardState.CLEARING
        self._failures += 1
        self._ask_ns = now_ns + min(AGAIN_NS // 2 * 2 ** min(self._failures - 1, 6), LONGEST_NS)
        if self._failures == 1 or now_ns - self._alarm_ns >= ALARM_NS:
            self._alarm_ns = now_ns
            out.append(Say(f"orders may be live, and the exchange does not answer: {why}"))
