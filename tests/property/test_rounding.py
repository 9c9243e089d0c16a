"""The door between money and model floats: exact inwards, outward on the way back."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lunomm.market.rules import PairRules, to_units


def rules(price_scale: int, volume_scale: int) -> PairRules:
    return PairRules(
        pair="XBTMYR",
        base="XBT",
        counter="MYR",
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(0),
        max_price=Decimal(10**12),
        min_volume=Decimal(0),
        max_volume=Decimal(10**12),
    )


scales = st.integers(-3, 8)
units = st.integers(0, 10**12)


@settings(deadline=None)
@given(units, scales)
def test_units_survive_text_and_floats(value: int, scale: int) -> None:
    pair = rules(scale, 2)
    price = pair.price(value)
    assert to_units(format(price, "f"), scale) == value
    assert pair.bid_ticks(price) == pair.ask_ticks(price) == value
    back = pair.price_float(value)
    assert pair.bid_ticks(back) == pair.ask_ticks(back) == value


@settings(deadline=None)
@given(st.floats(0, 1e6, allow_nan=False), scales)
def test_rounding_never_tightens(value: float, scale: int) -> None:
    pair = rules(scale, 2)
    bid, ask = pair.bid_ticks(value), pair.ask_ticks(value)
    assert pair.price(bid) <= Decimal(repr(value)) <= pair.price(ask)
    assert ask - bid in (0, 1)


@settings(deadline=None)
@given(st.floats(0, 1e6, allow_nan=False), st.integers(0, 8))
def test_a_floored_volume_never_exceeds(value: float, scale: int) -> None:
    pair = rules(0, scale)
    lots = pair.floor_lots(value)
    assert pair.volume(lots) <= Decimal(repr(value)) < pair.volume(lots + 1)
    assert pair.ceil_lots(value) in (lots, lots + 1)
