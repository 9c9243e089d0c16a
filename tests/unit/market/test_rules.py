from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import pytest

from lunomm.errors import BookError, ModelError
from lunomm.market.rules import MarketStatus, PairRules, Side, decode_rules, parse_decimal, to_units

UNITS = [
    ("492847.00000000", 0, 492847),
    ("0.00106600", 6, 1066),
    ("0.3", 1, 3),
    ("0.30", 4, 3000),
    ("7", 3, 7000),
    ("12000", -3, 12),
    ("0", 8, 0),
]


@pytest.mark.parametrize(("text", "scale", "units"), UNITS)
def test_text_to_units_and_back(pair: PairRules, text: str, scale: int, units: int) -> None:
    assert to_units(text, scale) == units
    rules = msgspec.structs.replace(pair, price_scale=scale)
    assert rules.price(units) == Decimal(text)
    assert rules.price_float(units) == float(text)


REFUSED = [
    ("", 0), ("-1", 0), ("+1", 0), (" 1", 0), ("1e3", 0), ("NaN", 0), ("Infinity", 0), ("1,000", 0), ("0x10", 0),
    ("1.", 0), (".5", 1), ("1.5", 0), ("0.0010661", 6), ("1500", -3), ("1000.5", -3), ("٣", 0), ("1_000", 0),
    ("1" * 16, 0), ("0." + "1" * 19, 18), ("1\n", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "scale"), REFUSED)
def test_what_is_no_number_of_units(text: str, scale: int) -> None:
    with pytest.raises(BookError):
        to_units(text, scale)


@pytest.mark.parametrize("text", [text for text, scale in REFUSED if scale == 0 and text != "1.5"])
def test_strict_decimals(text: str) -> None:
    with pytest.raises(BookError):
        parse_decimal(text)


ROUNDED = [
    (0.3, 3, 3),
    (0.7000000000000001, 7, 8),
    (100.04, 1000, 1001),
    (100.0, 1000, 1000),
    (Decimal("100.05"), 1000, 1001),
    (-0.05, -1, 0),
    (0.1 + 0.2, 3, 4),
]


@pytest.mark.parametrize(("price", "bid", "ask"), ROUNDED)
def test_rounding_is_outward_and_keeps_the_grid(pair: PairRules, price: float | Decimal, bid: int, ask: int) -> None:
    assert (pair.bid_ticks(price), pair.ask_ticks(price)) == (bid, ask)


def test_volumes_are_floored(pair: PairRules) -> None:
    assert (pair.floor_lots(0.299), pair.floor_lots(0.3), pair.ceil_lots(0.291)) == (29, 30, 30)
    assert pair.volume(29) == Decimal("0.29") and pair.volume_float(29) == 0.29


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300, Decimal("NaN"), Decimal("1e40")])
def test_what_cannot_be_a_price(pair: PairRules, bad: float | Decimal) -> None:
    for convert in (pair.bid_ticks, pair.ask_ticks, pair.floor_lots):
        with pytest.raises(ModelError):
            convert(bad)


BAD_RULES = [
    {"price_scale": 19},
    {"volume_scale": -1},
    {"min_price": Decimal("NaN")},
    {"min_price": Decimal(-1)},
    {"min_volume": Decimal(101)},
    {"min_price": Decimal(2_000_000)},
]


@pytest.mark.parametrize("fields", BAD_RULES)
def test_rules_that_contradict_themselves(pair: PairRules, fields: dict[str, object]) -> None:
    known = {name: getattr(pair, name) for name in pair.__struct_fields__}
    with pytest.raises(BookError) as error:
        PairRules(**(known | fields))
    assert error.value.code == "BAD_RULES"


def test_rules_travel(pair: PairRules) -> None:
    raw = msgspec.json.encode(pair)
    assert decode_rules(raw) == pair
    assert b'"min_volume":"0.01"' in raw
    assert (pair.tick_size, pair.lot_size) == (Decimal("0.1"), Decimal("0.01"))


def test_sides_and_statuses() -> None:
    assert (Side.BID.sign, Side.ASK.sign, Side.BID.other, Side.ASK.other) == (1, -1, Side.ASK, Side.BID)
    words = ["ACTIVE", "POSTONLY", "POST_ONLY", "SUSPENDED", "DISABLED", "active", "", "whatever"]
    assert [MarketStatus.parse(word) for word in words] == [
        MarketStatus.ACTIVE,
        *[MarketStatus.POSTONLY] * 3,
        *[MarketStatus.DISABLED] * 4,
    ]
