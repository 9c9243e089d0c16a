"""What ``calibrate`` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lunomm.errors import UsageError
from lunomm.options import check, check_tape, choice, show


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
        check("--minutes", self.minutes, 0.5, 7 * 1440)
        if self.kappa_prior is not None:
            check("--kappa-prior", self.kappa_prior, 0, 1e12, open_low=True)
        choice("--estimator", self.estimator, ("exposure", "touch", "depth", "loglin", "seed"))
        choice("--weight", self.weight, ("order", "size"))
        if self.weight == "size" and self.estimator in ("loglin", "seed"):
            raise UsageError(
                f"--weight size: {self.estimator} knows no weights. Use it with --estimator exposure, touch or depth"
            )
        if self.kappa_prior is not None and self.estimator != "exposure":
            raise UsageError(f"--kappa-prior: {self.estimator} takes none. Use it with --estimator exposure")
        for path in self.tape:
            check_tape(path)
        if self.plot is not None and (self.watch or not self.plot.absolute().parent.is_dir()):
            reason = "not with --watch" if self.watch else "no such folder"
            raise UsageError(f"--plot: {show(str(self.plot))}: {reason}. Give the SVG file to write")
