"""The paper venue: the simulator's accounts and order calls over queue-exact markets of an upstream (pure).

What a client sees is the simulated exchange's own: order checks, reservations, fees, order lists, user messages
(:class:`~lunomm.simulator.venue.Venue`). What trades with its orders is decided by
:class:`~lunomm.tape.paper_market.PaperMarket`, whose docstring has the rules; above all: **our size does not consume
the others'**. Public data is the upstream's and is passed on by whoever runs the venue: nothing here makes it.

Times are handed in: ``now_ms`` of a private call is the moment the request *reaches* the exchange. Who models latency
calls that much later than the client sent, and hands the reply over that much later again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lunomm.market.book import Applied, Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import PairRules
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.order_ids import OrderIds, RandomBits
from lunomm.simulator.user_messages import UserFrame
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue
from lunomm.tape.bracket import Bracket, BracketSum, Counts, bracket_sum
from lunomm.tape.paper_market import PaperMarket

__all__ = ["Bracket", "BracketSum", "Counts", "PaperMarket", "PaperVenue", "bracket_sum", "paper_venue"]


class PaperVenue:
    """Made by :func:`paper_venue`. venue: all private calls, as :class:`Venue` has them."""

    def __init__(self, venue: Venue, markets: Mapping[str, PaperMarket]) -> None:
        self.venue = venue
        self._markets = markets

    @property
    def pairs(self) -> list[str]:
        return list(self._markets)

    def market(self, pair: str) -> PaperMarket:
        """Raises KeyError."""
        return self._markets[pair]

    def feed(self, pair: str, event: BookSnapshot | BookUpdate, applied: Applied | None = None) -> None:
        """One event of the upstream, in its order; the fills it brings us are booked.

        Args:
            applied: what ``Book.apply`` returned, where the market's book is somebody else's (then: call this after).

        Raises:
            SequenceGap, BookError: it does not fit the book (of our own): call :meth:`lost`.
        """
        if self._markets[pair].on_event(event, applied):
            self.venue.trigger_stops(event.exchange_ns // 1_000_000)

    def lost(self, pair: str) -> None:
        """The stream broke: until the next snapshot orders are refused (ErrMarketUnavailable), cancels are not."""
        self._markets[pair].lost()

    def drain(self) -> list[UserFrame]:
        """User messages since the last call, in order."""
        return [frame for frame in self.venue.drain() if isinstance(frame, UserFrame)]


def paper_venue(
    rules: Sequence[PairRules],
    accounts: Sequence[AccountSpec],
    source: RandomBits,
    *,
    books: Mapping[str, Book] | None = None,
    behaviour: Behaviour | None = None,
    first_trade: int = 1,
) -> PaperVenue:
    """Args:
        source: seeded source of our order ids, e.g. ``random.Random(seed)``.
        books: by pair, the upstream's books somebody else keeps; they are only read here.
        first_trade: number of each market's first fill.

    Raises:
        ValueError: two markets or accounts of one name, or amounts finer than the ledger's 18 decimals.
    """
    markets: dict[str, PaperMarket] = {}
    given = books or {}

    def make(spec: MarketSpec, ids: OrderIds, behaviour: Behaviour) -> Matcher:
        pair = spec.rules.pair
        market = PaperMarket(spec.rules, ids, book=given.get(pair), first_trade=spec.first_trade, behaviour=behaviour)
        markets[pair] = market
        return market

    specs = [MarketSpec(of_pair, first_trade=first_trade) for of_pair in rules]
    venue = Venue(specs, accounts, source, behaviour, make)
    for pair in markets:
        venue.mute(pair, True)
    return PaperVenue(venue, markets)
