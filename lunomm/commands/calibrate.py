"""``lunomm calibrate [PAIR]``: sigma, kappa and A with their errors, and a verdict.

Three sources, one estimator: what a running book stored (TRADES and GRID), the market stream itself when no book runs,
or tapes. Whatever is better than NO is kept under PARAMS, dated and with its provenance, for `quote`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from lunomm.bus.channels import GRID, HEALTH, PARAMS, RULES, TRADES, health_key
from lunomm.bus.client import Bus
from lunomm.commands.calibration_data import hours_data, params_data
from lunomm.commands.piece import Piece, open_piece
from lunomm.commands.present import put_line, say
from lunomm.commands.tape_calibration import read_tapes
from lunomm.config import Common
from lunomm.errors import BusError, UsageError
from lunomm.market.calibration import LOOKBACK_S, MAX_LOOKBACK_MS, calibrate, fed
from lunomm.market.hours import by_hour, vol_path
from lunomm.market.judgement import TRUSTED, Method
from lunomm.market.reach import reach_curve
from lunomm.market.records import GridRow, Params, TakerOrder, Verdict
from lunomm.market.rules import PairRules
from lunomm.options.book import BookOptions
from lunomm.options.calibrate import CalibrateOptions
from lunomm.views.calibrate import CalibrateView, calibrate_line, calibrate_screen
from lunomm.views.estimates import inverse_kappa

AGAIN_S = 60.0
EARLY_S = 5.0
"""How often a watching calibrate tries until its first usable verdict; from then on every ``AGAIN_S``."""
LOOK_S = 1.0
"""How often a collecting calibrate judges what it has."""
PRINTED_HEIGHT = 60

Found = tuple[CalibrateView, list[TakerOrder], list[GridRow]]


async def run(common: Common, pairs: Sequence[str], options: CalibrateOptions) -> dict[str, Any] | None:
    """Calibrate one pair.

    Returns: the numbers (``verdict`` NO makes exit code 1); None from ``--watch``, which runs until stopped.

    Raises:
        UsageError (2), BusError, ExchangeError (4), RefusedError (5).
    """
    pair = pairs[0]
    if options.tape:
        read = await read_tapes(options.tape, pair, bar=not common.json, for_s=common.for_s)
        view = _view(read.params(method_of(options)), read.provenance, read.rules, note=read.stopped)
        return _finished(common, view, options, read.orders, read.rows)
    # One that ends by itself is not announced: nobody is to miss it.
    async with open_piece("calibrate", common, (pair,), lease=False if options.watch else None) as piece:
        if options.watch:
            await _watch(piece, pair, options)
            return None
        book = await piece.bus.get(HEALTH, pair, name=health_key("book", pair))
        if book is not None:
            view, orders, rows = await _from_book(piece.bus, pair, options)
        else:
            view, orders, rows = await _from_stream(piece, pair, options)
    return _finished(common, view, options, orders, rows)


def method_of(options: CalibrateOptions) -> Method:
    """How kappa and A are found, as the options say."""
    return Method(options.estimator, options.weight, options.kappa_prior)


def _view(params: Params, source: str, rules: PairRules, *, note: str = "") -> CalibrateView:
    return CalibrateView(params.pair, source, params, rules.counter, note=note, rules=rules)


def _finished(
    common: Common,
    view: CalibrateView,
    options: CalibrateOptions,
    orders: Sequence[TakerOrder],
    rows: Sequence[GridRow],
) -> dict[str, Any]:
    assert view.params is not None
    view = replace(view, hours=tuple(by_hour(orders, rows)))
    if options.plot is not None:
        _plot(options, view, orders, rows)
    if not common.json:
        console = Console()
        plain = Console(width=max(console.width, 80), height=PRINTED_HEIGHT, file=sys.stdout)
        with plain.capture() as captured:
            plain.print(calibrate_screen(view))
        put_line(captured.get().rstrip("\n"))
    assert view.params is not None
    return {**params_data(view.params), "hours": hours_data(view.hours)}


def _plot(
    options: CalibrateOptions, view: CalibrateView, orders: Sequence[TakerOrder], rows: Sequence[GridRow]
) -> None:
    from lunomm.views.calibration_plot import calibration_svg

    assert view.params is not None and view.rules is not None and options.plot is not None
    path = options.plot
    window_s = max(view.params.estimates.window_s, 1.0)
    calibrator = fed(orders, rows, view.rules, lookback_s=window_s, method=method_of(options))
    window = calibrator.window()
    reached = reach_curve(window) if window is not None else []
    drawn = calibration_svg(view.params, calibrator.judged(window).fit, reached, vol_path(rows), view.hours)
    try:
        path.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plot: cannot write {path}: {error.strerror}. Give another file") from None
    say(f"wrote {path}")


# --- from a running book ---------------------------------------------------------------------------------------------


class Stored:
    """TRADES and GRID of one pair, read once and then only what is new."""

    def __init__(self, bus: Bus, pair: str) -> None:
        self._bus = bus
        self._pair = pair
        self._order_id = self._row_id = "-"
        self.orders: list[TakerOrder] = []
        self.rows: list[GridRow] = []

    async def catch_up(self) -> None:
        """Read what was added since.

        Raises:
            BusError: Redis does not answer.
        """
        for entry_id, order in await self._bus.read(TRADES, self._pair, after=self._order_id):
            self._order_id = entry_id
            self.orders.append(order)
        for entry_id, row in await self._bus.read(GRID, self._pair, after=self._row_id):
            self._row_id = entry_id
            self.rows.append(row)
        if self.rows:
            since_ms = self.rows[-1].start_ms - MAX_LOOKBACK_MS
            self.orders = [order for order in self.orders if order.exchange_ms >= since_ms]
            self.rows = [row for row in self.rows if row.start_ms >= since_ms]

    def params(self, rules: PairRules, options: CalibrateOptions, provenance: str) -> Params:
        return calibrate(
            self.orders,
            self.rows,
            rules,
            lookback_s=LOOKBACK_S,
            method=method_of(options),
            provenance=provenance,
        )


async def _rules(bus: Bus, pair: str) -> PairRules | None:
    return await bus.get(RULES, pair)


async def keep(bus: Bus, params: Params) -> None:
    """Write PARAMS; a calibration that says NO, or one for comparison, never replaces one that can be quoted from."""
    if params.estimates.verdict is not Verdict.NO and params.estimator in TRUSTED:
        await bus.put(PARAMS, params)


async def _from_book(bus: Bus, pair: str, options: CalibrateOptions) -> Found:
    rules = await _rules(bus, pair)
    if rules is None:
        raise BusError(f"{pair}: a book runs but has not published its rules yet. Try again in a few seconds")
    stored = Stored(bus, pair)
    await stored.catch_up()
    params = stored.params(rules, options, "TRADES and GRID of the running book")
    await keep(bus, params)
    return _view(params, params.provenance, rules), stored.orders, stored.rows


async def _watch(piece: Piece, pair: str, options: CalibrateOptions) -> None:
    """Keep PARAMS fresh until stopped, whatever book comes and goes."""
    bus = piece.bus
    stored = Stored(bus, pair)
    source = "TRADES and GRID of the running book"
    shown = [CalibrateView(pair, source, note="waiting for a book")]
    made_ns = [0]

    def view() -> CalibrateView:
        return replace(shown[0], at_age_ms=(time.monotonic_ns() - made_ns[0]) / 1e6 if made_ns[0] else None)

    async def again() -> None:
        while True:
            pause = EARLY_S
            try:
                rules = await _rules(bus, pair)
                await stored.catch_up()
                if rules is None:
                    piece.state = "WAITING"
                elif stored.rows:
                    params = stored.params(rules, options, source)
                    await keep(bus, params)
                    shown[0] = CalibrateView(pair, source, params, rules.counter)
                    made_ns[0] = time.monotonic_ns()
                    piece.state = "OK"
                    piece.counters.update(_counters(params))
                    if params.estimates.verdict is not Verdict.NO:
                        pause = AGAIN_S
            except BusError as error:
                piece.last_error = str(error)
            await asyncio.sleep(pause)

    piece.state = "WAITING"
    piece.start(again(), "again")
    piece.present(
        lambda: calibrate_screen(view()),
        lambda: calibrate_line(view()),
        lambda: _view_data(view()),
    )
    await piece.wait()


def _counters(params: Params) -> dict[str, float | str | None]:
    known = params.estimates
    depth = inverse_kappa(known.kappa, params.mid)
    return {
        "verdict": known.verdict.value,
        "taker_orders": float(known.sample),
        "inv_kappa_bp": None if depth is None else round(depth * 1e4, 2),
    }


def _view_data(view: CalibrateView) -> dict[str, Any]:
    if view.params is None:
        return {"pair": view.pair, "state": "WAITING", "note": view.note, "elapsed_s": view.elapsed_s}
    return {**params_data(view.params), "elapsed_s": view.elapsed_s}


# --- from the market stream ------------------------------------------------------------------------------------------


async def _from_stream(piece: Piece, pair: str, options: CalibrateOptions) -> Found:
    """Watch the market until the verdict is GO, the minutes are over, or it is stopped; then judge what there is."""
    from lunomm.commands.feed import Feed, Venue, new_rest, read_rules

    started = time.monotonic()
    limit_s = options.minutes * 60
    source = "the market stream (no book runs)"
    async with new_rest(piece.endpoint, piece.key) as rest:
        rules = (await read_rules(rest, (pair,)))[pair]
        feed = Feed(rules, BookOptions(), Venue(piece.endpoint, piece.key, rest, piece.clock))
        orders: list[TakerOrder] = []
        rows: list[GridRow] = []

        def judge() -> CalibrateView:
            feed.tick()  # carries the records' time on while the market is quiet
            while feed.records:
                record = feed.records.popleft()
                if isinstance(record, TakerOrder):
                    orders.append(record)
                else:
                    rows.append(record)
            params = calibrate(
                orders, rows, rules, method=method_of(options), provenance="market stream, own recording"
            )
            return CalibrateView(
                pair, source, params, rules.counter, time.monotonic() - started, limit_s, note=feed.note
            )

        shown = [CalibrateView(pair, source, None, rules.counter, 0.0, limit_s)]

        async def collect() -> None:
            while time.monotonic() - started < limit_s:
                await asyncio.sleep(LOOK_S)
                shown[0] = judge()
                piece.counters.update(_counters(shown[0].params) if shown[0].params else {})
                if shown[0].params is not None and shown[0].params.estimates.verdict is Verdict.GO:
                    break
            piece.stop.set()

        piece.start(feed.follow(), "stream")
        piece.start(collect(), "collect")
        piece.present(
            lambda: calibrate_screen(shown[0]),
            lambda: calibrate_line(shown[0]),
            lambda: _view_data(shown[0]),
        )
        await piece.wait()
        view = judge()
    assert view.params is not None
    await keep(piece.bus, view.params)
    return _view(view.params, source, rules), orders, rows
