"""What a terminal sends, as keys: characters, the few editing keys, pastes, and everything else apart.

Bytes in, keys out; the time is passed in, for one escape is a key only when nothing follows it. Arrow and function
keys, mouse reports, answers of the terminal and Alt with a letter are sequences that contain letters and digits: each
becomes one :data:`Kind.OTHER`, never the characters in it. A paste that the terminal marks (mode 2004) is one key.

Sequences: ECMA-48 (5.4 control sequences, 5.6 control strings), xterm's `ctlseqs` (SS3, X10 mouse, bracketed paste).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

ESCAPE_S = 0.05
"""After so long without another byte an escape was the key; terminals send a sequence in one piece."""
SEQUENCE_S = 1.0
"""After so long without another byte a sequence or a paste that has no end is given up."""
LONGEST = 64
"""Bytes of a control sequence; what is longer is none."""
LONGEST_STRING = 4096
LONGEST_PASTE = 200

_START, _END = b"\x1b[200~", b"\x1b[201~"
_STRINGS = b"]PX^_"
_ESC = 0x1B


class Kind(enum.Enum):
    CHARACTER = "character"
    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    CLEAR = "clear"  # Ctrl-U
    TAB = "tab"
    PASTE = "paste"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. text: of a character, printable ASCII; of a paste, at most LONGEST_PASTE of its characters."""

    kind: Kind
    text: str = ""


_CONTROLS = {
    0x0D: Kind.ENTER,
    0x0A: Kind.ENTER,
    0x7F: Kind.BACKSPACE,
    0x08: Kind.BACKSPACE,
    0x15: Kind.CLEAR,
    0x09: Kind.TAB,
}


class Decoder:
    """Remembers the sequence or paste that has not ended yet."""

    def __init__(self) -> None:
        self._waiting = b""
        self._paste: bytearray | None = None
        self._at_s = 0.0

    def feed(self, data: bytes, now_s: float) -> list[Key]:
        """The keys of one read. now_s: monotonic."""
        keys = self.rest(now_s)
        self._at_s = now_s
        data, self._waiting = self._waiting + data, b""
        at = 0
        while at < len(data):
            if self._paste is not None:
                at = self._pasted(data, at, keys)
                continue
            taken = _length(data, at)
            if not taken:
                self._waiting = data[at:]
                break
            if data[at : at + taken] == _START:
                self._paste = bytearray()
            else:
                keys.append(_key(data, at, taken))
            at += taken
        return keys

    def _pasted(self, data: bytes, at: int, keys: list[Key]) -> int:
        """Take in a paste's bytes; where to go on."""
        assert self._paste is not None
        end = data.find(_END, at)
        if end < 0:
            # The end may come in two pieces.
            kept = next((n for n in range(len(_END) - 1, 0, -1) if data.endswith(_END[:n]) and len(data) - n >= at), 0)
            self._add(data[at : len(data) - kept])
            self._waiting = data[len(data) - kept :]
            return len(data)
        self._add(data[at:end])
        keys.append(self._whole_paste())
        return end + len(_END)

    def _add(self, data: bytes) -> None:
        assert self._paste is not None
        self._paste += data[: max(4 * LONGEST_PASTE - len(self._paste), 0)]

    def _whole_paste(self) -> Key:
        assert self._paste is not None
        text, self._paste = self._paste.decode("utf-8", "replace"), None
        return Key(Kind.PASTE, text[:LONGEST_PASTE])

    def rest(self, now_s: float) -> list[Key]:
        """What the time alone has ended: a lone escape, a sequence or a paste without an end."""
        at = self.wake_s()
        if at is None or now_s < at:
            return []
        lone, self._waiting = self._waiting == b"\x1b", b""
        if self._paste is not None:
            return [self._whole_paste()]
        return [Key(Kind.ESCAPE if lone else Kind.OTHER)]

    def wake_s(self) -> float | None:
        """When :meth:`rest` must be asked though nothing was read; None when nothing waits."""
        if self._paste is None and not self._waiting:
            return None
        return self._at_s + (ESCAPE_S if self._paste is None and self._waiting == b"\x1b" else SEQUENCE_S)


def _key(data: bytes, at: int, taken: int) -> Key:
    first = data[at]
    if taken == 1 and 0x20 <= first <= 0x7E:
        return Key(Kind.CHARACTER, chr(first))
    return Key(_CONTROLS.get(first, Kind.OTHER) if taken == 1 else Kind.OTHER)


def _length(data: bytes, at: int) -> int:
    """Bytes of the key that begins here; 0 where its end was not read yet."""
    first = data[at]
    if first >= 0x80:
        end = at + 1
        while end < len(data) and 0x80 <= data[end] < 0xC0:
            end += 1
        return end - at
    if first != _ESC:
        return 1
    if at + 1 >= len(data):
        return 0
    second = data[at + 1]
    if second == 0x5B:
        return _control(data, at)
    if second == 0x4F:
        return 3 if at + 2 < len(data) else 0
    if second in _STRINGS:
        return _string(data, at)
    return 1 if second == _ESC else 2


def _control(data: bytes, at: int) -> int:
    """``ESC [``, parameters, a final byte; the Linux console's ``ESC [ [ A`` and X10's mouse report have more."""
    for end in range(at + 2, min(len(data), at + LONGEST)):
        byte = data[end]
        if 0x20 <= byte <= 0x3F:
            continue
        if not 0x40 <= byte <= 0x7E:
            return end - at  # no sequence after all: what breaks it is a key of its own
        more = {0x5B: 1, 0x4D: 3}.get(byte, 0) if end == at + 2 else 0
        return end + 1 + more - at if end + more < len(data) else 0
    return LONGEST if len(data) - at >= LONGEST else 0


def _string(data: bytes, at: int) -> int:
    """``ESC ]`` and its kin, up to BEL or ``ESC \\``; one without an end is given up by time or length."""
    bell, end = data.find(b"\x07", at), data.find(b"\x1b\\", at + 1)
    ends = [bell + 1 - at] if bell >= 0 else []
    ends += [end + 2 - at] if end >= 0 else []
    return min(ends, default=0 if len(data) - at <= LONGEST_STRING else len(data) - at)
