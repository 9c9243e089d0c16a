"""The rules of a market that a file of raw frames does not state, from the numbers in it (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from lunomm.market.rules import MAX_TICKS, PairRules


class _Number(msgspec.Struct):
    price: str = ""
    volume: str = ""


class _Base(msgspec.Struct):
    base: str = ""


class _Numbers(msgspec.Struct):
    """Only where a frame's decimals are."""

    asks: list[_Number] | None = None
    bids: list[_Number] | None = None
    trade_updates: list[_Base] | None = None
    create_update: _Number | None = None


_numbers = msgspec.json.Decoder(_Numbers)


def infer_rules(frames: Iterable[str | bytes], pair: str) -> PairRules:
    """The coarsest grid on which every number of the frames lies; limits as wide as the grid allows.

    Args:
        frames: as received; what cannot be read is passed over.
    """
    price_scale = volume_scale = 0
    for text in frames:
        try:
            found = _numbers.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        rows = [*(found.asks or ()), *(found.bids or ()), *([found.create_update] if found.create_update else ())]
        for row in rows:
            price_scale = max(price_scale, _decimals(row.price))
            volume_scale = max(volume_scale, _decimals(row.volume))
        for trade in found.trade_updates or ():
            volume_scale = max(volume_scale, _decimals(trade.base))
    return rules_of(pair, price_scale, volume_scale)


def rules_of(pair: str, price_scale: int, volume_scale: int) -> PairRules:
    """Rules of which only the steps are known."""
    base, counter = _currencies(pair)
    return PairRules(
        pair=pair,
        base=base,
        counter=counter,
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(1).scaleb(-price_scale),
        max_price=Decimal(MAX_TICKS).scaleb(-price_scale),
        min_volume=Decimal(1).scaleb(-volume_scale),
        max_volume=Decimal(MAX_TICKS).scaleb(-volume_scale),
    )


def _decimals(number: str) -> int:
    return min(len(number.partition(".")[2].rstrip("0")), 18)


def _currencies(pair: str) -> tuple[str, str]:
    """Luno's codes have three letters, dollar coins four: USDT, USDC."""
    size = 4 if len(pair) > 6 and pair[-4:-1] == "USD" else 3
    return pair[:-size] or pair, pair[-size:]
