"""Decimals leave without an exponent."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from lunomm.market.stamp import written_plainly


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
