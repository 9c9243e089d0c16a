"""What ``report`` is asked, and ``parity`` of a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lunomm.errors import UsageError
from lunomm.options import show


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
