"""A tape walked strictly: each thing that can be wrong with it is named, and the rest is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_tapes import MARKET, RULES, T0, WHOLE, Line, S, lost, own, received, snapshot, update, write

from lunomm.errors import UsageError
from lunomm.tape.reader import read_tape
from lunomm.tape.walk import Facts, Kind, Walk, in_order, market_path, survey

MARKET_RULES = msgspec.to_builtins(RULES)
AFTER = update(16, 6, create=("b4", "BID", 99, "1"))

FALSE = {Kind.CONTRADICTION: 1}
CROSSED = {Kind.LOST: 1, Kind.CROSSED: 1}
EARLIER = AFTER | {"timestamp": MARKET[0]["timestamp"]}


def and_then(**changes: Any) -> list[Line]:
    return [*WHOLE, received(update(16, 6, **changes))]


WRONG: list[tuple[str, list[Line], dict[Kind, int], int, int, float | None]] = [
    ("nothing", WHOLE, {}, 0, 0, 99.5),
    ("a frame is missing", [*WHOLE[:3], *WHOLE[4:]], {Kind.GAP: 1}, 2, 1, None),
    ("a frame twice", [*WHOLE[:3], *WHOLE[2:]], {Kind.GAP: 1}, 4, 0, None),
    ("a loss that was said", [*WHOLE[:3], lost(2.5), received(snapshot(30, 3))], {Kind.LOST: 1}, 0, 18, 100),
    ("frames after a loss", [*WHOLE[:3], lost(2.5), *WHOLE[3:]], {Kind.LOST: 1}, 3, 0, None),
    ("a snapshot nobody lost anything for", [*WHOLE, received(snapshot(20, 6))], {Kind.GAP: 1}, 0, 5, 100),
    ("the snapshot of where it is", [*WHOLE[:1], received(snapshot(10, 0.5)), *WHOLE[1:]], {}, 0, 0, 99.5),
    ("another book at the same place", [*WHOLE[:1], received(snapshot(10, 0.5, bid=98))], {Kind.GAP: 1}, 0, 0, 99.5),
    ("crossed", and_then(create=("x", "BID", 100, "1")), {Kind.CROSSED: 1}, 1, 0, None),
    ("a crossed snapshot", [*WHOLE, lost(6), received(snapshot(20, 7, bid=101))], CROSSED, 1, 5, None),
    ("an order that is not there", and_then(delete="none"), FALSE, 1, 0, None),
    ("an order that is there", and_then(create=("b2", "BID", 90, "1")), FALSE, 1, 0, None),
    ("more traded than there is", and_then(trades=[("a3", "t", "1", "100")]), FALSE, 1, 0, None),
    ("a price that is not the maker's", and_then(trades=[("a3", "t", "0.1", "11")]), FALSE, 1, 0, None),
    ("received before the line before", [*WHOLE, received(AFTER, 4.5)], {Kind.CLOCK: 1}, 0, 0, 99.5),
    ("happened before the frame before", [*WHOLE, received(EARLIER, 6)], {Kind.CLOCK: 1}, 0, 0, 99.5),
]


@pytest.mark.parametrize(
    ("lines", "counts", "skipped", "missing", "mid"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_what_is_wrong_is_named_and_nothing_is_applied_to_a_void_book(
    tmp_path: Path, lines: list[Line], counts: dict[Kind, int], skipped: int, missing: int, mid: float | None
) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", lines))
    facts, walk = survey(tape)
    assert dict(walk.counts) == counts
    assert len(walk.troubles) == sum(counts.values())
    assert (walk.skipped, walk.missing) == (skipped, missing)
    assert walk.void is (mid is None)
    assert mid is None or facts.last_mid == mid


def test_facts(tmp_path: Path) -> None:
    lines = [*WHOLE[:2], own(1.5, b3=("BID", "98", "0.5")), *WHOLE[2:], lost(7), received(snapshot(20, 9)), lost(10)]
    facts, _ = survey(read_tape(write(tmp_path / "t.jsonl.gz", lines)))
    assert facts == Facts(
        snapshots=2,
        updates=5,
        own_changes=1,
        fills=3,
        takers=2,
        traded_lots=16_000,
        first_sequence=10,
        last_sequence=20,
        exchange_started_ns=T0,
        exchange_ended_ns=T0 + 9 * S,
        longest_silence_ns=4 * S,
        known_ns=8 * S,
        first_mid=100.0,
        last_mid=100.0,
        orders=4,
        levels=3,
        _taker="t2",
        _last_frame=T0 + 9 * S,
    )


def test_a_walk_pushed_is_a_walk_pulled(tmp_path: Path) -> None:
    tape = read_tape(write(tmp_path / "t.jsonl.gz", WHOLE))
    pushed = Walk(tape)
    assert [pushed.take(item) for item in tape] == list(Walk(tape))


def test_the_others_best_prices_over_time(tmp_path: Path) -> None:
    """Our own order is at the best price from the fourth second on, and is not the market."""
    first = [*WHOLE[:4], own(3.5, a3=("ASK", "100", "0.25")), *WHOLE[4:], lost(6)]
    second = [received(snapshot(40, 10, bid=90)), received(update(41, 11, delete="b1"))]
    tapes = [read_tape(write(tmp_path / f"{n}.jsonl.gz", lines)) for n, lines in enumerate((first, second))]
    path = market_path(list(reversed(tapes)), RULES)
    assert [path.mid(T0 + s * S) for s in range(6)] == [100.0, 100.0, 100.0, 100.5, 100.5, 100.5]
    assert [path.mid(T0 + s * S) for s in (6, 9, 10, 11)] == [None, None, 95.5, 95.5]
    assert path.mid(T0 + 12 * S) is None


def test_tapes_of_other_markets_and_of_the_same_time(tmp_path: Path) -> None:
    one = read_tape(write(tmp_path / "a.jsonl.gz", WHOLE))
    same = read_tape(write(tmp_path / "b.jsonl.gz", WHOLE[:3]))
    with pytest.raises(UsageError) as error:
        in_order([one, same])
    assert error.value.code == "TAPE_OVERLAP" and "2.000 s" in str(error.value)
    rules = {**MARKET_RULES, "pair": "ETHMYR", "base": "ETH"}
    other = read_tape(write(tmp_path / "c.jsonl.gz", [received(snapshot(10, 50))], pair="ETHMYR", rules=rules))
    with pytest.raises(UsageError) as error:
        in_order([other, one])
    assert error.value.code == "TAPE_PAIR"
