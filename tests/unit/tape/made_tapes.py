"""Small tapes of a market that can be followed by hand, and the same with something wrong with them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from lunomm.market.rules import PairRules
from lunomm.tape.lines import Provenance

S = 10**9
T0 = 1_776_470_400 * S
RULES = PairRules(
    pair="XBTMYR",
    base="XBT",
    counter="MYR",
    price_scale=0,
    volume_scale=4,
    min_price=Decimal(1),
    max_price=Decimal(10**6),
    min_volume=Decimal("0.0001"),
    max_volume=Decimal(100),
)
Line = dict[str, Any]


def snapshot(sequence: int, at_s: float = 0.0, bid: int = 99, ask: int = 101, **rows: list[Any]) -> Line:
    """Two orders a side, or the rows given: (id, price, volume)."""
    bids = rows.get("bids", [("b1", bid, "1"), ("b2", bid, "2")])
    asks = rows.get("asks", [("a1", ask, "1"), ("a2", ask + 1, "2")])
    sides = {
        side: [{"id": i, "price": str(p), "volume": v} for i, p, v in orders]
        for side, orders in (("bids", bids), ("asks", asks))
    }
    return {"sequence": str(sequence), **sides, "timestamp": _ms(at_s), "status": "ACTIVE"}


def update(
    sequence: int,
    at_s: float,
    *,
    create: tuple[str, str, int, str] | None = None,
    delete: str | None = None,
    trades: Sequence[tuple[str, str, str, str]] = (),
) -> Line:
    """create: (id, side, price, volume). trades: (maker, taker, base, counter)."""
    rows = [{"maker_order_id": m, "taker_order_id": t, "base": b, "counter": c} for m, t, b, c in trades]
    made = None
    if create is not None:
        made = {"order_id": create[0], "type": create[1], "price": str(create[2]), "volume": create[3]}
    gone = None if delete is None else {"order_id": delete}
    frame = {"sequence": str(sequence), "trade_updates": rows, "create_update": made, "delete_update": gone}
    return {**frame, "status_update": None, "timestamp": _ms(at_s)}


def _ms(at_s: float) -> int:
    return T0 // 10**6 + round(at_s * 1000)


MARKET = [
    snapshot(10),
    update(11, 1, create=("b3", "BID", 98, "0.5")),
    update(12, 2, trades=[("b1", "t1", "1", "99"), ("b2", "t1", "0.5", "49.5")]),
    update(13, 3, delete="a1"),
    update(14, 4, create=("a3", "ASK", 100, "0.25")),
    update(15, 5, trades=[("a3", "t2", "0.1", "10")]),
]
"""Best 99/101; after the last 99/100 with 0.15 left on a3."""


def received(frame: Line, at_s: float | None = None) -> Line:
    """A line of ours; without a time received when it happened."""
    at_ns = frame["timestamp"] * 10**6 if at_s is None else T0 + round(at_s * S)
    return {"recv_ns": at_ns, "frame": json.dumps(frame)}


def lost(at_s: float, why: str = "connection closed") -> Line:
    return {"recv_ns": T0 + round(at_s * S), "lost": why}


def own(at_s: float, **orders: tuple[str, str, str]) -> Line:
    return {"recv_ns": T0 + round(at_s * S), "own": orders}


def header(**changes: Any) -> Line:
    about = Provenance(source="a test", mode="sim", run_id="r1", maker_fee=Decimal("0.001"))
    said = {"v": 1, "pair": "XBTMYR", "started_ns": T0, "source": "a test", "begun": "stream", "continues": None}
    return {**said, "rules": msgspec.to_builtins(RULES), "provenance": msgspec.to_builtins(about), **changes}


def write(path: Path, lines: Sequence[Line], tail: bytes = b"", **changes: Any) -> Path:
    """A compressed tape of these lines."""
    text = "".join(json.dumps(line) + "\n" for line in [header(**changes), *lines])
    path.write_bytes(gzip.compress(text.encode()) + tail)
    return path


WHOLE = [received(frame) for frame in MARKET]
