"""The market frame that nearly all of them are, one create or one delete and nothing else, decoded at once (pure).

One pattern of the whole text is every check of the general way (``wire.py``) at once: only plain ASCII, only the known
keys, each of them once, no escape and no white space match it, in half the time of parsing JSON and looking again.
Numbers are looked up by their text, as a market's prices and volumes come again.
"""

from __future__ import annotations

import re
from typing import Final

from lunomm.errors import BookError
from lunomm.market.events import BookCreate, BookUpdate
from lunomm.market.rules import PairRules, Side, to_units

MAX_ID: Final = 64
"""Longest order id accepted; Luno's have 13 to 15 characters."""

KNOWN_NUMBERS: Final = 2**14
"""Texts of numbers kept for each scale."""

_ID: Final = rf'"order_id":"([0-9A-Za-z]{{1,{MAX_ID}}})"'
# Every text that matches has a timestamp of 13 digits below 2**43; the general way reads the rest.
_match: Final = re.compile(
    r'\{"sequence":"([0-9]{1,18})","trade_updates":(?:\[\]|null),"create_update":'
    r'(?:null,"delete_update":\{' + _ID + r"\}|"
    r"\{" + _ID + r',"type":"(BID|ASK)","price":"([0-9.]{1,40})","volume":"([0-9.]{1,40})"\},"delete_update":null)'
    r',"status_update":null,"timestamp":([1-7][0-9]{12})\}'
).fullmatch

_SIDES: Final = {"BID": Side.BID, "ASK": Side.ASK}
_known: dict[int, dict[str, int]] = {scale: {} for scale in range(-9, 19)}


def usual_update(raw: str, rules: PairRules) -> BookUpdate | None:
    """One create or one delete. ``None``: not plainly that; good or bad, the general way judges and words it."""
    found = _match(raw)
    if found is None:
        return None
    sequence, deleted, order_id, side, price, volume, timestamp = found.groups()
    number = int(sequence)
    if not number:
        return None
    if deleted is not None:
        return BookUpdate(number, (), None, deleted, None, int(timestamp) * 1_000_000)
    ticks = _known[rules.price_scale].get(price) or _learn(price, rules.price_scale)
    lots = _known[rules.volume_scale].get(volume) or _learn(volume, rules.volume_scale)
    if not (ticks and lots):
        return None
    create = BookCreate(order_id, _SIDES[side], ticks, lots)
    return BookUpdate(number, (), create, None, None, int(timestamp) * 1_000_000)


def _learn(text: str, scale: int) -> int:
    """A number's units, kept when positive; 0 for anything else."""
    try:
        units = to_units(text, scale)
    except BookError:
        return 0
    known = _known[scale]
    if len(known) >= KNOWN_NUMBERS:
        known.clear()
    if units > 0:
        known[text] = units
    return units
