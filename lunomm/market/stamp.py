"""The fields every message between processes carries (design: one schema version, one pair, one venue)."""

from __future__ import annotations

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
