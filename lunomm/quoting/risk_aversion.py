"""Risk aversion as the user says it, and as the models take it: per lot, 1/price.

``gamma`` is a pure number whose reference says what it is averse to:

==========  ==========================================  ===============================================================
reference   gamma per lot                               gamma = 1 means
==========  ==========================================  ===============================================================
lot         gamma / fair                                quotes shift by one horizon's relative variance for each lot
capital     gamma x (lot / capital) / fair              relative risk aversion 1 (logarithmic utility) of all one owns
absolute    gamma x lot                                 1 per unit of counter currency, the paper's own (not scale-free)
==========  ==========================================  ===============================================================

A target skew replaces gamma for people who think in basis points: how far quotes shift for each lot held, as a share
of the spread or in basis points; gamma is then whatever makes the model do that.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from lunomm.errors import ModelError, UsageError
from lunomm.quoting.avellaneda_stoikov import finite, gamma_per_lot

MAX_SKEW_BP = 1_000.0
MAX_SKEW_SHARE = 0.95
"""A shift of the whole spread a lot has no finite gamma."""

_FORM = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,12})?)\s*(?P<unit>%|bp)?", re.ASCII | re.IGNORECASE)


class GammaRef(enum.StrEnum):
    """What gamma is relative to; see the module."""

    LOT = "lot"
    CAPITAL = "capital"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class TargetSkew:
    """Shift of both quotes a lot held. Exactly one is set. share: of the whole spread, in (0, 0.95]. bp: of the fair
    price."""

    share: float | None = None
    bp: float | None = None


def parse_target_skew(text: str) -> TargetSkew:
    """``25%`` or ``0.25`` (of the spread), or ``5bp`` (of the price).

    Raises:
        UsageError: anything else, nothing, or out of range.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--target-skew: {text[:40]!r} is neither a share of the spread like 25% nor a shift like 5bp")
    number, unit = float(match["number"]), (match["unit"] or "").lower()
    if unit == "bp":
        if not 0.0 < number <= MAX_SKEW_BP:
            raise UsageError(f"--target-skew: {text[:40]!r}: give more than 0bp and at most {MAX_SKEW_BP:g}bp a lot")
        return TargetSkew(bp=number)
    share = number / 100.0 if unit == "%" else number
    if not 0.0 < share <= MAX_SKEW_SHARE:
        raise UsageError(f"--target-skew: {text[:40]!r}: give a share above 0 and at most {MAX_SKEW_SHARE:.0%}")
    return TargetSkew(share=share)


def per_lot(gamma: float, ref: GammaRef, *, fair: float, lot: float, capital: float | None = None) -> float:
    """gamma_p from the user's gamma.

    Args:
        gamma: >= 0; a pure number, or 1/counter for ``absolute``.
        fair: Counter per base, > 0.
        lot: Base, > 0.
        capital: All that is owned, in base, > 0; needed by ``capital`` only.

    Returns: 1/price.
    Raises: ModelError: an argument missing, not finite or out of range.
    """
    if ref is GammaRef.LOT:
        return gamma_per_lot(gamma, fair)
    finite("gamma", gamma, low=0.0)
    finite("lot", lot, above=0.0)
    if ref is GammaRef.ABSOLUTE:
        return finite("gamma per lot", gamma * lot)
    if capital is None:
        raise ModelError("gamma relative to capital needs the capital, which is missing")
    share = lot / finite("capital", capital, above=0.0)
    return finite("gamma per lot", gamma_per_lot(gamma, fair) * finite("lot/capital", share))


def for_target(
    target: TargetSkew, fair: float, shift: Callable[[float], float], spread: Callable[[float], float]
) -> float:
    """The gamma_p at which a model shifts its quotes as asked.

    Args:
        shift, spread: price, of gamma_p; the shift grows with gamma_p, and so does shift/spread.

    Returns: 1/price, to the last bits of a bisection.
    Raises: ModelError: no gamma between 1e-12 and 1e12 over the price does it.
    """

    def short(gamma_p: float) -> bool:
        try:
            moved = shift(gamma_p)
            goal = target.bp * 1e-4 * fair if target.bp is not None else (target.share or 0.0) * spread(gamma_p)
        except ModelError:
            return False  # overflow: certainly too much risk aversion
        return moved < goal

    low, high = math.log(1e-12 / fair), math.log(1e12 / fair)
    if not short(math.exp(low)) or short(math.exp(high)):
        raise ModelError("no risk aversion gives that target skew in this market")
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return math.exp(high)
        if short(math.exp(middle)):
            low = middle
        else:
            high = middle
