"""The market frame that nearly all of them are, one create or one delete and nothing else, decoded at once (pure).

Every check of the general way (``wire.py``), done in C or at once. The types below refuse what is no such frame while
it is parsed. One comparison of lengths then stands for four checks: all keys are required, so the shortest text that
decodes to these values has just this many characters, and only a text without a key given twice, an unknown key, an
escape or white space is as short. Numbers are looked up by their text, as a market's prices and volumes come again.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from lunomm.errors import BookError
from lunomm.market.events import BookCreate, BookUpdate
from lunomm.market.rules import PairRules, Side, to_units

MAX_ID: Final = 64
"""Longest order id accepted; Luno's have 13 to 15 characters."""

LONGEST: Final = 1024
"""Longest frame that is tried, characters; those have some 200."""

KNOWN_NUMBERS: Final = 2**14
"""Texts of numbers kept for each scale."""

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]


class _Create(msgspec.Struct, gc=False):
    order_id: _Id
    type: Side
    price: str
    volume: str


class _Delete(msgspec.Struct, gc=False):
    order_id: _Id


class _Update(msgspec.Struct, gc=False):
    sequence: Annotated[str, msgspec.Meta(min_length=1, max_length=18)]
    trade_updates: Annotated[list[None], msgspec.Meta(max_length=0)] | None
    create_update: _Create | None
    delete_update: _Delete | None
    status_update: None
    timestamp: Annotated[int, msgspec.Meta(ge=10**12, lt=2**43)]  # 13 digits


_FRAME: Final = '{"sequence":"","trade_updates":[],"create_update":,"delete_update":,"status_update":null,"timestamp":}'
_CREATED: Final = len(_FRAME) + len('{"order_id":"","type":"BID","price":"","volume":""}null') + 13
_DELETED: Final = len(_FRAME) + len('null{"order_id":""}') + 13

_decode = msgspec.json.Decoder(_Update).decode
_tuple = tuple.__new__
_known: dict[int, dict[str, int]] = {scale: {} for scale in range(-9, 19)}


def usual_update(raw: str, rules: PairRules) -> BookUpdate | None:
    """One create or one delete. ``None``: not plainly that; good or bad, the general way judges and words it."""
    try:
        frame = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    created, sequence = frame.create_update, frame.sequence
    length = len(raw) - len(sequence)
    if frame.trade_updates is None:
        length -= 2  # null for []
    if not (raw.isascii() and sequence.isdigit()):
        return None
    if created is None:
        deleted = frame.delete_update
        if deleted is None:
            return None
        order_id = deleted.order_id
        if length != _DELETED + len(order_id) or not order_id.isalnum():
            return None
        number = int(sequence)  # not before: an escaped superscript is a digit to ``isdigit`` too
        return _tuple(BookUpdate, (number, (), None, order_id, None, frame.timestamp * 1_000_000)) if number else None
    order_id, price, volume = created.order_id, created.price, created.volume
    if (
        length != _CREATED + len(order_id) + len(price) + len(volume)
        or frame.delete_update is not None
        or not order_id.isalnum()
    ):
        return None
    ticks = _known[rules.price_scale].get(price) or _learn(price, rules.price_scale)
    lots = _known[rules.volume_scale].get(volume) or _learn(volume, rules.volume_scale)
    number = int(sequence)
    if not (ticks and lots and number):
        return None
    create = _tuple(BookCreate, (order_id, created.type, ticks, lots))
    return _tuple(BookUpdate, (number, (), create, None, None, frame.timestamp * 1_000_000))


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
