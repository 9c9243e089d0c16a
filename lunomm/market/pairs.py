"""Which markets of a venue are worth making (pure): one ranking of all of them, from what one sweep of its REST shows.

    score = (touch spread - 2 x maker fee) x taker volume / sigma

Spread and fee are fractions of the mid: bought at the bid and sold at the ask, with the fee on each, one unit of value
earns exactly ``spread - 2 fee``. Volume is that of 24 h, in one currency for all markets; sigma is relative, per
sqrt(day). So the score is what a maker at the touch who met every taker of a day would earn, over how far the price of
what he holds moves that day: currency x sqrt(day). An order of merit, no forecast: a maker meets a share of the takers
only, after the queue before him, and those who know more than he does first.

Source: the edge of a round trip and its risk are those of Avellaneda & Stoikov (2008), section 2; the quotient is a
Sharpe ratio of one day without its unknown constants.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from lunomm.market.volatility import DAY_S, FLOOR

LEAST_PRICES: Final = 20
LEAST_SPAN_S: Final = 300.0
"""Fewer prices, or of a shorter time, say nothing about a day: one burst of takers looks like ten times the risk."""

SCALE: Final = 20
"""A slow return spans at most this many prices, at most a fifth of all."""

FEE_SOURCE: Final = "Luno's published entry tier"

_FIAT: Final = frozenset({"MYR", "ZAR", "NGN", "IDR", "KES", "UGX", "AUD", "GBP", "EUR", "SGD", "ZMW"})
_CRYPTO: Final = frozenset({"XBT", "ETH", "XRP", "ADA", "USDT", "USDC"})
_EXACT: Final = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Market:
    """One market as the sweep found it; None: not known.

    Args:
        status: the venue's own word, ACTIVE when it trades.
        min_volume, volume_24h: base. bid, ask: counter per base, None for an empty side.
        maker_fee: fraction, negative for a rebate. fee_assumed: nobody was asked, it is the published one.
        sigma: relative, per sqrt(day). prices, span_s: how many prices it is from, over how long.
        trouble: why something could not be read, empty when all could.
    """

    pair: str
    base: str
    counter: str
    status: str = "ACTIVE"
    min_volume: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    volume_24h: Decimal | None = None
    maker_fee: Decimal | None = None
    fee_assumed: bool = False
    sigma: float | None = None
    prices: int = 0
    span_s: float = 0.0
    trouble: str = ""

    @property
    def mid(self) -> Decimal | None:
        """Middle of the touch; None when a side is empty or the touch is crossed."""
        if self.bid is None or self.ask is None or not 0 < self.bid < self.ask:
            return None
        return _EXACT.divide(_EXACT.add(self.bid, self.ask), Decimal(2))

    @property
    def spread(self) -> float | None:
        """Touch spread, fraction of the mid."""
        mid = self.mid
        if mid is None or self.bid is None or self.ask is None:
            return None
        return float((self.ask - self.bid) / mid)

    @property
    def break_even(self) -> float | None:
        """The spread at which a round trip earns nothing, fraction of the mid."""
        return None if self.maker_fee is None else 2 * float(self.maker_fee)

    @property
    def edge(self) -> float | None:
        """What a round trip at the touch earns, fraction of its value."""
        spread, fees = self.spread, self.break_even
        return None if spread is None or fees is None else spread - fees

    @property
    def min_value(self) -> Decimal | None:
        """The smallest order at the mid, counter."""
        mid = self.mid
        return None if mid is None or self.min_volume is None else _EXACT.multiply(self.min_volume, mid)


@dataclass(frozen=True, slots=True)
class Row:
    """One market in the ranking. value_24h, min_value, score: in the ranking's currency (score x sqrt(day)).

    why: why it is not ranked, empty when it is.
    """

    market: Market
    value_24h: float | None = None
    min_value: float | None = None
    score: float | None = None
    why: str = ""

    @property
    def pays(self) -> bool:
        """A round trip at the touch earns more than its fees."""
        return self.score is not None and self.score > 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """rows: ranked, best first. others: not ranked, by name. currency: of all money, None where there is no market."""

    currency: str | None
    rows: tuple[Row, ...]
    others: tuple[Row, ...]

    @property
    def paying(self) -> int:
        return sum(row.pays for row in self.rows)

    @property
    def widest(self) -> Row | None:
        """The ranked market that comes nearest to paying, or pays most, a round trip."""
        return max(self.rows, key=lambda row: row.market.edge or 0.0, default=None)


def why_not_trading(market: Market) -> str:
    """Why a market cannot be made now, empty when it can: what needs no further call to the venue."""
    if market.status != "ACTIVE":
        return f"does not trade: {market.status}"
    if market.bid is None and market.ask is None:
        return market.trouble or "empty book"
    if market.bid is None or market.ask is None:
        return f"one-sided: no {'bid' if market.bid is None else 'ask'}"
    if market.mid is None:
        return "crossed: the bid is not below the ask"
    if not market.volume_24h:
        return market.trouble or "nothing traded in 24 h"
    return ""


def rank(markets: Iterable[Market]) -> Ranking:
    """All markets, best first; those that cannot be ranked apart, each with its reason.

    Money is in the counter currency that most of them share (then the alphabet's first), other currencies at the
    venue's own mids.
    """
    known = sorted(markets, key=lambda market: market.pair)
    shared = Counter(market.counter for market in known)
    currency = min(shared, key=lambda name: (-shared[name], name), default=None)
    worth = prices_in(currency, known) if currency is not None else {}
    rows = [_row(market, worth.get(market.counter), currency) for market in known]
    ranked = sorted((row for row in rows if row.score is not None), key=lambda row: -(row.score or 0.0))
    return Ranking(currency, tuple(ranked), tuple(row for row in rows if row.score is None))


def _row(market: Market, unit: float | None, currency: str | None) -> Row:
    mid, smallest = market.mid, market.min_value
    value = min_value = None
    if unit is not None and mid is not None:
        value = None if market.volume_24h is None else float(market.volume_24h) * float(mid) * unit
        min_value = None if smallest is None else float(smallest) * unit
    why, score = why_not_trading(market), None
    edge, sigma = market.edge, market.sigma
    if not why:
        if edge is None:
            why = market.trouble or "maker fee not known"
        elif sigma is None or sigma <= 0.0:
            why = market.trouble or f"volatility not known: {market.prices} prices in {market.span_s:.0f} s"
        elif value is None:
            why = f"no market here says what {market.counter} is in {currency}"
        else:
            score = edge * value / sigma
    return Row(market, value, min_value, score, why)


def prices_in(currency: str, markets: Sequence[Market]) -> dict[str, float]:
    """What one unit of each currency is worth in ``currency``, by the mids of active markets with volume.

    Of several ways the one over the narrowest spreads; currencies that no way leads to are absent.
    """
    ways: dict[str, list[tuple[str, float, float]]] = {}
    for market in markets:
        mid, spread = market.mid, market.spread
        if mid is not None and spread is not None and not why_not_trading(market):
            ways.setdefault(market.counter, []).append((market.base, float(mid), spread))
            ways.setdefault(market.base, []).append((market.counter, 1 / float(mid), spread))
    found: dict[str, float] = {}
    queue = [(0.0, currency, 1.0)]
    while queue:
        cost, name, worth = heapq.heappop(queue)
        if name in found:
            continue
        found[name] = worth
        for other, price, spread in ways.get(name, ()):
            if other not in found:
                heapq.heappush(queue, (cost + spread, other, worth * price))
    return found


def daily_sigma(prices: Sequence[tuple[int, float]]) -> tuple[float | None, float]:
    """Volatility of traded prices, relative per sqrt(day), and the time they span, seconds.

    Args:
        prices: (Unix ms, price) of trades or of candle closes, oldest first. Of one instant the last counts: the fills
            of one taker order are one price.

    Returns: None below ``LEAST_PRICES`` prices or ``LEAST_SPAN_S``; at least the floor of `market.volatility`.

    Trades jump between bid and ask, which is no risk to a maker: the two-scale difference takes it out, and since it
    counts in trades rather than seconds, minutes without one need no price made up.

    Source: Zhang, Mykland, Ait-Sahalia (2005), A tale of two time scales, with one pair of scales.
    """
    last_of = dict(prices)
    logs = [math.log(price) for price in last_of.values() if price > 0.0 and math.isfinite(price)]
    span_s = (max(last_of) - min(last_of)) / 1000.0 if last_of else 0.0
    if len(logs) < LEAST_PRICES or span_s < LEAST_SPAN_S:
        return None, span_s
    scale = min(SCALE, len(logs) // 5)
    fast = _mean_square(b - a for a, b in itertools.pairwise(logs))
    slow = _mean_square(b - a for a, b in zip(logs, logs[scale:], strict=False))
    # The lower bound keeps an unlucky difference from announcing calm.
    variance = max((slow - fast) / (scale - 1), 0.1 * slow / scale)
    per_s = variance * (len(logs) - 1) / span_s
    return max(math.sqrt(per_s), FLOOR) * math.sqrt(DAY_S), span_s


def _mean_square(changes: Iterable[float]) -> float:
    squares = [change * change for change in changes]
    return math.fsum(squares) / len(squares)


def entry_fee(base: str, counter: str) -> Decimal:
    """The maker fee of a new customer, a fraction; negative is a rebate.

    Source: Luno's help centre, 2026: MYR 0.35 %, ZAR 0.40 % (USDT and USDC in ZAR -0.01 %), crypto in crypto 0.08 %.
    Other currencies are not published there: the dearest of these, 0.40 %.
    """
    if counter == "MYR":
        return Decimal("0.0035")
    if counter == "ZAR" and base in ("USDT", "USDC"):
        return Decimal("-0.0001")
    if counter in _CRYPTO and base not in _FIAT:
        return Decimal("0.0008")
    return Decimal("0.004")
