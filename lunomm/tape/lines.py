"""What a recording is made of: its lines, its files' names, and when a file is full (pure).

One file a stretch: it starts with a header and a snapshot of the book, so that it can be read alone. Beside it lies a
sidecar, ``<name>.meta.json``, with the rules, fees and provenance, written when the file is begun and again, with
counts and a checksum, when it is ended: a sidecar that is not ``closed`` belongs to a recorder that runs or was killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from lunomm.luno.wire import WireOrder, WireSnapshot
from lunomm.market.events import BookOrder, BookSnapshot
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules
from lunomm.quoting.looks import Looks

VERSION: Final = 1
SUFFIX: Final = ".jsonl.gz"
SIDECAR: Final = ".meta.json"
_NAME: Final = re.compile(r"[A-Z0-9]{2,20}-[0-9]{8}T[0-9]{6}Z-[0-9a-z]+-[0-9]{4,}\.jsonl\.gz", re.ASCII)
_DAY_NS: Final = 86_400 * 1_000_000_000


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording comes from. maker_fee, taker_fee: fractions as the venue stated them, None when it did not."""

    source: str
    mode: str = ""
    url: str = ""
    run_id: str = ""
    build: str = ""
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None


class Warmth(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue told a starting book of its past. at_ns: when. candles: start ms, close. fills: ms, price, whether
    the taker bought."""

    at_ns: int
    candles: list[tuple[int, float]]
    fills: list[tuple[int, float, bool]]


class Sidecar(msgspec.Struct, kw_only=True):
    """``<tape>.meta.json``. Times: exchange clock at receipt, Unix ns. sizes in bytes of the file.

    snapshots: the first, and one after each of ``gaps`` (times the stream was lost). begun: ``stream``, or ``book``
    where the first snapshot was made from the book so that ``continues`` goes on without a gap. ended: why it ended.
    warm: what the book that recorded it began from, None if nothing.
    """

    v: int = VERSION
    tape: str
    pair: str
    provenance: Provenance
    rules: PairRules
    begun: str
    continues: str | None = None
    closed: bool = False
    ended: str = ""
    started_ns: int
    ended_ns: int | None = None
    frames: int = 0
    snapshots: int = 0
    gaps: int = 0
    own_changes: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None
    size: int | None = None
    sha256: str | None = None
    warm: Warmth | None = None


class StoredFile(NamedTuple):
    """A file of ours in the folder. size: with its sidecar."""

    name: str
    size: int


def tape_name(pair: str, started_ns: int, run: str, number: int) -> str:
    """Sorts by time within a pair; ``run`` keeps two processes apart."""
    stamp = datetime.fromtimestamp(started_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{pair}-{stamp}-{run}-{number:04d}{SUFFIX}"


def sidecar_name(tape: str) -> str:
    return tape.removesuffix(SUFFIX) + SIDECAR


def is_ours(name: str) -> bool:
    """Whether a file is a recording by its name; nothing else in the folder is ever touched."""
    return _NAME.fullmatch(name) is not None


def is_full(size: int, started_ns: int, now_ns: int, most: int) -> bool:
    """Whether a file should end: too large, or begun on another UTC day."""
    return size >= most or started_ns // _DAY_NS != now_ns // _DAY_NS


def surplus(files: Iterable[StoredFile], most: int, keep: Sequence[str]) -> list[str]:
    """The oldest recordings to delete so that all together stay within ``most`` bytes; ``keep`` are being written."""
    ours = sorted((file for file in files if is_ours(file.name)), key=lambda file: _time_of(file.name))
    total = sum(file.size for file in ours)
    gone = []
    for file in ours:
        if total <= most:
            break
        if file.name not in keep:
            gone.append(file.name)
            total -= file.size
    return gone


def _time_of(name: str) -> tuple[str, str]:
    return name.split("-", 1)[1], name


def header_line(sidecar: Sidecar) -> bytes:
    """The first line: what a reader of the tape alone must know."""
    return _line(
        {
            "v": VERSION,
            "pair": sidecar.pair,
            "started_ns": sidecar.started_ns,
            "source": sidecar.provenance.source,
            "rules": sidecar.rules,
            "provenance": sidecar.provenance,
            "begun": sidecar.begun,
            "continues": sidecar.continues,
        }
    )


def frame_line(recv_ns: int, raw: str) -> bytes:
    return _line({"recv_ns": recv_ns, "frame": raw})


def own_line(recv_ns: int, own: Iterable[OwnIntent], rules: PairRules) -> bytes:
    """From here on these are our own orders; those whose id is not known yet are left out."""
    rows = {
        intent.order_id: (intent.side, rules.price(intent.price_ticks), rules.volume(intent.lots))
        for intent in own
        if intent.order_id is not None
    }
    return _line({"recv_ns": recv_ns, "own": {key: [side, f"{p:f}", f"{v:f}"] for key, (side, p, v) in rows.items()}})


def lost_line(recv_ns: int, why: str) -> bytes:
    """From here on nothing is known, until the next snapshot."""
    return _line({"recv_ns": recv_ns, "lost": why[:200]})


def looks_line(recv_ns: int, looks: Looks) -> bytes:
    """When our quoter looked, and at what: of no use but to a replay of its session."""
    return _line({"recv_ns": recv_ns, "looks": looks})


def snapshot_frame(snapshot: BookSnapshot, rules: PairRules) -> str:
    """A snapshot as Luno would have sent it."""

    def rows(orders: Sequence[BookOrder]) -> list[WireOrder]:
        return [WireOrder(i, f"{rules.price(price):f}", f"{rules.volume(lots):f}") for i, price, lots in orders]

    frame = WireSnapshot(
        str(snapshot.sequence),
        rows(snapshot.asks),
        rows(snapshot.bids),
        snapshot.exchange_ns // 1_000_000,
        snapshot.status.value,
    )
    return msgspec.json.encode(frame).decode()


def _line(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record) + b"\n"
