"""The simulated exchange assembled: a venue, the house of each market, a past, the default account (pure).

Event-driven: :meth:`Exchange.run_until` performs what is due up to a time, in order over all markets, and the venue
queues what the streams must send. The same seed gives the same markets at any speed and under any clock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from lunomm.errors import UsageError
from lunomm.market.rules import PairRules
from lunomm.simulator import profiles
from lunomm.simulator.behaviour import Behaviour
from lunomm.simulator.draws import draws
from lunomm.simulator.flow import Flow
from lunomm.simulator.history import past_hour
from lunomm.simulator.keys import Key, KeyRing
from lunomm.simulator.ledger import FeeRates
from lunomm.simulator.replay import Recorded, Replay
from lunomm.simulator.venue import AccountSpec, MarketSpec, Venue, VenueError
from lunomm.simulator.walk import STEP_S, Walk

OWNER = "sim"
"""The usual visitor's account; also its key id and secret."""

DEFAULT_KEY = Key(OWNER, OWNER, OWNER)

_FIRST_SEQUENCE = 900_000_000
_FIRST_TRADE = 30_000_000
_STAGGER_NS = 37_000_000
"""Markets take their steps one after another, not all in the same millisecond."""

_RETAIL_COUNTER = Decimal(30_000)
"""Counter money of the default account where the currency is not in the table."""


class House(Protocol):
    """What moves a market: a seeded flow, a recording, or an upstream."""

    @property
    def next_ns(self) -> int | None: ...
    def act(self, now_ns: int) -> None: ...
    def repair(self, now_ms: int) -> None: ...


@dataclass(frozen=True)
class Setting:
    """What this exchange is, for screens and ``/sim/info``. profile None: a tape, or an upstream. truth: by pair."""

    seed: int
    profile: str | None
    tape: str | None
    fee_tier: int
    truth: Mapping[str, Mapping[str, float | str | None]]
    upstream: str | None = None


class Exchange:
    """A venue and what moves its markets."""

    def __init__(self, venue: Venue, houses: Mapping[str, House], setting: Setting, keys: Sequence[Key] = ()) -> None:
        self.venue = venue
        self.keys = KeyRing([DEFAULT_KEY, *keys])
        self.houses = dict(houses)
        self.setting = setting
        self._late: list[tuple[int, str, str, float]] = []
        """Cancels that come after their reply: due ns, owner, order, share that fills before."""

    @property
    def pairs(self) -> list[str]:
        return self.venue.pairs

    @property
    def next_ns(self) -> int | None:
        """Exchange time of the next thing to happen; None when nothing ever will."""
        late = [due for due, *_ in self._late]
        return min([due for house in self.houses.values() if (due := house.next_ns) is not None] + late, default=None)

    def run_until(self, now_ns: int, limit: int) -> bool:
        """Perform what is due, at most ``limit`` actions. Returns whether nothing due is left."""
        self._cancel_late(now_ns)
        for _ in range(limit):
            due, house = None, None
            for candidate in self.houses.values():
                next_ns = candidate.next_ns
                if next_ns is not None and (due is None or next_ns < due):
                    due, house = next_ns, candidate
            if due is None or house is None or due > now_ns:
                return True
            house.act(now_ns)
            for pair in self.venue.trigger_stops(due // 1_000_000):
                self.visited(pair, due // 1_000_000)
        next_due = self.next_ns
        return next_due is None or next_due > now_ns

    def cancel_late(self, due_ns: int, owner: str, order_id: str, share: float) -> None:
        """At that time the house takes a share of the order, and then it is cancelled: its owner was told before."""
        self._late.append((due_ns, owner, order_id, share))

    def _cancel_late(self, now_ns: int) -> None:
        for entry in [entry for entry in self._late if entry[0] <= now_ns]:
            self._late.remove(entry)
            due_ns, owner, order_id, share = entry
            self.venue.fill_order(due_ns // 1_000_000, owner, order_id, share)
            with contextlib.suppress(VenueError):  # filled whole, or cancelled by another way, in between
                self.venue.stoporder(due_ns // 1_000_000, owner, order_id)

    def visited(self, pair: str, now_ms: int) -> None:
        """To be called after a visitor acted in a market: the house puts back what he took."""
        house = self.houses.get(pair)
        if house is not None:
            house.repair(now_ms)

    def change_rules(self, now_ms: int, pair: str, rules: PairRules) -> None:
        """New scales or limits for an open market: all its orders go, and the house opens its book anew.

        Raises:
            ValueError: rules of another market, or a recording moves it.
        """
        house = self.houses[pair]
        if not isinstance(house, Flow):
            raise ValueError(f"{pair}: the rules of a recording do not change")
        self.venue.change_rules(now_ms, pair, rules)
        self.houses[pair] = house.reopened()

    def snapshot_raw(self, pair: str) -> str | None:
        """The first frame of a new market stream; None: it comes with the upstream's next snapshot."""
        house = self.houses.get(pair)
        recorded = house.opening_raw if isinstance(house, Replay) else None
        return self.venue.matcher(pair).snapshot_raw() if recorded is None else recorded


def seeded(
    pairs: Sequence[str],
    *,
    profile: str | None,
    seed: int,
    fee_tier: int,
    start_ns: int,
    keys: Sequence[Key] = (),
    switches: Behaviour | None = None,
) -> Exchange:
    """The whole catalogue under a seeded flow, open since an hour at ``start_ns`` (exchange time, Unix ns).

    profile: for the pairs named; None: each pair's own. keys: beside the usual one; each account they speak for is
    given the same money.

    Raises:
        UsageError: an unlisted pair, an unknown profile.
    """
    opened = profiles.choose(pairs, profile)
    streams = {pair: draws(seed, pair) for pair in opened}
    specs = [MarketSpec(market.rules, _FIRST_SEQUENCE, _FIRST_TRADE) for market, _ in opened.values()]
    rules = [market.rules for market, _ in opened.values()]
    venue = Venue(specs, accounts(keys, rules, fee_tier), draws(seed, "ids").ids, switches)
    houses: dict[str, House] = {}
    truth: dict[str, dict[str, float | str | None]] = {}
    for index, (pair, (market, behaviour)) in enumerate(opened.items()):
        past = past_hour(behaviour, market, streams[pair].past, seed, start_ns // 1_000_000, _FIRST_TRADE)
        venue.seed_history(pair, past.trades, past.minutes)
        ahead = round(behaviour.horizon_s / STEP_S)
        walk = Walk(seed, market.rules.base, market.rules.counter, ahead)
        begin_ns = start_ns - index * _STAGGER_NS % round(STEP_S * 1e9)
        flow = Flow(behaviour, market, venue.engine(pair), streams[pair], walk, begin_ns)
        flow.act(flow.next_ns)
        houses[pair] = flow
        truth[pair] = profiles.truth(behaviour, market)
    venue.drain()  # the opening of the books: nobody was there to see it
    main = profile or opened[next(iter(opened))][1].name
    return Exchange(venue, houses, Setting(seed, main, None, fee_tier, truth), keys)


def replayed(
    rules: PairRules,
    frames: Iterable[Recorded],
    *,
    name: str,
    seed: int,
    fee_tier: int,
    keys: Sequence[Key] = (),
    switches: Behaviour | None = None,
) -> Exchange:
    """One market re-enacted from a recording; ``name`` is what to call it. keys, switches: as :func:`seeded`.

    Raises:
        UsageError, BookError: as :class:`Replay`.
    """
    recorded = iter(frames)
    first = next(recorded, None)
    if first is None:
        raise UsageError(f"{name}: the tape is empty", code="BAD_TAPE")
    # Digits as recorded: padded to eight in 2021, trimmed since.
    asked = switches or Behaviour()
    style = replace(asked, padded_decimals=asked.padded_decimals or '.00000000"' in first.raw[:4096])
    venue = Venue([MarketSpec(rules)], accounts(keys, [rules], fee_tier), draws(seed, "ids").ids, style)
    house = Replay(venue, rules.pair, _chain(first, recorded))
    venue.drain()
    return Exchange(venue, {rules.pair: house}, Setting(seed, None, name, fee_tier, {}), keys)


def tape_rules(pair: str, inferred: PairRules) -> PairRules:
    """The rules to trade a tape under: the catalogue's where they have its grid, else those inferred from it."""
    known = profiles.CATALOGUE.get(pair)
    grid = (inferred.price_scale, inferred.volume_scale)
    if known is None or (known.rules.price_scale, known.rules.volume_scale) != grid:
        return inferred
    return known.rules


def _chain(first: Recorded, rest: Iterable[Recorded]) -> Iterable[Recorded]:
    yield first
    yield from rest


def accounts(keys: Sequence[Key], markets: Sequence[PairRules], fee_tier: int) -> list[AccountSpec]:
    """The usual visitor's account and those of the keys, with the same money and the fees of the tier."""
    fees: dict[str, FeeRates] = {}
    balances: dict[str, Decimal] = {}
    for rules in markets:
        fees[rules.pair] = profiles.fees(fee_tier, rules.counter, rules.base)
        balances[rules.base] = profiles.WALLET.get(rules.base, 1000 * rules.min_volume)
        balances[rules.counter] = profiles.WALLET.get(rules.counter, _RETAIL_COUNTER)
    return [AccountSpec(owner, balances, fees) for owner in dict.fromkeys([OWNER, *(key.owner for key in keys)])]
