"""Whether a standing quote's place in the queue is worth more than a better price: one expected-value rule.

Off the best price by ``x`` (in 1/kappa, outward positive) a quote is worth ``(1 + x) exp(-x)`` of its best: the flow
that reaches it times what a fill earns there, ``A e^(-kappa d) (d - d0)``, around its maximum. Too far loses fills, too
near loses margin; both first lose with the square, so a tick of model noise costs next to nothing.

Behind others' volume ``V`` at its price a quote is filled ``1 / (1 + V/v)`` as often as at the front, with taker orders
of mean size ``v``, taken to be one lot: ``1 + V/v`` of them must come before ours is reached. What is left of a
part-filled order earns in proportion to its size.

Moving puts the new order behind everyone at its price, and leaves nothing there while the old one is cancelled, about a
second of each refresh. So a quote stays while

    (1 + x) e^-x / (1 + V_now/v) x min(1, left/wanted)  >=  (1 - 1 s/refresh) / (1 + V_new/v)

Not covered, so not asked: a fair price that moved away (a stale quote is a free option), an order that is too old, and
a quote larger than wanted (a limit or the size rule says so); those always move. Nor does a quote stay that is further
than ``FARTHEST`` from the best price, whatever its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

FARTHEST = 0.5
"""In 1/kappa: there the price alone costs 9 % (too far) to 18 % (too near) of the quote's worth."""

FARTHEST_WAIT = 50.0
"""In 1/kappa: what is further away waits for longer than anybody will."""

GAP_S = 1.0
"""Time without an order while one is cancelled, the cancel confirmed, and the next placed."""


@dataclass(frozen=True)
class Queue:
    """What a side's places are worth now. ahead: others' volume before the standing order; behind: others' volume at
    the wanted price, all of which a new order would stand behind. lot: base, like both. kappa: 1/price. refresh_s: s.
    tighter: whether the standing order may be nearer than the wanted price (not with no_improve)."""

    ahead: Decimal
    behind: Decimal
    lot: Decimal
    kappa: float
    refresh_s: float
    tighter: bool = True


def share(off: float) -> float:
    """(1 + x) e^-x: worth of a quote ``off`` (1/kappa, outward) its best price, as a share of the best; <= 1."""
    return (1.0 + off) * math.exp(-off)


def stays(queue: Queue, outward: float, left: Decimal, wanted: Decimal) -> bool:
    """Whether the standing order is worth at least what a new one would be.

    Args:
        outward: How much further from the fair price it stands than the wanted price, counter; negative: nearer.
        left: What is left of it, base. wanted: the wanted size, base, > 0.
    """
    off = queue.kappa * outward
    if abs(off) > FARTHEST or (off < 0.0 and not queue.tighter):
        return False
    standing = share(off) * _reached(queue.ahead, queue.lot) * min(1.0, float(left / wanted))
    return standing >= (1.0 - min(1.0, GAP_S / queue.refresh_s)) * _reached(queue.behind, queue.lot)


def wait_s(ahead: Decimal, lot: Decimal, distance: float, kappa: float, intensity: float) -> float | None:
    """Expected time until an order is filled, seconds; None where the figures allow no answer.

    Taker orders reach ``distance`` at the rate ``A e^(-kappa d)``, each of one lot, and ``1 + V/v`` of them must come.

    Args:
        ahead: Others' volume before it at its price, base.
        lot: base. distance: from the fair price, counter, outward positive. kappa: 1/price. intensity: A, 1/s a side.
    """
    if kappa <= 0.0 or intensity <= 0.0 or lot <= 0 or not math.isfinite(distance):
        return None
    exponent = kappa * max(distance, 0.0)
    if exponent > FARTHEST_WAIT:
        return None
    return math.exp(exponent) / intensity / _reached(ahead, lot)


def _reached(volume: Decimal, lot: Decimal) -> float:
    return 1.0 / (1.0 + float(max(volume, Decimal(0)) / lot))
