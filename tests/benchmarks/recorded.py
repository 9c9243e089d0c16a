"""The recorded XBTZAR stream, and the floor that its work is measured against."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from harness import Skipped

from lunomm.market.rules import PairRules
from lunomm.simulator.exchange import tape_rules
from lunomm.tape.reader import read_tape

PAIR = "XBTZAR"
FOLDER = Path(os.environ.get("LUNOMM_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
NAME = "luno-xbtzar-2021-07-13-first5000.jsonl"


class _Trade(msgspec.Struct):
    base: float
    counter: float
    maker_order_id: str
    taker_order_id: str


class _Create(msgspec.Struct):
    order_id: str
    type: str
    price: float
    volume: float


class _Delete(msgspec.Struct):
    order_id: str


class _Update(msgspec.Struct):
    sequence: int
    trade_updates: list[_Trade] | None
    create_update: _Create | None
    delete_update: _Delete | None
    timestamp: int


def recording() -> tuple[PairRules, list[str]]:
    """The market's rules and its frames, the snapshot first.

    Raises:
        Skipped: the recording is not here.
    """
    path = FOLDER / NAME
    if not path.is_file():
        raise Skipped(f"the recorded Luno frames are not at {path} (LUNOMM_RECORDINGS says where)")
    return tape_rules(PAIR, read_tape(path, PAIR).rules), path.read_text().splitlines()


def decode_floor(frames: list[str]) -> Callable[[], int]:
    """Typed decode of every update and nothing more: numbers parsed to floats in C, no check of anything."""
    decode = msgspec.json.Decoder(_Update, strict=False).decode

    def work() -> int:
        for raw in frames:
            decode(raw)
        return len(frames)

    return work
