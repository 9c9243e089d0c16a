"""Reads tapes: gzip'd recordings of ours, or a plain file of raw Luno frames, one a line.

Nothing in a file is believed: lines are bounded, decoded strictly, and a file that is no tape is refused with its line
number. The exception is the end: a recorder that was killed leaves a torn last line (or gzip member), which is cut off
and reported, not an error. Files are read twice, once to check and to learn the scales, once to play; they are
never held in memory whole.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from lunomm.errors import BookError, UsageError
from lunomm.luno.wire import MAX_FRAME, WireError, decode_market_frame
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.own import OwnIntent
from lunomm.market.rules import MAX_TICKS, PairRules, Side

MAX_LINE: Final = 2 * MAX_FRAME
"""A frame inside a JSON string is escaped: its quotes take two bytes."""

MAX_OWN: Final = 1000
_GZIP: Final = b"\x1f\x8b"


class TapeFrame(NamedTuple):
    """One frame: when it arrived, as received, and what it says."""

    recv_ns: int
    raw: str
    event: BookSnapshot | BookUpdate


class TapeOwn(NamedTuple):
    """From here on these are our own orders."""

    recv_ns: int
    own: tuple[OwnIntent, ...]


class TapeLost(NamedTuple):
    """From here on the recorder knew nothing of the market, until the next snapshot."""

    recv_ns: int
    why: str


@dataclass(frozen=True, slots=True)
class Tape:
    """A checked tape. Iterating plays it from the start, as often as wanted.

    pair: from the header, or as the caller named it. source: who recorded it. started_ns: its first instant, Unix ns.
    ended_ns: its last. frames: how many. losses: how often the stream was lost. torn: what was cut off its end, None
    when nothing was.
    recorded: whether it is ours (arrival times, own orders) or a plain file (arrival = the frames' own time).
    """

    path: Path
    rules: PairRules
    source: str
    started_ns: int
    ended_ns: int
    frames: int
    torn: str | None
    recorded: bool
    losses: int = 0

    @property
    def pair(self) -> str:
        return self.rules.pair

    @property
    def duration_s(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e9

    def __iter__(self) -> Iterator[TapeFrame | TapeOwn | TapeLost]:
        """Raises UsageError: the file changed under us."""
        left = self.frames
        for line in _lines(self.path):
            if isinstance(line, str):
                break
            try:
                item = _item(line, self.rules, self.path)
            except UsageError:
                if not left:
                    break  # the torn end, which the check cut off and reported
                raise
            if item is None:
                continue
            if isinstance(item, TapeFrame):
                if not left:
                    break
                left -= 1
            yield item


class _Header(msgspec.Struct):
    v: int
    pair: str
    started_ns: int
    source: str = ""
    rules: PairRules | None = None


class _Line(msgspec.Struct):
    recv_ns: int
    frame: str | None = None
    lost: str | None = None
    own: dict[str, tuple[Side, Decimal, Decimal]] | None = None


class _Numbered(NamedTuple):
    number: int
    text: bytes


_line = msgspec.json.Decoder(_Line)
_header = msgspec.json.Decoder(_Header)


def read_tape(path: Path, pair: str | None = None) -> Tape:
    """Check a tape from start to end.

    Args:
        pair: the pair the caller expects; needed for a plain file, which does not say.

    Raises:
        UsageError: code TAPE_MISSING, TAPE_EMPTY, TAPE_FOREIGN (not a tape), TAPE_DAMAGED (a bad line before the last),
            TAPE_PAIR (another pair's).
    """
    header = _first(path)
    if header is not None and pair is not None and header.pair != pair:
        raise UsageError(f"{path} is a tape of {header.pair[:20]}, not of {pair}", code="TAPE_PAIR")
    name = header.pair if header is not None else pair
    if name is None:
        raise UsageError(f"{path} does not say its pair: name it on the command line", code="TAPE_PAIR")
    rules = header.rules if header is not None and header.rules is not None else _infer_rules(path, name)
    if rules.pair != name:
        raise UsageError(f"{path} is a tape of {name[:20]} with rules of {rules.pair[:20]}", code="TAPE_FOREIGN")
    return _check(path, rules, header)


def _first(path: Path) -> _Header | None:
    """The header; ``None`` for a plain file of frames."""
    for line in _lines(path):
        if isinstance(line, str):
            raise UsageError(f"{path} is torn in its first line: nothing to read", code="TAPE_FOREIGN")
        try:
            header = _header.decode(line.text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BookError):
            return None
        if header.v != 1:
            raise UsageError(
                f"{path} is a tape of version {header.v}; this lunomm reads version 1", code="TAPE_FOREIGN"
            )
        return header
    raise UsageError(f"{path} is empty", code="TAPE_EMPTY")


def _check(path: Path, rules: PairRules, header: _Header | None) -> Tape:
    frames = losses = 0
    started = ended = None
    torn: str | None = None
    pending: UsageError | None = None
    for line in _lines(path):
        if isinstance(line, str):
            torn = line
            break
        if pending is not None:
            raise pending
        try:
            item = _item(line, rules, path)
        except UsageError as error:
            # Only an error if something follows: a killed recorder may leave half a line.
            pending = error
            continue
        if item is None:
            continue
        if isinstance(item, TapeFrame):
            if not frames and not isinstance(item.event, BookSnapshot):
                raise UsageError(f"{path} does not start with a snapshot of the book", code="TAPE_FOREIGN")
            frames += 1
        losses += isinstance(item, TapeLost)
        started = item.recv_ns if started is None else started
        ended = item.recv_ns if ended is None else max(ended, item.recv_ns)
    if not frames or started is None or ended is None:
        if pending is not None:
            raise pending
        raise UsageError(f"{path} has no frame", code="TAPE_EMPTY")
    if pending is not None:
        torn = "the last line is incomplete"
    return Tape(
        path=path,
        rules=rules,
        source=header.source[:200] if header is not None else "raw frames",
        started_ns=started,
        ended_ns=ended,
        frames=frames,
        torn=torn,
        recorded=header is not None,
        losses=losses,
    )


def _lines(path: Path) -> Iterator[_Numbered | str]:
    """Lines that are not blank; at last, if the end is torn, what is wrong with it."""
    try:
        stream = _open(path)
    except FileNotFoundError:
        raise UsageError(f"no such tape: {path}", code="TAPE_MISSING") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", code="TAPE_MISSING") from None
    with stream:
        number = 0
        while True:
            try:
                text = stream.readline(MAX_LINE + 1)
            except (EOFError, zlib.error):
                yield f"the compressed file ends early, after line {number}"
                return
            except gzip.BadGzipFile:
                if number:
                    yield f"the compressed file is damaged after line {number}"
                    return
                raise UsageError(f"{path} is not a tape", code="TAPE_FOREIGN") from None
            except OSError as error:
                raise UsageError(f"cannot read {path}: {error.strerror}", code="TAPE_MISSING") from None
            if not text:
                return
            number += 1
            if len(text) > MAX_LINE:
                raise UsageError(f"{path}, line {number}: longer than any frame", code="TAPE_FOREIGN")
            if text.strip():
                yield _Numbered(number, text)


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    stream = path.open("rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic != _GZIP:
        return stream
    stream.close()
    return gzip.open(path, "rb")


def _item(line: _Numbered, rules: PairRules, path: Path) -> TapeFrame | TapeOwn | TapeLost | None:
    """One line; ``None`` for the header, keep-alives and error frames."""
    try:
        record = _line.decode(line.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if line.number == 1 and _is_header(line.text):
            return None
        return _frame(line.text, None, rules, path, line.number)
    if record.own is not None:
        return TapeOwn(record.recv_ns, _own(record.own, rules, path, line.number))
    if record.lost is not None:
        return TapeLost(record.recv_ns, record.lost[:200])
    if record.frame is None:
        raise _damaged(path, line.number, "neither a frame nor our orders nor a loss")
    return _frame(record.frame, record.recv_ns, rules, path, line.number)


def _is_header(text: bytes) -> bool:
    try:
        _header.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BookError):
        return False
    return True


def _frame(raw: str | bytes, recv_ns: int | None, rules: PairRules, path: Path, number: int) -> TapeFrame | None:
    try:
        text = raw.strip() if isinstance(raw, str) else raw.decode().strip()
        event = decode_market_frame(text, rules)
    except (BookError, UnicodeDecodeError) as error:
        raise _damaged(path, number, str(error)) from None
    if event is None or isinstance(event, WireError):
        return None
    return TapeFrame(event.exchange_ns if recv_ns is None else recv_ns, text, event)


def _own(
    rows: dict[str, tuple[Side, Decimal, Decimal]], rules: PairRules, path: Path, number: int
) -> tuple[OwnIntent, ...]:
    if len(rows) > MAX_OWN:
        raise _damaged(path, number, f"{len(rows)} own orders")
    intents = []
    for order_id, (side, price, volume) in rows.items():
        if not (0 < len(order_id) <= 64):
            raise _damaged(path, number, "not an order id")
        try:
            ticks, lots = rules.price_ticks(str(price)), rules.volume_lots(str(volume))
        except BookError as error:
            raise _damaged(path, number, str(error)) from None
        intents.append(OwnIntent(order_id, order_id, side, ticks, lots))
    return tuple(intents)


def _damaged(path: Path, number: int, why: str) -> UsageError:
    code = "TAPE_FOREIGN" if number == 1 else "TAPE_DAMAGED"
    return UsageError(f"{path}, line {number}: {why[:160]}", code=code)


# --- scales of a file that does not state them ----------------------------------------------------------------------


class _Number(msgspec.Struct):
    price: str = ""
    volume: str = ""


class _Base(msgspec.Struct):
    base: str = ""


class _Numbers(msgspec.Struct):
    """Only where a frame's decimals are."""

    asks: list[_Number] | None = None
    bids: list[_Number] | None = None
    trade_updates: list[_Base] | None = None
    create_update: _Number | None = None


_numbers = msgspec.json.Decoder(_Numbers)


def _infer_rules(path: Path, pair: str) -> PairRules:
    """The coarsest grid on which every number of the file lies; limits as wide as the grid allows."""
    price_scale = volume_scale = 0
    for line in _lines(path):
        if isinstance(line, str):
            break
        try:
            text: str | bytes = line.text
            record = _line.decode(line.text) if line.text.startswith(b'{"recv_ns"') else None
            if record is not None:
                text = record.frame or "{}"
            found = _numbers.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # said, with its line number, by the check that follows
        rows = [*(found.asks or ()), *(found.bids or ()), *([found.create_update] if found.create_update else ())]
        for row in rows:
            price_scale = max(price_scale, _decimals(row.price))
            volume_scale = max(volume_scale, _decimals(row.volume))
        for trade in found.trade_updates or ():
            volume_scale = max(volume_scale, _decimals(trade.base))
    base, counter = _currencies(pair)
    return PairRules(
        pair=pair,
        base=base,
        counter=counter,
        price_scale=price_scale,
        volume_scale=volume_scale,
        min_price=Decimal(1).scaleb(-price_scale),
        max_price=Decimal(MAX_TICKS).scaleb(-price_scale),
        min_volume=Decimal(1).scaleb(-volume_scale),
        max_volume=Decimal(MAX_TICKS).scaleb(-volume_scale),
    )


def _decimals(number: str) -> int:
    return min(len(number.partition(".")[2].rstrip("0")), 18)


def _currencies(pair: str) -> tuple[str, str]:
    """Luno's codes have three letters, dollar coins four: USDT, USDC."""
    size = 4 if len(pair) > 6 and pair[-4:-1] == "USD" else 3
    return pair[:-size] or pair, pair[-size:]
