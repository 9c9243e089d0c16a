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
        self._revision = self._touches = -1
        self._vamp: float | None = None
        self._touch: tuple[int, int, int, int] | None = None

    @property
    def moved(self) -> bool:
        """Whether one of the best levels changed since `follow`."""
        return self._bids.revision + self._asks.revision != self._revision

    def still(self) -> bool:
        """After a frame in an open market without orders of ours: `follow`, where the touch is what it was.

        False: it may be another, nothing was done.
        """
        bids, asks = self._bids, self._asks
        if bids.touches + asks.touches != self._touches or self._touch is None:
            return False
        revision = bids.revision + asks.revision  # both only grow
        if revision != self._revision:
            self._revision = revision
            # In ticks and with the asks' keys negated: relative changes need no scale.
            self._vamp = (bids.top_notional / bids.top_lots - asks.top_notional / asks.top_lots) / 2
        self.document.push(self._vamp)  # type: ignore[arg-type]  # two sides have a VAMP
        return True

    def follow(self, fair: FairTouch, *, open_market: bool) -> None:
        """After a frame. fair: the touch without our own orders."""
        bids, asks = self._bids, self._asks
        revision = bids.revision + asks.revision
        if revision != self._revision:
            self._revision, self._touches = revision, bids.touches + asks.touches
            bid_lots, ask_lots = bids.top_lots, asks.top_lots
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
