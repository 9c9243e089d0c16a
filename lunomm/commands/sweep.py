"""``lunomm backtest --sweep``: many runs on every core, or on a Dask cluster, into one table that can be gone on with.

The tapes are read, decoded and watched once, and what the market taught is kept: a run then costs the trading alone.
Where processes can be forked the others inherit all that, else each reads for itself. The table does not depend on
where or in which order its rows were made.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import gc
import hashlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from lunomm import __version__
from lunomm.backtest_options import BacktestOptions
from lunomm.commands.backtest import PRINTED_WIDTH, backtest_notes, setup_of, write_text
from lunomm.commands.fair_function import resolve
from lunomm.commands.present import envelope, progress_bar, put_line, put_screen, say
from lunomm.commands.quote import quoter_options
from lunomm.commands.recorded_market import Recorded, load
from lunomm.commands.sweep_table import FIGURES, Table
from lunomm.errors import LunommError, UsageError
from lunomm.market.observer import Observer
from lunomm.options.quote import QuoteOptions
from lunomm.quoting.fair_price import BUILT_IN, FairPrice
from lunomm.tape.outcome import LaneOutcome
from lunomm.tape.setup import Setup, baseline_options
from lunomm.tape.stretches import Parted, stretches
from lunomm.tape.sweep import BASELINE_NUMBER, Point, Row, applied, axis, drawn, grid
from lunomm.tape.trial import run_trial
from lunomm.views.sweep import SweepView, sweep_data, sweep_html, sweep_screen

_PARTED: Final[dict[object, Parted]] = {}


class Task(NamedTuple):
    """One run, for any process that can read the tapes. segments: stretches in all."""

    options: BacktestOptions
    number: int
    segment: int
    segments: int
    point: Point


@dataclass(frozen=True)
class Done:
    """row: of the table; None for an own stretch the tape does not have. took_s: processor seconds of the run."""

    row: Row
    took_s: float


def run(options: BacktestOptions, *, json: bool) -> dict[str, Any]:
    """Sweep, print, and return what ``--json`` prints.

    Raises:
        UsageError: anything that one run would refuse, or a table of another sweep.
        LunommError: a worker was killed.
    """
    begun, spent = time.monotonic(), 0.0
    axes = [axis(text) for text in options.sweep]
    points = grid(axes) if options.random is None else drawn(axes, options.random, options.seed)
    for point in points:
        quoter_options(applied(options.quote, point))  # refused here, before anything runs
    market = load(options.tapes, options.pair)
    count = options.walk_forward + 1 if options.walk_forward else 1
    parted = _parted(options, market, count)
    present = len(parted.stretches)
    if present < count:
        raise UsageError(
            f"--walk-forward: the tapes have frames for {present} stretches, not for {count}. Ask for fewer"
        )
    tasks = [
        Task(options, number, segment, count, point)
        for segment in range(count)
        for number, point in [(BASELINE_NUMBER, {}), *enumerate(points)]
    ]
    path = options.out or Path("lunomm-sweep.csv")
    table = Table(path, [each.name for each in axes], fingerprint(options, market))
    known = table.read()
    left = [task for task in tasks if (task.number, task.segment) not in known]
    if known and not json:
        say(f"{path}: {len(known)} of {len(tasks)} runs are there already")
    read_s = time.monotonic() - begun
    show = progress_bar(f"{len(left)} runs", max(len(left), 1), shown=not json)
    rows = dict(known)
    try:
        for finished, done in enumerate(_results(left, options), start=1):
            rows[done.row.key] = done.row
            spent += done.took_s
            table.append(done.row)
            show(min(finished, len(left) - 1))
    except concurrent.futures.process.BrokenProcessPool:
        raise LunommError(
            f"a worker was killed, perhaps for want of memory. {len(rows)} of {len(tasks)} runs are kept in {path}: "
            "run the same again to go on, with fewer --workers",
            code="WORKER_KILLED",
        ) from None
    finally:
        show(max(len(left), 1))
    ordered = [rows[key] for key in sorted(rows, key=lambda key: (key[1], key[0]))]
    table.write(ordered)
    took_s = time.monotonic() - begun
    setup = setup_of(options, market)
    view = SweepView(
        pair=market.rules.pair,
        counter=market.rules.counter,
        tapes=[tape.name for tape in options.tapes],
        axes=[each.name for each in axes],
        rows=ordered,
        segments=count,
        table=str(table.path),
        runs=len(left),
        took_s=took_s,
        read_s=read_s,
        spent_s=spent,
        where=options.scheduler or f"{_workers(options)} local processes",
        notes=backtest_notes(market, replace(setup, baseline=False), parted.void),
    )
    if options.html is not None:
        write_text(options.html, sweep_html(view), "--html")
    data = sweep_data(view)
    if json:
        put_line(envelope("backtest", data))
    else:
        put_screen(sweep_screen(view), least=PRINTED_WIDTH, trim=True)
    return data


def fingerprint(options: BacktestOptions, market: Recorded) -> str:
    """Of everything a row depends on but what is swept: a table is only gone on with by its own sweep."""
    digest = hashlib.sha256()
    digest.update(__version__.encode())
    for path in (*market.paths, *options.calibrate):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(repr(setup_of(options, market).trips).encode())
    calm = replace(options, tapes=(), calibrate=(), latency_log=None, out=None, html=None, scheduler=None, workers=None)
    digest.update(repr([(field.name, getattr(calm, field.name)) for field in fields(calm)]).encode())
    return digest.hexdigest()[:16]


# --- one run, in whatever process ------------------------------------------------------------------------------------


def run_task(task: Task) -> Done:
    """To be called in any process that sees the tapes' files."""
    options = task.options
    market = load(options.tapes, options.pair)
    quote = options.quote if task.number == BASELINE_NUMBER else applied(options.quote, task.point)
    stretch = _parted(options, market, task.segments).stretches[task.segment]
    setup = replace(setup_of(replace(options, quote=quote), market), baseline=False)
    if task.number == BASELINE_NUMBER:
        setup = replace(setup, quoter=baseline_options(setup.quoter))
    begun = time.process_time()
    outcome = run_trial(
        market.rules, stretch.decoded, setup,
        own=frozenset(market.decoded.own), price=_price(quote), scripts={setup.watched: stretch.script},
        before=islice(market.decoded, stretch.before),
    )  # fmt: skip
    took_s = time.process_time() - begun
    found = {"start_ms": outcome.start_ns // 1_000_000, "end_ms": outcome.end_ns // 1_000_000}
    return Done(
        Row(task.number, task.segment, task.point, found | figures_of(outcome.strategy, outcome.digest)), took_s
    )


def _price(quote: QuoteOptions) -> FairPrice:
    return BUILT_IN[quote.fair_price] if quote.fair_price in BUILT_IN else resolve(quote.fair_price)


def _parted(options: BacktestOptions, market: Recorded, count: int) -> Parted:
    setup: Setup = setup_of(options, market)
    key = (market.paths, market.rules.pair, count, setup.watched, setup.one_way_ms, setup.trips)
    if key not in _PARTED:
        observer = Observer(
            market.rules,
            vol_window_s=setup.vol_window_s,
            kappa_lookback_s=setup.kappa_lookback_s,
            vol_price=setup.vol_price,
            depth=setup.depth,
        )
        _PARTED[key] = stretches(market.rules, market.decoded, observer, setup.back_ns, count)
    return _PARTED[key]


def figures_of(lane: LaneOutcome, digest: str) -> dict[str, Any]:
    """What the table keeps of a run."""
    found = lane.attribution
    figures: dict[str, Any] = dict.fromkeys(FIGURES)
    figures |= {"placed": lane.placed, "halted": "; ".join(lane.halts), "hash": digest[:16]}
    if found is None:
        return figures
    thirty = next((row for row in found.markouts if row.horizon_s == 30), None)
    return figures | {
        "fills": found.fills,
        "turnover": found.turnover,
        "profit": found.pnl.total,
        "spread": found.pnl.spread,
        "inventory": found.pnl.inventory,
        "fees": found.pnl.fees,
        "beyond_holding": found.beyond_holding,
        "markout_30s_bp": None if thirty is None else thirty.markout_bp,
        "fill_ratio": found.fill_ratio,
        "uptime": found.uptime,
        "max_inventory": found.max_inventory,
        "max_drawdown": found.max_drawdown,
        "sharpe": None if found.sharpe is None else found.sharpe.value,
    }


# --- many of them ----------------------------------------------------------------------------------------------------


def _workers(options: BacktestOptions) -> int:
    return options.workers or os.cpu_count() or 1


def _results(tasks: Sequence[Task], options: BacktestOptions) -> Iterator[Done]:
    """As they come."""
    if not tasks:
        return iter(())
    if options.scheduler is not None:
        return _on_cluster(tasks, options.scheduler)
    if _workers(options) == 1:
        return map(run_task, tasks)
    return _on_cores(tasks, min(_workers(options), len(tasks)))


def _on_cores(tasks: Sequence[Task], workers: int) -> Iterator[Done]:
    # Forked, they have what was read and watched. Elsewhere than on Linux a fork is not safe beside system libraries.
    forked = sys.platform == "linux"
    if forked:
        gc.freeze()  # else the first collection in each child would copy every page of the tapes
    context = multiprocessing.get_context("fork" if forked else "spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        others = set(multiprocessing.active_children())
        waiting = [pool.submit(run_task, task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(waiting):
                yield future.result()
        finally:
            if not all(future.done() for future in waiting):
                # Interrupted: nobody waits for the runs under way. The others are not cancelled from here: the pool,
                # which finds its workers gone, would trip over them.
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()


def _begin_worker() -> None:
    """A worker ends with Ctrl-C without a word, and never outlives who asked."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _on_cluster(tasks: Sequence[Task], address: str) -> Iterator[Done]:
    """Raises UsageError: Dask is not installed, or nothing answers there."""
    try:
        dask: Any = importlib.import_module("distributed")
    except ImportError:
        raise UsageError("--scheduler: needs Dask. Install it with: pip install 'lunomm[cluster]'") from None
    try:
        client = dask.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler: {address[:80]}: {str(error)[:120]}. Give tcp://HOST:PORT of a scheduler"
        ) from None
    with client:
        for future in dask.as_completed(client.map(run_task, list(tasks), pure=False)):
            yield future.result()
