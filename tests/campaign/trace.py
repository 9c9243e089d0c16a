"""What happened, one line an event: hashed always, kept when somebody wants to read it."""

from __future__ import annotations

import hashlib


class Trace:
    """Args: keep: the number of newest lines kept, None for all of them."""

    def __init__(self, *, keep: bool) -> None:
        self._hash = hashlib.sha256()
        self._keep = keep
        self.lines: list[str] = []

    def note(self, seconds: float, who: object, what: str) -> None:
        line = f"{seconds:10.3f} {who}: {what}"
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:16]
