"""What ``lunomm exchange`` shows of itself: counted each second, drawn by ``views/exchange.py``."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Any

from lunomm.options.exchange import ExchangeOptions
from lunomm.simulator import profiles
from lunomm.simulator.exchange import Exchange
from lunomm.simulator.fault_table import COMMON
from lunomm.simulator.faults import Armed
from lunomm.simulator.matcher import Matcher
from lunomm.simulator.server import ExchangeServer
from lunomm.tape.paper_market import PaperMarket
from lunomm.views.exchange import (
    ExchangeView,
    FaultRow,
    MarketRow,
    PaperRow,
    VisitorRow,
    exchange_data,
    exchange_line,
    exchange_screen,
)

RATE_S = 60


class Watch:
    """What the screen shows: counts each second, and the rates over the last minute."""

    def __init__(
        self, exchange: Exchange, server: ExchangeServer, options: ExchangeOptions, url: str, run_id: str
    ) -> None:
        self._exchange = exchange
        self._server = server
        self._options = options
        self._url = url
        self._run_id = run_id
        self._started = time.monotonic()
        self._filled: dict[str, int] = {}
        self._filled_by: dict[str, int] = {}
        self._samples: deque[tuple[float, dict[str, tuple[int, int]]]] = deque(maxlen=RATE_S + 1)
        self._take()

    async def sample(self) -> None:
        """Count once a second, for ever."""
        while True:
            await asyncio.sleep(1.0)
            self._take()

    def _take(self) -> None:
        engines = {pair: self._exchange.venue.matcher(pair) for pair in self._exchange.pairs}
        counts = {pair: (engine.sequence, engine.next_trade) for pair, engine in engines.items()}
        if self._samples and any(not sequence for sequence, _ in self._samples[-1][1].values()):
            self._samples.clear()  # an upstream whose book was not known yet
        self._samples.append((time.monotonic(), counts))
        filled = [order for order in self._exchange.venue.orders() if order.filled_lots > 0]
        self._filled = Counter(order.request.pair for order in filled)
        self._filled_by = Counter(order.owner for order in filled)

    def screen(self) -> Any:
        return exchange_screen(self.view())

    def line(self) -> str:
        return exchange_line(self.view())

    def data(self) -> dict[str, Any]:
        return exchange_data(self.view())

    def view(self) -> ExchangeView:
        setting = self._exchange.setting
        rules = self._exchange.venue.matcher(self._exchange.pairs[0]).rules
        rates = profiles.fees(setting.fee_tier, rules.counter, rules.base)
        return ExchangeView(
            url=self._url,
            run_id=self._run_id,
            seed=setting.seed,
            profile=setting.profile,
            tape=setting.tape,
            upstream=setting.upstream,
            speed=self._options.speed,
            fee_tier=setting.fee_tier,
            running_s=time.monotonic() - self._started,
            streams=self._server.streams.open,
            calls=self._server.calls,
            calls_used=self._server.budgets.used(time.monotonic_ns()),
            slow_clients=self._server.streams.slow,
            markets=tuple(self._market(pair) for pair in self._exchange.pairs),
            maker_fee=rates.maker,
            taker_fee=rates.taker,
            visitors=tuple(self._visitor(owner) for owner in self._exchange.venue.owners),
            faults=tuple(_fault(armed, time.monotonic_ns()) for armed in self._server.faults.armed),
        )

    def _visitor(self, owner: str) -> VisitorRow:
        now_ns = time.monotonic_ns()
        keys = self._exchange.keys.of(owner)
        market, user = self._server.streams.of(owner)
        orders = self._exchange.venue.orders(owner, live=True)
        used = max((self._server.budgets.used_by(f"key {key}", now_ns) for key in keys), default=0)
        return VisitorRow(owner, len(keys), market, user, len(orders), self._filled_by.get(owner, 0), used)

    def _market(self, pair: str) -> MarketRow:
        venue = self._exchange.venue
        engine = venue.matcher(pair)
        (then, before), (now, after) = self._samples[0], self._samples[-1]
        span_s = max(now - then, 1e-9) * self._options.speed  # rates of its own seconds
        truth = self._exchange.setting.truth.get(pair, {})
        bid, ask = engine.best_bid(), engine.best_ask()
        kappa, sigma = _float(truth.get("kappa_relative")), _float(truth.get("sigma_daily_pct"))
        return MarketRow(
            pair=pair,
            status=engine.status.value,
            bid=None if bid is None else engine.rules.price(bid),
            ask=None if ask is None else engine.rules.price(ask),
            updates_per_s=(after[pair][0] - before[pair][0]) / span_s,
            trades_per_min=(after[pair][1] - before[pair][1]) / span_s * 60,
            streams=self._server.streams.listeners(pair),
            orders=len(venue.orders(None, pair, live=True)),
            filled=self._filled.get(pair, 0),
            profile=str(truth.get("profile", "tape" if self._exchange.setting.upstream is None else "upstream")),
            sigma_daily=None if sigma is None else sigma / 100,
            kappa_bp=None if kappa is None else 1e4 / kappa,
            intensity=_float(truth.get("intensity")),
            taker_rate=_float(truth.get("taker_orders_per_s")),
            paper=_paper(engine),
        )


def _paper(market: Matcher) -> PaperRow | None:
    if not isinstance(market, PaperMarket):
        return None
    total, volume = market.brackets.sum(), market.rules.volume
    return PaperRow(
        total.orders,
        total.uncertain,
        volume(total.lots),
        volume(total.pessimistic),
        volume(total.queue),
        volume(total.optimistic),
    )


def _fault(armed: Armed, now_ns: int) -> FaultRow:
    changed = {name: value for name, value in armed.asked.values.items() if value != COMMON.get(name)}
    shown = ", ".join(f"{k} {v:g}" if isinstance(v, int | float) else f"{k} {v}" for k, v in changed.items())
    return FaultRow(armed.number, armed.name, shown, armed.reached, armed.active(now_ns))


def _float(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
