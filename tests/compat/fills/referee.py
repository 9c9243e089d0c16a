"""hftbacktest's side: run by the Python of its own environment, which has nothing of lunomm.

    python referee.py EVENTS.npz ORDERS.json OUT.json

ORDERS: {"tick": 1.0, "lot": 1e-6, "latency_ns": n, "end_ns": n, "orders": [[number, side (+1, -1), ticks, sent, cancel
sent]]}. OUT: a row an order: [number, status, exchange time]. Everything it does is the library's; nothing is decided
here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from hftbacktest import FILLED, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from numba import njit

OURS = 10**9


@njit
def run(hbt, what, sent, number, side, ticks, tick, lot, end_ns):  # type: ignore[no-untyped-def]
    """Send every order and cancel at its time; the library's return code when it is not 0."""
    # Before its first step the library's clock stands at the end of time.
    code = hbt.elapse(1)
    if code != 0:
        return code
    for i in range(len(what)):
        wait = sent[i] - hbt.current_timestamp
        if wait > 0:
            code = hbt.elapse(wait)
            if code != 0:
                return code
        if what[i] == 1:
            hbt.cancel(0, number[i], False)
        elif side[i] > 0:
            hbt.submit_buy_order(0, number[i], ticks[i] * tick, lot, GTX, LIMIT, False)
        else:
            hbt.submit_sell_order(0, number[i], ticks[i] * tick, lot, GTX, LIMIT, False)
    return hbt.elapse(end_ns - hbt.current_timestamp)


@njit
def read(hbt, numbers, status, at):  # type: ignore[no-untyped-def]
    orders = hbt.orders(0)
    for i in range(len(numbers)):
        if numbers[i] in orders:
            order = orders.get(numbers[i])
            status[i] = order.status
            at[i] = order.exch_timestamp


def main(events: str, orders: str, out: str) -> None:
    asked = json.loads(Path(orders).read_text())
    rows, end_ns = asked["orders"], asked["end_ns"]
    todo = [(sent, 0, number, side, ticks) for number, side, ticks, sent, _ in rows]
    todo += [(cancel, 1, number, side, ticks) for number, side, ticks, _, cancel in rows if cancel]
    todo = sorted(row for row in todo if row[0] < end_ns)
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(asked["latency_ns"], 0)
        .l3_fifo_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(asked["tick"])
        .lot_size(asked["lot"])
    )
    hbt = HashMapMarketDepthBacktest([asset])
    sent, what, number, side, ticks = (np.array(column, dtype=np.int64) for column in zip(*todo, strict=True))
    # An order of ours must not have the number of one of the market's: its cancel would then be refused.
    number = (number + OURS).astype(np.uint64)
    code = run(hbt, what, sent, number, side, ticks, asked["tick"], asked["lot"], end_ns)
    numbers = np.array([row[0] + OURS for row in rows], dtype=np.uint64)
    status, at = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    read(hbt, numbers, status, at)
    found = [[row[0], int(s), int(t)] for row, s, t in zip(rows, status, at, strict=True)]
    Path(out).write_text(json.dumps({"code": int(code), "filled": int(FILLED), "orders": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
