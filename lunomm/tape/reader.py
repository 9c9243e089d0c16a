"""Reads tapes: gzip'd recordings of ours, or a plain file of raw Luno frames, one a line.

Nothing in a file is believed: lines are bounded, decoded strictly, and a file that is no tape is refused with its line
number. The exception is the end: a recorder that was killed leaves a torn last line (or gzip member), which is cut off
and reported, not an error. Files are read twice, once to check and to learn the scales, once to play; they are
never held in memory whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from lunomm.errors import BookError, UsageError
from lunomm.luno.wire import MAX_FRAME, WireError, decode_market_frame
from lunomm.market.events import BookSnapshot, BookUpdate
from lunomm.market.own import OwnIntent
from lunomm.market.rules import PairRules, Side, digits_of
from lunomm.quoting.looks import Looks
from lunomm.tape.lines import Provenance
from lunomm.tape.scales import infer_rules
from lunomm.tape.unpack import MAGIC, Broken, unpacked

MAX_LINE: Final = 2 * MAX_FRAME
"""A frame inside a JSON string is escaped: its quotes take two bytes."""

MAX_OWN: Final = 1000
MAX_NS: Final = 2**62
_RAW: Final = b'{"sequence":'
"""How Luno's own frames begin."""

_READ: Final = 2**18


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
    provenance, begun, continues: as its header has them (see ``lines``).
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
    provenance: Provenance | None = None
    begun: str = "stream"
    continues: str | None = None

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
    provenance: Provenance | None = None
    begun: str = "stream"
    continues: str | None = None


class _Line(msgspec.Struct):
    recv_ns: int
    frame: str | None = None
    lost: str | None = None
    looks: dict[str, Any] | None = None
    own: dict[str, tuple[Side, Decimal, Decimal]] | None = None


class _Numbered(NamedTuple):
    number: int
    text: bytes


class _Looked(msgspec.Struct):
    looks: Looks


_looked = msgspec.json.Decoder(_Looked)
_line = msgspec.json.Decoder(_Line)
_header = msgspec.json.Decoder(_Header)


def read_tape(
    path: Path, pair: str | None = None, keep: Callable[[TapeFrame | TapeOwn | TapeLost], None] | None = None
) -> Tape:
    """Check a tape from start to end.

    Args:
        pair: the pair the caller expects; needed for a plain file, which does not say.
        keep: is given every item on the way, for who needs them all at once; what raises makes them void.

    Raises:
        UsageError: code TAPE_MISSING, TAPE_EMPTY, TAPE_FOREIGN (not a tape), TAPE_DAMAGED (a bad line before the last),
            TAPE_PAIR (another pair's).
    """
    header = _first(path)
    if header is not None and pair is not None and header.pair != pair:
        raise UsageError(f"{path} is a tape of {header.pair[:20]}, not of {pair}", code="TAPE_PAIR")
    name = header.pair if header is not None else pair
    if name is None:
        raise UsageError(
            f"{path} does not say its pair: name it, as the argument of book, calibrate and up, else with --pair",
            code="TAPE_PAIR",
        )
    rules = header.rules if header is not None and header.rules is not None else infer_rules(_frames(path), name)
    if rules.pair != name:
        raise UsageError(f"{path} is a tape of {name[:20]} with rules of {rules.pair[:20]}", code="TAPE_FOREIGN")
    return _check(path, rules, header, keep)


def read_looks(path: Path) -> list[Looks]:
    """When a quoter looked, as a tape that was checked has it; a line that cannot be understood is missing."""
    found = []
    for line in _lines(path):
        if isinstance(line, str):
            break
        if b'"looks":' in line.text[:64]:
            try:
                found.append(_looked.decode(line.text).looks)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, ArithmeticError):
                continue  # its number is missing then
    return found


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


def _check(
    path: Path, rules: PairRules, header: _Header | None, keep: Callable[[TapeFrame | TapeOwn | TapeLost], None] | None
) -> Tape:
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
        if keep is not None:
            keep(item)
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
        provenance=header.provenance if header is not None else None,
        begun=header.begun[:20] if header is not None else "stream",
        continues=header.continues[:200] if header is not None and header.continues is not None else None,
    )


def _lines(path: Path) -> Iterator[_Numbered | str]:
    """Lines that are not blank; at last, if the end is torn, what is wrong with it."""
    number, rest = 0, bytearray()
    try:
        with path.open("rb") as stream:
            packed = stream.read(len(MAGIC)) == MAGIC
            stream.seek(0)
            for piece in unpacked(stream) if packed else iter(lambda: stream.read(_READ), b""):
                rest += piece
                texts: list[bytes] = []
                if b"\n" in piece:
                    texts = bytes(rest).split(b"\n")
                    rest = bytearray(texts.pop())
                for text in texts:
                    number += 1
                    if len(text) > MAX_LINE:
                        raise _too_long(path, number)
                    if text.strip():
                        yield _Numbered(number, text)
                if len(rest) > MAX_LINE:
                    raise _too_long(path, number + 1)
    except FileNotFoundError:
        raise UsageError(
            f"no such tape: {path}. Name a recorded file: lunomm record makes them", code="TAPE_MISSING"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", code="TAPE_MISSING") from None
    except Broken as broken:
        if broken.untrue:
            # Not an end that is missing: somewhere before, what was read is not what was written.
            raise UsageError(
                f"{path} is damaged: its checksum does not match what was read. Use another copy", code="TAPE_DAMAGED"
            ) from None
        if number and _is_json(rest):  # whole, and only its end of line is missing
            yield _Numbered(number + 1, bytes(rest))
        yield f"the compressed file {broken}, after line {number}"
        return
    if rest.strip():
        yield _Numbered(number + 1, bytes(rest))


def _is_json(text: bytearray) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _too_long(path: Path, number: int) -> UsageError:
    return UsageError(f"{path}, line {number}: longer than any frame", code="TAPE_FOREIGN")


def _item(line: _Numbered, rules: PairRules, path: Path) -> TapeFrame | TapeOwn | TapeLost | None:
    """One line; ``None`` for the header, keep-alives, error frames and a quoter's looks."""
    if line.text.startswith(_RAW):
        return _frame(line.text, None, rules, path, line.number)
    try:
        record = _line.decode(line.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if not _is_header(line.text):
            return _frame(line.text, None, rules, path, line.number)
        if line.number == 1:
            return None
        why = "a second tape begins here. Split the file and join the two with: lunomm tape merge"
        raise _damaged(path, line.number, why) from None
    if not 0 <= record.recv_ns < MAX_NS:
        raise _damaged(path, line.number, "not a time of receipt")
    if record.own is not None:
        return TapeOwn(record.recv_ns, _own(record.own, rules, path, line.number))
    if record.lost is not None:
        return TapeLost(record.recv_ns, record.lost[:200])
    if record.looks is not None:
        return None
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
            ticks, lots = rules.price_ticks(digits_of(price)), rules.volume_lots(digits_of(volume))
        except BookError as error:
            raise _damaged(path, number, str(error)) from None
        intents.append(OwnIntent(order_id, order_id, side, ticks, lots))
    return tuple(intents)


def _damaged(path: Path, number: int, why: str) -> UsageError:
    code = "TAPE_FOREIGN" if number == 1 else "TAPE_DAMAGED"
    return UsageError(f"{path}, line {number}: {why[:160]}", code=code)


def _frames(path: Path) -> Iterator[str | bytes]:
    """The text of every frame, unchecked: a bad one is said, with its line number, by the check that follows."""
    for line in _lines(path):
        if isinstance(line, str):
            return
        try:
            record = _line.decode(line.text) if line.text.startswith(b'{"recv_ns"') else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        yield line.text if record is None else record.frame or "{}"
