"""When a quoter looked, at what, and what it had heard by then: kept for a replay, read by nobody who trades.

Quotes are made in the instants between messages: which tick was the last one, and whether a fill was known yet, decide
a price. A tape knows when the market moved and a journal when the gateway spoke, but not when either was heard. This
does.
"""

from __future__ import annotations

import msgspec

from lunomm.market.records import Params
from lunomm.market.stamp import Stamped
from lunomm.quoting.intents import WantedQuotes

MOST = 2_000
"""Looks kept while nobody takes them; older ones are given up."""


class Look(msgspec.Struct, frozen=True, array_like=True):
    """One time at which a quoter asked itself what it wants.

    at_ns: exchange time, Unix ns. sequence: of its last tick, None: without a book. heard: number of the last order
    update it knew. made: intents it had made so far. polled: account and orders were read since the last look.
    """

    at_ns: int
    sequence: int | None
    heard: int
    made: int
    polled: bool


class Looks(Stamped, kw_only=True):
    """LOOKS::<pair>: the looks since the last message.

    epoch: the quoter's start, Unix ms. number: grows by one a message; a gap is a stretch nobody knows. params: the
    calibration it had from ``params_ns`` (exchange time) on, where that is news.
    """

    epoch: int
    number: int
    looks: list[Look] = []
    params: Params | None = None
    params_ns: int = 0


class LookLog:
    """Collects them.

    Args:
        epoch_ms: the quoter's start.
    """

    def __init__(self, pair: str, epoch_ms: int) -> None:
        self._pair, self._epoch = pair, epoch_ms
        self._looks: list[Look] = []
        self._number = 0
        self._sequence: int | None = None
        self._heard = self._made = 0
        self._polled = False
        self._params: Params | None = None
        self._params_ms: int | None = None
        self._params_ns = 0

    def ticked(self, sequence: int | None) -> None:
        """A tick was taken in."""
        self._sequence = sequence

    def heard(self, number: int) -> None:
        """An order update was taken in."""
        self._heard = max(self._heard, number)

    def polled(self) -> None:
        """Account and orders were taken in."""
        self._polled = True

    def calibrated(self, params: Params, now_ns: int) -> None:
        """A calibration was taken in; the one it had already is no news."""
        if params.at_ms != self._params_ms:
            self._params, self._params_ms, self._params_ns = params, params.at_ms, now_ns

    def looked(self, wanted: WantedQuotes, now_ns: int) -> None:
        """It asked itself what it wants, and that is ``wanted``."""
        self._made = max([self._made, *(counter_of(intent.id) for intent in wanted.intents)])
        if len(self._looks) >= MOST:
            # A number left out says that something is missing.
            self._looks.clear()
            self._number += 1
        self._looks.append(Look(now_ns, self._sequence, self._heard, self._made, self._polled))
        self._polled = False

    def take(self) -> Looks | None:
        """What is new since the last call; None when nothing is."""
        if not self._looks:
            return None
        self._number += 1
        looks, self._looks = self._looks, []
        params, self._params = self._params, None
        return Looks(
            pair=self._pair, epoch=self._epoch, number=self._number, looks=looks, params=params,
            params_ns=0 if params is None else self._params_ns,
        )  # fmt: skip


def counter_of(intent_id: str) -> int:
    """Which of its quoter's intents it was, from 1; 0 where the id does not say."""
    parts = intent_id.split("-")
    return int(parts[1]) if len(parts) == 3 and parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 16 else 0
