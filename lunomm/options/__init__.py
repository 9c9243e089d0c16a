"""Every command's options as one frozen dataclass each, in the units of the design's table, checked when made.

A module a command: making such a class takes a millisecond, and a command waits for its own only.
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

from lunomm.errors import UsageError

DEFAULT_PAIR = "XBTMYR"


def show(text: str, limit: int = 60) -> str:
    """Text from outside for an error line: printable ASCII, bounded."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text[:limit])
    return f"'{clean}'" + ("..." if len(text) > limit else "")


def check(option: str, value: float | Decimal, low: float, high: float, *, open_low: bool = False) -> None:
    """A number within its range. open_low: it must be greater than ``low``.

    Raises:
        UsageError: it is not.
    """
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    if not finite or value < low or value > high or (open_low and value == low):
        least = f"greater than {low:g}" if open_low else f"at least {low:g}"
        raise UsageError(f"{option}: {show(str(value))}: out of range. Give a number {least} and at most {high:g}")


def choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """One of the words there are.

    Raises:
        UsageError: another.
    """
    if value not in allowed:
        raise UsageError(f"{option}: {show(value)}: unknown. Say one of {', '.join(allowed)}")


def check_tape(path: Path | None) -> None:
    """A recording that is there.

    Raises:
        UsageError: no such file.
    """
    if path is not None and not path.is_file():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise UsageError(f"--tape: {show(str(path))}: {reason}. Give a recorded tape", code="NO_TAPE")
