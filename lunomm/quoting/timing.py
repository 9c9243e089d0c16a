"""When a side may change: refresh, fills, drift, age, cooldown, back-off. All on exchange time, nanoseconds.

These rules limit *re-pricing*, never pulling: stale data, a halt, a limit or the market's status withdraw a quote at
once. Rejected: timers on the wall clock (a tape at speed 20 would rest a filled side for 20 minutes of its market).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

SECOND_NS = 1_000_000_000

RETRY_NS = 1 * SECOND_NS
"""After an order was refused or left the exchange uncalled, its side waits so long before it wants a new one."""

MAX_RETRY_NS = 30 * SECOND_NS
"""Cap of the doubling wait when the same refusal repeats."""

PACE_NS = SECOND_NS // 2
"""A side's quote is replaced at most this often, whatever happens (a flapping input must not eat the call budget)."""

POSITION_TOLERANCE = Decimal("0.005")
"""A change of position below this part of a lot (fee dust, a rounded balance) is no new inventory."""

SIZE_TOLERANCE = Decimal("0.1")
"""A size that changed by no more than this part is the same: queue priority is worth more."""


@dataclass(frozen=True)
class Timing:
    """The user's times, ns; reprice_at: half-spreads, 0 = never before the refresh."""

    refresh_ns: int
    filled_delay_ns: int
    max_age_ns: int
    reprice_at: float


class Due(enum.StrEnum):
    """Why a standing quote may be looked at again."""

    REFRESH = "REFRESH"
    FILL = "FILL"
    FAIR = "FAIR"
    AGE = "AGE"
    ASKED = "ASKED"


@dataclass(frozen=True)
class Priced:
    """What a standing quote was last looked at with: fair price and half-spread (counter), position (base)."""

    fair: float
    half_spread: float
    position: Decimal


class Timer:
    """A wait of fixed length. A clock set back restarts it: it can never last longer than its length from now."""

    def __init__(self, start_ns: int, length_ns: int) -> None:
        self.start_ns = start_ns
        self.length_ns = length_ns

    def left_ns(self, now_ns: int) -> int:
        self.start_ns = min(self.start_ns, now_ns)
        return max(0, self.start_ns + self.length_ns - now_ns)

    def age_ns(self, now_ns: int) -> int:
        self.start_ns = min(self.start_ns, now_ns)
        return now_ns - self.start_ns


@dataclass(frozen=True)
class Backoff:
    """Refusals in a row with one code; the wait doubles with each, up to 30 s. Another code starts again."""

    code: str = ""
    count: int = 0

    def after(self, code: str) -> Backoff:
        return Backoff(code, self.count + 1 if code == self.code else 1)

    @property
    def wait_ns(self) -> int:
        # 2**5 is beyond the cap; a bounded exponent keeps the integer small after a night of refusals.
        return min(RETRY_NS << min(self.count - 1, 5), MAX_RETRY_NS) if self.count else 0


def due(priced: Priced, seen: Priced, age_ns: int, timing: Timing, lot: Decimal) -> Due | None:
    """Whether a standing quote may be re-priced now, and why.

    Args:
        priced: What it was priced with.
        seen: The same things now.
        age_ns: Exchange time since it was first wanted.
        lot: The effective lot, base.
    """
    if age_ns >= timing.max_age_ns:
        return Due.AGE
    if abs(seen.position - priced.position) > POSITION_TOLERANCE * lot:
        return Due.FILL
    if timing.reprice_at > 0.0 and abs(seen.fair - priced.fair) > timing.reprice_at * priced.half_spread:
        return Due.FAIR
    if age_ns >= timing.refresh_ns:
        return Due.REFRESH
    return None


def same_size(standing: Decimal, wanted: Decimal) -> bool:
    """Whether what is left of the standing quote is near enough to the wanted size to keep its place in the queue."""
    return abs(wanted - standing) <= SIZE_TOLERANCE * standing
