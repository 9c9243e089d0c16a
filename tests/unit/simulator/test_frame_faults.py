from __future__ import annotations

import json
import random

import pytest

from lunomm.simulator.fault_table import MARKET, USER, parse_fault
from lunomm.simulator.faults import Faults
from lunomm.simulator.frame_faults import Close, FrameFaults

S = 1_000_000_000
EMPTY = (
    '{"sequence":"%d","trade_updates":[],"create_update":null,"delete_update":null,'
    '"status_update":null,"timestamp":1600000000000}'
)
CREATE = (
    '{"sequence":"%d","trade_updates":null,"create_update":{"order_id":"BXA","type":"BID","price":"300001.50",'
    '"volume":"0.01"},"delete_update":null,"status_update":null,"timestamp":1600000000000}'
)
MESSAGE = '{"type":"balance_update","timestamp":1600000000000,"balance_update":{}}'


def stream(*texts: str, at: str = MARKET) -> FrameFaults:
    faults = Faults(random.Random(1))
    for text in texts:
        faults.arm(parse_fault(text), 0)
    return FrameFaults(faults, at, "XBTMYR" if at == MARKET else "")


def numbers(frames: FrameFaults, count: int) -> list[int]:
    """Sequence numbers of what goes out for frames 1 to ``count``."""
    sent = [frame for n in range(1, count + 1) for frame in frames.pass_on(EMPTY % n, n).frames]
    return [int(json.loads(frame.raw)["sequence"]) for frame in sent]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("market-drop:count=1", [2, 3, 4]),
        ("market-duplicate:count=1", [1, 1, 2, 3, 4]),
        ("market-reorder:count=1", [2, 1, 3, 4]),
        ("market-gap:count=1,size=3", [4, 5, 6, 7]),
        ("market-drop:pair=XBTZAR", [1, 2, 3, 4]),
        ("user-drop", [1, 2, 3, 4]),
    ],
)
def test_order_and_number(text: str, seen: list[int]) -> None:
    assert numbers(stream(text), 4) == seen


def test_a_late_frame_holds_up_those_behind_it() -> None:
    frames = stream("market-delay:count=1,seconds=2")
    assert [frames.pass_on(EMPTY % n, n * S).frames[0].due_ns for n in (1, 2, 5)] == [3 * S, 3 * S, 5 * S]
    lagging = stream("market-lag:seconds=10")
    assert [lagging.pass_on(EMPTY % n, n * S).frames[0].due_ns for n in (1, 2)] == [11 * S, 12 * S]


def test_half_open_is_for_ever() -> None:
    frames = stream("market-half-open:count=1")
    assert [frames.pass_on(EMPTY % n, n).silent for n in (1, 2)] == [True, True]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1011, 1012])
def test_closes(code: int) -> None:
    error = "internal_error" if code == 1000 else ""
    assert stream(f"market-close:code={code}").pass_on(EMPTY % 1, 1).end == Close(code, error)


def broken(text: str, raw: str, at: str = MARKET) -> str:
    (frame,) = stream(text, at=at).pass_on(raw, 1).frames
    return frame.raw


def test_broken_frames() -> None:
    cut = broken("market-corrupt", EMPTY % 7)
    assert (EMPTY % 7).startswith(cut) and len(cut) < len(EMPTY)
    assert json.loads(broken("market-corrupt:kind=wrong-type", EMPTY % 7))["sequence"] == []
    assert json.loads(broken("user-corrupt:kind=wrong-type", MESSAGE, USER))["timestamp"] == "soon"
    assert broken("user-corrupt", MESSAGE, USER) == MESSAGE[: len(MESSAGE) // 2]
    trade = json.loads(broken("market-corrupt:kind=unknown-maker", CREATE % 7))["trade_updates"][0]
    assert trade["maker_order_id"] == "BXNOBODYKNOWSME"
    side = json.loads(broken("market-corrupt:kind=unknown-side", EMPTY % 7))["create_update"]["type"]
    assert side == "MIDDLE"
    assert len(broken("market-oversize:size=2", EMPTY % 7)) > 2 * 1024 * 1024


def test_overfill_and_duplicate_name_an_order_that_was_seen() -> None:
    faults = Faults(random.Random(1))
    frames = FrameFaults(faults, MARKET, "XBTMYR")
    frames.pass_on(CREATE % 1, 1)
    faults.arm(parse_fault("market-corrupt:kind=overfill,count=1"), 1)
    trade = json.loads(frames.pass_on(EMPTY % 2, 2).frames[0].raw)["trade_updates"][0]
    assert (trade["maker_order_id"], trade["base"]) == ("BXA", "999999999.00")
    faults.arm(parse_fault("market-corrupt:kind=duplicate-id,count=1"), 2)
    assert json.loads(frames.pass_on(EMPTY % 3, 3).frames[0].raw)["create_update"]["order_id"] == "BXA"


def test_frames_that_lie_are_still_frames() -> None:
    assert json.loads(broken("wrong-book", CREATE % 7))["create_update"] is None
    assert json.loads(broken("crossed-book", CREATE % 7))["create_update"]["price"] == "600003.00"
    assert json.loads(broken("status-word:code=HALTED", EMPTY % 7))["status_update"] == {"status": "HALTED"}
    assert json.loads(broken("market-skew:seconds=-2.5", EMPTY % 7))["timestamp"] == 1_599_999_997_500
