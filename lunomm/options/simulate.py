"""What ``simulate`` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.options import check, choice

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
        check("--s", self.s, 0, 1e12, open_low=True)
        check("--T", self.horizon, 0, 1e9, open_low=True)
        check("--sigma", self.sigma, 0, 1e12)
        check("--dt", self.dt, 0, 1e9, open_low=True)
        check("--kappa", self.kappa, 0, 1e12, open_low=True)
        check("--A", self.intensity, 0, 1e12)
        check("--gamma", self.gamma, 0, 1e6)
        check("--runs", self.runs, 2, 10_000_000)
        check("--seed", self.seed, 0, 2**63 - 1)
        choice("--fills", self.fills, ("linear", "exponential", "poisson"))
        for strategy in self.strategies:
            choice("--strategy", strategy, STRATEGIES)
        if self.dt > self.horizon:
            raise UsageError(f"--dt: {self.dt:g}: longer than --T {self.horizon:g}. Give a shorter step")
        if (cells := self.runs * self.horizon / self.dt) > 1e9:
            raise UsageError(
                f"--runs: {self.runs} runs of {self.horizon / self.dt:.0f} steps are {cells:.1e}"
                " quotes, above 1e9. Give fewer runs or a longer --dt"
            )
