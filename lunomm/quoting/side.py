"""One side of the quoter: the intent it wants, and the waits that keep it from wanting one.

A side is in one of four states, read off its fields:

====================  =====================================================================================
nothing wanted        no intent, no wait: a new intent may be wanted as soon as a price and a size exist
wanted                an intent; it keeps its id while price and size stay the same within tolerance
holding               its last intent was refused, or left the exchange uncalled: 1 s, doubling while it repeats
cooling down          an intent filled completely: nothing wanted for ``filled_order_delay``
====================  =====================================================================================

==============================  ==============  ==================================================
event                           of intent       leads to
==============================  ==============  ==================================================
filled completely               any of ours     cooling down (also when a newer one is wanted already)
refused                         the wanted one  holding
cancelled, dead, vanished       the wanted one  holding
refused, cancelled, dead        another         nothing (it was unwanted already)
accepted by the exchange        the wanted one  wanted; the back-off starts anew
==============================  ==============  ==================================================
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal

from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, SideReport, Step, Why
from lunomm.quoting.patience import Queue, stays
from lunomm.quoting.timing import PACE_NS, SECOND_NS, Backoff, Due, Priced, Timer, Timing, due, same_size

MEMORY = 256
"""Completed intents remembered, so that a completion heard twice rests the side once."""


@dataclass(frozen=True)
class Plan:
    """What pricing and sizing say a side should be now. price None: nothing, for ``why``. size: base."""

    price: Decimal | None
    size: Decimal
    priced: Priced
    steps: list[Step] = field(default_factory=list)
    model_size: float | None = None
    why: Why | None = None
    detail: str = ""

    @property
    def urgent(self) -> bool:
        """Whether a standing quote must go now rather than at its refresh."""
        return self.price is None and self.why in (Why.POSITION_LIMIT, Why.PRICE_BOUNDS)


class SideState:
    """State of one side of one level over time; all times exchange ns."""

    def __init__(self, side: Side, timing: Timing, level: int = 0) -> None:
        self.side = side
        self.level = level
        self.intent: Intent | None = None
        self._timing = timing
        self._plan: Plan | None = None
        self._priced: Priced | None = None
        self._filled = Decimal(0)
        self._age: Timer | None = None
        self._cooldown: Timer | None = None
        self._hold: Timer | None = None
        self._pace: Timer | None = None
        self._backoff = Backoff()
        self._before = Backoff()
        self._hold_detail = ""
        self._refused_id = ""
        self._completed: OrderedDict[str, None] = OrderedDict()
        self._asked = False

    @property
    def slot(self) -> tuple[Side, int]:
        return self.side, self.level

    # --- what happened to our orders -----------------------------------------------------------------------------

    def filled(self, intent_id: str, amount: Decimal) -> None:
        """Cumulative filled base of an intent."""
        if self._wants(intent_id):
            self._filled = max(self._filled, amount)

    def accepted(self, intent_id: str) -> None:
        if self._wants(intent_id):
            self._backoff = Backoff()

    def completed(self, intent_id: str, at_ns: int, now_ns: int) -> None:
        """An intent filled wholly, at exchange time ``at_ns``."""
        if intent_id in self._completed:
            return
        self._completed[intent_id] = None
        if len(self._completed) > MEMORY:
            self._completed.popitem(last=False)
        rest = Timer(min(at_ns, now_ns), self._timing.filled_delay_ns)
        resting = rest.left_ns(now_ns) > 0
        if resting:
            self._cooldown = rest
        if resting or self._wants(intent_id):
            self.withdraw()

    def refused(self, intent_id: str, code: str, now_ns: int) -> None:
        """The exchange or a limit said no; ``code`` is why."""
        if self._wants(intent_id):
            self._refused_id, self._before = intent_id, self._backoff
            self.withdraw()
        elif not (intent_id == self._refused_id and self._backoff.code == _UNNAMED):
            return
        # Else the bare status came before the refusal that names the code: one refusal, counted once.
        self._backoff = self._before.after(code)
        self._start_hold(f"refused: {code}", now_ns)

    def rejected(self, intent_id: str, now_ns: int) -> None:
        """The order's status says refused, without a code."""
        self.refused(intent_id, _UNNAMED, now_ns)

    def gone(self, intent_id: str, how: str, now_ns: int) -> None:
        """The order of an intent ended though nobody here asked: cancelled by someone, proven absent, vanished."""
        if self._wants(intent_id):
            self._backoff = self._backoff.after(how)
            self._start_hold(f"the order left the exchange: {how}", now_ns)
            self.withdraw()

    def _wants(self, intent_id: str) -> bool:
        return self.intent is not None and self.intent.id == intent_id

    def _start_hold(self, detail: str, now_ns: int) -> None:
        self._hold = Timer(now_ns, self._backoff.wait_ns)
        self._hold_detail = detail

    # --- what is wanted --------------------------------------------------------------------------------------------

    def withdraw(self) -> None:
        """Want nothing from now on; the next intent has a new id."""
        self.intent = None
        self._plan = self._priced = self._age = None
        self._filled = Decimal(0)

    def retime(self, timing: Timing) -> None:
        """Live by other times from now on; a wait that runs keeps its length."""
        self._timing = timing
        if self._age is not None:
            self._age.length_ns = timing.refresh_ns

    def look_again(self) -> None:
        """Someone changed what is wanted: the standing intent is priced anew as soon as its pace allows."""
        self._asked = True

    def waiting(self, now_ns: int) -> tuple[Why, str, int] | None:
        """Why this side may not want anything now, and for how long yet (ns); None when it may."""
        for timer, why, detail in (
            (self._cooldown, Why.COOLDOWN, "filled"),
            (self._hold, Why.REFUSED, self._hold_detail),
        ):
            if timer is not None and (left := timer.left_ns(now_ns)) > 0:
                return why, detail, left
        self._cooldown = self._hold = None
        if self.intent is None and (left := self._pace_left(now_ns)) > 0:
            return Why.COOLDOWN, "at most one new quote every half second", left
        return None

    def _pace_left(self, now_ns: int) -> int:
        return self._pace.left_ns(now_ns) if self._pace is not None else 0

    def due(self, seen: Priced, lot: Decimal, now_ns: int) -> Due | None:
        """Why the standing intent may change now; None when it may not, or there is none."""
        if self._priced is None or self._age is None or self._pace_left(now_ns) > 0:
            return None
        why = due(self._priced, seen, self._age.age_ns(now_ns), self._timing, lot)
        return why if why is Due.AGE or not self._asked else Due.ASKED

    def unmoved_by(self, fair: float, now_ns: int) -> bool:
        """Whether this fair price cannot change the side before its time: it waits, or stands near enough to it."""
        if self.intent is None:
            return any(t is not None and t.left_ns(now_ns) > 0 for t in (self._cooldown, self._hold, self._pace))
        if self._priced is None or self._age is None or self._asked:
            return False
        if self._age.age_ns(now_ns) >= self._timing.refresh_ns:
            return False  # it may change at any time
        near = self._timing.reprice_at * self._priced.half_spread
        return near == 0.0 or abs(fair - self._priced.fair) <= near

    def keeps(self, plan: Plan, why: Due, queue: Queue | None = None, tolerance: Decimal = Decimal(0)) -> bool:
        """Whether the standing intent is as good as ``plan``, and then takes the plan's circumstances for its own.

        Args:
            queue: its place, where that is known; then a good one may outweigh the price.
            tolerance: counter; a wanted price nearer than this is the same price.
        """
        intent = self.intent
        if intent is None or why is Due.AGE or plan.price is None:
            return False
        left, moved = intent.size - self._filled, abs(intent.price - plan.price)
        same = same_size(left, plan.size)
        if not ((moved == 0 or moved < tolerance) and same):
            too_large = left > plan.size and not same
            if queue is None or why in (Due.FAIR, Due.ASKED) or too_large:
                return False
            outward = float((plan.price - intent.price) * self.side.sign)
            if not stays(queue, outward, left, plan.size):
                return False
        self._priced = plan.priced
        self._asked = False
        return True

    def want(self, intent: Intent, plan: Plan, now_ns: int) -> None:
        self.intent, self._plan, self._priced = intent, plan, plan.priced
        self._asked = False
        self._filled = Decimal(0)
        self._age = Timer(now_ns, self._timing.refresh_ns)
        self._pace = Timer(now_ns, PACE_NS)

    def report(self, now_ns: int, plan: Plan | None, gate: tuple[Why, str] | None = None) -> SideReport:
        """The why of this side: of the standing intent as it was priced, else of what stands against one."""
        if self.intent is not None and self._plan is not None and self._age is not None:
            left = self._age.left_ns(now_ns)
            return _report(
                self.side, self.level, self._plan, self._plan.why, self._plan.detail, (now_ns + left) if left else None
            )
        if gate is not None:
            return SideReport(side=self.side, level=self.level, why=gate[0], detail=gate[1])
        waiting = self.waiting(now_ns)
        if waiting is not None:
            why, detail, left = waiting
            return _report(self.side, self.level, plan, why, detail, now_ns + left)
        return _report(self.side, self.level, plan, plan.why if plan else None, plan.detail if plan else "", None)

    def wake_ns(self, now_ns: int) -> int | None:
        """Time until only the clock changes this side; None when it cannot."""
        if self._age is not None:
            age = self._age.age_ns(now_ns)
            waits = [self._timing.refresh_ns - age, self._timing.max_age_ns - age, self._pace_left(now_ns)]
        else:
            waits = [t.left_ns(now_ns) for t in (self._cooldown, self._hold, self._pace) if t is not None]
        return min((wait for wait in waits if wait > 0), default=None)


_UNNAMED = "REJECTED"


def _report(side: Side, level: int, plan: Plan | None, why: Why | None, detail: str, next_ns: int | None) -> SideReport:
    return SideReport(
        side=side,
        level=level,
        why=why,
        detail=detail,
        steps=plan.steps if plan is not None else [],
        model_size=plan.model_size if plan is not None else None,
        # Rounded up: at next_ms the change may really happen.
        next_ms=None if next_ns is None else -(-next_ns // 1_000_000),
    )


def meet(side: Side, price: Decimal, opposite: Decimal) -> bool:
    """Whether an order of ``side`` at ``price`` would trade with one of the other side at ``opposite``."""
    return price >= opposite if side is Side.BID else price <= opposite


def intent_id(epoch_ms: int, counter: int, side: Side, level: int) -> str:
    """``<quoter start ms, base 36>-<counter>-<B|A><level>``."""
    return f"{base36(epoch_ms)}-{counter}-{side.value[0]}{level}"


def base36(number: int) -> str:
    """A non-negative integer in digits and small letters."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


def seconds(value: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(value * SECOND_NS)
