"""The others' best prices over time, as a tape or a backtest saw them: what fills are judged against (pure).

Only changes are kept, as whole ticks: a day of a busy market is some megabytes. Before the first, after the end and
between a loss and the next snapshot nothing is known.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lunomm.errors import ModelError
from lunomm.market.rules import PairRules

NOBODY: Final = 0
"""In the arrays: nobody bids or asks, or it is not known. A price in ticks is never 0."""


class MarketPath:
    """Best bid and ask (our own orders removed) in ticks, by exchange time in Unix ns.

    Attributes:
        rules: whose ticks they are. start_ns: of the first state, end_ns: until when the last is known; None while
            there is none.
    """

    __slots__ = ("_ask", "_bid", "_ns", "end_ns", "rules", "start_ns")

    def __init__(self, rules: PairRules) -> None:
        self.rules = rules
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self._ns = array("q")
        self._bid = array("q")
        self._ask = array("q")

    def __len__(self) -> int:
        return len(self._ns)

    def add(self, ns: int, bid: int | None, ask: int | None) -> None:
        """The best prices from ``ns`` on, ticks; None: nobody is on that side.

        Raises:
            ModelError: earlier than what was added before.
        """
        self._put(ns, bid or NOBODY, ask or NOBODY)

    def lose(self, ns: int) -> None:
        """From ``ns`` on nothing is known, until the next `add`."""
        self._put(ns, NOBODY, NOBODY)

    def end(self, ns: int) -> None:
        """The last state held until ``ns``."""
        self.end_ns = ns if self.end_ns is None else max(self.end_ns, ns)

    def _put(self, ns: int, bid: int, ask: int) -> None:
        if self.end_ns is not None and ns < self.end_ns:
            raise ModelError(f"a market path cannot go back from {self.end_ns} to {ns} ns")
        if self.start_ns is None:
            self.start_ns = ns
        self.end_ns = ns
        if self._ns and self._bid[-1] == bid and self._ask[-1] == ask:
            return
        if self._ns and self._ns[-1] == ns:
            self._bid[-1], self._ask[-1] = bid, ask
            return
        self._ns.append(ns)
        self._bid.append(bid)
        self._ask.append(ask)

    def mid(self, ns: int) -> float | None:
        """The mid at ``ns``, counter per base; None where it is not known or a side is empty."""
        if self.end_ns is None or ns > self.end_ns:
            return None
        at = bisect_right(self._ns, ns) - 1
        if at < 0 or not self._bid[at] or not self._ask[at]:
            return None
        return self.rules.price_float((self._bid[at] + self._ask[at]) / 2)

    def known_ns(self, start_ns: int, end_ns: int) -> int:
        """For how long of a window there was a mid."""
        if self.end_ns is None or not self._ns:
            return 0
        times, bids, asks = self.arrays()
        edges = np.clip(np.append(times, self.end_ns), start_ns, end_ns)
        return int(np.diff(edges)[(bids > 0) & (asks > 0)].sum())

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Times in ns, bids and asks in ticks (0: nobody, or not known), of every change; copies."""
        return tuple(np.array(each, dtype=np.int64) for each in (self._ns, self._bid, self._ask))  # type: ignore[return-value]
