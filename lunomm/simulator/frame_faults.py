"""What the armed faults make of the frames of one connection: lost, late, twice, mixed up, broken (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from lunomm.simulator.fault_table import Asked
from lunomm.simulator.faults import MARKET, Faults, S

MIB = 1024 * 1024

_SEQUENCE = re.compile(r'"sequence":"(\d+)"')
_TIMESTAMP = re.compile(r'"timestamp":(\d+)')
_CREATE = re.compile(
    r'"create_update":\{"order_id":"([^"]+)","type":"(BID|ASK)","price":"([0-9.]+)","volume":"([0-9.]+)"\}'
)
_TRADES = re.compile(r'"trade_updates":(?:null|\[.*?\])')
_STATUS = re.compile(r'"status_update":(?:null|\{[^}]*\})')


class Sent(NamedTuple):
    """A frame and when it goes out, monotonic ns."""

    due_ns: int
    raw: str


class Close(NamedTuple):
    """How a stream ends. code 1006: cut off. error: sent before as an error frame, "" for none."""

    code: int
    error: str = ""


class Delivery(NamedTuple):
    """What to send, in this order. end: then close. silent: nothing goes out or is answered any more."""

    frames: tuple[Sent, ...] = ()
    end: Close | None = None
    silent: bool = False


class FrameFaults:
    """One open stream under faults. stream: MARKET or USER; pair "" for a user stream."""

    __slots__ = ("_faults", "_free_ns", "_held", "_last_created", "_pair", "_silent", "_skipped", "_stream")

    def __init__(self, faults: Faults, stream: str, pair: str = "") -> None:
        self._faults = faults
        self._stream = stream
        self._pair = pair
        self._held: str | None = None
        self._free_ns = 0
        self._silent = False
        self._skipped = 0
        self._last_created = "BXMC2CJ7HNB88U4"

    def opening(self, raw: str, now_ns: int) -> Delivery:
        """The snapshot: only a skipped count of another connection could change it, and that is not carried over."""
        return Delivery((Sent(now_ns, raw),))

    def pass_on(self, raw: str, now_ns: int) -> Delivery:
        """One frame of the exchange's, as it leaves here."""
        if self._silent:
            return Delivery(silent=True)
        texts, late_ns, hold = [raw], 0, False
        for asked in self._faults.on_frame(self._stream, self._pair, now_ns):
            what = asked.kind.name.removeprefix(f"{self._stream}-")
            match what:
                case "drop":
                    texts = []
                case "duplicate":
                    texts = texts * 2
                case "reorder":
                    hold = True
                case "delay" | "lag":
                    late_ns = max(late_ns, round(asked.number("seconds") * S))
                case "half-open":
                    self._silent = True
                    return Delivery(silent=True)
                case "close":
                    return Delivery(end=_close(asked))
                case "gap":
                    self._skipped += int(asked.number("size"))
                case _:
                    texts = [self._broken(what, asked)(text) for text in texts]
        if self._skipped:
            texts = [_SEQUENCE.sub(self._moved, text, count=1) for text in texts]
        created = _CREATE.search(raw)
        if created is not None:
            self._last_created = created[1]
        if hold and self._held is None and texts:
            self._held = texts.pop()
        elif self._held is not None and texts:
            texts.append(self._held)
            self._held = None
        # A late frame holds up those behind it: they travel over one connection.
        self._free_ns = max(self._free_ns, now_ns + late_ns)
        return Delivery(tuple(Sent(self._free_ns, text) for text in texts))

    def _moved(self, found: re.Match[str]) -> str:
        return f'"sequence":"{int(found[1]) + self._skipped}"'

    def _broken(self, what: str, asked: Asked) -> Callable[[str], str]:
        match what:
            case "oversize":
                room = int(asked.number("size")) * MIB
                return lambda text: f'{text[:-1]},"padding":"{"x" * room}"}}'
            case "skew":
                off_ms = round(asked.number("seconds") * 1000)
                return lambda text: _TIMESTAMP.sub(lambda t: f'"timestamp":{max(0, int(t[1]) + off_ms)}', text)
            case "wrong-book":
                return lambda text: _CREATE.sub('"create_update":null', text)
            case "crossed-book":
                return lambda text: _CREATE.sub(_doubled, text)
            case "status-word":
                word = asked.word("code")
                return lambda text: _STATUS.sub(f'"status_update":{{"status":"{word}"}}', text, count=1)
            case _:
                return lambda text: corrupted(text, asked.word("kind"), self._last_created, self._stream == MARKET)


def corrupted(text: str, kind: str, known_id: str, market: bool) -> str:
    """A frame with one thing wrong in it. known_id: an order the client has seen."""
    if kind == "truncated":
        return text[: max(1, len(text) // 2)]
    if kind == "wrong-type":
        return _SEQUENCE.sub('"sequence":[]', text, count=1) if market else _TIMESTAMP.sub('"timestamp":"soon"', text)
    if kind in ("unknown-maker", "overfill"):
        maker = "BXNOBODYKNOWSME" if kind == "unknown-maker" else known_id
        trade = (
            f'"trade_updates":[{{"sequence":1,"base":"999999999.00","counter":"1.00","maker_order_id":"{maker}",'
            f'"taker_order_id":"BXNOBODYATALL00","order_id":"{maker}"}}]'
        )
        return _TRADES.sub(lambda _: trade, text, count=1)
    order_id, side = (known_id, "BID") if kind == "duplicate-id" else ("BXSIDEWAYS00000", "MIDDLE")
    rows = [
        f'{{"order_id":"{order_id}","type":"{side}","price":"1.00","volume":"1.00"}}',
    ]
    created = f'"create_update":{rows[0]}'
    return re.sub(r'"create_update":(?:null|\{[^}]*\})', lambda _: created, text, count=1)


def error_frame(code: str) -> str:
    """An error as Luno's streams say it before they close."""
    return msgspec.json.encode({"error_code": code, "error": code.replace("_", " ")}).decode()


def _doubled(found: re.Match[str]) -> str:
    order_id, side, price, volume = found.groups()
    if side == "BID":
        whole, dot, decimals = price.partition(".")
        double = str(2 * int(whole + decimals)).rjust(len(decimals) + 1, "0")
        price = f"{double[: -len(decimals)]}.{double[-len(decimals) :]}" if dot else double
    return f'"create_update":{{"order_id":"{order_id}","type":"{side}","price":"{price}","volume":"{volume}"}}'


def _close(asked: Asked) -> Close:
    code = int(asked.word("code"))
    return Close(code, "internal_error" if code == 1000 else "")
