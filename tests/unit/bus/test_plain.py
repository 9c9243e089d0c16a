"""Decimals on the bus: plain out, believable in."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from lunomm.bus.plain import believable, written_plainly


class Amount(msgspec.Struct):
    value: Decimal
    word: str = ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.0000001"), "0.0000001"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("-1.5E-9"), "-0.0000000015"),
        (Decimal("3E+3"), "3000"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal("12.50"), "12.50"),
    ],
)
def test_no_exponent_leaves(value: Decimal, text: str) -> None:
    raw = written_plainly(msgspec.json.encode(Amount(value)).decode())
    assert raw == f'{{"value":"{text}","word":""}}'
    assert msgspec.json.decode(raw, type=Amount).value == value


@pytest.mark.parametrize("word", ["PRE-1E-2", "E-", "BALANCE-5", "1E", "mabc-1-B0", "12E-x"])
def test_words_are_left_alone(word: str) -> None:
    raw = msgspec.json.encode(Amount(Decimal(1), word)).decode()
    assert written_plainly(raw) == raw


@pytest.mark.parametrize("number", ["NaN", "sNaN", "-Infinity", "inf", "1e999999999", "1E+46", "9" * 46, "-nan"])
def test_monsters_are_not_believed(number: str) -> None:
    raw = f'{{"value":"{number}","word":""}}'
    assert not believable(raw, msgspec.json.decode(raw, type=Amount))


@pytest.mark.parametrize("number", ["0", "1.50", "-0.000001", "123456789012345.123456789012345678", "1e3"])
def test_ordinary_numbers_are(number: str) -> None:
    raw = f'{{"value":"{number}","word":"1e9x-nan"}}'
    assert believable(raw, msgspec.json.decode(raw, type=Amount))
