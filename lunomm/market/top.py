"""What follows from the best levels after every frame: VAMP and its volatility, the micro-price."""

from __future__ import annotations

from lunomm.market.book import Book
from lunomm.market.micro import MicroPrice, Touch
from lunomm.market.own import OwnOrders
from lunomm.market.trades import FairTouch
from lunomm.market.volatility import DocumentVol


class Top:
    """Follows one book's best levels; where they did not change, only the document's volatility counts the frame.

    document: volatility of the VAMP, by update. micro: of the others' market.
    """

    def __init__(self, book: Book, own: OwnOrders) -> None:
        self.document = DocumentVol()
        self.micro = MicroPrice()
        self._bids = book.bids
        self._asks = book.asks
        self._own = own
        self._revision = -1
        self._vamp: float | None = None
        self._touch: tuple[int, int, int, int] | None = None

    @property
    def moved(self) -> bool:
        """Whether one of the best levels changed since `follow`."""
        return self._bids.revision + self._asks.revision != self._revision

    def follow(self, fair: FairTouch, *, open_market: bool) -> None:
        """After a frame. fair: the touch without our own orders."""
        bids, asks = self._bids, self._asks
        revision = bids.revision + asks.revision  # both only grow
        if revision != self._revision:
            self._revision = revision
            bid_lots, ask_lots = bids.top_lots, asks.top_lots
            # In ticks and with the asks' keys negated: relative changes need no scale.
            if bid_lots and ask_lots:
                self._vamp = (bids.top_notional / bid_lots - asks.top_notional / ask_lots) / 2
            else:
                self._vamp = None
            self.follow_touch(fair, open_market=open_market)
        if self._vamp is not None:
            self.document.push(self._vamp)

    def follow_touch(self, fair: FairTouch, *, open_market: bool) -> None:
        """Count a touch that is another."""
        bid, ask = fair
        if bid is None or ask is None or not open_market:
            self.lose_touch()
            return
        if self._own.ids:
            touch = (bid, ask, *self._own.fair_lots(bid, ask))
        else:
            touch = (bid, ask, self._bids.lots[bid], self._asks.lots[-ask])
        if touch != self._touch:
            self._touch = touch
            self.micro.push(Touch(*touch))

    def lose_touch(self) -> None:
        """What comes next is no move of the market."""
        self.micro.lose()
        self._touch = None
