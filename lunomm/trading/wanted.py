"""Which wanted quotes still count: the newest from a quoter that is alive.

The quoter rewrites its message every half second with a growing number. A message counts for three seconds of this
process's own monotonic clock from when it was written, by the moment it carries, however late it came; seeing the same
number again proves nothing and extends nothing (it may be a key that a thawed Redis kept). A quoter older than the
newest seen is never believed again.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from lunomm.market.rules import EXACT
from lunomm.market.stamp import SCHEMA
from lunomm.quoting.intents import Intent, WantedQuotes
from lunomm.trading.inventory import mark_of

QUOTE_TTL_NS = 3_000_000_000
"""Life of a message without a successor."""

MAX_INTENTS = 20
"""Ten levels a side: more is no quoter of ours."""

UNMEANT = ("TOO_MANY", "DOUBLE_SLOT", "BAD_INTENT", "CROSSED")
"""Refusals that no delay, restart or mix-up explains: whoever wrote the message is out of order."""

MAX_LEVEL = 9
MAX_ID = 64
MAX_EPOCH = 2**53


class Wanted:
    """The wanted quotes of one pair, as far as they can be believed.

    Args:
        pair: whose.
        epoch: newest quoter epoch known from before (journal), None if none.
    """

    def __init__(self, pair: str, epoch: int | None = None) -> None:
        self.pair = pair
        self.epoch = epoch
        self.asked = False
        self.dropped: Counter[str] = Counter()
        self.unmeant: str | None = None
        self.mistimed = False
        """Whether the message met last is news, but too old: it waited on its way, or two machines' clocks differ."""
        self._unmeant_at: tuple[int, int] | None = None
        self._quotes: WantedQuotes | None = None
        self._number: int | None = None
        self._seen_ns = 0

    def offer(self, quotes: WantedQuotes | None, mono_ns: int, age_ns: int = 0) -> bool:
        """Take one message (None: the key was read and is not there); True when it is news.

        Args:
            age_ns: of the message, in time of ours; below 0 when its writer's clock is ahead of this one's.

        Messages that are refused are counted in ``dropped`` by reason; ``unmeant`` is the reason where this one, met
        for the first time, cannot be meant.
        """
        self.asked = True
        self.unmeant, self.mistimed = None, False
        if quotes is None:
            return False
        reason = self._refusal(quotes)
        if reason is not None:
            self.dropped[reason] += 1
            if reason in UNMEANT and self._unmeant_at != (quotes.epoch, quotes.number):
                self.unmeant, self._unmeant_at = reason, (quotes.epoch, quotes.number)
            return False
        newer_quoter = self.epoch is None or quotes.epoch > self.epoch
        if not newer_quoter and self._number is not None and quotes.number <= self._number:
            return False
        if abs(age_ns) >= QUOTE_TTL_NS:
            self.dropped["AGE"] += 1
            self.mistimed = True
            return False
        self.epoch, self._number = quotes.epoch, quotes.number
        self._quotes, self._seen_ns = quotes, mono_ns - max(age_ns, 0)
        return True

    def current(self, mono_ns: int) -> WantedQuotes | None:
        """What is wanted now; None when nobody alive wants anything."""
        if self._quotes is None or mono_ns - self._seen_ns >= QUOTE_TTL_NS:
            return None
        return self._quotes

    def last(self) -> WantedQuotes | None:
        """The last message however old: for marks, never for orders."""
        return self._quotes

    def expires_ns(self) -> int | None:
        return None if self._quotes is None else self._seen_ns + QUOTE_TTL_NS

    def _refusal(self, quotes: WantedQuotes) -> str | None:
        if quotes.v != SCHEMA:
            return "SCHEMA"
        if quotes.pair != self.pair:
            return "PAIR"
        if not 0 < quotes.epoch < MAX_EPOCH or not 0 <= quotes.number < MAX_EPOCH:
            return "EPOCH"
        if self.epoch is not None and quotes.epoch < self.epoch:
            return "OLD_EPOCH"
        if len(quotes.intents) > MAX_INTENTS:
            return "TOO_MANY"
        slots = {(intent.side, intent.level) for intent in quotes.intents}
        if len(slots) != len(quotes.intents) or len({intent.id for intent in quotes.intents}) != len(quotes.intents):
            return "DOUBLE_SLOT"
        if not all(_plausible(intent) for intent in quotes.intents):
            return "BAD_INTENT"
        bids = [intent.price for intent in quotes.intents if intent.side.sign > 0]
        asks = [intent.price for intent in quotes.intents if intent.side.sign < 0]
        if bids and asks and max(bids) >= min(asks):
            return "CROSSED"
        return None


def market_of(quotes: WantedQuotes) -> Decimal | None:
    """The market as the quoter saw it: the middle of the touch, else its fair price; None where neither is a price."""
    bid, ask = quotes.best_bid, quotes.best_ask
    if bid is not None and ask is not None and _amount(bid) and _amount(ask) and bid < ask:
        return EXACT.divide(EXACT.add(bid, ask), Decimal(2))
    fair = quotes.fair
    return mark_of(fair) if fair is not None and 1e-8 < fair < 1e15 else None


def _plausible(intent: Intent) -> bool:
    """Cheap and total: ids go into client order ids, amounts into exact arithmetic."""
    id_ok = 0 < len(intent.id) <= MAX_ID and intent.id.isascii() and intent.id.replace("-", "").isalnum()
    return id_ok and 0 <= intent.level <= MAX_LEVEL and _amount(intent.price) and _amount(intent.size)


def _amount(amount: Decimal) -> bool:
    """The adjusted exponent bounds the work later arithmetic could be made to do (1e999999 is a valid Decimal)."""
    return amount.is_finite() and amount > 0 and -18 <= amount.adjusted() <= 15 and _decimals(amount) <= 18


def _decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 99
