"""All that `book` thinks: frames in, ticks and records out, the same live, on tapes and offline.

Pure: the shell brings frames, our own orders and the time, and publishes what comes back. An error from `on_snapshot`
or `on_update` means the book is void: resync. Until the next snapshot every tick says so and carries no price.
Time in the records is the frames' own; while nothing happens the clock carries it on, a second behind, so that a frame
still under way lands where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lunomm.errors import BookError, MarketDataError, ModelError
from lunomm.market.book import Applied, Book
from lunomm.market.calibration import LOOKBACK_S, VOL_WINDOW_S, Calibrator
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.frame_lag import STALE_LAG_MS
from lunomm.market.grid import SECOND_NS, GridRecorder
from lunomm.market.own import OwnIntent, OwnOrders
from lunomm.market.picture import Picture
from lunomm.market.records import BookAudit, BookState, Estimates, GridRow, TakerOrder, Tick, Verdict
from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.market.signals import level_sums, vamp_float
from lunomm.market.taker_rate import TakerRate
from lunomm.market.top import Top
from lunomm.market.trades import FairTouch, taker_orders
from lunomm.market.volatility import daily_percent
from lunomm.market.warm import CandleClose, PublicFill, WarmStart
from lunomm.market.written import Model, TickText, written

VOL_PRICES: Final = ("mid", "weighted", "vamp")
DEPTH: Final = 10
GRACE_NS: Final = SECOND_NS
STALE_STREAM_MS: Final = 10_000.0

WHY_LENGTH: Final = 200

_NOBODY: Final = FairTouch(None, None)

# Names of this module: Python 3.11 looks a member of an enum up for 0.2 us, and every frame asks for some.
_OK: Final = BookState.OK
_ACTIVE: Final = MarketStatus.ACTIVE


class Observer:
    """One pair's market, watched.

    Args:
        vol_window_s: tau of the volatility, s. kappa_lookback_s: window of kappa and A, s.
        vol_price: fair price whose volatility is measured: ``mid``, ``weighted`` or ``vamp``.
        depth: levels a side in VAMP, imbalance and the tick.

    Raises:
        ModelError: an unknown vol_price, or a window that is not positive.
    """

    def __init__(
        self,
        rules: PairRules,
        *,
        vol_window_s: float = VOL_WINDOW_S,
        kappa_lookback_s: float = LOOKBACK_S,
        vol_price: str = "mid",
        depth: int = DEPTH,
    ) -> None:
        if vol_price not in VOL_PRICES:
            raise ModelError(f"volatility can be measured on {', '.join(VOL_PRICES)}, not on {vol_price!r}")
        self.rules = rules
        self.book = Book(rules, depth=depth)
        self.fills = 0
        """Fills seen so far; ``takers`` counts the taker orders they belong to."""
        self.takers = 0
        self.rows_seen = 0
        """Grid rows so far: the estimates change with each."""
        self.doubt = ""
        """Why the book is not to be believed although it seems whole; set by whoever found out."""
        self._why = "no snapshot yet"
        self._vol_price = vol_price
        self._depth = depth
        self._own = OwnOrders(self.book)
        self._grid = GridRecorder(rules.pair)
        self._calibrator = Calibrator(rules, lookback_s=kappa_lookback_s, vol_window_s=vol_window_s)
        self._top = Top(self.book, self._own)
        self._warm = WarmStart()
        self._records: list[TakerOrder | GridRow] = []
        self._void: BookState | None = BookState.RESYNC
        self._state = BookState.RESYNC
        self._touch = _NOBODY
        self._status = MarketStatus.DISABLED
        self._calm = False
        """Whether the market is open, with two sides and no orders of ours, known or expected."""
        self._received_ns = 0
        self._rate = TakerRate(kappa_lookback_s)
        self._estimates: Estimates | None = None
        self._picture = Picture(self.book, self._own)
        self._text = TickText(self.book, self._own, self._top.micro, self._top.document)
        self._model: Model | None = None

    # --- what happens ----------------------------------------------------------------------------------------------

    def on_snapshot(self, snapshot: BookSnapshot, now: Now) -> None:
        """A new book.

        Raises:
            BookError: it contradicts itself; the book is void.
        """
        if self._void is None:
            self._grid.lose()
        try:
            self.book.load(snapshot)
        except MarketDataError as error:
            self._break(error)
            raise
        self._void = None
        self._received_ns = now.exchange_ns
        self._rate.start(snapshot.exchange_ns // 1_000_000)
        self._grid.recover(snapshot.exchange_ns, snapshot.sequence)
        self._collect()
        self._own.refresh()
        self._stand()
        self._top.follow(self._touch, open_market=self._status is _ACTIVE)

    def on_update(self, update: BookUpdate, now: Now) -> Applied:
        """One frame.

        Raises:
            SequenceGap, BookError: the frame does not fit; nothing of it was applied and the book is void.
        """
        book = self.book
        if self._void is not None:
            raise BookError(f"{self.rules.pair}: frame {update.sequence} without a snapshot", code="NO_SNAPSHOT")
        at_ns = update.exchange_ns
        grid = self._grid
        due = at_ns > grid.due_ns
        price = self._price() if due else None
        try:
            applied = book.apply(update)
        except MarketDataError as error:
            self._break(error)
            raise
        self._received_ns = now.exchange_ns
        # The usual frame: nothing of the touch is another, so nothing of what hangs on it is.
        if self._calm and update.status is None and not applied.trades and self._top.still():
            if due:
                grid.advance(at_ns, price)
                self._collect()
            grid.sequence = update.sequence
            return applied
        before = self._touch
        own_ids = self._own.ids
        self._own.after(update)
        if self._own.ids or own_ids:
            moved = self._own.touch() != before
        else:
            moved = self._top.moved and self._own.touch() != before
        moved = moved or book.status is not self._status
        if due or moved:
            grid.advance(at_ns, price)
            if due:
                self._collect()
            if moved:
                self._stand()
        grid.sequence = update.sequence
        if applied.trades:
            self._trade(applied, before, own_ids, update)
        self._top.follow(self._touch, open_market=self._status is _ACTIVE)
        return applied

    def on_lost(self, now: Now, why: str = "the stream was interrupted") -> None:
        """The book is void until the next snapshot."""
        self._break(None, why)

    def set_own(self, own: Sequence[OwnIntent]) -> None:
        """Replace the set of our own orders (those that rest or may)."""
        self._own.set(own)
        self._calm = False
        if self._void is None:
            if self._grid.time_ns is not None and self._grid.time_ns < self.book.exchange_ns:
                self._grid.advance(self.book.exchange_ns, None)
            self._stand()
            self._top.lose_touch()  # volume that turned out to be ours did not move the market
            self._top.follow_touch(self._touch, open_market=self._status is _ACTIVE)

    @property
    def own_version(self) -> int:
        """Grows whenever the set of our own orders may have changed."""
        return self._own.version

    def own_known(self) -> tuple[OwnIntent, ...]:
        """Our own orders by id, as a tape keeps them."""
        return self._own.known()

    def warm(self, candles: Iterable[CandleClose], fills: Iterable[PublicFill]) -> None:
        """Start from what the venue remembers: one-minute candles of the last hour, recent public trades."""
        self._warm = WarmStart(tuple(candles), tuple(fills))
        self._estimates = None

    def finish(self) -> None:
        """End of a tape: close the row under way, so that the estimates know everything."""
        self._grid.close(self._price() if self._void is None else None)
        self._collect()

    def drain(self) -> list[TakerOrder | GridRow]:
        """Records finished since the last call, in order."""
        records, self._records = self._records, []
        return records

    # --- what it looks like ----------------------------------------------------------------------------------------

    @property
    def touch(self) -> FairTouch:
        """Best prices of the others, as they stand."""
        return self._touch

    @property
    def state(self) -> BookState:
        """Of the market alone, not of the connection. One-sided without our own orders is one-sided."""
        return BookState.DOUBT if self.doubt and self._void is None else self._state

    def estimates(self, now: Now) -> Estimates:
        """Sigma, kappa and A as of the end of the last grid row; what is not ready yet from the warm start."""
        self._catch_up(now)
        if self._estimates is None or (self._warm.waiting and self._touch.two_sided):
            half_spread, mid = self._touch.relative_half_spread(), self._touch.mid(self.rules)
            self._estimates = self._warm.complete(self._calibrator.estimates(), half_spread, mid)
        return self._estimates

    @property
    def ready(self) -> bool:
        """Whether the live estimates, both of them, can be used: no warm start in them."""
        known = self._estimates
        return (
            known is not None and known.sigma_source == "live" == known.kappa_source and known.verdict is not Verdict.NO
        )

    def tick(self, now: Now, *, beat: int, wall_ms: float, stream_age_ms: float | None, lag_ms: float | None) -> Tick:
        """The whole picture.

        Args:
            beat: the publisher's count. wall_ms: its wall clock.
            stream_age_ms: since any byte from the venue. lag_ms: arrival minus exchange time, ``None`` if not judged.
        """
        model = self._model_of(self.estimates(now), None)
        tick = Tick(
            pair=self.rules.pair,
            ts=wall_ms,
            exchange_ts=None,
            sequence=None,
            state=self.state,
            beat=beat,
            stream_age_ms=stream_age_ms,
            lag_ms=lag_ms,
            volatility=model.volatility,
            volatility_daily_pct=model.volatility_daily_pct,
            volatility_document_pct=self._top.document.percent(),
            volatility_ready=model.volatility_ready,
            volatility_document_ready=self._top.document.ready,
            alpha=model.alpha,
            kappa=model.kappa,
            buffer_ready=model.buffer_ready,
            trades_per_minute=self._rate.per_minute(self._now_ms()),
            estimates=model.estimates,
        )
        if self._void is None:
            self._picture.draw(tick, self._touch)
            if tick.state is _OK:
                tick.micro_price = self._top.micro.price(self.rules)
            tick.reason = self.doubt
        else:
            tick.reason = self._why
        if self._void is None and _late(stream_age_ms, lag_ms):
            tick.state = BookState.STALE
        return tick

    def written(
        self,
        now: Now,
        *,
        beat: int,
        wall_ms: float,
        stream_age_ms: float | None,
        lag_ms: float | None,
        audit: BookAudit | None = None,
    ) -> bytes:
        """`tick` as the bus has it, without the stamp: all fields after ``build``, to the closing brace.

        Args: as of `tick`. audit: how the book compares with the venue's own list.
        """
        known = self._estimates
        if known is None or self._warm.waiting or now.exchange_ns - self._received_ns > GRACE_NS:
            known = self.estimates(now)
        if self._state is not _OK or self.doubt:
            tick = self.tick(now, beat=beat, wall_ms=wall_ms, stream_age_ms=stream_age_ms, lag_ms=lag_ms)
            tick.audit = audit
            return written(tick)
        model = self._model
        if model is None or model.estimates is not known or model.audit is not audit:
            model = self._model = self._model_of(known, audit)
        late = _late(stream_age_ms, lag_ms)
        per_minute = self._rate.per_minute(self._now_ms())
        return self._text.text(late, beat, wall_ms, stream_age_ms, lag_ms, per_minute, self._touch, model)

    def _model_of(self, known: Estimates, audit: BookAudit | None) -> Model:
        usable = known.verdict is not Verdict.NO
        return Model(
            volatility=known.sigma,
            volatility_daily_pct=daily_percent(known.sigma) if known.sigma is not None else None,
            volatility_ready=known.sigma_source == "live",
            alpha=known.intensity if usable else None,
            kappa=known.kappa if usable else None,
            buffer_ready=self.ready,
            estimates=known,
            audit=audit,
        )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _break(self, error: MarketDataError | None, why: str = "") -> None:
        if error is None and self._void is BookState.CROSSED:
            return  # the connection going down after it says less than what was wrong
        crossed = error is not None and error.code == "CROSSED"
        self._void = self._state = BookState.CROSSED if crossed else BookState.RESYNC
        self._why = (why or str(error))[:WHY_LENGTH]
        self._touch = _NOBODY
        self._calm = False
        self._top.lose_touch()
        self._grid.lose()

    def _stand(self) -> None:
        """Note the touch as it stands; only an open market with two sides can be hit."""
        book = self.book
        self._touch = self._own.touch()
        self._status = book.status
        open_market = book.status is _ACTIVE
        self._state = self._judged()
        self._calm = open_market and self._touch.two_sided and not self._own.expected
        self._grid.stand(self._touch.relative_half_spread() if open_market else None)

    def _judged(self) -> BookState:
        """The state of a book that is not void."""
        if self._status is MarketStatus.DISABLED:
            return BookState.DISABLED
        bid, ask = self._touch
        if bid is None and ask is None:
            return BookState.EMPTY
        if bid is None or ask is None:
            return BookState.ONE_SIDED
        return BookState.POSTONLY if self._status is MarketStatus.POSTONLY else _OK

    def _price(self) -> float | None:
        """The fair price whose volatility is measured, as it stands."""
        bid, ask = self._touch
        if bid is None or ask is None or self._status is not _ACTIVE:
            return None
        if self._vol_price == "mid":
            return self.rules.price_float((bid + ask) / 2)
        if self._vol_price == "weighted":
            bid_lots, ask_lots = self._own.fair_lots(bid, ask)
            return self.rules.price_float((bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots))
        sums = [level_sums(self._own.levels(side, self._depth)) for side in (Side.BID, Side.ASK)]
        return vamp_float(sums[0], sums[1], self.rules)

    def _trade(self, applied: Applied, before: FairTouch, own_ids: dict[str, str], update: BookUpdate) -> None:
        orders = taker_orders(applied, before, own_ids, self.rules, update.sequence, update.exchange_ns)
        for order in orders:
            self._calibrator.on_trade(order)
            self._rate.add(order.exchange_ms)
        self._records.extend(orders)
        self.fills += len(applied.trades)
        self.takers += len(orders)

    def _catch_up(self, now: Now) -> None:
        """Carry the records' time on while no frame comes, by the clock's advance since the last one less the grace."""
        if self._void is not None:
            return
        at_ns = self.book.exchange_ns + (now.exchange_ns - self._received_ns) - GRACE_NS
        if at_ns > self._grid.due_ns:
            self._grid.advance(at_ns, self._price())
            self._collect()

    def _collect(self) -> None:
        for row in self._grid.drain():
            self._calibrator.on_row(row)
            self._records.append(row)
            self._estimates = None
            self.rows_seen += 1

    def _now_ms(self) -> int:
        """Exchange time reached, by frames or by the clock."""
        at_ns, grid_ns = self.book.exchange_ns, self._grid.time_ns
        return (at_ns if grid_ns is None or at_ns >= grid_ns else grid_ns) // 1_000_000


def _late(stream_age_ms: float | None, lag_ms: float | None) -> bool:
    return (stream_age_ms is not None and stream_age_ms > STALE_STREAM_MS) or (
        lag_ms is not None and lag_ms > STALE_LAG_MS
    )
