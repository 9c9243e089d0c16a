"""The recorder: what it writes the reader reads, whatever happens to it."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lunomm.errors import UsageError
from lunomm.luno.wire import decode_market_frame
from lunomm.market.book import Book
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, Side
from lunomm.quoting.looks import Look, Looks
from lunomm.tape import recorder as module
from lunomm.tape.lines import Provenance, Sidecar, StoredFile, is_full, is_ours, sidecar_name, surplus, tape_name
from lunomm.tape.reader import TapeFrame, TapeLost, TapeOwn, read_looks, read_tape
from lunomm.tape.recorder import MEGABYTE, Recorder

T0 = 1_776_470_400_000_000_000
DAY = 86_400 * 10**9
ABOUT = Provenance(source="test", mode="sim", maker_fee=Decimal("-0.0001"), taker_fee=Decimal("0.001"))
RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=6,
    min_price=Decimal(10),
    max_price=Decimal(10**8),
    min_volume=Decimal("0.0002"),
    max_volume=Decimal(100),
)


def snapshot(sequence: int) -> str:
    rows = {"bids": [("a", "299999.00"), ("b", "299998.00")], "asks": [("c", "300001.00")]}
    sides = {side: [{"id": i, "price": p, "volume": "0.5"} for i, p in row] for side, row in rows.items()}
    return json.dumps({"sequence": str(sequence), **sides, "timestamp": T0 // 10**6, "status": "ACTIVE"})


def update(sequence: int) -> str:
    create = {"order_id": f"U{sequence}", "type": "BID", "price": f"{200000 + sequence}.00", "volume": "0.01"}
    frame = {"sequence": str(sequence), "trade_updates": [], "create_update": create, "delete_update": None}
    return json.dumps({**frame, "status_update": None, "timestamp": T0 // 10**6 + sequence})


class Desk:
    """A book and its recorder, as a feed joins them."""

    def __init__(self, folder: Path, **options: int) -> None:
        options = {"max_bytes": 100 * MEGABYTE, **options}
        self.book = Book(RULES)
        self.recorder = Recorder(folder, RULES, ABOUT, **options)  # type: ignore[arg-type]

    def put(self, raw: str, at_ns: int) -> None:
        event = decode_market_frame(raw, RULES)
        assert isinstance(event, BookSnapshot | BookUpdate)
        if isinstance(event, BookSnapshot):
            self.book.load(event)
        else:
            self.book.apply(event)
        self.recorder.frame(at_ns, raw, event.sequence, snapshot=isinstance(event, BookSnapshot))
        if self.recorder.wants_snapshot:
            self.recorder.restart(at_ns, self.book.snapshot())

    def run(self, first: int, count: int, start_ns: int = T0, step_ns: int = 10**6) -> None:
        for n in range(count):
            self.put(update(first + n), start_ns + n * step_ns)


def until(holds: object, within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def tapes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_ours(path.name))


def about(tape: Path) -> Sidecar:
    return msgspec.json.decode((tape.parent / sidecar_name(tape.name)).read_bytes(), type=Sidecar)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    own = (OwnIntent("i", "U9", Side.BID, 200009, 10_000), OwnIntent("j", None, Side.ASK, 300001, 1))
    desk.put(snapshot(7), T0)
    desk.put(update(8), T0 + 5)
    desk.recorder.own(T0 + 6, own)
    desk.put(update(9), T0 + 7)
    desk.recorder.lost(T0 + 8, "sequence gap")
    desk.recorder.lost(T0 + 9, "cannot connect")
    desk.put(snapshot(20), T0 + 10)
    desk.recorder.close()
    (path,) = tapes(tmp_path)
    tape = read_tape(path, "XBTMYR")
    assert (tape.rules, tape.source, tape.torn, tape.frames, tape.losses) == (RULES, "test", None, 4, 1)
    items = list(tape)
    assert [type(item) for item in items] == [TapeFrame, TapeFrame, TapeOwn, TapeFrame, TapeLost, TapeFrame]
    assert [item.raw for item in items if isinstance(item, TapeFrame)] == [
        snapshot(7),
        update(8),
        update(9),
        snapshot(20),
    ]
    assert [item.recv_ns for item in items] == [T0, T0 + 5, T0 + 6, T0 + 7, T0 + 8, T0 + 10]
    assert items[2] == TapeOwn(T0 + 6, (OwnIntent("U9", "U9", Side.BID, 200009, 10_000),))
    beside = about(path)
    assert beside.closed and beside.provenance == ABOUT and beside.rules == RULES
    assert (beside.frames, beside.snapshots, beside.gaps, beside.own_changes) == (4, 2, 1, 1)
    assert (beside.first_sequence, beside.last_sequence, beside.started_ns, beside.ended_ns) == (7, 20, T0, T0 + 10)
    assert beside.size == path.stat().st_size
    assert beside.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with gzip.open(path) as stream:
        header = json.loads(stream.readline())
    assert header["pair"] == "XBTMYR" and header["provenance"]["taker_fee"] == "0.001"


def test_the_looks_of_our_quoter_are_kept_and_are_no_part_of_the_market(tmp_path: Path) -> None:
    looks = [
        Looks(
            pair="XBTMYR", epoch=7, number=n, looks=[Look(T0 + n, 3, 4, 5, True), Look(T0 + n + 1, None, 4, 5, False)]
        )
        for n in (1, 2)
    ]
    recorder = Recorder(tmp_path, RULES, ABOUT, max_bytes=MEGABYTE)
    recorder.looked(T0, looks[0])  # before there is a file: its number will be missing
    recorder.frame(T0, snapshot(1), 1, snapshot=True)
    recorder.looked(T0 + 2, looks[0])
    recorder.frame(T0 + 3, update(2), 2, snapshot=False)
    recorder.looked(T0 + 4, looks[1])
    recorder.close()
    (path,) = tapes(tmp_path)
    tape = read_tape(path, "XBTMYR")
    assert [item.event.sequence for item in tape if isinstance(item, TapeFrame)] == [1, 2] and len(list(tape)) == 2
    assert read_looks(path) == looks
    text = gzip.decompress(path.read_bytes()).replace(b'"number":1', b'"number":"x"')
    path.write_bytes(gzip.compress(text))
    assert read_looks(path) == looks[1:]


def test_a_full_file_is_followed_by_one_that_goes_on_without_a_gap(tmp_path: Path) -> None:
    desk = Desk(tmp_path, rotate_bytes=2000)
    desk.put(snapshot(7), T0)
    sequence = 8
    for _ in range(3):
        have = len(tapes(tmp_path))
        while len(tapes(tmp_path)) == have:
            desk.run(sequence, 50, T0 + sequence * 10**6)
            sequence += 50
            until(lambda: not desk.recorder._queue)
            time.sleep(0.02)
    desk.recorder.close()
    found = tapes(tmp_path)
    assert len(found) >= 3
    replayed = Book(RULES)
    last: int | None = None
    for path in found:
        tape = read_tape(path)
        assert tape.torn is None
        for item in tape:
            assert isinstance(item, TapeFrame)
            if isinstance(item.event, BookSnapshot):
                if last is not None:
                    assert item.event.sequence == last
                    assert item.event == replayed.snapshot(), "the book the last file ended with"
                replayed.load(item.event)
            else:
                replayed.apply(item.event)
            last = item.event.sequence
    assert last == sequence - 1 and replayed.snapshot() == desk.book.snapshot()
    chain = [about(path) for path in found]
    assert [beside.continues for beside in chain] == [None, *(path.name for path in found[:-1])]
    assert chain[0].begun == "stream" and {beside.begun for beside in chain[1:]} == {"book"}


def test_a_day_is_a_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put(snapshot(7), T0)
    desk.put(update(8), T0 + DAY)
    until(lambda: desk.recorder.wants_snapshot)
    desk.put(update(9), T0 + DAY + 1)
    desk.recorder.own(T0 + DAY + 2, ())
    desk.recorder.close()
    first, second = tapes(tmp_path)
    assert [item.event.sequence for item in read_tape(first) if isinstance(item, TapeFrame)] == [7, 8, 9]
    assert [item.event.sequence for item in read_tape(second) if isinstance(item, TapeFrame)] == [9]


def test_frames_on_their_way_to_the_thread_ask_for_no_second_new_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put(snapshot(7), T0)
    desk.put(update(8), T0 + DAY)
    until(lambda: desk.recorder.wants_snapshot)
    desk.put(update(9), T0 + DAY + 1)
    desk.recorder.restart(T0 + DAY + 1, desk.book.snapshot())
    desk.put(update(10), T0 + DAY + 2)
    desk.recorder.close()
    _, second = tapes(tmp_path)
    assert [item.event.sequence for item in read_tape(second) if isinstance(item, TapeFrame)] == [9, 10]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_recorder_leaves_all_but_the_last_seconds(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        desk = Desk(tmp_path)
        desk.put(snapshot(7), T0)
        desk.run(8, 500)
        time.sleep(60)
        os._exit(0)
    try:
        until(lambda: tapes(tmp_path) and tapes(tmp_path)[0].stat().st_size > 1000)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    tape = read_tape(tapes(tmp_path)[0])
    assert tape.torn is not None and tape.frames == 501
    assert not about(tapes(tmp_path)[0]).closed


def test_torn_anywhere_it_is_still_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put(snapshot(7), T0)
    for burst in range(3):
        desk.run(8 + 40 * burst, 40)
        size = desk.recorder.path.stat().st_size if desk.recorder.path else 0
        until(lambda size=size: desk.recorder.path is not None and desk.recorder.path.stat().st_size > size)
    desk.recorder.close()
    (path,) = tapes(tmp_path)
    whole = path.read_bytes()
    cut = tmp_path / "cut.jsonl.gz"
    seen = set()
    for length in range(len(whole) - 1, 0, -7):
        cut.write_bytes(whole[:length])
        try:
            tape = read_tape(cut)
        except UsageError as error:
            assert error.code in ("TAPE_FOREIGN", "TAPE_EMPTY")
            continue
        assert tape.torn is not None
        sequences = [item.event.sequence for item in tape if isinstance(item, TapeFrame)]
        assert sequences == list(range(7, 7 + len(sequences)))
        seen.add(len(sequences))
    assert max(seen) == 121 and len(seen) >= 3


class _Full:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, left: int) -> None:
        self.left = left

    def write(self, data: memoryview) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(self.left, len(data))
        self.left -= taken
        return taken

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_the_recording_with_one_error_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put(snapshot(7), T0)
    until(lambda: desk.recorder._file is not None)
    assert desk.recorder._file is not None
    desk.recorder._file._out.close()
    desk.recorder._file._out = _Full(30)  # type: ignore[assignment]
    desk.run(8, 200)
    until(lambda: desk.recorder.trouble)
    assert "No space left on device" in desk.recorder.trouble
    said = desk.recorder.trouble
    desk.run(208, 200)
    desk.recorder.lost(T0, "x")
    assert desk.recorder.trouble == said and not desk.recorder._queue
    desk.recorder.close()
    assert not desk.recorder._thread.is_alive()


def test_the_journal_keeps_its_room(tmp_path: Path) -> None:
    left = {"bytes": 10**12}
    recorder = Recorder(tmp_path, RULES, ABOUT, max_bytes=MEGABYTE, free=lambda folder: left["bytes"])
    recorder.frame(T0, snapshot(7), 7, snapshot=True)
    until(lambda: recorder.path is not None)
    left["bytes"] = MEGABYTE
    until(lambda: recorder.trouble)
    assert "left to the journal" in recorder.trouble
    recorder.close()
    assert read_tape(tapes(tmp_path)[0]).torn is None, "it was ended, not torn"


def test_a_disk_that_does_not_keep_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUE", 2000)
    monkeypatch.setattr(module, "FLUSH_S", 60.0)
    desk = Desk(tmp_path)
    desk.put(snapshot(7), T0)
    desk.run(8, 100)
    assert "does not keep up" in desk.recorder.trouble and not desk.recorder._queue
    desk.recorder.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--record"):
        Recorder(tmp_path / "file" / "tapes", RULES, ABOUT, max_bytes=MEGABYTE)


def test_the_oldest_go_first_and_only_ours(tmp_path: Path) -> None:
    for day in range(1, 6):
        name = tape_name("XBTZAR" if day % 2 else "ETHMYR", T0 - day * DAY, "abc", 1)
        (tmp_path / name).write_bytes(b"x" * 300_000)
        (tmp_path / sidecar_name(name)).write_text("{}")
    (tmp_path / "mine.jsonl.gz").write_bytes(b"y" * 900_000)
    recorder = Recorder(tmp_path, RULES, ABOUT, max_bytes=MEGABYTE)
    recorder.frame(T0, snapshot(7), 7, snapshot=True)
    until(lambda: recorder.path is not None)
    recorder.close()
    left = [path.name for path in tapes(tmp_path) if not path.name.startswith("XBTMYR")]
    assert left == sorted(tape_name("XBTZAR" if day % 2 else "ETHMYR", T0 - day * DAY, "abc", 1) for day in (1, 2))
    assert (tmp_path / "mine.jsonl.gz").exists()
    assert len(list(tmp_path.glob("*.meta.json"))) == 3


def test_what_is_being_written_stays() -> None:
    names = [tape_name("XBTMYR", T0 + n * DAY, "r", 1) for n in range(4)]
    files = [StoredFile(name, 10) for name in names]
    assert surplus(files, 25, ()) == names[:2]
    assert surplus(files, 25, (names[0],)) == names[1:3]
    assert surplus([*files, StoredFile("x.gz", 999)], 40, ()) == []


def test_when_a_file_is_full() -> None:
    assert not is_full(99, T0, T0 + 1, 100)
    assert is_full(100, T0, T0 + 1, 100)
    assert is_full(0, T0, T0 + DAY, 100)
