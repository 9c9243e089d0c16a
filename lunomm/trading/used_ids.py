"""Which intent ids were ever used: an id is never free again, and a day has tens of thousands of them (pure).

Ids count upwards, ``<epoch>-<counter>-<side><level>``, so a thousand neighbours are the bits of one number. An id of
any other form is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

_SPAN: Final = 1024
"""Counters that share a number."""

_DIGITS: Final = 15


class _Place(NamedTuple):
    """epoch, slot: as in the id. span: of the counters."""

    epoch: str
    slot: str
    span: int


class UsedIds:
    """A set of ids that only grows."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._spans: dict[_Place, int] = {}
        self._others: set[str] = set()
        for each in ids:
            self.add(each)

    def add(self, intent_id: str) -> None:
        known = _read(intent_id)
        if known is None:
            self._others.add(intent_id)
        else:
            place, bit = known
            self._spans[place] = self._spans.get(place, 0) | bit

    def __contains__(self, intent_id: str) -> bool:
        known = _read(intent_id)
        if known is None:
            return intent_id in self._others
        place, bit = known
        return bool(self._spans.get(place, 0) & bit)


def _read(intent_id: str) -> tuple[_Place, int] | None:
    """Where an id stands, and its bit; None: it is of another form, or the same number could be written otherwise."""
    epoch, first, rest = intent_id.partition("-")
    counter, second, slot = rest.partition("-")
    plain = counter.isascii() and counter.isdigit() and len(counter) <= _DIGITS
    if not (first and second and plain) or (counter[0] == "0" and counter != "0"):
        return None
    number = int(counter)
    return _Place(epoch, slot, number // _SPAN), 1 << number % _SPAN
