"""``lunomm backtest``: reads the command line only, so that no setting changes a published figure."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from lunomm import cli_options as o
from lunomm import config as c
from lunomm.cli_groups import BOOK, GATEWAY, QUOTE, taking

RECORDED = "On recorded markets"
ACCOUNT, VENUE, SEVERAL = "The account", "The venue", "Many runs"


def _number(name: str, help: str, panel: str) -> Any:
    return typer.Option(name, parser=o.number, metavar="NUMBER", help=help, rich_help_panel=panel)


def _amount(name: str, help: str, panel: str) -> Any:
    return typer.Option(name, parser=o.amount, metavar="AMOUNT", help=help, rich_help_panel=panel, show_default=False)


def _whole(name: str, help: str) -> Any:
    return typer.Option(name, parser=o.whole, metavar="WHOLE", help=help, rich_help_panel=SEVERAL)


def _file(name: str, help: str, panel: str | None = None) -> Any:
    return typer.Option(name, metavar="FILE", help=help, rich_help_panel=panel, show_default=False)


TapesArgument = Annotated[list[Path], typer.Argument(metavar="TAPE...", help="recorded market data, oldest first")]
PairOption = Annotated[str | None, typer.Option("--pair", metavar="PAIR", help="where a tape does not say it")]
Base = Annotated[
    Decimal | None, _amount("--base", "base held at the start [default: the simulated account's]", ACCOUNT)
]
Counter = Annotated[Decimal | None, _amount("--counter", "counter money at the start [default: the same]", ACCOUNT)]
MakerFee = Annotated[Decimal | None, _amount("--maker-fee", "percent [default: the tape's, else 0]", VENUE)]
TakerFee = Annotated[Decimal | None, _amount("--taker-fee", "percent [default: the tape's, else 0]", VENUE)]
LatencyMs = Annotated[float, _number("--latency-ms", "to the exchange, and back again", VENUE)]
LatencyLog = Annotated[Path | None, _file("--latency-log", "a session's journal: its own round trips instead", VENUE)]
Calibrate = Annotated[
    list[Path] | None, _file("--calibrate", "start from the parameters of this tape (may be repeated)", o.BOOK)
]
Sweep = Annotated[
    list[str] | None,
    typer.Option("--sweep", metavar="NAME=A,B", help="try these values (may be repeated)", rich_help_panel=SEVERAL),
]
Random = Annotated[int | None, _whole("--random", "draw so many combinations; ranges NAME=LOW:HIGH too")]
SweepSeed = Annotated[int, _whole("--seed", "of what is drawn")]
Forward = Annotated[int, _whole("--walk-forward", "steps: chosen on one stretch, judged on the next")]
Out = Annotated[Path | None, _file("--out", "the table, .csv or .parquet [default: lunomm-sweep.csv]", SEVERAL)]
Workers = Annotated[int | None, _whole("--workers", "local processes [default: all cores]")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster", rich_help_panel=SEVERAL)
]
Html = Annotated[Path | None, _file("--html", "write a report with its pictures")]


app = typer.Typer()


# On a tape there is no second market, no choice of accounts, no audit and nothing to record.
QUOTED = QUOTE.bare("reference")
TRADED = GATEWAY.bare("base_account", "counter_account", update_balance_interval_s=30.0)
SEEN = BOOK.bare("audit_s", "record", "no_record", "record_max_mb")


@app.command(rich_help_panel=RECORDED)
@taking(QUOTED, TRADED, SEEN)
def backtest(
    tapes: TapesArgument,
    pair: PairOption = None,
    *,
    base: Base = None,
    counter: Counter = None,
    maker_fee: MakerFee = None,
    taker_fee: TakerFee = None,
    latency_ms: LatencyMs = 50.0,
    latency_log: LatencyLog = None,
    calibrate: Calibrate = None,
    html: Html = None,
    sweep: Sweep = None,
    random: Random = None,
    seed: SweepSeed = 1,
    walk_forward: Forward = 0,
    out: Out = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
    **given: Any,
) -> None:
    """What these options would have earned on recorded markets: the quoter, gateway and limits, queue by queue."""
    from lunomm.backtest_options import BacktestOptions

    options = BacktestOptions(
        tapes=tuple(tapes),
        pair=None if pair is None else c.parse_pair(pair),
        quote=QUOTED(given),
        gateway=TRADED(given),
        book=SEEN(given),
        base=base,
        counter=counter,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        latency_ms=latency_ms,
        latency_log=latency_log,
        calibrate=tuple(calibrate or ()),
        html=html,
        sweep=tuple(sweep or ()),
        random=random,
        seed=seed,
        walk_forward=walk_forward,
        out=out,
        workers=workers,
        scheduler=scheduler,
    )
    from lunomm.commands.backtest import run

    run(options, json=json)


@app.command(rich_help_panel=RECORDED)
def parity(
    pair: o.Pair = None,
    journal: o.SessionJournal = None,
    tape: o.SessionTapes = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """Replays a recorded session with its own parameters: how far a backtest is to be believed here."""
    from lunomm.options.report import ReportOptions

    env = c.environment()
    options = ReportOptions(journal=journal, tape=tuple(tape or ()))
    common = c.read_common(env, json=json, debug=debug, venue=False)
    from lunomm.commands.parity import run

    run(common, None if pair is None else c.parse_pair(pair), options)
