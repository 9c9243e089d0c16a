"""What the market stream and the user stream have in common: one held connection, given up and closed the same way."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from lunomm.luno.connection import Connection


class HeldStream(Protocol):
    """A stream over one :class:`Connection`; use as ``async with``. What it reads is its own."""

    _connection: Connection

    def resync(self, reason: str) -> None:
        """Drop the connection, from any task: Lost comes next, whatever was already received, then a fresh start."""
        self._connection.drop(reason)

    def age_ms(self, mono_ns: int) -> float | None:
        """Milliseconds since any byte from Luno, pongs included; ``None`` before the first. Goes on while down."""
        return self._connection.age_ms(mono_ns)

    async def aclose(self) -> None:
        """Take leave for good."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
