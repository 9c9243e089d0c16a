"""Profit and loss of one pair, exactly, split so that the parts add up.

With fill i on side e (+1 bought), price p, base v, fair price m at the fill; position q and cash X net of fees; mark
m::

    M = X + q m,   M_T - M_0 - flows  =  sum v e (m - p)  +  sum q_k (m_{k+1} - m_k)  -  sum (fee_counter + fee_base m)
                                         spread              inventory                    fees

an identity, tested to the last digit. ``q_k`` is the whole position (the opening included): holding coins whose price
falls is a loss of this account, and hiding it would flatter the quoter. A flow (deposit, alien trade) enters at the
mark of its time and is no profit. Everything is Decimal; a fair price is cut to :data:`MARK_DECIMALS` decimals first so
that sums stay within the exact context.

The state is a function of opening, fills and flows in their order alone, so a restart that replays the journal arrives
at the same digits; the present mark is only applied when asked for.
"""

from __future__ import annotations

from collections import deque
from decimal import Context, Decimal, InvalidOperation

from lunomm.market.rules import EXACT
from lunomm.quoting.inputs import Fill, Pnl
from lunomm.trading.orders import ZERO, Amounts

MARK_DECIMALS = 8
"""Of a fair price in PnL: finer than any tick."""

FAIRS_KEPT = 2400
"""Fair prices remembered: twenty minutes at the quoter's pace of two a second."""


MARKS_KNOWN = 8
"""Marks whose profit is kept between fills."""

_ROUND = Context(prec=60, traps=[InvalidOperation])


def mark_of(fair: float | Decimal) -> Decimal:
    """A fair price as an exact number for the books."""
    exact = fair if isinstance(fair, Decimal) else Decimal(repr(fair))
    return exact.quantize(Decimal(1).scaleb(-MARK_DECIMALS), context=_ROUND)


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros, and nothing as 0: ``0E-16`` is no figure for people or other programs."""
    if not value:
        return ZERO
    short = value.normalize(EXACT)
    return short.quantize(Decimal(1), context=EXACT) if short == short.to_integral_value() else short


class Inventory:
    """Position and profit of one pair since its opening.

    Args:
        opening: base held at the pair's first start. mark: fair price then, counter per base.
    """

    def __init__(self, opening: Decimal, mark: Decimal) -> None:
        self.opening = opening
        self.position = opening
        self.fills = 0
        self.bought = ZERO
        self.sold = ZERO
        self.traded_counter = ZERO
        self._opening_mark = mark
        self._mark = mark
        self._cash = ZERO
        self._flow_value = ZERO
        self._spread = ZERO
        self._inventory = ZERO
        self._fees = ZERO
        self._known: dict[Decimal, Pnl] = {}

    def fill(self, fill: Fill) -> None:
        """Book one fill (each once.

        The caller keys them by sequence). Without a known fair price its own price is the mark.
        """
        self._known.clear()
        mark = mark_of(fill.fair) if fill.fair is not None else fill.price
        amounts = Amounts(fill.volume, fill.counter, fill.fee_base, fill.fee_counter)
        self._move_mark(mark)
        # counter is base x price, exactly: the spread uses it rather than the price so that the identity holds as
        # booked.
        self._spread = EXACT.add(
            self._spread,
            EXACT.subtract(
                EXACT.multiply(EXACT.multiply(Decimal(fill.side.sign), fill.volume), mark),
                EXACT.multiply(Decimal(fill.side.sign), fill.counter),
            ),
        )
        self._fees = EXACT.add(self._fees, EXACT.add(fill.fee_counter, EXACT.multiply(fill.fee_base, mark)))
        self._cash = EXACT.add(self._cash, amounts.net_counter(fill.side))
        self.position = EXACT.add(self.position, amounts.net_base(fill.side))
        self.fills += 1
        self.traded_counter = EXACT.add(self.traded_counter, fill.counter)
        if fill.side.sign > 0:
            self.bought = EXACT.add(self.bought, fill.volume)
        else:
            self.sold = EXACT.add(self.sold, fill.volume)

    def flow(self, base: Decimal, counter: Decimal, mark: Decimal | None) -> None:
        """Base and counter that came (or went, negative) by other hands: the position changes, the profit does not."""
        self._known.clear()
        if mark is not None:
            self._move_mark(mark)
        self.position = EXACT.add(self.position, base)
        self._cash = EXACT.add(self._cash, counter)
        self._flow_value = EXACT.add(self._flow_value, EXACT.add(counter, EXACT.multiply(base, self._mark)))

    def pnl(self, mark: Decimal) -> Pnl:
        """Profit since the opening at ``mark``; total is computed from cash and position, not from the parts."""
        # Asked for at every step of a gateway, at two marks; it is another only with a fill, a flow or another mark.
        if (known := self._known.get(mark)) is not None:
            return known
        value = EXACT.add(self._cash, EXACT.multiply(self.position, mark))
        start = EXACT.multiply(self.opening, self._opening_mark)
        total = EXACT.subtract(EXACT.subtract(value, start), self._flow_value)
        drift = EXACT.add(self._inventory, EXACT.multiply(self.position, EXACT.subtract(mark, self._mark)))
        held = EXACT.multiply(self.opening, EXACT.subtract(mark, self._opening_mark))
        found = Pnl(
            total=plain(total),
            spread=plain(self._spread),
            inventory=plain(drift),
            fees=plain(self._fees),
            holding=plain(held),
        )
        if len(self._known) >= MARKS_KNOWN:
            self._known.clear()
        self._known[mark] = found
        return found

    def _move_mark(self, mark: Decimal) -> None:
        self._inventory = EXACT.add(self._inventory, EXACT.multiply(self.position, EXACT.subtract(mark, self._mark)))
        self._mark = mark


class Fairs:
    """The fair prices the quoter published, by exchange time: which one was known before a fill."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, float]] = deque(maxlen=FAIRS_KEPT)

    def add(self, ts_ms: int, fair: float | None) -> None:
        if fair is not None and 0 < fair < 1e15 and (not self._seen or ts_ms >= self._seen[-1][0]):
            self._seen.append((ts_ms, fair))

    def before(self, ts_ms: int) -> float | None:
        """The last one not newer than ``ts_ms``; the oldest kept for anything older; None when none was ever seen."""
        for seen_ms, fair in reversed(self._seen):
            if seen_ms <= ts_ms:
                return fair
        return None

    def last(self) -> float | None:
        return self._seen[-1][1] if self._seen else None


class Uptime:
    """Share of time with a bid and an ask working (own monotonic clock)."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._last_ns = 0
        self._both = False
        self._both_ns = 0
        self._ever = False

    def note(self, both: bool, mono_ns: int) -> None:
        """The state from now on; time until now counts for the state before."""
        if self._since_ns is None:
            self._since_ns = mono_ns
        elif self._both:
            self._both_ns += mono_ns - self._last_ns
        self._last_ns, self._both = mono_ns, both
        self._ever = self._ever or both

    def share(self, mono_ns: int) -> float | None:
        """Between 0 and 1; None before both sides ever worked."""
        if not self._ever or self._since_ns is None or mono_ns <= self._since_ns:
            return None
        both = self._both_ns + (mono_ns - self._last_ns if self._both else 0)
        return both / (mono_ns - self._since_ns)
