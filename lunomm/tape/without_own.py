"""A recorded market as it would have been without our own orders of then; what they traded is kept (pure).

Our orders' creates and deletes are left out. A taker that met them would have gone on from there: its volume is kept as
more of what came to rest of it, or else as a trade with one more order that stands where the taker ended, behind
everybody, from the instant before. What an order came to rest with in this way and nobody took in truth leaves the book
when the order does. That nobody would have acted differently without our orders is an assumption, as in any replay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from lunomm.market.book import Applied, AppliedTrade, Book
from lunomm.market.events import BookCreate, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import MarketStatus, PairRules
from lunomm.market.signals import exact


class Taken(NamedTuple):
    """One event of the market without us, and what it did to its book (None for a snapshot)."""

    event: BookSnapshot | BookUpdate
    applied: Applied | None


class WithoutOwn:
    """Args: own: every order id that was ever ours. book: the market without them."""

    def __init__(self, rules: PairRules, own: frozenset[str], depth: int = 10) -> None:
        self.book = Book(rules, depth=depth)
        self._rules, self._own = rules, own
        self._more: dict[str, int] = {}
        """Order -> lots that came to rest with it here only."""
        self._ghosts = 0

    def take(self, event: BookSnapshot | BookUpdate, applied: Applied | None, whole: Book) -> Iterator[Taken]:
        """The same moment without us.

        Args:
            applied: what the event did to ``whole``, the market as recorded, which has it already.

        Raises:
            BookError: what is left does not make a book; it is void until the next snapshot.
        """
        if isinstance(event, BookSnapshot):
            bids, asks = (
                tuple(row for row in rows if row.order_id not in self._own) for rows in (event.bids, event.asks)
            )
            snapshot = event._replace(bids=bids, asks=asks)
            self._more.clear()
            self.book.load(snapshot)
            yield Taken(snapshot, None)
            return
        for update in self._updates(event, () if applied is None else applied.trades, whole):
            yield Taken(update, self.book.apply(update))

    def _updates(self, event: BookUpdate, trades: tuple[AppliedTrade, ...], whole: Book) -> Iterator[BookUpdate]:
        own = self._own
        ours = [trade for trade in trades if trade.maker_id in own]
        rows = tuple(row for row in event.trades if row.maker_id not in own)
        create, gone = event.create, event.delete_id
        if create is not None and create.order_id in own:
            create = None
        if gone is not None and gone in own:
            gone = None
        used_up = [
            row.maker_id for row in rows if row.maker_id not in whole and self._more.pop(row.maker_id, 0)
        ] if self._more else []  # fmt: skip
        if gone is not None:
            self._more.pop(gone, None)
        if ours:
            lots = sum(trade.lots for trade in ours)
            if create is not None and not used_up:
                create = replace(create, lots=create.lots + lots)
                self._more[create.order_id] = lots
            else:
                # Where the taker ended: nobody but us was reached there.
                price = trades[-1].price
                ghost = self._ghost()
                yield self._update(event, create=BookCreate(ghost, ours[0].maker_side, price, lots))
                counter = exact(lots * price, self._rules.price_scale + self._rules.volume_scale)
                rows = (*rows, BookTrade(ghost, ours[0].taker_id, lots, f"{counter:f}", None))
        if used_up:
            # They must be gone before the taker's rest can stand: one moment in several frames.
            yield self._update(event, rows)
            for order_id in used_up:
                yield self._update(event, gone=order_id)
            rows = ()
        yield self._update(event, rows, create, gone, event.status)

    def _ghost(self) -> str:
        self._ghosts += 1
        name = f"GHOST{self._ghosts}"
        while name in self.book:
            self._ghosts += 1
            name = f"GHOST{self._ghosts}"
        return name

    def _update(
        self,
        event: BookUpdate,
        trades: tuple[BookTrade, ...] = (),
        create: BookCreate | None = None,
        gone: str | None = None,
        status: MarketStatus | None = None,
    ) -> BookUpdate:
        numbered = tuple(trade._replace(trade_sequence=None) for trade in trades) if trades else trades
        # Numbered here: there are more of them, or fewer, than in the recording.
        return BookUpdate(self.book.sequence + 1, numbered, create, gone, status, event.exchange_ns)
