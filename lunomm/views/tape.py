"""A recording for people: what is on it, and what is wrong with it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from lunomm.tape.lines import Sidecar
from lunomm.tape.moments import moment
from lunomm.tape.reader import Tape
from lunomm.tape.walk import Facts, Kind, Walk
from lunomm.views import palette
from lunomm.views.screen import Fact, facts, status_word
from lunomm.views.text import UNKNOWN, age, counted, number, percent, safe, with_unit


class Verdict(enum.StrEnum):
    """WHOLE: as recorded. CUT: its end is torn, the rest is good. GAPS: the recorder lost the stream, and said so.
    DAMAGED: frames are missing that nothing accounts for, or what is there contradicts itself."""

    WHOLE = "WHOLE"
    CUT = "CUT"
    GAPS = "GAPS"
    DAMAGED = "DAMAGED"


_STYLES = {
    Verdict.WHOLE: palette.GOOD,
    Verdict.CUT: palette.WARN,
    Verdict.GAPS: palette.WARN,
    Verdict.DAMAGED: palette.BAD,
}
_WORDS = {
    Kind.LOST: "times the stream was lost",
    Kind.GAP: "gaps nobody noted",
    Kind.CROSSED: "crossed books",
    Kind.CONTRADICTION: "contradictions",
    Kind.CLOCK: "times a clock went back",
}


@dataclass(frozen=True, slots=True)
class TapeView:
    """wrong: where the tape is not what its sidecar says."""

    tape: Tape
    facts: Facts
    walk: Walk
    sidecar: Sidecar | None
    wrong: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        counts = self.walk.counts
        if self.wrong or any(counts[kind] for kind in Kind if kind is not Kind.LOST):
            return Verdict.DAMAGED
        if self.tape.torn is not None:
            return Verdict.CUT
        return Verdict.GAPS if counts[Kind.LOST] else Verdict.WHOLE


def info_screen(view: TapeView) -> RenderableType:
    """Everything known of one tape."""
    tape, found, rules = view.tape, view.facts, view.tape.rules
    provenance = tape.provenance or (view.sidecar.provenance if view.sidecar is not None else None)
    rows: list[Fact] = [
        ("market", f"{safe(tape.pair, 20)}, tick {rules.tick_size:f} {safe(rules.counter, 8)}, lot {rules.lot_size:f}"),
        ("from", f"{moment(tape.started_ns)} to {moment(tape.ended_ns)} ({age(tape.duration_s * 1000)})"),
        ("source", safe(tape.source, 120)),
    ]
    if provenance is not None and (provenance.mode or provenance.url):
        rows.append(("venue", f"{safe(provenance.mode, 12)} {safe(provenance.url, 80)} {safe(provenance.run_id, 40)}"))
    if provenance is not None and provenance.maker_fee is not None:
        taker = None if provenance.taker_fee is None else float(provenance.taker_fee)
        rows.append(("fees", f"maker {percent(float(provenance.maker_fee), 3)}, taker {percent(taker, 3)}"))
    rows += [
        ("frames", f"{number(tape.frames)}: {number(found.snapshots)} snapshots, {number(found.updates)} updates"),
        ("sequence", f"{_plain(found.first_sequence)} to {_plain(found.last_sequence)}"),
        ("trades", f"{counted(found.fills, 'fill')} by {counted(found.takers, 'taker order')}, {_traded(view)}"),
        ("mid", f"{number(found.first_mid)} to {number(found.last_mid)} {safe(rules.counter, 8)}"),
        ("book", f"{number(found.orders)} orders on {number(found.levels)} levels at the end"),
        ("known", f"{age(found.known_ns / 1e6)}, longest silence {age(found.longest_silence_ns / 1e6)}"),
        ("own orders", f"changed {number(found.own_changes)} times"),
        ("file", f"{number(tape.path.stat().st_size)} bytes, {_file(view)}"),
    ]
    return Group(_head(view), facts(rows))


def verify_screen(view: TapeView, shown: int) -> RenderableType:
    """The verdict, and what it rests on."""
    walk, tape = view.walk, view.tape
    rows: list[RenderableType] = [_head(view)]
    said = [f"{number(walk.counts[kind])} {_WORDS[kind]}" for kind in Kind if walk.counts[kind]]
    said += [f"{number(walk.missing)} frames were never recorded"] if walk.missing else []
    said += [f"{number(walk.skipped)} frames have no book to be applied to"] if walk.skipped else []
    said += [f"cut off: {safe(tape.torn, 120)}"] if tape.torn is not None else []
    said += [safe(text, 160) for text in view.wrong]
    rows += [Text(f"  {text}") for text in said]
    for trouble in walk.troubles[:shown]:
        rows.append(Text(f"  {moment(trouble.at_ns)} {trouble.kind.value}: {safe(trouble.text, 200)}", palette.MUTED))
    hidden = sum(walk.counts.values()) - min(len(walk.troubles), shown)
    if hidden:
        rows.append(Text(f"  and {number(hidden)} more: --json has a thousand", palette.MUTED))
    return Group(*rows)


def _head(view: TapeView) -> Text:
    style = _STYLES[view.verdict]
    text = status_word(view.verdict.value, style)
    text.append(f"  {safe(str(view.tape.path), 160)}", palette.STRONG)
    text.append(f"  {number(view.tape.frames)} frames, {age(view.tape.duration_s * 1000)}", palette.MUTED)
    return text


def _plain(sequence: int | None) -> str:
    return UNKNOWN if sequence is None else str(sequence)


def _traded(view: TapeView) -> str:
    rules = view.tape.rules
    return with_unit(rules.volume(view.facts.traded_lots), safe(rules.base, 8))


def _file(view: TapeView) -> str:
    said = view.sidecar
    if said is None:
        return "no sidecar" if view.tape.recorded else "raw frames"
    ended = f"ended: {safe(said.ended, 60)}" if said.closed else "not ended: its recorder runs, or was killed"
    follows = f", goes on from {safe(view.tape.continues, 80)}" if view.tape.continues else ""
    return f"{ended}{follows}"
