"""Prices that summarise the book: mid, weighted mid, VAMP, imbalance.

Everything is computed on whole ticks and lots and comes out exact, or correctly rounded to ``EXTRA_DIGITS`` beyond the
tick where it is a ratio. A side with nobody on it makes the signal ``None``, never the other side's price.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from lunomm.market.levels import SideLevels
from lunomm.market.rules import EXACT, PairRules

EXTRA_DIGITS = 6
"""Decimals beyond the tick of a ratio of prices: a millionth of a tick."""

UNIT: Final[int] = 10**EXTRA_DIGITS


class SideSums(NamedTuple):
    """Sums over the best levels of one side. lots: volume. notional: sum of price ticks x lots."""

    lots: int
    notional: int


def exact(units: int, scale: int) -> Decimal:
    """units x 10**-scale, written without an exponent."""
    value = Decimal(units).scaleb(-scale, EXACT)
    return value if scale >= 0 else value.quantize(Decimal(1), context=EXACT)


def plain(units: int, scale: int) -> str:
    """The same as text: what ``exact`` gives, as it is written."""
    if scale <= 0:
        return str(units * 10**-scale)
    if units < 0:
        return "-" + plain(-units, scale)
    digits = str(units)
    if len(digits) <= scale:
        digits = digits.zfill(scale + 1)
    return f"{digits[:-scale]}.{digits[-scale:]}"


def side_sums(levels: SideLevels) -> SideSums:
    """The running sums of a side, over its ``depth`` best levels."""
    return SideSums(levels.top_lots, levels.sign * levels.top_notional)


def level_sums(levels: Sequence[tuple[int, int]]) -> SideSums:
    """The same from explicit (price ticks, lots) levels."""
    return SideSums(sum(lots for _, lots in levels), sum(price * lots for price, lots in levels))


def _ratio(numerator: int, denominator: int) -> int:
    """numerator / denominator in ticks as millionths of a tick, half a unit of the last digit rounded to even."""
    # Half a unit more, and down: right but for a half itself, which leaves no rest and must not end odd.
    whole, rest = divmod(2 * UNIT * numerator + denominator, 2 * denominator)
    return whole if rest else whole - whole % 2


def mid_price(best_bid: int, best_ask: int, rules: PairRules) -> Decimal:
    """(bid + ask) / 2, exact: a half tick has one decimal more."""
    return exact(5 * (best_bid + best_ask), rules.price_scale + 1)


def weighted_mid(best_bid: int, bid_lots: int, best_ask: int, ask_lots: int, rules: PairRules) -> Decimal:
    """(Pb Qa + Pa Qb) / (Qb + Qa): leans towards the thin side.

    Source: hftbacktest, order book imbalance tutorial (there VAMP at the best bid and offer).
    """
    units = weighted_mid_units(best_bid, bid_lots, best_ask, ask_lots)
    return exact(units, rules.price_scale + EXTRA_DIGITS)


def weighted_mid_units(best_bid: int, bid_lots: int, best_ask: int, ask_lots: int) -> int:
    """The same in millionths of a tick."""
    return _ratio(best_bid * ask_lots + best_ask * bid_lots, bid_lots + ask_lots)


def vamp(bids: SideSums, asks: SideSums, rules: PairRules) -> Decimal | None:
    """Mean of both sides' volume-weighted average prices, as the user's document means it.

    Offset from the mid by the asymmetry of the deep book; it does not respond to imbalance. For volatility, not for
    quoting around.
    """
    if not bids.lots or not asks.lots:
        return None
    units = vamp_units(bids.lots, bids.notional, asks.lots, asks.notional)
    return exact(units, rules.price_scale + EXTRA_DIGITS)


def vamp_units(bid_lots: int, bid_notional: int, ask_lots: int, ask_notional: int) -> int:
    """The same in millionths of a tick, of two sides with volume."""
    # `_ratio`, written out: every change of the ladders asks for it.
    half = bid_lots * ask_lots
    whole, rest = divmod(UNIT * (bid_notional * ask_lots + ask_notional * bid_lots) + half, 2 * half)
    return whole if rest else whole - whole % 2


def vamp_float(bids: SideSums, asks: SideSums, rules: PairRules) -> float | None:
    """The same as a model float, counter per base."""
    if not bids.lots or not asks.lots:
        return None
    return rules.price_float((bids.notional / bids.lots + asks.notional / asks.lots) / 2)


def imbalance(bid_lots: int, ask_lots: int) -> float | None:
    """Qb / (Qa + Qb), in [0, 1]; ``None`` when both are empty."""
    total = bid_lots + ask_lots
    return bid_lots / total if total else None
