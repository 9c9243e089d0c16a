"""What ``watch`` is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from lunomm.errors import UsageError


@dataclass(frozen=True)
class WatchOptions:
    """metrics_port: on loopback, None = no endpoint. webhook: where alarms are posted, None = nowhere; a secret."""

    metrics_port: int | None = None
    webhook: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.metrics_port is not None and not 1 <= self.metrics_port <= 65535:
            raise UsageError(f"--metrics-port: {self.metrics_port}: not a port. Give a number from 1 to 65535")
