"""Every command's options as one frozen dataclass each, in the units of the design's table, checked when made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from lunomm.errors import UsageError

DEFAULT_PAIR = "XBTMYR"


def show(text: str, limit: int = 60) -> str:
    """Text from outside for an error line: printable ASCII, bounded."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text[:limit])
    return f"'{clean}'" + ("..." if len(text) > limit else "")


def _check(option: str, value: float | Decimal, low: float, high: float, *, open_low: bool = False) -> None:
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    if not finite or value < low or value > high or (open_low and value == low):
        least = f"greater than {low:g}" if open_low else f"at least {low:g}"
        raise UsageError(f"{option}: {show(str(value))}: out of range. Give a number {least} and at most {high:g}")


@dataclass(frozen=True)
class BookOptions:
    """speed: of a tape; None = as fast as it can. publish: send a tape's ticks to the bus, as venue ``tape``.

    audit_s: between two comparisons with the venue's own list; 0 = never. record: folder of tapes; None = none.
    record_max_mb: of all tapes in it, MiB.
    """

    vol_window_s: float = 600
    kappa_lookback_s: float = 1200
    vol_price: Literal["mid", "weighted", "vamp"] = "mid"
    depth: int = 10
    tape: Path | None = None
    speed: float | None = None
    publish: bool = False
    audit_s: float = 60
    record: Path | None = None
    record_max_mb: float = 2048

    def __post_init__(self) -> None:
        _check("--vol-window", self.vol_window_s, 10, 86_400)
        _check("--kappa-lookback", self.kappa_lookback_s, 10, 7 * 86_400)
        _check("--depth", self.depth, 1, 100)
        _check("--audit-s", self.audit_s, 0, 86_400)
        if 0 < self.audit_s < 10:
            raise UsageError(f"--audit-s: {self.audit_s:g}: out of range. Give 0 (never) or at least 10")
        _check("--record-max-mb", self.record_max_mb, 1, 1e7)
        if self.record is not None and self.tape is not None:
            raise UsageError("--record: a tape is already one. Give either --record or --tape")
        _choice("--vol-price", self.vol_price, ("mid", "weighted", "vamp"))
        if self.speed is not None:
            _check("--speed", self.speed, 0, 10_000, open_low=True)
        _check_tape(self.tape)


@dataclass(frozen=True)
class QuoteOptions:
    """The document's inputs. Amounts in base; min_spread, max_spread: fractions of mid; *_s: exchange seconds; drift:
    percent a day; adverse_selection: bp."""

    order_size: Decimal = Decimal(1)
    order_size_explicit: bool = False
    gamma: float = 1.0
    eta: float = -0.005
    min_spread: float = 0.0
    order_refresh_rate_s: float = 60
    filled_order_delay_s: float = 60
    max_order_age_s: float = 1800
    horizon_s: float = 86_400
    spread_formula: Literal["paper", "readme"] = "paper"
    size_rule: Literal["decay", "literal"] = "decay"
    reprice_at: float = 0.5
    inventory_target: str | None = None
    kappa_prior: float | None = None
    min_size_policy: Literal["floor", "skip"] = "floor"
    model: Literal["as", "glft"] = "as"
    gamma_ref: Literal["lot", "capital", "absolute"] = "lot"
    target_skew: str | None = None
    drift: float = 0.0
    adverse_selection: float = 0.0
    max_spread: float | None = None
    no_improve: bool = False
    ignore_fees: bool = False
    tolerance_ticks: int = 1
    fair_price: str = "mid"
    levels: int = 1
    level_spacing: float | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        _check("--order-size", self.order_size, 0, 1e12, open_low=True)
        _check("--gamma", self.gamma, 0, 1e6)
        _check("--eta", self.eta, -100, 100)
        _check("--min-spread", self.min_spread, 0, 1)
        _check("--order-refresh-rate-s", self.order_refresh_rate_s, 0.1, 86_400)
        _check("--filled-order-delay-s", self.filled_order_delay_s, 0, 86_400)
        _check("--max-order-age-s", self.max_order_age_s, 1, 7 * 86_400)
        _check("--horizon-s", self.horizon_s, 1, 366 * 86_400)
        _check("--reprice-at", self.reprice_at, 0, 1000)
        _choice("--spread-formula", self.spread_formula, ("paper", "readme"))
        _choice("--size-rule", self.size_rule, ("decay", "literal"))
        _choice("--min-size-policy", self.min_size_policy, ("floor", "skip"))
        _choice("--model", self.model, ("as", "glft"))
        _choice("--gamma-ref", self.gamma_ref, ("lot", "capital", "absolute"))
        _check("--drift", self.drift, -100, 100)
        _check("--adverse-selection", self.adverse_selection, 0, 1000)
        _check("--levels", self.levels, 1, 10)
        if self.reference is not None and self.fair_price != "mid":
            raise UsageError("--reference: makes the fair price, as --fair-price does. Give one of the two")
        if self.level_spacing is not None:
            _check("--level-spacing", self.level_spacing, 0, 10_000, open_low=True)
        _check("--tolerance-ticks", self.tolerance_ticks, 1, 1_000_000)
        if self.max_spread is not None:
            _check("--max-spread", self.max_spread, 0, 1, open_low=True)
            if self.max_spread < self.min_spread:
                raise UsageError(f"--max-spread: {self.max_spread:g}: below --min-spread {self.min_spread:g}")
        if self.kappa_prior is not None:
            _check("--kappa-prior", self.kappa_prior, 0, 1e12, open_low=True)
        if self.inventory_target is not None:
            check_target(self.inventory_target)


def check_target(text: str) -> None:
    """``0.05``, ``0.05XBT`` or ``50%``.

    Raises:
        UsageError: anything else.
    """
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?(%|[A-Z]{2,6})?", text.strip(), re.ASCII | re.IGNORECASE):
        raise UsageError(
            f"--inventory-target: {show(text)}: not an amount. Give base such as 0.05XBT, or a share such as 50%"
        )
    if text.strip().endswith("%") and float(text.strip()[:-1]) > 100:
        raise UsageError(f"--inventory-target: {show(text)}: more than everything. Give 0% to 100%")


def _choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{option}: {show(value)}: unknown. Say one of {', '.join(allowed)}")


@dataclass(frozen=True)
class GatewayOptions:
    """max_position: base; the others counter; None = what the account can hold, none, none, derived (`open_value`).

    base_account, counter_account: ids of the accounts to trade on, where a currency has several.
    """

    update_balance_interval_s: float = 2
    max_position: Decimal | None = None
    max_order_value: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_open_value: Decimal | None = None
    base_account: int | None = None
    counter_account: int | None = None

    def __post_init__(self) -> None:
        _check("--update-balance-interval-s", self.update_balance_interval_s, 0.1, 3600)
        for option, value in (
            ("--max-position", self.max_position),
            ("--max-order-value", self.max_order_value),
            ("--max-daily-loss", self.max_daily_loss),
            ("--max-open-value", self.max_open_value),
        ):
            if value is not None:
                _check(option, value, 0, 1e15, open_low=True)
        for option, account in (("--base-account", self.base_account), ("--counter-account", self.counter_account)):
            if account is not None and not 0 < account < 2**63:
                raise UsageError(f"{option}: {account}: not an account id. Give the number Luno shows for the account")


@dataclass(frozen=True)
class ExchangeOptions:
    """port None: the usual one, or a free one where it is taken. speed: exchange seconds per wall second.

    tape_lead_s: our seconds from open doors to the first recorded update. behaviour: NAME=VALUE each. faults:
    NAME[:key=value,...] each. accounts:
    [ACCOUNT/]KEY:SECRET[:PERMISSIONS] each, beside the usual one.

    upstream: whose market is passed on, orders being answered on paper: ``luno``, or an exchange on this machine.
    balances: ASSET=AMOUNT each, of a new paper account. latency_ms: from a request to the market and back; None:
    as measured.
    """

    port: int | None = None
    seed: int = 1
    profile: str | None = None
    pairs: tuple[str, ...] = (DEFAULT_PAIR,)
    tape: Path | None = None
    tape_lead_s: float = 1.0
    speed: float = 1.0
    fee_tier: int = 0
    behaviour: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    accounts: tuple[str, ...] = field(default=(), repr=False)
    upstream: str | None = None
    balances: tuple[str, ...] = ()
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        self._check_upstream()
        if self.port is not None and not 1 <= self.port <= 65535:
            raise UsageError(f"--port: {self.port}: not a port. Give a number from 1 to 65535")
        _check("--speed", self.speed, 0, 10_000, open_low=True)
        _check("--tape-lead", self.tape_lead_s, 0, 3600)
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"--seed: {self.seed}: out of range. Give a whole number from 0 to 2**63 - 1")
        if self.fee_tier not in (0, 1):
            raise UsageError(f"--fee-tier: {self.fee_tier}: unknown. Say 0 (no maker fee) or 1 (0.35 %)")
        _check_tape(self.tape)

    @property
    def mode(self) -> str:
        """Of the pieces that talk to it."""
        return "sim" if self.upstream is None else "paper"

    def _check_upstream(self) -> None:
        if self.upstream is None:
            for name, said in (("--balance", bool(self.balances)), ("--latency-ms", self.latency_ms is not None)):
                if said:
                    raise UsageError(f"{name}: is of a paper account. Say whose market it trades: --upstream luno")
            return
        made: dict[str, object] = {
            "--tape": self.tape is not None,
            "--profile": self.profile is not None,
            "--speed": self.speed != 1.0,
            "--behaviour": self.behaviour,
            "--fault": self.faults,
            "--account": self.accounts,
        }
        for name, given in made.items():
            if given:
                raise UsageError(f"{name}: the market of --upstream is passed on as it is. Leave {name} away")
        if self.latency_ms is not None:
            _check("--latency-ms", self.latency_ms, 0, 60_000)
        for text in self.balances:
            if not _BALANCE.fullmatch(text):
                raise UsageError(f"--balance: {show(text)}: give ASSET=AMOUNT such as XBT=0.1")


_BALANCE = re.compile(r"[A-Z0-9]{2,10}=[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


@dataclass(frozen=True)
class CalibrateOptions:
    """minutes: how long to collect where no book runs. tape: files instead of the bus. kappa_prior: 1/price, believed
    beforehand and worth five taker orders. plot: SVG to write."""

    minutes: float = 10
    watch: bool = False
    tape: tuple[Path, ...] = ()
    kappa_prior: float | None = None
    estimator: Literal["exposure", "touch", "depth", "loglin", "seed"] = "exposure"
    weight: Literal["order", "size"] = "order"
    plot: Path | None = None

    def __post_init__(self) -> None:
        _check("--minutes", self.minutes, 0.5, 7 * 1440)
        if self.kappa_prior is not None:
            _check("--kappa-prior", self.kappa_prior, 0, 1e12, open_low=True)
        _choice("--estimator", self.estimator, ("exposure", "touch", "depth", "loglin", "seed"))
        _choice("--weight", self.weight, ("order", "size"))
        if self.weight == "size" and self.estimator in ("loglin", "seed"):
            raise UsageError(
                f"--weight size: {self.estimator} knows no weights. Use it with --estimator exposure, touch or depth"
            )
        if self.kappa_prior is not None and self.estimator != "exposure":
            raise UsageError(f"--kappa-prior: {self.estimator} takes none. Use it with --estimator exposure")
        for path in self.tape:
            _check_tape(path)
        if self.plot is not None and (self.watch or not self.plot.absolute().parent.is_dir()):
            reason = "not with --watch" if self.watch else "no such folder"
            raise UsageError(f"--plot: {show(str(self.plot))}: {reason}. Give the SVG file to write")


@dataclass(frozen=True)
class PairsOptions:
    """top: ranked markets shown, None = a screenful (``--json``: all). counters: currencies, none = all."""

    top: int | None = None
    counters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.top is not None:
            _check("--top", self.top, 1, 1000)
        for name in self.counters:
            if not re.fullmatch(r"[A-Z0-9]{2,10}", name, re.ASCII):
                raise UsageError(f"--counter: {show(name)}: not a currency. Give one such as MYR, or several: MYR,ZAR")


STRATEGIES = ("inventory", "symmetric", "glft")


@dataclass(frozen=True)
class SimulateOptions:
    """The paper's experiment. Time in the reader's own unit, shared by horizon, dt, sigma and intensity."""

    s: float = 100.0
    horizon: float = 1.0
    sigma: float = 2.0
    dt: float = 0.005
    kappa: float = 1.5
    intensity: float = 140.0
    gamma: float = 0.1
    runs: int = 1000
    seed: int = 1
    strategies: tuple[str, ...] = STRATEGIES
    fills: str = "linear"
    plot: Path | None = None

    def __post_init__(self) -> None:
        _check("--s", self.s, 0, 1e12, open_low=True)
        _check("--T", self.horizon, 0, 1e9, open_low=True)
        _check("--sigma", self.sigma, 0, 1e12)
        _check("--dt", self.dt, 0, 1e9, open_low=True)
        _check("--kappa", self.kappa, 0, 1e12, open_low=True)
        _check("--A", self.intensity, 0, 1e12)
        _check("--gamma", self.gamma, 0, 1e6)
        _check("--runs", self.runs, 2, 10_000_000)
        _check("--seed", self.seed, 0, 2**63 - 1)
        _choice("--fills", self.fills, ("linear", "exponential", "poisson"))
        for strategy in self.strategies:
            _choice("--strategy", strategy, STRATEGIES)
        if self.dt > self.horizon:
            raise UsageError(f"--dt: {self.dt:g}: longer than --T {self.horizon:g}. Give a shorter step")
        if (cells := self.runs * self.horizon / self.dt) > 1e9:
            raise UsageError(
                f"--runs: {self.runs} runs of {self.horizon / self.dt:.0f} steps are {cells:.1e}"
                " quotes, above 1e9. Give fewer runs or a longer --dt"
            )


@dataclass(frozen=True)
class ReportOptions:
    """mode: of the journal, None = any. journal: its file's name, None = the one that changed last.

    since, until: as typed. tape: recordings to judge against; none = those found, none at all with ``no_tape``.
    csv, html: files to write.
    """

    mode: str | None = None
    journal: str | None = None
    since: str | None = None
    until: str | None = None
    tape: tuple[Path, ...] = ()
    no_tape: bool = False
    csv: Path | None = None
    html: Path | None = None

    def __post_init__(self) -> None:
        if self.mode not in (None, "sim", "paper", "live"):
            raise UsageError(f"--mode {show(self.mode or '')}: unknown. Say --mode sim, paper or live")
        if self.tape and self.no_tape:
            raise UsageError("--no-tape: give either tapes or none")


@dataclass(frozen=True)
class UpOptions:
    """What ``up`` runs: the exchange's world, and the options of its children."""

    pairs: tuple[str, ...] = (DEFAULT_PAIR,)
    tape: Path | None = None
    speed: float = 1.0
    seed: int = 1
    profile: str | None = None
    fee_tier: int = 0
    balances: tuple[str, ...] = ()
    latency_ms: float | None = None
    quote: QuoteOptions = field(default_factory=QuoteOptions)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    book: BookOptions = field(default_factory=BookOptions)

    def __post_init__(self) -> None:
        ExchangeOptions(seed=self.seed, tape=self.tape, speed=self.speed, fee_tier=self.fee_tier)


@dataclass(frozen=True)
class WatchOptions:
    """metrics_port: on loopback, None = no endpoint. webhook: where alarms are posted, None = nowhere; a secret."""

    metrics_port: int | None = None
    webhook: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.metrics_port is not None and not 1 <= self.metrics_port <= 65535:
            raise UsageError(f"--metrics-port: {self.metrics_port}: not a port. Give a number from 1 to 65535")


def _check_tape(path: Path | None) -> None:
    if path is not None and not path.is_file():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise UsageError(f"--tape: {show(str(path))}: {reason}. Give a recorded tape", code="NO_TAPE")
