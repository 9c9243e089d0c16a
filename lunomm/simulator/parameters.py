"""The parameters of one REST call, as Luno takes them: query and form merged, form wins, empty means absent (pure).

Every client sends them differently (luno-go every field, also unset ones; luno-python and ccxt POST in the query), so a
zero in an id, time, limit or sequence also means absent, and booleans have many spellings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from lunomm.simulator.refusals import refuse

MAX_FIELDS = 100
MAX_TEXT = 4096
"""Longest value that is looked at: client_order_id may have 255 characters, nothing else comes near."""

_ZERO = re.compile(r"0+(\.0*)?|\.0+", re.ASCII)
_TRUE = {"1", "t", "true", "True", "TRUE"}
_FALSE = {"0", "f", "false", "False", "FALSE"}


class Parameters:
    """All values by name, in the order given."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """The last value given, "" when absent."""
        values = self._values.get(name)
        return values[-1] if values else ""

    def all(self, name: str) -> Sequence[str]:
        """Every value of a repeated parameter.

        Raises:
            VenueError: ErrInvalidArguments, several joined by commas: a list is a parameter said repeatedly.
        """
        values = self._values.get(name, [])
        if any("," in value for value in values):
            raise refuse("ErrInvalidArguments", detail=f"repeat {name} instead of joining its values with commas")
        return values

    def number(self, name: str) -> int | None:
        """A whole number, None when absent or zero.

        Raises:
            VenueError: ErrInvalidArguments, anything else.
        """
        text = self.text(name)
        if not text:
            return None
        digits = text[1:] if text[0] == "-" else text
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or int(text) >= 2**63:
            raise refuse("ErrInvalidArguments", detail=f"{name} is not a whole number")
        return int(text) or None

    def flag(self, name: str) -> bool:
        """A boolean, False when absent.

        Raises:
            VenueError: ErrInvalidArguments, anything else.
        """
        text = self.text(name)
        if text in _TRUE:
            return True
        if not text or text in _FALSE:
            return False
        raise refuse("ErrInvalidArguments", detail=f"{name} is not a boolean")

    def unset_zero(self, name: str) -> str:
        """A text for which a zero means absent (luno-go's ``stop_price=0``)."""
        text = self.text(name)
        return "" if _ZERO.fullmatch(text) else text


def merge(query: str, form: str) -> Parameters:
    """Read both places; a name given in the form replaces the query's.

    Raises:
        VenueError: ErrInvalidArguments, too many or too long fields.
    """
    merged: dict[str, list[str]] = {}
    for source in (query, form):
        try:
            pairs = parse_qsl(source, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise refuse("ErrInvalidArguments", detail="too many parameters") from None
        fresh: dict[str, list[str]] = {}
        for name, value in pairs:
            if len(value) > MAX_TEXT:
                raise refuse("ErrInvalidArguments", detail="a parameter is too long")
            fresh.setdefault(name, []).append(value)
        merged.update(fresh)
    return Parameters(merged)
