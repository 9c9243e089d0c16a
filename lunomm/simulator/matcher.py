"""What a venue asks of whatever matches a market's orders: the engine, or the paper venue's queue (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from lunomm.market.rules import MarketStatus, PairRules, Side
from lunomm.simulator.matching import Placed, TimeInForce
from lunomm.simulator.messages import MarketFrame, MarketText
from lunomm.simulator.queues import Resting


class Matcher(Protocol):
    """See :class:`~lunomm.simulator.matching.Engine` for each: prices are ticks, volumes lots, times Unix ms.

    orders: those the venue may cancel, by id. listener: called once for each change, after it.
    """

    listener: Callable[[MarketFrame], None] | None
    next_trade: int
    last_trade: int | None

    @property
    def rules(self) -> PairRules: ...
    @property
    def text(self) -> MarketText: ...
    @property
    def orders(self) -> dict[str, Resting]: ...
    @property
    def sequence(self) -> int: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def status(self) -> MarketStatus: ...

    def best_bid(self) -> int | None: ...
    def best_ask(self) -> int | None: ...
    def resting(self, side: Side) -> Iterator[Resting]: ...
    def levels(self, side: Side, limit: int) -> list[tuple[int, int]]: ...
    def would_trade(self, side: Side, price: int) -> bool: ...
    def fillable(self, side: Side, price: int | None, lots: int) -> int: ...
    def affordable(self, units: int) -> tuple[int, int]: ...
    def snapshot_raw(self) -> str | None:
        """As the first frame of a stream; None while the book is not known."""

    def place(
        self,
        now_ms: int,
        owner: str | None,
        side: Side,
        price: int | None,
        lots: int,
        *,
        tif: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        order_id: str | None = None,
    ) -> Placed: ...
    def cancel(self, now_ms: int, order_id: str) -> MarketFrame | None: ...
    def skip(self, now_ms: int) -> object:
        """A post-only order was refused: the engine spends a sequence number on it."""

    def regrid(self, rules: PairRules) -> None: ...
