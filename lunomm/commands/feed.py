"""One pair's market, followed live: stream -> observer, warmed from the venue's memory, resynced on any doubt.

`book` publishes what a feed sees; `calibrate` without a running book reads the same feed. The feed itself knows no bus.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from lunomm.bus.clock import Clock
from lunomm.errors import ConnectivityError, ExchangeError, MarketDataError, RateLimited, UsageError
from lunomm.luno.budget import CallBudget
from lunomm.luno.hosts import ApiKey, Endpoint
from lunomm.luno.rest import LunoRest
from lunomm.luno.stream import Frame, Lost, MarketStream
from lunomm.market.audit import Auditor
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot
from lunomm.market.frame_lag import FrameLag
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.records import GridRow, TakerOrder, Tick
from lunomm.market.rules import PairRules, parse_decimal
from lunomm.market.warm import CandleClose, PublicFill
from lunomm.options.book import BookOptions
from lunomm.tape.lines import Warmth
from lunomm.tape.recorder import Recorder
from lunomm.views.book import BookView

CANDLE_S = 60
CANDLES = 60
WARM_AGAIN_S = 5.0
RULES_EVERY_S = 60.0
RATE_SPAN = 5
"""Samples, a second apart, over which the frame rate is averaged."""
MIDS_KEPT = 600
TRADES_KEPT = 50
MAX_RECORDS = 20_000
"""Records kept while Redis is away: more than a day of GRID rows and a lively market's taker orders."""


class Sample(NamedTuple):
    """mono_s: when. frames: applied so far."""

    mono_s: float
    frames: int


@dataclass(frozen=True)
class Venue:
    """Where a feed reads: the endpoint, what to log in with, an open REST client and the venue's clock."""

    endpoint: Endpoint
    key: ApiKey | None
    rest: LunoRest
    clock: Clock
    name: str = ""


class Feed:
    """Follows one pair until cancelled.

    Attributes:
        changed: set after every frame, loss and change of our own orders.
        records: finished records not yet taken by the reader, oldest first.
        frames, resyncs: counted since the start. note: why the last resync.
        auditor, audit_note: the comparison with the venue's own list, and why there was none. recorder: of a tape.
        void: there is no book to speak of.
    """

    def __init__(self, rules: PairRules, options: BookOptions, venue: Venue) -> None:
        self.rules = rules
        self.venue = venue
        self.observer = Observer(
            rules,
            vol_window_s=options.vol_window_s,
            kappa_lookback_s=options.kappa_lookback_s,
            vol_price=options.vol_price,
            depth=options.depth,
        )
        self.stream = MarketStream(venue.endpoint, rules, venue.key)
        self.changed = asyncio.Event()
        self.records: deque[TakerOrder | GridRow] = deque(maxlen=MAX_RECORDS)
        self.frames = 0
        self.resyncs = 0
        self.note = "connecting"
        self.auditor = Auditor(options.audit_s)
        self.audit_note = ""
        self.recorder: Recorder | None = None
        self.void = True
        self._own_version = -1
        self._beat = 0
        self._lag = FrameLag()
        self._last: Tick | None = None
        self._mids: deque[float | None] = deque(maxlen=MIDS_KEPT)
        self._trades: deque[TakerOrder] = deque(maxlen=TRADES_KEPT)
        self._samples: deque[Sample] = deque(maxlen=RATE_SPAN + 1)

    async def follow(self) -> None:
        """Apply every frame; on a contradiction or a lost stream drop the book and wait for the next snapshot.

        Raises:
            CredentialsError, UsageError, ExchangeError: what the venue refuses for good.
        """
        async with self.stream as stream:
            async for item in stream:
                if isinstance(item, Lost):
                    self._lose(item.reason)
                else:
                    self._apply(item)

    def _apply(self, frame: Frame) -> None:
        event = frame.event
        now = Now(self.venue.clock.now().exchange_ns, frame.recv_ns)
        try:
            if isinstance(event, BookSnapshot):
                self.observer.on_snapshot(event, now)
                self.void, self.note = False, ""
            elif self.void:
                return  # no book to apply it to; a snapshot is on the way
            else:
                self.observer.on_update(event, now)
        except MarketDataError as error:
            self.drop(str(error))
            return
        if self.auditor.watching:
            self.auditor.see(self.observer.book)
        if self.recorder is not None:
            self._record(self.recorder, frame, now.exchange_ns)
        self.frames += 1
        lag_ms = self.venue.clock.lag_ms(event.exchange_ns // 1_000_000)
        self._lag.seen(lag_ms, frame.recv_ns, snapshot=isinstance(event, BookSnapshot))
        self._collect()
        self.changed.set()

    def _record(self, recorder: Recorder, frame: Frame, at_ns: int) -> None:
        # Our orders first: on a replay an order must be known for ours when its frame comes, as it was here.
        if self._own_version != self.observer.own_version:
            self._own_version = self.observer.own_version
            recorder.own(at_ns, self.observer.own_known())
        event = frame.event
        recorder.frame(at_ns, frame.raw, event.sequence, snapshot=isinstance(event, BookSnapshot))
        if recorder.wants_snapshot:
            recorder.restart(at_ns, self.observer.book.snapshot())

    def set_own(self, own: tuple[OwnIntent, ...]) -> None:
        """Replace the set of our own orders."""
        self.observer.set_own(own)
        if self.recorder is not None and self._own_version != self.observer.own_version:
            self._own_version = self.observer.own_version
            self.recorder.own(self.venue.clock.exchange_ns(), self.observer.own_known())
        self.changed.set()

    def drop(self, reason: str) -> None:
        """Give the book up, for a fresh snapshot."""
        self._lose(reason)
        self.stream.resync(reason)

    def fail(self, reason: str) -> None:
        """The pair stands still: whatever is published of it says so."""
        self._lose(reason)

    def _lose(self, reason: str) -> None:
        now = self.venue.clock.now()
        if not self.void:
            self.resyncs += 1
            self.auditor.lose()
            if self.recorder is not None:
                self.recorder.lost(now.exchange_ns, reason)
        self.void, self.note = True, reason
        self._lag.lose()
        self.observer.on_lost(now, reason)
        self._collect()
        self.changed.set()

    def _collect(self) -> None:
        for record in self.observer.drain():
            self.records.append(record)
            if isinstance(record, TakerOrder):
                self._trades.append(record)

    def written(self) -> bytes:
        """The picture now, with the next beat, as the bus has it."""
        self._beat += 1
        self._last = None
        clock = self.venue.clock
        text = self.observer.written(
            clock.now(),
            beat=self._beat,
            wall_ms=float(clock.wall_ms()),
            stream_age_ms=self.stream.age_ms(clock.mono_ns()),
            lag_ms=self._lag.ms(clock.mono_ns()),
            audit=self.auditor.result,
        )
        self._collect()
        return text

    def tick(self) -> Tick:
        """The picture now, with the next beat, to look at."""
        self._beat += 1
        self._last = self._draw()
        return self._last

    def _draw(self) -> Tick:
        clock = self.venue.clock
        tick = self.observer.tick(
            clock.now(),
            beat=self._beat,
            wall_ms=float(clock.wall_ms()),
            stream_age_ms=self.stream.age_ms(clock.mono_ns()),
            lag_ms=self._lag.ms(clock.mono_ns()),
        )
        tick.audit = self.auditor.result
        self._collect()
        return tick

    @property
    def last(self) -> Tick | None:
        """The newest tick, drawn when it is asked for; None before the first."""
        if self._last is None and self._beat:
            self._last = self._draw()
        return self._last

    async def sample(self) -> None:
        """Once a second: the mid for the screen, the frame count for the rate."""
        while True:
            last = self.last
            mid = None if last is None or last.mid_price is None else float(last.mid_price)
            self._mids.append(mid)
            self._samples.append(Sample(time.monotonic(), self.frames))
            await asyncio.sleep(1.0)

    @property
    def frames_per_s(self) -> float | None:
        """Frames applied a second over the last seconds; None before two samples."""
        if len(self._samples) < 2:
            return None
        first, last = self._samples[0], self._samples[-1]
        return (last.frames - first.frames) / max(last.mono_s - first.mono_s, 1e-3)

    def view(self) -> BookView:
        """What the screen shows."""
        return BookView(
            pair=self.rules.pair,
            source=self.venue.name,
            tick=self.last,
            rules=self.rules,
            mids=tuple(self._mids),
            trades=tuple(self._trades),
            frames_per_s=self.frames_per_s,
            resyncs=self.resyncs,
            note=self.note or (self.recorder.trouble if self.recorder is not None else ""),
            audit_note=self.audit_note,
            recording=self.recorder is not None and not self.recorder.trouble,
            now_ms=self.venue.clock.exchange_ms(),
        )

    async def warm(self) -> None:
        """Give the observer the last hour's candles and the last public trades, as soon as the venue answers."""
        while True:
            try:
                candles, fills = await self._memory()
            except ExchangeError as error:
                self.note = self.note or f"no warm start yet: {error}"
                pause = error.retry_after_s if isinstance(error, RateLimited) else None
                await asyncio.sleep(pause or WARM_AGAIN_S)
                continue
            except MarketDataError as error:
                self.note = f"no warm start: {error}"  # the venue remembers nonsense; live estimates will do
                return
            self.observer.warm(candles, fills)
            if self.recorder is not None:
                at_ns = self.venue.clock.exchange_ns()
                self.recorder.warm(
                    Warmth(
                        at_ns=at_ns,
                        candles=[(candle.start_ms, candle.close) for candle in candles],
                        fills=[(fill.at_ms, fill.price, fill.taker_buys) for fill in fills],
                    )
                )
            if self.note.startswith("no warm start"):
                self.note = ""
            self.changed.set()
            return

    async def _memory(self) -> tuple[list[CandleClose], list[PublicFill]]:
        rest, pair = self.venue.rest, self.rules.pair
        trades = await rest.trades(pair)
        # By the exchange's own clock: this machine's may be a day off, and no candle comes from there.
        last_ms = max((row.timestamp for row in trades), default=self.venue.clock.exchange_ms())
        candles = await rest.candles(pair, last_ms - (CANDLES + 1) * CANDLE_S * 1000, CANDLE_S)
        return (
            [CandleClose(row.timestamp, float(parse_decimal(row.close))) for row in candles[-CANDLES - 1 :]],
            [PublicFill(row.timestamp, float(parse_decimal(row.price)), row.is_buy) for row in trades],
        )


def new_rest(endpoint: Endpoint, key: ApiKey | None) -> LunoRest:
    """A client with a call budget of its own; use as an async context manager."""
    return LunoRest(endpoint, key, CallBudget())


async def read_rules(rest: LunoRest, pairs: tuple[str, ...]) -> dict[str, PairRules]:
    """The rules of every pair as the venue states them now.

    Raises:
        UsageError: a pair the venue does not list.
        ExchangeError: it does not answer.
    """
    listed = {row.market_id: row for row in await rest.markets()}
    for pair in pairs:
        if pair not in listed:
            near = ", ".join(sorted(name for name in listed if name[:3] == pair[:3])[:8])
            hint = f"With the same base it lists {near}" if near else f"It lists {', '.join(sorted(listed)[:12])}"
            raise UsageError(f"unknown pair: {pair}: the exchange has no such market. {hint}", code="UNKNOWN_PAIR")
    return {pair: listed[pair].rules() for pair in pairs}


async def watch_rules(feed: Feed) -> None:
    """Read the rules again every minute.

    Raises:
        ExchangeError: tick or lot changed; every price in memory is in the old unit, so the piece must start over.
    """
    pair = feed.rules.pair
    while True:
        await asyncio.sleep(RULES_EVERY_S)
        try:
            fresh = (await read_rules(feed.venue.rest, (pair,)))[pair]
        except ConnectivityError as error:
            feed.note = feed.note or f"rules not read again: {error}"
            continue
        except RateLimited:
            continue
        old = feed.rules
        if (fresh.price_scale, fresh.volume_scale) != (old.price_scale, old.volume_scale):
            raise ExchangeError(
                f"{pair}: the exchange changed tick or lot step (now {fresh.tick_size} and {fresh.lot_size}). "
                "Start book again",
                code="RULES_CHANGED",
            )
        feed.rules = fresh
