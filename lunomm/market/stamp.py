"""The fields every message between processes carries (design: one schema version, one pair, one venue)."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

SCHEMA = 1
"""Version of every bus message; a consumer drops and counts any other."""


class Stamped(msgspec.Struct, kw_only=True):
    """Base of all bus messages.

    The pure producer fills ``pair``; the bus fills ``venue`` (mode and run id) and ``build`` when it publishes.
    Decimal fields travel as decimal strings (msgspec's own encoding), unknown is ``None``.
    """

    v: int = SCHEMA
    pair: str
    venue: str = ""
    build: str = ""


_EXPONENT = re.compile(r'"(-?[0-9]+(?:\.[0-9]+)?E[+-]?[0-9]{1,3})"')


def written_plainly(text: str) -> str:
    """JSON text with every decimal string that carries an exponent (``str(Decimal)`` of 0.0000001) written out."""
    if "E-" not in text and "E+" not in text:
        return text
    return _EXPONENT.sub(lambda found: f'"{Decimal(found[1]):f}"', text)
