"""Text and numbers for screens: the one boundary where outside text becomes harmless, and how figures are written.

rich passes escape codes inside ``Text``, table cells and prints straight to the terminal, and reads ``[...]`` in plain
strings as markup. So every string that did not come from our own source goes through :func:`safe`, which leaves
nothing either of them could act on. Numbers carry their unit, unknown is a dash, and no input makes a string longer
than its bound (``Decimal("1e999999")`` included).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

UNKNOWN = "–"
"""How an unknown figure is written."""

MAX_DECIMALS = 12
_PLAIN_BELOW = 15
"""A number of more integer digits than this is written with an exponent."""

_BRACKETS = str.maketrans("[]", "()")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SPARKS = "▁▂▃▄▅▆▇█"

Number = Decimal | float | int


def safe(text: object, limit: int = 200) -> str:
    """Outside text as printable ASCII of at most ``limit`` characters that no terminal and no markup acts on.

    Escape and control characters, bidirectional overrides, combining and wide characters become ``?``; line ends and
    tabs one space; square brackets round ones (rich markup needs square ones); a cut text ends in ``...``.
    """
    raw = str(text)[: limit + 1] if limit > 0 else ""
    cleaned = "".join(_harmless(character) for character in raw).translate(_BRACKETS)
    if len(cleaned) <= limit:
        return cleaned
    return cleaned[: limit - 3] + "..." if limit > 3 else cleaned[:limit]


def _harmless(character: str) -> str:
    if " " <= character <= "~":
        return character
    return " " if character in "\t\n\r" else "?"


def number(value: Number | None, decimals: int | None = None, *, sign: bool = False) -> str:
    """A figure with thousands separated: ``1,234.50``; a dash for None, NaN and infinities.

    decimals: fixed number of them; None writes a Decimal or int as it is (at most 12) and a float with 6 significant
    digits. sign: also write a plus.
    """
    if value is None or not _finite(value):
        return UNKNOWN
    exact = value if isinstance(value, Decimal) else Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if exact and exact.adjusted() >= _PLAIN_BELOW:
        return f"{exact:{'+' if sign else ''}.3e}".replace("e+", "e")
    if decimals is None:
        decimals = _own_decimals(exact) if isinstance(value, Decimal | int) else max(0, 5 - _magnitude(exact))
    decimals = max(0, min(decimals, MAX_DECIMALS))
    written = f"{exact:{'+' if sign else ''},.{decimals}f}"
    # -0.00 and +0.00 say a direction that the digits shown do not have.
    return written.lstrip("+-") if not written.strip("+-0.,") else written


def counted(count: int | None, noun: str) -> str:
    """A count and what is counted: ``1 fill``, ``2 fills``, ``1,234 fills``."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def _finite(value: Number) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or math.isfinite(value)


def _magnitude(value: Decimal) -> int:
    return value.adjusted() if value else 0


def _own_decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def as_float(value: Decimal | None) -> float | None:
    """An exact number for drawing; None where it is none."""
    return None if value is None or not value.is_finite() else float(value)


def common_decimals(values: Iterable[Decimal | None], at_most: int = 8) -> int:
    """Decimals that show every one of ``values`` without trailing zeros common to all."""
    most = 0
    for value in values:
        if value is not None and value.is_finite() and abs(value.adjusted()) < 40:
            most = max(most, _own_decimals(value.normalize()))
    return min(most, at_most)


def column(values: Sequence[Number | None], decimals: int, *, sign: bool = False) -> list[str]:
    """Figures of one width with their decimal points below one another; a dash stands where the point would."""
    written = [number(value, decimals, sign=sign) for value in values]
    width = max((len(text) for text in written), default=0)
    tail = decimals if decimals > 0 else 0
    return [text.ljust(1 + tail).rjust(width) if text == UNKNOWN else text.rjust(width) for text in written]


def aligned(figures: Sequence[str]) -> list[str]:
    """Figures written with other decimals, or units, of one width with their decimal points below one another."""
    points = [min((text.find(end) for end in ". " if end in text), default=len(text)) for text in figures]
    tail = max((len(text) - point for text, point in zip(figures, points, strict=True)), default=0)
    padded = [text + " " * (tail - len(text) + point) for text, point in zip(figures, points, strict=True)]
    width = max((len(text) for text in padded), default=0)
    return [text.rjust(width) for text in padded]


def bp(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    """A fraction in basis points: 0.00123 -> ``12.3 bp``."""
    return with_unit(None if fraction is None else fraction * 1e4, "bp", decimals, sign=sign)


def percent(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    """A fraction in percent: 0.0123 -> ``1.2 %``."""
    return with_unit(None if fraction is None else fraction * 100, "%", decimals, sign=sign)


def with_unit(value: Number | None, unit: str, decimals: int | None = None, *, sign: bool = False) -> str:
    """A figure and its unit; only a dash when the figure is unknown."""
    written = number(value, decimals, sign=sign)
    return written if written == UNKNOWN or not unit else f"{written} {unit}"


def interval(low: float | None, high: float | None, decimals: int | None = None) -> str:
    """A 95 % interval: ``(low to high)``, or a dash when either end is unknown."""
    if low is None or high is None:
        return UNKNOWN
    return f"({number(low, decimals)} to {number(high, decimals)})"


def age(milliseconds: float | None) -> str:
    """A duration at a glance: ``40 ms``, ``3.2 s``, ``47 s``, ``12 min``, ``3.4 h``, ``9 d``."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return UNKNOWN
    value = abs(milliseconds)
    minus = "-" if milliseconds < 0 else ""
    for below, size, unit, decimals in (
        (999.5, 1.0, "ms", 0),
        (9_950.0, 1e3, "s", 1),
        (99_500.0, 1e3, "s", 0),
        (99.5 * 60e3, 60e3, "min", 0),
        (9.95 * 3600e3, 3600e3, "h", 1),
        (47.5 * 3600e3, 3600e3, "h", 0),
    ):
        if value < below:
            return f"{minus}{value / size:.{decimals}f} {unit}"
    days = value / 86_400e3
    return f"{minus}{days:.0f} d" if days < 10_000 else f"{minus}{days:.0e} d"


def bar(fraction: float | None, width: int) -> str:
    """A bar of ``width`` cells filled to ``fraction`` (cut to 0..1) in eighths of a cell, padded with spaces."""
    if fraction is None or not math.isfinite(fraction) or width <= 0:
        return " " * max(width, 0)
    eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    if fraction > 0 and eighths == 0:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The newest ``width`` values as a line of blocks between their minimum and maximum; unknown is a space."""
    newest = list(values)[-width:] if width > 0 else []
    known = [value for value in newest if value is not None and math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = high - low

    def block(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return " "
        return _SPARKS[3] if span <= 0 else _SPARKS[min(int((value - low) / span * 8), 7)]

    return "".join(block(value) for value in newest)
