"""Asks the exchange about itself, the key and the market; and tries an order at a simulated one of this process.

Nothing is ever placed anywhere else. Every wait is bounded: an exchange that is not there costs a few seconds.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from lunomm.checks.venue import KeyFacts, SelfTest, VenueFacts
from lunomm.commands import venue_finder
from lunomm.commands.ranking import as_markets
from lunomm.config import Common, upstream_place
from lunomm.errors import ConnectivityError, CredentialsError, LunommError
from lunomm.luno import as_events
from lunomm.luno.budget import CallBudget
from lunomm.luno.clock_check import ENOUGH, ClockCheck
from lunomm.luno.fields import decimal
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.market.pairs import entry_fee
from lunomm.market.rules import PairRules, Side

T = TypeVar("T")

CALL_S = 2.5
LONGEST_S = 12.0
"""Of everything asked of the exchange. One that does not answer at all is given up after its first call."""

SELF_TEST_S = 20.0
BELOW = Decimal("0.7")
"""Of the best bid: where the self-test's order rests, far from any trade."""


@dataclass
class Told:
    """What the exchange told. held: base and counter owned, where the key may see it. rules: of the pair."""

    venue: VenueFacts
    key: KeyFacts
    held: dict[str, Decimal] | None = None
    price: Decimal | None = None
    took: list[float] = field(default_factory=list)

    @property
    def rules(self) -> PairRules | None:
        return self.venue.rules


async def place_of(common: Common) -> tuple[Endpoint, ApiKey | None, str] | None:
    """Where to ask, with what, and what to call it; None: nothing of ours runs yet.

    Raises:
        ConnectivityError, UsageError, ConfigError: an exchange that was named is not there, or is of another mode.
    """
    if common.mode == "live":
        place = endpoint(common.url)
        return place, common.key, place.host
    if common.mode == "paper" and common.url is None:
        place = upstream_place(common.upstream)
        return place, common.key or (None if place.is_luno else venue_finder.SIM_KEY), place.host
    if common.url is not None:
        info = await venue_finder.sim_at(common.url, common.mode)
    else:
        noted = venue_finder.noted_exchange(common.state_dir, common.mode)
        found = None if noted is None else await venue_finder.ask(noted.url)
        if found is None or noted is None or found.run_id != noted.run_id:
            return None
        info = found
    return endpoint(info.url), venue_finder.SIM_KEY, f"the {venue_finder.WORDS[info.mode]} exchange at {info.url}"


async def ask_venue(common: Common, pair: str, key: KeyFacts, place: Endpoint, login: ApiKey | None, name: str) -> Told:
    """Everything it says, as far as it says it within the time."""
    told = Told(VenueFacts(name), key)
    try:
        async with (
            asyncio.timeout(LONGEST_S),
            LunoRest(place, login, CallBudget(), timeout_s=CALL_S, write_timeout_s=CALL_S) as rest,
        ):
            await _Asking(rest, told, common, pair).all()
    except TimeoutError:
        error = f"{name}: not all was answered within {LONGEST_S:g} s. Try again, or look whether the exchange is well"
        told.venue = replace(told.venue, error=error)
    except LunommError as error:
        told.venue = replace(told.venue, error=f"{name}: {error}")
    return told


class _Asking:
    def __init__(self, rest: LunoRest, told: Told, common: Common, pair: str) -> None:
        self._rest, self._told, self._common, self._pair = rest, told, common, pair
        self._check = ClockCheck()

    async def all(self) -> None:
        await self._public()
        if self._common.mode != "sim" and self._common.key is not None:
            await self._user_key()
        await self._fees()
        for _ in range(ENOUGH):
            await self._call(
                lambda: self._rest.ticker(self._pair) if self._told.rules else self._rest.markets(self._pair)
            )
        self._tell(clock=self._check.problem(time.monotonic_ns()), took_ms=statistics.median(self._told.took))
        skew = self._rest.skew()
        if skew is not None:
            self._tell(offset_ms=skew.offset_ms, error_ms=skew.error_ms)

    def _tell(self, **facts: Any) -> None:
        self._told.venue = replace(self._told.venue, **facts)

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        began = time.perf_counter()
        answer = await ask()
        self._told.took.append((time.perf_counter() - began) * 1e3)
        self._check.add(self._rest.skew(), time.monotonic_ns())
        return answer

    async def _public(self) -> None:
        listed = await self._call(self._rest.markets)
        row = next((row for row in listed if row.market_id == self._pair), None)
        if row is None:
            near = sorted(each.market_id[:12] for each in listed if each.market_id[:3] == self._pair[:3])[:6]
            self._tell(markets=len(listed), near=near)
            return
        ticker = await self._call(lambda: self._rest.ticker(self._pair))
        (market,) = as_markets([row], [ticker])
        self._tell(markets=len(listed), rules=row.rules(), market=market)
        self._told.price = market.mid

    async def _fees(self) -> None:
        market = self._told.venue.market
        if market is None:
            return
        said = "no key to ask with"
        if self._common.mode == "sim" or self._told.key.accepted:
            try:
                fees = await self._call(lambda: self._rest.fee_info(self._pair))
                maker, taker = fees.rates()
            except CredentialsError:
                said = "this key may not view orders"
            else:
                self._tell(
                    market=replace(market, maker_fee=maker), taker_fee=taker, traded=decimal(fees.thirty_day_volume)
                )
                return
        assumed = replace(market, maker_fee=entry_fee(market.base, market.counter), fee_assumed=True)
        self._tell(market=assumed, fees_said=said)

    async def _user_key(self) -> None:
        """Whether it is accepted, and what it may do; asked by reading, and by cancelling what does not exist."""
        key, rest = self._told.key, self._rest
        now_ms = rest.last_date_ms() or time.time_ns() // 1_000_000
        try:
            await self._call(lambda: rest.candles(self._pair, now_ms - 120_000, 60))
        except CredentialsError as error:
            self._told.key = replace(key, accepted=False, refusal=str(error))
            return
        balances = await self._permitted(rest.balances)
        accounts = balances or []
        may: dict[str, bool | None] = {"balance": balances is not None}
        if accounts:
            number = int(accounts[0].account_id)
            may["transactions"] = await self._permitted(lambda: rest.transactions(number, -1, 0)) is not None
        may["orders"] = await self._permitted(lambda: rest.list_orders(self._pair, limit=1)) is not None
        sends = None
        if self._common.mode == "live":
            # Paper trading sends the exchange nothing but reads, and so does a look at it.
            may["trade"], sends = await rest.may_trade(), await rest.may_send()
        self._told.key = replace(key, accepted=True, may=may, sends=sends, withdrawals=await rest.may_see_withdrawals())
        rules = self._told.rules
        if balances is not None and rules is not None:
            held = dict.fromkeys((rules.base, rules.counter), Decimal(0))
            for wallet in as_events.venue_balances(balances):
                if wallet.asset in held:
                    held[wallet.asset] += wallet.total
            self._told.held = held

    async def _permitted(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None where the key may not have it."""
        try:
            return await self._call(ask)
        except CredentialsError:
            return None


# --- the self-test ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def own_exchange(pair: str) -> AsyncIterator[Endpoint]:
    """A simulated exchange in this process, on a loopback port of its own, for as long as it is wanted."""
    from lunomm.simulator.exchange import seeded
    from lunomm.simulator.profiles import CATALOGUE
    from lunomm.simulator.server import ExchangeServer, bind

    known = pair if pair in CATALOGUE else "XBTMYR"
    exchange = await asyncio.to_thread(
        seeded, (known,), profile=None, seed=1, fee_tier=0, start_ns=time.time_ns() // 1_000_000 * 1_000_000
    )
    listening = bind(0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = ExchangeServer(exchange, time.time_ns)
    started = asyncio.Event()
    serving = asyncio.create_task(server.serve(listening, started=started), name="doctor:exchange")
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not started.is_set():
            serving.result()
            raise ConnectivityError("the self-test's exchange ended as it started")
        yield endpoint(url)
    finally:
        waiting.cancel()
        server.stop()
        await asyncio.wait((serving,))


async def self_test(place: Endpoint, pair: str) -> SelfTest:
    """An order rests, is listed, is cancelled, and two listings are empty."""
    began = time.perf_counter()
    step = "it could not be asked"
    try:
        async with asyncio.timeout(SELF_TEST_S), LunoRest(place, venue_finder.SIM_KEY, CallBudget()) as rest:
            rows = await rest.markets()
            row = next((row for row in rows if row.market_id == pair), rows[0])
            rules, name = row.rules(), row.market_id
            ticker = await rest.ticker(name)
            price = rules.price(rules.bid_ticks(Decimal(ticker.bid) * BELOW))
            step = "the order was not taken"
            at = time.perf_counter()
            order_id = await rest.post_order(
                pair=name,
                side=Side.BID,
                volume=rules.min_volume,
                price=price,
                client_order_id=f"lunomm-doctor-{time.time_ns()}",
                timestamp_ms=time.time_ns() // 1_000_000,
                ttl_ms=3_000,
            )
            order_ms = (time.perf_counter() - at) * 1e3
            step = "the order was not listed"
            if [order.order_id for order in await rest.open_orders(name)] != [order_id]:
                return SelfTest(failed=step)
            step = "the cancel was not taken"
            at = time.perf_counter()
            gone = await rest.stop_order(order_id)
            cancel_ms = (time.perf_counter() - at) * 1e3
            if not gone:
                return SelfTest(failed=step)
            step = "orders were left"
            if await rest.open_orders(name) or await rest.open_orders(None):
                return SelfTest(failed=step)
    except (LunommError, TimeoutError, ArithmeticError, IndexError) as error:
        return SelfTest(failed=f"{step}: {str(error) or type(error).__name__}")
    return SelfTest(order_ms=order_ms, cancel_ms=cancel_ms, took_s=time.perf_counter() - began)
