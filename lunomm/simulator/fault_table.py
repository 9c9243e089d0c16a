"""Everything that can be made to go wrong at the exchange, by name: one table, and how a fault is asked for (pure).

``lunomm exchange --fault NAME[:key=value,...]`` arms one from the start, ``POST /sim/faults`` while it runs;
``--fault list`` prints the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from lunomm.errors import UsageError
from lunomm.simulator.refusals import CODES

Value = float | str


class Bound(NamedTuple):
    """One parameter. low, high: of a number; words: of a choice (empty: any word); whole: no fraction."""

    says: str
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()
    whole: bool = False
    text: bool = False


BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        "probability": Bound("chance that it strikes, each time it could", 0, 1),
        "count": Bound("strikes so often at most; 0: without end", 0, 1_000_000, whole=True),
        "for": Bound("stays armed so long, s; 0: until disarmed", 0, 86_400),
        "seconds": Bound("how long, or how far off, s", -86_400, 86_400),
        "pair": Bound("this market only", text=True),
        "call": Bound("this call only, by the last word of its path; any: every call", text=True),
        "when": Bound("before or after the call was executed", words=("before", "after")),
        "code": Bound("which error or close code", text=True),
        "kind": Bound("which kind", text=True),
        "percent": Bound("how much", -90, 900),
        "size": Bound("how many, or how large (MiB)", 1, 1000, whole=True),
        "scale": Bound("decimals more or fewer", -4, 4, whole=True),
        "maker": Bound("fee rate, a fraction", -0.1, 0.1),
        "taker": Bound("fee rate, a fraction", -0.1, 0.1),
    }
)
"""Every parameter there is. A fault takes the ones its row names, and the first four, ``for`` and ``pair`` always."""

COMMON: Mapping[str, Value] = MappingProxyType({"probability": 1.0, "count": 0, "for": 0.0, "pair": ""})

CALL, MARKET, USER, LOGIN, JOIN, VENUE = "call", "market", "user", "login", "join", "venue"


class Kind(NamedTuple):
    """One named fault. at: where it strikes. rows: of the fault matrix. takes: its parameters with their defaults.

    kinds: the values ``kind`` or ``code`` may have, where they are limited.
    """

    name: str
    at: str
    says: str
    rows: str
    takes: Mapping[str, Value] = MappingProxyType({})
    kinds: tuple[str, ...] = ()


def _call(name: str, says: str, rows: str, call: str = "any", kinds: tuple[str, ...] = (), **takes: Value) -> Kind:
    return Kind(name, CALL, says, rows, {"call": call, **takes}, kinds)


_CORRUPT = ("truncated", "wrong-type", "unknown-maker", "overfill", "duplicate-id", "unknown-side")


def _streams() -> list[Kind]:
    rows: list[Kind] = []
    for at, lost, mixed in ((MARKET, "F-14", "F-14"), (USER, "F-30", "F-31")):
        rows += [
            Kind(f"{at}-drop", at, "a frame is lost", lost),
            Kind(f"{at}-delay", at, "a frame, and all behind it, arrives late", "F-17", {"seconds": 2.0}),
            Kind(f"{at}-duplicate", at, "a frame comes twice", "F-14" if at == MARKET else "F-28"),
            Kind(f"{at}-reorder", at, "a frame comes after the one behind it", mixed),
            Kind(f"{at}-half-open", at, "nothing is sent or ponged any more, and nothing closed", "F-13"),
            Kind(
                f"{at}-close",
                at,
                "the stream is closed: 1000 after an error frame, 1006 without a close",
                "F-12",
                {"code": "1006"},
                ("1000", "1001", "1006", "1009", "1011", "1012"),
            ),
            Kind(
                f"{at}-corrupt",
                at,
                "a frame is not what it should be",
                "F-15",
                {"kind": "truncated"},
                _CORRUPT if at == MARKET else _CORRUPT[:2],
            ),
            Kind(f"{at}-oversize", at, "a frame is larger than a client may take", "F-16", {"size": 17}),
        ]
    return rows


TABLE: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _call("error-429", "too many requests, not executed; seconds: Retry-After, 0 says none", "F-06 F-07",
                  seconds=0.0),
            *(
                _call(f"error-{status}", f"HTTP {status}, executed or not", "F-04 F-08 F-36", when="before")
                for status in (500, 502, 503, 504)
            ),
            _call("html-body", "a page of a proxy in place of the reply", "F-08", when="before"),
            _call("empty-body", "200 and nothing in it", "F-08", when="before"),
            _call("truncated-body", "the reply breaks off, and the connection", "F-08 F-11", when="after"),
            _call("black-hole", "no reply for so long, then the connection is cut", "F-01 F-02 F-10 F-36",
                  seconds=30.0, when="before"),
            _call("late-arrival", "the request waits so long on its way", "F-03", "postorder", seconds=3.0),
            _call("no-ttl", "timestamp and ttl are not looked at", "F-03", "postorder"),
            _call("refuse", "refused with this code of Luno's", "F-04 F-05 F-24 F-39", "postorder",
                  code="ErrInsufficientBalance"),
            _call("maintenance", "ErrUnderMaintenance", "F-42"),
            _call("post-only-cancelled", "a post-only order is cancelled at once: ErrOrderCanceled", "F-37",
                  "postorder"),
            _call("awaiting", "an order is taken and never leaves AWAITING", "F-38", "postorder"),
            _call("cancel-false", "success: false, and the order lives on", "F-36", "stoporder"),
            _call("cancel-unknown", "ErrCannotStopUnknownOrNonPendingOrder, and the order lives on", "F-36",
                  "stoporder"),
            _call("fill-while-cancelling", "so much of what is left fills just before the cancel", "F-34", "stoporder",
                  percent=50.0),
            _call("fill-after-cancel", "so much of what is left fills so long after the cancel's good reply", "F-35",
                  "stoporder", percent=50.0, seconds=0.5),
            _call("clock-skew", "Date and the clock of the calls are so far off", "F-45", seconds=30.0),
            _call("balance-lag", "balances as they were so long ago", "F-39", "balance", seconds=5.0),
            _call("listtrades-lag", "fills of so long are not listed yet", "F-34 F-35", "listtrades", seconds=5.0),
            _call("key-revoked", "ErrApiKeyRevoked; streams refuse the key too", "F-43"),
            _call("permission-removed", "ErrInsufficientPerms", "F-43", "postorder"),
            *_streams(),
            Kind("market-gap", MARKET, "sequence numbers are skipped", "F-14", {"size": 1}),
            Kind("market-lag", MARKET, "every frame comes so long after its time", "F-17", {"seconds": 10.0}),
            Kind("market-skew", MARKET, "timestamps of frames are so far off", "F-45 F-17", {"seconds": 30.0}),
            Kind("wrong-book", MARKET, "a new order is left out of its frame, all else in order", "F-18"),
            Kind("crossed-book", MARKET, "a new bid is shown at twice its price", "F-22"),
            Kind("status-word", MARKET, "a frame carries a status nobody knows", "F-23", {"code": "HALTED"}),
            Kind("login-refused", LOGIN, "a stream is refused with this error frame", "F-20 F-27 F-19",
                 {"code": "session_limit_exceeded"},
                 ("session_limit_exceeded", "invalid_credentials", "auth_timeout", "invalid_market")),
            Kind("user-replay", JOIN, "a user stream that comes back gets so many messages again", "F-28",
                 {"size": 20}),
            Kind("user-cache-gone", JOIN, "a user stream that comes back gets nothing of what it missed", "F-29"),
            Kind("status", VENUE, "the market changes its status, and back after so long (0: stays)", "F-23",
                 {"kind": "POSTONLY", "seconds": 0.0}, ("POSTONLY", "DISABLED", "SUSPENDED", "ACTIVE")),
            Kind("rules-change", VENUE, "price decimals, and the least volume, change while it runs", "F-26",
                 {"scale": 1, "percent": 0.0}),
            Kind("price-jump", VENUE, "the price jumps", "F-25", {"percent": 20.0}),
            Kind("empty-book", VENUE, "the house leaves one side or both, and comes back after so long (0: never)",
                 "F-21", {"kind": "both", "seconds": 0.0}, ("both", "bids", "asks")),
            Kind("fee-change", VENUE, "every account pays other fees", "F-44", {"maker": 0.004, "taker": 0.006}),
        )
    }
)  # fmt: skip
"""All of them."""

_WORD = re.compile(r"[0-9A-Za-z_\-]{1,40}", re.ASCII)


class Asked(NamedTuple):
    """A fault with all its parameters."""

    kind: Kind
    values: Mapping[str, Value]

    def number(self, name: str) -> float:
        return float(self.values[name])

    def word(self, name: str) -> str:
        return str(self.values.get(name, ""))


def parse_fault(text: str) -> Asked:
    """``NAME[:key=value,...]``.

    Raises:
        UsageError: an unknown name or parameter, or a value out of its bounds.
    """
    name, _, rest = text.partition(":")
    given: dict[str, str] = {}
    for part in rest.split(",") if rest else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise _bad(name, f"'{_shown(part)}': give key=value")
        given[key] = value
    return asked(name.strip(), given)


def asked(name: str, given: Mapping[str, object]) -> Asked:
    """A fault from its name and parameters, numbers or text. Raises UsageError: as :func:`parse_fault`."""
    kind = TABLE.get(name)
    if kind is None:
        raise UsageError(
            f"--fault: '{_shown(name)}': no such fault. Give NAME[:key=value,...], or `--fault list` to see them all",
            code="BAD_FAULT",
        )
    values: dict[str, Value] = {**COMMON, **kind.takes}
    for key, value in given.items():
        if key not in values:
            raise _bad(name, f"no parameter '{_shown(key)}'. It takes {', '.join(values)}")
        values[key] = _value(kind, key, str(value))
    if name == "refuse" and values["code"] not in CODES:
        raise _bad(name, "code: give an error code of Luno's, such as ErrInternal")
    return Asked(kind, MappingProxyType(values))


def _value(kind: Kind, key: str, text: str) -> Value:
    bound = BOUNDS[key]
    choices = kind.kinds if key in ("kind", "code") and kind.kinds else bound.words
    if choices or bound.text:
        if not _WORD.fullmatch(text) or (choices and text not in choices):
            raise _bad(kind.name, f"{key}: give {' or '.join(choices) if choices else 'a word'}")
        return text
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not bound.low <= number <= bound.high or (bound.whole and number != int(number)):
        whole = "a whole number" if bound.whole else "a number"
        raise _bad(kind.name, f"{key}: give {whole} from {bound.low:g} to {bound.high:g}")
    if number < 0 and key == "seconds" and kind.name not in ("clock-skew", "market-skew"):
        raise _bad(kind.name, "seconds: give a number from 0 to 86400")
    return int(number) if bound.whole else number


def _bad(name: str, why: str) -> UsageError:
    return UsageError(f"--fault: {_shown(name)}: {why}", code="BAD_FAULT")


def _shown(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:40])


def table(width: Callable[[str], int] = len) -> str:
    """The faults, their parameters and the parameters' bounds, as ``--fault list`` prints them."""
    lines = []
    for kind in TABLE.values():
        takes = ",".join(f"{name}={value:g}" if not isinstance(value, str) else f"{name}={value}"
                         for name, value in kind.takes.items())  # fmt: skip
        lines.append(f"{kind.name:<22} {kind.says}")
        choices = f"  ({', '.join(kind.kinds)})" if kind.kinds else ""
        lines.append(f"{'':<22}   {kind.rows}{'  ' + takes if takes else ''}{choices}")
    lines += ["", "Every fault takes probability, count, for and pair as well:"]
    for name, bound in BOUNDS.items():
        span = "" if bound.text or bound.words else f" ({bound.low:g} to {bound.high:g})"
        lines.append(f"{name:<22} {bound.says}{span}")
    return "\n".join(lines)
