"""Decimals on the bus are plain: digits and a point, never an exponent, never NaN (pure)."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

MAX_DIGITS = 45
"""Longest decimal believed: 19 digits before the point and 18 behind it leave room."""

_SUSPECT = re.compile(
    # Strings that begin like a number and are none, and long ones. Most quotes end a string or begin a name: one look
    # at the next character passes them. An escaped quote begins no string (looked at behind the quote: a pattern that
    # begins with a plain character is searched for much faster).
    r'"(?=[-+._\s\\0-9sSnNiI\x80-\U0010ffff])(?<!\\")-?'
    r'(?:[0-9](?![0-9.]{0,34}+(?<!\.)")|[+._\s\\\x80-\U0010ffff]|[sS]?[nN][aA][nN]|[iI][nN][fF])'
)
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_LEAVES = frozenset((str, int, float, bool, type(None)))


def believable(text: str, message: object) -> bool:
    """Whether every Decimal in ``message`` (decoded from ``text``) is plainly written, finite and of ordinary size.

    ``Decimal`` takes underscores, white space and every alphabet's digits, and ``Decimal("1e999999999")``, whose
    writing out takes gigabytes; so does every decoder. The text is searched first, so ordinary messages pay for one
    scan only.
    """
    if _SUSPECT.search(text) is None:
        return True
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # a field nobody knows, nested without end
        return False
    return _ordinary(message, raw)


def _ordinary(value: object, raw: object) -> bool:
    """raw: the same as plain JSON."""
    if type(value) in _LEAVES:
        return True
    if isinstance(value, Decimal):
        if isinstance(raw, str) and _PLAIN.fullmatch(raw) is None:
            return False
        return value.is_finite() and value.adjusted() < MAX_DIGITS and len(value.as_tuple().digits) <= MAX_DIGITS
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        if isinstance(raw, dict):
            return all(_ordinary(getattr(value, name), raw[name]) for name in names if name in raw)
        return isinstance(raw, list) and all(
            _ordinary(getattr(value, name), part) for name, part in zip(names, raw, strict=False)
        )
    if isinstance(value, (list, tuple)):
        return isinstance(raw, list) and all(map(_ordinary, value, raw))
    if isinstance(value, dict):
        return isinstance(raw, dict) and all(_ordinary(part, raw.get(name)) for name, part in value.items())
    return True
