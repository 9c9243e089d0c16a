"""``lunomm backtest TAPE...``: recorded markets through the quoter, the gateway and the paper venue, and the figures.

No exchange, no Redis, no key, no LUNOMM_ variable: the same files and command line give the same report to the byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from lunomm.backtest_options import BacktestOptions
from lunomm.commands.fair_function import resolve
from lunomm.commands.present import envelope, progress_bar, put_line, put_screen
from lunomm.commands.quote import quoter_options
from lunomm.commands.recorded_market import Recorded, learned, load
from lunomm.errors import UsageError
from lunomm.market.calibration import fed
from lunomm.market.judgement import Method
from lunomm.market.reach import reach_curve
from lunomm.options.quote import QuoteOptions
from lunomm.quoting.fair_price import BUILT_IN
from lunomm.simulator.venue_specs import FREE
from lunomm.tape.backtest import Void
from lunomm.tape.latency import RoundTrip
from lunomm.tape.outcome import Outcome, lane_data
from lunomm.tape.setup import Setup
from lunomm.tape.trial import BASELINE, run_trial
from lunomm.trading.limits import Limits
from lunomm.views.backtest import BacktestView, backtest_html, backtest_screen

PRINTED_WIDTH = 100
PERCENT = Decimal(100)


def run(options: BacktestOptions, *, json: bool) -> dict[str, Any]:
    """Run it, print, and return what ``--json`` prints.

    Raises:
        UsageError: a file that is no tape, tapes of several markets, options no model can price, a report that cannot
            be written.
    """
    if options.sweep:
        from lunomm.commands.sweep import run as sweep

        return sweep(options, json=json)
    view = judged(options, bar=not json)
    if options.html is not None:
        write_text(options.html, backtest_html(view), "--html")
    data = backtest_data(view)
    if json:
        put_line(envelope("backtest", data))
    else:
        put_screen(backtest_screen(view), least=PRINTED_WIDTH, trim=True)
    return data


def judged(options: BacktestOptions, *, bar: bool) -> BacktestView:
    """One run, and all that is said of it. bar: draw how far it is, in a terminal.

    Raises:
        UsageError: as :func:`run`.
    """
    price = resolve(options.quote.fair_price)
    market = load(options.tapes, options.pair)
    setup = setup_of(options, market)
    total = market.decoded.frames
    show = progress_bar(f"backtest {market.rules.pair}", total, shown=bar)
    try:
        outcome = run_trial(
            market.rules,
            market.decoded,
            setup,
            own=frozenset(market.decoded.own),
            price=price,
            tell=_below(show, total),
        )
    finally:
        show(total)
    return _view(options, market, setup, outcome)


def setup_of(options: BacktestOptions, market: Recorded) -> Setup:
    """The options as a run takes them, with what the tapes themselves say."""
    rates, gateway, book = market.fees or FREE, options.gateway, options.book
    return Setup(
        quoter=quoter_options(options.quote),
        fair_price=options.quote.fair_price if options.quote.fair_price in BUILT_IN else "mid",
        vol_window_s=book.vol_window_s,
        kappa_lookback_s=book.kappa_lookback_s,
        vol_price=book.vol_price,
        depth=book.depth,
        limits=Limits(
            max_position=gateway.max_position,
            max_order_value=gateway.max_order_value,
            max_daily_loss=gateway.max_daily_loss,
            max_open_value=gateway.max_open_value,
        ),
        balance_s=gateway.update_balance_interval_s,
        base=options.base,
        counter=options.counter,
        maker_fee=rates.maker if options.maker_fee is None else options.maker_fee / PERCENT,
        taker_fee=rates.taker if options.taker_fee is None else options.taker_fee / PERCENT,
        one_way_ms=options.latency_ms,
        trips=_trips(options.latency_log, market.rules.pair),
        params=learned(options.calibrate, market, book, options.quote.kappa_prior),
        epoch_ms=max(1, market.started_ns // 1_000_000),
    )


def _trips(journal: Path | None, pair: str) -> tuple[RoundTrip, ...]:
    if journal is None:
        return ()
    from lunomm.journal.latencies import round_trips

    return round_trips(journal, pair)


def _below(show: Callable[[int], None], total: int) -> Callable[[int], None]:
    """A bar that is full only at the end."""
    return lambda done: show(min(done, total - 1))


def write_text(path: Path, text: str, option: str) -> None:
    """Raises UsageError: it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option}: cannot write {path}: {error.strerror}. Give another file") from None


# --- what is said ----------------------------------------------------------------------------------------------------


def _view(options: BacktestOptions, market: Recorded, setup: Setup, outcome: Outcome) -> BacktestView:
    calibrator = fed(
        outcome.takers, outcome.rows, outcome.rules, lookback_s=max(outcome.duration_s, 10.0), method=Method()
    )
    window = calibrator.window()
    return BacktestView(
        outcome,
        [tape.name for tape in options.tapes],
        given(options.quote),
        [
            *backtest_notes(market, setup, outcome.void),
            *(f"The quoter warned: {warning}." for warning in outcome.strategy.warnings[:1]),
        ],
        None if window is None else calibrator.judged(window).fit,
        reach_curve(window) if window is not None else (),
    )


def given(quote: QuoteOptions) -> list[str]:
    """What was not left at its default, as typed."""
    default = QuoteOptions()
    return [
        f"{field.name} {getattr(quote, field.name)}"
        for field in fields(QuoteOptions)
        if field.name != "order_size_explicit" and getattr(quote, field.name) != getattr(default, field.name)
    ]


def backtest_notes(market: Recorded, setup: Setup, void: Void) -> list[str]:
    """Every assumption that the figures rest on, and what of the tapes is not in them."""
    said = [parameters_note(market, setup)]
    if setup.trips:
        took = sorted(trip.took_ns for trip in setup.trips)
        said.append(
            f"Latency: {len(took)} round trips of a session, {took[len(took) // 2] / 1e6:.1f} ms in the median, "
            "half of it each way."
        )
    else:
        said.append(f"Latency: {setup.one_way_ms:g} ms to the exchange and {setup.one_way_ms:g} ms back.")
    said.append(
        f"Fees: maker {setup.maker_fee * PERCENT:f} %, taker {setup.taker_fee * PERCENT:f} %. Fills by the queue, "
        "order by order; our size does not consume the others', and nobody reacts to us: an upper bound."
    )
    if setup.baseline:
        said.append(f"{BASELINE}: the same pipeline, 10 bp each side of the mid, no skew, renewed every minute.")
    if void.times:
        said.append(
            f"The book was lost {void.times} times (a loss, a gap, a contradiction, the end of a file): for "
            f"{void.ns / 1e9:.1f} s nothing was quoted or filled, and {void.frames} of {market.decoded.frames} frames "
            "were left out."
        )
    return [*said, *market.notes]


def parameters_note(market: Recorded, setup: Setup) -> str:
    """Where sigma and kappa come from, and whether they had seen what they were judged on."""
    params = setup.params
    if params is None:
        return "Parameters: estimated on the way, from the past of the tape only (out of sample)."
    seen = "in-sample: the figures flatter" if params.in_sample else "out of sample"
    return f"Parameters: calibrated on {params.provenance} ({seen}), then estimated on the way."


def backtest_data(view: BacktestView) -> dict[str, Any]:
    """What ``--json`` prints."""
    outcome = view.outcome
    return {
        "pair": outcome.rules.pair,
        "tapes": list(view.tapes),
        "options": list(view.options),
        "frames": outcome.frames,
        "gaps": outcome.gaps,
        "left_out": {"frames": outcome.void.frames, "seconds": outcome.void.ns / 1e9},
        "start_ns": outcome.start_ns,
        "end_ns": outcome.end_ns,
        "duration_s": outcome.duration_s,
        "taker_orders": len(outcome.takers),
        "lanes": {lane.name: lane_data(lane) for lane in outcome.lanes},
        "notes": list(view.notes),
        "hash": outcome.digest,
    }
