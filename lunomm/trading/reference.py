"""What the market costs, by the gateway's own reading, and whether a sudden price may be believed.

Two sources that do not know each other: the venue's ticker by REST, read here, and the market the quoter saw (the
middle of the touch in its message, else its fair price). The *last good* price is the quoter's at the moment both
agreed. An order must be near the REST price and near the last good one (`limits`).

A jump is either source further than :data:`JUMP` from the last good price. Then nothing is wanted until the two agree
with each other for :data:`SETTLE_NS`, with a REST price read since: a real move is confirmed, a glitch of one source
passes. A quoter that makes prices up can only silence itself.
"""

from __future__ import annotations

from decimal import Decimal

from lunomm.market.rules import EXACT
from lunomm.trading.chores import SECOND

JUMP = Decimal("0.10")
"""A share of the last good price; Luno's own circuit breaker is at 10 % off the five-minute average."""

AGREE = Decimal("0.05")
"""Largest distance at which two prices say the same, a share of the REST one."""

SETTLE_NS = 3 * SECOND

LIFE_NS = 60 * SECOND
"""A REST price older than this says nothing."""


class Reference:
    """The prices of one pair. price: by REST, None before the first; good: the last good one."""

    def __init__(self) -> None:
        self.price: Decimal | None = None
        self.read_ns = 0
        self.good: Decimal | None = None
        self.jumping = False
        self._market: Decimal | None = None
        self._agreed_ns: int | None = None
        self._jumped_ns = 0

    def fresh(self, now_ns: int) -> bool:
        return self.price is not None and now_ns - self.read_ns < LIFE_NS

    def read(self, price: Decimal | None, now_ns: int) -> None:
        """A ticker was read. None or a price that is none: no news."""
        if price is not None and price > 0:
            self.price, self.read_ns = price, now_ns
            self._judge(now_ns)

    def seen(self, market: Decimal | None, now_ns: int) -> None:
        """The quoter's message named a market price (None: it did not; the last one is forgotten)."""
        self._market = market if market is not None and market > 0 else None
        self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        price, market = self.price, self._market
        if price is None:
            return
        if self.good is None:
            self.good = price
        far = any(p is not None and _apart(p, self.good) > JUMP * self.good for p in (price, market))
        agree = market is None or _apart(price, market) <= AGREE * price
        if not agree:
            self._agreed_ns = None
        elif self._agreed_ns is None:
            self._agreed_ns = now_ns
        if far and not self.jumping:
            self.jumping, self._jumped_ns = True, now_ns
            self._agreed_ns = now_ns if agree else None
        if self.jumping:
            since = self._agreed_ns
            self.jumping = since is None or now_ns - since < SETTLE_NS or self.read_ns < self._jumped_ns + SETTLE_NS
            # A glitch that is over needs no settling: both are back where they were.
            self.jumping = self.jumping and (far or not agree)
        if agree and not self.jumping:
            self.good = market if market is not None else price


def _apart(one: Decimal, other: Decimal) -> Decimal:
    return abs(EXACT.subtract(one, other))
