"""What ``exchange`` is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.options import DEFAULT_PAIR, check, check_tape, show


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
        check("--speed", self.speed, 0, 10_000, open_low=True)
        check("--tape-lead", self.tape_lead_s, 0, 3600)
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"--seed: {self.seed}: out of range. Give a whole number from 0 to 2**63 - 1")
        if self.fee_tier not in (0, 1):
            raise UsageError(f"--fee-tier: {self.fee_tier}: unknown. Say 0 (no maker fee) or 1 (0.35 %)")
        check_tape(self.tape)

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
            check("--latency-ms", self.latency_ms, 0, 60_000)
        for text in self.balances:
            if not _BALANCE.fullmatch(text):
                raise UsageError(f"--balance: {show(text)}: give ASSET=AMOUNT such as XBT=0.1")


_BALANCE = re.compile(r"[A-Z0-9]{2,10}=[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)
