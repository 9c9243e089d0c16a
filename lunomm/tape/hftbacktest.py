"""A tape in hftbacktest's order-by-order (L3) event format, without hftbacktest.

Each row: what (``ev``: one kind, a side, and that it is an event for the exchange and for the trader), when at the
exchange and when received (ns), price, volume, and a number for the order. The kinds and bits are those of hftbacktest
2.4 (`py-hftbacktest/hftbacktest/types.py` of nkaz001/hftbacktest):

* a snapshot is DEPTH_CLEAR and an ADD for each order, FIFO inside a price, all at the snapshot's time. A clear makes
  hftbacktest expire what its strategy has resting, so the first snapshot, which has nothing before it, goes without;
* a fill is TRADE (side: the taker's), then FILL of the maker, then MODIFY to what is left of it, or CANCEL;
* a create is ADD, a delete CANCEL. Where the book is void nothing is written until the next snapshot;
* our own orders are left out (they would be in their own way); what was traded with them is a TRADE without a maker.

Times do not go back in this format: one that does is set to the one before, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from lunomm.market.book import AppliedTrade, Resting
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.rules import Side
from lunomm.tape.reader import Tape, TapeFrame, TapeLost, TapeOwn
from lunomm.tape.walk import Walk

DTYPE: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)
TRADE: Final = 2
DEPTH_CLEAR: Final = 3
ADD: Final = 10
CANCEL: Final = 11
MODIFY: Final = 12
FILL: Final = 13
EXCHANGE: Final = 1 << 31
LOCAL: Final = 1 << 30
SIDE: Final = {Side.BID: 1 << 29, Side.ASK: 1 << 28}
_CHUNK: Final = 100_000

Row = tuple[int, int, int, float, float, int, int, float]


@dataclass(slots=True)
class Exported:
    """What was written. orders: different ones. frames: that became events; left_out: that met a void book.

    clears: snapshots after the first. moved: times that went back. own: events of our own orders, left out.
    """

    events: int = 0
    orders: int = 0
    frames: int = 0
    left_out: int = 0
    clears: int = 0
    moved: int = 0
    own: int = 0


class Exporter:
    """Tape in, rows out.

    Attributes:
        counts: as of the last row.
    """

    def __init__(self, tape: Tape) -> None:
        self.counts = Exported()
        self._tape = tape
        self._numbers: dict[str, int] = {}
        self._ours = own_ids(tape)
        self._exch_ns = 0
        self._local_ns = 0

    def events(self) -> NDArray[np.void]:
        """Every row, of dtype `DTYPE`."""
        parts: list[NDArray[np.void]] = [np.zeros(0, DTYPE)]
        rows: list[Row] = []
        for row in self._rows():
            rows.append(row)
            if len(rows) >= _CHUNK:
                parts.append(np.array(rows, DTYPE))
                rows = []
        parts.append(np.array(rows, DTYPE))
        found = np.concatenate(parts)
        self.counts.events, self.counts.orders = len(found), len(self._numbers)
        return found

    def _rows(self) -> Iterator[Row]:
        walk, counts = Walk(self._tape), self.counts
        for item in self._tape:
            held = _touched(item, walk)
            step = walk.take(item)
            if not isinstance(item, TapeFrame) or step.repeated:
                continue
            if not step.fresh and step.applied is None:
                counts.left_out += 1
                continue
            self._time(item)
            if isinstance(item.event, BookSnapshot):
                yield from self._snapshot(item.event)
            else:
                yield from self._update(item.event, step.applied.trades if step.applied else (), held)
            counts.frames += 1

    def _time(self, item: TapeFrame) -> None:
        """A row's times, which never go back, and nothing is received before it happened."""
        exch_ns = max(item.event.exchange_ns, self._exch_ns)
        local_ns = max(item.recv_ns, self._local_ns, exch_ns)
        self.counts.moved += (exch_ns, local_ns) != (item.event.exchange_ns, item.recv_ns)
        self._exch_ns, self._local_ns = exch_ns, local_ns

    def _snapshot(self, event: BookSnapshot) -> Iterator[Row]:
        if self.counts.frames:
            self.counts.clears += 1
            yield (DEPTH_CLEAR | EXCHANGE | LOCAL, self._exch_ns, self._local_ns, 0.0, 0.0, 0, 0, 0.0)
        for side, orders in ((Side.BID, event.bids), (Side.ASK, event.asks)):
            for order_id, ticks, lots in orders:
                if self._theirs(order_id):
                    yield self._row(ADD, side, ticks, lots, order_id)

    def _update(
        self, event: BookUpdate, trades: tuple[AppliedTrade, ...], held: Mapping[str, Resting]
    ) -> Iterator[Row]:
        left = {order_id: order.lots for order_id, order in held.items()}
        for side, ticks, lots, maker_id, _, _ in trades:
            yield self._row(TRADE, side.other, ticks, lots, None)
            left[maker_id] -= lots
            if self._theirs(maker_id):
                yield self._row(FILL, side, ticks, lots, maker_id)
                yield self._row(MODIFY if left[maker_id] else CANCEL, side, ticks, left[maker_id], maker_id)
        create, gone = event.create, event.delete_id
        if create is not None and create.order_id != gone and self._theirs(create.order_id):
            yield self._row(ADD, create.side, create.price, create.lots, create.order_id)
        if gone is not None and (create is None or create.order_id != gone) and self._theirs(gone):
            order = held[gone]
            yield self._row(CANCEL, order.side, order.price, left[gone], gone)

    def _theirs(self, order_id: str) -> bool:
        """Whether an order is not ours; counts those that are."""
        self.counts.own += order_id in self._ours
        return order_id not in self._ours

    def _row(self, kind: int, side: Side, ticks: int, lots: int, order_id: str | None) -> Row:
        rules = self._tape.rules
        number = 0 if order_id is None else self._numbers.setdefault(order_id, len(self._numbers) + 1)
        price, volume = rules.price_float(ticks), rules.volume_float(lots)
        return (kind | SIDE[side] | EXCHANGE | LOCAL, self._exch_ns, self._local_ns, price, volume, number, 0, 0.0)


def _touched(item: TapeFrame | TapeOwn | TapeLost, walk: Walk) -> dict[str, Resting]:
    """The resting orders a frame names, as they stand before it."""
    if walk.void or not isinstance(item, TapeFrame) or isinstance(item.event, BookSnapshot):
        return {}
    names = [trade.maker_id for trade in item.event.trades]
    if item.event.delete_id is not None:
        names.append(item.event.delete_id)
    found = ((name, walk.book.order(name)) for name in names)
    return {name: order for name, order in found if order is not None}


def own_ids(tape: Tape) -> frozenset[str]:
    """Every order of ours that is ever named on a tape: the line that names it may come after its frame."""
    found: set[str] = set()
    if tape.recorded:
        for item in tape:
            if isinstance(item, TapeOwn):
                found.update(intent.order_id for intent in item.own if intent.order_id is not None)
    return frozenset(found)


def write_npz(events: NDArray[np.void], out: BinaryIO) -> None:
    """As ``numpy.load(out)["data"]``, which is how hftbacktest reads its files."""
    np.savez_compressed(out, data=events)
