"""Which wanted quotes still count: the newest from a quoter that is alive.

The quoter rewrites its message every half second with a growing number. A message counts for three seconds of this
process's own monotonic clock from when it was first seen; seeing the same number again proves nothing and extends
nothing (it may be a key that a thawed Redis kept). A quoter older than the newest seen is never believed again.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from lunomm.market.stamp import SCHEMA
from lunomm.quoting.intents import Intent, WantedQuotes

QUOTE_TTL_NS = 3_000_000_000
"""Life of a message without a successor."""

MAX_INTENTS = 20
"""Ten levels a side: more is no quoter of ours."""

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
        self._quotes: WantedQuotes | None = None
        self._number: int | None = None
        self._seen_ns = 0

    def offer(self, quotes: WantedQuotes | None, mono_ns: int) -> bool:
        """Take one message (None: the key was read and is not there); True when it is news.

        Messages that are refused are counted in ``dropped`` by reason.
        """
        self.asked = True
        if quotes is None:
            return False
        reason = self._refusal(quotes)
        if reason is not None:
            self.dropped[reason] += 1
            return False
        newer_quoter = self.epoch is None or quotes.epoch > self.epoch
        if not newer_quoter and self._number is not None and quotes.number <= self._number:
            return False
        self.epoch, self._number = quotes.epoch, quotes.number
        self._quotes, self._seen_ns = quotes, mono_ns
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


def _plausible(intent: Intent) -> bool:
    """Cheap and total: ids go into client order ids, amounts into exact arithmetic."""
    id_ok = 0 < len(intent.id) <= MAX_ID and intent.id.isascii() and intent.id.replace("-", "").isalnum()
    for amount in (intent.price, intent.size):
        # The adjusted exponent bounds the work any later arithmetic could be made to do (1e999999 is a valid Decimal).
        if not amount.is_finite() or amount <= 0 or not -18 <= amount.adjusted() <= 15 or _decimals(amount) > 18:
            return False
    return id_ok and 0 <= intent.level <= MAX_LEVEL


def _decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 99
