"""A market's rules, and the one door between exact money and model floats.

Prices inside the market are whole *ticks*, volumes whole *lots* (``int``); a tick is 10**-price_scale counter, a lot
10**-volume_scale base. Orders and balances are ``Decimal``. Floats leave through :meth:`PairRules.price_float` and come
back only through :meth:`PairRules.bid_ticks` / :meth:`PairRules.ask_ticks`, which round outward: rounding never
tightens a quote. Scales are read from the venue, never hard-coded (Luno changed XBTUSDT's between 2024 and
2026), and are signed (XBTIDR moves in thousands).
"""

from __future__ import annotations

import enum
import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation

import msgspec

from lunomm.errors import BookError, ModelError
from lunomm.market.stamp import Stamped

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
"""Decimal arithmetic that raises rather than round."""

MAX_TICKS = 10**15
"""Bound on a price in ticks or a volume in lots: beyond any listed market, below 2**53."""

MAX_MAGNITUDE = 30
"""Decimal exponent beyond which a number is not believed."""

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


class Side(enum.StrEnum):
    """BID buys base, ASK sells it."""

    BID = "BID"
    ASK = "ASK"

    @property
    def sign(self) -> int:
        """+1 for BID (inventory grows when it fills), -1 for ASK."""
        return 1 if self is Side.BID else -1

    @property
    def other(self) -> Side:
        return Side.ASK if self is Side.BID else Side.BID


class MarketStatus(enum.StrEnum):
    """Luno's three status vocabularies as one; a word we do not know is DISABLED."""

    ACTIVE = "ACTIVE"
    POSTONLY = "POSTONLY"
    DISABLED = "DISABLED"

    @classmethod
    def parse(cls, word: str) -> MarketStatus:
        if word == "ACTIVE":
            return cls.ACTIVE
        if word in ("POSTONLY", "POST_ONLY", "SUSPENDED"):
            return cls.POSTONLY
        return cls.DISABLED


def parse_decimal(text: str) -> Decimal:
    """Strictly read a non-negative decimal string from outside.

    Raises:
        BookError: anything but 1-15 ASCII digits and at most 18 decimals (no sign, exponent, NaN, separators).
    """
    if not _NUMBER.fullmatch(text):
        raise BookError(f"not a plain decimal number: {text[:40]!r}", code="BAD_NUMBER")
    return Decimal(text)


def to_units(text: str, scale: int) -> int:
    """A decimal string as a whole number of 10**-scale.

    Raises:
        BookError: not a plain number, or not a whole multiple of the step.
    """
    # What _NUMBER says, in half the time.
    whole, point, frac = text.partition(".")
    if not (text.isascii() and whole.isdigit() and len(whole) <= 15) or (
        point and not (frac.isdigit() and len(frac) <= 18)
    ):
        raise BookError(f"not a plain decimal number: {text[:40]!r}", code="BAD_NUMBER")
    if scale < 0:
        digits = int(whole)
        step: int = 10**-scale
        if frac.strip("0") or digits % step:
            raise BookError(f"{text} is not a multiple of {step}", code="OFF_GRID")
        return digits // step
    if len(frac) > scale:
        if frac[scale:].strip("0"):
            raise BookError(f"{text} has more than {scale} decimals", code="OFF_GRID")
        frac = frac[:scale]
    return int(whole + frac.ljust(scale, "0"))


def digits_of(number: Decimal) -> str:
    """Digits without an exponent. Bounded first: ``1e999999999`` written out would fill the memory.

    Raises:
        BookError: no finite number, or one of no order.
    """
    if not number.is_finite() or abs(number.adjusted()) > MAX_MAGNITUDE:
        raise BookError("a number of no order", code="BAD_NUMBER")
    return format(number, "f")


class PairRules(Stamped, kw_only=True):
    """RULES::<pair>: what the venue accepts, in its own units.

    price_scale, volume_scale, fee_scale: number of decimals (signed). min/max_price: counter. min/max_volume: base.
    """

    base: str
    counter: str
    price_scale: int
    volume_scale: int
    min_price: Decimal
    max_price: Decimal
    min_volume: Decimal
    max_volume: Decimal
    fee_scale: int = 8
    status: str = "ACTIVE"

    def __post_init__(self) -> None:
        if not (-9 <= self.price_scale <= 18 and 0 <= self.volume_scale <= 18 and 0 <= self.fee_scale <= 18):
            raise BookError(f"{self.pair[:20]}: implausible scales", code="BAD_RULES")
        for number in (self.min_price, self.max_price, self.min_volume, self.max_volume):
            if not number.is_finite() or number < 0:
                raise BookError(f"{self.pair[:20]}: limits must be finite and not negative", code="BAD_RULES")
        if self.min_price > self.max_price or self.min_volume > self.max_volume:
            raise BookError(f"{self.pair[:20]}: a minimum is above its maximum", code="BAD_RULES")

    @property
    def tick_size(self) -> Decimal:
        """Counter per base."""
        return Decimal(1).scaleb(-self.price_scale)

    @property
    def lot_size(self) -> Decimal:
        """Base."""
        return Decimal(1).scaleb(-self.volume_scale)

    @property
    def grid(self) -> tuple[object, ...]:
        """All that decides whether an order is acceptable; where it changes, orders made before may not be."""
        limits = (self.min_price, self.max_price, self.min_volume, self.max_volume)
        return (self.price_scale, self.volume_scale, *limits)

    def price_ticks(self, text: str) -> int:
        return to_units(text, self.price_scale)

    def volume_lots(self, text: str) -> int:
        return to_units(text, self.volume_scale)

    def price(self, ticks: int) -> Decimal:
        """Ticks as an exact price with max(price_scale, 0) decimals."""
        value = Decimal(ticks).scaleb(-self.price_scale, EXACT)
        return value if self.price_scale >= 0 else value.quantize(Decimal(1), context=EXACT)

    def volume(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.volume_scale, EXACT)

    def price_float(self, ticks: float) -> float:
        """Ticks (also halves and means) as a model float."""
        # Divide by a power of ten rather than multiply by its inverse: 10**k is exact, 10**-k is not.
        scale: int = self.price_scale
        return ticks / float(10**scale) if scale >= 0 else ticks * float(10**-scale)

    def volume_float(self, lots: float) -> float:
        return lots / float(10**self.volume_scale)

    def bid_ticks(self, price: float | Decimal) -> int:
        """Largest tick not above ``price`` (a value already on the grid stays)."""
        return self._ticks(price, ROUND_FLOOR)

    def ask_ticks(self, price: float | Decimal) -> int:
        """Smallest tick not below ``price``."""
        return self._ticks(price, ROUND_CEILING)

    def floor_lots(self, volume: float | Decimal) -> int:
        """Largest whole number of lots not above ``volume``."""
        return self._units(volume, self.volume_scale, ROUND_FLOOR)

    def ceil_lots(self, volume: float | Decimal) -> int:
        return self._units(volume, self.volume_scale, ROUND_CEILING)

    def _ticks(self, price: float | Decimal, rounding: str) -> int:
        return self._units(price, self.price_scale, rounding)

    @staticmethod
    def _units(value: float | Decimal, scale: int, rounding: str) -> int:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ModelError(f"cannot round a non-finite number: {value}")
            # repr() is the shortest decimal that reads back as this float: 0.3 is 0.3 here, not 0.299999999999999988.
            value = Decimal(repr(value))
        elif not value.is_finite():
            raise ModelError(f"cannot round a non-finite number: {value}")
        units = int(value.scaleb(scale).to_integral_value(rounding=rounding))
        if abs(units) > MAX_TICKS:
            raise ModelError(f"{value} is beyond {MAX_TICKS} steps of 1e-{scale}")
        return units


def decode_rules(raw: bytes) -> PairRules:
    return msgspec.json.decode(raw, type=PairRules)
