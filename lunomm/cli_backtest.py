"""``lunomm backtest``: reads the command line only, so that no setting changes a published figure."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from lunomm import cli_options as o
from lunomm import config as c

if TYPE_CHECKING:  # a command waits for its own options only
    from lunomm.options.gateway import GatewayOptions
    from lunomm.options.quote import QuoteOptions

RECORDED = "On recorded markets"
ACCOUNT, VENUE, SEVERAL = "The account", "The venue", "Many runs"


def _bare(option: object) -> Any:
    """The same option without its LUNOMM_ variable."""
    plain = copy.copy(get_args(option)[1])
    plain.envvar = None
    return plain


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
OrderSize = Annotated[Decimal | None, _bare(o.OrderSize)]
Gamma = Annotated[float, _bare(o.Gamma)]
Eta = Annotated[float, _bare(o.Eta)]
MinSpread = Annotated[float, _bare(o.MinSpread)]
Refresh = Annotated[float, _bare(o.Refresh)]
FilledDelay = Annotated[float, _bare(o.FilledDelay)]
MaxAge = Annotated[float, _bare(o.MaxAge)]
Horizon = Annotated[float, _bare(o.Horizon)]
Formula = Annotated[str, _bare(o.Formula)]
SizeRule = Annotated[str, _bare(o.SizeRule)]
RepriceAt = Annotated[float, _bare(o.RepriceAt)]
Target = Annotated[str | None, _bare(o.Target)]
KappaPrior = Annotated[float | None, _bare(o.KappaPrior)]
MinSize = Annotated[str, _bare(o.MinSize)]
Model = Annotated[str, _bare(o.Model)]
GammaRef = Annotated[str, _bare(o.GammaRef)]
TargetSkew = Annotated[str | None, _bare(o.TargetSkew)]
Drift = Annotated[float, _bare(o.Drift)]
Adverse = Annotated[float, _bare(o.Adverse)]
MaxSpread = Annotated[float | None, _bare(o.MaxSpread)]
NoImprove = Annotated[bool, _bare(o.NoImprove)]
IgnoreFees = Annotated[bool, _bare(o.IgnoreFees)]
Tolerance = Annotated[int, _bare(o.Tolerance)]
FairPrice = Annotated[str, _bare(o.FairPrice)]
Levels = Annotated[int, _bare(o.Levels)]
Spacing = Annotated[float | None, _bare(o.Spacing)]
BalanceEvery = Annotated[float, _bare(o.BalanceEvery)]
MaxPosition = Annotated[Decimal | None, _bare(o.MaxPosition)]
MaxOrderValue = Annotated[Decimal | None, _bare(o.MaxOrderValue)]
MaxDailyLoss = Annotated[Decimal | None, _bare(o.MaxDailyLoss)]
MaxOpenValue = Annotated[Decimal | None, _bare(o.MaxOpenValue)]
VolWindow = Annotated[float, _bare(o.VolWindow)]
KappaLookback = Annotated[float, _bare(o.KappaLookback)]
VolPrice = Annotated[str, _bare(o.VolPrice)]
Depth = Annotated[int, _bare(o.Depth)]
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


@app.command(rich_help_panel=RECORDED)
def backtest(
    tapes: TapesArgument,
    pair: PairOption = None,
    order_size: OrderSize = None,
    gamma: Gamma = 1.0,
    eta: Eta = -0.005,
    min_spread: MinSpread = 0.0,
    order_refresh_rate_s: Refresh = 60.0,
    filled_order_delay_s: FilledDelay = 60.0,
    max_order_age_s: MaxAge = 1800.0,
    horizon_s: Horizon = 86_400.0,
    spread_formula: Formula = "paper",
    size_rule: SizeRule = "decay",
    reprice_at: RepriceAt = 0.5,
    inventory_target: Target = None,
    kappa_prior: KappaPrior = None,
    min_size_policy: MinSize = "floor",
    model: Model = "as",
    gamma_ref: GammaRef = "lot",
    target_skew: TargetSkew = None,
    drift: Drift = 0.0,
    adverse_selection: Adverse = 0.0,
    max_spread: MaxSpread = None,
    no_improve: NoImprove = False,
    ignore_fees: IgnoreFees = False,
    tolerance_ticks: Tolerance = 1,
    fair_price: FairPrice = "mid",
    levels: Levels = 1,
    level_spacing: Spacing = None,
    update_balance_interval_s: BalanceEvery = 30.0,
    max_position: MaxPosition = None,
    max_order_value: MaxOrderValue = None,
    max_daily_loss: MaxDailyLoss = None,
    max_open_value: MaxOpenValue = None,
    vol_window: VolWindow = 600.0,
    kappa_lookback: KappaLookback = 1200.0,
    vol_price: VolPrice = "mid",
    depth: Depth = 10,
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
) -> None:
    """What these options would have earned on recorded markets: the quoter, gateway and limits, queue by queue."""
    given = dict(locals())
    from lunomm.backtest_options import BacktestOptions
    from lunomm.options.book import BookOptions

    options = BacktestOptions(
        tapes=tuple(tapes),
        pair=None if pair is None else c.parse_pair(pair),
        quote=_quote(given),
        gateway=_gateway(given),
        book=BookOptions(
            vol_window_s=vol_window, kappa_lookback_s=kappa_lookback, vol_price=cast(Any, vol_price), depth=depth
        ),
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


def _quote(given: dict[str, Any]) -> QuoteOptions:
    from lunomm.options.quote import QuoteOptions

    names = set(QuoteOptions.__dataclass_fields__) - {"order_size", "order_size_explicit", "reference"}
    size = given["order_size"]
    return QuoteOptions(
        order_size=Decimal(1) if size is None else size,
        order_size_explicit=size is not None,
        **{name: given[name] for name in names},
    )


def _gateway(given: dict[str, Any]) -> GatewayOptions:
    from lunomm.options.gateway import GatewayOptions

    names = set(GatewayOptions.__dataclass_fields__) & given.keys()
    return GatewayOptions(**{name: given[name] for name in names})
