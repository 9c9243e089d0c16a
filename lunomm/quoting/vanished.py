"""Orders that were seen working and are not there any more, though no event said why."""

from __future__ import annotations

from collections.abc import Container

from lunomm.quoting.timing import SECOND_NS, Timer

VANISHED_NS = 5 * SECOND_NS
"""An order that ORDERS showed working and no longer shows, though no event said why, is taken for gone after so
long."""


class Vanished:
    """The watch over one slot's order."""

    def __init__(self) -> None:
        self._watched: tuple[str, Timer] | None = None

    def gone(self, intent: str | None, shown: Container[str], before: Container[str], now_ns: int) -> bool:
        """Whether ``intent`` has been missing for long enough to be taken for gone.

        Args:
            intent: what the slot wants, None for nothing.
            shown, before: ids in the newest ORDERS and in the one before it.
        """
        if intent is None or intent in shown:
            self._watched = None
        elif self._watched is not None and self._watched[0] == intent:
            if self._watched[1].left_ns(now_ns) == 0:
                self._watched = None
                return True
        elif intent in before:
            self._watched = (intent, Timer(now_ns, VANISHED_NS))
        return False
