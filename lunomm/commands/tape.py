"""``lunomm tape info|verify|cut|merge|export``: recordings looked at, judged, made smaller and larger, given away.

Reads files and the command line only: no exchange, no Redis, no key, no LUNOMM_ variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from lunomm.commands.present import envelope, put_line, put_screen
from lunomm.errors import UsageError
from lunomm.tape.beside import contradictions, read_sidecar
from lunomm.tape.lines import Sidecar
from lunomm.tape.moments import moment, read_moment
from lunomm.tape.reader import Tape, read_tape
from lunomm.tape.splice import Spliced, cut, merge, proper_name
from lunomm.tape.walk import Facts, Kind, Walk, in_order, survey
from lunomm.views.tape import TapeView, Verdict, info_screen, verify_screen

FORMATS = ("hftbacktest",)
SHOWN = 20
"""Troubles of one tape in a terminal; ``--json`` has up to a thousand."""


def info(paths: Sequence[Path], pair: str | None, *, json: bool) -> None:
    """What is on each tape.

    Raises:
        UsageError: one is none, or of another pair.
    """
    for path in paths:
        tape = read_tape(path, pair)
        facts, walk = survey(tape)
        view = _view(tape, facts, walk, read_sidecar(path))
        _put("tape info", json, _data(view), info_screen(view))


def verify(paths: Sequence[Path], pair: str | None, *, json: bool) -> bool:
    """Judge each tape; whether all are what they should be.

    A torn end and losses that the recorder noted are said and are no fault; missing frames, contradictions, a clock
    that goes back and a sidecar that says otherwise are.

    Raises:
        UsageError: one is no tape, they are of several markets, or two are of the same time.
    """
    tapes = [read_tape(path, pair) for path in paths]
    in_order(tapes)
    good = True
    for tape in tapes:
        facts, walk = survey(tape)
        view = _view(tape, facts, walk, read_sidecar(tape.path))
        good = good and view.verdict is not Verdict.DAMAGED
        _put("tape verify", json, _data(view), verify_screen(view, SHOWN))
    return good


def cut_out(path: Path, pair: str | None, begin: str | None, end: str | None, out: Path, *, json: bool) -> None:
    """Write a window of a tape as a tape.

    Raises:
        UsageError: no tape, no time, an empty window, or ``out`` exists or cannot be written.
    """
    tape = read_tape(path, pair)
    origin = _exchange_start(tape)
    from_ns = None if begin is None else read_moment(begin, "--from", origin)
    to_ns = None if end is None else read_moment(end, "--to", origin)
    _wrote("tape cut", json, cut(tape, proper_name(out), from_ns, to_ns))


def join(paths: Sequence[Path], pair: str | None, out: Path, *, json: bool) -> None:
    """Write several files of one recording as one tape.

    Raises:
        UsageError: no tapes, not of one recording, overlapping, or ``out`` exists or cannot be written.
    """
    if len(paths) < 2:
        raise UsageError("merge needs two tapes or more", code="TAPE_MERGE")
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("one file is named twice", code="TAPE_OVERLAP")
    _wrote("tape merge", json, merge([read_tape(path, pair) for path in paths], proper_name(out)))


def export(path: Path, pair: str | None, form: str, out: Path, *, json: bool) -> None:
    """Write a tape in another program's format.

    Raises:
        UsageError: no tape, no such format, or ``out`` exists or cannot be written.
    """
    if form not in FORMATS:
        raise UsageError(f"--format: one of {', '.join(FORMATS)}", code="FORMAT")
    from lunomm.tape.hftbacktest import Exporter, write_npz

    exporter = Exporter(read_tape(path, pair))
    events = exporter.events()
    try:
        with out.open("xb") as file:
            write_npz(events, file)
    except FileExistsError:
        raise UsageError(f"{out} exists already. Give another file", code="EXISTS") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}. Give another file", code="NOT_WRITTEN") from None
    counts = exporter.counts
    if json:
        names = ("events", "orders", "frames", "left_out", "clears", "moved", "own")
        put_line(envelope("tape export", {"out": str(out), "format": form, **{n: getattr(counts, n) for n in names}}))
        return
    put_line(f"{out}: {counts.events} events of {counts.orders} orders from {counts.frames} frames")
    for words in (
        f"{counts.left_out} frames left out: no book to apply them to" if counts.left_out else "",
        f"{counts.clears} times the depth is cleared for a new snapshot" if counts.clears else "",
        f"{counts.moved} times set to the one before, as time does not go back there" if counts.moved else "",
        f"{counts.own} events of our own orders left out" if counts.own else "",
    ):
        if words:
            put_line(f"  {words}")


def _exchange_start(tape: Tape) -> int:
    """The first frame's own time: what a window is counted from."""
    for item in tape:
        event = getattr(item, "event", None)
        if event is not None:
            return int(event.exchange_ns)
    return tape.started_ns


def _view(tape: Tape, facts: Facts, walk: Walk, said: Sidecar | str | None) -> TapeView:
    wrong = contradictions(tape, said, facts.last_sequence)
    return TapeView(tape, facts, walk, said if isinstance(said, Sidecar) else None, tuple(wrong))


def _data(view: TapeView) -> dict[str, Any]:
    tape, facts, walk, said = view.tape, view.facts, view.walk, view.sidecar
    provenance = tape.provenance or (said.provenance if said is not None else None)
    return {
        "tape": str(tape.path),
        "pair": tape.pair,
        "verdict": view.verdict.value,
        "torn": tape.torn,
        "recorded": tape.recorded,
        "source": tape.source,
        "provenance": provenance,
        "rules": tape.rules,
        "begun": tape.begun,
        "continues": tape.continues,
        "closed": None if said is None else said.closed,
        "ended": None if said is None else said.ended,
        "bytes": tape.path.stat().st_size,
        "started": moment(tape.started_ns),
        "ended_at": moment(tape.ended_ns),
        "started_ns": tape.started_ns,
        "ended_ns": tape.ended_ns,
        "exchange_started_ns": facts.exchange_started_ns,
        "exchange_ended_ns": facts.exchange_ended_ns,
        "duration_s": tape.duration_s,
        "known_s": facts.known_ns / 1e9,
        "longest_silence_s": facts.longest_silence_ns / 1e9,
        "frames": tape.frames,
        "snapshots": facts.snapshots,
        "updates": facts.updates,
        "own_changes": facts.own_changes,
        "fills": facts.fills,
        "taker_orders": facts.takers,
        "volume": tape.rules.volume(facts.traded_lots),
        "first_sequence": facts.first_sequence,
        "last_sequence": facts.last_sequence,
        "first_mid": facts.first_mid,
        "last_mid": facts.last_mid,
        "orders": facts.orders,
        "levels": facts.levels,
        "skipped": walk.skipped,
        "missing": walk.missing,
        "counts": {kind.value: walk.counts[kind] for kind in Kind},
        "sidecar": list(view.wrong),
        "troubles": [
            {"kind": t.kind.value, "at_ns": t.at_ns, "at": moment(t.at_ns), "sequence": t.sequence, "text": t.text}
            for t in walk.troubles
        ],
    }


def _wrote(command: str, json: bool, made: Spliced) -> None:
    about = made.about
    if json:
        put_line(envelope(command, {"out": str(made.path), "notes": list(made.notes), "about": about}))
        return
    put_line(f"{made.path}: {about.frames} frames, {about.gaps} gaps, {about.size} bytes")
    for note in made.notes:
        put_line(f"  {note}")


def _put(command: str, json: bool, data: dict[str, Any], screen: RenderableType) -> None:
    if json:
        put_line(envelope(command, data))
        return
    put_screen(screen)
