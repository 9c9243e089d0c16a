"""Times as people write and read them, UTC (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

from lunomm.errors import UsageError

_AFTER: Final = re.compile(r"\+([0-9]{1,9}(?:\.[0-9]{1,9})?)s?", re.ASCII)
_CLOCK: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,6})?)?", re.ASCII)
_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})?)?", re.ASCII)
FORMS: Final = "2026-11-25T18:30:00, 2026-11-25, 18:30:00 or +90 (seconds from the start)"


def moment(ns: int) -> str:
    """Unix ns as ``2026-11-25T18:30:00.000Z``."""
    return (datetime.fromtimestamp(ns // 1_000_000_000, UTC)).strftime(
        "%Y-%m-%dT%H:%M:%S"
    ) + f".{ns // 10**6 % 1000:03}Z"


def read_moment(text: str, option: str, started_ns: int | None = None) -> int:
    """A time as typed, in Unix ns. Without a zone it is UTC; a time of day is the first one at or after ``started_ns``.

    Args:
        started_ns: what ``+90`` and a time of day are counted from; None: neither may be said.

    Raises:
        UsageError: none of the forms.
    """
    words = text.strip()
    if started_ns is not None and (after := _AFTER.fullmatch(words)):
        return started_ns + round(float(after[1]) * 1e9)
    try:
        if started_ns is not None and _CLOCK.fullmatch(words):
            return _of_day(words, started_ns)
        if _WRITTEN.fullmatch(words):
            when = datetime.fromisoformat(words)
            return _ns(when if when.tzinfo is not None else when.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        pass  # a month 13, a 25th hour: said below
    raise UsageError(f"{option}: '{_shown(text)}' is no time. Write {FORMS}")


def _of_day(words: str, started_ns: int) -> int:
    first = datetime.fromtimestamp(started_ns // 1_000_000_000, UTC)
    when = datetime.combine(first.date(), time.fromisoformat(words[:5]), UTC)
    seconds = words[6:]
    if seconds:
        if float(seconds) >= 60:
            raise ValueError
        when += timedelta(seconds=float(seconds))
    found = _ns(when)
    return found if found >= started_ns else found + 86_400 * 1_000_000_000


def _ns(when: datetime) -> int:
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def _shown(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:40])
