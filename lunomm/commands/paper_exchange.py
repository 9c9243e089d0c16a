"""The paper exchange: an upstream's market passed on as it comes, orders answered by the paper venue.

What leaves this process: one market stream a pair, and GET of public data (``luno/public.py``). There is no client for
order calls here. The market's frames go to whoever listens byte for byte; one who comes later first gets a snapshot
made of what they told so far.

Latency: we see a frame when it has come from the market, and an order sent on what we see would meet a market that is
one way of the stream plus one way of the order later. So a call that acts waits for a whole round trip, as measured on
the public data passed on, meets the market as it is seen then, and is answered at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from lunomm.commands.present import say
from lunomm.commands.venue_finder import SIM_KEY
from lunomm.config import Common, upstream_place
from lunomm.errors import BookError, ConfigError, ConnectivityError, ExchangeError, MarketDataError, UsageError
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.public import PublicData
from lunomm.luno.stream import Frame, Lost, MarketStream
from lunomm.market.rules import PairRules
from lunomm.options.exchange import ExchangeOptions
from lunomm.simulator.exchange import OWNER, Exchange, Setting, accounts
from lunomm.simulator.streams import Streams
from lunomm.simulator.venue import AccountSpec
from lunomm.tape.paper import PaperVenue, paper_venue
from lunomm.tape.paper_log import Listed, Opened, Row, Scribe, restore
from lunomm.tape.paper_market import PaperMarket
from lunomm.tape.paper_state import PaperState, state_path

LATENCY_S = 0.15
"""Where no round trip was measured yet."""

RULES_EVERY_S = 60.0
LOOK_AGAIN_S = 1.0
"""Shortest time between two reads of the rules, also where the upstream cannot be understood."""

MEASURED = 3
"""Calls made at the start, so that there is a median to begin with."""


class _House:
    """The market of one pair is moved by its upstream; what a visitor changed is saved before he is answered."""

    next_ns: int | None = None

    def __init__(self, state: PaperState) -> None:
        self._state = state

    def act(self, now_ns: int) -> None:
        raise ValueError("the upstream acts, nobody else")

    def repair(self, now_ms: int) -> None:
        self._state.commit()


class UpstreamMarket:
    """Made by :func:`open_upstream`. run_id: of the paper account, the same in each of its lives."""

    def __init__(
        self,
        place: Endpoint,
        key: ApiKey,
        public: PublicData,
        paper: PaperVenue,
        state: PaperState,
        options: ExchangeOptions,
    ) -> None:
        self.public = public
        self.run_id = state.run_id
        houses = {pair: _House(state) for pair in paper.pairs}
        setting = Setting(0, None, None, options.fee_tier, {}, place.rest)
        self.exchange = Exchange(paper.venue, houses, setting)
        self._paper = paper
        self._state = state
        self._place, self._key = place, key
        self._latency_s = None if options.latency_ms is None else options.latency_ms / 1000
        self._doubt = asyncio.Event()
        paper.venue.say_of_others(
            f"this paper exchange follows {', '.join(paper.pairs)}. Start it again with every pair you want"
        )

    def delay_s(self) -> float:
        """From a request to the market and back."""
        if self._latency_s is not None:
            return self._latency_s
        return LATENCY_S if self.public.round_trip_s is None else self.public.round_trip_s

    def follow(self, listeners: Streams) -> list[Coroutine[Any, Any, None]]:
        """One task a pair and one for the rules, for ever; each raises what cannot go on."""
        return [*(self._follow(pair, listeners) for pair in self._paper.pairs), self._watch_rules()]

    async def _watch_rules(self) -> None:
        """Read the rules every minute, and as soon as the upstream cannot be understood.

        Raises:
            ConfigError: a market's scales are others now: what we hold is counted in the old ones.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RULES_EVERY_S):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                listed = await _listed(self.public)
            except (ConnectivityError, ExchangeError):
                listed = {}  # not told: the next look is
            for pair in self._paper.pairs:
                if pair in listed:
                    self._take_rules(self._paper.market(pair), listed[pair])
            await asyncio.sleep(LOOK_AGAIN_S)

    def _take_rules(self, market: PaperMarket, now: PairRules) -> None:
        before = market.rules
        if _scales(now) != _scales(before):
            resting = len(market.orders)
            raise ConfigError(
                f"{now.pair}: the upstream changed its scales while this ran: price decimals {before.price_scale}, now "
                f"{now.price_scale}; volume decimals {before.volume_scale}, now {now.volume_scale}. This paper "
                f"account and its {resting} open orders count in the old: move {self._state.path} away and start anew",
                code="RULES_CHANGED",
            )
        if now.grid != before.grid:
            market.relimit(now)
            say(f"{now.pair}: the upstream changed its limits; orders are held to the new ones from now on")

    async def _follow(self, pair: str, listeners: Streams) -> None:
        async with MarketStream(self._place, self._paper.market(pair).rules, self._key) as stream:
            async for item in stream:
                if isinstance(item, Lost):
                    self._lose(pair, listeners)
                    self._doubt.set()
                elif not self._take(pair, item):
                    stream.resync("a frame that does not fit the book")
                    self._lose(pair, listeners)
                    self._doubt.set()
                listeners.pump()

    def _take(self, pair: str, frame: Frame) -> bool:
        """Pass a frame on, and let it reach our orders. False: it does not fit."""
        self.exchange.venue.pass_on(pair, frame.raw, frame.event.exchange_ns // 1_000_000)
        try:
            self._paper.feed(pair, frame.event)
        except MarketDataError:
            return False
        finally:
            # Fills are on disk before anybody hears of them.
            self._state.commit()
        return True

    def _lose(self, pair: str, listeners: Streams) -> None:
        self._paper.lost(pair)
        listeners.pump()
        listeners.hang_up(pair)


@contextlib.asynccontextmanager
async def open_upstream(common: Common, options: ExchangeOptions, folder: Path) -> AsyncIterator[UpstreamMarket]:
    """The market and the account, as it was left.

    Raises:
        ConfigError: no key for Luno, or an upstream that is neither Luno nor on this machine.
        ConnectivityError, CredentialsError, RateLimited: the upstream cannot be asked.
        UsageError: it does not list a pair. JournalError: the account's file cannot be trusted. InstanceError: in use.
    """
    place = upstream_place(options.upstream or "")
    key = common.key if common.key is not None or place.is_luno else SIM_KEY
    if key is None:
        raise ConfigError(
            "--upstream luno: reading the market needs LUNO_KEY_ID and LUNO_KEY_SECRET of a key that may only read. "
            "Put both into .env or the environment",
            code="NO_KEYS",
        )
    async with PublicData(place, key) as public:
        listed = await _listed(public)
        # Before the doors open: a key that is not accepted would end the exchange as soon as somebody used it.
        await public.check_key(options.pairs[0])
        if options.latency_ms is None:
            for _ in range(MEASURED):
                await public.get("/api/1/ticker", f"pair={options.pairs[0]}")
        state = PaperState(state_path(folder, place.rest), place.rest)
        try:
            paper = _account(state, options, listed)
            yield UpstreamMarket(place, key, public, paper, state, options)
        finally:
            state.close()


async def _listed(public: PublicData) -> dict[str, PairRules]:
    """The markets whose rules can be read."""
    found: dict[str, PairRules] = {}
    for row in await public.markets():
        with contextlib.suppress(BookError):
            found[row.market_id] = row.rules()
    return found


def _scales(rules: PairRules) -> tuple[int, int, str, str]:
    return rules.price_scale, rules.volume_scale, rules.base, rules.counter


def _account(state: PaperState, options: ExchangeOptions, listed: dict[str, PairRules]) -> PaperVenue:
    """The venue with the account as its rows tell it, or a new one."""
    rows = state.compact(state.rows())
    traded = {row.rules.pair: row.rules for row in rows if isinstance(row, Listed)}
    for pair in options.pairs:
        if pair not in listed:
            some = ", ".join(sorted(listed)[:20])
            raise UsageError(f"unknown pair: {pair}: the exchange lists {some}", code="UNKNOWN_PAIR")
    rules = {pair: listed.get(pair, before) for pair, before in traded.items()}
    rules.update({pair: listed[pair] for pair in options.pairs})
    for pair, before in traded.items():
        if _scales(before) != _scales(rules[pair]):
            raise ConfigError(
                f"{pair}: its scales have changed since this paper account traded it. Move {state.path} away to begin "
                "anew",
                code="PAPER_STATE",
            )
    account = _money(state, rows, options, list(rules.values()))
    paper = paper_venue(list(rules.values()), [account], random.SystemRandom())
    resting = restore(paper, rows)
    Scribe(paper, state.write, traded)
    state.commit()
    if rows:
        say(f"the paper account {state.run_id} goes on: {resting} orders; what traded while it was away is unknown")
        if options.balances:
            say(f"--balance: is of a new account. Move {state.path} away to begin one")
    return paper


def _money(state: PaperState, rows: Sequence[Row], options: ExchangeOptions, rules: Sequence[PairRules]) -> AccountSpec:
    """What the account began with; assets it had no wallet of are opened now."""
    usual = accounts((), rules, options.fee_tier)[0]
    opened: dict[str, Decimal] = {}
    for row in rows:
        if isinstance(row, Opened):
            opened.update({asset: Decimal(text) for asset, text in row.balances.items()})
    said = dict(text.split("=") for text in options.balances)
    fresh = {asset: said.get(asset, f"{amount:f}") for asset, amount in usual.balances.items() if asset not in opened}
    unknown = [asset for asset in said if asset not in usual.balances]
    if unknown:
        raise UsageError(f"--balance: {unknown[0]}: is of no market here. Assets: {', '.join(usual.balances)}")
    if fresh:
        state.write(Opened(OWNER, fresh))
        opened.update({asset: Decimal(text) for asset, text in fresh.items()})
    return AccountSpec(OWNER, opened, usual.fees)
