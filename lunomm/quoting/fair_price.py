"""What to quote around: a pure function of one frozen look at the others' market.

The built-in ones and a user's own take the same :class:`FairTick` and pass the same checks, live and on tapes:

``mid``       half way between the others' best prices
``weighted``  the same weighted by the opposite sides' sizes: leans towards the thin side
``micro``     expected future mid, estimated from this market's own past; None until it has been learnt
``vamp``      mean of both sides' volume-weighted average prices over the published levels, as in the tick
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from lunomm.errors import ModelError
from lunomm.market.records import Level, Tick
from lunomm.market.rules import Side

FARTHEST = 0.05
"""A fair price further than this share from the mid is a mistake (a unit, another pair), not an opinion."""


@dataclass(frozen=True)
class FairTick:
    """The others' market at one instant, our own orders taken out. Prices counter per base, sizes base.

    bids, asks: (price, size), best first, never empty. micro_price, imbalance (Qb/(Qa+Qb)), volatility (relative, per
    sqrt(s)), trades_per_minute, exchange_ms (Unix): None = not known.
    """

    mid: float
    best_bid: float
    best_ask: float
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    micro_price: float | None = None
    imbalance: float | None = None
    volatility: float | None = None
    trades_per_minute: float | None = None
    exchange_ms: int | None = None


FairPrice = Callable[[FairTick], float | None]

SAMPLE = FairTick(
    mid=100.0,
    best_bid=99.0,
    best_ask=101.0,
    bids=((99.0, 3.0), (98.0, 1.0)),
    asks=((101.0, 1.0), (104.0, 3.0)),
    micro_price=100.5,
    imbalance=0.5,
    volatility=8.5e-5,
    trades_per_minute=4.0,
    exchange_ms=1_800_000_000_000,
)
"""What a function is tried on before anything is quoted."""


def mid(tick: FairTick) -> float:
    return tick.mid


def weighted(tick: FairTick) -> float:
    (_, bid_size), (_, ask_size) = tick.bids[0], tick.asks[0]
    return (tick.best_bid * ask_size + tick.best_ask * bid_size) / (bid_size + ask_size)


def micro(tick: FairTick) -> float | None:
    return tick.micro_price


def vamp(tick: FairTick) -> float:
    return 0.5 * (_average(tick.bids) + _average(tick.asks))


BUILT_IN: dict[str, FairPrice] = {"mid": mid, "weighted": weighted, "micro": micro, "vamp": vamp}


def frozen(tick: Tick) -> FairTick | None:
    """The part of a tick a fair price may depend on; None while the others' market is not two-sided."""
    if tick.fair_mid is None or tick.fair_best_bid is None or tick.fair_best_ask is None:
        return None
    bids, asks = (_others(tick, side) for side in (Side.BID, Side.ASK))
    if not bids or not asks:
        return None
    bid_size, ask_size = sum(size for _, size in bids), sum(size for _, size in asks)
    return FairTick(
        mid=float(tick.fair_mid),
        best_bid=float(tick.fair_best_bid),
        best_ask=float(tick.fair_best_ask),
        bids=bids,
        asks=asks,
        micro_price=None if tick.micro_price is None else float(tick.micro_price),
        imbalance=bid_size / (bid_size + ask_size),
        volatility=tick.estimates.sigma,
        trades_per_minute=tick.trades_per_minute,
        exchange_ms=tick.exchange_ts,
    )


def evaluate(function: FairPrice, tick: Tick) -> float:
    """The fair price of a tick.

    Raises:
        ModelError: none, not a number, not positive, further than ``FARTHEST`` from the mid, or the function failed.
    """
    if function is mid and tick.fair_mid is not None:
        return float(tick.fair_mid)
    view = frozen(tick)
    if view is None:
        raise ModelError("the published levels hold nobody's orders but ours: the fair price has nothing to go by")
    return checked(function, view)


def checked(function: FairPrice, view: FairTick) -> float:
    """One call, with its result believed only if it can be a price of this market.

    Raises:
        ModelError: as :func:`evaluate`.
    """
    try:
        value = function(view)
    except Exception as e:  # a user's function may raise anything; the quoter must live on, without quotes
        raise ModelError(f"the fair price function failed: {type(e).__name__}: {str(e)[:120]}") from e
    if value is None:
        raise ModelError("no fair price yet from the function that --fair-price names")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ModelError(f"the fair price function gave {type(value).__name__}, not a number")
    found = float(value)
    if not (math.isfinite(found) and found > 0.0):
        raise ModelError(f"the fair price function gave {found}, which is no price")
    if abs(found - view.mid) > FARTHEST * view.mid:
        raise ModelError(f"the fair price {found:g} is more than {FARTHEST:.0%} from the mid {view.mid:g}")
    return found


def _others(tick: Tick, side: Side) -> tuple[tuple[float, float], ...]:
    """The published levels less our own orders; the touch is exact even where ours fill all published levels."""
    ours: dict[Decimal, Decimal] = {}
    for order in tick.own:
        if order.side is side:
            ours[order.price] = ours.get(order.price, Decimal(0)) + order.volume
    levels: Iterable[Level] = tick.bids if side is Side.BID else tick.asks
    left = ((level.price, level.volume - ours.get(level.price, Decimal(0))) for level in levels)
    return tuple((float(price), float(volume)) for price, volume in left if volume > 0)


def others_at(tick: Tick, side: Side, price: Decimal) -> Decimal:
    """Others' published volume at one price, base; 0 where nobody, or nothing that is published, stands."""
    levels = tick.bids if side is Side.BID else tick.asks
    volume = sum((level.volume for level in levels if level.price == price), Decimal(0))
    ours = sum((own.volume for own in tick.own if own.side is side and own.price == price), Decimal(0))
    return max(volume - ours, Decimal(0))


def _average(levels: tuple[tuple[float, float], ...]) -> float:
    return sum(price * size for price, size in levels) / sum(size for _, size in levels)
