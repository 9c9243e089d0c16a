"""What ``book`` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lunomm.errors import UsageError
from lunomm.options import check, check_tape, choice


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
        check("--vol-window", self.vol_window_s, 10, 86_400)
        check("--kappa-lookback", self.kappa_lookback_s, 10, 7 * 86_400)
        check("--depth", self.depth, 1, 100)
        check("--audit-s", self.audit_s, 0, 86_400)
        if 0 < self.audit_s < 10:
            raise UsageError(f"--audit-s: {self.audit_s:g}: out of range. Give 0 (never) or at least 10")
        check("--record-max-mb", self.record_max_mb, 1, 1e7)
        if self.record is not None and self.tape is not None:
            raise UsageError("--record: a tape is already one. Give either --record or --tape")
        choice("--vol-price", self.vol_price, ("mid", "weighted", "vamp"))
        if self.speed is not None:
            check("--speed", self.speed, 0, 10_000, open_low=True)
        check_tape(self.tape)
