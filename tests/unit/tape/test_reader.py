"""Tapes: ours and plain files, whole and torn, and files that are neither."""

from __future__ import annotations

import gzip
import json
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lunomm.errors import UsageError
from lunomm.market.clock import Now
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.observer import Observer
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, Side
from lunomm.tape.reader import MAX_LINE, Tape, TapeFrame, TapeOwn, read_tape

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "luno-xbtzar-2021-07-13-first5000.jsonl"
T0 = 1_700_000_000_000

SNAPSHOT = {
    "sequence": "10",
    "asks": [{"id": "A1", "price": "101.50000000", "volume": "0.2500"}],
    "bids": [{"id": "B1", "price": "99.00000000", "volume": "1.0000"}],
    "timestamp": T0,
    "status": "ACTIVE",
}


def update(sequence: int, order_id: str, price: str, volume: str, at: int) -> dict[str, Any]:
    return {
        "sequence": str(sequence),
        "trade_updates": [],
        "create_update": {"order_id": order_id, "type": "BID", "price": price, "volume": volume},
        "delete_update": None,
        "status_update": None,
        "timestamp": at,
    }


FRAMES = [SNAPSHOT, update(11, "B2", "98.20", "0.001", T0 + 500), update(12, "B3", "98.00", "2.00", T0 + 900)]


def plain(path: Path, frames: list[Any] = FRAMES, tail: str = "") -> Path:
    path.write_text("".join(json.dumps(frame) + "\n" for frame in frames) + tail)
    return path


HEADER = {"v": 1, "pair": "XBTMYR", "started_ns": 5, "source": "a test"}


def recorded(path: Path, header: dict[str, Any] = HEADER, frames: list[Any] = FRAMES) -> Path:
    lines: list[dict[str, Any]] = [header]
    for number, frame in enumerate(frames):
        lines.append({"recv_ns": 1000 + number, "frame": json.dumps(frame)})
        if number == 1:
            lines.append({"recv_ns": 1001, "own": {"B2": ["BID", "98.20", "0.001"]}})
    lines.append({"recv_ns": 2000, "frame": '""'})
    with gzip.open(path, "wt") as out:
        out.write("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_plain_file(tmp_path: Path) -> None:
    tape = read_tape(plain(tmp_path / "frames.jsonl"), "XBTMYR")
    assert (tape.pair, tape.frames, tape.torn, tape.recorded) == ("XBTMYR", 3, None, False)
    assert (tape.rules.price_scale, tape.rules.volume_scale) == (1, 3)
    assert (tape.rules.base, tape.rules.counter) == ("XBT", "MYR")
    assert (tape.started_ns, tape.ended_ns, tape.duration_s) == (T0 * 10**6, (T0 + 900) * 10**6, 0.9)
    items = list(tape)
    assert all(isinstance(item, TapeFrame) for item in items)
    first, second, _ = items
    assert isinstance(first, TapeFrame) and isinstance(first.event, BookSnapshot)
    assert first.event.asks[0].price == 1015 and first.event.asks[0].lots == 250
    assert isinstance(second, TapeFrame) and isinstance(second.event, BookUpdate)
    assert second.raw == json.dumps(FRAMES[1])
    assert second.recv_ns == (T0 + 500) * 10**6
    assert list(tape) == items  # again from the start


def test_a_recorded_tape(tmp_path: Path) -> None:
    tape = read_tape(recorded(tmp_path / "t.jsonl.gz"))
    assert (tape.pair, tape.frames, tape.source, tape.recorded) == ("XBTMYR", 3, "a test", True)
    items = list(tape)
    assert [item.recv_ns for item in items] == [1000, 1001, 1001, 1002]
    assert items[2] == TapeOwn(1001, (OwnIntent("B2", "B2", Side.BID, 982, 1),))
    assert (tape.started_ns, tape.ended_ns) == (1000, 1002)
    assert read_tape(tape.path, "XBTMYR") == tape


def rules_of(price_scale: int, volume_scale: int, min_price: str, min_volume: str) -> PairRules:
    return PairRules(
        pair="XBTMYR",
        base="XBT",
        counter="MYR",
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(min_price),
        max_price=Decimal(1000),
        min_volume=Decimal(min_volume),
        max_volume=Decimal(100),
    )


def test_rules_in_the_header_win(
    tmp_path: Path,
) -> None:
    rules = rules_of(2, 4, "1", "0.0005")
    header = HEADER | {"rules": msgspec.to_builtins(rules)}
    assert read_tape(recorded(tmp_path / "t.gz", header)).rules == rules
    other = HEADER | {"rules": msgspec.to_builtins(rules) | {"pair": "ETHMYR"}}
    with pytest.raises(UsageError):
        read_tape(recorded(tmp_path / "o.gz", other))


@pytest.mark.parametrize(
    ("price", "volume", "ticks", "lots"),
    [
        ("98.20", "0.00000050", 9_820_000_000, 50),
        ("0.00000015", "0.00000001", 15, 1),
        ("98.20", "1e999999999", None, None),
    ],
)
def test_an_own_order_of_a_few_lots_is_read(
    tmp_path: Path, price: str, volume: str, ticks: int | None, lots: int | None
) -> None:
    rules = rules_of(8, 8, "0.00000001", "0.00000001")
    lines = [
        HEADER | {"rules": msgspec.to_builtins(rules)},
        {"recv_ns": 1000, "frame": json.dumps(SNAPSHOT)},
        {"recv_ns": 1001, "own": {"B2": ["BID", price, volume]}},
        {"recv_ns": 1002, "frame": json.dumps(FRAMES[1])},
    ]
    path = tmp_path / "t.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.write("".join(json.dumps(line) + "\n" for line in lines))
    if ticks is None or lots is None:
        with pytest.raises(UsageError, match="line 3"):
            list(read_tape(path))
    else:
        assert list(read_tape(path))[-2] == TapeOwn(1001, (OwnIntent("B2", "B2", Side.BID, ticks, lots),))


@pytest.mark.parametrize(
    ("pair", "base", "counter"), [("XBTMYR", "XBT", "MYR"), ("XBTUSDT", "XBT", "USDT"), ("USDTZAR", "USDT", "ZAR")]
)
def test_currencies(tmp_path: Path, pair: str, base: str, counter: str) -> None:
    rules = read_tape(plain(tmp_path / "f"), pair).rules
    assert (rules.base, rules.counter) == (base, counter)


def test_a_torn_last_line_is_cut_and_said(tmp_path: Path) -> None:
    tape = read_tape(plain(tmp_path / "f", tail='{"sequence":"13","trade_upd'), "XBTMYR")
    assert tape.frames == 3 and tape.torn is not None and "last line" in tape.torn
    assert len(list(tape)) == 3


@pytest.mark.parametrize("cut", [1, 9, 25])
def test_a_torn_gzip_is_cut_and_said(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "t.gz"
    many = FRAMES + [update(13 + k, f"C{k}", "97.00", "0.5", T0 + 1000 + k) for k in range(3000)]
    whole = recorded(path, frames=many).read_bytes()
    path.write_bytes(whole[:-cut])
    tape = read_tape(path)
    assert tape.torn is not None and tape.frames > 1000
    assert sum(isinstance(item, TapeFrame) for item in tape) == tape.frames


def ours(header: dict[str, Any], at: int = 1000) -> bytes:
    """A whole tape, not compressed."""
    lines = [header, *({"recv_ns": at, "frame": json.dumps(frame)} for frame in FRAMES)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def flipped(whole: bytes) -> bytes:
    """One digit of one price another: still JSON, still a frame, still a book, and not what was recorded."""
    assert whole.count(b"98.20") == 1
    return whole.replace(b"98.20", b"98.30")


BAD: list[tuple[str, bytes, str]] = [
    ("empty", b"", "TAPE_EMPTY"),
    ("blank", b"\n\n", "TAPE_EMPTY"),
    ("prose", b"Dear diary\nit rained\n", "TAPE_FOREIGN"),
    ("binary", bytes(range(256)) * 40, "TAPE_FOREIGN"),
    ("another's JSON", b'{"price": 1}\n{"price": 2}\n', "TAPE_FOREIGN"),
    ("JSON that is no object", b'"hello"\n"hello"\n', "TAPE_EMPTY"),
    ("no snapshot first", json.dumps(FRAMES[1]).encode() + b"\n" + json.dumps(FRAMES[2]).encode(), "TAPE_FOREIGN"),
    ("only a header", json.dumps(HEADER).encode() + b"\n", "TAPE_EMPTY"),
    ("another version", json.dumps(HEADER | {"v": 2}).encode() + b"\n", "TAPE_FOREIGN"),
    (
        "a bad line inside",
        b"\n".join([json.dumps(SNAPSHOT).encode(), b"{oops", json.dumps(FRAMES[1]).encode()]),
        "TAPE_DAMAGED",
    ),
    ("one endless line", b"[" * (MAX_LINE + 10), "TAPE_FOREIGN"),
    ("a gzip of nothing", gzip.compress(b""), "TAPE_EMPTY"),
    ("gzip's magic alone", b"\x1f\x8b", "TAPE_FOREIGN"),
    ("not really gzip", b"\x1f\x8bgarbage garbage garbage", "TAPE_FOREIGN"),
    ("deeply nested", b'{"sequence":' + b"[" * 100_000, "TAPE_FOREIGN"),
    ("two tapes in one", ours(HEADER) + ours(HEADER), "TAPE_DAMAGED"),
    ("two markets in one", ours(HEADER) + ours(HEADER | {"pair": "XBTZAR"}), "TAPE_DAMAGED"),
    ("two compressed tapes in one", gzip.compress(ours(HEADER)) * 2, "TAPE_DAMAGED"),
    ("a byte that is not as written", flipped(gzip.compress(ours(HEADER), 0)), "TAPE_DAMAGED"),
    ("a time before all times", ours(HEADER, at=-1), "TAPE_DAMAGED"),
    ("a time of no clock", ours(HEADER, at=2**62), "TAPE_DAMAGED"),
    ("a market of two names", ours(HEADER | {"rules": {"pair": "ETHMYR"}}), "TAPE_FOREIGN"),
]


@pytest.mark.parametrize(("content", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_no_tape(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_tape(path, "XBTMYR")
    assert error.value.code == code
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_the_end_a_power_cut_leaves(tmp_path: Path) -> None:
    """A file as long as was promised to the disk, with zeros where nothing was written yet."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    whole = squeeze.compress(ours(HEADER)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    for tail in (b"\0" * 4096, b""):
        path = tmp_path / "t.jsonl.gz"
        path.write_bytes(whole + tail)
        tape = read_tape(path)
        assert tape.torn is not None and (tape.frames, len(list(tape))) == (3, 3)


def test_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError) as error:
            read_tape(path, "XBTMYR")
        assert error.value.code == "TAPE_MISSING" and error.value.exit_code == 2


def test_the_pair_must_be_known_and_agree(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_tape(plain(tmp_path / "f"))
    assert error.value.code == "TAPE_PAIR"
    with pytest.raises(UsageError) as error:
        read_tape(recorded(tmp_path / "t.gz"), "ETHMYR")
    assert error.value.code == "TAPE_PAIR" and "XBTMYR" in str(error.value)


def test_the_recorded_file() -> None:
    """Real frames: nothing is refused, and the estimates are finite, with a verdict."""
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED.name} is not here: recorded data that is not ours to ship")
    tape: Tape = read_tape(RECORDED, "XBTZAR")
    assert (tape.frames, tape.rules.price_scale, tape.rules.volume_scale) == (5001, 0, 6)
    assert tape.duration_s == pytest.approx(263, abs=1)
    observer = Observer(tape.rules)
    for item in tape:
        assert isinstance(item, TapeFrame)
        at = Now(item.event.exchange_ns, item.recv_ns)
        if isinstance(item.event, BookSnapshot):
            observer.on_snapshot(item.event, at)
        else:
            observer.on_update(item.event, at)
    observer.finish()
    tick = observer.tick(at, beat=1, wall_ms=0.0, stream_age_ms=None, lag_ms=None)
    assert (observer.fills, observer.takers, tick.sequence) == (25, 15, 398542598)
    assert (tick.best_bid, tick.best_ask, tick.mid_price) == (492513, 492594, Decimal("492553.5"))
    assert tick.volatility_daily_pct is not None and 0.2 < tick.volatility_daily_pct < 10
    known = tick.estimates
    assert known.sample == 15 and known.verdict == "THIN"
    assert known.kappa is not None and known.kappa_low is not None and known.kappa_high is not None
    assert 0 < known.kappa_low < known.kappa < known.kappa_high
