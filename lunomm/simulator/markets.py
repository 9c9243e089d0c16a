"""The markets a venue lists: found by name as its calls ask for them, opened, given a past, changed (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lunomm.luno import wire
from lunomm.market.rules import PairRules
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.ledger import SCALE
from lunomm.simulator.listing import Listing
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.matching import Engine
from lunomm.simulator.messages import MarketFrame
from lunomm.simulator.order_ids import OrderIds
from lunomm.simulator.public_tape import Bar, Print
from lunomm.simulator.refusals import refuse
from lunomm.simulator.venue_specs import MarketSpec


class Markets:
    """All of them, in the order listed.

    Args:
        listener: called with the market and each frame of its engine.
        make: what matches a market's orders; the simulator's engine where it is not given.

    Raises:
        ValueError: two of one name, or amounts finer than the ledger's 18 decimals.
    """

    def __init__(
        self,
        specs: Sequence[MarketSpec],
        ids: OrderIds,
        behaviour: Behaviour,
        listener: Callable[[Listing, MarketFrame], None],
        make: Callable[[MarketSpec, OrderIds, Behaviour], Matcher] | None = None,
    ) -> None:
        self._behaviour = behaviour
        self.others = ""
        """What to say besides of a market that is not here."""
        self._listed: dict[str, Listing] = {}
        self.engines: dict[str, Matcher] = {}
        for spec in specs:
            rules = spec.rules
            if rules.pair in self._listed or _too_fine(rules):
                raise ValueError(f"{rules.pair}: listed twice, or finer than {SCALE} decimals")
            engine = (make or _engine)(spec, ids, behaviour)
            self.engines[rules.pair] = engine
            self._listed[rules.pair] = listed = Listing(engine)
            engine.listener = lambda frame, listed=listed: listener(listed, frame)

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._listed.values())

    @property
    def pairs(self) -> list[str]:
        return list(self._listed)

    def __getitem__(self, pair: str) -> Listing:
        """Raises KeyError."""
        return self._listed[pair]

    def public(self, pair: str) -> Listing:
        """Raises VenueError: ErrMarketUnavailable, as the public calls say it."""
        market = self._listed.get(pair)
        if market is None:
            raise refuse("ErrMarketUnavailable", detail=self.others)
        return market

    def private(self, pair: str) -> Listing:
        """Raises VenueError: ErrInvalidMarketPair, as the calls with a key say it."""
        market = self._listed.get(pair)
        if market is None:
            raise refuse("ErrInvalidMarketPair", detail=self.others)
        return market

    def chosen(self, pairs: Sequence[str]) -> list[Listing]:
        """The named ones, all where none is named; an unknown name is left out."""
        return [market for pair, market in self._listed.items() if not pairs or pair in pairs]

    def book(self, pair: str, now_ms: int, make: Callable[[Matcher], wire.OrderBookReply]) -> wire.OrderBookReply:
        """A book made now, or within the last second where that is the behaviour. Raises VenueError: as public."""
        market = self.public(pair)
        return market.cached(now_ms, make) if self._behaviour.cached_book else make(market.engine)

    def seed_history(self, pair: str, prints: Iterable[Print], minutes: Iterable[Bar]) -> None:
        """Give a market a past: its last trades and one-minute candles, oldest first. Trade numbers go on from it."""
        market = self._listed[pair]
        market.tape.seed(prints, minutes)
        last = market.tape.last
        if last is not None:
            market.engine.next_trade = last.sequence + 1
            market.engine.last_trade = last.price

    def changeable(self, pair: str, rules: PairRules) -> Listing:
        """The market, if it can come under these rules.

        Raises:
            ValueError: rules of another market, or finer than the ledger's 18 decimals.
        """
        market = self._listed[pair]
        named = (rules.pair, rules.base, rules.counter)
        if named != (pair, market.rules.base, market.rules.counter) or _too_fine(rules):
            raise ValueError(f"{pair}: these are not rules for this market")
        return market


def _engine(spec: MarketSpec, ids: OrderIds, behaviour: Behaviour) -> Matcher:
    return Engine(spec.rules, spec.first_sequence, ids, first_trade=spec.first_trade, behaviour=behaviour)


def _too_fine(rules: PairRules) -> bool:
    return rules.price_scale + rules.volume_scale > SCALE
