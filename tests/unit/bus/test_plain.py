"""Decimals on the bus: believable in."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from lunomm.bus.channels import QUOTES
from lunomm.bus.client import Bus
from lunomm.bus.plain import believable
from lunomm.config import RedisAddress
from lunomm.market.rules import Side
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.trading.wanted import Wanted


class Amount(msgspec.Struct):
    value: Decimal
    word: str = ""


@pytest.mark.parametrize("number", ["NaN", "sNaN", "-Infinity", "inf", "1e999999999", "1E+46", "9" * 46, "-nan"])
def test_monsters_are_not_believed(number: str) -> None:
    raw = f'{{"value":"{number}","word":""}}'
    assert not believable(raw, msgspec.json.decode(raw, type=Amount))


@pytest.mark.parametrize("number", ["0", "1.50", "-0.000001", "123456789012345.123456789012345678", "1e3"])
def test_ordinary_numbers_are(number: str) -> None:
    raw = f'{{"value":"{number}","word":"1e9x-nan"}}'
    assert believable(raw, msgspec.json.decode(raw, type=Amount))


ODD = [
    '"NaN"', "NaN", '"Infinity"', "Infinity", '"-0"', "-0", '"1e999999"', "1e999999", "1E+999", '"' + "9" * 400 + '"',
    "9" * 400, '"1_000"', '"1 000"', '"１０００"', '"-١٠"', '"\\u0661"', '"1\\u0660"', "true", "null", '""',
    '" 1"', '"1 "', '"\\t1"', '"1\\n"', '"+1"', '".5"', '"5."', '"0x10"', '"1,5"', "[]", "{}", '"-"',
]  # fmt: skip
"""Written as they stand in the JSON."""


@pytest.mark.parametrize("field", ["price", "size"])
@pytest.mark.parametrize("number", ODD, ids=range(len(ODD)))
async def test_what_is_no_plain_number_is_never_wanted(number: str, field: str) -> None:
    """Dropped at the bus, or dropped whole by the gateway's own reading of it."""
    one = Intent(id="a-1-B0", side=Side.BID, level=0, price=Decimal(7), size=Decimal(7), created_ms=0)
    async with Bus(RedisAddress(), "test") as bus:
        text = bus.encode(WantedQuotes(pair="XBTMYR", epoch=5, number=1, ts_ms=0, intents=[one]))
        assert bus.decode(QUOTES, text, "XBTMYR") is not None
        message = bus.decode(QUOTES, text.replace(f'"{field}":"7"', f'"{field}":{number}'), "XBTMYR")
        wanted = Wanted("XBTMYR")
        assert message is None or not wanted.offer(message, 0)
        assert bus.dropped.total() + wanted.dropped.total() == 1


@pytest.mark.parametrize("word", ["", "\\", '"', '\\"', '{"size":"0.002"}', '{\\"size\\":\\"7'])
@pytest.mark.parametrize("number", ["1_0", "NaN", " 1"])
def test_no_quote_or_backslash_of_a_word_beside_it_hides_a_number(number: str, word: str) -> None:
    text = msgspec.json.encode(word).decode()
    for raw in (f'{{"word":{text},"value":"{number}"}}', f'{{"value":"{number}","word":{text}}}'):
        assert not believable(raw, msgspec.json.decode(raw, type=Amount))


def test_a_field_nobody_knows_hides_nothing() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    raw = f'{{"value":"1_0","word":"","more":{deep}}}'
    try:
        message = msgspec.json.decode(raw, type=Amount)
    except (msgspec.MsgspecError, RecursionError):
        return
    assert not believable(raw, message)
