"""The command line's vocabulary: every option once, with its variable and help."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from lunomm import numbers
from lunomm.errors import UsageError

T = TypeVar("T")


def number(text: str | float) -> float:
    """A plain finite-looking number; its range is checked where its meaning is known."""
    return _read(numbers.number, text) if isinstance(text, str) else float(text)


def amount(text: str | Decimal) -> Decimal:
    """An exact amount."""
    return _read(numbers.amount, text) if isinstance(text, str) else Decimal(text)


def whole(text: str | int) -> int:
    """A whole number."""
    return _read(numbers.whole, text) if isinstance(text, str) else int(text)


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _env(name: str) -> str:
    return "LUNOMM_" + name.removeprefix("--").upper().replace("-", "_")


def _float(name: str, help: str, panel: str | None = None) -> object:
    return typer.Option(name, parser=number, metavar="NUMBER", envvar=_env(name), help=help, rich_help_panel=panel)


def _decimal(name: str, help: str, panel: str | None = None) -> object:
    return typer.Option(name, parser=amount, metavar="AMOUNT", envvar=_env(name), help=help, rich_help_panel=panel)


def _whole(name: str, help: str, panel: str | None = None) -> object:
    return typer.Option(name, parser=whole, metavar="WHOLE", envvar=_env(name), help=help, rich_help_panel=panel)


def _text(name: str, help: str, panel: str | None = None, metavar: str | None = None) -> object:
    return typer.Option(name, envvar=_env(name), help=help, rich_help_panel=panel, metavar=metavar)


def _flag(name: str, help: str) -> object:
    return typer.Option(name, envvar=_env(name), help=help)


MODEL, LIMITS, BOOK, WORLD = "Model", "Gateway", "Book and estimates", "Simulated exchange"

Pair = Annotated[str | None, typer.Argument(metavar="[PAIR]", help="market, such as XBTMYR", show_default=False)]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="[PAIR]...", help="markets, such as XBTMYR")]

Mode = Annotated[str | None, _text("--mode", "default: sim; paper with keys", metavar="sim|paper|live")]
Url = Annotated[str | None, _text("--url", "base URL of the exchange; default: the mode's own", metavar="URL")]
Json = Annotated[bool, _flag("--json", "JSON lines on stdout, errors too")]
For = Annotated[float | None, _float("--for", "stop after so many seconds")]
Debug = Annotated[bool, _flag("--debug", "show the traceback of an error")]

OrderSize = Annotated[Decimal | None, _decimal("--order-size", "largest quote, base [default: 1]", MODEL)]
Gamma = Annotated[float, _float("--gamma", "risk aversion; 0 is risk-neutral", MODEL)]
Eta = Annotated[float, _float("--eta", "size shape, per lot of inventory", MODEL)]
MinSpread = Annotated[float, _float("--min-spread", "least whole spread, fraction of mid", MODEL)]
Refresh = Annotated[float, _float("--order-refresh-rate-s", "a side changes at most this often, s", MODEL)]
FilledDelay = Annotated[float, _float("--filled-order-delay-s", "rest of a side after its fill, s", MODEL)]
MaxAge = Annotated[float, _float("--max-order-age-s", "an older order is replaced, s", MODEL)]
Horizon = Annotated[float, _float("--horizon-s", "the rolling T - t, s", MODEL)]
Formula = Annotated[str, _text("--spread-formula", "paper or readme", MODEL, "paper|readme")]
SizeRule = Annotated[str, _text("--size-rule", "decay or literal", MODEL, "decay|literal")]
RepriceAt = Annotated[float, _float("--reprice-at", "re-price early after so many half-spreads; 0 never", MODEL)]
Target = Annotated[str | None, _text("--inventory-target", "base (0.05XBT) or share (50%)", MODEL, "AMOUNT|SHARE")]
KappaPrior = Annotated[float | None, _float("--kappa-prior", "kappa where none is estimated, 1/price", MODEL)]
MinSize = Annotated[str, _text("--min-size-policy", "below the exchange's minimum: floor or skip", MODEL, "floor|skip")]
Model = Annotated[str, _text("--model", "Avellaneda-Stoikov, or long-run with A", MODEL, "as|glft")]
GammaRef = Annotated[str, _text("--gamma-ref", "what gamma is relative to", MODEL, "lot|capital|absolute")]
TargetSkew = Annotated[str | None, _text("--target-skew", "instead of gamma: shift a lot held", MODEL, "SHARE%|BPbp")]
Drift = Annotated[float, _float("--drift", "expected move of the fair price, percent a day (glft)", MODEL)]
Adverse = Annotated[float, _float("--adverse-selection", "move against us at a fill, bp (glft)", MODEL)]
MaxSpread = Annotated[float | None, _float("--max-spread", "largest whole spread, fraction of mid", MODEL)]
NoImprove = Annotated[bool, _flag("--no-improve", "never quote better than the others' touch")]
IgnoreFees = Annotated[bool, _flag("--ignore-fees", "do not add the maker fee to each side")]
Tolerance = Annotated[int, _whole("--tolerance-ticks", "a wanted price nearer than this is the same", MODEL)]
Levels = Annotated[int, _whole("--levels", "orders a side, 1 to 10", MODEL)]
Spacing = Annotated[float | None, _float("--level-spacing", "between levels, bp [default: a half-spread]", MODEL)]
Reference = Annotated[str | None, _text("--reference", "fair price from two other pairs", MODEL, "PAIR*PAIR")]
FairPrice = Annotated[str, _text("--fair-price", "mid, weighted, micro, vamp or a function of yours", MODEL, "NAME")]

BalanceEvery = Annotated[float, _float("--update-balance-interval-s", "how often balances are read, s", LIMITS)]
MaxPosition = Annotated[Decimal | None, _decimal("--max-position", "worst case with all in flight, base", LIMITS)]
MaxOrderValue = Annotated[Decimal | None, _decimal("--max-order-value", "largest order, counter", LIMITS)]
MaxDailyLoss = Annotated[Decimal | None, _decimal("--max-daily-loss", "largest loss a day, counter", LIMITS)]
MaxOpenValue = Annotated[Decimal | None, _decimal("--max-open-value", "all open orders of a pair, counter", LIMITS)]
BaseAccount = Annotated[int | None, _whole("--base-account", "id of the base account, if there are several", LIMITS)]
CounterAccount = Annotated[int | None, _whole("--counter-account", "the same for the counter currency", LIMITS)]

VolWindow = Annotated[float, _float("--vol-window", "memory of the volatility, s", BOOK)]
KappaLookback = Annotated[float, _float("--kappa-lookback", "taker orders counted for kappa and A, s", BOOK)]
VolPrice = Annotated[str, _text("--vol-price", "price whose volatility it is", BOOK, "mid|weighted|vamp")]
Depth = Annotated[int, _whole("--depth", "levels published and used", BOOK)]
AuditEvery = Annotated[float, _float("--audit-s", "compare with the exchange's list so often, s; 0 never", BOOK)]
Record = Annotated[Path | None, _text("--record", "write tapes into this folder", BOOK, "DIR")]
NoRecord = Annotated[bool, _flag("--no-record", "write no tapes")]
Into = Annotated[Path | None, _text("--into", "folder [default: tapes in the state folder]", BOOK, "DIR")]
RecordMax = Annotated[float, _float("--record-max-mb", "of all tapes there; the oldest go first", BOOK)]

Tape = Annotated[Path | None, _text("--tape", "recorded frames instead of a live market", metavar="FILE")]
Tapes = Annotated[list[Path] | None, _text("--tape", "recorded frames (may be repeated)", metavar="FILE")]
Speed = Annotated[float, _float("--speed", "exchange seconds per second", WORLD)]
TapeLead = Annotated[float, _float("--tape-lead", "from open doors to a tape's first update, s", WORLD)]
TapeSpeed = Annotated[float | None, _float("--speed", "of the tape; default: as fast as it can")]
Seed = Annotated[int, _whole("--seed", "of everything random in the simulated exchange", WORLD)]
Profile = Annotated[str | None, _text("--profile", "theory, XBTZAR, XBTMYR, thin or stable", WORLD, "NAME")]
FeeTier = Annotated[int | None, _whole("--fee-tier", "0: no maker fee; 1: entry tier [default: 0; paper 1]", WORLD)]
Upstream = Annotated[str | None, _text("--upstream", "paper: whose market it is", WORLD, "luno|URL")]
Balances = Annotated[list[str] | None, _text("--balance", "paper: money of a new account", WORLD, "ASSET=AMOUNT")]
LatencyMs = Annotated[float | None, _float("--latency-ms", "paper: there and back [default: as measured]", WORLD)]
Faults = Annotated[list[str] | None, _text("--fault", "makes it go wrong; `list` lists", WORLD, "NAME[:key=value,...]")]
Switches = Annotated[list[str] | None, _text("--behaviour", "an open question; `list` lists", WORLD, "NAME=VALUE")]
Accounts = Annotated[list[str] | None, _text("--account", "another key: [OWNER/]KEY:SECRET[:PERMS]", WORLD, "KEY")]
Port = Annotated[int | None, _whole("--port", "default: 8377, or a free one where that is taken", WORLD)]
Publish = Annotated[bool, _flag("--publish", "send a tape's ticks to the bus, as venue `tape`")]
MetricsPort = Annotated[int | None, _whole("--metrics-port", "serve Prometheus metrics on this port of 127.0.0.1")]
Once = Annotated[bool, _flag("--once", "print once, even in a terminal")]
Watch = Annotated[bool, _flag("--watch", "keep calibrating")]
Top = Annotated[int | None, _whole("--top", "ranked markets to show [default: 20; --json: all]")]
Counters = Annotated[list[str] | None, _text("--counter", "only markets in these, such as MYR,ZAR", metavar="CURRENCY")]
Reason = Annotated[str, _text("--reason", "why, for the journal", metavar="TEXT")]
Minutes = Annotated[float, _float("--minutes", "how long to collect where no book runs, minutes")]
Estimator = Annotated[str, _text("--estimator", "of kappa and A", metavar="exposure|touch|depth|loglin|seed")]
Weight = Annotated[str, _text("--weight", "a taker order counts once or by its size", metavar="order|size")]
Plot = Annotated[Path | None, _text("--plot", "SVG to write: intensity, volatility, hours", metavar="FILE")]
Force = Annotated[bool, _flag("--force", "even while a piece of a live venue runs")]

# The experiment's: no variable behind them, so that nothing in the environment changes a published figure.
WORLD_OF_PAPER = "The paper's world"


def _bare(*names: str, help: str, parser: Callable[[str], object], metavar: str = "NUMBER") -> object:
    return typer.Option(*names, parser=parser, metavar=metavar, help=help, rich_help_panel=WORLD_OF_PAPER)


PaperS = Annotated[float, _bare("--s", "--price", help="mid at the start", parser=number)]
PaperT = Annotated[float, _bare("--T", "--horizon", help="length of a run", parser=number)]
PaperSigma = Annotated[float, _bare("--sigma", help="volatility, price per sqrt(time)", parser=number)]
PaperDt = Annotated[float, _bare("--dt", help="step", parser=number)]
PaperKappa = Annotated[float, _bare("--kappa", "--k", help="decay of the intensity, 1/price", parser=number)]
PaperA = Annotated[float, _bare("--A", "--intensity", help="intensity at the mid, 1/time a side", parser=number)]
PaperGamma = Annotated[float, _bare("--gamma", help="risk aversion, 1/price; 0 is risk-neutral", parser=number)]
PaperRuns = Annotated[int, _bare("--runs", help="how many", parser=whole, metavar="WHOLE")]
PaperSeed = Annotated[int, _bare("--seed", help="of everything random", parser=whole, metavar="WHOLE")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", metavar="inventory|symmetric|glft", help="may be repeated [default: all]"),
]
PaperFills = Annotated[
    str, typer.Option("--fills", metavar="linear|exponential|poisson", help="how an intensity becomes fills")
]
PaperPlot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="draw one run of the first strategy")
]
PlainJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout, errors too")]
PlainDebug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error")]

# Of what a session left behind: `report` and `parity`.
SessionJournal = Annotated[
    str | None, typer.Option("--journal", metavar="NAME", help="file in the state folder [default: the last one]")
]
SessionTapes = Annotated[
    list[Path] | None, typer.Option("--tape", metavar="FILE", help="recordings [default: those found; may be repeated]")
]


def variables() -> dict[str, Callable[[str], object] | None]:
    """Every LUNOMM_* variable of an option above, and what reads its text (None: any text will do).

    The readers raise UsageError.
    """
    found: dict[str, Callable[[str], object] | None] = {}
    for option in globals().values():
        for info in getattr(option, "__metadata__", ()):
            variable = getattr(info, "envvar", None)
            if isinstance(variable, str):
                found[variable] = None if info.parser is None else _said(info.parser)
    return found


def _said(parser: Callable[[str], object]) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return parser(text)
        except typer.BadParameter as error:
            raise UsageError(error.message) from error

    return read
