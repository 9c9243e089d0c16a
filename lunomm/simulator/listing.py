"""One listed market of a venue: its engine, what the public saw of it, and a change of its rules (pure)."""

from __future__ import annotations

from collections.abc import Callable

from lunomm.luno import wire
from lunomm.market.rules import PairRules
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.public_tape import PublicTape

CACHE_MS = 1000
"""How old a cached order book may be."""


class Listing:
    """quiet: its own frames are not queued. suspended: what the engine calls POSTONLY is only a short stop."""

    __slots__ = ("books", "engine", "quiet", "suspended", "tape")

    def __init__(self, engine: Matcher) -> None:
        self.engine = engine
        self.tape = PublicTape()
        self.quiet = False
        self.suspended = False
        self.books: dict[Callable[[Matcher], wire.OrderBookReply], tuple[int, wire.OrderBookReply]] = {}
        """The last book of each kind and when it was made."""

    @property
    def rules(self) -> PairRules:
        return self.engine.rules

    def cached(self, now_ms: int, make: Callable[[Matcher], wire.OrderBookReply]) -> wire.OrderBookReply:
        """A book made within the last second, or now."""
        made_ms, reply = self.books.get(make, (-CACHE_MS, None))
        if reply is None or now_ms - made_ms >= CACHE_MS:
            reply = make(self.engine)
            self.books[make] = now_ms, reply
        return reply

    def regrid(self, rules: PairRules) -> None:
        """Trade under new rules from now on. The past is rewritten on the new grid, rounded where that is coarser.

        Raises:
            ValueError: orders rest in the book.
        """
        old = self.rules
        self.engine.regrid(rules)
        self.tape.regrid(rules.price_scale - old.price_scale, rules.volume_scale - old.volume_scale)
