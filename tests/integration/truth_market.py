"""A recorded market with its truth at every sequence, kept by a book that shares nothing with the library's."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lunomm.market.records import BookState, Tick
from lunomm.market.rules import PairRules
from lunomm.tape.reader import TapeFrame, read_tape

TAPE = Path(__file__).parents[1] / "data" / "sim-xbtmyr-theory-seed7-60s.jsonl.gz"
DEPTH = 10
Levels = list[tuple[Decimal, Decimal]]


class Truth:
    """frames: raw, the first a snapshot. sequences, levels, books: what holds after each."""

    def __init__(self) -> None:
        tape = read_tape(TAPE)
        self.rules: PairRules = tape.rules
        self.started_ns = tape.started_ns
        self.frames = [item.raw for item in tape if isinstance(item, TapeFrame)]
        self.sequences: list[int] = []
        self.levels: dict[int, tuple[Levels, Levels]] = {}
        self._orders: dict[str, tuple[str, Decimal, Decimal]] = {}
        self._books: list[dict[str, tuple[str, Decimal, Decimal]]] = []
        self._stamps: list[int] = []
        for raw in self.frames:
            self._apply(json.loads(raw))

    def _apply(self, frame: dict[str, Any]) -> None:
        orders = self._orders
        for side, name in (("BID", "bids"), ("ASK", "asks")):
            for row in frame.get(name) or ():
                orders[row["id"]] = (side, Decimal(row["price"]), Decimal(row["volume"]))
        for trade in frame.get("trade_updates") or ():
            side, price, volume = orders.pop(trade["maker_order_id"])
            if volume != Decimal(trade["base"]):
                orders[trade["maker_order_id"]] = (side, price, volume - Decimal(trade["base"]))
        create, delete = frame.get("create_update"), frame.get("delete_update")
        if create:
            orders[create["order_id"]] = (create["type"], Decimal(create["price"]), Decimal(create["volume"]))
        if delete:
            del orders[delete["order_id"]]
        sequence = int(frame["sequence"])
        self.sequences.append(sequence)
        self._stamps.append(frame["timestamp"])
        self._books.append(dict(orders))
        self.levels[sequence] = (self._top("BID"), self._top("ASK"))

    def _top(self, side: str) -> Levels:
        volumes: dict[Decimal, Decimal] = {}
        for where, price, volume in self._orders.values():
            if where == side:
                volumes[price] = volumes.get(price, Decimal(0)) + volume
        return sorted(volumes.items(), reverse=side == "BID")[:DEPTH]

    def snapshot(self, index: int) -> str:
        """What a new connection is sent when frame ``index`` was the last one."""
        book = self._books[index]

        def rows(side: str) -> list[dict[str, str]]:
            found = [(i, price, volume) for i, (where, price, volume) in book.items() if where == side]
            found.sort(key=lambda row: row[1], reverse=side == "BID")
            return [{"id": i, "price": str(price), "volume": str(volume)} for i, price, volume in found]

        sequence, stamp = str(self.sequences[index]), self._stamps[index]
        frame = {"sequence": sequence, "asks": rows("ASK"), "bids": rows("BID"), "timestamp": stamp}
        return json.dumps({**frame, "status": "ACTIVE"})

    def check(self, tick: Tick) -> bool:
        """Whether the tick may be traded on; if so it must be the truth at its sequence, to the last digit."""
        if tick.state not in (BookState.OK, BookState.STALE):
            assert tick.mid_price is tick.fair_mid is tick.micro_price is tick.vamp is None
            return False
        assert tick.sequence is not None
        bids, asks = self.levels[tick.sequence]
        assert [(level.price, level.volume) for level in tick.bids] == bids
        assert [(level.price, level.volume) for level in tick.asks] == asks
        assert tick.mid_price == (bids[0][0] + asks[0][0]) / 2
        return tick.state is BookState.OK


@cache
def truth() -> Truth:
    return Truth()
