"""Strict readers of numbers people type.

``float("1_0")`` and full-width digits are numbers to Python; here a number is ASCII digits, nothing else.
"""

from __future__ import annotations

import re
from decimal import Decimal

_FLOAT = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,18})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


def _shown(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:40])


def number(text: str) -> float:
    """A plain number; its range is checked where its meaning is known.

    Raises:
        ValueError: what is wrong with it, for a person.
    """
    if not _FLOAT.fullmatch(text.strip()):
        raise ValueError(f"'{_shown(text)}' is not a plain number such as 0.5")
    return float(text)


def amount(text: str) -> Decimal:
    """An exact amount. Raises: ValueError."""
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"'{_shown(text)}' is not a plain amount such as 0.001")
    return Decimal(text.strip())


def whole(text: str) -> int:
    """A whole number. Raises: ValueError."""
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"'{_shown(text)}' is not a whole number")
    return int(text)
