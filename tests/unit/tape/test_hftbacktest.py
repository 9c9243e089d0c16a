"""The exported events are the market: replayed as hftbacktest reads them, they give our book after every frame."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tapes import RULES, T0, WHOLE, S, lost, own, received, snapshot, update, write

from lunomm.market.rules import Side
from lunomm.tape.hftbacktest import ADD, CANCEL, DEPTH_CLEAR, DTYPE, FILL, MODIFY, SIDE, TRADE, Exporter, write_npz
from lunomm.tape.reader import read_tape
from lunomm.tape.walk import Walk

RECORDED = Path(__file__).parents[2] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"
BUY, SELL = SIDE[Side.BID], SIDE[Side.ASK]


class Replay:
    """What a reader of the format keeps: orders by number, FIFO by arrival."""

    def __init__(self) -> None:
        self.orders: dict[int, list[Any]] = {}
        self.fills: list[tuple[float, float]] = []

    def take(self, row: Any) -> None:
        kind, side, number = int(row["ev"]) & 0xFF, int(row["ev"]) & (BUY | SELL), int(row["order_id"])
        if kind == DEPTH_CLEAR:
            self.orders.clear()
        elif kind == ADD:
            assert number not in self.orders and row["qty"] > 0
            self.orders[number] = [side, row["px"], row["qty"]]
        elif kind == FILL:
            assert self.orders[number][:2] == [side, row["px"]]
            self.fills.append((float(row["px"]), float(row["qty"])))
        elif kind == MODIFY:
            assert 0 < row["qty"] < self.orders[number][2]
            self.orders[number][2] = row["qty"]
        elif kind == CANCEL:
            del self.orders[number]

    def sides(self) -> list[list[tuple[float, float]]]:
        """(price, volume) best first, FIFO inside a price."""
        rows = [[(px, qty) for side, px, qty in self.orders.values() if side == wanted] for wanted in (BUY, SELL)]
        return [sorted(rows[0], key=lambda row: -row[0]), sorted(rows[1], key=lambda row: row[0])]


def test_the_events_are_the_market(tmp_path: Path) -> None:
    tape = read_tape(RECORDED)
    exporter = Exporter(tape)
    events = exporter.events()
    walk, replay, rules = Walk(tape), Replay(), tape.rules
    at, trades = 0, []
    for step in walk:
        frame_ns = step.item.event.exchange_ns  # type: ignore[union-attr]
        while at < len(events) and events[at]["exch_ts"] <= frame_ns:
            replay.take(events[at])
            at += 1
        for trade in step.applied.trades if step.applied else ():
            trades.append((rules.price_float(trade.price), rules.volume_float(trade.lots)))
    assert at == len(events)
    assert replay.fills == trades and len(trades) == 69
    ours = [
        [(rules.price_float(order.price), rules.volume_float(order.lots)) for order in walk.book.orders(side)]
        for side in (Side.BID, Side.ASK)
    ]
    assert replay.sides() == ours
    assert exporter.counts.frames == tape.frames and exporter.counts.clears == 0


def test_rows_by_hand(tmp_path: Path) -> None:
    """Two makers met by one taker: the first used up, the second in part."""
    tape = read_tape(write(tmp_path / "t.jsonl.gz", WHOLE[:4]))
    rows = Exporter(tape).events()
    both = (1 << 31) | (1 << 30)
    assert rows.dtype == DTYPE and rows.dtype.itemsize == 64
    assert [(int(r["ev"]) & 0xFF, float(r["px"]), float(r["qty"]), int(r["order_id"])) for r in rows] == [
        (ADD, 99, 1, 1), (ADD, 99, 2, 2), (ADD, 101, 1, 3), (ADD, 102, 2, 4),
        (ADD, 98, 0.5, 5),
        (TRADE, 99, 1, 0), (FILL, 99, 1, 1), (CANCEL, 99, 0, 1),
        (TRADE, 99, 0.5, 0), (FILL, 99, 0.5, 2), (MODIFY, 99, 1.5, 2),
        (CANCEL, 101, 1, 3),
    ]  # fmt: skip
    assert all(int(ev) & both == both for ev in rows["ev"])
    assert int(rows["ev"][5]) & (BUY | SELL) == SELL and int(rows["ev"][6]) & (BUY | SELL) == BUY
    assert rows["exch_ts"].tolist()[-1] == T0 + 3 * S


def test_gaps_clear_the_depth_and_our_orders_are_not_the_market(tmp_path: Path) -> None:
    lines = [
        *WHOLE[:5],
        own(4.5, a3=("ASK", "100", "0.25")),
        *WHOLE[5:],
        lost(6),
        received(update(16, 6.5, delete="a3")),
        received(snapshot(20, 7), 6.9),
        received(update(21, 6.8, delete="b1"), 8),
    ]
    exporter = Exporter(read_tape(write(tmp_path / "t.jsonl.gz", lines)))
    rows, counts = exporter.events(), exporter.counts
    kinds = [int(ev) & 0xFF for ev in rows["ev"]]
    assert kinds.count(DEPTH_CLEAR) == counts.clears == 1 and counts.left_out == 1
    assert counts.own == 2 and 100.0 in rows["px"][np.array(kinds) == TRADE]
    assert 100.0 not in rows["px"][np.array(kinds) == ADD]
    assert counts.moved == 2
    for name in ("exch_ts", "local_ts"):
        assert (np.diff(rows[name]) >= 0).all()
    assert (rows["local_ts"] >= rows["exch_ts"]).all()


def test_the_file(tmp_path: Path) -> None:
    rows = Exporter(read_tape(write(tmp_path / "t.jsonl.gz", WHOLE))).events()
    out = io.BytesIO()
    write_npz(rows, out)
    out.seek(0)
    with np.load(out) as read:
        assert (read["data"] == rows).all() and read["data"].dtype == DTYPE


@pytest.mark.parametrize("scale", [0, 2])
def test_prices_are_in_units_of_the_market(tmp_path: Path, scale: int) -> None:
    import msgspec

    rules = msgspec.to_builtins(RULES) | {"price_scale": scale}
    rows = Exporter(read_tape(write(tmp_path / "t.jsonl.gz", WHOLE[:1], rules=rules))).events()
    assert rows["px"].tolist() == [99, 99, 101, 102] and rows["qty"].tolist() == [1, 2, 1, 2]
