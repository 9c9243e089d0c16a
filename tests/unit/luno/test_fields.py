from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lunomm.errors import MarketDataError
from lunomm.luno import fields
from lunomm.luno.fields import decimal, decode, refuse_repeated_keys


class Box(msgspec.Struct):
    amount: fields.Amount = "0"
    signed: fields.Signed = "0"
    number: fields.Number = 0
    millis: fields.Millis = 0
    pair: fields.PairName = "XBTMYR"
    inner: list[Any] = []


@pytest.mark.parametrize(
    "raw",
    [
        '{"amount":"123456789012345.123456789012345678"}',
        '{"signed":"-0.00001400"}',
        '{"number":9223372036854775807}',
        '{"millis":8796093022207}',
        '{"pair":"RENDERMYR","unknown":{"a":1}}',
    ],
)
def test_accepted(raw: str) -> None:
    assert isinstance(decode(raw, Box, "box", limit=100), Box)
    assert isinstance(decode(raw.encode(), Box, "box", limit=100), Box)


@pytest.mark.parametrize(
    "raw",
    [
        '{"amount":"-1"}',
        '{"amount":"1234567890123456"}',
        '{"amount":"1.1234567890123456789"}',
        '{"amount":"1_0"}',
        '{"amount":"1e5"}',
        '{"amount":"NaN"}',
        '{"amount":"1\\n"}',
        '{"amount":"١"}',
        '{"amount":1}',
        '{"amount":null}',
        '{"signed":"--1"}',
        '{"signed":"+1"}',
        '{"signed":"-"}',
        '{"number":9223372036854775808}',
        '{"number":-1}',
        '{"number":1.0}',
        '{"number":"1"}',
        '{"millis":8796093022208}',
        '{"pair":"XBT/MYR"}',
        '{"pair":"X"}',
        '{"inner":[{"a":1,"a":2}]}',
        '{"inner":[[{"a":1},{"b":{"c":1,"c":1}}]]}',
        '{"amount":"1","amount":"1"}',
        '{"inner":' + "[" * 50_000 + "]" * 50_000 + "}",
        "{} {}",
        "",
    ],
)
def test_refused(raw: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        decode(raw, Box, "box", limit=200_000)
    assert caught.value.code == "BAD_FRAME" and len(str(caught.value)) < 200


def test_length_is_looked_at_first() -> None:
    with pytest.raises(MarketDataError, match="longer than 10"):
        decode("[" * 11, Box, "box", limit=10)


def test_the_same_key_in_different_objects_is_fine() -> None:
    refuse_repeated_keys('{"a":{"a":1},"b":[{"a":1},{"a":2}]}', "box")


@pytest.mark.parametrize(("text", "value"), [("-0.5", Decimal("-0.5")), ("12.30", Decimal("12.30")), ("0", Decimal(0))])
def test_decimal(text: str, value: Decimal) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize("text", ["", "1e999999", "Infinity", "sNaN", " 1", "1_0", "\x1b[0m", "１"])
def test_decimal_refuses(text: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        decimal(text)
    assert str(caught.value).isascii() and str(caught.value).isprintable()
