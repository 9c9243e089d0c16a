"""Prices that summarise the book: mid, weighted mid, VAMP, imbalance.

Everything is computed on whole ticks and lots and comes out exact, or correctly rounded to ``EXTRA_DIGITS`` beyond the
tick where it is a ratio. A side with nobody on it makes the signal ``None``, never the other side's price.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from lunomm.market.levels import SideLevels
from lunomm.market.rules import EXACT, PairRules

EXTRA_DIGITS = 6
"""Decimals beyond the tick of a ratio of prices: a millionth of a tick."""


class SideSums(NamedTuple):
    """Sums over the best levels of one side. lots: volume. notional: sum of price ticks x lots."""

    lots: int
    notional: int


def exact(units: int, scale: int) -> Decimal:
    """units x 10**-scale, written without an exponent."""
    value = Decimal(units).scaleb(-scale, EXACT)
    return value if scale >= 0 else value.quantize(Decimal(1), context=EXACT)


def side_sums(levels: SideLevels) -> SideSums:
    """The running sums of a side, over its ``depth`` best levels."""
    return SideSums(levels.top_lots, levels.sign * levels.top_notional)


def level_sums(levels: Sequence[tuple[int, int]]) -> SideSums:
    """The same from explicit (price ticks, lots) levels."""
    return SideSums(sum(lots for _, lots in levels), sum(price * lots for price, lots in levels))


def _ratio(numerator: int, denominator: int, rules: PairRules) -> Decimal:
    """numerator / denominator in ticks, as a price, half a unit of the last digit rounded to even."""
    whole, rest = divmod(numerator * 10**EXTRA_DIGITS, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole % 2):
        whole += 1
    return exact(whole, rules.price_scale + EXTRA_DIGITS)


def mid_price(best_bid: int, best_ask: int, rules: PairRules) -> Decimal:
    """(bid + ask) / 2, exact: a half tick has one decimal more."""
    return exact(5 * (best_bid + best_ask), rules.price_scale + 1)


def weighted_mid(best_bid: int, bid_lots: int, best_ask: int, ask_lots: int, rules: PairRules) -> Decimal:
    """(Pb Qa + Pa Qb) / (Qb + Qa): leans towards the thin side.

    Source: hftbacktest, order book imbalance tutorial (there VAMP at the best bid and offer).
    """
    return _ratio(best_bid * ask_lots + best_ask * bid_lots, bid_lots + ask_lots, rules)


def vamp(bids: SideSums, asks: SideSums, rules: PairRules) -> Decimal | None:
    """Mean of both sides' volume-weighted average prices, as the user's document means it.

    Offset from the mid by the asymmetry of the deep book; it does not respond to imbalance. For volatility, not for
    quoting around.
    """
    if not bids.lots or not asks.lots:
        return None
    return _ratio(bids.notional * asks.lots + asks.notional * bids.lots, 2 * bids.lots * asks.lots, rules)


def vamp_float(bids: SideSums, asks: SideSums, rules: PairRules) -> float | None:
    """The same as a model float, counter per base."""
    if not bids.lots or not asks.lots:
        return None
    return rules.price_float((bids.notional / bids.lots + asks.notional / asks.lots) / 2)


def imbalance(bid_lots: int, ask_lots: int) -> float | None:
    """Qb / (Qa + Qb), in [0, 1]; ``None`` when both are empty."""
    total = bid_lots + ask_lots
    return bid_lots / total if total else None
