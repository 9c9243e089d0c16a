"""A tape's time cut into equal stretches, each of which can be traded by itself (pure).

A stretch begins with the whole book as it stood, and knows from its first frame what the market had taught until then:
the estimates come from the past, never from the stretch itself or what follows.
"""

from __future__ import annotations

from typing import NamedTuple

from lunomm.market.events import BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.rules import PairRules
from lunomm.tape.backtest import Backtest, Void
from lunomm.tape.decoded import Decoded, Frame, Item
from lunomm.tape.reader import TapeOwn
from lunomm.tape.script import Learned, Moved, Script


class Stretch(NamedTuple):
    """One of them. script: what the market taught, by its own frames. before: how many items of the tape precede it."""

    decoded: Decoded
    script: Script
    before: int


class Parted(NamedTuple):
    """stretches: in order of time. void: what there was no book for in all of them together."""

    stretches: list[Stretch]
    void: Void


def stretches(rules: PairRules, decoded: Decoded, observer: Observer, back_ns: int, count: int) -> Parted:
    """``count`` of equal length in time; fewer where a stretch has no frame.

    One pass over the whole tape with nobody trading notes what the market taught.
    """
    whole = Backtest(rules, observer, back_ns)
    script = whole.note(observer)
    start_ns, end_ns = _ends(decoded)
    edges = [start_ns + (end_ns - start_ns) * index // count for index in range(1, count)]
    parts, cuts = [Decoded()], [(0, 0)]
    seen = 0
    for number, item in enumerate(decoded):
        if edges and item.recv_ns >= edges[0] and _follows(item, observer):
            edges.pop(0)
            parts.append(Decoded())
            cuts.append((seen, number))
            parts[-1].keep(Frame(item.recv_ns, observer.book.snapshot()))
        parts[-1].keep(item)
        whole.take(item)
        seen += not isinstance(item, TapeOwn)
    whole.finish()
    found = [
        Stretch(part, script if not index else _from(script, begin), before)
        for index, (part, (begin, before)) in enumerate(zip(parts, cuts, strict=True))
    ]
    return Parted(found, whole.void)


def _follows(item: Item, observer: Observer) -> bool:
    """Whether an item can stand after a snapshot of the book as it is."""
    if not isinstance(item, Frame):
        return False
    event = item.event
    return isinstance(event, BookUpdate) and event.sequence == observer.book.sequence + 1


def _ends(decoded: Decoded) -> tuple[int, int]:
    first = last = None
    for item in decoded:
        first = item.recv_ns if first is None else first
        last = item.recv_ns if last is None else max(last, item.recv_ns)
    return first or 0, last or 0


def _from(script: Script, frames: int) -> Script:
    """The script as one sees it who begins after so many frames, with a snapshot of the book as it was then."""
    moves = [Moved(max(move.frame - frames, 0) + 1, move.touch, move.state) for move in script.moves]
    learned = [Learned(max(found.frame - frames, 0) + 1, found.estimates) for found in script.learned]
    before = max((index for index, move in enumerate(moves) if move.frame == 1), default=0)
    knew = max((index for index, found in enumerate(learned) if found.frame == 1), default=0)
    return Script(moves=moves[before:], learned=learned[knew:])
