"""Money that several pairs of one account share: what each may use, so that no coin is promised twice.

Each pair wants some of the asset (the value of its wanted bids, or the size of its wanted asks). While the wishes fit
together, a pair may use all that the others do not want. Where they do not fit, each gets its part by wanted value.
What is *promised* to a quoter (ACCOUNT) keeps a little for pairs that want nothing yet: a quoter wants no more than it
is promised, so a pair promised nothing would never ask again. Promises add up to what there is.

Rejected design: first come, first served. The pair that quotes first after a fill would take everything, every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Context, Decimal

ZERO = Decimal(0)
GRAIN = Decimal("1e-18")
_WIDE = Context(prec=60)
KEPT = 4
"""A pair that wants nothing counts as if it wanted a fourth of an equal part."""


def allowed(usable: Decimal, wanted: Mapping[str, Decimal], pair: str) -> Decimal:
    """Of ``usable``, what the pair may use now. wanted: pair -> amount, its resting orders included."""
    whole = max(usable, ZERO)
    total, mine = sum(wanted.values(), ZERO), wanted.get(pair, ZERO)
    if len(wanted) < 2 or total <= whole:
        return whole - (total - mine)
    return _cut(whole * mine / total)


def promised(usable: Decimal, wanted: Mapping[str, Decimal], pair: str) -> Decimal:
    """Of ``usable``, what the pair's quoter is told is its own."""
    whole = max(usable, ZERO)
    if len(wanted) < 2 or not whole:
        return whole
    floor = whole / (KEPT * len(wanted))
    total = sum((min(value, whole) + floor for value in wanted.values()), ZERO)
    return _cut(whole * (min(wanted.get(pair, ZERO), whole) + floor) / total)


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(GRAIN, rounding=ROUND_FLOOR, context=_WIDE)
