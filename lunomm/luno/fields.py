"""What a single field from Luno may look like, and how a whole text is decoded without surprises (pure).

The types carry their own limits, which msgspec checks while it decodes; nothing is checked when our own simulator
makes such a value. Money is text: plain ASCII digits, at most 15 before and 18 after the point. Python's ``Decimal``
would also take ``1e999999`` (minutes of work as an int), NaN, underscores and other scripts' digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec

from lunomm.errors import MarketDataError

T = TypeVar("T")

_DIGITS = r"[0-9]{1,15}(?:\.[0-9]{1,18})?\Z"

Amount = Annotated[str, msgspec.Meta(pattern=f"^{_DIGITS}")]
"""Money, price or volume that cannot be negative."""

_SIGNED = re.compile(f"-?{_DIGITS}").match

Signed = Annotated[str, msgspec.Meta(pattern=f"^-?{_DIGITS}")]
"""A change, a balance, or a fee (a maker's rebate is a negative fee)."""

OrderId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}\Z")]
"""The venue's order id: printable ASCII. Luno's have 13 to 15 characters."""

ClientOrderId = Annotated[str, msgspec.Meta(max_length=255)]
"""The client's id, ``""`` when it gave none. Any text: orders of other programs on the account are listed too."""

PairName = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,20}\Z")]
Word = Annotated[str, msgspec.Meta(max_length=40)]
"""One of a few words; a new one is the reader's to judge."""

Millis = Annotated[int, msgspec.Meta(ge=0, lt=2**43)]
"""Unix milliseconds up to the year 2248; 0 is "not yet"."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Sequence, account id or ledger row: a whole JSON number of up to 19 digits (a double would corrupt it)."""

AccountText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}\Z")]


def decimal(text: str) -> Decimal:
    """The exact value of a decoded :data:`Amount` or :data:`Signed`.

    Raises:
        MarketDataError: BAD_NUMBER: the text is neither (it did not come through a decoder of this package).
    """
    if _SIGNED(text) is None:
        raise MarketDataError(f"not a plain decimal number: {text[:40]!a}", code="BAD_NUMBER")
    return Decimal(text)


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def decode(raw: str | bytes, shape: type[T], what: str, *, limit: int, keys: bool = True) -> T:
    """``raw`` as one value of ``shape``; unknown extra fields are ignored.

    Args:
        what: names the text in an error. limit: most characters accepted, checked before anything is parsed. keys:
            whether to look for a key given twice; False where the caller does.

    Raises:
        MarketDataError: BAD_FRAME: too long, too deep, not JSON, a key given twice, or not of that shape.
    """
    if len(raw) > limit:
        raise MarketDataError(f"{what}: longer than {limit} bytes", code="BAD_FRAME")
    try:
        value = _decoder(shape).decode(raw)  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = str(error)[:120]
    else:
        if keys:
            refuse_repeated_keys(raw, what)
        return value  # type: ignore[no-any-return]
    raise MarketDataError(f"{what}: {why}", code="BAD_FRAME")


def refuse_repeated_keys(raw: str | bytes, what: str, *, fail: Callable[[str], MarketDataError] | None = None) -> None:
    """Refuse JSON in which an object has a key twice: decoders silently keep the last, whichever was meant.

    Raises:
        MarketDataError: BAD_FRAME, or what ``fail`` makes of the message.
    """
    why = ""
    try:
        json.loads(raw, object_pairs_hook=_unique)
    except _Repeated as error:
        why = f"key {str(error)[:40]!a} is given twice"
    except (ValueError, RecursionError) as error:
        why = str(error)[:120]
    if why:
        raise fail(f"{what}: {why}") if fail else MarketDataError(f"{what}: {why}", code="BAD_FRAME")


class _Repeated(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _Repeated(key)
        seen.add(key)
