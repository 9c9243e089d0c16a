"""Decimals on the bus are plain: digits and a point, never an exponent, never NaN (pure)."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

MAX_DIGITS = 45
"""Longest decimal believed: 19 digits before the point and 18 behind it leave room."""

_EXPONENT = re.compile(r'"(-?[0-9]+(?:\.[0-9]+)?E[+-]?[0-9]{1,3})"')
_SUSPECT = re.compile(r'"-?(?:[+._]|[0-9][0-9.]*[^0-9."]|[0-9.]{36,}|s?nan|inf)', re.IGNORECASE)


def written_plainly(text: str) -> str:
    """JSON text with every decimal string that carries an exponent (``str(Decimal)`` of 0.0000001) written out."""
    if "E-" not in text and "E+" not in text:
        return text
    return _EXPONENT.sub(lambda found: f'"{Decimal(found[1]):f}"', text)


def believable(text: str, message: object) -> bool:
    """Whether every Decimal in ``message`` (decoded from ``text``) is finite and of ordinary size.

    ``Decimal("1e999999999")`` is accepted by every decoder, and writing it out takes gigabytes. The text is searched
    first, so ordinary messages pay for one scan only.
    """
    return _SUSPECT.search(text) is None or _ordinary(message)


def _ordinary(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() < MAX_DIGITS and len(value.as_tuple().digits) <= MAX_DIGITS
    if isinstance(value, msgspec.Struct):
        return all(_ordinary(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, list | tuple):
        return all(map(_ordinary, value))
    if isinstance(value, dict):
        return all(map(_ordinary, value.values()))
    return True
