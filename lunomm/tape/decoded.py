"""A tape's events in memory, decoded once and kept small: what a second pass over the same tape reads (pure).

A frame is kept as plain numbers and texts, some hundreds of frames packed together: a day of 1.6 million frames takes
about as many hundred bytes. Unpacking one costs a fraction of decoding and checking its text.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from typing import Final, NamedTuple

from lunomm.market.events import BookCreate, BookSnapshot, BookTrade, BookUpdate
from lunomm.market.rules import Side
from lunomm.tape.reader import TapeFrame, TapeLost, TapeOwn

PACK: Final = 512

_SIDES: Final = (Side.BID, Side.ASK)

_Row = tuple[
    int, int, int, tuple[str, int, int, int] | None, str | None, tuple[tuple[str, str, int, str, int | None], ...]
]


class Frame(NamedTuple):
    """A frame without its text."""

    recv_ns: int
    event: BookSnapshot | BookUpdate


Item = Frame | TapeOwn | TapeLost


class Decoded:
    """Some tapes of one market, one after another: `keep` every item of them once, then iterate as often as wanted.

    own: every order id that was ever our own. frames: how many there are.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.own: set[str] = set()
        self._parts: list[bytes | Item] = []
        self._rows: list[_Row] = []

    def keep(self, item: TapeFrame | Item) -> None:
        """One more item of the tape."""
        if isinstance(item, (TapeFrame, Frame)):  # a union would be made anew for every frame
            self.frames += 1
            event = item.event
            if not isinstance(event, BookUpdate) or event.status is not None:
                self._keep(Frame(item.recv_ns, event))
                return
            self._rows.append(_row(item.recv_ns, event))
            if len(self._rows) == PACK:
                self._pack()
            return
        if isinstance(item, TapeOwn):
            self.own.update(intent.order_id for intent in item.own if intent.order_id is not None)
        self._keep(item)

    def join(self, other: Decoded, ended_ns: int, why: str) -> None:
        """Go on with another tape; between the two nothing is known. ended_ns: of what is here."""
        self._keep(TapeLost(ended_ns, why))
        other._pack()
        self._parts += other._parts
        self.own |= other.own
        self.frames += other.frames

    def _keep(self, item: Item) -> None:
        self._pack()
        self._parts.append(item)

    def _pack(self) -> None:
        if self._rows:
            self._parts.append(marshal.dumps(self._rows))
            self._rows = []

    def __iter__(self) -> Iterator[Item]:
        self._pack()
        for part in self._parts:
            if not isinstance(part, bytes):
                yield part
                continue
            for recv_ns, sequence, exchange_ns, create, delete_id, trades in marshal.loads(part):
                made = None if create is None else BookCreate(create[0], _SIDES[create[1]], create[2], create[3])
                met = tuple(BookTrade(*trade) for trade in trades) if trades else ()
                yield Frame(recv_ns, BookUpdate(sequence, met, made, delete_id, None, exchange_ns))

    @property
    def size(self) -> int:
        """Bytes of the packed frames."""
        return sum(len(part) for part in self._parts if isinstance(part, bytes))


def _row(recv_ns: int, event: BookUpdate) -> _Row:
    create = event.create
    return (
        recv_ns,
        event.sequence,
        event.exchange_ns,
        None if create is None else (create.order_id, _SIDES.index(create.side), create.price, create.lots),
        event.delete_id,
        tuple(tuple(trade) for trade in event.trades),  # type: ignore[misc]
    )
