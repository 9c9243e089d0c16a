"""``lunomm pairs``: every market of the venue, ranked by what making it would earn for its risk, from one REST sweep.

Two calls show all markets and their touches; then two a market that trades (its past, and the account's fee), or one
without a key. No Redis, no stream, nothing written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lunomm.commands import venue_finder
from lunomm.commands.present import envelope, is_screen, printed_width, put_line, put_screen, say
from lunomm.config import Common, upstream_place
from lunomm.errors import ConnectivityError, CredentialsError, LunommError, RateLimited, UsageError
from lunomm.luno import wire
from lunomm.luno.budget import CallBudget
from lunomm.luno.fields import decimal
from lunomm.luno.hosts import ApiKey, Endpoint, endpoint
from lunomm.luno.rest import LunoRest
from lunomm.market.pairs import Market, Row, daily_sigma, entry_fee, rank, why_not_trading
from lunomm.market.rules import parse_decimal
from lunomm.options.exchange import ExchangeOptions
from lunomm.options.pairs import PairsOptions
from lunomm.views.pairs import PairsView, pairs_screen

T = TypeVar("T")

WORKERS = 4
"""Calls under way at once: enough to hide the way to Luno, few enough that each waits little for the budget."""

LOST_IN_A_ROW = 3
"""So many calls unanswered one after the other are a lost connection, not a slow market."""

PATIENCE = 5
"""Waits for the exchange's own pause (429) before a figure is given up."""

HISTORY_MS = 1000 * 60_000
"""A thousand one-minute candles, as many as one call returns."""

NO_KEY = "no key: fees are Luno's published entry tier, volatilities of the last hundred trades; any key reads candles"

Step = tuple[Literal["past", "fee"], str]
"""One call and its pair."""


def sweep_budget() -> CallBudget:
    """200 calls a minute, so that a gateway of the same key keeps a third of Luno's 300 for orders and cancels."""
    return CallBudget(limit=200, reserve=0, burst=20)


def steps(markets: Sequence[Market], *, keyed: bool) -> list[Step]:
    """The calls a sweep makes after the first two: none for a market that cannot be made anyway."""
    found: list[Step] = []
    for market in markets:
        if not why_not_trading(market):
            found.append(("past", market.pair))
            if keyed:
                found.append(("fee", market.pair))
    return found


async def run(common: Common, options: PairsOptions) -> dict[str, Any]:
    """Sweep, rank, print, and return what ``--json`` prints.

    Raises:
        UsageError: no market has such a counter currency.
        ConnectivityError, ExchangeError, MarketDataError: the exchange cannot be read.
    """
    place, key = await _place(common)
    async with LunoRest(place, key, sweep_budget()) as rest:
        listed = await _patient(lambda: rest.markets())
        tickers = await _patient(lambda: rest.tickers())
        markets = _chosen(as_markets(listed, tickers), options.counters)
        async with Sweep(rest, markets, key is not None).watched(quiet=common.json) as sweep:
            await sweep.run()
    ranking = rank(sweep.markets.values())
    view = PairsView(ranking, place.rest, options.top, sweep.note)
    data = pairs_data(view)
    if common.json:
        put_line(envelope("pairs", data))
    else:
        put_screen(pairs_screen(view, printed_width()))
    return data


async def _place(common: Common) -> tuple[Endpoint, ApiKey | None]:
    if common.mode == "live":
        return endpoint(common.url), common.key
    if common.mode == "paper" and common.url is None:
        # What is read is the market's own: no need to start an exchange that only passes it on.
        place = upstream_place(common.upstream)
        return place, common.key or (None if place.is_luno else venue_finder.SIM_KEY)
    if common.url is not None:
        info = await venue_finder.sim_at(common.url, common.mode)
    else:
        found = await venue_finder.find_or_start(common.state_dir, ExchangeOptions(), say)
        assert found is not None
        info = found
    return endpoint(info.url), venue_finder.SIM_KEY


def _chosen(markets: Sequence[Market], counters: Sequence[str]) -> list[Market]:
    known = {market.counter for market in markets}
    for name in counters:
        if name not in known:
            there = ", ".join(sorted(known)[:30]) or "none"
            raise UsageError(f"--counter: no market is in {name}. Counter currencies here: {there}")
    return [market for market in markets if not counters or market.counter in counters]


def as_markets(listed: Sequence[wire.MarketInfo], tickers: Sequence[wire.Ticker]) -> list[Market]:
    """What the first two calls say. A row that contradicts itself is a market whose trouble says so."""
    touch = {ticker.pair: ticker for ticker in tickers}
    found: dict[str, Market] = {}
    for row in listed:
        market = Market(
            row.market_id[:20], row.base_currency[:20], row.counter_currency[:20], row.trading_status[:20] or "UNKNOWN"
        )
        try:
            row.rules()
            market = replace(market, min_volume=parse_decimal(row.min_volume))
        except LunommError as error:
            found[market.pair] = replace(market, status="UNREADABLE", trouble=str(error)[:120])
            continue
        ticker = touch.get(row.market_id)
        if ticker is None:
            found[market.pair] = replace(market, trouble="no ticker")
            continue
        found[market.pair] = replace(
            market,
            # Two lists, two caches: it trades when both say so.
            status=market.status if market.status != "ACTIVE" else ticker.status[:20] or "UNKNOWN",
            bid=_price(ticker.bid),
            ask=_price(ticker.ask),
            volume_24h=decimal(ticker.rolling_24_hour_volume),
        )
    return list(found.values())


def _price(text: str) -> Decimal | None:
    """An empty side is 0.00."""
    return decimal(text) or None


class Sweep:
    """The calls of one sweep. markets: by pair, more complete with each answer. note: what holds for all of them."""

    def __init__(self, rest: LunoRest, markets: Sequence[Market], keyed: bool) -> None:
        self.note = "" if keyed else NO_KEY
        self.markets = {market.pair: market for market in markets}
        if not keyed:
            self.markets = {pair: _assumed(market) for pair, market in self.markets.items()}
        self._rest = rest
        self._candles_too = self._fees_too = keyed
        self._left = steps(markets, keyed=keyed)[::-1]
        self._lost = 0
        self._progress: Progress | None = None

    @asynccontextmanager
    async def watched(self, *, quiet: bool) -> AsyncIterator[Sweep]:
        """With a progress bar on stderr where somebody watches it."""
        console = Console(stderr=True)
        with Progress(
            TextColumn("reading the markets"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("calls"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not is_screen(console),
        ) as self._progress:
            yield self

    async def run(self) -> None:
        """All calls, a few at once.

        Raises:
            ConnectivityError: several in a row were not answered.
        """
        assert self._progress is not None
        task = self._progress.add_task("", total=len(self._left))

        async def work() -> None:
            while self._left:
                kind, pair = self._left.pop()
                await self._one(kind, pair)
                assert self._progress is not None
                self._progress.advance(task)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _one(self, kind: Literal["past", "fee"], pair: str) -> None:
        try:
            if kind == "fee":
                await self._fee(pair)
            else:
                await self._past(pair)
            self._lost = 0
        except ConnectivityError as error:
            self._lost += 1
            if self._lost >= LOST_IN_A_ROW:
                raise
            self._trouble(pair, error)
        except LunommError as error:
            self._lost = 0
            self._trouble(pair, error)

    def _trouble(self, pair: str, error: LunommError) -> None:
        self.markets[pair] = replace(self.markets[pair], trouble=str(error)[:120])

    async def _fee(self, pair: str) -> None:
        if not self._fees_too:
            self.markets[pair] = _assumed(self.markets[pair])
            return
        try:
            info = await _patient(lambda: self._rest.fee_info(pair))
        except CredentialsError as error:
            # One refusal of the key is one of all pairs: the sweep goes on with what anybody may ask.
            self._fees_too = False
            self.note = f"the account's fees cannot be read ({str(error)[:160]}): fees are Luno's published entry tier"
            self.markets[pair] = _assumed(self.markets[pair])
            return
        self.markets[pair] = replace(self.markets[pair], maker_fee=info.rates()[0])

    async def _past(self, pair: str) -> None:
        prices = await self._candles(pair) if self._candles_too else None
        if prices is None:
            trades = await _patient(lambda: self._rest.trades(pair))
            # Luno lists the newest first, and within one instant the last trade counts.
            prices = [(trade.timestamp, float(trade.price)) for trade in reversed(trades)]
        sigma, span_s = daily_sigma(sorted(prices, key=lambda one: one[0]))
        known = len(dict(prices))
        self.markets[pair] = replace(self.markets[pair], sigma=sigma, prices=known, span_s=span_s)

    async def _candles(self, pair: str) -> list[tuple[int, float]] | None:
        """Closes of minutes in which something traded; None where the key may not ask."""
        now_ms = self._rest.last_date_ms() or time.time_ns() // 1_000_000
        try:
            candles = await _patient(lambda: self._rest.candles(pair, now_ms - HISTORY_MS, 60))
        except CredentialsError:
            self._candles_too = False
            return None
        return [(candle.timestamp, float(candle.close)) for candle in candles if decimal(candle.volume) > 0]


def _assumed(market: Market) -> Market:
    return replace(market, maker_fee=entry_fee(market.base, market.counter), fee_assumed=True)


async def _patient(call: Callable[[], Awaitable[T]]) -> T:
    """The answer; a refusal for the number of calls is waited out, a few times."""
    left = PATIENCE
    while True:
        try:
            return await call()
        except RateLimited as error:
            left -= 1
            if not left:
                raise
            await asyncio.sleep(min(max(error.retry_after_s or 1.0, 0.1), 60.0))


def pairs_data(view: PairsView) -> dict[str, Any]:
    """What ``--json`` prints. Fractions are not in bp unless the name says so; amounts of Decimal are strings."""
    ranking = view.ranking
    shown = ranking.rows if view.top is None else ranking.rows[: view.top]
    return {
        "url": view.url,
        "currency": ranking.currency,
        "markets": len(ranking.rows) + len(ranking.others),
        "ranked": len(ranking.rows),
        "paying": ranking.paying,
        "fees": "assumed" if any(row.market.fee_assumed for row in ranking.rows) else "account",
        "note": view.note,
        "rows": [{"rank": place, **_row(row)} for place, row in enumerate(shown, 1)],
        "not_ranked": [_row(row) for row in ranking.others],
    }


def _row(row: Row) -> dict[str, Any]:
    market = row.market
    return {
        "pair": market.pair,
        "status": market.status,
        "counter": market.counter,
        "bid": market.bid,
        "ask": market.ask,
        "spread_bp": _bp(market.spread),
        "maker_fee_bp": _bp(None if market.maker_fee is None else float(market.maker_fee)),
        "fee_assumed": market.fee_assumed,
        "break_even_bp": _bp(market.break_even),
        "edge_bp": _bp(market.edge),
        "min_volume": market.min_volume,
        "min_value_counter": market.min_value,
        "min_value": row.min_value,
        "volume_24h": market.volume_24h,
        "value_24h": row.value_24h,
        "sigma_daily_percent": None if market.sigma is None else market.sigma * 100,
        "sigma_prices": market.prices,
        "sigma_span_s": market.span_s,
        "score": row.score,
        "pays": row.pays,
        "why": row.why,
    }


def _bp(fraction: float | None) -> float | None:
    return None if fraction is None else round(fraction * 1e4, 6)
