"""What ``pairs`` is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lunomm.errors import UsageError
from lunomm.options import check, show


@dataclass(frozen=True)
class PairsOptions:
    """top: ranked markets shown, None = a screenful (``--json``: all). counters: currencies, none = all."""

    top: int | None = None
    counters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.top is not None:
            check("--top", self.top, 1, 1000)
        for name in self.counters:
            if not re.fullmatch(r"[A-Z0-9]{2,10}", name, re.ASCII):
                raise UsageError(f"--counter: {show(name)}: not a currency. Give one such as MYR, or several: MYR,ZAR")
