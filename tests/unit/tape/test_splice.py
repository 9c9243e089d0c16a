"""Tapes cut and joined: the same market, and never more than was recorded."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from made_tapes import MARKET, T0, WHOLE, S, header, lost, own, received, snapshot, update, write

from lunomm.errors import UsageError
from lunomm.market.events import BookSnapshot
from lunomm.market.rules import PairRules
from lunomm.tape.beside import contradictions, read_sidecar
from lunomm.tape.lines import Sidecar, snapshot_frame
from lunomm.tape.reader import Tape, TapeFrame, TapeOwn, read_tape
from lunomm.tape.splice import cut, merge
from lunomm.tape.walk import Kind, Walk, survey

RECORDED = Path(__file__).parents[2] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"


def books(tape: Tape) -> dict[int, BookSnapshot]:
    """The book after every frame, by sequence."""
    walk, found = Walk(tape), {}
    for step in walk:
        if isinstance(step.item, TapeFrame) and not walk.void:
            found[walk.book.sequence] = walk.book.snapshot()
    return found


def good(path: Path) -> Tape:
    """A tape of ours in every respect: readable, contiguous, as its sidecar says."""
    tape = read_tape(path)
    facts, walk = survey(tape)
    said = read_sidecar(path)
    assert isinstance(said, Sidecar) and said.closed
    assert contradictions(tape, said, facts.last_sequence) == []
    assert not any(walk.counts[kind] for kind in Kind if kind is not Kind.LOST)
    return tape


def test_a_window_is_the_same_market(tmp_path: Path) -> None:
    tape = read_tape(RECORDED)
    start = tape.started_ns
    made = cut(tape, tmp_path / "w.jsonl.gz", start + 20 * S, start + 40 * S)
    piece, whole = good(made.path), books(tape)
    assert books(piece).items() <= whole.items()
    inside = [
        item.raw
        for item in tape
        if isinstance(item, TapeFrame) and start + 20 * S <= item.event.exchange_ns < start + 40 * S
    ]
    items = [item for item in piece if isinstance(item, TapeFrame)]
    assert isinstance(items[0].event, BookSnapshot)
    assert [item.raw for item in items[1:]] == inside and len(inside) > 100
    assert piece.started_ns == start + 20 * S and made.notes == ()
    assert (piece.rules, piece.pair) == (tape.rules, tape.pair)


def test_our_orders_and_losses_come_along(tmp_path: Path) -> None:
    lines = [*WHOLE[:2], own(1.5, b3=("BID", "98", "0.5")), *WHOLE[2:4], lost(3.5), received(snapshot(30, 4)), own(5)]
    tape = read_tape(write(tmp_path / "t.jsonl.gz", lines))
    piece = good(cut(tape, tmp_path / "w.jsonl.gz", T0 + 2 * S, None).path)
    items = list(piece)
    assert isinstance(items[0], TapeOwn) and items[0].own[0].order_id == "b3"
    assert (piece.losses, piece.frames, piece.begun) == (1, 4, "book")
    assert isinstance(items[-1], TapeOwn) and items[-1].own == ()


def test_a_window_that_begins_in_a_gap_begins_with_the_next_snapshot(tmp_path: Path) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", [*WHOLE[:2], lost(1.5), *WHOLE[2:], received(snapshot(30, 9))]))
    made = cut(tape, tmp_path / "w.jsonl.gz", T0 + 3 * S, None)
    assert [item.event.sequence for item in good(made.path) if isinstance(item, TapeFrame)] == [30]
    assert "starts with the first snapshot" in made.notes[0] and "3 frames left out" in made.notes[1]


def test_frames_no_book_can_take_are_left_out_and_said(tmp_path: Path) -> None:
    lines = [*WHOLE[:3], *WHOLE[4:], received(snapshot(30, 9))]
    made = cut(read_tape(write(tmp_path / "t.jsonl.gz", lines)), tmp_path / "w.jsonl.gz", None, None)
    assert good(made.path).losses == 1
    assert made.notes == ("t.jsonl.gz: 2 frames left out that no book could take",)


@pytest.mark.parametrize(("begin", "end"), [(100, None), (None, -1), (3, 3), (4, 2)])
def test_an_empty_window(tmp_path: Path, begin: int | None, end: int | None) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", WHOLE))
    out = tmp_path / "w.jsonl.gz"
    with pytest.raises(UsageError) as error:
        cut(tape, out, None if begin is None else T0 + begin * S, None if end is None else T0 + end * S)
    assert error.value.code == "TAPE_WINDOW"
    assert not list(tmp_path.glob("w*")), "nothing half done is left"


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl.gz", WHOLE)
    before = path.read_bytes()
    for run in (lambda: cut(read_tape(path), path, None, None), lambda: merge([read_tape(path)], path)):
        with pytest.raises(UsageError) as error:
            run()
        assert error.value.code == "EXISTS"
    assert path.read_bytes() == before
    with pytest.raises(UsageError) as error:
        cut(read_tape(path), tmp_path / "no" / "where.jsonl.gz", None, None)
    assert error.value.code == "NOT_WRITTEN"


def rotated(tmp_path: Path) -> tuple[Tape, list[Tape]]:
    """The recorded tape, and the same in three files as a recorder would have made them."""
    tape = read_tape(RECORDED)
    parts, walk = [], Walk(tape)
    lines: list[dict[str, object]] = []
    for number, step in enumerate(walk):
        item = step.item
        assert isinstance(item, TapeFrame)
        lines.append({"recv_ns": item.recv_ns, "frame": item.raw})
        if number in (300, 700, tape.frames - 1):
            begun = {"begun": "book", "continues": parts[-1].path.name} if parts else {}
            changes = {"rules": msgspec.to_builtins(tape.rules), "started_ns": lines[0]["recv_ns"], **begun}
            parts.append(read_tape(write(tmp_path / f"part{len(parts)}.jsonl.gz", lines, **changes)))
            lines = [{"recv_ns": item.recv_ns, "frame": snapshot_frame(walk.book.snapshot(), tape.rules)}]
    return tape, parts


def test_rotated_files_join_without_a_seam(tmp_path: Path) -> None:
    tape, parts = rotated(tmp_path)
    made = merge([parts[2], parts[0], parts[1]], tmp_path / "all.jsonl.gz")
    joined = good(made.path)
    assert [item.raw for item in joined if isinstance(item, TapeFrame)] == [
        item.raw for item in tape if isinstance(item, TapeFrame)
    ]
    assert (joined.losses, made.notes) == (0, ())


def test_a_missing_or_torn_file_is_a_loss_that_is_said(tmp_path: Path) -> None:
    tape, parts = rotated(tmp_path)
    made = merge([parts[0], parts[2]], tmp_path / "two.jsonl.gz")
    assert good(made.path).losses == 1 and made.notes == ("400 frames are missing before part2.jsonl.gz",)
    parts[0].path.write_bytes(parts[0].path.read_bytes()[:-60])
    torn = read_tape(parts[0].path)
    made = merge([torn, parts[1]], tmp_path / "torn.jsonl.gz")
    joined = good(made.path)
    assert joined.losses == 1 and any("ends early" in note for note in made.notes)
    assert books(joined).items() <= books(tape).items()


MIXED = [
    ("another run", header(provenance={"source": "x", "mode": "sim", "run_id": "r2"}), "TAPE_FOREIGN"),
    ("another venue", header(provenance={"source": "x", "mode": "live"}), "TAPE_FOREIGN"),
    ("another tick", header(rules=header()["rules"] | {"price_scale": 1}), "TAPE_FOREIGN"),
    ("another market", header(pair="ETHMYR", rules=header()["rules"] | {"pair": "ETHMYR"}), "TAPE_PAIR"),
]


@pytest.mark.parametrize(("head", "code"), [case[1:] for case in MIXED], ids=[case[0] for case in MIXED])
def test_what_is_not_one_recording_is_refused(tmp_path: Path, head: dict[str, object], code: str) -> None:
    first = read_tape(write(tmp_path / "a.jsonl.gz", WHOLE))
    other = read_tape(write(tmp_path / "b.jsonl.gz", [received(snapshot(40, 50))], **head))
    with pytest.raises(UsageError) as error:
        merge([first, other], tmp_path / "out.jsonl.gz")
    assert error.value.code == code and "\n" not in str(error.value)
    assert not list(tmp_path.glob("out*"))


def test_overlap_in_time_or_in_sequence(tmp_path: Path) -> None:
    first = read_tape(write(tmp_path / "a.jsonl.gz", WHOLE))
    for name, lines in (
        ("b", [received(MARKET[0], 3)]),
        ("c", [received(snapshot(12, 20)), received(update(13, 21, delete="a1"))]),
    ):
        with pytest.raises(UsageError) as error:
            merge([first, read_tape(write(tmp_path / f"{name}.jsonl.gz", lines))], tmp_path / "out.jsonl.gz")
        assert error.value.code == "TAPE_OVERLAP"
        assert not list(tmp_path.glob("out*"))


def test_a_copy_of_raw_frames_is_a_tape(tmp_path: Path) -> None:
    import json

    plain = tmp_path / "frames.jsonl"
    plain.write_text("".join(json.dumps(frame) + "\n" for frame in MARKET))
    made = cut(read_tape(plain, "XBTMYR"), tmp_path / "t.jsonl.gz", None, None)
    tape = good(made.path)
    rules: PairRules = tape.rules
    assert (tape.pair, tape.recorded, tape.frames, rules.volume_scale) == ("XBTMYR", True, 6, 2)
