"""New tapes from old ones: a window of time cut out, files of one recording joined.

What is written is a tape like any other: a header, the book as it stood, the frames after it as they were received, and
a sidecar. Where the source has a gap the copy says so; a frame that its book refuses is left out, with the reason in
the tape. A copy that fails takes its unfinished file away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from lunomm.errors import UsageError
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot
from lunomm.market.own import OwnIntent
from lunomm.tape.lines import SUFFIX, Provenance, Sidecar, snapshot_frame
from lunomm.tape.moments import moment
from lunomm.tape.reader import Tape, TapeFrame, TapeLost, TapeOwn
from lunomm.tape.walk import Step, Walk, in_order, same_book
from lunomm.tape.writer import TapeFile

_UNSAID: Final = "frames are missing here"


@dataclass(frozen=True, slots=True)
class Spliced:
    """What was written. notes: what a reader must know of it, a sentence each."""

    path: Path
    about: Sidecar
    notes: tuple[str, ...]


class _Copy:
    """A tape that is written from steps of a walk: never a frame after a gap, always a snapshot first."""

    def __init__(self, out: Path, tape: Tape, source: str, *, started_ns: int, begun: str) -> None:
        provenance = tape.provenance or Provenance(source=tape.source)
        about = Sidecar(
            tape=out.name,
            pair=tape.pair,
            provenance=Provenance(
                source=f"{source}; {provenance.source}"[:300],
                mode=provenance.mode,
                url=provenance.url,
                run_id=provenance.run_id,
                build=provenance.build,
                maker_fee=provenance.maker_fee,
                taker_fee=provenance.taker_fee,
            ),
            rules=tape.rules,
            begun=begun,
            continues=tape.continues if begun == tape.begun else None,
            started_ns=started_ns,
        )
        try:
            self.file = TapeFile(out.parent, about)
        except FileExistsError:
            raise UsageError(f"{out} exists already. Give another file", code="EXISTS") from None
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}. Give another file", code="NOT_WRITTEN") from None
        self.lost = True

    def own(self, at_ns: int, own: tuple[OwnIntent, ...]) -> None:
        if own:
            self.file.add_own(at_ns, own)

    def begin(self, at_ns: int, book: Book, own: tuple[OwnIntent, ...]) -> None:
        """The book as it stands, and our orders in it."""
        self.own(at_ns, own)
        snapshot = book.snapshot()
        self.file.add_frame(at_ns, snapshot_frame(snapshot, book.rules), snapshot.sequence, snapshot=True)
        self.lost = False

    def step(self, step: Step, walk: Walk) -> None:
        """One item as it stands in the source, where it may stand here too."""
        item = step.item
        if isinstance(item, TapeOwn):
            self.file.add_own(*item)
        elif isinstance(item, TapeLost):
            self.lose(*item)
        elif step.fresh:
            if not self.lost:
                self.lose(item.recv_ns, _why(step))
            self.file.add_frame(item.recv_ns, item.raw, item.event.sequence, snapshot=True)
            self.lost = False
        elif step.applied is not None:
            self.file.add_frame(item.recv_ns, item.raw, item.event.sequence, snapshot=False)
        elif walk.void:
            self.lose(item.recv_ns, _why(step))

    def lose(self, at_ns: int, why: str) -> None:
        if not self.lost:
            self.file.add_lost(at_ns, why)
        self.lost = True


def _why(step: Step) -> str:
    return step.troubles[-1].text if step.troubles else _UNSAID


def cut(tape: Tape, out: Path, from_ns: int | None, to_ns: int | None) -> Spliced:
    """Write the window [from_ns, to_ns) of a tape, by the exchange's own time; None: from its start, to its end.

    Raises:
        UsageError: code TAPE_WINDOW (the window is empty, or nothing in it was recorded), EXISTS, NOT_WRITTEN.
    """
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        raise UsageError("the window ends before it begins: give --from before --to", code="TAPE_WINDOW")
    walk = Walk(tape)
    copy: _Copy | None = None
    own: tuple[OwnIntent, ...] = ()
    started, last_ns = from_ns is None, tape.started_ns
    notes: list[str] = []
    skipped = 0
    try:
        for item in tape:
            if isinstance(item, TapeFrame):
                started = started or (from_ns is not None and item.event.exchange_ns >= from_ns)
                if to_ns is not None and item.event.exchange_ns >= to_ns:
                    break
            if started and copy is None and isinstance(item, TapeFrame) and not walk.void:
                at_ns = min(max(from_ns or 0, last_ns), item.recv_ns)
                copy = _Copy(out, tape, f"cut from {tape.path.name}", started_ns=at_ns, begun="book")
                copy.begin(at_ns, walk.book, own)
            step = walk.take(item)
            skipped += started and walk.void and isinstance(item, TapeFrame)
            if isinstance(item, TapeOwn):
                own = item.own
            if started and copy is None and step.fresh:
                copy = _Copy(out, tape, f"cut from {tape.path.name}", started_ns=item.recv_ns, begun="stream")
                copy.own(item.recv_ns, own)
                if from_ns is not None:
                    notes.append(
                        "the window's beginning is not on the tape: it starts with the first snapshot after it"
                    )
            if copy is not None:
                copy.step(step, walk)
            last_ns = item.recv_ns
        if copy is None:
            raise UsageError(
                f"{tape.path} has nothing of the market in that window: it goes from {moment(tape.started_ns)} to "
                f"{moment(tape.ended_ns)}",
                code="TAPE_WINDOW",
            )
        return _ended(copy, [*notes, *_left_out(tape, skipped), *_torn([tape])], "cut")
    except BaseException:
        if copy is not None:
            copy.file.discard()
        raise


def merge(tapes: Sequence[Tape], out: Path) -> Spliced:
    """Join files of one recording into one tape; where one does not go on where the one before ended, a loss is said.

    Raises:
        UsageError: code TAPE_PAIR, TAPE_OVERLAP, TAPE_FOREIGN (other rules, or another run of a simulated exchange),
            EXISTS, NOT_WRITTEN.
    """
    ordered = in_order(tapes)
    for before, after in pairwise(ordered):
        _same_recording(before, after)
    first = ordered[0]
    names = f"{len(ordered)} tapes joined: {first.path.name} to {ordered[-1].path.name}"
    copy = _Copy(out, first, names, started_ns=first.started_ns, begun=first.begun)
    notes: list[str] = []
    try:
        seen: Book | None = None
        for tape in ordered:
            walk, joined = Walk(tape), seen is None
            for step in walk:
                item = step.item
                if step.fresh and not joined and isinstance(item, TapeFrame) and isinstance(item.event, BookSnapshot):
                    joined = True
                    assert seen is not None
                    if not copy.lost and item.event.sequence == seen.sequence and same_book(item.event, seen):
                        continue
                    notes.append(_between(tape, item, seen))
                    copy.lose(item.recv_ns, notes[-1])
                copy.step(step, walk)
            notes += _left_out(tape, walk.skipped)
            seen = walk.book
        return _ended(copy, [*notes, *_torn(ordered)], "joined")
    except BaseException:
        copy.file.discard()
        raise


def _between(tape: Tape, first: TapeFrame, seen: Book) -> str:
    """What to say where a tape does not go on where the one before it ended.

    Raises:
        UsageError: it goes back.
    """
    missing = first.event.sequence - seen.sequence
    if missing < 0 or (missing == 0 and first.event.exchange_ns < seen.exchange_ns):
        raise UsageError(
            f"{tape.path} begins at sequence {first.event.sequence}, and {seen.sequence} was passed before it: they "
            "overlap, or are of different recordings",
            code="TAPE_OVERLAP",
        )
    return f"{missing} frames are missing before {tape.path.name}"


def _same_recording(before: Tape, after: Tape) -> None:
    if before.rules.grid != after.rules.grid:
        raise UsageError(f"{after.path} has other rules than {before.path}: the market changed", code="TAPE_FOREIGN")
    one, other = before.provenance, after.provenance
    if one is None or other is None:
        return
    if one.mode != other.mode or (one.mode == "sim" and one.run_id != other.run_id):
        raise UsageError(
            f"{before.path} is of {one.mode or 'an exchange'} {one.run_id[:20]}, {after.path} of "
            f"{other.mode or 'an exchange'} {other.run_id[:20]}: not one recording",
            code="TAPE_FOREIGN",
        )


def _left_out(tape: Tape, frames: int) -> list[str]:
    return [f"{tape.path.name}: {frames} frames left out that no book could take"] if frames else []


def _torn(tapes: Sequence[Tape]) -> list[str]:
    return [f"{tape.path.name}: {tape.torn}" for tape in tapes if tape.torn is not None]


def _ended(copy: _Copy, notes: list[str], why: str) -> Spliced:
    try:
        copy.file.close(why)
    except OSError as error:
        raise UsageError(f"cannot write {copy.file.path}: {error.strerror}", code="NOT_WRITTEN") from None
    return Spliced(copy.file.path, copy.file.about, tuple(notes))


def proper_name(out: Path) -> Path:
    """The name as a tape's should be: with ``.jsonl.gz``."""
    return out if out.name.endswith(SUFFIX) else out.with_name(out.name + SUFFIX)
