"""Limits to begin with, from what an account holds: a tenth of its worth a side, a twentieth an order, a hundredth a
day. Small enough to learn with, large enough for the exchange's minimum."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from lunomm.market.rules import PairRules

POSITION_SHARE, ORDER_SHARE, LOSS_SHARE = Decimal("0.1"), Decimal("0.05"), Decimal("0.01")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """max_position: base; the others counter."""

    max_position: Decimal
    max_order_value: Decimal
    max_daily_loss: Decimal

    @property
    def options(self) -> str:
        return (
            f"--max-position {self.max_position:f} --max-order-value {self.max_order_value:f} "
            f"--max-daily-loss {self.max_daily_loss:f}"
        )


def suggest(base: Decimal, counter: Decimal, price: Decimal, rules: PairRules) -> Suggestion | None:
    """base, counter: what the account holds; price: counter per base. None where it holds nothing to trade with."""
    worth = base * price + counter
    if worth <= 0 or price <= 0:
        return None
    position = max(rules.volume(rules.floor_lots(worth * POSITION_SHARE / price)), rules.min_volume)
    order = max(worth * ORDER_SHARE, rules.min_volume * price).quantize(CENT, rounding=ROUND_UP)
    loss = max((worth * LOSS_SHARE).quantize(CENT, rounding=ROUND_DOWN), CENT)
    return Suggestion(_plain(position), _plain(order), _plain(loss))


def _plain(amount: Decimal) -> Decimal:
    short = amount.normalize()
    return short if short != short.to_integral_value() else short.quantize(Decimal(1))
