"""A fair price from two other markets of the venue: XBTMYR as XBTUSDT times USDTMYR, or as XBTZAR divided by MYRZAR.

Both legs must be as fresh and as tradable as the pair's own market; our own orders are out of their mids too. The
answer is believed only near the pair's own mid, as every fair price is.
"""

from __future__ import annotations

import re

from lunomm.errors import ModelError, UsageError
from lunomm.market.clock import Now
from lunomm.market.records import Tick
from lunomm.quoting.fair_price import FARTHEST
from lunomm.quoting.freshness import Freshness
from lunomm.quoting.intents import Why

_FORM = re.compile(r"([A-Z0-9]{5,12})\s*([*/])\s*([A-Z0-9]{5,12})", re.ASCII)


class Reference:
    """Two markets and how they make the pair's price.

    Args:
        text: ``XBTUSDT*USDTMYR`` or ``XBTZAR/MYRZAR``.
        pair: what it prices; neither leg may be it.

    Raises:
        UsageError: anything else.
    """

    def __init__(self, text: str, pair: str) -> None:
        match = _FORM.fullmatch(text.strip().upper())
        if match is None:
            raise UsageError(f"--reference: {text[:40]!r} is not two pairs such as XBTUSDT*USDTMYR or XBTZAR/MYRZAR")
        first, self._sign, second = match.groups()
        if pair in (first, second) or first == second:
            raise UsageError(f"--reference: {text[:40]!r} must be two pairs, both other than {pair}")
        self.pairs: tuple[str, str] = (first, second)
        self._legs = {leg: Freshness() for leg in self.pairs}

    def on_tick(self, tick: Tick, now: Now, age_ns: int = 0) -> None:
        """A tick of either leg; other pairs are ignored. age_ns: since it was published."""
        leg = self._legs.get(tick.pair)
        if leg is not None:
            leg.on_tick(tick, now, age_ns)

    def trouble(self, now: Now) -> tuple[Why, str] | None:
        """Why a leg may not be priced from, or None."""
        for pair, leg in self._legs.items():
            found = leg.trouble(now)
            if found is not None:
                return found[0], f"reference {pair}: {found[1]}"
        return None

    def stale_in_ns(self, now: Now) -> int | None:
        """Monotonic time until a leg goes stale by itself; None while neither is known."""
        waits = (leg.stale_in_ns(now) for leg in self._legs.values())
        return min((wait for wait in waits if wait is not None), default=None)

    def price(self, mid: float) -> float:
        """The cross price, counter per base of the pair.

        Args:
            mid: the pair's own.

        Raises:
            ModelError: a leg without a mid, or a price further than ``FARTHEST`` from ``mid``.
        """
        first, second = (self._legs[leg].tick for leg in self.pairs)
        if first is None or second is None or first.fair_mid is None or second.fair_mid is None:
            raise ModelError("the reference has no mid")
        one, other = float(first.fair_mid), float(second.fair_mid)
        found = one * other if self._sign == "*" else one / other
        if not abs(found - mid) <= FARTHEST * mid:
            raise ModelError(f"the reference price {found:g} is more than {FARTHEST:.0%} from the mid {mid:g}")
        return found
